package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// value reads the value of a key. A relative path in it starts at dir.
func (l *loader) value(k *Key, n *source.Node, at diag.Range, dir string) {
	if n.Kind == source.Null {
		return
	}
	value, problem := l.read(k, n, dir)
	if problem != "" {
		l.list.Errorf(n.Range, "type", "%s: %s", k.Name, problem)
		return
	}
	l.set(k, value, at)
}

func (l *loader) read(k *Key, n *source.Node, dir string) (value any, problem string) {
	switch k.Form {
	case Flag:
		if n.Kind != source.Bool {
			if b, ok := source.BoolWord(n.Str); ok && n.Kind == source.String {
				return nil, fmt.Sprintf("write %v", b)
			}
			return nil, "wanted true or false, found " + n.Kind.String()
		}
		return n.Bool, ""
	case Count:
		switch {
		case n.Kind != source.Int:
			return nil, fmt.Sprintf("wanted an integer of at least %d, found %s", k.Least, n.Kind)
		case n.Int < int64(k.Least) || n.Int > 1<<31-1:
			return nil, fmt.Sprintf("wanted an integer of at least %d, found %d", k.Least, n.Int)
		}
		return int(n.Int), ""
	case Paths:
		items := []*source.Node{n}
		if n.Kind == source.List {
			items = n.Items
		}
		out := []string{}
		for _, item := range items {
			text, problem := literal(item, "a path")
			if problem != "" {
				return nil, problem
			}
			if !k.inline(text) {
				text = l.path(text, dir)
			}
			out = append(out, text)
		}
		return out, ""
	default:
		text, problem := literal(n, "a text")
		if problem != "" {
			return nil, problem
		}
		return l.text(k, text, dir)
	}
}

// text checks a text.
func (l *loader) text(k *Key, text, dir string) (value any, problem string) {
	if file, ok := strings.CutPrefix(text, k.PathFor); ok && k.PathFor != "" && file != "" {
		return k.PathFor + l.path(file, dir), ""
	}
	if len(k.Enum) > 0 && !slices.Contains(k.Enum, text) {
		words := k.Enum
		if k.PathFor != "" {
			words = append(slices.Clone(words), k.PathFor+"FILE")
		}
		return nil, fmt.Sprintf("wanted %s, found %q%s", strings.Join(words, ", "), text, diag.DidYouMean(text, words))
	}
	return text, ""
}

// literal gives a scalar as it is written.
func literal(n *source.Node, what string) (text, problem string) {
	switch n.Kind {
	case source.String:
		text = n.Str
	case source.Int, source.Float, source.Bool:
		text = n.Raw
	default:
		return "", fmt.Sprintf("wanted %s, found %s", what, n.Kind)
	}
	switch {
	case strings.TrimSpace(text) == "":
		return "", "wanted " + what + ", found an empty one"
	case strings.Contains(text, "{{"):
		return "", "settings hold no expressions: they are read before there are variables"
	case strings.ContainsRune(text, 0):
		return "", "wanted " + what + ", found a NUL character"
	}
	return text, ""
}

// path gives a path that a command can use.
func (l *loader) path(p, dir string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok && l.env["HOME"] != "" {
		return filepath.Join(l.env["HOME"], rest)
	}
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

// borrowed reads the variables of others, which every file goes before.
func (l *loader) borrowed() {
	for i := range keys {
		if v := l.env[keys[i].Also]; keys[i].Also != "" && v != "" {
			l.set(&keys[i], v, diag.Range{Pos: diag.Pos{File: keys[i].Also}})
		}
	}
}

// variables reads our own ones, which go before every file.
func (l *loader) variables() {
	known := []string{EnvFile}
	for i := range keys {
		k := &keys[i]
		known = append(known, k.Env())
		if v := l.env[k.Env()]; v != "" {
			at := diag.Range{Pos: diag.Pos{File: k.Env()}}
			l.value(k, node(k, v, at), at, "")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if near := diag.Nearest(name, known); near != "" && strings.HasPrefix(name, "NACTL_") && !slices.Contains(known, name) {
			l.list.Warnf(diag.Range{Pos: diag.Pos{File: name}}, "config", "nactl reads no such variable, did you mean %s?", near)
		}
	}
}

// node gives the value of a variable as it would stand in a file.
func node(k *Key, text string, at diag.Range) *source.Node {
	n := &source.Node{Kind: source.String, Str: text, Raw: text, Range: at}
	switch k.Form {
	case Flag:
		if b, err := strconv.ParseBool(text); err == nil {
			n.Kind, n.Bool = source.Bool, b
		}
	case Count:
		if i, err := strconv.Atoi(text); err == nil {
			n.Kind, n.Int = source.Int, int64(i)
		}
	case Paths:
		parts := filepath.SplitList(text)
		if k.inline(text) {
			parts = []string{text}
		}
		n.Kind = source.List
		for _, p := range parts {
			if p = strings.TrimSpace(p); p != "" {
				n.Items = append(n.Items, &source.Node{Kind: source.String, Str: p, Range: at})
			}
		}
	}
	return n
}
