package event

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// script builds the events of a run as the runner emits them.
type script struct {
	events []Event
	tally  *Tally
	check  bool
	step   StepStarted
}

func newScript(check bool, steps int, targets ...Target) *script {
	s := &script{check: check}
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	s.tally = NewTally(check, names...)
	s.add(RunStarted{Playbooks: []string{"playbooks/tour.yml"}, Targets: targets, Steps: steps, Check: check, User: "ann", Version: "0.1.0"})
	s.add(PlayStarted{Play: "tour#1", Index: 1, Total: 1, Targets: names})
	return s
}

func (s *script) add(e Event) { s.events = append(s.events, e) }

func (s *script) begin(index, items int, name, word string) {
	s.step = StepStarted{Step: "tour#1/" + name, Name: name, Word: word, Index: index, Total: 9, Items: items,
		Position: Position{"playbooks/tour.yml", 10 * index, 7}}
	s.add(s.step)
}

type applied struct {
	c   virt.Change
	out virt.Outcome
}

// item is one turn on one target: its changes and its result.
func (s *script) item(target string, item *Item, r Result, elapsed time.Duration, changes ...applied) {
	at := At{Step: s.step.Step, Target: target, Item: item}
	s.add(ItemStarted{at})
	for i, a := range changes {
		intent := NewIntent(at, i+1, a.c)
		s.add(intent)
		o := NewOutcome(intent, a.out, nil, elapsed)
		o.Predicted = s.check
		s.add(o)
	}
	at.Attempt = r.Attempt
	r.At = at
	r.Elapsed = Seconds(elapsed)
	r.Predicted = s.check
	s.tally.Add(r)
	s.add(r)
}

func (s *script) end() []Event {
	for _, t := range s.tally.targets {
		s.tally.Sent(t.Target, 11200*time.Millisecond, 61)
	}
	s.add(s.tally.Recap(11200 * time.Millisecond))
	return append(s.events, RunEnded{Status: "ok"})
}

func onVM(name string) virt.On { return virt.On{Ref: virt.VMRef(name)} }

func createWeb(name, host string) []applied {
	return []applied{
		{virt.CreateVM{On: onVM(name), Run: "7f3a9c"}, virt.Outcome{Changed: true, Fields: []virt.FieldChange{
			{Path: "cpu.count", After: 2},
			{Path: "memory.current", After: 256 * virt.MiB, Unit: "bytes"},
			{Path: "disks.root.size", After: 2 * virt.GiB, Unit: "bytes"},
			{Path: "nics.nic1.network", After: "2921-web"},
			{Path: "host", After: host},
		}}},
		{virt.Start{On: onVM(name)}, virt.Outcome{Changed: true, Fields: []virt.FieldChange{{Path: "state", Before: virt.Stopped, After: virt.Running}}}},
		{virt.FinishVM{On: onVM(name)}, virt.Outcome{Changed: true, Fields: []virt.FieldChange{{Path: "unfinished", Before: "7f3a9c"}}}},
	}
}

var (
	lab     = Target{"lab", "cluster"}
	vlan    = virt.CreateNetwork{On: virt.On{Ref: virt.NetworkRef("2921-web")}, VLAN: 2921, Type: "openvswitch"}
	vlanOut = virt.Outcome{Changed: true, Summary: "vlan 2921 on ovsbr0: n1, n2", Fields: []virt.FieldChange{
		{Path: "network", After: "2921-web"}, {Path: "vlan", After: 2921}, {Path: "hosts", After: []string{"n1", "n2"}}}}
	cpu    = virt.SetCPU{On: onVM("web-1"), Count: virt.Some(3)}
	cpuOut = virt.Outcome{Changed: true, Fields: []virt.FieldChange{{Path: "cpu.count", Before: 2, After: 3, Note: "live and configured"}}}
	nginx  = virt.GuestExec{On: onVM("web-1"), Command: virt.Command{Argv: []string{"systemctl", "is-active", "nginx"}}}
	mem    = virt.SetMemory{On: onVM("web-2"), Max: virt.Some(256 * virt.MiB)}
	memOut = virt.Outcome{Changed: true,
		Fields:  []virt.FieldChange{{Path: "memory.max", Before: 512 * virt.MiB, After: 256 * virt.MiB, Unit: "bytes", Note: "pending: after a restart"}},
		Pending: []virt.Pending{{Field: "memory.max", Live: 512 * virt.MiB, Configured: 256 * virt.MiB, Reason: "after a restart"}}}
)

