package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

const (
	// EnvFile names the one file to read, where no option does.
	EnvFile = "NACTL_CONFIG"
	// NoFile in place of a name reads no file.
	NoFile = "none"
	// LocalFile is the file of the directory in which a command is called.
	LocalFile = "nactl.yaml"
	// SystemFile is the file of the machine.
	SystemFile = "/etc/nactl/config.yaml"
)

// Options say where settings come from. The zero Options are those of a command
// that was called without an option.
type Options struct {
	File    string          // the one file to read, or NoFile; empty = EnvFile's, else all that there are
	System  string          // in place of SystemFile
	Dir     string          // where LocalFile is looked for; empty = the current directory
	Environ []string        // in place of os.Environ()
	Sources *source.Sources // keeps the texts, for excerpts; may be nil
}

// Load reads the settings. A file that was named takes the place of all others;
// else, from low to high, the machine's, the user's and the current directory's
// are put together key by key. Variables go before files. A file that everybody
// can write is left out with a warning, unless it was named.
func Load(o Options) (*Settings, diag.List) {
	if o.System == "" {
		o.System = SystemFile
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Sources == nil {
		o.Sources = &source.Sources{}
	}
	l := &loader{Options: o, env: map[string]string{}, into: &Settings{byName: map[string]Setting{}}}
	for _, pair := range o.Environ {
		if name, value, _ := strings.Cut(pair, "="); value != "" {
			l.env[name] = value // an empty variable is as good as none
		}
	}
	l.borrowed()
	l.files()
	l.variables()
	l.list.Sort()
	return l.into, l.list
}

type loader struct {
	Options
	env  map[string]string
	into *Settings
	list diag.List
}

func (l *loader) set(k *Key, value any, at diag.Range) {
	l.into.byName[k.Name] = Setting{Key: k, Value: value, At: at}
}

// files reads the files that count.
func (l *loader) files() {
	named, by := l.File, "--config"
	if named == "" {
		named, by = l.env[EnvFile], EnvFile
	}
	switch {
	case named == NoFile:
	case named != "":
		if _, err := os.Stat(named); errors.Is(err, fs.ErrNotExist) {
			l.list.Errorf(diag.Range{Pos: diag.Pos{File: by}}, "config", "there is no file %s", named)
			return
		}
		l.file(named)
	default:
		for _, path := range []string{l.System, l.userFile()} {
			if path != "" && exists(path) {
				l.file(path)
			}
		}
		if path := filepath.Join(l.Dir, LocalFile); exists(path) && l.trusted(path) {
			l.file(path)
		}
	}
}

// userFile gives the path of the user's file, or "" where there is no home.
func (l *loader) userFile() string {
	dir := l.env["XDG_CONFIG_HOME"]
	if !filepath.IsAbs(dir) { // the standard has relative ones ignored
		if l.env["HOME"] == "" {
			return ""
		}
		dir = filepath.Join(l.env["HOME"], ".config")
	}
	return filepath.Join(dir, "nactl", "config.yaml")
}

// exists tells whether there is something to read; that it cannot be read is told
// by reading it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// trusted tells whether nobody else can have written the file of the current
// directory: it decides which hosts and keys are used. What links lead to counts.
func (l *loader) trusted(path string) bool {
	p := source.Exposed(path, true)
	if p == "" {
		return true
	}
	l.list.Warnf(diag.Range{Pos: diag.Pos{File: path}}, "config", "the settings are ignored: everybody can write %s; take that right away (chmod o-w %s), or name the file with --config", p, p)
	return false
}

// file reads the settings of a file.
func (l *loader) file(path string) {
	n, list := l.Sources.ParseFile(path)
	l.into.files = append(l.into.files, path)
	if len(list) == 1 && list[0].Rule == source.RuleEmpty {
		return
	}
	l.list.Add(list...)
	if n != nil {
		l.document(n, filepath.Dir(path))
	}
}

// document reads the settings of one file, whose relative paths start at dir.
func (l *loader) document(n *source.Node, dir string) {
	if n.Kind != source.Map {
		l.list.Errorf(n.Range, "type", "a file of settings is a mapping, as `forks: 20`, found %s", n.Kind)
		return
	}
	l.section(n, "", dir)
}

// section reads a mapping; prefix is what its keys begin with.
func (l *loader) section(n *source.Node, prefix, dir string) {
	for _, e := range n.Entries {
		name := prefix + e.Key.Str
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
		if i >= 0 && !strings.Contains(e.Key.Str, ".") {
			l.value(&keys[i], e.Value, e.Key.Range, dir)
			continue
		}
		here := below(prefix)
		switch {
		case !slices.Contains(here, e.Key.Str) || len(below(name+".")) == 0:
			l.unknown(e.Key, prefix, here)
		case e.Value.Kind == source.Map:
			l.section(e.Value, name+".", dir)
		case e.Value.Kind != source.Null:
			l.list.Errorf(e.Value.Range, "type", "%s: wanted a mapping with %s, found %s", name, strings.Join(below(name+"."), ", "), e.Value.Kind)
		}
	}
}

// below lists the keys that a mapping can have.
func below(prefix string) []string {
	var out []string
	for _, k := range keys {
		if rest, ok := strings.CutPrefix(k.Name, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// unknown reports a key that is not one.
func (l *loader) unknown(key *source.Node, prefix string, here []string) {
	where := "the settings"
	if prefix != "" {
		where = strings.TrimSuffix(prefix, ".")
	}
	hint := diag.DidYouMean(key.Str, here)
	if hint == "" {
		hint = "; there are " + strings.Join(here, ", ")
		for _, k := range keys { // written as `libvirt.uri: …`, or by the last part alone
			if section, last, nested := strings.Cut(k.Name, "."); nested && (key.Str == k.Name || key.Str == last) {
				hint = ": write " + section + ": {" + last + ": …}"
			}
		}
	}
	l.list.Errorf(key.Range, "unknown-key", "unknown key %q in %s%s", key.Str, where, hint)
}
