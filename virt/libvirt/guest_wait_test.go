//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

func TestParseProcess(t *testing.T) {
	for _, tt := range []struct {
		text  string
		pid   int
		token string
		ok    bool
	}{
		{"12", 12, "", true},
		{"12.0123456789abcdef", 12, "0123456789abcdef", true},
		{"", 0, "", false},
		{"0", 0, "", false},
		{"-1", 0, "", false},
		{"x", 0, "", false},
		{"12.", 0, "", false},
		{"12.0123456789abcde/", 0, "", false},
		{"12.0123456789abcdef0", 0, "", false},
		{"12.0123456789ABCDEF", 0, "", false},
	} {
		pid, token, err := parseProcess(virt.VMRef("a"), tt.text)
		if (err == nil) != tt.ok || pid != tt.pid || token != tt.token || err != nil && !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%q: %d, %q, %v", tt.text, pid, token, err)
		}
	}
}

// TestLeftRunning looks at a command that outlives its time and is waited for once
// more.
func TestLeftRunning(t *testing.T) {
	ended := false
	var asked []string
	a := &agent{vm: virt.VMRef("a"), call: func(_ context.Context, request string, _ time.Duration) (string, error) {
		asked = append(asked, request)
		switch {
		case strings.Contains(request, `"guest-exec-status"`) && ended:
			return `{"return":{"exited":true,"exitcode":4,"out-data":"b3V0"}}`, nil
		case strings.Contains(request, `"guest-exec-status"`):
			return `{"return":{"exited":false}}`, nil
		default:
			return `{"return":{"pid":77}}`, nil
		}
	}}
	_, err := a.exec(t.Context(), virt.Command{Argv: []string{"sleep", "9"}, Timeout: time.Millisecond, LeaveRunning: true})
	var e *virt.Error
	if !errors.Is(err, virt.ErrTimeout) || !errors.As(err, &e) {
		t.Fatal(err)
	}
	for _, r := range asked {
		if strings.Contains(r, "kill -s") {
			t.Error("it was killed")
		}
	}
	_, process, ok := strings.Cut(e.Hint, "--pid ")
	process, _, _ = strings.Cut(process, " ")
	if !ok || !strings.HasPrefix(process, "77.") {
		t.Fatalf("hint %q", e.Hint)
	}
	if _, err := a.resume(t.Context(), process, time.Millisecond); !errors.Is(err, virt.ErrTimeout) {
		t.Fatal(err)
	}
	ended = true
	r, err := a.resume(t.Context(), process, time.Second)
	if err != nil || r.RC != 4 || r.Stdout != "out" {
		t.Fatalf("%+v, %v", r, err)
	}
}
