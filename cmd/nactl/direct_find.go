package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt"
)

// found is a VM on the target that has it.
type found struct {
	target   string
	platform virt.Platform
	vm       *virt.VM // nil where the target was named, and nobody had to look
}

// purpose is what a VM is looked for.
type purpose bool

// To change something, one has to know that it is the only one of its name.
const (
	toRead   purpose = false
	toChange purpose = true
)

// find finds a VM by its name on all targets side by side. One that is on several
// of them is an error that lists these. Where a target cannot be asked, what
// changes something is refused, for the VM may be there, too; what only reads goes
// on with a warning. To change something on the only target there is, nobody has
// to look.
func (d *direct) find(name string, why purpose) (*found, error) {
	if name == "" {
		return nil, exitError{engine.ExitOptions, errors.New("the name of the VM is empty")}
	}
	if len(d.targets) == 1 && why == toChange {
		p, err := d.conns.open(d.ctx, d.targets[0].Name)
		return &found{target: d.targets[0].Name, platform: p}, d.readError(err)
	}
	all, errs := make([]*found, len(d.targets)), make([]error, len(d.targets))
	var wg sync.WaitGroup
	for i, t := range d.targets {
		wg.Go(func() {
			p, err := d.conns.open(d.ctx, t.Name)
			if err != nil {
				errs[i] = err
				return
			}
			vm, err := p.VM(d.ctx, name)
			if err == nil {
				all[i] = &found{target: t.Name, platform: p, vm: vm}
			} else if !isNoVM(err) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	if d.ctx.Err() != nil {
		return nil, interruptedError(d.ctx, d.ctx.Err())
	}
	return d.only(name, why, all, errs)
}

// isNoVM tells whether an error says that the VM is not there, not that something
// else is not.
func isNoVM(err error) bool {
	var e *virt.Error
	return errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Object.Kind == virt.KindVM
}

// only gives the one that was found, if there is just one.
func (d *direct) only(name string, why purpose, all []*found, errs []error) (*found, error) {
	var fit []*found
	var away []string
	for i, t := range d.targets {
		if all[i] != nil {
			fit = append(fit, all[i])
		}
		switch {
		case errs[i] == nil:
		case isAway(errs[i]):
			away = append(away, fmt.Sprintf("%s: %v", t.Name, errs[i]))
		default:
			return nil, d.readError(fmt.Errorf("%s: %w", t.Name, errs[i]))
		}
	}
	if len(away) > 0 && (why == toChange || len(fit) == 0) {
		return nil, exitError{engine.ExitUnreachable, fmt.Errorf("vm %s may be where it could not be looked for:\n  %s\nname the target with --target", name, strings.Join(away, "\n  "))}
	}
	for _, text := range away {
		fmt.Fprintf(d.app.stderr, "nactl: warning: %s\n", text)
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return nil, exitError{engine.ExitFailed, fmt.Errorf("vm %s is not there: looked for on %s", name, d.among())}
	}
	var on []string
	for _, f := range fit {
		on = append(on, fmt.Sprintf("%s (%s)", f.target, f.vm.State))
	}
	return nil, exitError{engine.ExitOptions, fmt.Errorf("vm %s is on several targets: %s; name one with --target", name, strings.Join(on, ", "))}
}

// among names the targets that were asked.
func (d *direct) among() string {
	const most = 8
	var names []string
	for i, t := range d.targets {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(d.targets)-most))
			break
		}
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// target gives the one target that a command works on that finds no VM: the one
// that was named, or the only one there is.
func (d *direct) target() (string, error) {
	if len(d.targets) == 1 {
		return d.targets[0].Name, nil
	}
	return "", exitError{engine.ExitOptions, fmt.Errorf("say where, with --target: %s", d.among())}
}
