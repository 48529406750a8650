// Package hostexec is the step host_exec: a command on a hypervisor.
package hostexec

import (
	"context"
	"fmt"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of host_exec.
type Args struct {
	Host   string         `arg:"host" doc:"only on this host; left out: on the node, or on every member of the cluster, side by side"`
	Become step.Opt[bool] `arg:"become" doc:"as root, by the become of the inventory; where that says nothing, as whoever is logged in; left out: true"`
	step.CommandArgs
}

// Output is what host_exec gives. Of several hosts the fields beside hosts are
// those of the first where the command failed, else of the first.
type Output struct {
	virt.CommandResult
	Hosts []HostOutput `json:"hosts"`
}

// HostOutput is how the command ended on one host.
type HostOutput struct {
	Host    string `json:"host"`
	Skipped string `json:"skipped,omitempty"` // why nothing was run there
	virt.CommandResult
}

// Spec describes host_exec.
var Spec = &step.Spec{
	Name:    "host_exec",
	Summary: "Runs a command on a hypervisor itself: over SSH, or here for the node that is this machine",
	Doc: "An exit status other than 0 is a failure, unless `failed_when` decides otherwise. Each run counts as a change, unless `creates`, `unless` or `changed_when` say otherwise; " +
		"on a cluster each member has guards of its own. When the time is over, the command and all that it started are ended.\n" +
		"`hosts` of what is registered says how it ended on each host. Where it failed on some, it has run on the others all the same.\n\n" +
		"An engine runs no commands on its hosts. There `hosts` of its entry in the inventory says how to log in to them, at the addresses that the engine knows.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.HostExec{}},
	Output:  Output{},
	Bare:    "shell",
	Touches: virt.KindHost,
	Example: `- name: The kernel is tuned
  host_exec:
    command: [sysctl, -w, vm.swappiness=10]
    unless: "test $(sysctl -n vm.swappiness) = 10"
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) { a.CommandArgs.Validate(v, "host_exec") }

// Ensure runs the command, unless its guards say that there is nothing to do.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	hosts, err := env.Hosts(ctx, a.Host)
	if err != nil {
		return step.Result{}, err
	}
	become := a.Become.Or(true)
	ends, err := step.OnEach(ctx, hosts, func(ctx context.Context, host string) (*HostOutput, error) {
		change := virt.HostExec{On: virt.OnHost(host), Command: a.Run(), Become: become}
		if err := env.Platform.Supports(change); err != nil {
			return nil, err
		}
		skip, err := a.guards(ctx, env, change)
		if err != nil || skip != "" {
			return &HostOutput{Host: host, Skipped: skip}, err
		}
		r, ok, err := virt.Do[*virt.CommandResult](ctx, env.Apply, change)
		if err != nil || !ok {
			return nil, err
		}
		return &HostOutput{Host: host, CommandResult: *r}, nil
	})
	return a.result(env, ends, err)
}

// result puts together how it went on all hosts.
func (a *Args) result(env *step.Env, ends []*HostOutput, err error) (step.Result, error) {
	out := Output{Hosts: []HostOutput{}}
	var failed []string
	ran, unknown := 0, false
	for _, end := range ends {
		if end == nil {
			unknown = true // it failed, or is only planned
			continue
		}
		out.Hosts = append(out.Hosts, *end)
		if end.Skipped != "" {
			continue
		}
		ran++
		_, bad := a.Outcome(env, &end.CommandResult)
		if bad != nil {
			failed = append(failed, end.Host)
		}
		if ran == 1 || bad != nil && len(failed) == 1 {
			out.CommandResult = end.CommandResult
		}
	}
	switch {
	case err != nil:
		return step.Result{Output: out}, err
	case unknown:
		return step.Result{}, nil // a plan: what it will say is not known
	case ran == 0 && len(out.Hosts) > 0:
		return step.Result{SkipReason: reason(out.Hosts), Output: out}, nil
	}
	result, err := a.Outcome(&step.Env{Warn: func(string) {}}, &out.CommandResult)
	result.Output = out
	if f, ok := err.(*step.Failure); ok && len(ends) > 1 {
		f.Message += " on " + strings.Join(failed, ", ")
	}
	return result, err
}

// reason says why no host ran the command.
func reason(hosts []HostOutput) string {
	for _, h := range hosts[1:] {
		if h.Skipped != hosts[0].Skipped {
			return fmt.Sprintf("nothing to do on any of %d hosts", len(hosts))
		}
	}
	return hosts[0].Skipped
}

// guards gives the reason why nothing is to be run on a host.
func (a *Args) guards(ctx context.Context, env *step.Env, change virt.HostExec) (string, error) {
	if a.Creates != "" {
		change.Command = virt.Command{Argv: []string{"test", "-e", a.Creates}, Dir: a.Chdir, Timeout: change.Command.Timeout}
		r, err := env.Platform.HostProbe(ctx, change)
		if err != nil {
			return "", err
		}
		if r.RC == 0 {
			return a.Creates + " exists", nil
		}
	}
	if a.Unless != nil {
		change.Command = a.Probe()
		r, err := env.Platform.HostProbe(ctx, change)
		if err != nil {
			return "", err
		}
		if r.RC == 0 {
			return "the unless command says so", nil
		}
	}
	return "", nil
}
