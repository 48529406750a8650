package engine_test

import (
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// What targets may read has a value before there are targets.
func TestTargetsAreExpressions(t *testing.T) {
	for name, tc := range map[string]struct{ keys, extra, want string }{
		"a group's members": {keys: `targets: "{{ groups.all[:2] }}"`, want: "a|b"},
		"an input's default": {keys: `targets: "{{ where }}"
  inputs: {where: {type: string, default: c}}`, want: "c"},
		"-e over an input": {keys: `targets: "{{ where }}"
  inputs: {where: {type: string, default: c}}`, extra: "b", want: "b"},
		"variables of each other": {keys: `targets: "{{ where }}"
  vars: {where: "{{ [first, \"c\"] }}", first: "{{ groups.all[0] }}"}`, want: "a|c"},
		"one of a target": {keys: `targets: "{{ where }}"
  vars: {where: "{{ target.name }}"}`, want: "targets has a value before the targets are known"},
		"serial": {keys: `targets: all
  vars: {some: "{{ len(groups.all) - 2 }}"}
  serial: "{{ some }}"`, want: "a|b|c"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, "a b c")
			if tc.extra != "" {
				s.opts.Extra = map[string]*source.Node{"where": source.FromAny(tc.extra, diag.Range{})}
			}
			text := "- " + tc.keys + "\n  steps: [{debug: \"{{ target.name }}\"}]\n"
			if !strings.Contains(tc.want, " ") {
				s.want(name, s.play(text+"  forks: 1\n").said(), tc.want)
				return
			}
			if _, _, list := s.prepare(text); !strings.Contains(list.Err().Error(), tc.want) {
				t.Errorf("%v", list)
			}
		})
	}
}
