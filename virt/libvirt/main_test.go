//go:build cgo

package libvirt

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// netcat is what the test binary does when it is called nc: the one thing that
// nactl wants of it, nc -U SOCKET.
func netcat() int {
	c, err := net.Dial("unix", os.Args[2])
	if err != nil {
		return 1
	}
	defer c.Close()
	go func() {
		_, _ = io.Copy(c, os.Stdin)
		c.Close() // nobody is there any more
	}()
	_, _ = io.Copy(os.Stdout, c)
	return 0
}

// The event loop lives as long as the process.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "nc" {
		os.Exit(netcat())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nactl/nactl/virt/libvirt.runLoop"))
}
