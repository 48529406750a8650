package image

import "golang.org/x/sys/unix"

// How a file is asked for its next data, and for its next hole.
const (
	seekData = unix.SEEK_DATA
	seekHole = unix.SEEK_HOLE
)
