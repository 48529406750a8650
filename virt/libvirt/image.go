//go:build cgo

package libvirt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nactl/nactl/virt"
)

// fileImage looks at an image that is a file on this machine. Its format is read
// from the file itself.
func fileImage(src virt.ImageSource) (*virt.Image, error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	f, err := os.Open(src.File)
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
	head := make([]byte, qcow2HeadSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	format, size, err := probeImage(head[:n], info.Size())
	if err != nil {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "its file cannot be used", Found: src.File, Err: err}
	}
	return &virt.Image{Source: src, Format: format, Size: size}, nil
}

// qcow2HeadSize is as much of a qcow2 file as tells its size and what it lies
// over.
const qcow2HeadSize = 32

// probeImage tells the format of an image by its beginning, and how large the
// disk in it is. length is that of the file. What is not qcow2 is raw.
func probeImage(head []byte, length int64) (format string, size int64, err error) {
	if len(head) < 4 || string(head[:4]) != "QFI\xfb" {
		if length == 0 {
			return "", 0, errors.New("it is empty")
		}
		return "raw", length, nil
	}
	if len(head) < qcow2HeadSize {
		return "", 0, errors.New("it is a qcow2 image that ends in its header")
	}
	version := binary.BigEndian.Uint32(head[4:])
	if version != 2 && version != 3 {
		return "", 0, fmt.Errorf("it is a qcow2 image of version %d; wanted 2 or 3", version)
	}
	if binary.BigEndian.Uint64(head[8:]) != 0 {
		return "", 0, errors.New("it lies over another image, which the node does not have; flatten it with qemu-img convert")
	}
	virtual := binary.BigEndian.Uint64(head[24:])
	if virtual == 0 || virtual > 1<<62 {
		return "", 0, fmt.Errorf("it is a qcow2 image of %d bytes", virtual)
	}
	return "qcow2", int64(virtual), nil
}
