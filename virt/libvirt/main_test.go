//go:build cgo

package libvirt

import (
	"testing"

	"go.uber.org/goleak"
)

// The event loop lives as long as the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nactl/nactl/virt/libvirt.runLoop"))
}
