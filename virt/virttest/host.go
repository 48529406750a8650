package virttest

import (
	"fmt"
	"testing"

	"github.com/nactl/nactl/virt"
)

func hostRef(name string) virt.Ref { return virt.Ref{Kind: virt.KindHost, Name: name} }

var (
	retire = on(func(o virt.On) virt.HostMaintenance {
		return virt.HostMaintenance{On: o, Reason: "new memory & a <fan>"}
	})
	activate = on(func(o virt.On) virt.HostActivate { return virt.HostActivate{On: o} })
)

// hosts go out of service and come back.
func hosts() []testCase {
	shows := func(state string, maintenance bool) func(virt.Object) error {
		return func(o virt.Object) error {
			if h, ok := o.(*virt.Host); !ok || h == nil || h.State != state || h.Maintenance != maintenance {
				return fmt.Errorf("it is %+v", o)
			}
			return nil
		}
	}
	return []testCase{
		{kind: "host_maintenance", name: "up", host: true, object: hostRef, change: retire, shows: shows("maintenance", true)},
		{kind: "host_activate", name: "maintenance", host: true, object: hostRef, arrange: []changeOf{retire}, change: activate, shows: shows("up", false)},
	}
}

// prepareHost brings the host where a case begins; afterwards it is up again.
func (r *runner) prepareHost(t *testing.T, c testCase) string {
	t.Helper()
	name := r.Elsewhere
	if r.unsupported(c) != "" {
		return name
	}
	ref := hostRef(name)
	t.Cleanup(func() { r.apply(t, activate(virt.On{Ref: ref, Before: r.look(t, ref)})) })
	for _, f := range c.arrange {
		r.apply(t, f(virt.On{Ref: ref, Before: r.look(t, ref)}))
	}
	return name
}

// cluster gives a cluster to move to, also where there is none.
func (r *runner) cluster() string {
	if r.OtherCluster == "" {
		return r.Prefix + "cluster"
	}
	return r.OtherCluster
}
