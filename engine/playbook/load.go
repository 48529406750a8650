package playbook

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// Load reads a playbook. What could be read is returned even where there are
// errors, so that Compile can find more of them.
func Load(file string, sources *source.Sources, steps *step.Registry) (*Playbook, diag.List) {
	root, list := sources.ParseFile(file)
	if root == nil || !list.OnlyErrors("duplicate-key") { // beside a doubled key the rest can be read
		return nil, list
	}
	playbook, found := LoadNode(file, root, sources, steps)
	return playbook, append(list, found...)
}

// LoadNode is Load for a playbook that is in no file; file is what it is called.
func LoadNode(file string, root *source.Node, sources *source.Sources, steps *step.Registry) (*Playbook, diag.List) {
	l := &loader{file: file, open: []string{file}, sources: sources, steps: steps}
	return l.playbook(root), l.list
}

type loader struct {
	uses, bytes int // of other files, see afford

	file    string   // that is being read
	open    []string // it, and those that include it
	sources *source.Sources
	steps   *step.Registry

	roleHandlers []*Step // of the roles of the play that is being read

	list diag.List
}

func (l *loader) errorf(at diag.Range, rule, format string, args ...any) {
	l.list.Errorf(at, rule, format, args...)
}

func (l *loader) playbook(root *source.Node) *Playbook {
	pb := &Playbook{File: l.file}
	if root == nil || root.Kind != source.List {
		at := diag.Range{Pos: diag.Pos{File: l.file, Line: 1, Column: 1}}
		found := "nothing"
		if root != nil {
			at, found = root.Range, root.Kind.String()
		}
		l.errorf(at, "playbook", "a playbook is a list of plays, found %s; begin with `- name: …` and `targets: …`", found)
		return pb
	}
	pb.Plays = l.plays(root, nil)
	return pb
}

// plays reads the plays of a file, and of those that it imports.
func (l *loader) plays(root *source.Node, tags []string) []*Play {
	if len(root.Items) == 0 {
		l.errorf(root.Range, "playbook", "the playbook has no plays")
	}
	var out []*Play
	labels := labels(playNames(root.Items))
	for i, n := range root.Items {
		if n.Get("import") != nil {
			out = append(out, l.imported(n, tags)...)
			continue
		}
		p := l.play(n)
		if p == nil {
			continue
		}
		p.Tags = append(slices.Clone(tags), p.Tags...)
		p.ID = fmt.Sprintf("%s#%s", filepath.ToSlash(l.file), labels[i])
		identify(p.ID, p.Body)
		identifyHandlers(p)
		l.link(p)
		l.conflicts(p)
		out = append(out, p)
	}
	return out
}

// labels names siblings, each by its name where that is unique, else by its index,
// which counts from 1. A name that reads like an index could be another's.
func labels(names []string) []string {
	count := make(map[string]int, len(names))
	for _, name := range names {
		count[name]++
	}
	out := make([]string, len(names))
	for i, name := range names {
		if out[i] = name; name == "" || isIndex(name) || count[name] > 1 {
			out[i] = strconv.Itoa(i + 1)
		}
	}
	return out
}

// playNames gives the names of plays as they are written; "" for none.
func playNames(plays []*source.Node) []string {
	names := make([]string, len(plays))
	for i, n := range plays {
		if v := n.Get("name"); v != nil {
			names[i] = v.Str
		}
	}
	return names
}

// isIndex tells whether a name reads like the index of one that has no name.
func isIndex(name string) bool {
	if last := name[len(name)-1]; last < '0' || last > '9' {
		return false // without the error that Atoi would make
	}
	_, err := strconv.Atoi(name)
	return err == nil
}

func (l *loader) play(n *source.Node) *Play {
	if n.Kind != source.Map {
		l.errorf(n.Range, "play", "a play is a mapping with targets and steps, found %s", n.Kind)
		return nil
	}
	p := &Play{Range: n.Range}
	for _, e := range n.Entries {
		if w := playWords.find(e.Key.Str); w != nil {
			w.read(l, p, e)
			continue
		}
		l.foreignKey(e.Key, "a play", playWords.names())
	}
	p.Vars = append(p.varsFiles, p.vars...)
	p.Body = append(p.roles, p.Body...)
	p.Steps = flatten(p.Body)
	p.Handlers, l.roleHandlers = append(l.roleHandlers, p.Handlers...), nil
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		s.surround(p.environment)
	}
	for _, in := range p.Inputs {
		if in.Default != nil {
			p.Defaults = append(p.Defaults, Var{Name: in.Name, Value: in.Default, Range: in.Range})
		}
	}
	meant := l.meant(n)
	if p.Targets == nil && !meant["targets"] {
		l.errorf(n.Range, "play", "the play has no targets; name nodes, clusters, engines or groups of the inventory: `targets: all`")
	}
	if p.Strategy == Free {
		for _, s := range slices.Concat(p.Steps, p.Handlers) {
			if s.RunOnce {
				l.errorf(s.Range, "strategy", "run_once needs strategy linear: with free each target goes its own way")
			}
		}
	}
	if n.Get("steps") == nil && n.Get("roles") == nil && !meant["steps"] {
		l.errorf(n.Range, "play", "the play has no steps")
	}
	return p
}

