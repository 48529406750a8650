//go:build cgo

package libvirt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// script is an agent that answers what a test tells it to: for what a real one
// does not do on demand. Answers are JSON, or an error of libvirt's.
type script struct {
	t       *testing.T
	answers map[string][]any // by command, in order; the last one stays
	asked   []string         // commands, in order
	args    map[string][]json.RawMessage
}

func newScript(t *testing.T, answers map[string][]any) (*script, *agent) {
	s := &script{t: t, answers: answers, args: map[string][]json.RawMessage{}}
	return s, &agent{vm: virt.VMRef("web"), call: s.call}
}

func (s *script) call(_ context.Context, request string, timeout time.Duration) (string, error) {
	if timeout < time.Second {
		s.t.Errorf("a timeout of %s: libvirt takes whole seconds, and 0 is none", timeout)
	}
	var r struct {
		Execute   string
		Arguments json.RawMessage
	}
	if err := json.Unmarshal([]byte(request), &r); err != nil {
		s.t.Errorf("request %s: %v", request, err)
	}
	s.asked = append(s.asked, r.Execute)
	s.args[r.Execute] = append(s.args[r.Execute], r.Arguments)
	list := s.answers[r.Execute]
	if len(list) == 0 {
		return "", lv.Error{Code: lv.ERR_INTERNAL_ERROR, Message: "internal error: unable to execute QEMU agent command '" + r.Execute + "': The command " + r.Execute + " has not been found"}
	}
	if len(list) > 1 {
		s.answers[r.Execute] = list[1:]
	}
	if err, ok := list[0].(error); ok {
		return "", err
	}
	return fmt.Sprintf(`{"return":%s}`, list[0]), nil
}

// fromAgent makes an error as libvirt passes it on from an agent.
func fromAgent(command, desc string) error {
	return lv.Error{Code: lv.ERR_INTERNAL_ERROR, Domain: lv.FROM_QEMU, Message: "internal error: unable to execute QEMU agent command '" + command + "': " + desc}
}

var (
	noAgent   = lv.Error{Code: lv.ERR_AGENT_UNRESPONSIVE, Domain: lv.FROM_QEMU, Message: "Guest agent is not responding: QEMU guest agent is not connected"}
	noChannel = lv.Error{Code: lv.ERR_ARGUMENT_UNSUPPORTED, Domain: lv.FROM_QEMU, Message: "argument unsupported: QEMU guest agent is not configured"}
	noDomain  = lv.Error{Code: lv.ERR_NO_DOMAIN, Domain: lv.FROM_QEMU, Message: "Domain not found"}
	lostReply = lv.Error{Code: lv.ERR_SYSTEM_ERROR, Domain: lv.FROM_RPC, Message: "End of file while reading data"}
)

func TestAgentErrors(t *testing.T) {
	for _, tc := range []struct {
		name  string
		reply error
		kind  error
		hint  string
	}{
		{"nobody listens", noAgent, virt.ErrAgent, "install and start qemu-guest-agent"},
		{"no channel", noChannel, virt.ErrAgent, "add the channel"},
		{"VM gone", noDomain, virt.ErrNotFound, ""},
		{"command blocked", fromAgent("guest-ping", "Command guest-ping has been disabled"), virt.ErrUnsupported, "block-rpcs"},
		{"command blocked, newer agent", fromAgent("guest-ping", "Command guest-ping has been disabled: the command is not allowed"), virt.ErrUnsupported, "block-rpcs"},
		{"connection lost", lostReply, virt.ErrUnreachable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, a := newScript(t, map[string][]any{"guest-ping": {tc.reply}})
			err := a.run(t.Context(), "guest-ping", nil, nil)
			if !errors.Is(err, tc.kind) {
				t.Fatalf("%v is not %v", err, tc.kind)
			}
			var e *virt.Error
			if !errors.As(err, &e) || !strings.Contains(e.Hint, tc.hint) {
				t.Errorf("hint %q does not say %q", e.Hint, tc.hint)
			}
		})
	}
}

