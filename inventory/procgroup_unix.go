//go:build unix

package inventory

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup makes the end of a command the end of all that it started.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
