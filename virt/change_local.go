package virt

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// LocalExec runs a command on the controller and gives a CommandResult.
type LocalExec struct {
	On
	action
	Command Command `json:"command"`
}

// LocalWrite writes a file on the controller: whole, or not at all.
type LocalWrite struct {
	On
	converge
	Content []byte `json:"-"`
	// Secret says that a secret went into Content: no prediction shows it, or what
	// stood in its place.
	Secret bool        `json:"secret,omitempty"`
	Size   int64       `json:"size"`
	Mode   Opt[string] `json:"mode,omitzero"` // octal, as 0644; left out at creation: 0644
}

// DownloadVolume reads a volume of a platform into a file of the controller: whole,
// or not at all.
type DownloadVolume struct {
	On
	converge
	From   Ref         `json:"from"`
	Size   int64       `json:"size"`             // bytes that are stored; 0: not known before they are read
	SHA256 string      `json:"sha256,omitempty"` // hex; empty where only reading it would tell
	Mode   Opt[string] `json:"mode,omitzero"`    // as LocalWrite's
	// Content is the platform that the volume is on.
	Content VolumeReader `json:"-"`
}

// VolumeReader reads what volumes hold, as a Reader does.
type VolumeReader interface {
	ReadVolume(ctx context.Context, storage, name string, into Sink) error
}

// LocalDelete removes a file on the controller.
type LocalDelete struct {
	On
	converge
}

// HTTPRequest sends a request from the controller and gives an HTTPResponse. One
// with GET or HEAD asks and changes nothing: that is a read, Controller.Fetch, and
// no change.
type HTTPRequest struct {
	On
	action
	Method  string  `json:"method"`
	URL     string  `json:"url"`
	Headers Headers `json:"headers,omitempty"`
	Body    []byte  `json:"-"`
	// Size and SHA256 are those of Body, which is not shown itself; unknown where only
	// the run will show it. Of what a secret may have gone into there is no checksum.
	Size   Opt[int64]  `json:"size,omitzero"`
	SHA256 Opt[string] `json:"sha256,omitzero"` // hex
	// Username and Password are sent as HTTP's basic authentication.
	Username string `json:"username,omitempty"`
	Password string `json:"-"`
	// CA holds the PEM certificates that are trusted instead of the system's.
	CA       []byte `json:"-"`
	Insecure bool   `json:"insecure,omitempty"` // no certificate is checked
	// Redirects is how many redirects of a GET or HEAD are followed. Those of other
	// methods never are: what they change is asked for once.
	Redirects int           `json:"-"`
	Timeout   time.Duration `json:"timeout,omitempty"` // for all of it, the body included; 0 = 30 s
	Expect    []StatusRange `json:"expect,omitempty"`  // none: 200 to 299
	Limit     int64         `json:"-"`                 // bytes of the answer's body that are kept
}

// StatusRange is a range of HTTP's status codes, both ends included.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// IsRead tells whether a request changes nothing.
func (r HTTPRequest) IsRead() bool { return r.Method == "GET" || r.Method == "HEAD" }

// Expects tells whether a status is one of those that were asked for.
func (r HTTPRequest) Expects(status int) bool {
	if len(r.Expect) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.ContainsFunc(r.Expect, func(s StatusRange) bool { return status >= s.From && status <= s.To })
}

// Headers are those of a request. Their JSON form shows only values that are never
// secret: what lets somebody in goes by many names.
type Headers map[string]string

// openHeaders are the headers whose values may be shown.
var openHeaders = []string{"accept", "accept-encoding", "accept-language", "cache-control", "content-type", "if-match", "if-none-match", "prefer", "user-agent"}

// MarshalJSON writes the names, and the values that may be shown.
func (h Headers) MarshalJSON() ([]byte, error) {
	out := map[string]string{}
	for name, value := range h {
		if !slices.Contains(openHeaders, strings.ToLower(name)) {
			value = "(not shown)"
		}
		out[name] = value
	}
	return json.Marshal(out)
}

// HTTPResponse is the answer to a request.
type HTTPResponse struct {
	Status  int               `json:"status"`
	URL     string            `json:"url"` // that answered, behind all redirects
	Headers map[string]string `json:"-"`   // by their names in lower case; those given twice joined by ", "
	Body    []byte            `json:"-"`
	// Truncated says that the body was longer than the limit, and that its beginning
	// is what is left.
	Truncated bool          `json:"truncated,omitempty"`
	Elapsed   time.Duration `json:"elapsed"`
}
