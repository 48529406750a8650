package ssh_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nactl/nactl/virt/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testContext ends before the test binary's own limit, so that a hang fails
// where it is.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// dial opens a Client that is closed with the test.
func dial(t testing.TB, cfg ssh.Config) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
