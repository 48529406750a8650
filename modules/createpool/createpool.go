// Package createpool is the step create_pool: a storage pool of libvirt nodes.
package createpool

import (
	"context"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of create_pool.
type Args struct {
	Name      string         `arg:"name,required,identity" doc:"name of the pool"`
	Type      string         `arg:"type" enum:"dir|netfs|logical" default:"dir" doc:"dir: a folder; netfs: a network file system, as NFS; logical: an LVM volume group"`
	Path      string         `arg:"path" doc:"of dir: the folder; of netfs: where it is mounted. Absolute"`
	Source    Source         `arg:"source" doc:"where a netfs or logical pool's storage comes from"`
	Build     bool           `arg:"build" default:"true" doc:"make the folder or the mount point, and the volume group where source names devices"`
	Autostart step.Opt[bool] `arg:"autostart" doc:"start it with the node; left out: true for a new one"`
	Hosts     []string       `arg:"hosts" doc:"only on these members of a cluster; left out: on all"`
}

// Source is the argument source.
type Source struct {
	Host    string   `arg:"host" doc:"of netfs: the server"`
	Dir     string   `arg:"dir" doc:"of netfs: what it exports"`
	Format  string   `arg:"format" enum:"auto|nfs|cifs|glusterfs" doc:"of netfs; left out: auto"`
	Name    string   `arg:"name" doc:"of logical: the volume group"`
	Devices []string `arg:"devices" doc:"of logical: the devices to make the volume group of; what is on them is lost. Left out: it is there already"`
}

// Output is what is known of the pool.
type Output struct {
	Name      string `json:"name"`
	Path      string `json:"path"`
	Active    bool   `json:"active"`
	Capacity  int64  `json:"capacity"`  // bytes
	Available int64  `json:"available"` // bytes
}

// Spec describes create_pool.
var Spec = &step.Spec{
	Name:    "create_pool",
	Summary: "Defines a storage pool on libvirt nodes, and starts it",
	Doc: "One of that name that is there is started and set to start with its node; what it is is never changed: of another type, folder or source it is an error. " +
		"On a cluster every member gets it. Storage domains of an engine are its administrator's.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.CreatePool{}},
	Output:  Output{},
	Touches: virt.KindStorage,
	Example: `- name: A place for backups
  create_pool: {name: backup, path: /srv/backup}
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	needs := func(key, value, why string) {
		if value == "" && !v.Partial {
			v.Errorf(key, "a pool of type %s needs %s: %s", a.Type, key, why)
		}
	}
	has := func(name, value string) {
		if value != "" {
			v.Errorf("source", "a pool of type %s has no %s", a.Type, name)
		}
	}
	devices := ""
	if len(a.Source.Devices) > 0 {
		devices = a.Source.Devices[0]
	}
	switch a.Type {
	case "dir":
		needs("path", a.Path, "the folder")
		has("source.host", a.Source.Host)
		has("source.dir", a.Source.Dir)
		has("source.name", a.Source.Name)
		has("source.devices", devices)
	case "netfs":
		needs("path", a.Path, "where it is to be mounted")
		needs("source", a.Source.Host, "{host: SERVER, dir: EXPORT}")
		has("source.name", a.Source.Name)
		has("source.devices", devices)
	case "logical":
		needs("source", a.Source.Name, "{name: VOLUME_GROUP}")
		has("source.host", a.Source.Host)
		has("source.dir", a.Source.Dir)
	}
}

// Ensure makes it where it is missing, and brings it into force.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	change := virt.CreatePool{On: virt.On{Ref: virt.StorageRef(a.Name)}, Type: a.Type, Path: a.Path, Build: a.Build, Autostart: a.Autostart.Or(true), Hosts: a.Hosts,
		Source: virt.PoolSource{Host: a.Source.Host, Dir: a.Source.Dir, Format: a.Source.Format, Name: a.Source.Name, Devices: a.Source.Devices}}
	if err := env.Platform.Supports(change); err != nil {
		return step.Result{}, err
	}
	now, err := virt.Read(ctx, env.Platform, change.Ref)
	if err != nil {
		return step.Result{}, err
	}
	if p, ok := now.(*virt.Storage); ok {
		change.Before = p
		if !a.Autostart.IsSet() {
			change.Autostart = p.Autostart
		}
	}
	if _, err := env.Apply(ctx, change); err != nil {
		return step.Result{}, err
	}
	p, err := env.Platform.Storage(ctx, a.Name)
	if err != nil {
		return step.Result{}, err
	}
	return step.Result{Output: Output{Name: p.Name, Path: p.Path, Active: p.Active, Capacity: p.Capacity, Available: p.Available}}, nil
}
