// Package image knows files that hold disk images: what their beginning tells, and
// which parts of them are holes. It keeps no state; a Writer is for one goroutine.
package image
