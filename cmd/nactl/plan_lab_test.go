//go:build lab

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// shipped are the playbooks that ship, in an order in which each finds what it
// needs, with names of their own and the number of steps that a plan of the first
// run cannot decide.
var shipped = []struct {
	file      string
	args      []string
	undecided int
	once      bool // a second run has something to do again
}{
	{"tour.yml", []string{"-e", "vm=t1-plan-tour", "-e", "network=t1-plan-net"}, 3, false},
	{"retire.yml", []string{"-e", "{vms: [t1-plan-tour]}", "-e", "network=t1-plan-net"}, 0, false},
	{"reshape.yml", []string{"-e", "vm=t1-plan-reshape"}, 3, false},
	{"rename.yml", []string{"-e", "vm=t1-plan-reshape", "-e", "to=t1-plan-renamed"}, 0, false},
	{"accounts.yml", []string{"-e", "vm=t1-plan-accounts"}, 5, false},
	{"backup.yml", []string{"-e", "vm=t1-plan-backup"}, 1, true},
	{"rescue.yml", []string{"-e", "vm=t1-plan-rescue"}, 0, true},
	{"debian.yml", []string{"-e", "vm=t1-plan-debian", "-e", "address=192.168.122.77/24"}, 3, false},
	{"networks.yml", []string{"-e", "network=t1-plan-inner"}, 0, false},
	{"storage.yml", []string{"-e", "pool=t1-plan-pool", "-e", "path=/run/t1-plan-pool", "-e", "dest=KEPT"}, 0, false},
	{"quickstart.yml", nil, 0, true},
}

// elsewhere are the playbooks that other tests prove: what they do side by side, or
// what they find on a host, has no order and no number that a plan could be held
// against here.
var elsewhere = map[string]string{
	"hosts.yml":    "TestLabScripts/host_exec",
	"evacuate.yml": "TestLabScripts/evacuate",
}

// TestLabPlanEqualsPlay plans and plays every playbook that ships: what was
// planned is what is done, and a plan sends nothing that writes. Played again, a
// playbook changes nothing, and its plan is empty.
func TestLabPlanEqualsPlay(t *testing.T) {
	l := openLab(t)
	l.own(t, "t1-plan")
	files, err := filepath.Glob(filepath.Join("..", "..", "playbooks", "*.yml"))
	if err != nil || len(files) != len(shipped)+len(elsewhere) {
		t.Errorf("%d playbooks ship (%v), %d are tested", len(files), err, len(shipped)+len(elsewhere))
	}
	kept := filepath.Join(t.TempDir(), "kept.raw")
	for _, s := range shipped {
		t.Run(s.file, func(t *testing.T) {
			args := []string{filepath.Join("..", "..", "playbooks", s.file)}
			for _, a := range s.args {
				args = append(args, strings.ReplaceAll(a, "KEPT", kept))
			}
			if s.file == "quickstart.yml" {
				t.Setenv("LIBVIRT_DEFAULT_URI", "test:///default")
			} else {
				args = append(args, "-i", l.inventory)
			}
			before := l.state(t, "t1-plan")
			plan := play(t, append([]string{"plan"}, args...)...).must(t)
			plan.readsOnly(t)
			if d := gocmp.Diff(before, l.state(t, "t1-plan")); d != "" {
				t.Errorf("the plan changed something (-before +after):\n%s", d)
			}
			played := play(t, append([]string{"play"}, args...)...).must(t)
			if len(played.write) == 0 && len(played.sent) > 0 {
				t.Error("the play sent nothing that writes: calls are not seen")
			}
			undecided := plan.undecided()
			if len(undecided) != s.undecided {
				t.Errorf("%d steps are decided at run time, want %d: %v", len(undecided), s.undecided, undecided)
			}
			want, got := plan.changes(undecided), played.changes(undecided)
			mask(want, got)
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("the play did something else than the plan (-plan +play):\n%s", d)
			}
			if s.once {
				return
			}
			again := play(t, append([]string{"play"}, args...)...).must(t)
			if r := again.recap(t).Targets[0]; r.Changed != 0 {
				t.Errorf("played again, it changed: %v", again.changes(nil))
			}
			empty := play(t, append([]string{"plan"}, args...)...).must(t)
			empty.readsOnly(t)
			if p := empty.recap(t).Plan; *p != (event.PlanTotals{}) {
				t.Errorf("the plan after it is not empty: %+v", *p)
			}
		})
	}
}

// readsOnly demands that nothing was sent that writes. Questions to a guest's
// agent look the same as orders on the wire, so they are not judged here.
func (o *observed) readsOnly(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, n := range o.write {
		if name != agentCommand {
			t.Errorf("a plan sent %d × %s", n, name)
		}
	}
}

const agentCommand = "domain_agent_command"

// undecided gives the steps that a plan left to the run.
func (o *observed) undecided() []string {
	var ids []string
	for _, r := range o.events {
		if res, ok := r.Event.(event.Result); ok && res.Status == event.Undecided && !slices.Contains(ids, res.Step) {
			ids = append(ids, res.Step)
		}
	}
	return ids
}

// change is what a plan and a play must agree on.
type change struct {
	Target, Step string
	Item, N      int
	Kind         string
	Nature       virt.Nature
	Object       string
	Fields       []field
}

type field struct{ Path, Before, After string }

const unknown = `{"unknown":true}`

// changes gives what was changed, or would be, but for some steps, in the order
// of targets, steps and items. What one item changes keeps its order.
func (o *observed) changes(but []string) []change {
	order := map[string]int{}
	var out []change
	run := ""
	for _, r := range o.events {
		run = text(r.Run)
		switch e := r.Event.(type) {
		case event.StepStarted:
			order[e.Step] = e.Index
		case event.Outcome:
			if !e.Changed || slices.Contains(but, e.Step) {
				continue
			}
			c := change{Target: e.Target, Step: e.Step, N: e.N, Kind: e.Kind, Nature: e.Nature, Object: e.Object.Key().String()}
			if e.Item != nil {
				c.Item = e.Item.Index
			}
			for _, f := range e.Fields {
				before := text(f.Before)
				if before == run {
					before = "this run" // the unfinished mark
				}
				c.Fields = append(c.Fields, field{f.Path, before, text(f.After)})
			}
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(order[a.Step], order[b.Step]), cmp.Compare(a.Item, b.Item), cmp.Compare(a.N, b.N))
	})
	return out
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b))
}

// mask makes unknown in played what was unknown in the plan.
func mask(plan, played []change) {
	for i := range min(len(plan), len(played)) {
		for j, f := range plan[i].Fields {
			if j >= len(played[i].Fields) || played[i].Fields[j].Path != f.Path {
				break
			}
			if f.Before == unknown {
				played[i].Fields[j].Before = unknown
			}
			if f.After == unknown {
				played[i].Fields[j].After = unknown
			}
		}
	}
}
