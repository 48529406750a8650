package reference

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nactl/nactl/engine/config"
)

func loadSettings(t *testing.T, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nactl.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, list := config.Load(config.Options{File: file, Environ: []string{}})
	return list.Err()
}

func TestConfigSchema(t *testing.T) {
	s := compile(t, ConfigSchema())
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"inventory: a\nlibvirt: {uri: 'test:///default'}\nforks: 1\noutput: json\ncolor: never\ndiff: true\nverbosity: 0\ntiming: false\n" +
		"annotations: 'gitlab:x.json'\nforce_handlers:\nvault: {identity: [a, b]}\nallow_files: [/srv]", "vault:"}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		good = append(good, m[1])
	}
	for _, text := range good {
		if err := validate(t, s, text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		if err := loadSettings(t, text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for _, text := range []string{
		"[a]", "frks: 1", "forks: 0", "forks: many", "output: table", "diff: yes", "annotations: gitlab", "vault: x", "vault: {id: x}", "inventory: {a: b}",
		"inventory: [[a]]", "inventory: \"{{ x }}\"", "verbosity: -1", "libvirt.uri: x", "color: true",
	} {
		if validate(t, s, text) == nil {
			t.Errorf("the schema takes %s", text)
		}
		if loadSettings(t, text) == nil {
			t.Errorf("the loader takes %s", text)
		}
	}
}
