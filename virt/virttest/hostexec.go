package virttest

import (
	"context"
	"strings"

	"github.com/nactl/nactl/virt"
)

// hostCommands run on a host of the platform. The name of a VM that is not there
// stands for a host that is not.
func (r *runner) hostCommands() []testCase {
	return []testCase{
		{kind: "host_exec", name: "true",
			object: func(vm string) virt.Ref {
				if strings.HasSuffix(vm, "ghost") {
					return hostRef(vm)
				}
				return hostRef(r.anyHost())
			},
			change: on(func(o virt.On) virt.HostExec {
				return virt.HostExec{On: o, Command: virt.Command{Argv: []string{"true"}}, Become: true}
			})},
	}
}

// anyHost names a host of the platform.
func (r *runner) anyHost() string {
	if r.host == "" {
		r.host = r.Prefix + "no-host"
		if hosts, err := r.p.Hosts(context.Background()); err == nil && len(hosts) > 0 {
			r.host = hosts[0].Name
		}
	}
	return r.host
}
