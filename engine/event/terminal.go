package event

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say how the terminal view looks. Whether there is a terminal, and what
// the user's environment says about colours, is the caller's affair.
type Options struct {
	Color   bool
	Live    bool       // progress goes to a terminal: what runs is shown below, and redrawn
	Width   func() int // columns of the terminal, asked for before each output; nil or 0: lines are not wrapped
	Verbose int        // the number of -v
	Diff    bool       // differences of texts, and all fields of what is made or removed
	Brief   bool       // results alone, with neither headers nor recap
	// Heartbeat is how often a line is written about what takes long where there is
	// no live region; 0 = 30 s.
	Heartbeat time.Duration
	Now       func() time.Time // nil = time.Now
}

// rightEdge is the column at which times end where the terminal is not narrower.
const rightEdge = 100

// Terminal shows a run to people. Results and the recap go to one writer,
// progress and warnings to the other.
//
// It has one goroutine, which draws and beats, and ends with Close.
type Terminal struct {
	out, progress io.Writer
	o             Options
	quiet         bool
	stop, stopped chan struct{}

	mu      sync.Mutex // guards what follows
	err     error      // of a write that happened between two records
	check   bool
	free    bool
	targetW int
	steps   map[string]*stepState
	current string // the step whose header was printed last
	blank   bool   // whether the last line that was printed is an empty one
	active  []*activity
	region  int // lines of the live region that are drawn now
	drawn   time.Time
}

type stepState struct {
	StepStarted
	announced bool
	printed   map[string]bool // targets of which items were shown
}

// activity is what runs now: a step on a target, for one item.
type activity struct {
	at       At
	started  time.Time
	reported time.Time // when a line was last written about it
	progress Progress
	changes  []change
	messages []string
}

// NewTerminal makes the view. out and progress stay open.
func NewTerminal(out, progress io.Writer, o Options) *Terminal {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 30 * time.Second
	}
	t := &Terminal{out: out, progress: progress, o: o, steps: map[string]*stepState{},
		stop: make(chan struct{}), stopped: make(chan struct{})}
	go t.beat()
	return t
}

// NewQuiet makes a view of failures and the recap only.
func NewQuiet(out, progress io.Writer, o Options) *Terminal {
	o.Live = false
	t := NewTerminal(out, progress, o)
	t.mu.Lock()
	t.quiet = true
	t.mu.Unlock()
	return t
}

// String names the reader in errors.
func (*Terminal) String() string { return "the terminal" }

// Close implements Reader: the live region is removed.
func (t *Terminal) Close() error {
	close(t.stop)
	<-t.stopped
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active = nil
	t.erase()
	return t.takeErr()
}

// Read implements Reader.
func (t *Terminal) Read(r Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out, warn strings.Builder
	switch e := r.Event.(type) {
	case RunStarted:
		t.runStarted(&out, r.Run, e)
	case PlayStarted:
		t.playStarted(&out, e)
	case StepStarted:
		t.stepStarted(&out, e)
	case ItemStarted:
		t.activity(e.At)
	case Progress:
		t.progressed(&warn, e)
	case Intent:
		a := t.activity(e.At)
		a.changes = append(a.changes, change{intent: e})
	case Outcome:
		t.outcome(&warn, e)
	case Warning:
		t.warn(&warn, e.At, e.Text, e.Position)
	case Message:
		t.message(&out, e)
	case Result:
		t.result(&out, e)
	case StepEnded:
		t.active = slices.DeleteFunc(t.active, func(a *activity) bool {
			return a.at.Step == e.Step && (len(e.Targets) == 0 || slices.Contains(e.Targets, a.at.Target))
		})
	case Recap:
		t.active = nil
		t.recap(&out, e)
	case RunEnded:
		t.runEnded(&warn, e)
	}
	t.write(out.String(), warn.String())
	return t.takeErr()
}

// write puts finished lines above the live region.
func (t *Terminal) write(out, warn string) {
	if out == "" && warn == "" {
		return
	}
	t.erase()
	if out != "" {
		_, err := io.WriteString(t.out, out)
		t.keep(err)
	}
	if warn != "" {
		_, err := io.WriteString(t.progress, warn)
		t.keep(err)
	}
	t.draw()
}

