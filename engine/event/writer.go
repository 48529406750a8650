package event

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Reader shows or keeps events. The writer calls Read one record at a time.
// After an error Read is not called again.
type Reader interface {
	Read(Record) error
	// Close ends the reader: what it holds back is written, its goroutines end.
	Close() error
}

// Writer numbers, dates and masks events and hands them to its readers. It is
// the only place where secrets are taken out, and no reader sees what it was
// given.
type Writer struct {
	run  string
	mask *Mask
	now  func() time.Time

	mu      sync.Mutex // held while the readers read: it is what keeps them in order
	seq     int64
	readers []*slot
	closed  bool
	errs    []error
}

type slot struct {
	Reader
	broken bool
}

// NewWriter makes the writer of a run. mask may be nil; so may now, which then is
// time.Now.
func NewWriter(run string, mask *Mask, now func() time.Time, readers ...Reader) *Writer {
	if now == nil {
		now = time.Now
	}
	if mask == nil {
		mask = NewMask()
	}
	w := &Writer{run: run, mask: mask, now: now}
	for _, r := range readers {
		w.readers = append(w.readers, &slot{Reader: r})
	}
	return w
}

// Mask gives the mask, for those who learn secrets during the run.
func (w *Writer) Mask() *Mask { return w.mask }

// Emit implements Sink. After Close it does nothing.
func (w *Writer) Emit(e Event) {
	e = w.mask.event(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.seq++
	r := Record{Header{Schema: Schema, Time: w.now().UTC(), Run: w.run, Seq: w.seq, Type: e.Type()}, e}
	for _, s := range w.readers {
		if s.broken {
			continue
		}
		if err := s.Read(r); err != nil {
			s.broken = true
			w.errs = append(w.errs, fmt.Errorf("events to %s: %w", name(s.Reader), err))
		}
	}
}

// Broken tells whether a reader had to be given up, as when the other end of a
// pipe is gone.
func (w *Writer) Broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.errs) > 0
}

// Close ends all readers and returns what went wrong with them, each error once:
// a second Close returns nil.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	for _, s := range w.readers {
		if err := s.Close(); err != nil && !s.broken {
			w.errs = append(w.errs, fmt.Errorf("events to %s: %w", name(s.Reader), err))
		}
	}
	return errors.Join(w.errs...)
}

// name gives the word for a reader in errors.
func name(r Reader) string {
	if s, ok := r.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", r)
}

// Discard is a Sink that forgets.
var Discard Sink = discard{}

type discard struct{}

func (discard) Emit(Event) {}
