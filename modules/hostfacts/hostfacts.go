// Package hostfacts is the step host_facts: what is known of hypervisors.
package hostfacts

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of host_facts.
type Args struct {
	Host string `arg:"host" doc:"only of this host; left out: of the node, or of every host of the target"`
}

// Output is what host_facts gives: of one host its facts beside hosts, too.
type Output struct {
	virt.HostFacts
	Hosts []virt.HostFacts `json:"hosts"`
}

// Spec describes host_facts.
var Spec = &step.Spec{
	Name:    "host_facts",
	Summary: "Reads what is known of hypervisors: system, CPU, memory, versions, network interfaces, storage pools",
	Doc: "Of a node, its libvirt and the node itself are asked, by one command over its SSH connection; of an engine's host, the engine. " +
		"Always read afresh. Sizes are bytes, and what could not be found out is left out: `{{ node.qemu ?? 'none' }}`.\n" +
		"Where there are several hosts, the fields beside `hosts` are those of the first, by name.",
	New:    func() step.Step { return &Args{} },
	Output: Output{},
	Bare:   "host",
	Example: `- name: What is it
  host_facts: {}
  register: node
`,
}

// Ensure reads.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	hosts, err := env.Hosts(ctx, a.Host)
	if err != nil {
		return step.Result{}, err
	}
	facts, err := step.OnEach(ctx, hosts, func(ctx context.Context, host string) (*virt.HostFacts, error) {
		return env.Platform.HostFacts(ctx, host)
	})
	out := Output{Hosts: []virt.HostFacts{}}
	for _, f := range facts {
		if f != nil {
			out.Hosts = append(out.Hosts, *f)
		}
	}
	if len(out.Hosts) > 0 {
		out.HostFacts = out.Hosts[0]
	}
	return step.Result{Output: out}, err
}
