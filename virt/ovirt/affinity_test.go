package ovirt

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// regroup applies a change to an affinity group as it is now.
func regroup(t *testing.T, e *Engine, name string, change func(virt.On) virt.Change) (virt.Outcome, error) {
	t.Helper()
	on := virt.On{Ref: virt.AffinityRef("", name)}
	if g, err := e.AffinityGroup(t.Context(), "", name); err == nil {
		on.Before = g
	} else if !errors.Is(err, virt.ErrNotFound) {
		t.Fatal(err)
	}
	return e.Apply(t.Context(), change(on))
}

func threeVMs() ovirtsim.Options {
	o := small()
	for _, name := range []string{"a", "b", "c"} {
		o.VMs = append(o.VMs, ovirtsim.VM{Name: name, Cluster: "Default", Disks: []ovirtsim.Disk{{Size: virt.GiB}}})
	}
	return o
}

func names(list ...string) virt.Opt[[]string] { return virt.Some(list) }

func TestAffinityGroupBecomesWhatIsWanted(t *testing.T) {
	sim, e := simulated(t, threeVMs())
	negative := virt.AffinityRuleEdit{Affinity: virt.Some("negative"), Enforcing: virt.Some(true)}
	for _, step := range []struct {
		name   string
		change virt.SetAffinity
		writes int
		want   string
	}{
		{"new", virt.SetAffinity{VMs: names("b", "a"), VMRule: negative, Description: virt.Some("x & y")}, 3, "x & y [a b] [] negative true disabled false"},
		{"members in another order", virt.SetAffinity{VMs: names("a", "b", "a"), VMRule: negative}, 0, "x & y [a b] [] negative true disabled false"},
		{"one more", virt.SetAffinity{VMs: names("c"), AddOnly: true}, 1, "x & y [a b c] [] negative true disabled false"},
		{"nothing but one", virt.SetAffinity{VMs: names("c")}, 2, "x & y [c] [] negative true disabled false"},
		{"hosts and a softer rule", virt.SetAffinity{Hosts: names("host2"), HostRule: virt.AffinityRuleEdit{Affinity: virt.Some("positive")},
			VMRule: virt.AffinityRuleEdit{Enforcing: virt.Some(false)}}, 2, "x & y [c] [host2] negative false positive false"},
		{"no rule", virt.SetAffinity{VMRule: virt.AffinityRuleEdit{Affinity: virt.Some("disabled")}, VMs: names()}, 2, "x & y [] [host2] disabled false positive false"},
	} {
		before := sim.Count(isWrite)
		out, err := regroup(t, e, "g", func(o virt.On) virt.Change { step.change.On = o; return step.change })
		if err != nil || out.Changed != (step.writes > 0) {
			t.Fatalf("%s: %+v, %v", step.name, out, err)
		}
		if n := sim.Count(isWrite) - before; n != step.writes {
			t.Errorf("%s: %d requests that write, want %d", step.name, n, step.writes)
		}
		g, err := e.AffinityGroup(t.Context(), "", "g")
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(g.Description, " ", g.VMs, " ", g.Hosts, " ", g.VMRule.Affinity, " ", g.VMRule.Enforcing, " ", g.HostRule.Affinity, " ", g.HostRule.Enforcing)
		if got != step.want {
			t.Errorf("%s: it is %s, want %s", step.name, got, step.want)
		}
	}
	for _, changed := range []bool{true, false} {
		if out, err := regroup(t, e, "g", func(o virt.On) virt.Change { return virt.DeleteAffinity{On: o} }); err != nil || out.Changed != changed {
			t.Errorf("deleted: %+v, %v", out, err)
		}
	}
}

