package step

import (
	"context"
	"errors"
	"strings"

	"github.com/nactl/nactl/virt"
)

// VolumeArgs are the arguments of steps that work on one volume.
type VolumeArgs struct {
	Storage string `arg:"storage,required,identity" doc:"the storage pool or domain that it is in"`
	Name    string `arg:"name,required,identity" doc:"name of the volume, of the disk on an engine"`
	HostArgs
}

// HostArgs say on which member of a cluster something is.
type HostArgs struct {
	Host string `arg:"host,identity" doc:"the member of a cluster whose pool is meant, where several have one of that name of their own"`
}

// Check refuses names that no volume has.
func (a *VolumeArgs) Check(v *Validation) {
	CheckVolumeName(v, "name", a.Name)
	if strings.Contains(a.Storage, "/") {
		v.Errorf("storage", "%q is no name of a storage: name the volume with name, and a member of a cluster with host", a.Storage)
	}
}

// CheckVolumeName refuses a name that no volume has; key is the argument.
func CheckVolumeName(v *Validation, key, name string) {
	switch {
	case strings.ContainsAny(name, "/\x00\n"):
		v.Errorf(key, "%q is no name of a volume: it has no folder, and storage says where it is", name)
	case name == "." || name == "..", strings.HasSuffix(name, ".nactl-part"):
		v.Errorf(key, "%q is no name of a volume", name)
	}
}

// Ref names the volume on the step's target.
func (a *VolumeArgs) Ref(env *Env) (virt.Ref, error) {
	storage, err := a.Place(env, a.Storage)
	return virt.VolumeRef(storage, a.Name), err
}

// Sized gives the volume that a step is about, what is there of it (nil for nothing),
// and the bytes that it is to have; 0 where nothing is said of that.
func (a *VolumeArgs) Sized(ctx context.Context, env *Env, size Opt[Size]) (ref virt.Ref, now *virt.Volume, bytes int64, err error) {
	if ref, err = a.Ref(env); err != nil {
		return ref, nil, 0, err
	}
	if size.IsUnknown() {
		return ref, nil, 0, &virt.Error{Kind: virt.ErrUndecided, Object: ref, Summary: "its size is known only afterwards"}
	}
	now, err = env.Volume(ctx, ref)
	return ref, now, int64(size.Or(0)), err
}

// Place gives the name of a pool on the step's target: of a cluster, that of the
// member which is meant.
func (a *HostArgs) Place(env *Env, storage string) (string, error) {
	switch {
	case a.Host == "":
		return storage, nil
	case env.Target.Kind == "cluster":
		return virt.StorageOn(a.Host, storage), nil
	case env.Target.Kind == "node" && a.Host == env.Target.Name:
		return storage, nil
	case env.Target.Kind == "node":
		return "", virt.NotFound(virt.Ref{Kind: virt.KindHost, Name: a.Host}, "this target is the node "+env.Target.Name+" alone: leave host out")
	}
	return "", &virt.Error{Kind: virt.ErrUnsupported, Object: virt.StorageRef(storage), Summary: "is no one host's on an engine", Hint: "leave host out for this target"}
}

// FormatArgs are the arguments of steps that make a volume.
type FormatArgs struct {
	Format string    `arg:"format,create_only" enum:"qcow2|raw" doc:"how its content is laid out; left out: qcow2 in files, raw on logical volumes, and on an engine raw where it is not sparse"`
	Sparse Opt[bool] `arg:"sparse,create_only" doc:"false: all of its space is taken at once; left out: true"`
}

// In gives the format of a new volume in a storage, and whether it is sparse.
func (a *FormatArgs) In(ctx context.Context, env *Env, storage string) (format string, sparse bool, err error) {
	sparse = a.Sparse.Or(true)
	if a.Format != "" {
		return a.Format, sparse, nil
	}
	s, err := env.Platform.Storage(ctx, storage)
	switch {
	case err != nil:
		return "", false, err
	case s.Type == "logical", env.Platform.Type() == "ovirt" && !sparse:
		return "raw", sparse, nil
	}
	return "qcow2", sparse, nil
}

// Volume reads a volume of the target; nil when it is not there.
func (e *Env) Volume(ctx context.Context, ref virt.Ref) (*virt.Volume, error) {
	o, err := virt.Read(ctx, e.Platform, ref)
	v, _ := o.(*virt.Volume)
	return v, err
}

// OnVolume is the head of a change to a volume that may not be there.
func OnVolume(ref virt.Ref, v *virt.Volume) virt.On {
	if v == nil {
		return virt.On{Ref: ref}
	}
	return virt.On{Ref: ref, Before: v}
}

// KeepVolume grows a volume that is there, where it is smaller than a step wants it.
// What else is written about it would hold for a new one, and is told.
func (e *Env) KeepVolume(ctx context.Context, v *virt.Volume, size int64, format string) error {
	if format != "" && v.Format != "" && v.Format != format && e.Warn != nil {
		e.Warn(v.Ref().String() + ": is " + v.Format + " and stays so; " + format + " would hold for a new one")
	}
	if size <= v.Size {
		return nil
	}
	_, err := e.Apply(ctx, virt.ResizeVolume{On: OnVolume(v.Ref(), v), Size: size})
	return err
}

// IsMade tells whether a volume is there, and whole.
func IsMade(v *virt.Volume) bool { return v != nil && !v.Unfinished }

// VolumeOutput is what steps that make or change a volume give.
type VolumeOutput struct {
	Storage string           `json:"storage"`
	Name    string           `json:"name"`
	Path    virt.Opt[string] `json:"path"`   // on the node; nodes only
	Format  string           `json:"format"` // raw, qcow2
	Size    int64            `json:"size"`   // bytes
}

// VolumeResult reads a volume for the output of the step that made or changed it.
func (e *Env) VolumeResult(ctx context.Context, ref virt.Ref) (Result, error) {
	v, err := e.Platform.Volume(ctx, ref.Scope, ref.Name)
	if errors.Is(err, virt.ErrUndecided) {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Output: VolumeOutput{Storage: v.Storage, Name: v.Name, Path: v.Path, Format: v.Format, Size: v.Size}}, nil
}
