package guest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

// sh runs /bin/sh, as a guest would.
func sh(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, rc int) {
	t.Helper()
	cmd := exec.Command("/bin/sh", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func script(t *testing.T, stdin, text string, args ...string) (stdout, stderr string, rc int) {
	t.Helper()
	return sh(t, []byte(stdin), append([]string{"-c", text, "nactl"}, args...)...)
}

// Over SSH and through an agent, the same command does the same.
func TestWrapper(t *testing.T) {
	dir := t.TempDir()
	vm := virt.VMRef("web")
	for _, tt := range []struct {
		name string
		c    virt.Command
		out  string
		rc   int
	}{
		{"argv", virt.Command{Argv: []string{"printf", "%s|", "a b", "$(id)", "", "'"}}, "a b|$(id)||'|", 0},
		{"shell", virt.Command{Shell: "echo $((1 + 1)); exit 3"}, "2\n", 3},
		{"env and stdin", virt.Command{Shell: `printf %s "$A|$B|"; cat`, Env: map[string]string{"A": "it's\n\n$x", "B": ""}, Stdin: "in\nput"}, "it's\n\n$x||in\nput", 0},
		{"directory", virt.Command{Shell: "pwd", Dir: dir}, dir + "\n", 0},
	} {
		for _, token := range []string{"", "test"} {
			t.Run(tt.name+" "+token, func(t *testing.T) {
				args, input, err := Wrap(vm, tt.c, token)
				if err != nil {
					t.Fatal(err)
				}
				out, stderr, rc := sh(t, input, args...)
				if out != tt.out || rc != tt.rc {
					t.Errorf("%d, %q, %s; want %d, %q", rc, out, stderr, tt.rc, tt.out)
				}
			})
		}
	}
	c := virt.Command{Argv: []string{"true"}, Dir: filepath.Join(dir, "none")}
	args, input, err := Wrap(vm, c, "")
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, rc := sh(t, input, args...)
	err = Entered(vm, c, &virt.CommandResult{RC: rc, Stderr: stderr})
	if !errors.Is(err, virt.ErrInvalid) || !strings.Contains(err.Error(), c.Dir) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if err := Entered(vm, c, &virt.CommandResult{RC: 125}); err != nil {
		t.Errorf("a command's own 125: %v", err)
	}
}

// write runs WriteScript and gives what the file is then.
func write(t *testing.T, path, content, mode, sum string, size int) (stderr string, rc int) {
	t.Helper()
	_, stderr, rc = script(t, content, WriteScript, path, "tok", mode, "", "", sum, fmt.Sprint(size))
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".nactl-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	return stderr, rc
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestWriteScript(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "it's a file"), filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	is := func(content string, mode os.FileMode) {
		t.Helper()
		b, err := os.ReadFile(file)
		info, statErr := os.Stat(file)
		if err != nil || statErr != nil || string(b) != content || info.Mode().Perm() != mode {
			t.Errorf("%q, %v, %v; want %q, %o", b, info, err, content, mode)
		}
	}
	for _, step := range []struct {
		path, content, mode string
		want                os.FileMode
	}{{link, "new", "", 0o644}, {file, "with a mode", "0600", 0o600}, {link, "keeps its mode", "", 0o600}, {file, "", "", 0o600}} {
		if stderr, rc := write(t, step.path, step.content, step.mode, sumOf(step.content), len(step.content)); rc != 0 {
			t.Fatalf("%q: %d, %s", step.content, rc, stderr)
		}
		is(step.content, step.want)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	// What did not arrive whole takes nothing's place.
	if stderr, rc := write(t, file, "cut o", "", sumOf("cut off"), 7); rc == 0 || !strings.Contains(stderr, "shorter") {
		t.Errorf("cut off: %d, %s", rc, stderr)
	}
	if stderr, rc := write(t, file, "changed", "", sumOf("as sent"), 7); rc == 0 || !strings.Contains(stderr, "not what was sent") {
		t.Errorf("another content: %d, %s", rc, stderr)
	}
	is("", 0o600)
	if stderr, rc := write(t, dir, "x", "", sumOf("x"), 1); rc == 0 || !strings.Contains(stderr, "directory") {
		t.Errorf("a directory: %d, %s", rc, stderr)
	}
	if _, rc := write(t, filepath.Join(dir, "none", "x"), "x", "", sumOf("x"), 1); rc == 0 {
		t.Error("a directory that is not there was written into")
	}
}

func TestPrepareAndFinish(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	out, stderr, rc := script(t, "", PrepareScript, file, "tok")
	parts := strings.SplitN(out, "\n", 3)
	if rc != 0 || len(parts) != 3 || parts[2] != file {
		t.Fatalf("%d, %q, %s", rc, out, stderr)
	}
	if err := os.WriteFile(parts[1], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, rc := script(t, "", FinishScript, parts[1], file, "640", "", "", sumOf("x")); rc != 0 {
		t.Fatal(stderr)
	}
	if out, _, _ := script(t, "", AttributesScript, file, "sum"); ParseAttributes(out).SHA256 != sumOf("x") || ParseAttributes(out).Mode != "0640" {
		t.Errorf("%q", out)
	}
	if _, stderr, rc := script(t, "", AttributesOnlyScript, file, "0600", "", ""); rc != 0 {
		t.Fatal(stderr)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestLookScript(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, limit, sum string
		rc                     int
		out                    string
	}{
		{"there", file, "0", "", 0, ""},
		{"missing", file + "x", "0", "", StatusMissing, ""},
		{"in no directory", "/no/such/dir/f", "9", "", StatusMissing, ""},
		{"beneath a file", file + "/x", "9", "", StatusMissing, ""},
		{"a directory", dir, "9", "", StatusDirectory, ""},
		{"short", file, "5", "", 0, "content\n12345"},
		{"long", file, "4", "", 0, "sum\n" + sumOf("12345") + "  -\n5\n"},
		{"asked for", file, "9", "sum", 0, "sum\n" + sumOf("12345") + "  -\n5\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, stderr, rc := script(t, "", LookScript, tt.path, tt.limit, tt.sum)
			first, rest, _ := strings.Cut(out, "\n")
			if rc != tt.rc || rest != tt.out || tt.out != "" && ParseAttributes(first).Mode != "0644" {
				t.Errorf("%d, %q, %s; want %d, %q", rc, out, stderr, tt.rc, tt.out)
			}
		})
	}
}

func TestParseAttributes(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for _, tc := range []struct {
		in   string
		want Attributes
	}{
		{"644 root root 0 0\n", Attributes{Mode: "0644", Owner: "root", Group: "root"}},
		{"4755 root adm 0 4\n" + sum + "  -\n", Attributes{Mode: "4755", Owner: "root", Group: "adm", SHA256: sum}},
		{"600 UNKNOWN UNKNOWN 1234 55\n", Attributes{Mode: "0600", Owner: "1234", Group: "55"}},
		{"", Attributes{}},
		{"stat: was not found here\nx", Attributes{}},
	} {
		if got := ParseAttributes(tc.in); got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.in, got, tc.want)
		}
	}
}

func FuzzParseAttributes(f *testing.F) {
	f.Add("644 root root 0 0\n" + strings.Repeat("ab", 32) + "  -\n")
	f.Fuzz(func(t *testing.T, s string) {
		if at := ParseAttributes(s); strings.ContainsAny(at.Mode+at.Owner+at.Group+at.SHA256, " \n") {
			t.Errorf("%q: %+v", s, at)
		}
	})
}
