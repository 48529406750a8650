package step

import (
	"context"
	"fmt"
	"time"

	"github.com/nactl/nactl/virt"
)

// Env is what a step can reach. The runner makes one for each call of Ensure.
type Env struct {
	Target   Target
	Platform virt.Platform // nil for a step that needs no target
	Local    Local         // the controller
	Files    Files         // the project's files
	Dir      string        // the project's folder: that of the playbook
	Run      string        // id of the run

	// Image finds what the inventory calls an image, for this target.
	Image func(name string) (virt.ImageSource, error)
	// Wait calls look until it is satisfied, or until the time is over: then the
	// error is virt.ErrTimeout and says what was still waited for. Between two looks
	// it waits for a signal or for the interval to pass. In a plan it looks once.
	Wait func(ctx context.Context, w Waiting) error
	// Sleep passes the time; in a plan none passes.
	Sleep func(ctx context.Context, d time.Duration) error
	// Ask shows a prompt and gives the line that is typed; ok is false where nobody
	// can type.
	Ask func(ctx context.Context, prompt string) (answer string, ok bool, err error)
	// Warn tells people something that is no failure.
	Warn func(message string)
	// Message shows people what a step was made to show.
	Message func(text string)
	// Pending notes fields whose stored value is right and whose live value is not.
	Pending func(ref virt.Ref, p []virt.Pending)
	// Unfinished allows the step to work on a VM that bears the unfinished mark.
	Unfinished bool
}

// Target is where a step runs.
type Target struct {
	Name   string
	Kind   string // node, cluster, engine
	Groups []string
}

// Local is the controller: the machine that nactl runs on.
type Local = virt.Controller

// Files reads files of the project.
type Files interface {
	// ReadFile reads a file by its path relative to the playbook's folder.
	ReadFile(path string) ([]byte, error)
}

// Waiting is something that a step waits for.
type Waiting struct {
	What     string        // what is waited for, as "the guest agent of vm web-1"
	VM       string        // whose events are worth a new look; may be empty
	Timeout  time.Duration // over all
	Interval time.Duration // between two looks without an event; 0 = one second, growing to three
	// Look tells whether it is there, and if not, what is still missing. An error
	// ends the waiting.
	Look func(ctx context.Context) (done bool, missing string, err error)
}

// VM reads a VM that a step is to work on. One that an interrupted run left
// unfinished is refused, unless the step finishes or deletes such VMs.
func (e *Env) VM(ctx context.Context, name string) (*virt.VM, error) {
	vm, err := e.Platform.VM(ctx, name)
	if err != nil {
		return nil, err
	}
	if vm.Unfinished != "" && !e.Unfinished {
		return nil, &virt.Error{Kind: virt.ErrConflict, Object: vm.Ref(), Summary: "is unfinished",
			Found: fmt.Sprintf("run %s was interrupted while making it", vm.Unfinished),
			Hint:  "finish it by running its create_vm again, or delete it with delete_vm"}
	}
	return vm, nil
}

// Apply makes a change, unless the object is already as wanted: then nothing is
// sent, and what is pending is noted.
func (e *Env) Apply(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	return apply(ctx, e, e.Platform, c)
}

// ApplyLocal makes a change on the controller.
func (e *Env) ApplyLocal(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	return apply(ctx, e, e.Local, c)
}

func apply(ctx context.Context, e *Env, a virt.Applier, c virt.Change) (virt.Outcome, error) {
	if err := a.Supports(c); err != nil {
		return virt.Outcome{}, err
	}
	if c.Nature() == virt.Converge {
		_, out, err := a.Predict(c.Seen(), c)
		if err != nil {
			return out, err
		}
		if !out.Changed {
			e.note(c.Object(), out)
			e.warn(c.Object(), out)
			return out, nil
		}
	}
	// The runner tells of what is applied, warnings included.
	out, err := a.Apply(ctx, c)
	if err == nil {
		e.note(c.Object(), out)
	}
	return out, err
}

func (e *Env) note(ref virt.Ref, out virt.Outcome) {
	if len(out.Pending) > 0 && e.Pending != nil {
		e.Pending(ref, out.Pending)
	}
}

func (e *Env) warn(ref virt.Ref, out virt.Outcome) {
	if e.Warn != nil {
		for _, w := range out.Warnings {
			e.Warn(fmt.Sprintf("%s: %s", ref, w))
		}
	}
}
