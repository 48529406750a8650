// Package config reads what is set once for all commands: files of settings and
// environment variables, key by key, each value with the place that it comes
// from.
//
// The table Keys is all that there is to set; the loader, the schema and the
// documentation read it. The package knows no command and opens no file but its
// own. Settings do not change and are safe for concurrent use.
package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
)

// Form is the notation of a key's value.
type Form int

// The forms. Nothing (an empty value) is the same as leaving a key out.
const (
	Text  Form = iota // a text, one of Enum where there is one
	Paths             // a list of paths, or one; relative ones start at the file
	Count             // an integer of at least Least
	Flag              // true or false
)

// Key is one thing that can be set.
type Key struct {
	Name    string // with dots, where it stands in a mapping
	Form    Form
	Doc     string   // half a sentence in Markdown, without a full stop
	Default any      // string, int, bool or []string, by the form
	Unset   string   // what is done without a value, where the default says nothing
	Option  string   // of the command line, without dashes, that goes before it
	Enum    []string // of a Text
	PathFor string   // of a Text with Enum: what begins so ends with a path
	Least   int      // of a Count
	// Also is a variable of others that is asked where neither our own one nor a
	// file says something.
	Also string
	// Inline are the beginnings of values that are no path but the secret itself.
	Inline []string
}

// Env is the environment variable that sets the key.
func (k *Key) Env() string { return "NACTL_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_")) }

// Keys lists all that can be set, in the order of the documentation.
func Keys() []Key { return slices.Clone(keys) }

var keys = []Key{
	{Name: "inventory", Form: Paths, Option: "inventory", Unset: "`./inventory.yml` or `./inventory/`", Doc: "files and folders that make up the inventory"},
	{Name: "libvirt.uri", Default: "qemu:///system", Also: "LIBVIRT_DEFAULT_URI", Doc: "the one local node, where there is no inventory at all"},
	{Name: "forks", Form: Count, Option: "forks", Least: 1, Default: 50, Doc: "at most so many targets side by side"},
	{Name: "output", Option: "output", Enum: []string{"human", "json", "quiet"}, Default: "human", Doc: "how runs and plans are shown"},
	{Name: "color", Option: "color", Enum: []string{"auto", "always", "never"}, Default: "auto", Doc: "`auto`: on a terminal, unless `NO_COLOR` or `CI` is set"},
	{Name: "diff", Form: Flag, Option: "diff", Default: false, Doc: "show all fields and the differences of texts"},
	{Name: "verbosity", Form: Count, Option: "verbose", Default: 0, Doc: "how much is said, as so many `-v`"},
	{Name: "timing", Form: Flag, Option: "timing", Default: false, Doc: "tell after a run which steps were slowest"},
	{Name: "annotations", Option: "annotations", Enum: []string{"auto", "none", "github"}, PathFor: "gitlab:", Default: "auto", Doc: "what went wrong, as CI servers read it: `gitlab:FILE`, too"},
	{Name: "force_handlers", Form: Flag, Option: "force-handlers", Default: false, Doc: "run notified handlers on targets that failed, too"},
	{Name: "vault.identity", Form: Paths, Option: "vault-identity", Inline: []string{"AGE-SECRET-KEY-", "-----BEGIN "}, Unset: "`~/.config/nactl/identity` and SSH keys",
		Doc: "files that open [encrypted files](vault.md)"},
	{Name: "allow_files", Form: Paths, Doc: "files and folders that `file()` may read beside the project's own"},
}

// Setting is one key with its value.
type Setting struct {
	Key   *Key
	Value any        // of the same kind as Key.Default; nil = not set
	At    diag.Range // where it is set: a file, or a variable as its File; zero = nowhere
}

// Origin tells where the value comes from.
func (s Setting) Origin() string {
	switch {
	case s.At.File == "":
		return "default"
	case s.At.Line > 0:
		return fmt.Sprintf("%s:%d", s.At.File, s.At.Line)
	default:
		return s.At.File
	}
}

// Changed tells whether something else than the default was set.
func (s Setting) Changed() bool { return s.At.File != "" }

// Secret tells whether the value is not to be shown.
func (s Setting) Secret() bool {
	list, _ := s.Value.([]string)
	return slices.ContainsFunc(list, s.Key.inline)
}

func (k *Key) inline(value string) bool {
	value = strings.TrimSpace(value)
	return slices.ContainsFunc(k.Inline, func(head string) bool { return strings.HasPrefix(value, head) })
}

// Settings are what is set. A nil *Settings has the defaults.
type Settings struct {
	byName map[string]Setting
	files  []string
}

// Files lists the files that were read, from low to high.
func (s *Settings) Files() []string { return slices.Clone(s.files) }

// All gives every setting, in the order of Keys.
func (s *Settings) All() []Setting {
	out := make([]Setting, len(keys))
	for i := range keys {
		out[i] = s.Get(keys[i].Name)
	}
	return out
}

// Get gives one setting; asking for a key that does not exist is a mistake of the
// program.
func (s *Settings) Get(name string) Setting {
	if s != nil {
		if found, ok := s.byName[name]; ok {
			return found
		}
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		panic("config: there is no key " + name)
	}
	return Setting{Key: &keys[i], Value: keys[i].Default}
}

// Text gives the value of a Text.
func (s *Settings) Text(name string) string {
	text, _ := s.Get(name).Value.(string)
	return text
}

// Paths gives the value of Paths; nil = not set.
func (s *Settings) Paths(name string) []string {
	list, _ := s.Get(name).Value.([]string)
	return list
}
