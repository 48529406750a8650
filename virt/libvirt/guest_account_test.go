//go:build cgo

package libvirt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// ran makes the answers of an agent whose guest-exec runs a command that prints
// stdout and ends with rc.
func ran(stdout string, rc int) map[string][]any {
	end, _ := json.Marshal(map[string]any{"exited": true, "exitcode": rc, "out-data": base64.StdEncoding.EncodeToString([]byte(stdout))})
	return map[string][]any{"guest-exec": {`{"pid":7}`}, "guest-exec-status": {string(end)}}
}

func TestSSHKeysByTheAgent(t *testing.T) {
	ref := virt.SSHKeysRef("web", "ada")
	for name, tt := range map[string]struct {
		answer any
		keys   string
		kind   error
	}{
		"some":    {`{"keys":["a","b"]}`, "a b", nil},
		"none":    {`{"keys":[]}`, "", nil},
		"no file": {fromAgent("guest-ssh-get-authorized-keys", "failed to read '/home/ada/.ssh/authorized_keys': No such file or directory"), "", nil},
		"nobody":  {fromAgent("guest-ssh-get-authorized-keys", "failed to lookup user 'ada'"), "", virt.ErrNotFound},
		"other":   {fromAgent("guest-ssh-get-authorized-keys", "failed to read: Permission denied"), "", virt.ErrConflict},
		"gone":    {noAgent, "", virt.ErrAgent},
	} {
		_, a := newScript(t, map[string][]any{"guest-ssh-get-authorized-keys": {tt.answer}})
		s, err := a.sshKeys(t.Context(), ref)
		if !errors.Is(err, tt.kind) || err == nil && strings.Join(s.Keys, " ") != tt.keys {
			t.Errorf("%s: %+v, %v; want %q, %v", name, s, err, tt.keys, tt.kind)
		}
	}
}

// An agent that is too old, or may not, has a shell do it.
func TestSSHKeysByAShell(t *testing.T) {
	ref := virt.SSHKeysRef("web", "ada")
	s, a := newScript(t, ran("# c\na b\n", 0))
	now, err := a.sshKeys(t.Context(), ref)
	if err != nil || strings.Join(now.Keys, "|") != "a b" {
		t.Fatalf("%+v, %v", now, err)
	}
	if err := a.setSSHKeys(t.Context(), now, &virt.SSHKeys{VM: "web", User: "ada", Keys: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	var last execRequest
	all := s.args["guest-exec"]
	if err := json.Unmarshal(all[len(all)-1], &last); err != nil {
		t.Fatal(err)
	}
	if string(last.Input) != "# c\nnew\n" {
		t.Errorf("it was given %q", last.Input)
	}
	_, a = newScript(t, ran("", 93))
	if _, err := a.sshKeys(t.Context(), ref); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	_, a = newScript(t, nil)
	if _, err := a.sshKeys(t.Context(), ref); !errors.Is(err, virt.ErrUnsupported) {
		t.Errorf("without any: %v", err)
	}
}

func TestPasswordByTheAgent(t *testing.T) {
	c := virt.SetPassword{On: virt.On{Ref: virt.VMRef("web")}, User: "ada", Password: "hunter22"}
	s, a := newScript(t, map[string][]any{"guest-set-user-password": {`{}`}})
	if err := a.setPassword(t.Context(), c); err != nil || len(s.asked) != 1 {
		t.Errorf("asked %v, %v", s.asked, err)
	}
	for name, tt := range map[string]struct {
		answers map[string][]any
		kind    error
	}{
		"chpasswd does it":   {ran("", 0), nil},
		"nobody":             {ran("", 93), virt.ErrNotFound},
		"no chpasswd":        {ran("", 127), virt.ErrUnsupported},
		"it refuses":         {ran("", 1), virt.ErrConflict},
		"no way to find out": {map[string][]any{"guest-set-user-password": {fromAgent("guest-set-user-password", "child process has failed to set user password")}}, virt.ErrConflict},
		"no way at all":      {nil, virt.ErrUnsupported},
	} {
		s, a := newScript(t, tt.answers)
		err := a.setPassword(t.Context(), c)
		if !errors.Is(err, tt.kind) || (err == nil) != (tt.kind == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.kind)
		}
		for _, request := range s.args["guest-exec"] {
			var r execRequest
			if err := json.Unmarshal(request, &r); err != nil || strings.Contains(strings.Join(r.Arg, " "), "hunter22") {
				t.Errorf("%s: %s, %v", name, request, err)
			}
		}
		if err != nil && strings.Contains(full(err), "hunter22") {
			t.Errorf("%s: the error shows it: %s", name, full(err))
		}
	}
}
