// Package uploadvolume holds the steps upload_volume and upload_image: a volume with
// the content of a file.
package uploadvolume

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// common is what both steps take beside their source.
type common struct {
	step.VolumeArgs
	Format   string         `arg:"format" enum:"qcow2|raw" doc:"what the file has to be; left out: what its beginning tells. It is sent as it is, never converted"`
	Checksum string         `arg:"checksum" doc:"what the file has to be, as sha256:HEX; another one is not sent"`
	Sparse   step.Opt[bool] `arg:"sparse,create_only" doc:"false: all of its space is taken at once; left out: true"`
}

// Args are the arguments of upload_volume.
type Args struct {
	common
	Src string `arg:"src,required" doc:"the file: below the playbook's folder, unless it is absolute"`
}

// ImageArgs are the arguments of upload_image.
type ImageArgs struct {
	common
	Image string `arg:"image,required" doc:"the image, as the inventory calls it; it has to be a file or a url there"`
}

// Output is what the steps give.
type Output struct {
	step.VolumeOutput
	SHA256 string `json:"sha256"` // of the file, in hex
}

const doc = "The file is read in pieces and never held in memory; parts of it that are holes are not sent. A volume that is there and holds the same is left alone: " +
	"its checksum is taken where it lies, on the node, so that nothing of it goes over the wire; of an engine's disk it is the one that was noted in its description when it was uploaded. Any other of that name is replaced, unless a VM has it or another volume lies over it. " +
	"A volume that was grown, or that a VM has written to since, holds something else: what is uploaded is for images that VMs are made from, or for a first content.\n\n" +
	"On an engine the volume is a disk of no VM, in the storage domain `storage`. Its data goes to the image service of a host (port 54322), or by way of the engine (54323), which has a certificate of the engine's own CA; " +
	"it is made under the name `NAME.nactl-part` and gets its own when the engine has found it whole, so that a broken connection, or the end of nactl, leaves nothing that could be taken for it."

// Spec describes upload_volume.
var Spec = &step.Spec{
	Name:    "upload_volume",
	Summary: "Gives a volume the content of a file of the machine that nactl runs on",
	Doc:     doc,
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.UploadVolume{}},
	Output:  Output{},
	Touches: virt.KindVolume,
	Example: `- name: The rescue disk
  upload_volume: {storage: images, name: rescue.qcow2, src: images/rescue.qcow2}
`,
}

// ImageSpec describes upload_image.
var ImageSpec = &step.Spec{
	Name:    "upload_image",
	Summary: "Gives a volume the content of an image that the inventory names",
	Doc:     "An image that stands at a url is fetched first, once, into nactl's cache on this machine.\n\n" + doc,
	New:     func() step.Step { return &ImageArgs{} },
	Changes: []virt.Change{virt.FetchImage{}, virt.UploadVolume{}},
	Output:  Output{},
	Touches: virt.KindVolume,
	Example: `- name: Debian for all who make VMs
  upload_image: {image: debian-12-file, storage: images, name: debian-12.qcow2}
`,
}

var checksumPattern = regexp.MustCompile(`^sha256:[0-9a-fA-F]{64}$`)

func (a *common) validate(v *step.Validation) {
	a.Check(v)
	if a.Checksum != "" && !checksumPattern.MatchString(a.Checksum) {
		v.Errorf("checksum", "%q is no checksum: write sha256: and 64 hexadecimal digits", a.Checksum)
	}
}

// Validate checks the arguments.
func (a *Args) Validate(v *step.Validation) { a.validate(v) }

// Validate checks the arguments.
func (a *ImageArgs) Validate(v *step.Validation) { a.validate(v) }

// Ensure sends the file, unless the volume holds it.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	return a.send(ctx, env, a.Src)
}

// Ensure sends the image's file, unless the volume holds it.
func (a *ImageArgs) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	src, err := env.Image(a.Image)
	if err != nil {
		return step.Result{}, err
	}
	if src.File == "" && src.URL == "" {
		return step.Result{}, &virt.Error{Kind: virt.ErrInvalid, Object: virt.Ref{Kind: virt.KindImage, Name: a.Image}, Summary: "is no file and no url for this target",
			Hint: "write file or url for it in the inventory, or use upload_volume with src"}
	}
	if src, err = env.Fetched(ctx, src); err != nil {
		return step.Result{}, err
	}
	return a.send(ctx, env, src.File)
}

func (a *common) send(ctx context.Context, env *step.Env, src string) (step.Result, error) {
	ref, err := a.Ref(env)
	if err != nil {
		return step.Result{}, err
	}
	file, err := a.look(ctx, env, src)
	if err != nil {
		return step.Result{}, err
	}
	change := virt.UploadVolume{On: virt.On{Ref: ref}, Run: env.Run, Source: file, Sparse: a.Sparse.Or(true)}
	if err := env.Platform.Supports(change); err != nil {
		return step.Result{}, err
	}
	now, err := virt.ReadFor(ctx, env.Platform, change)
	if err != nil {
		return step.Result{}, err
	}
	change.Before = now
	if _, err := env.Apply(ctx, change); err != nil {
		return step.Result{}, err
	}
	res, err := env.VolumeResult(ctx, ref)
	if out, ok := res.Output.(step.VolumeOutput); ok {
		res.Output = Output{out, file.SHA256}
	}
	return res, err
}

// look reads the file: what it is, and its checksum.
func (a *common) look(ctx context.Context, env *step.Env, src string) (virt.ImageFile, error) {
	ref := virt.LocalFileRef("", src)
	path := src
	if !filepath.IsAbs(src) {
		ref.Scope, path = env.Dir, filepath.Join(env.Dir, src)
	}
	f, err := env.Local.LocalFile(ctx, ref)
	var e *virt.Error
	if errors.As(err, &e) && e.Kind == virt.ErrNotFound && e.Hint == "" {
		e.Hint = "check the path, which starts in the playbook's folder"
	}
	if err != nil {
		return virt.ImageFile{}, err
	}
	if f.Head == nil && f.Size != 0 || f.SHA256 == "" {
		return virt.ImageFile{}, &virt.Error{Kind: virt.ErrUndecided, Object: ref, Summary: "an earlier step writes it"}
	}
	out := virt.ImageFile{Path: path, Length: f.Size, SHA256: f.SHA256, Modified: f.Modified}
	if out.Format, out.Size, err = image.Probe(f.Head, f.Size); err != nil {
		return out, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "cannot be used as an image", Err: err}
	}
	if a.Format != "" && a.Format != out.Format {
		return out, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "has another format", Wanted: a.Format, Found: out.Format,
			Hint: "convert it with qemu-img convert, or leave format out"}
	}
	if want := strings.ToLower(strings.TrimPrefix(a.Checksum, "sha256:")); want != "" && want != f.SHA256 {
		return out, &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is another file than was wanted: its checksum differs",
			Wanted: "sha256:" + want, Found: "sha256:" + f.SHA256, Hint: "fetch it again, or correct checksum"}
	}
	return out, nil
}
