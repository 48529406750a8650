package virt

// Storage is a place for volumes: a libvirt storage pool, an oVirt storage
// domain.
type Storage struct {
	Name      string `json:"name"`
	ID        string `json:"id,omitempty"` // engines only
	Type      string `json:"type"`         // libvirt: dir, netfs, logical, …; engine: nfs, iscsi, …
	Active    bool   `json:"active"`       // can be used now
	Capacity  int64  `json:"capacity"`
	Available int64  `json:"available"`
	Committed int64  `json:"committed"`         // what all volumes may grow to
	Shared    bool   `json:"shared"`            // the same volumes on every host of the cluster
	Path      string `json:"path,omitempty"`    // target directory, where there is one
	Source    string `json:"source,omitempty"`  // network source, where there is one
	Host      string `json:"host,omitempty"`    // the only host that has it; empty when shared
	Comment   string `json:"comment,omitempty"` // engines only
	// DataCentre is an engine's; empty where the domain is attached to none.
	DataCentre string `json:"data_centre,omitempty"`
}

// Ref names the storage.
func (s *Storage) Ref() Ref { return Ref{Kind: KindStorage, Name: s.Name} }

// Clone returns a copy.
func (s *Storage) Clone() Object { c := *s; return &c }

// Volume is a disk image in a storage.
type Volume struct {
	Storage    string `json:"storage"`
	Name       string `json:"name"`
	Format     string `json:"format"`
	Size       int64  `json:"size"`
	ActualSize int64  `json:"actual_size"`
	Path       string `json:"path,omitempty"`
	Backing    string `json:"backing,omitempty"` // path of the backing image
	// Unfinished says that the run which was making the volume did not end.
	Unfinished bool `json:"unfinished,omitempty"`
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
