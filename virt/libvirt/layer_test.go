//go:build cgo

package libvirt

import (
	"errors"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

const externalSnapshot = `<domainsnapshot><name>s</name><memory snapshot='no'/>
<disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/p/v-root.s.qcow2'/></disk><disk name='sda' snapshot='no'/></disks>
<domain><name>v</name><devices><disk device='disk'><source file='/p/v-root.r.qcow2'/><backingStore><source file='/p/v-root.qcow2'/></backingStore><target dev='vda'/></disk></devices></domain></domainsnapshot>`

func TestLayersOf(t *testing.T) {
	got, err := layersOf(externalSnapshot)
	if err != nil || len(got) != 1 || got[0] != (layer{"s", "vda", "/p/v-root.s.qcow2", "/p/v-root.r.qcow2"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := layersOf(`<domainsnapshot><name>s</name><disks><disk name='vda' snapshot='internal'/></disks></domainsnapshot>`); err != nil || len(got) != 0 {
		t.Errorf("an internal one: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "<domainsnapshot>", "no XML <"} {
		if got, err := layersOf(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	// Merged images are replaced wherever a later snapshot names them.
	edited := withoutLayers(externalSnapshot, []layer{{over: "/p/v-root.r.qcow2", under: "/p/v-root.qcow2"}})
	if strings.Contains(edited, "v-root.r.") || strings.Count(edited, "/p/v-root.qcow2") != 2 || !strings.Contains(edited, "/p/v-root.s.qcow2") {
		t.Errorf("%s", edited)
	}
	if edited := withoutLayers(externalSnapshot, []layer{{over: "/p/other", under: "/p/x"}}); edited != "" {
		t.Errorf("one that is not concerned became %s", edited)
	}
}

// Two snapshots never get one file, and a disk keeps its name under them.
func TestLayerFile(t *testing.T) {
	k := virt.Disk{Name: "root", Path: virt.Some("/p/web-root.qcow2")}
	seen := map[string]string{}
	for snapshot, want := range map[string]string{"before-1": "/p/web-root.before-1.qcow2", "a b": "", "a/b": "", "../x": "", "é": "", "a-b": "/p/web-root.a-b.qcow2"} {
		got := layerFile("web", k, snapshot)
		if want != "" && got != want || !strings.HasPrefix(got, "/p/web-root.") || strings.Count(got, "/") != 2 || seen[got] != "" {
			t.Errorf("%q gives %s, as %q", snapshot, got, seen[got])
		}
		seen[got] = snapshot
		if name := diskName("web", virt.Disk{Target: "vda", Path: virt.Some(got)}); name != "root" {
			t.Errorf("%s: the disk is called %q", got, name)
		}
	}
}

func TestExternalNeeds(t *testing.T) {
	n := &Node{}
	ref := virt.SnapshotRef("v", "s")
	file := virt.Disk{Name: "root", Device: "disk", Path: virt.Some("/p/x.qcow2")}
	for name, tt := range map[string]struct {
		vm   virt.VM
		c    virt.CreateSnapshot
		want error
	}{
		"fine":           {virt.VM{State: virt.Running, Disks: []virt.Disk{file}}, virt.CreateSnapshot{}, nil},
		"memory":         {virt.VM{State: virt.Running, Disks: []virt.Disk{file}}, virt.CreateSnapshot{Memory: virt.Some(true)}, virt.ErrUnsupported},
		"no agent":       {virt.VM{State: virt.Running, Disks: []virt.Disk{file}}, virt.CreateSnapshot{Quiesce: virt.Some(true)}, virt.ErrAgent},
		"off, no agent":  {virt.VM{State: virt.Stopped, Disks: []virt.Disk{file}}, virt.CreateSnapshot{Quiesce: virt.Some(true)}, nil},
		"suspended":      {virt.VM{State: virt.Suspended, Disks: []virt.Disk{file}}, virt.CreateSnapshot{}, virt.ErrConflict},
		"no disk":        {virt.VM{State: virt.Stopped, Disks: []virt.Disk{{Device: "cdrom"}}}, virt.CreateSnapshot{}, virt.ErrUnsupported},
		"logical volume": {virt.VM{State: virt.Stopped, Disks: []virt.Disk{{Name: "lv", Device: "disk", Path: virt.Some("/dev/vg/x")}}}, virt.CreateSnapshot{}, virt.ErrUnsupported},
		"network disk":   {virt.VM{State: virt.Stopped, Disks: []virt.Disk{{Name: "rbd", Device: "disk", Path: virt.Some("pool/x")}}}, virt.CreateSnapshot{}, virt.ErrUnsupported},
	} {
		tt.c.Ref = ref
		err := errors.Join(n.checkExternal(&tt.vm, tt.c)...)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
