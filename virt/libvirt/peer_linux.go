//go:build cgo

package libvirt

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ourselves tells whether the client of a UNIX connection is this process.
func ourselves(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if int(cred.Pid) != os.Getpid() {
		return fmt.Errorf("client of libvirt's private socket is process %d, not this one", cred.Pid)
	}
	return nil
}
