package guest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// do runs a command as a guest would.
func do(t *testing.T, c virt.Command) *virt.CommandResult {
	t.Helper()
	out, errs, rc := sh(t, []byte(c.Stdin), c.Argv[1:]...)
	return &virt.CommandResult{RC: rc, Stdout: out, Stderr: errs}
}

func TestKeys(t *testing.T) {
	ada := sshtest.NewAccount(t)
	t.Setenv("PATH", ada.Bin+":"+os.Getenv("PATH"))
	ref := virt.SSHKeysRef("vm", "ada")
	s, err := Keys(ref, do(t, ReadKeys("ada")))
	if err != nil || len(s.Keys) != 0 || s.User != "ada" || s.VM != "vm" {
		t.Fatalf("none yet: %+v, %v", s, err)
	}
	if r := do(t, WriteKeys("ada", EditKeys("", []string{"one a"}), "t")); r.RC != 0 {
		t.Fatalf("%+v", r)
	}
	file := filepath.Join(ada.Home, ".ssh", "authorized_keys")
	for path, want := range map[string]os.FileMode{filepath.Dir(file): 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info, err, want)
		}
	}
	if err := os.WriteFile(file, []byte("# of ada\n\n one a \r\nmine"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if s, err = Keys(ref, do(t, ReadKeys("ada"))); err != nil || strings.Join(s.Keys, "|") != "one a|mine" {
		t.Fatalf("%+v, %v", s, err)
	}
	if r := do(t, WriteKeys("ada", EditKeys("# of ada\n\n one a \r\nmine", []string{"mine", "two"}), "t")); r.RC != 0 {
		t.Fatalf("%+v", r)
	}
	if got, _ := os.ReadFile(file); string(got) != "# of ada\n\nmine\ntwo\n" {
		t.Errorf("%q", got)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for _, c := range []virt.Command{ReadKeys("bob"), WriteKeys("bob", "x", "t"), ChangePassword(virt.SetPassword{User: "bob", Password: "x"})} {
		if r := do(t, c); r.RC != statusNoUser {
			t.Errorf("of nobody: %+v", r)
		}
	}
	for crypted, want := range map[bool]string{true: "-e\nada:$6$x$y\n", false: "\nada:$6$x$y\n"} {
		c := virt.SetPassword{User: "ada", Password: "$6$x$y", Crypted: crypted}
		if err := PasswordSet(c, do(t, ChangePassword(c))); err != nil {
			t.Error(err)
		}
		if got, _ := os.ReadFile(ada.Password); string(got) != want {
			t.Errorf("chpasswd was given %q, want %q", got, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	for _, c := range []virt.SetPassword{
		{User: "", Password: "x"}, {User: "a:b", Password: "x"}, {User: "a", Password: ""}, {User: "a", Password: "x\ny"}, {User: "a", Password: "x", Crypted: true},
	} {
		if err := CheckPassword(c); err == nil {
			t.Errorf("%+v passes", c)
		}
	}
	c := virt.SetPassword{User: "a", Password: "hunter22"}
	if err := CheckPassword(c); err != nil {
		t.Error(err)
	}
	cmd := ChangePassword(c)
	if strings.Contains(strings.Join(cmd.Argv, " "), "hunter22") || cmd.Stdin != "a:hunter22\n" {
		t.Errorf("%+v", cmd)
	}
	for rc, want := range map[int]string{1: "bad: …", 127: "no chpasswd"} {
		if err := PasswordSet(c, &virt.CommandResult{RC: rc, Stderr: "bad: hunter22"}); err == nil || !strings.Contains(err.(*virt.Error).Found, want) {
			t.Errorf("%d: %v", rc, err)
		}
	}
}
