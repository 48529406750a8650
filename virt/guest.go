package virt

import (
	"context"
	"time"
)

// GuestInfo is what the agent inside a guest tells of it.
type GuestInfo struct {
	Agent     AgentState       `json:"agent"`
	Version   string           `json:"version,omitempty"`
	Hostname  string           `json:"hostname,omitempty"`
	OS        string           `json:"os,omitempty"`
	Addresses []GuestInterface `json:"interfaces,omitempty"`
}

// GuestInterface is a network interface as the guest sees it.
type GuestInterface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac,omitempty"`
	Addresses []string `json:"addresses,omitempty"` // with prefix length, as 10.0.0.5/24
}

// Command is what to run in a guest, or on the controller. Exactly one
// of Argv and Shell is set.
type Command struct {
	Argv    []string          `json:"argv,omitempty"`
	Shell   string            `json:"shell,omitempty"` // run by /bin/sh -c
	Stdin   string            `json:"stdin,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Dir     string            `json:"chdir,omitempty"`
	Timeout time.Duration     `json:"timeout,omitempty"` // 0 = 60 s in a guest, no limit on the controller
	// LeaveRunning: a command of a guest that outlives its timeout is not killed,
	// where its platform can wait for it once more: see GuestWaiter. The error names
	// the process.
	LeaveRunning bool `json:"leave_running,omitempty"`
}

// GuestWaiter is a Platform that can wait for a command which was left running in
// a guest.
type GuestWaiter interface {
	// GuestWait waits for the end of a process by the name that the error of its
	// timeout gave it. ErrNotFound: the guest's agent does not know it, for it was
	// told of its end already, or was started anew. ErrTimeout: it still runs.
	GuestWait(ctx context.Context, vm, process string, timeout time.Duration) (*CommandResult, error)
}

// CommandResult is how a command ended.
type CommandResult struct {
	RC     int    `json:"rc"`               // exit status; 128+n when ended by signal n
	Signal int    `json:"signal,omitempty"` // 0 when it ended by itself
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	// StdoutTruncated and StderrTruncated say that the output was longer than
	// what can be captured, and that its beginning is what is left.
	StdoutTruncated bool `json:"stdout_truncated,omitempty"`
	StderrTruncated bool `json:"stderr_truncated,omitempty"`
}

// GuestFile is a file inside a guest.
type GuestFile struct {
	VM     string `json:"vm"`
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`          // hex, of the whole content
	Mode   string `json:"mode,omitempty"`  // octal, as 0644; empty where the agent cannot tell
	Owner  string `json:"owner,omitempty"` // user name
	Group  string `json:"group,omitempty"`
	// Content is set when it was asked for and is not over the limit.
	Content []byte `json:"-"`
}

// Ref names the file.
func (f *GuestFile) Ref() Ref { return Ref{Kind: KindGuestFile, Scope: f.VM, Name: f.Path} }

// Clone returns a copy.
func (f *GuestFile) Clone() Object { c := *f; return &c }
