//go:build cgo

package libvirt

import (
	"errors"
	"fmt"
	"sync"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// loop is libvirt's event loop: one for the process, started before the first
// connection, running until the process ends, because libvirt has no way to
// unregister an implementation. Keepalive and events need it.
var loop struct {
	once sync.Once
	err  error
}

// startLoop loads libvirt and starts its event loop.
func startLoop() error {
	loop.once.Do(func() {
		if err := lv.EventRegisterDefaultImpl(); err != nil {
			loop.err = &virt.Error{Kind: virt.ErrUnreachable,
				Summary: "libvirt's client library cannot be loaded",
				Wanted:  "libvirt.so.0", Hint: "install the package libvirt0 (Debian, Ubuntu) or libvirt-libs (Fedora, RHEL)",
				Err: message(err)}
			return
		}
		go runLoop()
	})
	return loop.err
}

// LibraryVersion loads libvirt's client library and gives its version, as 9.0.0
// (virGetVersion). An error says how to get the library.
func LibraryVersion() (string, error) {
	if err := startLoop(); err != nil {
		return "", err
	}
	v, err := lv.GetVersion()
	if err != nil {
		return "", message(err)
	}
	return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1000%1000, v%1000), nil
}

func runLoop() {
	for {
		if err := lv.EventRunDefaultImpl(); err != nil {
			// poll(2) failed: libvirt has logged it, and there is nothing to repair.
			return
		}
	}
}

// message gives a libvirt error the way people read it: its message alone. The
// error itself stays in the chain.
func message(err error) error {
	var le lv.Error
	if errors.As(err, &le) && le.Message != "" {
		return said{le}
	}
	return err
}

// said is an answer of libvirt's.
type said struct{ answer lv.Error }

// Error gives libvirt's message without its numbers.
func (s said) Error() string { return "libvirt: " + s.answer.Message }

// Unwrap gives the answer itself.
func (s said) Unwrap() error { return s.answer }
