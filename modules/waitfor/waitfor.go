// Package waitfor is the step wait_for: something that a VM has to come to.
package waitfor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/modules/vmfacts"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of wait_for.
type Args struct {
	VM      string        `arg:"vm,required,identity" doc:"name of the VM"`
	For     string        `arg:"for" enum:"agent|ip|ssh|port|state" default:"agent" doc:"what to wait for"`
	State   string        `arg:"state" enum:"running|stopped|paused|suspended" doc:"with for: state"`
	Port    int           `arg:"port" min:"1" max:"65535" doc:"with for: port, or for: ssh (then 22)"`
	Network string        `arg:"network" doc:"with for: ip, a network in CIDR notation that the address has to be in"`
	Timeout step.Duration `arg:"timeout" default:"5m" doc:"how long to wait in all"`
}

// Output is what wait_for gives.
type Output struct {
	IP      virt.Opt[string] `json:"ip"`      // with for: ip
	Banner  virt.Opt[string] `json:"banner"`  // what the server said first, with for: ssh and for: port
	Elapsed float64          `json:"elapsed"` // seconds
}

// Spec describes wait_for.
var Spec = &step.Spec{
	Name:    "wait_for",
	Summary: "Waits until a VM's agent answers, it has an address, a port or SSH answers, or it is in a state",
	Doc:     "Looks again at the platform's events, and otherwise every one to three seconds. Says what is still missing. A plan looks once and does not wait.",
	New:     func() step.Step { return &Args{} },
	Output:  Output{},
	Example: `- name: Until it can be reached
  wait_for: {vm: web-1, for: ssh, timeout: 2m}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	switch {
	case (a.For == "state") != v.Given("state"):
		v.Errorf("state", "state belongs to for: state, which needs it")
	case a.For == "port" && a.Port == 0:
		v.Errorf("for", "for: port needs a port")
	case v.Given("port") && a.For != "port" && a.For != "ssh":
		v.Errorf("port", "port belongs to for: port and for: ssh")
	case v.Given("network") && a.For != "ip":
		v.Errorf("network", "network belongs to for: ip")
	}
	if a.Network != "" {
		if _, err := netip.ParsePrefix(a.Network); err != nil {
			v.Errorf("network", "wanted a network such as 10.0.0.0/24, found %q", a.Network)
		}
	}
}

// Ensure waits.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	out := Output{}
	start := time.Now()
	look := map[string]func(context.Context, *step.Env, *Output) (bool, string, error){
		"agent": a.agent, "ip": a.ip, "ssh": a.ssh, "port": a.port, "state": a.state,
	}[a.For]
	err := env.Wait(ctx, step.Waiting{
		What: a.what(), VM: a.VM, Timeout: time.Duration(a.Timeout),
		Look: func(ctx context.Context) (bool, string, error) { return look(ctx, env, &out) },
	})
	out.Elapsed = time.Since(start).Round(time.Millisecond).Seconds()
	return step.Result{Output: out}, err
}

func (a *Args) what() string {
	switch a.For {
	case "agent":
		return "the guest agent of vm " + a.VM
	case "ip":
		return "an address of vm " + a.VM
	case "state":
		return fmt.Sprintf("vm %s to be %s", a.VM, a.State)
	default:
		return fmt.Sprintf("%s on vm %s", a.For, a.VM)
	}
}

func (a *Args) state(ctx context.Context, env *step.Env, _ *Output) (bool, string, error) {
	env.Platform.Forget(virt.VMRef(a.VM))
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return false, "", err
	}
	return string(vm.State) == a.State, "it is " + string(vm.State), nil
}

// running looks at the VM first, for a guest that does not run never answers.
func (a *Args) running(ctx context.Context, env *step.Env) (missing string, err error) {
	env.Platform.Forget(virt.VMRef(a.VM))
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return "", err
	}
	if vm.State != virt.Running {
		return fmt.Sprintf("it is %s, not running", vm.State), nil
	}
	return "", nil
}

func (a *Args) info(ctx context.Context, env *step.Env) (*virt.GuestInfo, string, error) {
	missing, err := a.running(ctx, env)
	if err != nil || missing != "" {
		return nil, missing, err
	}
	info, err := env.Platform.GuestInfo(ctx, a.VM)
	switch {
	case err != nil:
		return nil, "", err
	case info.Agent == virt.AgentAbsent:
		return nil, "", &virt.Error{Kind: virt.ErrAgent, Object: virt.VMRef(a.VM), Summary: "has no channel for a guest agent",
			Hint: "add a virtio channel called org.qemu.guest_agent.0, and install qemu-guest-agent in the guest"}
	case info.Agent != virt.AgentConnected:
		return nil, "the guest agent does not answer", nil
	}
	return info, "", nil
}

func (a *Args) agent(ctx context.Context, env *step.Env, _ *Output) (bool, string, error) {
	info, missing, err := a.info(ctx, env)
	return info != nil, missing, err
}

func (a *Args) ip(ctx context.Context, env *step.Env, out *Output) (bool, string, error) {
	info, missing, err := a.info(ctx, env)
	if info == nil {
		return false, missing, err
	}
	addresses := vmfacts.Addresses(info)
	if a.Network != "" {
		within := netip.MustParsePrefix(a.Network)
		var fit []string
		for _, text := range addresses {
			if ip, err := netip.ParseAddr(text); err == nil && within.Contains(ip) {
				fit = append(fit, text)
			}
		}
		if len(fit) == 0 {
			return false, "the guest has " + list(addresses) + ", none in " + a.Network, nil
		}
		addresses = fit
	}
	ip := vmfacts.FirstIP(addresses)
	if ip == "" {
		return false, "the guest has no address", nil
	}
	out.IP = virt.Some(ip)
	return true, "", nil
}

func list(addresses []string) string {
	if len(addresses) == 0 {
		return "no address"
	}
	return strings.Join(addresses, ", ")
}

func (a *Args) port(ctx context.Context, env *step.Env, out *Output) (bool, string, error) {
	missing, err := a.running(ctx, env)
	if err != nil || missing != "" {
		return false, missing, err
	}
	banner, err := env.Platform.GuestPort(ctx, a.VM, a.Port)
	if errors.Is(err, virt.ErrAgent) {
		return false, err.Error(), nil
	}
	out.Banner = virt.Some(banner)
	return err == nil, "", err
}

func (a *Args) ssh(ctx context.Context, env *step.Env, out *Output) (bool, string, error) {
	if a.Port == 0 {
		a.Port = 22
	}
	done, missing, err := a.port(ctx, env, out)
	if banner := out.Banner.Or(""); done && !strings.HasPrefix(banner, "SSH-") {
		return false, fmt.Sprintf("port %d answers with %q, not with SSH", a.Port, banner), nil
	}
	return done, missing, err
}
