package virt

// GuestExec runs a command inside a guest and gives a CommandResult.
type GuestExec struct {
	On
	action
	Command Command `json:"command"`
}

// SetPassword gives a user of a running guest another password.
type SetPassword struct {
	On
	action
	User     string `json:"user"`
	Password string `json:"-"`                 // shown nowhere
	Crypted  bool   `json:"crypted,omitempty"` // Password is a hash, as crypt(5) makes it
}

// GuestWrite writes a file inside a guest: whole, or not at all.
type GuestWrite struct {
	On
	converge
	Content []byte      `json:"-"`
	SHA256  string      `json:"sha256"` // hex, of Content
	Size    int64       `json:"size"`
	Mode    Opt[string] `json:"mode,omitzero"` // octal, as 0644
	Owner   Opt[string] `json:"owner,omitzero"`
	Group   Opt[string] `json:"group,omitzero"`
}
