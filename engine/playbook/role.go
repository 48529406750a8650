package playbook

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Role is one use of a role: a folder of steps with handlers, variables and files
// of their own, which plays take by name.
//
//	roles/NAME/steps.yml      what it does
//	roles/NAME/handlers.yml   what its steps notify
//	roles/NAME/inputs.yml     what it wants to be told
//	roles/NAME/defaults.yml   variables that a play may override
//	roles/NAME/vars.yml       variables that it may not
//	roles/NAME/files/         files that its steps read
//	roles/NAME/templates/     templates that its steps fill in
//
// Each of the first five may be a folder with a main.yml instead.
type Role struct {
	Name   string
	Dir    string
	Inputs []Input

	block *Block
	outer *Role
}

// Told gives what the role, and the roles that it is used in, want to be told; the
// nearest first.
func (r *Role) Told() []Input {
	var out []Input
	for ; r != nil; r = r.outer {
		out = append(out, r.Inputs...)
	}
	return out
}

// roles reads the roles of a play.
func (l *loader) roles(n *source.Node) []Node {
	if n.Kind != source.List {
		l.errorf(n.Range, "roles", "roles: wanted a list of names, as [web], found %s", n.Kind)
		return nil
	}
	var out []Node
	for _, item := range n.Items {
		if item.Kind == source.String {
			key := &source.Node{Kind: source.String, Str: "role", Range: item.Range}
			item = &source.Node{Kind: source.Map, Range: item.Range, Entries: []source.Entry{{Key: key, Value: item}}}
		}
		if item.Get("role") == nil {
			l.errorf(item.Range, "roles", "a role is its name, or a mapping as {role: web, vars: {port: 80}}")
			continue
		}
		if b := l.role(item, inherited{}); b != nil {
			out = append(out, b)
		}
	}
	return out
}

// role reads a use of a role: its steps stand in place of the entry that names it.
func (l *loader) role(n *source.Node, in inherited) *Block {
	at := n.Get("role")
	if at.Kind != source.String || at.Str == "" || IsDynamic(at) {
		l.errorf(at.Range, "roles", "role: wanted the literal name of a role, so that its steps are known before the run")
		return nil
	}
	dir, ok := l.roleDir(at)
	if !ok {
		return nil
	}
	b := &Block{Range: n.Range, Name: filepath.Base(at.Str), inherited: in.clone(), conditional: n.Get("when") != nil}
	b.Role = &Role{Name: at.Str, Dir: dir, block: b, outer: in.role}
	b.role = b.Role
	l.part(at, dir, "inputs", func(root *source.Node) { b.Role.Inputs = l.inputs(root) })
	l.part(at, dir, "defaults", func(root *source.Node) { b.defaults = append(b.defaults, l.vars(root)...) })
	l.part(at, dir, "vars", func(root *source.Node) { b.vars = append(b.vars, l.vars(root)...) })
	for _, input := range b.Role.Inputs {
		if input.Default != nil {
			b.defaults = append(b.defaults, Var{Name: input.Name, Value: input.Default, Range: input.Range})
		}
	}
	given := len(b.vars)
	l.heading(b, n, roleWords, "a role")
	l.checkInputs(b.Role.Inputs, b.vars[given:], "role "+at.Str)
	if !l.part(at, dir, "steps", func(root *source.Node) { b.Body = l.nodes(root, b.inherited) }) {
		l.errorf(at.Range, "roles", "role %s has no steps: %s is not there", at.Str, filepath.Join(dir, "steps.yml"))
	}
	l.part(at, dir, "handlers", func(root *source.Node) {
		// A handler runs because it was notified, whatever led to that.
		own := inherited{vars: b.vars, defaults: b.defaults, noLog: b.noLog, checkMode: b.checkMode, environment: b.environment, role: b.role}
		l.roleHandlers = append(l.roleHandlers, l.handlers(root, own)...)
	})
	return b
}

// roleDir finds the folder of a role: in roles/ beside the file that names it, or
// beside the playbook.
func (l *loader) roleDir(at *source.Node) (string, bool) {
	var tried, known []string
	for _, file := range []string{l.file, l.open[0]} {
		roles := filepath.Join(filepath.Dir(file), "roles")
		dir := filepath.Join(roles, filepath.FromSlash(at.Str))
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, true
		}
		if len(tried) > 0 && tried[0] == dir {
			continue
		}
		tried = append(tried, dir)
		entries, _ := os.ReadDir(roles) // only names to choose from
		for _, e := range entries {
			known = append(known, e.Name())
		}
	}
	l.errorf(at.Range, "roles", "no role is called %q%s: there is no folder %s", at.Str, diag.DidYouMean(at.Str, known), strings.Join(tried, ", nor "))
	return "", false
}

// part reads one file of a role where it is there.
func (l *loader) part(at *source.Node, dir, name string, read func(root *source.Node)) bool {
	for _, path := range []string{name + ".yml", name + ".yaml", filepath.Join(name, "main.yml"), filepath.Join(name, "main.yaml")} {
		path = filepath.Join(dir, path)
		if _, err := os.Stat(path); err == nil {
			l.inFile(at, path, read)
			return true
		}
	}
	return false
}
