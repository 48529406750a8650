package virt

import "time"

// CreateVolume makes a blank volume. One that is there stays as it is, and one
// that an interrupted run left half made is made anew.
type CreateVolume struct {
	On
	converge
	Run    string `json:"run"`
	Size   int64  `json:"size"`   // bytes that a guest sees
	Format string `json:"format"` // raw or qcow2
	Sparse bool   `json:"sparse"`
}

// CloneVolume makes a volume that is a copy of another one, as that is now. One
// that is there stays as it is.
type CloneVolume struct {
	On
	converge
	Run    string `json:"run"`
	From   Ref    `json:"from"`
	Size   int64  `json:"size"`   // bytes; at least the source's
	Format string `json:"format"` // may be another than the source's
	Sparse bool   `json:"sparse"`
}

// ResizeVolume grows a volume that no running VM uses. Less than it has is
// refused: volumes never shrink.
type ResizeVolume struct {
	On
	converge
	Size int64 `json:"size"`
}

// DeleteVolume removes a volume that nobody uses.
type DeleteVolume struct {
	On
	converge
}

// UploadVolume gives a volume the content of a file of the controller, which keeps
// its format. A volume of that very content is left alone, any other of that name
// is replaced, unless somebody uses it.
type UploadVolume struct {
	On
	converge
	Run    string    `json:"run"`
	Source ImageFile `json:"source"`
	Sparse bool      `json:"sparse"`
}

// ImageFile is an image that is a file of the controller.
type ImageFile struct {
	Path     string    `json:"path"` // absolute
	Length   int64     `json:"length"`
	SHA256   string    `json:"sha256"` // hex, of the whole file
	Format   string    `json:"format"` // as its beginning tells
	Size     int64     `json:"size"`   // of the disk in it
	Modified time.Time `json:"-"`      // when the file was last written
}

// CreatePool defines a storage pool, makes what it lies on where Build says so,
// and starts it. Of one that is there only Autostart and that it runs are changed.
type CreatePool struct {
	On
	converge
	Type      string     `json:"type"`           // dir, netfs, logical
	Path      string     `json:"path,omitempty"` // target directory; of a logical pool libvirt knows it
	Source    PoolSource `json:"source,omitzero"`
	Build     bool       `json:"build"` // makes the directory, or the volume group
	Autostart bool       `json:"autostart"`
	Hosts     []string   `json:"hosts,omitempty"` // members of a cluster; none = all
}

// PoolSource is where a pool's storage comes from.
type PoolSource struct {
	Host    string   `json:"host,omitempty"`    // of a network file system
	Dir     string   `json:"dir,omitempty"`     // exported there
	Format  string   `json:"format,omitempty"`  // of a network file system: nfs, cifs, glusterfs, auto
	Devices []string `json:"devices,omitempty"` // of a new volume group
	Name    string   `json:"name,omitempty"`    // of the volume group
}

// StartPool starts a pool.
type StartPool struct {
	On
	converge
	Autostart Opt[bool] `json:"autostart,omitzero"`
	Hosts     []string  `json:"hosts,omitempty"`
}

// StopPool stops a pool; what lies in it stays.
type StopPool struct {
	On
	converge
	Autostart Opt[bool] `json:"autostart,omitzero"`
	Hosts     []string  `json:"hosts,omitempty"`
}

// DeletePool stops a pool and forgets its definition. What lies in it stays.
type DeletePool struct {
	On
	converge
	Hosts []string `json:"hosts,omitempty"`
}
