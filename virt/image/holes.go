package image

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Region is a part of a file that holds data, or that is a hole: then it reads as
// zeros.
type Region struct {
	Offset, Length int64
	Hole           bool
}

// Regions gives the regions of the first length bytes of a file, from its
// beginning, until fn gives an error. On a file system that knows of no holes all
// is data.
func Regions(f *os.File, length int64, fn func(Region) error) error {
	for at := int64(0); at < length; {
		data, err := seek(f, at, seekData)
		switch {
		case errors.Is(err, syscall.ENXIO):
			return fn(Region{at, length - at, true}) // nothing but a hole up to the end
		case err != nil:
			return fn(Region{at, length - at, false})
		}
		data = min(data, length)
		if data > at {
			if err := fn(Region{at, data - at, true}); err != nil {
				return err
			}
		}
		if data == length {
			return nil
		}
		end, err := seek(f, data, seekHole)
		if err != nil {
			end = length
		}
		end = min(end, length)
		if err := fn(Region{data, end - data, false}); err != nil {
			return err
		}
		at = end
	}
	return nil
}

func seek(f *os.File, at int64, whence int) (int64, error) {
	if whence < 0 {
		return 0, errors.ErrUnsupported
	}
	return f.Seek(at, whence)
}

// Writer writes an image into an empty file, leaving holes where it is zero.
type Writer struct {
	f  *os.File
	at int64
}

// NewWriter gives the writer of a file.
func NewWriter(f *os.File) *Writer { return &Writer{f: f} }

// Write writes the next bytes.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.at)
	w.at += int64(n)
	return n, err
}

// Hole leaves n bytes out.
func (w *Writer) Hole(n int64) error {
	w.at += n
	return w.f.Truncate(w.at)
}

// Zeros reads as n bytes that are zero.
func Zeros(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