func tour() *script {
	s := newScript(false, 9, lab)
	s.begin(1, 0, "VLAN for the web tier", "create_vlan")
	s.item("lab", nil, Result{Status: Changed}, 400*time.Millisecond, applied{vlan, vlanOut})
	s.begin(2, 2, "Web servers", "create_vm")
	s.item("lab", &Item{0, 2, "web-1"}, Result{Status: Changed}, 3900*time.Millisecond, createWeb("web-1", "n1")...)
	s.item("lab", &Item{1, 2, "web-2"}, Result{Status: Changed}, 4100*time.Millisecond, createWeb("web-2", "n2")...)
	sum := Result{At: At{Step: s.step.Step, Target: "lab"}, Status: Changed, Items: 2}
	s.tally.Add(sum)
	s.add(sum)
	s.begin(3, 0, "More CPU", "set_cpu")
	s.item("lab", nil, Result{Status: Changed}, 100*time.Millisecond, applied{cpu, cpuOut})
	s.begin(4, 0, "Less memory", "set_memory")
	s.item("lab", nil, Result{Status: Changed, Pending: true, PendingFields: memOut.Pending}, 100*time.Millisecond, applied{mem, memOut})
	s.begin(5, 0, "Is it there", "guest_exec")
	s.item("lab", nil, Result{Status: OK}, 100*time.Millisecond)
	s.begin(6, 0, "Move", "migrate")
	s.item("lab", nil, Result{Status: Changed}, 1600*time.Millisecond, applied{
		virt.Migrate{On: onVM("web-1"), Host: "n2", Live: true},
		virt.Outcome{Changed: true, Fields: []virt.FieldChange{{Path: "host", Before: "n1", After: "n2"}},
			Result: &virt.Moved{From: "n1", To: "n2", Bytes: 256 * virt.MiB, Elapsed: 1200 * time.Millisecond, Downtime: 84 * time.Millisecond}}})
	return s
}

func TestTour(t *testing.T) {
	out, progress := view(t, Options{}, tour().end()...)
	golden(t, "tour.txt", out)
	if len(progress) > 0 {
		t.Errorf("progress has %q, want nothing", progress)
	}
}

