package virt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
	"unicode/utf8"
)

// Controller is the machine that nactl runs on: what a playbook changes there, and
// the looks that change nothing. All methods are safe for concurrent use.
type Controller interface {
	Applier
	// Exists tells whether there is something at path.
	Exists(ctx context.Context, path string) (bool, error)
	// LocalFile looks at a file. A missing one is ErrNotFound; what is no regular
	// file, a symbolic link too, is ErrConflict.
	LocalFile(ctx context.Context, ref Ref) (*LocalFile, error)
	// CachedImage looks at an image that was fetched from an address, by its checksum
	// where that is known, with its beginning and without reading the rest. The object
	// of an ErrNotFound is the file that it would be: see FetchImage.
	CachedImage(ctx context.Context, url, sha256 string) (*LocalFile, error)
	// Probe runs a command that its author declared read-only.
	Probe(ctx context.Context, c Command) (*CommandResult, error)
	// Fetch sends a request with GET or HEAD. Any status is an answer; where none
	// came, the error is ErrNoAnswer.
	Fetch(ctx context.Context, r HTTPRequest) (*HTTPResponse, error)
}

// LocalFile is a file on the controller.
type LocalFile struct {
	Dir     string `json:"dir,omitempty"` // that Path starts from; empty for an absolute one
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`         // hex, of the whole content
	Mode    string `json:"mode,omitempty"` // octal, as 0644
	Content []byte `json:"-"`              // of a file up to ShownText bytes
	// Head is its beginning, which tells what kind of image it is; nil where only the
	// run will show it.
	Head     []byte    `json:"-"`
	Modified time.Time `json:"-"`
}

// ShownText is the size, in bytes, up to which a text is shown line by line where
// it changes.
const ShownText = 64 << 10

// LocalFileRef names a file on the controller; dir is empty for an absolute path.
func LocalFileRef(dir, path string) Ref { return Ref{Kind: KindLocalFile, Scope: dir, Name: path} }

// Ref names the file.
func (f *LocalFile) Ref() Ref { return LocalFileRef(f.Dir, f.Path) }

// Clone returns a copy.
func (f *LocalFile) Clone() Object { c := *f; return &c }

// newFileMode is the mode of a file that is made without a word about it.
const newFileMode = "0644"

func localWrite(before Object, c LocalWrite) (Object, Outcome, error) {
	var d diff
	sum := Checksum(c.Content)
	after := &LocalFile{Dir: c.Ref.Scope, Path: c.Ref.Name, Size: int64(len(c.Content)), SHA256: sum, Mode: c.Mode.Or(newFileMode)}
	if len(c.Content) <= ShownText {
		after.Content = c.Content
	}
	f, _ := before.(*LocalFile)
	switch {
	case f == nil && c.Secret:
		d.field(FieldChange{Path: "content", After: "(not shown)"})
	case f == nil && isText(after):
		d.field(FieldChange{Path: "content", After: string(c.Content)})
	case f == nil:
		d.field(FieldChange{Path: "content", After: after.Size, Unit: "bytes"})
	case f.SHA256 == sum:
	case c.Secret:
		d.field(FieldChange{Path: "content", Before: "(not shown)", After: "(not shown, differs)"})
	case isText(f) && isText(after):
		d.set("content", string(f.Content), string(c.Content), "")
	default:
		d.set("content", "sha256:"+short(f.SHA256), "sha256:"+short(sum), "")
	}
	switch {
	case f == nil:
		d.set("mode", nil, after.Mode, "")
	case c.Mode.IsSet():
		d.set("mode", f.Mode, after.Mode, "")
	default:
		after.Mode = f.Mode
	}
	return after, d.out, nil
}

func downloadVolume(before Object, c DownloadVolume) (Object, Outcome, error) {
	var d diff
	after := &LocalFile{Dir: c.Ref.Scope, Path: c.Ref.Name, Size: c.Size, SHA256: c.SHA256, Mode: c.Mode.Or(newFileMode)}
	f, _ := before.(*LocalFile)
	if f == nil {
		content := FieldChange{Path: "content", After: c.Size, Unit: "bytes"}
		if c.Size == 0 {
			content = FieldChange{Path: "content", After: UnknownValue}
		}
		d.field(content)
		d.set("mode", nil, after.Mode, "")
		return after, d.out, nil
	}
	if c.SHA256 != "" {
		d.set("content", "sha256:"+short(f.SHA256), "sha256:"+short(c.SHA256), "")
	} else if c.Size != 0 {
		d.bytes("content", f.Size, c.Size, "") // all that can be compared
	}
	if after.Mode = f.Mode; c.Mode.IsSet() {
		after.Mode = c.Mode.Or(f.Mode)
		d.set("mode", f.Mode, after.Mode, "")
	}
	return after, d.out, nil
}

// isText tells whether a file is one whose lines can be shown.
func isText(f *LocalFile) bool {
	return f.Size == int64(len(f.Content)) && utf8.Valid(f.Content) && !slices.Contains(f.Content, 0)
}

// Checksum gives the SHA-256 of a content, in hex.
func Checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