// meant gives the keys of a play that stand under a wrong name, which was told
// already: that they are missing need not be told, too.
func (l *loader) meant(n *source.Node) map[string]bool {
	out := map[string]bool{}
	for _, e := range n.Entries {
		name := e.Key.Str
		switch h := keywordHabit(name); {
		case playWords.find(name) != nil:
		case h != nil && h.Name == "import_playbook":
			out["targets"], out["steps"] = true, true
		case h != nil:
			out[strings.Trim(h.Here, "`")] = true
		default:
			out[diag.Nearest(name, playWords.names())] = true
		}
	}
	return out
}

// foreignKey reports a key that may be one of Ansible's.
func (l *loader) foreignKey(key *source.Node, where string, known []string) {
	if h := keywordHabit(key.Str); h != nil {
		l.errorf(key.Range, "unknown-key", "unknown key %q in %s: %s", key.Str, where, h.instead())
		return
	}
	l.unknownKey(key, where, known)
}

func (l *loader) unknownKey(key *source.Node, where string, known []string) {
	hint := diag.DidYouMean(key.Str, known)
	if hint == "" {
		hint = "; it takes " + strings.Join(known, ", ")
	}
	l.errorf(key.Range, "unknown-key", "unknown key %q in %s%s", key.Str, where, hint)
}

// varsFile reads a file of variables, beside the playbook unless the path says
// otherwise. It tells whether the variables in it are known; one without any is as
// good as none.
func (l *loader) varsFile(name string, at diag.Range) ([]Var, bool) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(l.file), path)
	}
	if !l.afford(&source.Node{Range: at}, path) {
		return nil, false
	}
	n, list := l.sources.ParseSealed(path, true)
	if len(list) == 1 && list[0].Rule == source.RuleEmpty {
		return nil, true
	}
	for i := range list {
		if !list[i].Range.IsValid() {
			list[i].Summary, list[i].Range = path+": "+list[i].Summary, at // the file could not be read: what names it is at fault
		}
	}
	l.list.Add(list...)
	if n == nil {
		return nil, false
	}
	return l.vars(n), true
}

func (l *loader) vars(n *source.Node) []Var {
	if n.Kind == source.Null {
		return nil
	}
	if n.Kind != source.Map {
		l.errorf(n.Range, "vars", "variables are a mapping of names to values, found %s", n.Kind)
		return nil
	}
	var out []Var
	for _, e := range n.Entries {
		if l.name(e.Key, e.Key.Str, "a variable") {
			out = append(out, Var{Name: e.Key.Str, Value: e.Value, Range: e.Key.Range})
		}
	}
	return out
}

// reserved are the names that the runner gives itself.
var reserved = []string{"item", "loop", "target", "vars", "groups", "targets", "run", FailedStep, FailedResult}

// Reserved lists the names that no variable can have: the runner gives them itself.
func Reserved() []string { return slices.Clone(reserved) }

// name checks a name that expressions are to use.
func (l *loader) name(at *source.Node, name, what string) bool {
	switch {
	case !expr.IsName(name):
		l.errorf(at.Range, "name", "%q cannot be the name of %s: use letters, digits and _, not a digit first", name, what)
	case slices.Contains(reserved, name):
		l.errorf(at.Range, "name", "%q cannot be the name of %s: nactl uses it itself", name, what)
	default:
		return true
	}
	return false
}

func (l *loader) text(e source.Entry) string {
	text, ok := step.Text(e.Value)
	if !ok {
		l.errorf(e.Value.Range, "type", "%s: wanted a text, found %s", e.Key.Str, e.Value.Kind)
	}
	return text
}

// texts reads a list of texts, or one; within one, commas separate.
func (l *loader) texts(e source.Entry) []string {
	switch e.Value.Kind {
	case source.Null:
		return nil
	case source.List:
		var out []string
		for _, item := range e.Value.Items {
			text, ok := step.Text(item)
			if !ok {
				l.errorf(item.Range, "type", "%s: wanted texts, found %s", e.Key.Str, item.Kind)
			}
			out = append(out, text)
		}
		return out
	default:
		var out []string
		for _, s := range strings.Split(l.text(e), ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
}

func (l *loader) boolean(e source.Entry) bool {
	if e.Value.Kind != source.Bool {
		hint := ""
		if b, ok := source.BoolWord(e.Value.Str); ok {
			hint = fmt.Sprintf("; write %v", b)
		}
		l.errorf(e.Value.Range, "type", "%s: wanted true or false, found %s%s", e.Key.Str, e.Value.Kind, hint)
	}
	return e.Value.Bool
}

// items reads a list, or an expression that gives one.
func (l *loader) items(e source.Entry) *source.Node {
	if e.Value.Kind != source.List && !IsDynamic(e.Value) {
		hint := ""
		if e.Value.Kind == source.String && expr.IsName(e.Value.Str) {
			hint = fmt.Sprintf("; write \"{{ %s }}\" where a variable is meant", e.Value.Str)
		}
		l.errorf(e.Value.Range, "type", "%s: wanted a list or an expression that gives one, found %s%s", e.Key.Str, e.Value.Kind, hint)
	}
	return e.Value
}

func (l *loader) integer(e source.Entry, least int) int {
	if e.Value.Kind != source.Int || e.Value.Int < int64(least) {
		l.errorf(e.Value.Range, "type", "%s: wanted an integer of at least %d", e.Key.Str, least)
	}
	return int(e.Value.Int)
}

func (l *loader) duration(e source.Entry) time.Duration {
	var d step.Duration
	if err := d.Decode(e.Value); err != nil {
		l.errorf(e.Value.Range, "type", "%s: %v", e.Key.Str, err)
	}
	return time.Duration(d)
}
