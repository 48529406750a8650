package event

import "io"

// NDJSON writes each record as one line of JSON.
type NDJSON struct{ w io.Writer }

// NewNDJSON makes a reader that writes to w, which stays open.
func NewNDJSON(w io.Writer) *NDJSON { return &NDJSON{w} }

// String names the reader in errors.
func (*NDJSON) String() string { return "the JSON output" }

// Read implements Reader. A record is one call of Write.
func (n *NDJSON) Read(r Record) error {
	b, err := r.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = n.w.Write(append(b, '\n'))
	return err
}

// Close implements Reader.
func (*NDJSON) Close() error { return nil }
