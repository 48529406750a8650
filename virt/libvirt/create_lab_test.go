//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// labCreation makes a small guest from the lab's image, in the node's own pool.
func labCreation(t *testing.T, n *Node, name string) virt.CreateVM {
	t.Helper()
	img, err := n.Image(t.Context(), virt.ImageSource{Name: "tiny", Storage: "shared", Volume: "tiny.qcow2"})
	if err != nil {
		t.Fatal(err)
	}
	return virt.CreateVM{
		On: virt.On{Ref: virt.VMRef(name)}, Run: "run-1", Image: img, CPU: virt.CPU{Count: 1, Max: 2}, Memory: virt.Memory{Current: 128 * virt.MiB},
		Disks:     []virt.DiskSpec{{Name: "root", Boot: true, Storage: "images", Size: 200 * virt.MiB, Sparse: true, Format: "qcow2"}, {Name: "data", Storage: "images", Size: 32 * virt.MiB, Sparse: true}},
		NICs:      []virt.NICSpec{{Name: "nic1", Network: "lan"}},
		CloudInit: &virt.CloudInit{Hostname: name + "-guest", Run: [][]string{{"sh", "-c", "echo \"it's run\" > /root/ran"}}},
	}
}

// labRemove deletes a VM and what its tests left, by hand where nactl cannot.
func labRemove(t *testing.T, n *Node, name string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := n.withDomain(ctx, "remove a guest", name, func(_ *lv.Connect, d *lv.Domain) error {
		_ = d.Destroy() // it may not run
		return d.UndefineFlags(undefineFlags)
	})
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("remove %s: %v", name, err)
	}
	for _, v := range labVolumes(t, n, name) {
		if err := n.deleteVolume(ctx, "images", v); err != nil {
			t.Error(err)
		}
	}
	n.Forget()
}

// labVolumes lists the volumes of a VM, markers included.
func labVolumes(t *testing.T, n *Node, vm string) []string {
	t.Helper()
	var names []string
	err := n.read(context.WithoutCancel(t.Context()), "list volumes", func(c *lv.Connect) error {
		return withPool(c, "images", func(p *lv.StoragePool) error {
			all, err := p.ListStorageVolumes()
			names = nil
			for _, v := range all {
				if strings.HasPrefix(v, vm+"-") {
					names = append(names, v)
				}
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// labShared lists a VM's files in the shared pool.
func labShared(t *testing.T, n *Node, vm string) string {
	t.Helper()
	host, err := n.host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := host.Exec(t.Context(), ssh.Command{Shell: "ls /var/lib/libvirt/shared | grep '^" + vm + "-'"})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(r.Stdout))
}

func labShell(t *testing.T, n *Node, vm, script string) string {
	t.Helper()
	r, err := n.GuestProbe(t.Context(), vm, virt.Command{Shell: script})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(r.Stdout)
}

// labUntil looks into a guest until it shows what is wanted: it takes a moment
// to notice its devices.
func labUntil(t *testing.T, n *Node, vm, script, want string) {
	t.Helper()
	got := ""
	for range 100 {
		if got = labShell(t, n, vm, script); got == want {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("%s\ngives %q in the guest, want %q", script, got, want)
}

// sectors gives a disk of n MiB as /sys/block/*/size shows it.
func sectors(size int64) string { return strconv.FormatInt(size/512, 10) }

// TestLabVM makes a real guest and changes its devices while it runs.
func TestLabVM(t *testing.T) {
	n := labNode(t, "n1")
	const name = "l2-web"
	labRemove(t, n, name)
	t.Cleanup(func() { labRemove(t, n, name) })
	c := labCreation(t, n, name)
	want, _, err := n.Predict(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, n, c)
	samePrediction(t, want.(*virt.VM), observed(t, n, name))
	if got, want := fmt.Sprint(labVolumes(t, n, name)), "[l2-web-data.qcow2 l2-web-root.qcow2 l2-web-seed.iso]"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	began := time.Now()
	mustApply(t, n, virt.Start{On: virt.OnVM(observed(t, n, name))})
	labAgent(t, n, name)
	t.Logf("the agent answers %s after the start", time.Since(began).Round(time.Millisecond))
	mustApply(t, n, virt.FinishVM{On: virt.OnVM(observed(t, n, name))})

	t.Run("seed", func(t *testing.T) {
		labUntil(t, n, name, "hostname", name+"-guest")
		labUntil(t, n, name, "cat /root/ran", "it's run")
		labUntil(t, n, name, "cat /sys/block/vda/size", sectors(200*virt.MiB))
		labUntil(t, n, name, "cat /sys/block/vdb/size", sectors(32*virt.MiB))
		if kb, _ := strconv.Atoi(labShell(t, n, name, "df -k / | awk 'END { print $2 }'")); kb < 150<<10 {
			t.Errorf("the root file system has %d KiB on a disk of 200 MiB", kb)
		}
	})
	t.Run("disk", func(t *testing.T) {
		attach := virt.AttachDisk{On: virt.OnVM(observed(t, n, name)), Disk: virt.DiskSpec{Name: "logs", Storage: "images", Size: 16 * virt.MiB, Sparse: true, Serial: "logs"}}
		want, _, err := n.Predict(attach.Before, attach)
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, n, attach)
		vm := observed(t, n, name)
		samePrediction(t, want.(*virt.VM), vm)
		labUntil(t, n, name, "cat /sys/block/vdc/size /sys/block/vdc/serial", sectors(16*virt.MiB)+"\nlogs")
		mustApply(t, n, virt.ResizeDisk{On: virt.OnVM(vm), Disk: "logs", Size: 48 * virt.MiB})
		labUntil(t, n, name, "cat /sys/block/vdc/size", sectors(48*virt.MiB))
		if k := observed(t, n, name).Disk("logs"); k.Size != 48*virt.MiB {
			t.Errorf("grown to %d", k.Size)
		}
		labShell(t, n, name, "mkfs.ext4 -q /dev/vdc && mkdir -p /mnt && mount /dev/vdc /mnt && umount /mnt")
		began := time.Now()
		mustApply(t, n, virt.DetachDisk{On: virt.OnVM(observed(t, n, name)), Disk: "logs"})
		t.Logf("detached in %s", time.Since(began).Round(time.Millisecond))
		labUntil(t, n, name, "ls -d /sys/block/vdc 2>/dev/null || echo gone", "gone")
		if k := observed(t, n, name).Disk("logs"); k != nil {
			t.Errorf("still there: %+v", k)
		}
		// Its volume stayed, and is taken as it is.
		mustApply(t, n, virt.AttachDisk{On: virt.OnVM(observed(t, n, name)), Disk: virt.DiskSpec{Name: "logs", Storage: "images", Volume: "l2-web-logs.qcow2"}})
		labUntil(t, n, name, "mount /dev/vdc /mnt && umount /mnt && echo formatted", "formatted")
		mustApply(t, n, virt.DetachDisk{On: virt.OnVM(observed(t, n, name)), Disk: "logs", DeleteVolume: true})
		if got := fmt.Sprint(labVolumes(t, n, name)); strings.Contains(got, "logs") {
			t.Errorf("volumes %s", got)
		}
	})
	t.Run("half attached", func(t *testing.T) {
		// Somebody took it out of the definition only; it comes back there.
		err := n.withDomain(t.Context(), "detach", name, func(_ *lv.Connect, d *lv.Domain) error {
			e, err := deviceIn(d, false, byTarget("vdb"))
			if err != nil {
				return err
			}
			text, err := elementText(e)
			if err != nil {
				return err
			}
			return d.DetachDeviceFlags(text, lv.DOMAIN_DEVICE_MODIFY_CONFIG)
		})
		if err != nil {
			t.Fatal(err)
		}
		vm := observed(t, n, name)
		if in := vm.Disk("data").In; in != (virt.Presence{Live: true}) {
			t.Fatalf("it is in %+v", in)
		}
		mustApply(t, n, virt.AttachDisk{On: virt.OnVM(vm), Disk: virt.DiskSpec{Name: "data", Size: 32 * virt.MiB}})
		if in := observed(t, n, name).Disk("data").In; in != (virt.Presence{Live: true, Config: true}) {
			t.Errorf("it is in %+v", in)
		}
	})
	t.Run("nic", func(t *testing.T) {
		attach := virt.AttachNIC{On: virt.OnVM(observed(t, n, name)), NIC: virt.NICSpec{Name: "nic2", Network: "lan", MAC: "52:54:00:12:00:42"}}
		want, _, err := n.Predict(attach.Before, attach)
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, n, attach)
		samePrediction(t, want.(*virt.VM), observed(t, n, name))
		labUntil(t, n, name, "cat /sys/class/net/eth1/address", "52:54:00:12:00:42")
		mustApply(t, n, virt.ChangeNIC{On: virt.OnVM(observed(t, n, name)), NIC: "nic2", LinkUp: virt.Some(false)})
		labUntil(t, n, name, "cat /sys/class/net/eth1/carrier 2>/dev/null", "0")
		mustApply(t, n, virt.ChangeNIC{On: virt.OnVM(observed(t, n, name)), NIC: "nic2", Network: virt.Some("default"), LinkUp: virt.Some(true)})
		vm := observed(t, n, name)
		if nic := vm.NIC("nic2"); nic == nil || nic.Network != "default" || !nic.LinkUp || nic.MAC.Or("") != "52:54:00:12:00:42" || !nic.In.Live || !nic.In.Config {
			t.Errorf("moved: %+v", nic)
		}
		err = n.withDomain(t.Context(), "look", name, func(_ *lv.Connect, d *lv.Domain) error {
			e, err := deviceIn(d, true, byMAC("52:54:00:12:00:42"))
			if err == nil && attr(e, "source", "network") != "default" {
				t.Errorf("in the running VM it is on %q", attr(e, "source", "network"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		labUntil(t, n, name, "cat /sys/class/net/eth1/carrier 2>/dev/null", "1")
		mustApply(t, n, virt.DetachNIC{On: virt.OnVM(vm), NIC: "nic2"})
		labUntil(t, n, name, "ls -d /sys/class/net/eth1 2>/dev/null || echo gone", "gone")
	})
	t.Run("overlay", func(t *testing.T) {
		overlay := `<domain><memory unit="MiB">128</memory><devices><watchdog model="i6300esb" action="reset"/><disk><target dev="vda"/><driver detect_zeroes="unmap"/></disk></devices></domain>`
		mustApply(t, n, virt.SetVM{On: virt.OnVM(observed(t, n, name)), LibvirtXML: virt.Some(overlay)})
		if out, err := n.Apply(t.Context(), virt.SetVM{On: virt.OnVM(observed(t, n, name)), LibvirtXML: virt.Some(overlay)}); err != nil || out.Changed {
			t.Errorf("merged again: %+v, %v", out, err)
		}
	})
	mustApply(t, n, virt.DeleteVM{On: virt.OnVM(observed(t, n, name)), Volumes: true})
	if left := labVolumes(t, n, name); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
	if _, err := n.freshVM(t.Context(), name); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("after its deletion: %v", err)
	}
}

// TestLabVMCompleted breaks a creation off between two volumes, and completes it.
func TestLabVMCompleted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The volumes that are made by name alone are the marker of the first disk, that
	// of the second, and the second disk: that one is broken off as it is asked for.
	var made atomic.Int32
	n := labNodeCalling(t, "n1", func(program, procedure uint32) {
		if ProcedureName(program, procedure) == "storage_vol_create_xml" && made.Add(1) == 3 {
			cancel()
		}
	})
	const name = "l2-half"
	labRemove(t, n, name)
	t.Cleanup(func() { labRemove(t, n, name) })
	c := labCreation(t, n, name)
	c.Disks[1].Size, c.Disks[1].Sparse, c.Disks[1].Format = 600*virt.MiB, false, "raw"
	made.Store(0)
	_, err := n.Apply(ctx, c)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "unfinished") {
		t.Errorf("broken off: %v", err)
	}
	vm, err := n.freshVM(t.Context(), name)
	if err != nil || vm.Unfinished != "run-1" {
		t.Fatalf("after it was broken off: %+v, %v", vm, err)
	}
	left := fmt.Sprint(labVolumes(t, n, name))
	t.Logf("left: %s", left)
	if !strings.Contains(left, "l2-half-data.raw"+partSuffix) {
		t.Fatalf("no marker among %s", left)
	}

	c.On, c.Run = virt.OnVM(vm), "run-2"
	for attempt := 0; ; attempt++ {
		_, err := n.Apply(t.Context(), c)
		if errors.Is(err, virt.ErrBusy) && attempt < 100 { // the daemon still writes the old one
			time.Sleep(200 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	whole := observed(t, n, name)
	if whole.ID != vm.ID || whole.NICs[0].MAC != vm.NICs[0].MAC || whole.Unfinished != "run-2" {
		t.Errorf("completed %+v\nof %+v", whole, vm)
	}
	if got, want := fmt.Sprint(labVolumes(t, n, name)), "[l2-half-data.raw l2-half-root.qcow2 l2-half-seed.iso]"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	mustApply(t, n, virt.DeleteVM{On: virt.OnVM(whole), Volumes: true})
	if left := labVolumes(t, n, name); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// TestLabVMImages makes boot disks in the other ways: of a file on this machine,
// and over the image.
func TestLabVMImages(t *testing.T) {
	n := labNode(t, "n1")
	file := filepath.Join(filepath.Dir(os.Getenv("NACTL_LAB")), "images/tiny/tiny.qcow2")
	for _, tc := range []struct {
		name   string
		source virt.ImageSource
		backed bool
	}{
		{"l2-file", virt.ImageSource{Name: "tiny", File: file}, false},
		{"l2-backed", virt.ImageSource{Name: "tiny", Storage: "shared", Volume: "tiny.qcow2"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			labRemove(t, n, tc.name)
			t.Cleanup(func() { labRemove(t, n, tc.name) })
			c := labCreation(t, n, tc.name)
			img, err := n.Image(t.Context(), tc.source)
			if err != nil {
				t.Fatal(err)
			}
			c.Image, c.NICs, c.Disks = img, nil, c.Disks[:1]
			c.Disks[0].Backed = tc.backed
			var sent int64
			ctx := virt.WithProgress(t.Context(), func(p virt.Progress) {
				if strings.HasSuffix(p.What, "-root.qcow2") {
					sent = p.Done
				}
			})
			if _, err := n.Apply(ctx, c); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(file); !tc.backed && (err != nil || sent != info.Size()) {
				t.Errorf("reported %d bytes, %v", sent, err)
			}
			v, err := n.Volume(t.Context(), "images", tc.name+"-root.qcow2")
			if err != nil || v.Size != 200*virt.MiB || (v.Backing != "") != tc.backed {
				t.Errorf("made %+v, %v", v, err)
			}
			mustApply(t, n, virt.ResizeDisk{On: virt.OnVM(observed(t, n, tc.name)), Disk: "root", Size: 216 * virt.MiB})
			mustApply(t, n, virt.Start{On: virt.OnVM(observed(t, n, tc.name))})
			labAgent(t, n, tc.name)
			labUntil(t, n, tc.name, "hostname; cat /sys/block/vda/size", tc.name+"-guest\n"+sectors(216*virt.MiB))
			mustApply(t, n, virt.DeleteVM{On: virt.OnVM(observed(t, n, tc.name)), Volumes: true})
			if left := labVolumes(t, n, tc.name); len(left) > 0 {
				t.Errorf("left behind: %s", left)
			}
			if _, err := n.Volume(t.Context(), "shared", "tiny.qcow2"); err != nil {
				t.Fatalf("the image: %v", err)
			}
		})
	}
}

// TestLabGuestKeepsItsDisk asks a machine without an operating system to let go
// of a disk, which it never does.
func TestLabGuestKeepsItsDisk(t *testing.T) {
	defer func(d time.Duration) { detachPatience = d }(detachPatience)
	detachPatience = 7 * time.Second
	n := labNode(t, "n1")
	const name = "l2-deaf"
	labRemove(t, n, name)
	t.Cleanup(func() { labRemove(t, n, name) })
	c := labCreation(t, n, name)
	c.Image, c.CloudInit, c.NICs = nil, nil, nil
	c.Disks[0].Size = 16 * virt.MiB
	mustApply(t, n, c)
	mustApply(t, n, virt.Start{On: virt.OnVM(observed(t, n, name))})
	_, err := n.Apply(t.Context(), virt.DetachDisk{On: virt.OnVM(observed(t, n, name)), Disk: "data", DeleteVolume: true})
	if !errors.Is(err, virt.ErrTimeout) {
		t.Errorf("it let go: %v", err)
	}
	if in := observed(t, n, name).Disk("data").In; in != (virt.Presence{Live: true, Config: true}) {
		t.Errorf("afterwards it is in %+v", in)
	}
	mustApply(t, n, virt.Pause{On: virt.OnVM(observed(t, n, name))})
	if _, err = n.Apply(t.Context(), virt.DetachDisk{On: virt.OnVM(observed(t, n, name)), Disk: "data"}); !errors.Is(err, virt.ErrConflict) {
		t.Errorf("from a guest that stands still: %v", err)
	}
	mustApply(t, n, virt.PowerOff{On: virt.OnVM(observed(t, n, name))})
	mustApply(t, n, virt.DetachDisk{On: virt.OnVM(observed(t, n, name)), Disk: "data", DeleteVolume: true})
	if got, want := fmt.Sprint(labVolumes(t, n, name)), "[l2-deaf-root.qcow2]"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
}

// TestLabUploadBrokenOff breaks the upload of an image off, and completes it.
func TestLabUploadBrokenOff(t *testing.T) {
	n := labNode(t, "n1")
	const name = "l2-upload"
	labRemove(t, n, name)
	t.Cleanup(func() { labRemove(t, n, name) })
	c := labCreation(t, n, name)
	img, err := n.Image(t.Context(), virt.ImageSource{Name: "tiny", File: filepath.Join(filepath.Dir(os.Getenv("NACTL_LAB")), "images/tiny/tiny.qcow2")})
	if err != nil {
		t.Fatal(err)
	}
	c.Image = img
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = n.Apply(virt.WithProgress(ctx, func(p virt.Progress) {
		if p.Done > virt.MiB {
			cancel()
		}
	}), c)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("broken off: %v", err)
	}
	if got, want := fmt.Sprint(labVolumes(t, n, name)), "[l2-upload-root.qcow2 l2-upload-root.qcow2.nactl-part]"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	c.On = virt.OnVM(observed(t, n, name))
	mustApply(t, n, c)
	if got, want := fmt.Sprint(labVolumes(t, n, name)), "[l2-upload-data.qcow2 l2-upload-root.qcow2 l2-upload-seed.iso]"; got != want {
		t.Errorf("volumes %s, want %s", got, want)
	}
	mustApply(t, n, virt.DeleteVM{On: virt.OnVM(observed(t, n, name)), Volumes: true})
}

// TestLabVMMoves moves a VM, as it is made, to another node and back.
func TestLabVMMoves(t *testing.T) {
	n1, n2 := labNode(t, "n1"), labNode(t, "n2")
	for _, n := range []*Node{n1, n2} {
		n.cfg.SharedPools = []string{"shared"}
	}
	cluster, err := OpenCluster("lab", []*Node{n1, n2})
	if err != nil {
		t.Fatal(err)
	}
	const name = "l2-moves"
	remove := func() {
		for _, n := range []*Node{n1, n2} {
			labRemove(t, n, name)
		}
		for _, v := range []string{"-root.qcow2", "-seed.iso"} {
			if err := n1.deleteVolume(context.WithoutCancel(t.Context()), "shared", name+v); err != nil {
				t.Error(err)
			}
		}
	}
	remove()
	t.Cleanup(remove)
	c := labCreation(t, n1, name)
	c.Disks = c.Disks[:1]
	c.Disks[0].Storage = "shared"
	mustApply(t, n1, c)
	mustApply(t, n1, virt.Start{On: virt.OnVM(observed(t, n1, name))})
	labAgent(t, n1, name)
	mustApply(t, n1, virt.FinishVM{On: virt.OnVM(observed(t, n1, name))})
	for _, to := range []*Node{n2, n1, n2} {
		cluster.Forget()
		vm, err := cluster.VM(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := cluster.Apply(t.Context(), virt.Migrate{On: virt.OnVM(vm), Host: to.Name(), Live: true}); err != nil || !out.Changed {
			t.Fatalf("to %s: %+v, %v", to.Name(), out, err)
		}
		labUntil(t, to, name, "hostname", name+"-guest")
		if vm := observed(t, to, name); vm.Unfinished != "" || vm.Disk("root") == nil || vm.Disk(seedDisk) == nil {
			t.Errorf("on %s: %+v", to.Name(), vm)
		}
	}
	// There, the daemon does not know of the volumes that the other has made.
	mustApply(t, n2, virt.DeleteVM{On: virt.OnVM(observed(t, n2, name)), Volumes: true})
	if files := labShared(t, n1, name); files != "" {
		t.Errorf("left behind: %s", files)
	}
}