func (t *Terminal) keep(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *Terminal) takeErr() error {
	err := t.err
	t.err = nil
	return err
}

// width gives the columns of the terminal, 0 for no limit.
func (t *Terminal) width() int {
	if t.o.Width == nil {
		return 0
	}
	return t.o.Width()
}

// edge is the column at which times end. The last one of the terminal stays
// free: some go to the next line as soon as it is written.
func (t *Terminal) edge() int {
	if w := t.width(); w > 0 && w <= rightEdge {
		return w - 1
	}
	return rightEdge
}

func (t *Terminal) runStarted(b *strings.Builder, run string, e RunStarted) {
	t.check = e.Check
	for _, target := range e.Targets {
		t.targetW = max(t.targetW, width(oneLine(target.Name)))
	}
	if t.quiet || t.o.Brief {
		return
	}
	word := "play"
	if e.Check {
		word = "plan"
	}
	left := "nactl " + word + " " + oneLine(strings.Join(e.Playbooks, " "))
	right := []string{"run " + oneLine(run)}
	if e.Resumes != "" {
		right = append(right, "goes on with "+oneLine(e.Resumes))
	}
	right = append(right, targets(e.Targets), count(e.Steps, "step"))
	t.edged(b, t.paint(bold, left), left, strings.Join(right, " · "))
	b.WriteByte('\n')
	t.blank = true
}

