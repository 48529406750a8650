package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/planned"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Target is one target of a run, as the inventory describes it.
type Target struct {
	Name   string
	Kind   string // engine, node, cluster
	Groups []string
	Vars   map[string]*source.Node
}

// World is what a run needs from outside. All functions are safe for concurrent
// use.
type World struct {
	// Select gives the targets that a pattern names, or a list of patterns.
	Select func(pattern *source.Node) ([]Target, diag.List)
	// All are all targets of the inventory, and Groups their groups' members.
	All    []Target
	Groups map[string][]string
	// Beside gives the variables of all targets as the plays of a file see them that
	// another playbook imports; nil where they are those of All. A nil Beside says so
	// of all files.
	Beside func(file string) (map[string]map[string]*source.Node, diag.List)
	// Image finds what the inventory calls an image, for one target.
	Image func(target, name string) (virt.ImageSource, error)
	// Open gives the platform of a target. It is asked once for each, and the
	// runner closes none of them.
	Open func(ctx context.Context, target string) (virt.Platform, error)
	// Secret gives the value that a {secret: …} mapping stands for.
	Secret func(ctx context.Context, n *source.Node) (string, error)
	// Local is the controller.
	Local step.Local
	// Files reads files of the project that holds a playbook.
	Files func(playbook string) step.Files
	// Ask shows a prompt and reads a line, which is not shown when it is hidden; nil
	// where nobody can type.
	Ask func(ctx context.Context, prompt string, hidden bool) (string, error)
	// Host answers the functions env and file of expressions.
	Host expr.Host
}

// find gives the target that a text names.
func (w *World) find(n *source.Node) (Target, error) {
	name, ok := step.Text(n)
	var names []string
	for _, t := range w.All {
		if ok && t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if !ok {
		return Target{}, diag.Diagnostic{Range: n.Range, Rule: "delegate", Summary: fmt.Sprintf("delegate_to: wanted the name of a target, found %s", n.Kind)}
	}
	if name == "localhost" || name == "127.0.0.1" {
		return Target{}, diag.Diagnostic{Range: n.Range, Rule: "delegate", Summary: fmt.Sprintf("delegate_to: %s is no target; what runs on nactl's own machine is local_exec", name)}
	}
	return Target{}, diag.Diagnostic{Range: n.Range, Rule: "delegate",
		Summary: fmt.Sprintf("delegate_to: the inventory has no target %q%s", name, diag.DidYouMean(name, names))}
}

// Options are how a run is made.
type Options struct {
	RunID     string
	User      string
	Version   string
	Inventory []string
	Check     bool                    // a plan: nothing is changed
	Forks     int                     // targets side by side; 0 = 50
	Extra     map[string]*source.Node // -e
	Tags      []string                // only steps with one of these
	SkipTags  []string
	StartAt   string // the step to begin with, by its name or id
	Confirm   bool   // ask before each step
	// ForceHandlers runs notified handlers on targets that failed, too.
	ForceHandlers bool
	Verbosity     int
	Sink          event.Sink
	Mask          *event.Mask
	// Plan is a saved plan that the run is held to: it makes no other changes.
	Plan *planned.Plan
}

// DefaultForks is how many targets run side by side unless the user says
// otherwise.
const DefaultForks = 50

// verifyTimeout is how long live values have to settle after a change.
const verifyTimeout = 10 * time.Second

// Exit codes of a run. If several apply, the earlier in the order of exitCode's
// rules wins.
const (
	ExitOK          = 0
	ExitUnexpected  = 1
	ExitFailed      = 2
	ExitChanges     = 3
	ExitUnreachable = 4
	ExitOptions     = 5
	ExitInvalid     = 6
	ExitInterrupted = 130
	ExitTerminated  = 143
)
