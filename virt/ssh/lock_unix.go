//go:build unix && !aix && !solaris

package ssh

import (
	"os"
	"syscall"
)

// lockFile keeps other processes from doing the same at once, until the file is
// closed.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }
