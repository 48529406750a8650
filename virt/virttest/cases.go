package virttest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/nactl/nactl/virt"
)

// on makes a changeOf of a function that returns one kind of change.
func on[C virt.Change](f func(on virt.On) C) changeOf {
	return func(o virt.On) virt.Change { return f(o) }
}

var (
	start = on(func(o virt.On) virt.Start { return virt.Start{On: o} })
	pause = on(func(o virt.On) virt.Pause { return virt.Pause{On: o} })
	save  = on(func(o virt.On) virt.Suspend { return virt.Suspend{On: o} })
	cut   = on(func(o virt.On) virt.PowerOff { return virt.PowerOff{On: o} })
)

// vmShows checks a VM that has to be there.
func vmShows(check func(vm *virt.VM) bool) func(virt.Object) error {
	return func(o virt.Object) error {
		vm, ok := o.(*virt.VM)
		if !ok || vm == nil {
			return fmt.Errorf("there is no VM")
		}
		if !check(vm) {
			return fmt.Errorf("it is %s, %+v, %+v, live %+v, disks %+v, NICs %+v", vm.State, vm.CPU, vm.Memory, vm.Live, vm.Disks, vm.NICs)
		}
		return nil
	}
}

func is(s virt.PowerState) func(virt.Object) error {
	return vmShows(func(vm *virt.VM) bool { return vm.State == s })
}

func gone(o virt.Object) error {
	if o != nil {
		return fmt.Errorf("%s is still there", o.Ref())
	}
	return nil
}

// cases are the changes that every platform knows, or says that it does not.
func (r *runner) cases() []testCase {
	var out []testCase
	out = append(out, r.life()...)
	out = append(out, renames()...)
	out = append(out, r.settings()...)
	out = append(out, power()...)
	out = append(out, r.disks()...)
	out = append(out, r.nics()...)
	out = append(out, r.cdroms()...)
	out = append(out, r.snapshots()...)
	out = append(out, r.networks()...)
	out = append(out, r.storage()...)
	out = append(out, served()...)
	out = append(out, r.engines()...)
	out = append(out, r.guest()...)
	out = append(out, r.accounts()...)
	out = append(out, hosts()...)
	out = append(out, r.hostCommands()...)
	return append(out, testCase{kind: "migrate", name: "cluster",
		change: func(o virt.On) virt.Change { return virt.Migrate{On: o, Cluster: r.cluster()} },
		shows:  vmShows(func(vm *virt.VM) bool { return vm.Cluster == r.OtherCluster })}, testCase{kind: "migrate", name: "stopped",
		change: func(o virt.On) virt.Change { return virt.Migrate{On: o, Host: r.Elsewhere, CopyStorage: true} },
		shows:  vmShows(func(vm *virt.VM) bool { return vm.Host.Or("") == r.Elsewhere })})
}

// life is how a VM comes and goes.
func (r *runner) life() []testCase {
	return []testCase{
		{kind: "create_vm", name: "smallest", fresh: true,
			change: func(o virt.On) virt.Change { c := r.VM(o.Ref.Name); c.On = o; return c },
			shows:  vmShows(func(vm *virt.VM) bool { return vm.State == virt.Stopped && vm.Unfinished != "" })},
		{kind: "finish_vm", name: "unfinished", unfinished: true,
			change: on(func(o virt.On) virt.FinishVM { return virt.FinishVM{On: o} }),
			shows:  vmShows(func(vm *virt.VM) bool { return vm.Unfinished == "" })},
		{kind: "delete_vm", name: "stopped", absentIsDone: true,
			change: on(func(o virt.On) virt.DeleteVM { return virt.DeleteVM{On: o, Volumes: true} }), shows: gone},
		{kind: "delete_vm", name: "running", absentIsDone: true, arrange: []changeOf{start},
			change: on(func(o virt.On) virt.DeleteVM { return virt.DeleteVM{On: o, Volumes: true} }), shows: gone},
		{kind: "delete_vm", name: "suspended", absentIsDone: true, arrange: []changeOf{start, save},
			change: on(func(o virt.On) virt.DeleteVM { return virt.DeleteVM{On: o, Volumes: true} }), shows: gone},
	}
}

