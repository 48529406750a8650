//go:build cgo && !linux

package libvirt

import "net"

// ourselves trusts the directory's mode where the system does not tell who the
// peer is.
func ourselves(*net.UnixConn) error { return nil }
