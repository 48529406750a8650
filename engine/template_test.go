package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// written is a step that shows what its template became.
type written struct {
	Template step.Opt[step.Template] `arg:"template"`
}

func (w *written) Ensure(_ context.Context, env *step.Env) (step.Result, error) {
	t, ok := w.Template.Get()
	if !ok {
		return step.Result{}, &virt.Error{Kind: virt.ErrUndecided, Summary: "unknown"}
	}
	env.Message(fmt.Sprintf("%s secret=%v", t.Text, t.Secret))
	return step.Result{}, nil
}

func templateStage(t *testing.T) *stage {
	s := on(t, "n1 n2", vm("a", virt.Running))
	s.vars["n1"], s.vars["n2"] = map[string]any{"port": 1}, map[string]any{"port": 2}
	s.steps = []*step.Spec{{Name: "written", Summary: "Shows a template", New: func() step.Step { return &written{} }, Controller: true}}
	return s
}

// A template is filled in for each target and item, with all that the step can
// read.
func TestTemplateValues(t *testing.T) {
	s := templateStage(t)
	s.put(map[string]string{"t": "{{ target.name }} {{ port }} {{ item }} {{ own }}{{ \"{{\" }}"})
	x := s.play(onAll("forks: 1", "- {written: {template: t}, loop: [x, y], vars: {own: v}}"))
	s.want("said", x.said(), "n1 1 x v{{ secret=false|n1 1 y v{{ secret=false|n2 2 x v{{ secret=false|n2 2 y v{{ secret=false")
}

func TestTemplateSecret(t *testing.T) {
	s := templateStage(t)
	s.secrets = func(*source.Node) (string, error) { return "geheimes Wort", nil }
	s.opts.Mask = event.NewMask()
	s.put(map[string]string{"t": "password = {{ pw }}\n"})
	x := s.play(onAll("vars: {pw: {secret: {env: X}}}", "- {written: {template: t}, run_once: true}"))
	s.want("said", s.opts.Mask.String(x.said()), "password = ***\n secret=true")
}

func TestTemplateUnknown(t *testing.T) {
	s := templateStage(t)
	s.put(map[string]string{"t": "{{ r.stdout }}"})
	x := s.plan(onAll("", "- {local_exec: {command: [echo, x]}, register: r, run_once: true}\n- {written: {template: t}, run_once: true}"))
	if got := x.results(); !strings.Contains(got, "undecided: unknown") {
		t.Errorf("results:\n%s", got)
	}
}

// What a text of many expressions grows to is bounded as one expression is.
func TestTemplateSize(t *testing.T) {
	s := templateStage(t)
	s.put(map[string]string{"t": strings.Repeat("{{ big }}", 40)})
	x := s.play(onAll("vars: {big: \"{{ repeat('x', 900000) }}\"}", "- {written: {template: t}, run_once: true}"))
	if got := x.results(); !strings.Contains(got, "the whole text gets longer than") {
		t.Errorf("results:\n%.300s", got)
	}
}