func TestGuestInfoKeepsWhatItGets(t *testing.T) {
	_, a := newScript(t, map[string][]any{
		"guest-info":          {`{"version":"7.2.22","supported_commands":[]}`},
		"guest-get-host-name": {`{"host-name":"web-1"}`},
		// guest-get-osinfo is unknown to an old agent.
		"guest-network-get-interfaces": {`[{"name":"lo"},{"name":"eth0","hardware-address":"52:54:00:00:00:01","ip-addresses":[{"ip-address":"10.0.0.5","ip-address-type":"ipv4","prefix":24}]}]`},
	})
	got, err := a.info(t.Context())
	if errors.Is(err, virt.ErrUnsupported) {
		t.Fatalf("an agent that lacks one command is no error: %v", err)
	}
	want := &virt.GuestInfo{Agent: virt.AgentConnected, Version: "7.2.22", Hostname: "web-1", Addresses: []virt.GuestInterface{
		{Name: "lo"}, {Name: "eth0", MAC: "52:54:00:00:00:01", Addresses: []string{"10.0.0.5/24"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExecResult(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status string
		want   *virt.CommandResult
	}{
		{"exit status", `{"exited":true,"exitcode":3,"out-data":"aGkK","err-data":"ZXJyCg=="}`, &virt.CommandResult{RC: 3, Stdout: "hi\n", Stderr: "err\n"}},
		{"signal", `{"exited":true,"signal":9}`, &virt.CommandResult{RC: 137, Signal: 9}},
		{"no output", `{"exited":true,"exitcode":0}`, &virt.CommandResult{}},
		{"truncated by the agent", `{"exited":true,"exitcode":0,"out-data":"aGkK","out-truncated":true,"err-truncated":true}`,
			&virt.CommandResult{Stdout: "hi\n", StdoutTruncated: true, StderrTruncated: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, a := newScript(t, map[string][]any{"guest-exec": {`{"pid":7}`}, "guest-exec-status": {tc.status}})
			got, err := a.exec(t.Context(), virt.Command{Argv: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What happens while a command runs: nobody may wait for ever, nor be told
// something that nobody knows.
func TestExecWhileWaiting(t *testing.T) {
	runs := `{"exited":false}`
	for _, tc := range []struct {
		name   string
		status []any
		kind   error
		words  string
	}{
		{"the agent comes back", []any{runs, noAgent, noAgent, `{"exited":true,"exitcode":0}`}, nil, ""},
		{"the agent restarted", []any{runs, noAgent, fromAgent("guest-exec-status", "Invalid parameter 'pid'")}, virt.ErrOutcomeUnknown, "has forgotten the command"},
		{"the agent stays away", []any{runs, noAgent}, virt.ErrOutcomeUnknown, "stopped answering"},
		{"the VM is powered off", []any{runs, lv.Error{Code: lv.ERR_OPERATION_INVALID, Message: "domain is not running"}}, virt.ErrOutcomeUnknown, "went away"},
		{"the VM moves away", []any{runs, noDomain}, virt.ErrOutcomeUnknown, "moved or deleted"},
		{"the connection is cut", []any{runs, lostReply}, virt.ErrOutcomeUnknown, "could not be asked"},
		{"the reply is too long for libvirt", []any{runs, lv.Error{Code: lv.ERR_RPC, Domain: lv.FROM_RPC, Message: "Unable to encode message payload"}}, virt.ErrOutcomeUnknown, "could not be asked"},
		{"it never ends and cannot be killed", []any{runs}, virt.ErrTimeout, "still runs in the guest as process 7"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a := newScript(t, map[string][]any{"guest-exec": {`{"pid":7}`}, "guest-exec-status": tc.status})
				began := time.Now()
				_, err := a.exec(t.Context(), virt.Command{Argv: []string{"x"}, Timeout: 5 * time.Second})
				if !errors.Is(err, tc.kind) {
					t.Fatalf("%v is not %v", err, tc.kind)
				}
				if err != nil && !strings.Contains(full(err), tc.words) {
					t.Errorf("%q does not say %q", full(err), tc.words)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// full gives all that an error tells.
func full(err error) string {
	var e *virt.Error
	if errors.As(err, &e) {
		return strings.Join([]string{e.Error(), e.Wanted, e.Found, e.Hint}, "\n")
	}
	return err.Error()
}

func TestExecTimeoutKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newScript(t, map[string][]any{
			"guest-exec":        {`{"pid":7}`, `{"pid":8}`},
			"guest-exec-status": {`{"exited":false}`, `{"exited":false}`, `{"exited":false}`, `{"exited":true,"signal":15,"out-data":"aGFsZgo="}`},
		})
		r, err := a.exec(t.Context(), virt.Command{Argv: []string{"sleep", "9"}, Timeout: 30 * time.Millisecond})
		if !errors.Is(err, virt.ErrTimeout) || !strings.Contains(full(err), "it was killed (process 7); its last words: half") {
			t.Errorf("got %s", full(err))
		}
		if r == nil || r.Stdout != "half\n" {
			t.Errorf("what it had printed is lost: %+v", r)
		}
		var kill execRequest
		if err := json.Unmarshal(s.args["guest-exec"][1], &kill); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"-c", killScript, "nactl", "TERM", "7"}, kill.Arg); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExecCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a := newScript(t, map[string][]any{"guest-exec": {`{"pid":7}`}, "guest-exec-status": {`{"exited":false}`}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := a.exec(ctx, virt.Command{Argv: []string{"x"}, Timeout: time.Hour})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(full(err), "interrupted") {
			t.Errorf("got %s", full(err))
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestExecPollsGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := newScript(t, map[string][]any{"guest-exec": {`{"pid":7}`}, "guest-exec-status": {`{"exited":false}`}})
		_, err := a.await(t.Context(), 7, time.Now().Add(time.Minute))
		if !errors.Is(err, virt.ErrTimeout) {
			t.Fatal(err)
		}
		if n := len(s.asked); n < 60 || n > 75 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}

func TestExecStartLost(t *testing.T) {
	_, a := newScript(t, map[string][]any{"guest-exec": {lostReply}})
	if _, err := a.exec(t.Context(), virt.Command{Shell: "reboot"}); !errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestExecWithoutShell(t *testing.T) {
	noShell := fromAgent("guest-exec", "Guest agent command failed, error was 'Failed to execute child process “/bin/sh” (No such file or directory)'")
	done := []any{`{"exited":true,"exitcode":0}`}
	s, a := newScript(t, map[string][]any{"guest-exec": {noShell, `{"pid":7}`}, "guest-exec-status": done})
	if _, err := a.exec(t.Context(), virt.Command{Argv: []string{`C:\x.exe`, "a b"}, Stdin: "in"}); err != nil {
		t.Fatal(err)
	}
	var got execRequest
	if err := json.Unmarshal(s.args["guest-exec"][1], &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(execRequest{Path: `C:\x.exe`, Arg: []string{"a b"}, Input: []byte("in"), Capture: true}, got); diff != "" {
		t.Error(diff)
	}
	_, a = newScript(t, map[string][]any{"guest-exec": {noShell}, "guest-exec-status": done})
	if _, err := a.exec(t.Context(), virt.Command{Shell: "x"}); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestWrapRefuses(t *testing.T) {
	a := &agent{vm: virt.VMRef("web")}
	for name, c := range map[string]virt.Command{
		"nothing":            {},
		"both":               {Argv: []string{"x"}, Shell: "x"},
		"an empty name":      {Argv: []string{""}},
		"a relative path":    {Argv: []string{"x"}, Dir: "tmp"},
		"a NUL byte":         {Argv: []string{"x", "a\x00b"}},
		"not UTF-8":          {Argv: []string{"x", "\xff"}},
		"a bad name":         {Argv: []string{"x"}, Env: map[string]string{"A B": "1"}},
		"a NUL byte in env":  {Argv: []string{"x"}, Env: map[string]string{"A": "\x00"}},
		"too long for stdin": {Argv: []string{"x"}, Stdin: strings.Repeat("x", maxStdin+1)},
	} {
		if _, err := a.wrap(c, "t"); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	for _, s := range []string{`{"return":{"pid":1}}`, `{"error":{"class":"GenericError","desc":"x"}}`, `{}`, `{"return":[]}`, `{"return":{"exited":true,"out-data":"!"}}`, "\xff{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		var s execStatus
		if parseReply(reply, &s) == nil {
			if r, err := s.result(); (r == nil) == (err == nil) {
				t.Errorf("%q: neither a result nor an error", reply)
			}
		}
		var r fileRead
		_ = parseReply(reply, &r)
		var nics []agentInterface
		if parseReply(reply, &nics) == nil {
			for _, n := range nics {
				n.iface()
			}
		}
	})
}

// A file that the agent gives in pieces arrives whole, and only as much of it as
// was asked for is kept.
func TestFileInPieces(t *testing.T) {
	piece := func(s string, eof bool) string {
		b, _ := json.Marshal(fileRead{Count: int64(len(s)), Data: []byte(s), EOF: eof})
		return string(b)
	}
	for _, limit := range []int64{5, 100} {
		_, a := newScript(t, map[string][]any{
			"guest-file-open":  {`1000`},
			"guest-file-seek":  {`{"position":0,"eof":false}`},
			"guest-file-read":  {piece("hello ", false), piece("world", false), piece("", true)},
			"guest-file-close": {`{}`},
		})
		f, err := a.file(t.Context(), "/etc/motd", limit)
		if err != nil {
			t.Fatal(err)
		}
		want := &virt.GuestFile{VM: "web", Path: "/etc/motd", Size: 11, SHA256: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"}
		if limit == 100 {
			want.Content = []byte("hello world")
		}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

func TestFileMissing(t *testing.T) {
	_, a := newScript(t, map[string][]any{"guest-file-open": {fromAgent("guest-file-open", "failed to open file '/x' (mode: 'r'): No such file or directory")}})
	_, err := a.file(t.Context(), "/x", 0)
	var e *virt.Error
	if !errors.As(err, &e) || e.Kind != virt.ErrNotFound || !e.Object.Same((&virt.GuestFile{VM: "web", Path: "/x"}).Ref()) {
		t.Errorf("got %v", err)
	}
}

// A write that breaks off half-way leaves the file as it was, no temporary file,
// and no open handle.
func TestWriteBreaksOff(t *testing.T) {
	s, a := newScript(t, map[string][]any{
		"guest-exec":        {`{"pid":7}`},
		"guest-exec-status": {`{"exited":true,"exitcode":0,"out-data":"NjQ0IDAgMAovZXRjLy5uYWN0bC0xCi9ldGMvbW90ZA=="}`},
		"guest-file-open":   {`1000`},
		"guest-file-write":  {fromAgent("guest-file-write", "failed to write to file: No space left on device")},
		"guest-file-close":  {`{}`},
	})
	_, err := a.writeFile(t.Context(), virt.GuestWrite{On: virt.On{Ref: a.fileRef("/etc/motd")}, Content: []byte("x"), Size: 1})
	if err == nil || !strings.Contains(err.Error(), "No space left") {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"guest-exec", "guest-exec-status", "guest-file-open", "guest-file-write", "guest-file-close", "guest-exec", "guest-exec-status"}, s.asked); diff != "" {
		t.Error(diff)
	}
	if rm := string(s.args["guest-exec"][1]); !strings.Contains(rm, "rm -f") || !strings.Contains(rm, "/etc/.nactl-1") {
		t.Errorf("the temporary file stays: %s", rm)
	}
}

func TestWriteWithoutExec(t *testing.T) {
	blocked := fromAgent("guest-exec", "Command guest-exec has been disabled")
	answers := func() map[string][]any {
		return map[string][]any{"guest-exec": {blocked}, "guest-file-open": {`1000`}, "guest-file-write": {`{"count":1,"eof":false}`}, "guest-file-flush": {`{}`}, "guest-file-close": {`{}`}}
	}
	_, a := newScript(t, answers())
	c := virt.GuestWrite{On: virt.On{Ref: a.fileRef("/etc/motd")}, Content: []byte("x"), Size: 1}
	warning, err := a.writeFile(t.Context(), c)
	if err != nil || !strings.Contains(warning, "in place") {
		t.Errorf("got %q, %v", warning, err)
	}
	_, a = newScript(t, answers())
	c.Mode = virt.Some("0600")
	if _, err := a.writeFile(t.Context(), c); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