// targets counts targets by kind: "1 cluster, 2 nodes".
func targets(all []Target) string {
	var parts []string
	for _, kind := range []string{"engine", "cluster", "node"} {
		n := 0
		for _, t := range all {
			if t.Kind == kind {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, count(n, kind))
		}
	}
	if len(parts) == 0 {
		return count(len(all), "target")
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// edged writes left, and right so that it ends at the right edge. shown is left
// without colours.
func (t *Terminal) edged(b *strings.Builder, left, shown, right string) {
	b.WriteString(left)
	if right != "" {
		b.WriteString(strings.Repeat(" ", max(2, t.edge()-width(shown)-width(right))))
		b.WriteString(t.paint(dim, right))
	}
	b.WriteByte('\n')
}

func (t *Terminal) playStarted(b *strings.Builder, e PlayStarted) {
	t.free = e.Strategy == "free"
	for _, name := range e.Targets {
		t.targetW = max(t.targetW, width(oneLine(name)))
	}
	if t.quiet || e.Total < 2 && e.Batches < 2 {
		return
	}
	parts := []string{fmt.Sprintf("PLAY %d/%d", e.Index, e.Total)}
	if e.Name != "" {
		parts = append(parts, oneLine(e.Name))
	}
	if e.Batches > 1 {
		parts = append(parts, fmt.Sprintf("batch %d/%d: %s", e.Batch, e.Batches, oneLine(strings.Join(e.Targets, ", "))))
	}
	if !t.blank {
		b.WriteByte('\n')
	}
	b.WriteString(t.paint(bold, strings.Join(parts, " · ")) + "\n")
	t.current, t.blank = "", false
}

func (t *Terminal) stepStarted(b *strings.Builder, e StepStarted) {
	s := t.steps[e.Step]
	if s == nil || !t.free {
		s = &stepState{printed: map[string]bool{}}
		t.steps[e.Step] = s
	}
	s.StepStarted = e
	if t.quiet {
		return
	}
	t.header(b, s)
}

// header announces a step: with the linear strategy whenever what follows is of
// another step than what stands above, with the free one once, for there each
// line carries its step.
func (t *Terminal) header(b *strings.Builder, s *stepState) {
	if s == nil || t.o.Brief || t.free && s.announced || !t.free && t.current == s.Step && s.announced {
		return
	}
	s.announced, t.current, t.blank = true, s.Step, false
	title := t.mark(s) + " " + titleOf(s)
	if s.Items > 0 {
		title += " · " + count(s.Items, "item")
	}
	left := t.paint(bold, title)
	right := ""
	if t.o.Verbose >= 1 {
		right = oneLine(s.Position.String())
	}
	t.edged(b, left, title, right)
}

// mark numbers a step.
func (t *Terminal) mark(s *stepState) string {
	if s.Handler {
		return "[handler]"
	}
	if s.Total == 0 {
		return "[·]"
	}
	total := fmt.Sprint(s.Total)
	return fmt.Sprintf("[%*d/%s]", len(total), s.Index, total)
}

func titleOf(s *stepState) string {
	word := oneLine(s.Word)
	if s.Name == "" || s.Name == s.Word {
		return word
	}
	return oneLine(s.Name) + " · " + word
}

// find gives what runs there; nil when nothing does.
func (t *Terminal) find(at At) *activity {
	for _, a := range t.active {
		if same(a.at, at) {
			a.at.Attempt = at.Attempt
			return a
		}
	}
	return nil
}

// activity finds what runs, or notes that it does.
func (t *Terminal) activity(at At) *activity {
	if a := t.find(at); a != nil {
		return a
	}
	now := t.o.Now()
	a := &activity{at: at, started: now, reported: now}
	if at.Step != "" && at.Target != "" {
		t.active = append(t.active, a)
	}
	return a
}

func same(a, b At) bool {
	if a.Step != b.Step || a.Target != b.Target || (a.Item == nil) != (b.Item == nil) {
		return false
	}
	return a.Item == nil || a.Item.Index == b.Item.Index
}

func (t *Terminal) outcome(warn *strings.Builder, e Outcome) {
	a := t.activity(e.At)
	for i := range a.changes {
		if c := &a.changes[i]; c.intent.N == e.N && c.outcome == nil {
			c.outcome = &e
			break
		}
	}
	for _, w := range e.Warnings {
		t.warn(warn, e.At, w, Position{})
	}
	a.progress = Progress{}
}

func (t *Terminal) warn(b *strings.Builder, at At, text string, p Position) {
	parts := []string{t.paint(magenta, "warning:")}
	if at.Target != "" {
		parts = append(parts, oneLine(at.Target)+":")
	}
	if at.Item != nil && at.Item.Label != "" {
		parts = append(parts, oneLine(at.Item.Label)+":")
	}
	all := lines(text)
	if len(all) == 0 {
		return
	}
	parts = append(parts, all[0])
	if p.File != "" {
		parts = append(parts, "("+oneLine(p.String())+")")
	}
	b.WriteString(strings.Join(parts, " ") + "\n")
	for _, l := range all[1:] {
		b.WriteString("         " + l + "\n")
	}
}

func (t *Terminal) message(b *strings.Builder, e Message) {
	if t.quiet || e.Verbosity > t.o.Verbose {
		return
	}
	if e.Step != "" && e.Target != "" {
		a := t.activity(e.At)
		a.messages = append(a.messages, e.Text)
		return
	}
	for _, l := range lines(e.Text) {
		b.WriteString(l + "\n")
	}
	t.blank = false
}

func (t *Terminal) recap(b *strings.Builder, e Recap) {
	if t.o.Brief {
		return
	}
	if !t.blank {
		b.WriteByte('\n')
	}
	b.WriteString(t.paint(bold, "PLAY RECAP") + "\n")
	t.recapLines(b, e)
	if e.Plan != nil {
		b.WriteString("\n" + t.paint(bold, planLine(*e.Plan, e.Targets)) + "\n")
	}
	t.blank = false
}

func (t *Terminal) runEnded(warn *strings.Builder, e RunEnded) {
	all := lines(e.Error)
	if len(all) == 0 {
		return
	}
	warn.WriteString(t.paint(red, "error:") + " " + all[0] + "\n")
	for _, l := range all[1:] {
		warn.WriteString("       " + l + "\n")
	}
}

// The colours, as parameters of SGR.
const (
	bold    = "1"
	dim     = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	magenta = "35"
	cyan    = "36"
)

func (t *Terminal) paint(color, s string) string {
	if !t.o.Color || color == "" || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
