package virt

import (
	"strings"
	"testing"
)

// Two keys of nobody.
const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ"
)

func TestSSHKeyID(t *testing.T) {
	for line, want := range map[string]string{
		keyA:                  keyA,
		"  " + keyA + " a@b ": keyA,
		`from="10.0.0.1 ,x",command="echo \"hi\" there" ` + keyA + " a b": keyA,
		"cert-authority\t" + keyA:          keyA,
		"":                                 "",
		"ssh-ed25519":                      "",
		"ssh-rsa " + keyA[12:]:             "", // its inside says another type
		"ssh-ed25519 AAAA":                 "",
		"ssh-ed25519 !!!!":                 "",
		keyA + "\n" + keyB:                 "",
		"-----BEGIN OPENSSH PRIVATE KEY--": "",
		"ssh-ed25519 /////w==":             "",
	} {
		got, err := SSHKeyID(line)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

func TestSetSSHKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		c          SetSSHKeys
		have, want string
		fields     int
	}{
		"new":              {SetSSHKeys{Keys: []string{keyA}}, "", keyA, 1},
		"there":            {SetSSHKeys{Keys: []string{keyA}}, keyA, keyA, 0},
		"others stay":      {SetSSHKeys{Keys: []string{keyA}}, keyB + "|junk", keyB + "|junk|" + keyA, 1},
		"other comment":    {SetSSHKeys{Keys: []string{keyA + " new"}}, keyA + " old|" + keyB, keyA + " new|" + keyB, 2},
		"exclusive":        {SetSSHKeys{Keys: []string{keyA}, Exclusive: true}, keyB + "|" + keyA + "|junk", keyA, 2},
		"none":             {SetSSHKeys{Exclusive: true}, keyB, "", 1},
		"remove":           {SetSSHKeys{Remove: []string{keyB + " whoever"}}, keyA + "|" + keyB + " b", keyA, 1},
		"remove none":      {SetSSHKeys{Remove: []string{keyB}}, keyA, keyA, 0},
		"written twice":    {SetSSHKeys{Keys: []string{keyA, keyA}}, "", keyA, 1},
		"stands twice":     {SetSSHKeys{Keys: []string{keyA}}, keyA + "|" + keyA, keyA, 1},
		"options replaced": {SetSSHKeys{Keys: []string{`from="::1" ` + keyA}}, keyA, `from="::1" ` + keyA, 2},
	} {
		var have []string
		if tt.have != "" {
			have = strings.Split(tt.have, "|")
		}
		after, out, err := Rules{}.Predict(&SSHKeys{VM: "v", User: "u", Keys: have}, tt.c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(after.(*SSHKeys).Keys, "|"); got != tt.want || len(out.Fields) != tt.fields || out.Changed != (tt.fields > 0) {
			t.Errorf("%s: %q, %+v; want %q", name, got, out, tt.want)
		}
		if _, out, err = (Rules{}).Predict(after, tt.c); err != nil || out.Changed {
			t.Errorf("%s, again: %+v, %v", name, out, err)
		}
	}
}

func FuzzSSHKeyID(f *testing.F) {
	f.Add(keyA)
	f.Add(`from="x" ` + keyB + " c")
	f.Fuzz(func(t *testing.T, line string) {
		id, err := SSHKeyID(line)
		if err != nil {
			return
		}
		if again, err := SSHKeyID(id); err != nil || again != id {
			t.Errorf("%q gives %q, and that %q, %v", line, id, again, err)
		}
	})
}
