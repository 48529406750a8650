//go:build !linux

package image

// Elsewhere all of a file is taken for data.
const (
	seekData = -1
	seekHole = -1
)