// settings are CPU, memory and what describes a VM.
func (r *runner) settings() []testCase {
	cpu := func(count, most int) changeOf {
		return on(func(o virt.On) virt.SetCPU {
			return virt.SetCPU{On: o, Count: virt.Some(count), Max: virt.Some(most)}
		})
	}
	memory := func(current, most int64) changeOf {
		return on(func(o virt.On) virt.SetMemory {
			return virt.SetMemory{On: o, Current: virt.Some(current), Max: virt.Some(most)}
		})
	}
	return []testCase{
		{kind: "set_cpu", name: "stopped", change: cpu(2, 4),
			shows: vmShows(func(vm *virt.VM) bool { return vm.CPU.Count == 2 && (vm.CPU.Max == 4 || r.OwnCPUMax) })},
		{kind: "set_cpu", name: "running up", arrange: []changeOf{cpu(1, 4), start}, change: cpu(3, 4),
			shows: vmShows(func(vm *virt.VM) bool { return vm.CPU.Count == 3 && vm.Live.CPU.Count == 3 })},
		{kind: "set_cpu", name: "running over its maximum", arrange: []changeOf{cpu(1, 2), start}, change: cpu(4, 4),
			shows: vmShows(func(vm *virt.VM) bool {
				if r.OwnCPUMax {
					return vm.CPU.Count == 4 && vm.Live.CPU.Count == 4
				}
				return vm.CPU.Count == 4 && vm.Live.CPU.Max == 2 && len(vm.Pending) > 0 && vm.Pending[0].Reason != ""
			})},
		{kind: "set_memory", name: "stopped", change: memory(96*virt.MiB, 192*virt.MiB),
			shows: vmShows(func(vm *virt.VM) bool {
				return vm.Memory.Current == 96*virt.MiB && vm.Memory.Max == 192*virt.MiB
			})},
		{kind: "set_memory", name: "running over its maximum", arrange: []changeOf{memory(96*virt.MiB, 96*virt.MiB), start},
			change: memory(192*virt.MiB, 192*virt.MiB),
			shows: vmShows(func(vm *virt.VM) bool {
				return vm.Memory.Current == 192*virt.MiB && vm.Live.Memory.Max == 96*virt.MiB && len(vm.Pending) > 0
			})},
		{kind: "set_vm", name: "words", change: on(func(o virt.On) virt.SetVM {
			return virt.SetVM{On: o, Title: virt.Some("a title"), Description: virt.Some("a <b> & \"c\" – ü"),
				Metadata: map[string]string{"owner": "x & y"}}
		}), shows: vmShows(func(vm *virt.VM) bool {
			return vm.Title == "a title" && vm.Description == "a <b> & \"c\" – ü" && vm.Metadata["owner"] == "x & y"
		})},
		{kind: "set_vm", name: "autostart running", arrange: []changeOf{start},
			change: on(func(o virt.On) virt.SetVM { return virt.SetVM{On: o, Autostart: virt.Some(true)} }),
			shows:  vmShows(func(vm *virt.VM) bool { return vm.Autostart })},
		{kind: "set_vm", name: "boot", change: on(func(o virt.On) virt.SetVM {
			return virt.SetVM{On: o, Boot: virt.Some([]string{"network", "hd"})}
		}), shows: vmShows(func(vm *virt.VM) bool { return len(vm.Boot) == 2 && vm.Boot[0] == "network" })},
		{kind: "set_vm", name: "boot running", arrange: []changeOf{start}, change: on(func(o virt.On) virt.SetVM {
			return virt.SetVM{On: o, Boot: virt.Some([]string{"network", "hd"})}
		}), shows: vmShows(func(vm *virt.VM) bool { return len(vm.Boot) == 2 && vm.Boot[0] == "network" })},
	}
}

func power() []testCase {
	off := on(func(o virt.On) virt.Shutdown {
		// The smallest VM has no guest that would listen.
		return virt.Shutdown{On: o, Timeout: time.Second, ForceAfter: virt.Some(time.Second)}
	})
	return []testCase{
		{kind: "start", name: "stopped", change: start, shows: is(virt.Running)},
		{kind: "start", name: "paused", arrange: []changeOf{start, pause}, change: start, shows: is(virt.Running)},
		{kind: "start", name: "suspended", arrange: []changeOf{start, save}, change: start, shows: is(virt.Running)},
		{kind: "pause", name: "running", arrange: []changeOf{start}, change: pause, shows: is(virt.Paused)},
		{kind: "suspend", name: "running", arrange: []changeOf{start}, change: save, shows: is(virt.Suspended)},
		{kind: "power_off", name: "running", arrange: []changeOf{start}, change: cut, shows: is(virt.Stopped)},
		{kind: "power_off", name: "suspended", arrange: []changeOf{start, save}, change: cut, shows: is(virt.Stopped)},
		{kind: "shutdown", name: "running", arrange: []changeOf{start}, change: off, shows: is(virt.Stopped)},
		{kind: "reset", name: "running", arrange: []changeOf{start},
			change: on(func(o virt.On) virt.Reset { return virt.Reset{On: o} }), shows: is(virt.Running)},
		{kind: "reboot", name: "guest", guest: true,
			change: on(func(o virt.On) virt.Reboot { return virt.Reboot{On: o} }), shows: is(virt.Running)},
	}
}

const smallDisk = 8 * virt.MiB

// attach gives a VM the disk data.
func (r *runner) attach(o virt.On) virt.Change {
	d := virt.DiskSpec{Name: "data", Size: smallDisk}
	if r.Disk != nil {
		d = r.Disk("data")
	}
	return virt.AttachDisk{On: o, Run: "virttest", Disk: d}
}

