package virttest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// hostCommands run on a host of the platform. The name of a VM that is not there
// stands for a host that is not.
func (r *runner) hostCommands() []testCase {
	vlan := func(string) virt.Ref { return virt.HostVLANRef(r.anyHost(), "eth0.7") }
	makeVLAN := func(o virt.On) virt.Change {
		return virt.CreateHostVLAN{On: virt.On{Ref: vlan(""), Before: o.Before}, NIC: "eth0", ID: 7, Bridge: "br-7", Network: r.Prefix + "vlan"}
	}
	return []testCase{
		{kind: "create_host_vlan", name: "new", fresh: true, object: vlan, change: makeVLAN, shows: func(o virt.Object) error {
			if v, ok := o.(*virt.HostVLAN); !ok || v == nil || !v.Live || !v.Persistent || v.Bridge != "br-7" {
				return fmt.Errorf("it is %+v", o)
			}
			return nil
		}},
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

// deleteHostVLAN removes what the case create_host_vlan made: a dry run says so,
// and again there is nothing to do.
func (r *runner) deleteHostVLAN(t *testing.T) {
	ref := virt.HostVLANRef(r.anyHost(), "eth0.7")
	if r.Unsupported["create_host_vlan"] != "" {
		return // there can be none
	}
	change := virt.DeleteHostVLAN{On: virt.On{Ref: ref, Before: r.look(t, ref)}}
	dry := dryrun.New(r.p)
	if out, err := dry.Apply(t.Context(), change); err != nil || !out.Changed {
		t.Errorf("dry run: %+v, %v", out, err)
	}
	r.apply(t, change)
	if o := r.look(t, ref); o != nil {
		t.Errorf("it is still there: %+v", o)
	}
	if out, err := r.p.Apply(t.Context(), virt.DeleteHostVLAN{On: virt.On{Ref: ref}}); err != nil || out.Changed {
		t.Errorf("again: %+v, %v; want nothing to do", out, err)
	}
}
