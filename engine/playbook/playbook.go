// Package playbook turns the text of a playbook into a typed Playbook, and makes
// every check that needs no target.
//
// Loading has two parts. Load reads the structure: keys, words, the arguments
// that are literal. Compile then compiles the expressions of one play, once it is
// known which names its targets bring. Both report every mistake at once and at
// its place; nothing is opened or started by either. A loaded Playbook does not
// change and is safe for concurrent use.
package playbook

import (
	"cmp"
	"slices"
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Playbook is one file.
type Playbook struct {
	File  string
	Plays []*Play
}

// Play is a list of steps for some targets.
type Play struct {
	ID      string
	Name    string
	Range   diag.Range
	Targets *source.Node // a pattern, or a list of patterns
	Vars    []Var        // in the order of their precedence: vars_files, then vars
	Forks   int          // 0 = the run's
	Timeout time.Duration
	NoLog   bool
	Tags    []string
	Body    []Node  // the steps and blocks, in order
	Steps   []*Step // all steps of Body, those in blocks too, in the order of the text
	// Handlers run when a step that changed something has notified them: in the
	// order in which they stand, each once, at the end of the play and at a Flush.
	Handlers      []*Step
	Inputs        []Input
	Prompts       []Prompt // what it asks for before the run
	Defaults      []Var    // of Inputs
	ForceHandlers bool     // also on targets that failed

	Serial            *source.Node // nil = all targets together; see the function Serial
	Strategy          Strategy
	AnyErrorsFatal    bool
	MaxFailPercentage virt.Opt[int] // of a batch; more, and the run ends

	environment     []*source.Node // one, or none
	roles           []Node
	vars, varsFiles []Var // where Vars come from
	varsMissing     bool  // a file of variables could not be read
}

// Strategy is how the targets of a play keep step.
type Strategy string

// The strategies.
const (
	Linear Strategy = "linear" // a step ends on all targets before the next begins; the default
	Free   Strategy = "free"   // each target goes as fast as it can
)

// Leaves describes the variables that the play's steps set and register, for the
// plays that follow. A step that was skipped leaves none.
func (p *Play) Leaves() map[string]expr.Field {
	out := map[string]expr.Field{}
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		for name, f := range s.fields() {
			if before, ok := out[name]; ok {
				f.Type = expr.Union(before.Type, f.Type)
			}
			f.Optional = true
			out[name] = f
		}
	}
	return out
}

// Var is a variable with its value, which may hold expressions.
type Var struct {
	Name  string
	Value *source.Node
	Range diag.Range // of the name
	// Template is set by Compile.
	Template *expr.Template
}

// Step is one step of a play.
type Step struct {
	ID    string
	Name  string // as written; may hold expressions
	Word  string
	Spec  *step.Spec
	Range diag.Range
	Args  *source.Node // always a mapping

	Loop         *source.Node
	LoopVar      string
	LoopLabel    *source.Node
	Parallel     int
	Register     string
	Retries      int
	Delay        time.Duration
	Timeout      time.Duration
	Tags         []string
	Vars         []Var
	Defaults     []Var // of its role: what a play says wins over them
	Role         *Role // that it belongs to, or nil
	IgnoreErrors bool
	NoLog        bool
	Verify       bool
	CheckMode    bool           // predicted even in a play
	RunOnce      bool           // on one target, for all of the batch
	Throttle     int            // at most so many targets side by side; 0 = as the play
	DelegateTo   *source.Node   // the target on which it acts; nil = the one that it runs for
	Environment  []*source.Node // of the commands that it runs: the play's, those of blocks, its own
	Notify       []*Step        // the handlers that a change of this step is for

	notify []*source.Node // as written
	listen []string       // topics, of a handler
	rescue bool           // it runs only when others failed
	// conditional says that the step has a when of its own, beside that of a block.
	conditional bool

	when, until, changedWhen, failedWhen *source.Node

	args step.Step // decoded as far as they are literal; nil where there are errors

	// Compiled holds the expressions, once Compile was called.
	Compiled Compiled
}

// Title is the step's name as it is written, else its word.
func (s *Step) Title() string { return cmp.Or(s.Name, s.Word) }

// Compiled are the expressions of a step. A nil condition was not written.
type Compiled struct {
	Name        *expr.Template
	DelegateTo  *expr.Template
	Environment []*expr.Template // of a step that runs commands
	Args        *expr.Template
	Conditions  map[string]*expr.Condition // of the arguments that are conditions
	Loop        *expr.Template
	LoopLabel   *expr.Template
	When        *expr.Condition
	Until       *expr.Condition
	ChangedWhen *expr.Condition
	FailedWhen  *expr.Condition
}
