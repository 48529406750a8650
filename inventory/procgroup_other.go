//go:build !unix

package inventory

import "os/exec"

// ownProcessGroup does nothing where there are no process groups: what a
// command started may outlive it.
func ownProcessGroup(*exec.Cmd) {}