func TestAffinityGroupErrors(t *testing.T) {
	o := threeVMs()
	o.DataCenters[0].Clusters = append(o.DataCenters[0].Clusters, ovirtsim.Cluster{Name: "other", Hosts: []ovirtsim.Host{{Name: "far"}}})
	o.VMs = append(o.VMs, ovirtsim.VM{Name: "elsewhere", Cluster: "other"})
	_, e := simulated(t, o)
	for _, tt := range []struct {
		cluster string
		change  virt.SetAffinity
		kind    error
		text    string
	}{
		{"Default", virt.SetAffinity{VMs: names("a", "gone")}, virt.ErrNotFound, "vm gone"},
		{"Default", virt.SetAffinity{VMs: names("elsewhere")}, virt.ErrInvalid, "in another cluster"},
		{"Default", virt.SetAffinity{Hosts: names("far")}, virt.ErrInvalid, "not in its cluster"},
		{"Default", virt.SetAffinity{Hosts: names("host9")}, virt.ErrNotFound, "host host9"},
		{"none", virt.SetAffinity{}, virt.ErrNotFound, "cluster none"},
		{"", virt.SetAffinity{}, virt.ErrInvalid, "in which cluster"},
	} {
		tt.change.Ref = virt.AffinityRef(tt.cluster, "g")
		if _, err := e.Apply(t.Context(), tt.change); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %v with %q", tt.cluster, err, tt.kind, tt.text)
		}
	}
	if _, err := e.AffinityGroup(t.Context(), "Default", "g"); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("a group was made: %v", err)
	}
}

// Somebody makes a group of that name in the same moment: one with the same rules
// will do, another is a conflict.
func TestAffinityGroupThatIsTaken(t *testing.T) {
	_, e := simulated(t, threeVMs())
	ref := virt.AffinityRef("", "g")
	cluster, err := e.findCluster(t.Context(), ref, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var first affinityInfo
	for i, affinity := range []string{"positive", "positive", "negative"} {
		want := &virt.AffinityGroup{VMRule: virt.AffinityRule{Affinity: affinity}, HostRule: virt.AffinityRule{Affinity: "disabled"}}
		made, err := e.makeAffinity(t.Context(), ref, cluster.id, affinityGroupXML{VMsRule: ruleXML(want.VMRule), HostsRule: ruleXML(want.HostRule)}, want)
		switch {
		case i == 0 && err == nil:
			first = made
		case i == 1 && err == nil && made.id == first.id:
		case i == 2 && errors.Is(err, virt.ErrConflict):
		default:
			t.Errorf("time %d: %+v, %v", i+1, made, err)
		}
	}
}

// Whatever reply is lost, the step looks what became of it, and has not to be
// repeated.
func TestLostRepliesOfTagsAndGroupsAreLookedUp(t *testing.T) {
	for _, lost := range []string{"/tags", "/vms/*/tags", "/clusters/*/affinitygroups", "/clusters/*/affinitygroups/*/vms", "/clusters/*/affinitygroups/*/hosts"} {
		sim, e := simulated(t, threeVMs())
		sim.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", lost), Times: 1, LoseReply: true})
		apply(t, e, "a", retag(virt.TagEdit{Add: []string{"x"}}))
		tagged(t, e, "a", "x")
		set := virt.SetAffinity{VMs: names("a", "b"), Hosts: names("host1"), HostRule: virt.AffinityRuleEdit{Affinity: virt.Some("positive")}}
		if _, err := regroup(t, e, "g", func(o virt.On) virt.Change { set.On = o; return set }); err != nil {
			t.Errorf("%s: %v", lost, err)
		}
		if out, err := regroup(t, e, "g", func(o virt.On) virt.Change { set.On = o; return set }); err != nil || out.Changed {
			t.Errorf("%s: again: %+v, %v", lost, out, err)
		}
		if n := sim.Count(ovirtsim.On("POST", lost)); n > 2 {
			t.Errorf("%s: sent %d times", lost, n)
		}
	}
}

// Engines before 4.4 answer to a new member as to an action.
func TestMemberThatIsAnsweredAsAnAction(t *testing.T) {
	for status, wantErr := range map[string]bool{"complete": false, "failed": true} {
		s := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			switch {
			case r.Method == http.MethodPost:
				fmt.Fprintf(w, "<action><status>%s</status></action>", status)
			case wantErr:
				fmt.Fprint(w, "<vms/>")
			default:
				fmt.Fprint(w, `<vms><vm id="v1"/></vms>`)
			}
		})
		e := &Engine{Client: s.client(t)}
		err := e.addMember(t.Context(), []string{"clusters", "c1", "affinitygroups", "g1", "vms"}, "v1")
		if (err != nil) != wantErr {
			t.Errorf("%s: %v", status, err)
		}
	}
}
