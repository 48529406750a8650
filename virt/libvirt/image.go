//go:build cgo

package libvirt

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// fileImage looks at an image that is a file on this machine. Its format is read
// from the file itself.
func fileImage(src virt.ImageSource) (*virt.Image, error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	f, err := os.Open(src.File)
	if errors.Is(err, os.ErrNotExist) && src.Head != "" { // it is to be fetched
		format, size, err := image.Probe([]byte(src.Head), src.Length)
		if err != nil {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "its file cannot be used", Found: src.URL, Err: err}
		}
		return &virt.Image{Source: src, Format: format, Size: size}, nil
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, &virt.Error{Kind: virt.ErrNotFound, Object: ref, Summary: "its file is not on this machine", Found: src.File, Err: err,
			Hint: "check the path in the inventory"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	head := make([]byte, image.HeadSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	format, size, err := image.Probe(head[:n], info.Size())
	if err != nil {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "its file cannot be used", Found: src.File, Err: err}
	}
	return &virt.Image{Source: src, Format: format, Size: size}, nil
}