func TestTourInColour(t *testing.T) {
	out, _ := view(t, Options{Color: true}, tour().end()...)
	golden(t, "tour_colour.txt", out)
	plain := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[35m", "", "\x1b[36m", "").Replace(string(out))
	if want, _ := view(t, Options{}, tour().end()...); plain != string(want) {
		t.Error("colours change the text")
	}
}

func TestTourOnNarrowTerminal(t *testing.T) {
	out, _ := view(t, Options{Width: func() int { return 72 }}, tour().end()...)
	golden(t, "tour_narrow.txt", out)
}

func failure() []Event {
	s := newScript(false, 9, lab)
	s.begin(6, 0, "Move", "migrate")
	at := At{Step: s.step.Step, Target: "lab"}
	f := NewFailure(&virt.Error{Kind: virt.ErrConflict, Object: virt.VMRef("web-1"),
		Summary: `cannot move to n2: network "2921-web" is not there`,
		Wanted:  `a running libvirt network "2921-web" on n2 (NIC 52:54:00:6b:3c:58 uses it)`,
		Found:   "default, lan",
		Hint:    "create_vlan on n2, or set migrate.networks: {2921-web: lan}"})
	f.At = Position{"playbooks/tour.yml", 41, 7}
	f.GoOn = "nactl play --resume 7f3a9c"
	r := Result{At: at, Status: Failed, Error: f, Elapsed: Seconds(200 * time.Millisecond)}
	s.tally.Add(r)
	s.add(r)
	s.begin(7, 0, "Check them all", "guest_exec")
	i := NewIntent(At{Step: s.step.Step, Target: "lab"}, 1, virt.GuestExec{On: onVM("web-2"), Command: virt.Command{Argv: []string{"nginx", "-t"}}})
	s.add(i)
	s.add(NewOutcome(i, virt.Outcome{Changed: true, Result: &virt.CommandResult{RC: 1, Stderr: "nginx: [emerg] \x1b[31mno port\x1b[0m\r\nnginx: test failed\n"}}, nil, 0))
	r = Result{At: i.At, Status: Ignored, Error: &Failure{Summary: "the command ended with status 1", At: Position{"playbooks/tour.yml", 52, 7}}}
	s.tally.Add(r)
	s.add(r)
	s.begin(8, 0, "Gone", "power")
	r = Result{At: At{Step: s.step.Step, Target: "lab"}, Status: Unreachable, Error: NewFailure(errors.Join(
		&virt.Error{Kind: virt.ErrUnreachable, Object: virt.Ref{Kind: virt.KindHost, Name: "n1"}, Summary: "does not answer", Err: context.DeadlineExceeded, Hint: "is it up?"},
		&virt.Error{Kind: virt.ErrUnreachable, Object: virt.Ref{Kind: virt.KindHost, Name: "n2"}, Summary: "does not answer", Found: "line one\nline two"}))}
	s.tally.Add(r)
	s.add(r)
	return append(s.end(), RunEnded{ExitCode: 2, Status: "failed", Error: "2 of 3 steps failed"})
}

func TestFailures(t *testing.T) {
	out, progress := view(t, Options{}, failure()...)
	golden(t, "failure.txt", out)
	golden(t, "failure_progress.txt", progress)
}

func TestQuiet(t *testing.T) {
	var out, progress bytes.Buffer
	show(t, NewQuiet(&out, &progress, Options{Now: fixedClock}), append(tour().events, failure()...)...)
	golden(t, "quiet.txt", out.Bytes())
}

func plan() *script {
	s := newScript(true, 6, Target{"e15", "engine"}, lab)
	s.begin(1, 0, "VLAN for the web tier", "create_vlan")
	s.item("e15", nil, Result{Status: OK}, 100*time.Millisecond)
	s.item("lab", nil, Result{Status: Changed}, 100*time.Millisecond, applied{vlan, vlanOut})
	s.begin(2, 0, "Web servers", "create_vm")
	made := createWeb("web-1", "n1")
	made[0].out.Fields[4].After = virt.UnknownValue
	s.item("lab", &Item{0, 1, "web-1"}, Result{Status: Changed}, 200*time.Millisecond, made...)
	s.begin(3, 0, "Deploy", "guest_exec")
	s.item("lab", nil, Result{Status: Changed, WouldRun: true}, 0,
		applied{virt.GuestExec{On: onVM("web-1"), Command: virt.Command{Argv: []string{"sh", "-c", "echo it's"}}}, virt.Outcome{Changed: true}})
	s.begin(4, 0, "Tell the monitoring", "local_exec")
	s.item("lab", nil, Result{Status: Undecided, Reason: "when needs web.address of lab"}, 0)
	s.begin(5, 0, "More CPU", "set_cpu")
	s.item("lab", nil, Result{Status: Undecided, Maybe: true, Reason: "when"}, 0, applied{cpu, cpuOut})
	s.begin(6, 0, "Only engines", "set_vm")
	s.item("lab", nil, Result{Status: Skipped, Reason: `when: target.kind == "engine"`}, 0)
	return s
}

func TestPlan(t *testing.T) {
	out, _ := view(t, Options{}, plan().end()...)
	golden(t, "plan.txt", out)
}

func TestPlanWithNothingToDo(t *testing.T) {
	s := newScript(true, 1, lab)
	s.begin(1, 0, "More CPU", "set_cpu")
	s.item("lab", nil, Result{Status: OK}, 0)
	out, _ := view(t, Options{}, s.end()...)
	if !strings.HasSuffix(string(out), "\n\nnothing to do\n") {
		t.Errorf("the plan ends with %q", out)
	}
}

func TestPlanThatStopped(t *testing.T) {
	s := newScript(true, 1, lab)
	s.begin(1, 0, "More CPU", "set_cpu")
	s.item("lab", nil, Result{Status: Failed, Error: &Failure{Summary: "is not there"}}, 0)
	out, _ := view(t, Options{}, s.end()...)
	if strings.Contains(string(out), "nothing to do") || !strings.Contains(string(out), "\nincomplete: it stopped on 1 target\n") {
		t.Errorf("the plan ends with %q", out)
	}
}

func TestDiff(t *testing.T) {
	s := plan()
	s.begin(7, 0, "Describe", "set_vm")
	s.item("lab", nil, Result{Status: Changed}, 0, applied{virt.SetVM{On: onVM("web-1")}, virt.Outcome{Changed: true, Fields: []virt.FieldChange{
		{Path: "description", Before: "one\ntwo\nthree\n", After: "one\n2\nthree\n"},
		{Path: "title", Before: "", After: "a web server"},
		{Path: "boot", Before: []string{"hd"}, After: []string{"network", "hd"}},
		{Path: "autostart", Before: false, After: true},
		{Path: "cpu.topology", Before: virt.Topology{Sockets: 2}, After: virt.Topology{Sockets: 1, Cores: 2}},
		{Path: "disks.data.size", After: 3 * virt.GiB / 2, Unit: "bytes"},
	}}})
	s.begin(8, 0, "Old ones", "delete_vm")
	s.item("lab", nil, Result{Status: Changed}, 0, applied{virt.DeleteVM{On: onVM("old"), Volumes: true},
		virt.Outcome{Changed: true, Fields: []virt.FieldChange{{Path: "vm", Before: "old"}, {Path: "volume", Before: "default/old-root.qcow2"}}}})
	out, _ := view(t, Options{Diff: true}, s.end()...)
	golden(t, "diff.txt", out)
}

func TestVerbose(t *testing.T) {
	s := newScript(false, 2, lab)
	s.begin(1, 0, "Is it there", "guest_exec")
	s.add(ItemStarted{At{Step: s.step.Step, Target: "lab"}})
	s.add(Progress{At: At{Step: s.step.Step, Target: "lab"}, What: "waiting for the command"})
	s.item("lab", nil, Result{At: At{Attempt: 3}, Status: Changed, Output: map[string]any{"rc": 0, "stdout": "one\n\ttwo\n", "lines": []string{"one", "two"}}}, 0,
		applied{virt.GuestExec{On: onVM("web-1"), Command: virt.Command{Shell: "ls\nls"}}, virt.Outcome{Changed: true, Result: &virt.CommandResult{Stdout: "one\ntwo\n"}}})
	s.begin(2, 0, "More CPU", "set_cpu")
	s.item("lab", nil, Result{Status: OK}, 0, applied{cpu, virt.Outcome{}})
	s.begin(3, 0, "nginx is up", "guest_exec")
	s.item("lab", nil, Result{Status: OK}, 0, applied{nginx, virt.Outcome{Changed: true, Result: &virt.CommandResult{RC: 3, Stdout: "inactive\n"}}})
	out, progress := view(t, Options{Verbose: 2}, s.end()...)
	golden(t, "verbose.txt", out)
	golden(t, "verbose_progress.txt", progress)
}

func TestFreeStrategy(t *testing.T) {
	s := newScript(false, 9, Target{"n1", "node"}, Target{"a-longer-name", "node"})
	s.add(PlayStarted{Play: "p", Name: "Free", Index: 2, Total: 2, Targets: []string{"n1", "a-longer-name"}, Strategy: "free"})
	first := StepStarted{Step: "a", Name: "First", Word: "set_cpu", Index: 1, Total: 12, Targets: []string{"n1"}}
	second := StepStarted{Step: "b", Word: "power", Index: 12, Total: 12, Targets: []string{"n1"}}
	s.add(first)
	s.step = first
	s.item("n1", nil, Result{Status: OK}, 0)
	s.add(second)
	s.add(StepStarted{Step: "a", Name: "First", Word: "set_cpu", Index: 1, Total: 12, Targets: []string{"a-longer-name"}})
	s.item("a-longer-name", nil, Result{Status: Changed}, 0, applied{cpu, cpuOut}, applied{mem, memOut})
	s.step = second
	s.item("n1", nil, Result{Status: OK}, 65*time.Second)
	out, _ := view(t, Options{}, s.end()...)
	golden(t, "free.txt", out)
}

// A command that is asked again and again shows its last answer, and none where
// its author says that it only looks.
func TestAttempts(t *testing.T) {
	s := newScript(false, 2, lab)
	s.begin(1, 0, "nginx is up", "guest_exec")
	at := At{Step: s.step.Step, Target: "lab"}
	for at.Attempt = 1; at.Attempt <= 3; at.Attempt++ {
		i := NewIntent(at, 1, nginx)
		s.add(ItemStarted{at})
		s.add(i)
		s.add(NewOutcome(i, virt.Outcome{Changed: true, Result: &virt.CommandResult{RC: 3 - at.Attempt}}, nil, 0))
	}
	at.Attempt--
	s.add(Result{At: at, Status: Changed})
	s.begin(2, 0, "nginx is up", "guest_exec")
	s.item("lab", nil, Result{Status: OK}, 0, applied{nginx, virt.Outcome{Changed: true}})
	out, _ := view(t, Options{}, s.end()...)
	golden(t, "attempts.txt", out)
}

// Two items side by side tell of their changes alternately; each result still is
// one block.
func TestParallelItemsDoNotInterleave(t *testing.T) {
	s := newScript(false, 1, lab)
	s.begin(1, 2, "Web servers", "create_vm")
	var ends []Event
	for i, name := range []string{"web-1", "web-2"} {
		at := At{Step: s.step.Step, Target: "lab", Item: &Item{i, 2, name}}
		s.add(ItemStarted{at})
		ends = append(ends, Result{At: at, Status: Changed})
	}
	for n := range 3 {
		for i, name := range []string{"web-1", "web-2"} {
			at := At{Step: s.step.Step, Target: "lab", Item: &Item{i, 2, name}}
			a := createWeb(name, "n1")[n]
			intent := NewIntent(at, n+1, a.c)
			s.add(intent)
			s.add(NewOutcome(intent, a.out, nil, 0))
		}
	}
	s.events = append(s.events, ends[1], ends[0])
	out, _ := view(t, Options{}, s.events...)
	golden(t, "parallel.txt", out)
}

func TestOther(t *testing.T) {
	s := newScript(false, 4, lab)
	s.add(PlayStarted{Play: "p", Name: "Web", Index: 2, Total: 3, Batch: 1, Batches: 2, Targets: []string{"lab"}})
	s.begin(1, 0, "debug", "debug")
	at := At{Step: s.step.Step, Target: "lab"}
	s.add(Message{At: at, Text: "first\n\x1b[2Jsecond\u202e"})
	s.add(Message{At: at, Text: "only with -vv", Verbosity: 2})
	s.item("lab", nil, Result{Status: OK}, 0)
	s.begin(2, 0, "Memory", "set_memory")
	s.item("lab", nil, Result{Status: OK, Pending: true, Object: &virt.Ref{Kind: virt.KindVM, Name: "web-2"}, PendingFields: memOut.Pending}, 0)
	s.begin(3, 3, "Rule", "set_vm")
	for i, l := range []string{"a", "b"} {
		s.item("lab", &Item{i, 3, l}, Result{Status: OK}, 0)
	}
	s.item("lab", &Item{2, 3, "c"}, Result{Status: Changed}, 0, applied{cpu, cpuOut})
	s.add(Warning{At: At{Target: "lab"}, Text: "n2 does not answer", Position: Position{"a.yml", 3, 0}})
	s.add(Warning{Text: "two\nlines"})
	s.add(StepStarted{Step: "h", Name: "smoke test", Word: "guest_exec", Handler: true})
	s.add(Result{At: At{Step: "h", Target: "lab"}, Status: Skipped, Items: 0, Reason: "the loop is empty"})
	s.add(Result{At: At{Step: "never started", Target: "e"}, Status: Rescued, Error: &Failure{}})
	out, progress := view(t, Options{}, s.end()...)
	golden(t, "other.txt", out)
	golden(t, "other_progress.txt", progress)
}
