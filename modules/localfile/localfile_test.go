package localfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/localfile"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/local"
)

type files map[string]string

func (f files) ReadFile(path string) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("no file %s", path)
}

// run plays a step as the runner does, in a project's folder.
func run(t *testing.T, dir, text string) (localfile.Output, error) {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(text))
	if list.HasErrors() {
		t.Fatal(list)
	}
	s := localfile.Spec.New()
	_, list = step.Decode(n, s, "local_file", step.Mode{})
	if !list.HasErrors() {
		list.Add(step.Validate(s, n, false)...)
	}
	if list.HasErrors() {
		return localfile.Output{}, list.Err()
	}
	r, err := s.Ensure(t.Context(), &step.Env{Local: local.New(), Files: files{"src": "from the project\x00"}, Dir: dir})
	out, _ := r.Output.(localfile.Output)
	return out, err
}

func TestLocalFile(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ text, path, want string }{
		{"{path: a, content: x}", "a", "x"},
		{"{path: a, src: src, mode: 0600}", "a", "from the project\x00"},
		{"{path: " + dir + "/b, content: 5}", "b", "5"},
		{"{path: a, content: \"\"}", "a", ""},
	} {
		out, err := run(t, dir, tt.text)
		file := filepath.Join(dir, tt.path)
		if err != nil || out.Path != file || out.Size != int64(len(tt.want)) || out.SHA256 != virt.Checksum([]byte(tt.want)) {
			t.Errorf("%s: %+v, %v", tt.text, out, err)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != tt.want {
			t.Errorf("%s: the file holds %q, %v", tt.text, b, err)
		}
	}
	if out, err := run(t, dir, "{path: a, state: absent}"); err != nil || out.SHA256 != "" {
		t.Errorf("absent: %+v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"{path: a}":                            `exactly one of "content", "src" and "template"`,
		"{path: a, content: x, src: y}":        `exactly one of "content", "src" and "template"`,
		"{path: a, content: x, state: absent}": "a file that is absent has no content",
		"{path: a, mode: 0600, state: absent}": "a file that is absent has no mode",
		"{path: a, content: x, mode: rw}":      "wanted permissions in octal",
		"{path: a, content: [x]}":              "to_json or to_yaml",
		"{path: a, content: x, state: gone}":   `found "gone"`,
		"{path: ../a, content: x}":             "leads out of the project",
		"{path: a, src: none}":                 "no file none",
		"{path: none/a, content: x}":           "there is no folder ",
		"{content: x}":                         `needs "path"`,
	} {
		if _, err := run(t, dir, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
