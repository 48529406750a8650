package virt

import (
	"slices"
	"strings"
)

// Storage is a place for volumes: a libvirt storage pool, an oVirt storage
// domain.
type Storage struct {
	Name      string   `json:"name"`
	ID        string   `json:"id,omitempty"` // engines only
	Type      string   `json:"type"`         // libvirt: dir, netfs, logical, …; engine: nfs, iscsi, …
	Active    bool     `json:"active"`       // can be used now
	Autostart bool     `json:"autostart"`    // nodes only: started with the node
	Capacity  int64    `json:"capacity"`
	Available int64    `json:"available"`
	Committed int64    `json:"committed"`         // what all volumes may grow to
	Shared    bool     `json:"shared"`            // the same volumes on every host of the cluster
	Path      string   `json:"path,omitempty"`    // target directory, where there is one
	Source    string   `json:"source,omitempty"`  // network source, where there is one
	Host      string   `json:"host,omitempty"`    // the only host that has it; empty when shared
	Hosts     []string `json:"hosts,omitempty"`   // nodes only: those of the target that have it
	Comment   string   `json:"comment,omitempty"` // engines only
	// DataCentre is an engine's; empty where the domain is attached to none.
	DataCentre string `json:"data_centre,omitempty"`
}

// Ref names the storage.
func (s *Storage) Ref() Ref { return StorageRef(s.Name) }

// Clone returns a copy.
func (s *Storage) Clone() Object {
	c := *s
	c.Hosts = slices.Clone(s.Hosts)
	return &c
}

// StorageOn names a storage that is one host's own, where several hosts of a cluster
// have one of that name: HOST/NAME.
func StorageOn(host, storage string) string {
	if host == "" {
		return storage
	}
	return host + "/" + storage
}

// HostOf takes a name apart that StorageOn made; host is empty where none is named.
func HostOf(storage string) (host, name string) {
	if i := strings.LastIndexByte(storage, '/'); i >= 0 {
		return storage[:i], storage[i+1:]
	}
	return "", storage
}

// Volume is a disk image in a storage.
type Volume struct {
	Storage    string      `json:"storage"`
	Name       string      `json:"name"`
	Format     string      `json:"format"`
	Size       int64       `json:"size"`
	ActualSize int64       `json:"actual_size"`
	Stored     int64       `json:"-"` // bytes of the file that it is; 0: not known
	Path       Opt[string] `json:"path,omitzero"`
	Backing    string      `json:"backing,omitempty"` // path of the backing image
	// Unfinished says that the run which was making the volume did not end.
	Unfinished bool `json:"unfinished,omitempty"`
	// SHA256 is that of its first Summed bytes, as VolumeSum fills it in.
	SHA256 string `json:"-"` // hex
	Summed int64  `json:"-"`
}

// Holds tells whether the volume is known to hold what a file does.
func (v *Volume) Holds(f ImageFile) bool {
	return v.SHA256 == f.SHA256 && v.Summed == f.Length && v.Format == f.Format
}

// Ref names the volume.
func (v *Volume) Ref() Ref { return VolumeRef(v.Storage, v.Name) }

// Clone returns a copy.
func (v *Volume) Clone() Object { c := *v; return &c }

// ImageSource is where an image comes from on one target: exactly one of the
// fields beside Name is set.
type ImageSource struct {
	Name     string `json:"name"`               // as the inventory calls it
	Template string `json:"template,omitempty"` // engines
	Storage  string `json:"storage,omitempty"`  // with Volume
	Volume   string `json:"volume,omitempty"`
	File     string `json:"file,omitempty"` // on the controller
	URL      string `json:"url,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // hex, of what URL gives
	// Head and Length are the beginning and the length of File where that is still to
	// be fetched: a plan knows no more of it.
	Head   string `json:"-"`
	Length int64  `json:"-"`
}

// Image is what a VM is made from: a template, or a volume to clone or to back.
type Image struct {
	Source ImageSource `json:"source"`
	Format string      `json:"format,omitempty"`
	Size   int64       `json:"size"` // of its boot disk
	CPU    CPU         `json:"cpu,omitzero"`
	Memory Memory      `json:"memory,omitzero"`
	Path   string      `json:"path,omitempty"`
}

// Ref names the image.
func (i *Image) Ref() Ref { return Ref{Kind: KindImage, Name: i.Source.Name} }

// Clone returns a copy.
func (i *Image) Clone() Object { c := *i; return &c }
