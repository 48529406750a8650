package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// place is a machine with files of settings.
type place struct {
	root string
	env  []string
}

func newPlace(t *testing.T, files map[string]string, env ...string) place {
	t.Helper()
	p := place{root: t.TempDir()}
	if err := os.Mkdir(filepath.Join(p.root, "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(p.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append([]string{"HOME=" + filepath.Join(p.root, "home")}, env...)
	return p
}

func (p place) load(file string) (*Settings, diag.List) {
	return Load(Options{File: file, System: filepath.Join(p.root, "etc/config.yaml"), Dir: filepath.Join(p.root, "here"), Environ: p.env})
}

// short gives what differs from the defaults, with its origin, without the place's
// own path.
func (p place) short(s *Settings) []string {
	var out []string
	for _, set := range s.All() {
		if set.Changed() {
			out = append(out, strings.ReplaceAll(fmt.Sprintf("%s=%v %s", set.Key.Name, set.Value, set.Origin()), p.root+"/", ""))
		}
	}
	return out
}

const (
	systemFile = "etc/config.yaml"
	userFile   = "home/.config/nactl/config.yaml"
	localFile  = "here/nactl.yaml"
)

func TestPrecedence(t *testing.T) {
	three := map[string]string{
		systemFile: "forks: 1\ncolor: never\nverbosity: 1\ninventory: hosts.yml\ntiming: true",
		userFile:   "forks: 2\ncolor: always\ninventory: [~/inv.yml]\nvault: {identity: id}",
		localFile:  "# ours\nforks: 3\nlibvirt:\n  uri: test:///default\ndiff:\n",
	}
	for _, test := range []struct {
		name, file string
		files      map[string]string
		env, want  []string
	}{
		{name: "nothing"},
		{name: "key by key", files: three, want: []string{
			"inventory=[home/inv.yml] home/.config/nactl/config.yaml:3", "libvirt.uri=test:///default here/nactl.yaml:4", "forks=3 here/nactl.yaml:2",
			"color=always home/.config/nactl/config.yaml:2", "verbosity=1 etc/config.yaml:3", "timing=true etc/config.yaml:5",
			"vault.identity=[home/.config/nactl/id] home/.config/nactl/config.yaml:4"}},
		{name: "variables", files: map[string]string{localFile: "forks: 3\ndiff: true\noutput: json"},
			env: []string{"NACTL_FORKS=9", "NACTL_DIFF=false", "NACTL_OUTPUT=", "NACTL_INVENTORY=a.yml:b/", "NACTL_VAULT_IDENTITY=x", "NACTL_ANNOTATIONS=gitlab:out/r.json"},
			want: []string{"inventory=[a.yml b] NACTL_INVENTORY", "forks=9 NACTL_FORKS", "output=json here/nactl.yaml:3", "diff=false NACTL_DIFF",
				"annotations=gitlab:out/r.json NACTL_ANNOTATIONS", "vault.identity=[x] NACTL_VAULT_IDENTITY"}},
		{name: "one that is named", files: map[string]string{systemFile: "forks: 1", localFile: "forks: 3", "own.yaml": "color: never\nannotations: gitlab:r.json"}, file: "own.yaml",
			want: []string{"color=never own.yaml:1", "annotations=gitlab:r.json own.yaml:2"}},
		{name: "named by a variable", files: map[string]string{localFile: "forks: 3", "own.yaml": "color: never"}, env: []string{"NACTL_CONFIG=own.yaml"}, want: []string{"color=never own.yaml:1"}},
		{name: "the option before the variable", files: map[string]string{"own.yaml": "color: never", "other.yaml": "forks: 7"}, file: "other.yaml", env: []string{"NACTL_CONFIG=own.yaml"},
			want: []string{"forks=7 other.yaml:1"}},
		{name: "none", files: three, file: "none", env: []string{"NACTL_FORKS=4"}, want: []string{"forks=4 NACTL_FORKS"}},
		{name: "libvirt's own variable, below files", files: map[string]string{userFile: "libvirt: {uri: 'qemu:///session'}"}, env: []string{"LIBVIRT_DEFAULT_URI=test:///x"},
			want: []string{"libvirt.uri=qemu:///session home/.config/nactl/config.yaml:1"}},
		{name: "libvirt's own variable", env: []string{"LIBVIRT_DEFAULT_URI=test:///x"}, want: []string{"libvirt.uri=test:///x LIBVIRT_DEFAULT_URI"}},
		{name: "our variable for libvirt", env: []string{"LIBVIRT_DEFAULT_URI=test:///x", "NACTL_LIBVIRT_URI=test:///y"}, want: []string{"libvirt.uri=test:///y NACTL_LIBVIRT_URI"}},
		{name: "another home for settings", files: map[string]string{"xdg/nactl/config.yaml": "forks: 8"}, env: []string{"XDG_CONFIG_HOME=ROOT/xdg"}, want: []string{"forks=8 xdg/nactl/config.yaml:1"}},
		{name: "a relative one is ignored", files: map[string]string{userFile: "forks: 8"}, env: []string{"XDG_CONFIG_HOME=xdg"}, want: []string{"forks=8 home/.config/nactl/config.yaml:1"}},
		{name: "empty file", files: map[string]string{localFile: "# nothing yet\n", userFile: "forks: 5"}, want: []string{"forks=5 home/.config/nactl/config.yaml:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t, test.files)
			for _, e := range test.env {
				e = strings.ReplaceAll(e, "ROOT", p.root)
				if path, ok := strings.CutPrefix(e, "NACTL_CONFIG="); ok {
					e = "NACTL_CONFIG=" + filepath.Join(p.root, path)
				}
				p.env = append(p.env, e)
			}
			file := test.file
			if file != "" && file != NoFile {
				file = filepath.Join(p.root, file)
			}
			s, list := p.load(file)
			if len(list) > 0 {
				t.Fatal(list)
			}
			if diff := cmp.Diff(test.want, p.short(s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"frks: 5", `here/nactl.yaml:1:1: unknown key "frks" in the settings, did you mean "forks"?`},
		{"a: 1\nlibvirt:\n  url: x", `here/nactl.yaml:3:3: unknown key "url" in libvirt, did you mean "uri"?`},
		{"libvirt.uri: test:///default", `here/nactl.yaml:1:1: unknown key "libvirt.uri" in the settings: write libvirt: {uri: …}`},
		{"identity: x", `here/nactl.yaml:1:1: unknown key "identity" in the settings: write vault: {identity: …}`},
		{"remote_user: x", `here/nactl.yaml:1:1: unknown key "remote_user" in the settings; there are inventory, libvirt, forks,`},
		{"libvirt: test:///default", `here/nactl.yaml:1:10: libvirt: wanted a mapping with uri, found a string`},
		{"vault: [x]", `here/nactl.yaml:1:8: vault: wanted a mapping with identity, found a list`},
		{"forks: 0", `here/nactl.yaml:1:8: forks: wanted an integer of at least 1, found 0`},
		{"forks: many", `here/nactl.yaml:1:8: forks: wanted an integer of at least 1, found a string`},
		{"forks: 5000000000", `here/nactl.yaml:1:8: forks: wanted an integer of at least 1, found 5000000000`},
		{"verbosity: -1", `here/nactl.yaml:1:12: verbosity: wanted an integer of at least 0, found -1`},
		{"diff: yes", `here/nactl.yaml:1:7: diff: write true`},
		{"diff: 1", `here/nactl.yaml:1:7: diff: wanted true or false, found an integer`},
		{"output: jsn", `here/nactl.yaml:1:9: output: wanted human, json, quiet, found "jsn", did you mean "json"?`},
		{"output: [json]", `here/nactl.yaml:1:9: output: wanted a text, found a list`},
		{"annotations: gitlab", `here/nactl.yaml:1:14: annotations: wanted auto, none, github, gitlab:FILE, found "gitlab"`},
		{"inventory: {a: b}", `here/nactl.yaml:1:12: inventory: wanted a path, found a mapping`},
		{"inventory: [a, '']", `here/nactl.yaml:1:12: inventory: wanted a path, found an empty one`},
		{"inventory: '{{ env(\"X\") }}'", `here/nactl.yaml:1:12: inventory: settings hold no expressions: they are read before there are variables`},
		{"- forks: 1", `here/nactl.yaml:1:1: a file of settings is a mapping, as ` + "`forks: 20`" + `, found a list`},
		{"forks: 1\nforks: 2", `here/nactl.yaml:2:1: `},
		{"forks: [", `here/nactl.yaml:1:`},
	} {
		p := newPlace(t, map[string]string{localFile: test.text})
		_, list := p.load("")
		list.Sort()
		if !list.HasErrors() {
			t.Errorf("%s: no error", test.text)
			continue
		}
		got := strings.ReplaceAll(list.Err().Error(), p.root+"/", "")
		if !strings.Contains(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.text, got, test.want)
		}
	}
	for _, test := range []struct{ env, want string }{
		{"NACTL_FORKS=x", "NACTL_FORKS: forks: wanted an integer of at least 1, found a string"},
		{"NACTL_DIFF=maybe", "NACTL_DIFF: diff: wanted true or false, found a string"},
		{"NACTL_COLOR=red", `NACTL_COLOR: color: wanted auto, always, never, found "red"`},
		{"NACTL_CONFIG=/nowhere/nactl.yaml", "NACTL_CONFIG: there is no file /nowhere/nactl.yaml"},
		{"NACTL_CONFIG=/dev/null", "/dev/null: this is not a regular file but a device or socket"},
	} {
		_, list := newPlace(t, nil, test.env).load("")
		if got := list.Err(); got == nil || got.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.env, got, test.want)
		}
	}
	_, list := newPlace(t, nil, "NACTL_FROKS=3", "NACTL_E15_PASSWORD=x").load("")
	if len(list) != 1 || list[0].Severity != diag.Warning || list[0].Error() != "NACTL_FROKS: nactl reads no such variable, did you mean NACTL_FORKS?" {
		t.Errorf("a misspelt variable: %v", list)
	}
}

// What everybody can write counts only where it was named.
func TestUntrusted(t *testing.T) {
	text := map[string]string{localFile: "forks: 3"}
	for _, test := range []struct {
		name string
		mode func(p place) (string, os.FileMode)
		want string
	}{
		{"the file", func(p place) (string, os.FileMode) { return filepath.Join(p.root, localFile), 0o646 }, "nactl.yaml; take"},
		{"its folder", func(p place) (string, os.FileMode) { return filepath.Join(p.root, "here"), os.ModeSticky | 0o777 }, "here; take"},
		{"its group", func(p place) (string, os.FileMode) { return filepath.Join(p.root, localFile), 0o664 }, ""},
	} {
		p := newPlace(t, text)
		path, mode := test.mode(p)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		s, list := p.load("")
		ignored := len(s.Files()) == 0 && s.Get("forks").Value == 50
		if warned := len(list) == 1 && list[0].Severity == diag.Warning && strings.Contains(list[0].Summary, test.want); ignored != (test.want != "") || ignored != warned {
			t.Errorf("%s: ignored %v, %v", test.name, ignored, list)
		}
		if s, list = p.load(filepath.Join(p.root, localFile)); s.Get("forks").Value != 3 || len(list) > 0 {
			t.Errorf("%s, named: %v, %v", test.name, s.Get("forks").Value, list)
		}
	}
	// A link into a folder that everybody can write.
	p := newPlace(t, map[string]string{"etc/theirs.yaml": "forks: 3"})
	if err := os.Symlink(filepath.Join(p.root, "etc/theirs.yaml"), filepath.Join(p.root, localFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(p.root, "etc"), 0o777); err != nil {
		t.Fatal(err)
	}
	if s, list := p.load(""); len(s.Files()) > 0 || len(list) != 1 {
		t.Errorf("a link: read %v, %v", s.Files(), list)
	}
}

func TestUnreadable(t *testing.T) {
	p := newPlace(t, nil)
	if err := os.Mkdir(filepath.Join(p.root, localFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, list := p.load(""); !list.HasErrors() || !strings.Contains(list.Err().Error(), "not a regular file but a directory") {
		t.Errorf("got %v", list)
	}
}

// An identity in a variable is a secret, and says so.
func TestInlineIdentity(t *testing.T) {
	s, list := newPlace(t, nil, "NACTL_VAULT_IDENTITY=AGE-SECRET-KEY-1:X").load("")
	if set := s.Get("vault.identity"); !set.Secret() || len(list) > 0 || len(set.Value.([]string)) != 1 {
		t.Errorf("got %v, %v", set, list)
	}
}

// FuzzSettings looks for files that crash the reader, or leave a value of a wrong
// kind although nothing was said.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{"", "forks: 3", "libvirt: {uri: x}", "vault: {identity: [a, ~/b]}", "annotations: gitlab:x", "libvirt:", "inventory: [[a]]", "diff: on", "forks: 1e3", "a: &a {b: *a}", "vault.identity: x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, list := source.Parse("nactl.yaml", []byte(text))
		if n == nil || list.HasErrors() {
			return
		}
		l := &loader{env: map[string]string{"HOME": "/home/x"}, into: &Settings{byName: map[string]Setting{}}}
		l.document(n, "dir")
		for _, d := range l.list {
			if !d.Range.IsValid() || d.Summary == "" {
				t.Fatalf("bad diagnostic: %+v", d)
			}
		}
		for _, set := range l.into.All() {
			var ok bool
			switch set.Key.Form {
			case Text:
				_, ok = set.Value.(string)
			case Paths:
				_, ok = set.Value.([]string)
			case Count:
				_, ok = set.Value.(int)
			case Flag:
				_, ok = set.Value.(bool)
			}
			if !ok && set.Changed() {
				t.Fatalf("%s is %#v", set.Key.Name, set.Value)
			}
		}
	})
}
