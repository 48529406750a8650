package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// HeadSize is as much of a qcow2 file as tells its size and what it lies over.
const HeadSize = 32

// foreign are files that nobody means when they say that an image is raw.
var foreign = []struct{ magic, why string }{
	{"\x1f\x8b", "it is compressed: unpack it with gunzip"},
	{"\xfd7zXZ\x00", "it is compressed: unpack it with unxz"},
	{"\x28\xb5\x2f\xfd", "it is compressed: unpack it with unzstd"},
	{"BZh", "it is compressed: unpack it with bunzip2"},
	{"KDMV", "it is a VMDK image: convert it with qemu-img convert -O qcow2"},
	{"vhdxfile", "it is a VHDX image: convert it with qemu-img convert -O qcow2"},
	{"conectix", "it is a VHD image: convert it with qemu-img convert -O qcow2"},
	{"<!DOCTYPE", "it is a web page: look what the download really gave"},
	{"<html", "it is a web page: look what the download really gave"},
}

// Probe tells the format of an image by its beginning, and how large the disk in
// it is. length is that of the file. What is not qcow2 is raw.
func Probe(head []byte, length int64) (format string, size int64, err error) {
	if len(head) < 4 || string(head[:4]) != "QFI\xfb" {
		for _, f := range foreign {
			if strings.HasPrefix(string(head), f.magic) {
				return "", 0, errors.New(f.why)
			}
		}
		if length == 0 {
			return "", 0, errors.New("it is empty")
		}
		return "raw", length, nil
	}
	if len(head) < HeadSize {
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
