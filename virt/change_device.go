package virt

// DiskSpec is a disk that is wanted.
type DiskSpec struct {
	Name    string `json:"name"`
	Size    int64  `json:"size,omitempty"`    // bytes; 0 = the image's
	Boot    bool   `json:"boot,omitempty"`    // the image's own disk
	Storage string `json:"storage,omitempty"` // empty = the image's, else the platform's default
	Volume  string `json:"volume,omitempty"`  // an existing volume to attach as it is; empty = one is made
	Format  string `json:"format,omitempty"`
	Sparse  bool   `json:"sparse"`
	// Backed lays the disk over the image instead of copying it: it is there at
	// once, and needs the image for as long as it lives. Nodes only.
	Backed     bool   `json:"backed,omitempty"`
	Bus        string `json:"bus,omitempty"`
	Target     string `json:"target,omitempty"`
	Serial     string `json:"serial,omitempty"`
	ReadOnly   bool   `json:"read_only,omitempty"`
	MountPoint string `json:"mount_point,omitempty"` // by cloud-init at the first boot; creation only
	Filesystem string `json:"filesystem,omitempty"`
}

// NICSpec is a network interface that is wanted.
type NICSpec struct {
	Name    string `json:"name"`
	Network string `json:"network"`
	MAC     string `json:"mac,omitempty"`   // empty = the platform gives one
	Model   string `json:"model,omitempty"` // empty = virtio
	// Address and what follows are set inside the guest at its first boot.
	Address   string   `json:"address,omitempty"` // CIDR; empty = DHCP
	Gateway   string   `json:"gateway,omitempty"`
	DNS       []string `json:"dns,omitempty"`
	Search    []string `json:"search,omitempty"`
	GuestName string   `json:"guest_name,omitempty"`
}

// AttachDisk gives a VM a further disk, making its volume unless Disk.Volume
// names one; in the stored configuration and, when the VM runs, at once.
type AttachDisk struct {
	On
	converge
	Run  string   `json:"run"`
	Disk DiskSpec `json:"disk"`
}

// DetachDisk takes a disk away, and waits until the guest has let go of it.
type DetachDisk struct {
	On
	converge
	Disk         string `json:"disk"`          // name or target
	DeleteVolume bool   `json:"delete_volume"` // its volume, too
}

// ResizeDisk grows a disk. A size that is not over the present one is refused or
// does nothing: disks never shrink.
type ResizeDisk struct {
	On
	converge
	Disk string `json:"disk"`
	Size int64  `json:"size"`
}

// AttachNIC gives a VM a further network interface.
type AttachNIC struct {
	On
	converge
	NIC NICSpec `json:"nic"`
}

// DetachNIC takes a network interface away.
type DetachNIC struct {
	On
	converge
	NIC string `json:"nic"` // name or MAC address
}

// ChangeNIC connects a network interface to another network, makes it another
// model, or changes its link state. It keeps its name and MAC address.
type ChangeNIC struct {
	On
	converge
	NIC     string      `json:"nic"`
	Network Opt[string] `json:"network,omitzero"`
	Model   Opt[string] `json:"model,omitzero"`
	LinkUp  Opt[bool]   `json:"link_up,omitzero"`
}
