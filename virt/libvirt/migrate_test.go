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
		{"memory", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 400, MemBps: 100}, virt.Progress{What: "moving memory", Done: 600, Total: 1000, Unit: "bytes", Rate: 100, ETA: 4 * time.Second}},
		{"disks first", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 900, DiskRemaining: 500}, virt.Progress{What: "copying disks", Done: 100, Total: 1000, Unit: "bytes"}},
		{"the guest writes faster than we send", lv.DomainJobInfo{DataTotal: 1000, DataRemaining: 1500, MemBps: 1}, virt.Progress{What: "moving memory", Done: 0, Total: 1000, Unit: "bytes", Rate: 1, ETA: 1500 * time.Second}},
	} {
		if diff := cmp.Diff(tc.want, progressOf(&tc.job)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestPlaceSays(t *testing.T) {
	for want, p := range map[string]place{
		"it is not on n2":                                   {node: "n2"},
		"it runs on n1":                                     {node: "n1", there: true, active: true, state: lv.DOMAIN_RUNNING},
		"it is stopped on n1":                               {node: "n1", there: true, state: lv.DOMAIN_SHUTOFF},
		"it is paused on n1":                                {node: "n1", there: true, active: true, state: lv.DOMAIN_PAUSED, reason: int(lv.DOMAIN_PAUSED_USER)},
		"on n2 it waits for the end of the move":            {node: "n2", there: true, active: true, busy: true, state: lv.DOMAIN_PAUSED, reason: int(lv.DOMAIN_PAUSED_MIGRATION)},
		"on n2 it stands still after a move that broke off": {node: "n2", there: true, active: true, state: lv.DOMAIN_PAUSED, reason: int(lv.DOMAIN_PAUSED_MIGRATION)},
		"n1 cannot be asked (gone)":                         {node: "n1", err: errors.New("gone")},
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
		{"tuned", move{active: true, c: virt.Migrate{Live: true, Tuning: virt.Tuning{PostCopy: true, AutoConverge: virt.Some(false), Compressed: true}}},
			lv.MIGRATE_LIVE | lv.MIGRATE_POSTCOPY | lv.MIGRATE_COMPRESSED | lv.MIGRATE_ABORT_ON_ERROR, nil},
		{"side by side", move{active: true, c: virt.Migrate{Tuning: virt.Tuning{Parallel: 4}}}, lv.MIGRATE_PARALLEL | lv.MIGRATE_ABORT_ON_ERROR, nil},
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

func TestMarkArrival(t *testing.T) {
	for _, text := range []string{
		`<domain><name>web</name></domain>`,
		`<domain><name>web</name><metadata><v:x xmlns:v="urn:v">keep</v:x></metadata></domain>`,
		`<domain><name>web</name><metadata><a:arrived xmlns:a="https://nactl.dev/xmlns/move/1" from="n7"/></metadata></domain>`,
	} {
		got, err := markArrival(text, "n1")
		if err != nil {
			t.Fatal(err)
		}
		vm, err := parseDomain(got, "", domainFacts{})
		if err != nil || vm.Arrived != "n1" || strings.Count(got, "arrived") != 1 || strings.Contains(got, "keep") != strings.Contains(text, "keep") {
			t.Errorf("%s: %q, %v", got, vm.Arrived, err)
		}
	}
	for _, bad := range []string{"", "<domain", "<pool/>"} {
		if _, err := markArrival(bad, "n1"); err == nil {
			t.Errorf("%q is no error", bad)
		}
	}
}

// One VM on two nodes is either what a move has left, or two VMs that must not be
// touched.
func TestLeftOver(t *testing.T) {
	at := func(active, busy bool, state lv.DomainState, reason int) place {
		return place{uuid: "u", there: true, active: active, busy: busy, state: state, reason: reason}
	}
	runs := at(true, false, lv.DOMAIN_RUNNING, 0)
	moves := at(true, true, lv.DOMAIN_PAUSED, int(lv.DOMAIN_PAUSED_MIGRATION))
	stands := at(true, false, lv.DOMAIN_PAUSED, int(lv.DOMAIN_PAUSED_MIGRATION))
	held := at(true, false, lv.DOMAIN_PAUSED, int(lv.DOMAIN_PAUSED_USER))
	off := at(false, false, lv.DOMAIN_SHUTOFF, 0)
	other := runs
	other.uuid = "v"
	for _, tc := range []struct {
		name       string
		left, real place
		want       bool
	}{
		{"stands here, runs there", stands, runs, true},
		{"stands here, paused by somebody there", stands, held, true},
		{"stands on both", stands, stands, false},
		{"runs on both", runs, runs, false},
		{"still moves", moves, runs, false},
		{"arrives still", stands, moves, false},
		{"runs here, stands there", runs, stands, false},
		{"paused by somebody here", held, runs, false},
		{"defined here, runs there", off, runs, true},
		{"defined on both", off, off, true},
		{"another of that name", stands, other, false},
		{"nothing there", stands, place{}, false},
	} {
		if got := leftOver(tc.left, tc.real); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
