package playbook

import (
	"fmt"
	"strings"
	"testing"
)

// What the table calls a default is what a step has that says nothing.
func TestDefaults(t *testing.T) {
	all := "- debug: hi\n      loop: [1]\n      until: true\n"
	for _, k := range StepKeywords() {
		if k.Default != "" {
			all += fmt.Sprintf("      %s: %s\n", k.Name, k.Default)
		}
		if k.Doc == "" || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: doc is %q", k.Name, k.Doc)
		}
	}
	pb, list := load(t, "- targets: n1\n  steps:\n    - debug: hi\n    "+all, nil)
	for _, d := range list {
		t.Error(d)
	}
	said, unsaid := pb.Plays[0].Steps[1], pb.Plays[0].Steps[0]
	pairs := map[string][2]any{
		"loop_var": {unsaid.LoopVar, said.LoopVar}, "parallel": {unsaid.Parallel, said.Parallel}, "retries": {unsaid.Retries, said.Retries},
		"delay": {unsaid.Delay, said.Delay}, "ignore_errors": {unsaid.IgnoreErrors, said.IgnoreErrors}, "no_log": {unsaid.NoLog, said.NoLog},
		"verify": {unsaid.Verify, said.Verify},
	}
	for name, p := range pairs {
		if p[0] != p[1] {
			t.Errorf("%s is %v when left out, and %v by the table", name, p[0], p[1])
		}
	}
}
