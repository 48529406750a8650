package ssh_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt/ssh"
)

func TestParseURI(t *testing.T) {
	for in, want := range map[string]ssh.URI{
		"qemu+ssh://root@10.0.0.99/system": {Driver: "qemu", Path: "/system",
			Config: ssh.Config{Name: "10.0.0.99", User: "root"}},
		"qemu+ssh://kim@node01:2222/system?keyfile=/k%20ey+1&known_hosts=/kh;socket=/run/s&no_verify=0&sshauth=privkey&proxy=native&no_tty=1": {
			Driver: "qemu", Path: "/system", Socket: "/run/s", Proxy: "native",
			Config: ssh.Config{Name: "node01", User: "kim", Port: 2222, IdentityFiles: []string{"/k ey+1"},
				KnownHosts: []string{"/kh"}, Agent: "none"}},
		"xen+libssh2://[fe80::1]:22/?mode=direct&netcat=/bin/nc&name=qemu:///session": {Driver: "xen", Path: "/", Mode: "direct",
			Netcat: "/bin/nc", Name: "qemu:///session", Config: ssh.Config{Name: "fe80::1", Port: 22}},
		"qemu+libssh://h/session?sshauth=agent": {Driver: "qemu", Path: "/session",
			Config: ssh.Config{Name: "h", IdentityFiles: []string{}}},
		"qemu+ssh://h/system?keyfile=/k&sshauth=agent,privkey": {Driver: "qemu", Path: "/system",
			Config: ssh.Config{Name: "h", IdentityFiles: []string{"/k"}}},
	} {
		got, err := ssh.ParseURI(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", in, *got, want)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"qemu:///system":                                  "no SSH transport",
		"qemu+tcp://h/system":                             `transport "tcp"`,
		"qemu+ssh:///system":                              "names no host",
		"qemu+ssh://u:secret@h/system":                    "password",
		"qemu+ssh://u:secret@h:x/system":                  "invalid port",
		"qemu+ssh://h:0/system":                           "port",
		"qemu+ssh://h:70000/system":                       "port",
		"qemu+ssh://h/system?no_verify=1":                 "ssh-keyscan",
		"qemu+ssh://h/system?known_hosts_verify=ignore":   "refused",
		"qemu+ssh://h/system?known_hosts_verify=auto":     "refused",
		"qemu+ssh://h/system?keyfiel=/k":                  `did you mean "keyfile"`,
		"qemu+ssh://h/system?zzz=1":                       "known are",
		"qemu+ssh://h/system?keyfile=/k&keyfile=/l":       "twice",
		"qemu+ssh://h/system?keyfile=":                    "empty",
		"qemu+ssh://h/system?keyfile=%zz":                 "escape",
		"qemu+ssh://h/system?proxy=maybe":                 "want auto or native or netcat",
		"qemu+ssh://h/system?sshauth=password":            `"password" is not supported`,
		"qemu+ssh://h/system?command=/usr/local/bin/ssh2": "~/.ssh/config",
		"qemu+ssh://h/system#x":                           "fragment",
		"://":                                             "libvirt URI",
	} {
		_, err := ssh.ParseURI(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in the message: %v", in, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, s := range []string{"qemu+ssh://kim@node01:2222/system?keyfile=/k&proxy=native", "qemu+ssh://h/?no_verify=1",
		"qemu+ssh://[::1]:22/system?sshauth=agent;mode=auto", "x+ssh://%41@h/%zz?a", "qemu+ssh://u:p@h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ssh.ParseURI(s)
		if err != nil {
			return
		}
		if u.Config.Name == "" || u.Driver == "" || u.Config.Port < 0 || u.Config.Port > 65535 {
			t.Errorf("%q was taken as %+v", s, u)
		}
		for _, bad := range []string{"no_verify=1", "known_hosts_verify=ignore"} {
			_, query, _ := strings.Cut(s, "?")
			for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
				if part == bad {
					t.Errorf("%q was taken", s)
				}
			}
		}
	})
}
