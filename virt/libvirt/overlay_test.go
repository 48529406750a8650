//go:build cgo

package libvirt

import (
	"strings"
	"testing"
)

const overlayBase = `<domain type='qemu'>
  <name>web</name>
  <!-- kept -->
  <memory unit='KiB'>1048576</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <cpu mode='custom'><model>Westmere</model><feature policy='require' name='aes'/></cpu>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><target dev='vda' bus='virtio'/><unknown to='us'/></disk>
    <disk type='file' device='disk'><target dev='vdb' bus='virtio'/></disk>
    <interface type='network'><mac address='52:54:00:aa:bb:cc'/><source network='lan'/><alias name='ua-nic1'/></interface>
    <controller type='pci' index='1' model='pcie-root-port'><address type='pci' slot='0x05'/></controller>
  </devices>
</domain>`

func TestMergeOverlay(t *testing.T) {
	for _, tc := range []struct {
		name, overlay string
		want          []string // in the merged XML
		gone          []string
		unchanged     bool
	}{
		{name: "nothing said", overlay: `<domain/>`, unchanged: true},
		{name: "already there", overlay: `<domain type="qemu"><os><boot dev="hd"/></os><devices><disk><target dev="vda"/></disk></devices></domain>`, unchanged: true},
		{name: "units", overlay: `<domain><memory unit="GiB">1</memory></domain>`, unchanged: true},
		{name: "other memory", overlay: `<domain><memory unit="GiB">2</memory></domain>`, want: []string{`<memory unit='GiB'>2</memory>`}},
		{name: "hexadecimal", overlay: `<domain><devices><controller type="pci" index="1"><address slot="5"/></controller></devices></domain>`, unchanged: true},
		{name: "machine alias", overlay: `<domain><os><type machine="q35"/></os></domain>`, unchanged: true},
		{name: "MAC in capitals", overlay: `<domain><devices><interface><mac address="52:54:00:AA:BB:CC"/></interface></devices></domain>`, unchanged: true},
		{name: "by target", overlay: `<domain><devices><disk><target dev="vdb"/><driver cache="none"/></disk></devices></domain>`,
			want: []string{`<target dev='vdb' bus='virtio'/><driver cache='none'/>`, `<unknown to='us'/>`, "<!-- kept -->"}},
		{name: "by alias", overlay: `<domain><devices><interface><alias name="ua-nic1"/><model type="e1000"/></interface></devices></domain>`,
			want: []string{`<alias name='ua-nic1'/><model type='e1000'/>`}},
		{name: "new device after its like", overlay: `<domain><devices><disk type="file"><target dev="vdc"/></disk></devices></domain>`,
			want: []string{`<target dev='vdb' bus='virtio'/></disk><disk type='file'><target dev='vdc'/></disk>`}},
		{name: "further feature", overlay: `<domain><cpu><feature policy="disable" name="svm"/></cpu></domain>`,
			want: []string{`name='aes'/><feature policy='disable' name='svm'/>`}},
		{name: "feature changed", overlay: `<domain><cpu><feature policy="disable" name="aes"/></cpu></domain>`,
			want: []string{`<feature policy='disable' name='aes'/>`}},
		{name: "text", overlay: `<domain><cpu><model>Nehalem</model></cpu></domain>`, want: []string{"<model>Nehalem</model>"}, gone: []string{"Westmere"}},
		{name: "removal", overlay: `<domain xmlns:nactl="https://nactl.dev/xmlns/1"><features><acpi nactl:remove="yes"/></features><devices><disk nactl:remove="yes"><target dev="vda"/></disk></devices></domain>`,
			gone: []string{"<acpi", "vda", "xmlns:nactl"}, want: []string{"vdb"}},
		{name: "removal of what is not there", overlay: `<domain xmlns:nactl="https://nactl.dev/xmlns/1"><devices><tpm nactl:remove="yes"/></devices></domain>`, unchanged: true},
		{name: "command line", overlay: `<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><qemu:commandline><qemu:arg value="-device"/><qemu:arg value="a"/><qemu:arg value="-device"/><qemu:arg value="b"/></qemu:commandline></domain>`,
			want: []string{`xmlns:qemu=`, `<qemu:arg value='-device'/><qemu:arg value='a'/><qemu:arg value='-device'/><qemu:arg value='b'/>`}},
		{name: "host device", overlay: `<domain><devices><hostdev mode="subsystem" type="pci"><source><address bus="3" slot="0"/></source></hostdev></devices></domain>`,
			want: []string{"<hostdev"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, changed, err := mergeOverlay(overlayBase, tc.overlay)
			if err != nil {
				t.Fatal(err)
			}
			if changed == tc.unchanged {
				t.Errorf("changed: %v", changed)
			}
			flat := strings.ReplaceAll(got, `"`, "'")
			for _, w := range tc.want {
				if !strings.Contains(flat, w) {
					t.Errorf("%s is not in\n%s", w, flat)
				}
			}
			for _, g := range tc.gone {
				if strings.Contains(flat, g) {
					t.Errorf("%s is still in\n%s", g, flat)
				}
			}
			if _, again, err := mergeOverlay(got, tc.overlay); err != nil || again {
				t.Errorf("merged again: changed %v, %v", again, err)
			}
		})
	}
}

func TestOverlayRefuses(t *testing.T) {
	for overlay, want := range map[string]string{
		"":                                      "root",
		"<devices/>":                            "root",
		"<domain><name>x</name></domain>":       "<name>",
		"<domain>":                              "libvirt XML",
		"<domain><a b='1'/><a b='2'/></domain>": "contradicts itself",
		"<domain><uuid>x</uuid></domain>":       "<uuid>",
		"<domain><devices><disk/></devices></domain>":                                      "target dev",
		"<domain><devices><interface><source network='x'/></interface></devices></domain>": "mac address",
	} {
		if _, _, err := mergeOverlay(overlayBase, overlay); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", overlay, err, want)
		}
	}
}

func FuzzOverlay(f *testing.F) {
	f.Add(overlayBase, `<domain xmlns:nactl="u"><features><acpi nactl:remove="yes"/></features><memory unit="GiB">2</memory></domain>`)
	f.Add(overlayBase, `<domain><qemu:commandline xmlns:qemu="q"><qemu:arg value="x"/><qemu:env name="a"/></qemu:commandline></domain>`)
	f.Add(`<domain><devices><hostdev/></devices></domain>`, `<domain><devices><hostdev><source><a b="1"/></source></hostdev></devices></domain>`)
	f.Add(`<domain/>`, overlayBase[:20]+`<x/><x y="1"/></domain>`)
	f.Fuzz(func(t *testing.T, base, overlay string) {
		merged, changed, err := mergeOverlay(base, overlay)
		if err != nil || !changed {
			return
		}
		if _, _, err := domainTree(merged); err != nil {
			t.Fatalf("merging %q into %q made what is no domain: %v\n%s", overlay, base, err, merged)
		}
		if _, again, err := mergeOverlay(merged, overlay); again || err != nil {
			t.Fatalf("merging %q into %q is not over after once: %v\n%s", overlay, base, err, merged)
		}
	})
}
