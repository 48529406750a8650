//go:build cgo

package libvirt

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"

	"github.com/nactl/nactl/virt"
)

// defaultPool is where volumes go when neither the playbook nor the image says:
// libvirt's own name for the first pool of a host.
const defaultPool = "default"

// seedDisk is the name of the CD that carries the seed.
const seedDisk = "seed"

// created fills in what a node gives a new VM by itself. It is pure, so a dry
// run predicts what the node then shows.
func (n *Node) created(c virt.CreateVM, vm *virt.VM) {
	vm.CPU.Max = max(vm.CPU.Max, vm.CPU.Count)
	vm.Memory.Max = max(vm.Memory.Max, vm.Memory.Current)
	if c.LibvirtXML != "" {
		// As much of the definition as can be known beforehand; what it is not, Check
		// says.
		vm.Native, _, _ = mergeOverlay("<domain/>", c.LibvirtXML)
	}
	vm.Firmware = cmp.Or(vm.Firmware, "bios")
	if len(vm.Boot) == 0 {
		vm.Boot = []string{"hd"}
	}
	for i := range vm.Disks {
		k := &vm.Disks[i]
		spec := specOf(c.Disks, k.Name)
		fillDisk(vm.Name, k, c.Image)
		if spec.MountPoint != "" && k.Serial == "" {
			k.Serial = defaultSerial(k.Name)
		}
	}
	if vm.BootDisk() == nil && len(vm.Disks) > 0 {
		vm.Disks[0].Boot = true
	}
	// A driver without guests has nobody who would read a seed.
	if needsSeed(c) && n.addr.driver != "test" {
		vm.Disks = append(vm.Disks, virt.Disk{
			Name: seedDisk, Device: "cdrom", Bus: "scsi", Target: virt.NextTarget(vm.Disks, "scsi"), Format: "raw", ReadOnly: true,
			Storage: seedPool(vm), Volume: seedVolume(vm.Name), Path: virt.Unknown[string](), In: virt.Presence{Config: true},
		})
	}
}

func specOf(specs []virt.DiskSpec, name string) virt.DiskSpec {
	for _, s := range specs {
		if s.Name == name {
			return s
		}
	}
	return virt.DiskSpec{}
}

// fillDisk gives a new disk its pool, format and volume where they are left to
// the node.
func fillDisk(vm string, k *virt.Disk, image *virt.Image) {
	fromImage := k.Boot && image != nil && k.Volume == ""
	if k.Storage == "" && fromImage {
		k.Storage = image.Source.Storage
	}
	k.Storage = cmp.Or(k.Storage, defaultPool)
	if k.Volume != "" {
		return // it has a format of its own
	}
	if k.Format == "" && fromImage {
		k.Format = image.Format
	}
	k.Format = cmp.Or(k.Format, "qcow2")
	k.Volume = volumeName(vm, k.Name, k.Format)
	k.Sparse = k.Format == "qcow2" // as a definition tells it
}

// volumeName names the volume of a VM's disk.
func volumeName(vm, disk, format string) string { return vm + "-" + disk + "." + format }

// seedVolume names the volume of a VM's seed.
func seedVolume(vm string) string { return vm + "-" + seedDisk + ".iso" }

// seedPool is where the seed lies: beside the disk that the VM starts from.
func seedPool(vm *virt.VM) string {
	if k := vm.BootDisk(); k != nil {
		return k.Storage
	}
	if len(vm.Disks) > 0 {
		return vm.Disks[0].Storage
	}
	return defaultPool
}

// defaultSerial makes a serial of a disk's name: the name itself where a guest
// sees it whole, else a fingerprint of it.
func defaultSerial(name string) string {
	if serialPattern.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])[:20]
}

// aliasPattern is what libvirt takes as a user's alias of a device.
var aliasPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
