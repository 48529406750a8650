package expr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocalHostReadFile(t *testing.T) {
	dir := t.TempDir()
	root, home, other := filepath.Join(dir, "project"), filepath.Join(dir, "home"), filepath.Join(dir, "other")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "files/motd"), "motd")
	write(filepath.Join(root, "big"), strings.Repeat("x", maxFile+1))
	write(filepath.Join(home, ".ssh/id.pub"), "public")
	write(filepath.Join(home, ".ssh/id"), "private")
	write(filepath.Join(other, "a/b"), "other")
	write(filepath.Join(dir, "project2/x"), "neighbour")
	link(filepath.Join(home, ".ssh/id"), filepath.Join(root, "stolen"))
	link(filepath.Join(home, ".ssh/id"), filepath.Join(home, ".ssh/absolute.pub"))
	link("files/motd", filepath.Join(root, "inside"))
	link("..", filepath.Join(root, "up"))

	h := LocalHost{Root: root, Home: home}
	allowing := LocalHost{Root: root, Home: home, Allow: []string{other, "~/.ssh/id"}}
	for _, c := range []struct {
		host LocalHost
		path string
		want string // empty: refused
	}{
		{h, "files/motd", "motd"},
		{h, "./files/../files/motd", "motd"},
		{h, filepath.Join(root, "files/motd"), "motd"},
		{h, "inside", "motd"},
		{h, "~/.ssh/id.pub", "public"},
		{h, filepath.Join(home, ".ssh/id.pub"), "public"},
		{h, "stolen", ""},
		{h, "up/home/.ssh/id", ""},
		{h, "../home/.ssh/id", ""},
		{h, "files/../../home/.ssh/id", ""},
		{h, "~/.ssh/id", ""},
		{h, "~/.ssh/absolute.pub", ""},
		{h, "~/.ssh/../.ssh/id", ""},
		{h, filepath.Join(dir, "project2/x"), ""},
		{h, "/etc/hostname", ""},
		{h, filepath.Join(other, "a/b"), ""},
		{h, "files", ""},
		{h, "big", ""},
		{h, "none", ""},
		{h, "", ""},
		{allowing, filepath.Join(other, "a/b"), "other"},
		{allowing, filepath.Join(other, "../home/.ssh/id.pub"), "public"},
		{allowing, "../other/a/b", "other"},
		{allowing, "../home/.ssh/id", "private"},
		{allowing, "../other2/a/b", ""},
		{allowing, "~/.ssh/id", "private"},
		{allowing, "/etc/hostname", ""},
		{LocalHost{Home: home}, "files/motd", ""},
	} {
		b, err := c.host.ReadFile(c.path)
		if string(b) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s (allow %v): %.20q %v, want %q", c.path, c.host.Allow, b, err, c.want)
		}
		if strings.Contains(c.path, "../../home") && !strings.Contains(err.Error(), "outside of the project") {
			t.Errorf("%s: %v does not say why", c.path, err)
		}
		if err != nil && strings.Contains(err.Error(), "private") {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}

func TestLocalHostEnv(t *testing.T) {
	t.Setenv("NACTL_EXPR_TEST", "x")
	if v, ok := (LocalHost{}).Env("NACTL_EXPR_TEST"); v != "x" || !ok {
		t.Error(v, ok)
	}
	if _, ok := (LocalHost{}).Env("NACTL_EXPR_NOT_SET"); ok {
		t.Error("an unset variable is set")
	}
}
