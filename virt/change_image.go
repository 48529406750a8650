package virt

// FetchImage loads an image from an address into the controller's own keeping:
// whole, or not at all. One that is there stays as it is, for its place goes by its
// checksum or, where none is known, by its address.
type FetchImage struct {
	On
	converge
	URL    string `json:"url"`
	SHA256 string `json:"sha256,omitempty"` // hex; empty: whatever comes is taken
	// Length and Head are what the server tells of it before it is sent; 0 and nil
	// where it does not.
	Length int64  `json:"length,omitempty"`
	Head   []byte `json:"-"`
}

func fetchImage(before Object, c FetchImage) (Object, Outcome, error) {
	if f, ok := before.(*LocalFile); ok && f != nil {
		return f, Outcome{}, nil
	}
	var d diff
	d.set("from", nil, c.URL, "")
	if c.Length > 0 {
		d.field(FieldChange{Path: "content", After: c.Length, Unit: "bytes"})
	}
	return &LocalFile{Dir: c.Ref.Scope, Path: c.Ref.Name, Size: c.Length, SHA256: c.SHA256, Mode: "0600", Head: c.Head}, d.out, nil
}