func (r *runner) disks() []testCase {
	attach := r.attach
	grow := on(func(o virt.On) virt.ResizeDisk { return virt.ResizeDisk{On: o, Disk: "data", Size: 2 * smallDisk} })
	detach := on(func(o virt.On) virt.DetachDisk {
		return virt.DetachDisk{On: o, Disk: "data", DeleteVolume: true}
	})
	has := vmShows(func(vm *virt.VM) bool { return vm.Disk("data") != nil && vm.Disk("data").Size == smallDisk })
	grown := vmShows(func(vm *virt.VM) bool { return vm.Disk("data") != nil && vm.Disk("data").Size == 2*smallDisk })
	none := vmShows(func(vm *virt.VM) bool { return vm.Disk("data") == nil })
	return []testCase{
		{kind: "attach_disk", name: "stopped", change: attach, shows: has},
		{kind: "attach_disk", name: "running", arrange: []changeOf{start}, change: attach, shows: has},
		{kind: "resize_disk", name: "stopped", arrange: []changeOf{attach}, change: grow, shows: grown},
		{kind: "resize_disk", name: "running", arrange: []changeOf{attach, start}, change: grow, shows: grown},
		{kind: "detach_disk", name: "stopped", arrange: []changeOf{attach}, change: detach, shows: none},
	}
}

func (r *runner) nics() []testCase {
	attach := on(func(o virt.On) virt.AttachNIC {
		return virt.AttachNIC{On: o, NIC: virt.NICSpec{Name: "extra", Network: r.Networks[0]}}
	})
	move := on(func(o virt.On) virt.ChangeNIC {
		return virt.ChangeNIC{On: o, NIC: "extra", Network: virt.Some(r.Networks[1])}
	})
	unplug := on(func(o virt.On) virt.ChangeNIC {
		return virt.ChangeNIC{On: o, NIC: "extra", LinkUp: virt.Some(false)}
	})
	remodel := func(o virt.On) virt.Change { return virt.ChangeNIC{On: o, NIC: "extra", Model: virt.Some("e1000e")} }
	detach := on(func(o virt.On) virt.DetachNIC { return virt.DetachNIC{On: o, NIC: "extra"} })
	on := func(network string) func(virt.Object) error {
		return vmShows(func(vm *virt.VM) bool { return vm.NIC("extra") != nil && vm.NIC("extra").Network == network })
	}
	return []testCase{
		{kind: "attach_nic", name: "stopped", change: attach, shows: on(r.Networks[0])},
		{kind: "attach_nic", name: "running", arrange: []changeOf{start}, change: attach, shows: on(r.Networks[0])},
		{kind: "change_nic", name: "stopped", arrange: []changeOf{attach}, change: move, shows: on(r.Networks[1])},
		{kind: "change_nic", name: "running", arrange: []changeOf{attach, start}, change: move, shows: on(r.Networks[1])},
		{kind: "change_nic", name: "model", arrange: []changeOf{attach}, change: remodel,
			shows: vmShows(func(vm *virt.VM) bool { return vm.NIC("extra") != nil && vm.NIC("extra").Model == "e1000e" })},
		{kind: "change_nic", name: "paused", arrange: []changeOf{attach, start, pause}, change: move, shows: on(r.Networks[1])},
		{kind: "change_nic", name: "link running", arrange: []changeOf{attach, start}, change: unplug,
			shows: vmShows(func(vm *virt.VM) bool { return vm.NIC("extra") != nil && !vm.NIC("extra").LinkUp })},
		{kind: "detach_nic", name: "stopped", arrange: []changeOf{attach}, change: detach,
			shows: vmShows(func(vm *virt.VM) bool { return vm.NIC("extra") == nil })},
	}
}

// guest are the changes inside a guest, through its agent.
func (r *runner) guest() []testCase {
	path := cmp.Or(r.GuestFile, "/root/virttest.txt")
	content := []byte("written by nactl's contract\n")
	sum := sha256.Sum256(content)
	return []testCase{
		{kind: "guest_exec", name: "true", guest: true, change: on(func(o virt.On) virt.GuestExec {
			return virt.GuestExec{On: o, Command: virt.Command{Argv: []string{"true"}}}
		})},
		{kind: "guest_write", name: "file", guest: true,
			object: func(vm string) virt.Ref {
				return virt.Ref{Kind: virt.KindGuestFile, Scope: vm, Name: path}
			},
			change: on(func(o virt.On) virt.GuestWrite {
				return virt.GuestWrite{On: o, Content: content, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Mode: virt.Some("0640")}
			})},
	}
}

// networks are made and removed without a VM.
func (r *runner) networks() []testCase {
	create := func(o virt.On) virt.Change {
		c := virt.CreateNetwork{Type: "openvswitch", VLAN: 7}
		if r.Network != nil {
			c = r.Network(o.Ref.Name, 7)
		}
		c.On = o
		return c
	}
	return []testCase{
		{kind: "create_network", name: "vlan", fresh: true, object: virt.NetworkRef, change: create,
			shows: func(o virt.Object) error {
				n, ok := o.(*virt.Network)
				if !ok || n == nil || n.VLAN != 7 || !n.Active || !n.Autostart {
					return fmt.Errorf("it is %+v", o)
				}
				return nil
			}},
	}
}
