package playbook

import (
	"regexp"
	"slices"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
)

// envArgument is the argument by which steps that run commands take variables.
const envArgument = "env"

// RunsCommands tells whether environment means anything to the step.
func (s *Step) RunsCommands() bool {
	return slices.ContainsFunc(s.Spec.ArgumentsOf(), func(f step.Field) bool { return f.Name == envArgument })
}

// envName is what shells take for the name of a variable.
var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// environment reads a mapping of environment variables, or an expression that
// gives one. nil stands for none.
func (l *loader) environment(e source.Entry) *source.Node {
	n := e.Value
	switch {
	case n.Kind == source.Null:
		return nil
	case IsDynamic(n):
		return n
	case n.Kind != source.Map || IsSecret(n):
		l.errorf(n.Range, "type", "environment: wanted a mapping of variables to texts, or an expression that gives one, found %s", n.Kind)
		return nil
	}
	for _, v := range n.Entries {
		if !envName.MatchString(v.Key.Str) {
			l.errorf(v.Key.Range, "environment", "%q is no name of an environment variable: use letters, digits and _, not a digit first", v.Key.Str)
		}
		if _, ok := step.Text(v.Value); !ok && !isLater(v.Value) {
			l.errorf(v.Value.Range, "type", "environment: %s: wanted a text, found %s", v.Key.Str, v.Value.Kind)
		}
	}
	return n
}

// surround gives a step what is around it: for it, its own environment counts more.
func (s *Step) surround(outer []*source.Node) {
	s.Environment = append(slices.Clone(outer), s.Environment...)
}

// WithEnvironment gives the arguments of a step that runs commands with the
// environments around it, the outermost first, in its own env, which wins. It
// gives what is no mapping, where that is an error.
func WithEnvironment(args *source.Node, environments []*source.Node) (out, wrong *source.Node) {
	if args.Kind != source.Map || len(environments) == 0 {
		return args, nil
	}
	env := &source.Node{Kind: source.Map, Range: args.Range}
	own := args.Get(envArgument)
	if own != nil && own.Kind != source.Map && own.Kind != source.Null {
		return args, nil // unknown, or an error that decoding tells
	}
	for _, n := range environments {
		switch {
		case n.Kind == source.Unknown:
			env = n
		case n.Kind == source.Map && env.Kind == source.Map:
			env = overlay(env, n)
		case n.Kind != source.Map && n.Kind != source.Null:
			return args, n
		}
	}
	if own != nil && env.Kind == source.Map {
		env = overlay(env, own)
	}
	merged := *args
	merged.Entries = slices.DeleteFunc(slices.Clone(args.Entries), func(e source.Entry) bool { return e.Key.Str == envArgument })
	merged.Entries = append(merged.Entries, source.Entry{Key: &source.Node{Kind: source.String, Str: envArgument, Range: args.Range}, Value: env})
	return &merged, nil
}

// overlay gives one mapping on top of another.
func overlay(below, above *source.Node) *source.Node {
	out := *below
	out.Range = above.Range
	out.Entries = slices.DeleteFunc(slices.Clone(below.Entries), func(e source.Entry) bool { return above.Get(e.Key.Str) != nil })
	out.Entries = append(out.Entries, above.Entries...)
	return &out
}
