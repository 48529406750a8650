package step

import "github.com/nactl/nactl/virt"

// DiskArgs describe a disk that is wanted; create_vm and attach_disk share them.
type DiskArgs struct {
	Name       string    `arg:"name" doc:"what to call it; the key by which it is found again"`
	Size       Opt[Size] `arg:"size" doc:"at least this large; a smaller disk grows, a larger one is left alone"`
	Storage    string    `arg:"storage" doc:"storage pool or storage domain; left out: the image's, else the platform's default"`
	Volume     string    `arg:"volume" doc:"an existing volume to attach as it is"`
	Format     string    `arg:"format,create_only" enum:"qcow2|raw" doc:"format of a new volume; left out: qcow2"`
	Sparse     Opt[bool] `arg:"sparse,create_only" doc:"take space as it is needed; left out: true"`
	Backed     bool      `arg:"backed,create_only" doc:"boot disks on nodes: lie over the image instead of being a copy of it; there at once, and needs the image for as long as it lives"`
	Bus        string    `arg:"bus,create_only" enum:"virtio|scsi|sata|usb|ide" doc:"left out: virtio"`
	Serial     string    `arg:"serial,create_only" doc:"serial number that the guest sees, at most 20 characters"`
	MountPoint string    `arg:"mount_point,create_only" doc:"where the guest mounts it, from its first boot on; a blank disk is formatted"`
	Filesystem string    `arg:"filesystem,create_only" enum:"ext4|ext3|ext2|xfs|btrfs|vfat" doc:"of a blank disk with a mount_point; left out: ext4"`
	ReadOnly   bool      `arg:"read_only,create_only" doc:"the guest cannot write to it"`
}

// Spec gives the disk as changes carry it.
func (d DiskArgs) Spec() virt.DiskSpec {
	size, _ := d.Size.Get()
	sparse := d.Sparse.Or(true)
	spec := virt.DiskSpec{
		Name: d.Name, Size: int64(size), Storage: d.Storage, Volume: d.Volume, Format: d.Format, Sparse: sparse, Backed: d.Backed, Bus: d.Bus,
		Serial: d.Serial, ReadOnly: d.ReadOnly, MountPoint: d.MountPoint, Filesystem: d.Filesystem,
	}
	if spec.MountPoint != "" && spec.Filesystem == "" {
		spec.Filesystem = "ext4"
	}
	return spec
}

// Check says what is wrong with a disk that is to be found again by its name.
func (d DiskArgs) Check(v *Validation, key string) {
	switch {
	case d.Name == "":
		v.Errorf(key, "a disk needs a name, by which it is found again")
	case !d.Size.IsSet() && d.Volume == "":
		v.Errorf(key, "disk %q needs a size, or a volume to attach", d.Name)
	}
	if len(d.Serial) > 20 {
		v.Errorf(key+".serial", "disk %q: a serial has at most 20 characters", d.Name)
	}
}

// NICArgs describe a network interface that is wanted; create_vm and attach_nic
// share them.
type NICArgs struct {
	Name      string   `arg:"name" doc:"what to call it; left out: nic1, nic2, … in order"`
	Network   string   `arg:"network,required" doc:"network or vNIC profile"`
	MAC       string   `arg:"mac,create_only" doc:"left out: the platform gives one"`
	Model     string   `arg:"model,create_only" doc:"left out: virtio"`
	Address   string   `arg:"address,create_only" doc:"static address with prefix length, as 10.0.0.5/24; left out: DHCP"`
	Gateway   string   `arg:"gateway,create_only" doc:"default route"`
	DNS       []string `arg:"dns,create_only" doc:"name servers"`
	Search    []string `arg:"search,create_only" doc:"search domains"`
	GuestName string   `arg:"guest_name,create_only" doc:"what the guest calls the interface"`
}

// Spec gives the interface as changes carry it.
func (n NICArgs) Spec() virt.NICSpec { return virt.NICSpec(n) }
