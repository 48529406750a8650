package virttest

import (
	"cmp"

	"github.com/nactl/nactl/virt"
)

// cdroms are put into a drive, changed and taken out.
func (r *runner) cdroms() []testCase {
	drive := cmp.Or(r.Drive, "cd")
	put := func(i int) changeOf {
		return on(func(o virt.On) virt.ChangeCdrom {
			return virt.ChangeCdrom{On: o, Drive: drive, Storage: r.CDs[i].Storage, Volume: r.CDs[i].Volume}
		})
	}
	eject := on(func(o virt.On) virt.ChangeCdrom { return virt.ChangeCdrom{On: o, Drive: drive} })
	holds := func(volume string, live bool) func(virt.Object) error {
		return vmShows(func(vm *virt.VM) bool {
			k := vm.Disk(drive)
			return k != nil && k.Volume == volume && k.Live == nil && k.In.Config && k.In.Live == live
		})
	}
	return []testCase{
		{kind: "change_cdrom", name: "new drive stopped", change: put(0), shows: holds(r.CDs[0].Volume, false)},
		{kind: "change_cdrom", name: "new drive running", arrange: []changeOf{start}, change: put(0), shows: holds(r.CDs[0].Volume, true)},
		{kind: "change_cdrom", name: "another stopped", arrange: []changeOf{put(0)}, change: put(1), shows: holds(r.CDs[1].Volume, false)},
		{kind: "change_cdrom", name: "another running", arrange: []changeOf{put(0), start}, change: put(1), shows: holds(r.CDs[1].Volume, true)},
		{kind: "change_cdrom", name: "eject stopped", arrange: []changeOf{put(0)}, change: eject, shows: holds("", false)},
		{kind: "change_cdrom", name: "eject running", arrange: []changeOf{put(0), start}, change: eject, shows: holds("", true)},
	}
}
