package main

import (
	"fmt"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// extraVars reads the values of -e: k=v, k=@file, @file and {k: v}. Later ones win. A
// value that is a YAML scalar, list or mapping in one line has that type; all
// else is text.
func extraVars(args []string, sources *source.Sources) (map[string]*source.Node, diag.List) {
	out := map[string]*source.Node{}
	var list diag.List
	for i, arg := range args {
		at := diag.Range{Pos: diag.Pos{File: fmt.Sprintf("-e (%d)", i+1)}}
		if path, ok := strings.CutPrefix(arg, "@"); ok {
			n, found := sources.ParseSealed(path, true)
			list.Add(found...)
			switch {
			case n == nil:
			case n.Kind != source.Map:
				list.Errorf(n.Range, "extra-vars", "-e @FILE wants a mapping of variables, found %s; for a value of another kind write -e NAME=@%s", n.Kind, path)
			default:
				for _, e := range n.Entries {
					out[e.Key.Str] = e.Value
				}
			}
			continue
		}
		if strings.HasPrefix(arg, "{") {
			n, found := source.Parse(at.File, []byte(arg))
			list.Add(found...)
			for _, e := range entries(n) {
				out[e.Key.Str] = e.Value
			}
			continue
		}
		name, text, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			list.Errorf(at, "extra-vars", "-e wants NAME=VALUE, NAME=@FILE, @FILE or {NAME: VALUE}, found %q", arg)
			continue
		}
		if path, ok := strings.CutPrefix(text, "@"); ok {
			n, found := sources.ParseSealed(path, true)
			list.Add(found...)
			if n != nil {
				out[name] = n
			}
			continue
		}
		out[name] = inline(text, at)
	}
	return out, list
}

func entries(n *source.Node) []source.Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}

// inline gives a value that was typed on the command line.
func inline(text string, at diag.Range) *source.Node {
	plain := &source.Node{Kind: source.String, Str: text, Range: at}
	if text == "" {
		return plain
	}
	n, list := source.Parse("-e", []byte(text))
	if list.HasErrors() || n == nil {
		return plain
	}
	if (n.Kind == source.Map || n.Kind == source.List) && !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return plain // `a: b` and `- a` are text to whoever types them
	}
	return source.FromAny(n.Any(), at)
}
