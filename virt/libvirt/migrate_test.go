//go:build cgo

package libvirt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

func TestRenameNetworks(t *testing.T) {
	const domain = `<domain type="kvm"><devices>
<interface type="network"><mac address="52:54:00:00:00:01"/><source network="lan" portgroup="vlan7" portid="1-2" bridge="br0"/><model type="virtio"/></interface>
<interface type="network"><source network="dmz" portgroup="vlan7"/></interface>
<interface type="bridge"><source bridge="lan"/></interface>
<interface type="user"/>
<vendor:thing xmlns:vendor="urn:x" keep="me"/>
</devices></domain>`
	got, err := renameNetworks(domain, map[string]string{"lan": "lan2"})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(domain, `<source network="lan" portgroup="vlan7" portid="1-2" bridge="br0"/>`, `<source network="lan2" portgroup="vlan7"/>`, 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := renameNetworks("<domain", nil); err == nil {
		t.Error("broken XML is no error")
	}
}

func TestVolumeLike(t *testing.T) {
	got, err := volumeLike(`<volume type="file"><name>web-root.qcow2</name><key>/pool/web-root.qcow2</key><capacity unit="bytes">1024</capacity>` +
		`<allocation unit="bytes">512</allocation><physical unit="bytes">512</physical><target><path>/pool/web-root.qcow2</path><format type="qcow2"/>` +
		`<permissions><mode>0600</mode></permissions><timestamps/><compat>1.1</compat></target><backingStore><path>/pool/base</path><format type="qcow2"/></backingStore></volume>`)
	if err != nil {
		t.Fatal(err)
	}
	want := `<volume type="file"><name>web-root.qcow2</name><capacity unit="bytes">1024</capacity><target><format type="qcow2"/><compat>1.1</compat></target>` +
		`<backingStore><path>/pool/base</path><format type="qcow2"/></backingStore><allocation>0</allocation></volume>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "<volume", "<pool/>"} {
		if _, err := volumeLike(bad); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

func TestMoveSummary(t *testing.T) {
	for _, tc := range []struct {
		moved virt.Moved
		live  bool
		want  string
	}{
		{virt.Moved{Bytes: 256*virt.MiB + 99, Elapsed: 1234 * time.Millisecond, Downtime: 84 * time.Millisecond}, true, "256 MiB in 1.2 s, down 84 ms"},
		{virt.Moved{Elapsed: 42 * time.Millisecond}, false, "its definition in 42 ms"},
		{virt.Moved{Bytes: 20 * virt.GiB, Elapsed: 3 * time.Minute}, false, "20 GiB in 180.0 s"},
	} {
		if got := summary(&tc.moved, tc.live); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestMoveProgress(t *testing.T) {
	for _, tc := range []struct {
		name string
		job  lv.DomainJobInfo
		want virt.Progress
	}{
		{"memory", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 400, MemBps: 100}, virt.Progress{What: "moving memory", Done: 600, Total: 1000, Unit: "bytes", ETA: 4 * time.Second}},
		{"disks first", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 900, DiskRemaining: 500}, virt.Progress{What: "copying disks", Done: 100, Total: 1000, Unit: "bytes"}},
		{"the guest writes faster than we send", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 1500, MemBps: 1}, virt.Progress{What: "moving memory", Done: 0, Total: 1000, Unit: "bytes", ETA: 1500 * time.Second}},
	} {
		if diff := cmp.Diff(tc.want, progressOf(&tc.job)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestPlaceSays(t *testing.T) {
	for want, p := range map[string]place{
		"it is not on n2":                        {node: "n2"},
		"it runs on n1":                          {node: "n1", there: true, active: true, state: lv.DOMAIN_RUNNING},
		"it is stopped on n1":                    {node: "n1", there: true, state: lv.DOMAIN_SHUTOFF},
		"it is paused on n1":                     {node: "n1", there: true, active: true, state: lv.DOMAIN_PAUSED, reason: int(lv.DOMAIN_PAUSED_USER)},
		"on n2 it waits for the end of the move": {node: "n2", there: true, active: true, state: lv.DOMAIN_PAUSED, reason: int(lv.DOMAIN_PAUSED_MIGRATION)},
		"n1 cannot be asked (gone)":              {node: "n1", err: errors.New("gone")},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What libvirt is asked for follows from the VM and the change.
func TestMoveFlags(t *testing.T) {
	shared := []virt.Disk{{Name: "root", Target: "vda"}}
	const persistent = lv.MIGRATE_PERSIST_DEST | lv.MIGRATE_UNDEFINE_SOURCE
	for _, tc := range []struct {
		name string
		m    move
		want lv.DomainMigrateFlags
		disk []string
	}{
		{"live", move{active: true, persistent: true, c: virt.Migrate{Live: true}, plan: movePlan{stay: shared}},
			persistent | lv.MIGRATE_LIVE | lv.MIGRATE_AUTO_CONVERGE | lv.MIGRATE_ABORT_ON_ERROR, nil},
		{"standing still", move{active: true, persistent: true}, persistent | lv.MIGRATE_ABORT_ON_ERROR, nil},
		{"transient", move{active: true}, lv.MIGRATE_ABORT_ON_ERROR, nil},
		{"stopped", move{persistent: true, c: virt.Migrate{Live: true}, plan: movePlan{copied: shared}}, persistent | lv.MIGRATE_OFFLINE, nil},
		{"copied", move{active: true, persistent: true, plan: movePlan{copied: append(shared, virt.Disk{Target: "sda", Device: "cdrom"})}},
			persistent | lv.MIGRATE_ABORT_ON_ERROR | lv.MIGRATE_NON_SHARED_DISK, []string{"vda"}},
	} {
		tc.m.to = &Node{}
		if got := tc.m.flags(); got != tc.want {
			t.Errorf("%s: flags %#x, want %#x", tc.name, got, tc.want)
		}
		if diff := cmp.Diff(tc.disk, tc.m.params().MigrateDisks); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	m := move{active: true, to: &Node{cfg: Config{Address: "fd00::2"}}, c: virt.Migrate{Bandwidth: virt.MiB/2 + 1}}
	if p := m.params(); p.Bandwidth != 1 || !p.BandwidthSet || p.URI != "tcp://[fd00::2]" {
		t.Errorf("%+v", p)
	}
}

func TestSameSource(t *testing.T) {
	nfs := virt.Storage{Type: "netfs", Source: "nas:/export/a"}
	other := virt.Storage{Type: "netfs", Source: "nas:/export/b"}
	dir := virt.Storage{Type: "dir", Path: "/srv"}
	if !sameSource(&nfs, &nfs) || sameSource(&nfs, &other) || sameSource(&dir, &dir) || sameSource(&nfs, &dir) {
		t.Error("only one place in the network is the same for two nodes")
	}
}
