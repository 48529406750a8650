package ovirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// partSuffix marks a disk that is being made: it gets the volume's name once it is
// whole. What an interrupted run leaves behind is known by it.
const partSuffix = ".nactl-part"

// sumMark is what the description of an uploaded disk ends with: what was uploaded,
// and how many bytes. An engine itself tells of no disk what it holds.
var sumMark = regexp.MustCompile(` ?\[nactl: sha256 ([0-9a-f]{64}) of (\d+) bytes\]$`)

// withSum gives a disk's description with the mark of what was uploaded.
func withSum(description, sum string, length int64) string {
	return strings.TrimPrefix(fmt.Sprintf("%s [nactl: sha256 %s of %d bytes]", sumMark.ReplaceAllString(description, ""), sum, length), " ")
}

// sumOf reads that mark.
func sumOf(description string) (sum string, length int64) {
	m := sumMark.FindStringSubmatch(description)
	if m == nil {
		return "", 0
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return "", 0
	}
	return m[1], n
}

// VolumeSum implements virt.Reader: it tells what was uploaded into the disk, where
// as much is asked for. What it holds by now, a VM may have decided.
func (e *Engine) VolumeSum(ctx context.Context, v *virt.Volume, length int64) error {
	if length == 0 || v.Unfinished {
		return nil
	}
	k, err := e.floating(ctx, v.Storage, v.Name)
	if err != nil {
		return err
	}
	if sum, n := sumOf(k.description); n == length {
		v.SHA256, v.Summed = sum, n
	}
	return nil
}

// ReadVolume implements virt.Reader.
func (e *Engine) ReadVolume(ctx context.Context, storage, name string, into virt.Sink) error {
	ref := virt.VolumeRef(storage, name)
	err := e.readVolume(ctx, ref, into)
	var known *virt.Error
	if err == nil || errors.As(err, &known) && known.Object.Kind != "" || ctx.Err() != nil {
		return err
	}
	var state *stateError
	if errors.As(err, &state) {
		return &virt.Error{Object: ref, Summary: "cannot be read: " + state.why, Found: "status " + state.status, Hint: "look at the engine's events"}
	}
	return explain("read it", ref, err)
}

func (e *Engine) readVolume(ctx context.Context, ref virt.Ref, into virt.Sink) error {
	k, err := e.floating(ctx, ref.Scope, ref.Name)
	if err != nil {
		return err
	}
	t, err := e.openTransfer(ctx, ref, k, "download")
	if err != nil {
		return err
	}
	if k.disk.Format == "qcow2" {
		into = &headSink{Sink: into, ref: ref}
	}
	if err := t.download(ctx, into); err != nil {
		t.cancel(ctx)
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	return e.waitDisk(ctx, k.id, goalDiskOK())
}

// headSink refuses a qcow2 image that lies over a template's or a snapshot's: by
// itself it is worth nothing.
type headSink struct {
	virt.Sink
	ref  virt.Ref
	head []byte
}

// Write implements virt.Sink.
func (s *headSink) Write(p []byte) (int, error) {
	if missing := image.HeadSize - len(s.head); missing > 0 {
		s.head = append(s.head, p[:min(missing, len(p))]...)
		if len(s.head) == image.HeadSize {
			if _, _, err := image.Probe(s.head, image.HeadSize); err != nil {
				return 0, &virt.Error{Kind: virt.ErrUnsupported, Object: s.ref, Summary: "cannot be read from the engine by itself", Err: err,
					Hint: "clone it, or its VM, and read that: a disk that lies over a template's or a snapshot's is only a part"}
			}
		}
	}
	return s.Sink.Write(p)
}

// createVolume makes a blank disk of no VM.
func (e *Engine) createVolume(ctx context.Context, c virt.CreateVolume) error {
	if err := e.clearPart(ctx, c.Ref); err != nil {
		return err
	}
	_, err := e.makeDisk(ctx, c.Ref, c.Ref.Name, diskXML{Format: textOf(formats.theirs(c.Format)), ProvisionedSize: &c.Size, Sparse: &c.Sparse})
	return err
}

// makeDisk makes a disk of no VM and waits until it can be used. After a lost answer
// its name tells whether it was made; one that failed is deleted.
func (e *Engine) makeDisk(ctx context.Context, ref virt.Ref, alias string, body diskXML) (diskInfo, error) {
	dom, err := e.domain(ctx, ref.Scope, "")
	if err != nil {
		return diskInfo{}, err
	}
	body.Name, body.StorageDomains = textOf(alias), &[]refXML{*byID(dom.id)}
	var made diskInfo
	err = e.whileBusy(ctx, func(ctx context.Context) (err error) {
		made, err = create(ctx, e.Client, kindDisk, "/disks", nil, body, convDisk)
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		found, look := e.diskNamed(ctx, ref.Scope, alias)
		if look != nil {
			return diskInfo{}, errors.Join(err, look)
		}
		made, err = found, nil
	}
	if err != nil {
		return diskInfo{}, err
	}
	if err := e.waitDisk(ctx, made.id, goalDiskOK()); err != nil {
		return diskInfo{}, e.unmadeDisk(ctx, made.id, err)
	}
	return made, nil
}

// unmadeDisk takes a disk away whose making failed.
func (e *Engine) unmadeDisk(ctx context.Context, id string, failed error) error {
	var state *stateError
	if !errors.As(failed, &state) {
		return failed
	}
	if err := e.dropDisk(ctx, id); err != nil {
		return fmt.Errorf("%w; what there is of it is still there, delete it on the engine: %w", failed, err)
	}
	state.why += "; what there was of it is deleted"
	return failed
}

// dropDisk removes a disk of no VM, and waits until it has gone.
func (e *Engine) dropDisk(ctx context.Context, id string) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := remove(ctx, e.Client, path("disks", id), nil)
		return err
	})
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return e.waitDisk(ctx, id, goalGone())
}

// clearPart removes what an interrupted run has left of a volume: its part, and a
// disk of its name that never became usable.
func (e *Engine) clearPart(ctx context.Context, ref virt.Ref) error {
	for _, alias := range []string{ref.Name + partSuffix, ref.Name} {
		k, err := e.diskNamed(ctx, ref.Scope, alias)
		if errors.Is(err, virt.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if alias == ref.Name && k.status != ovirtsdk.DISKSTATUS_ILLEGAL {
			continue
		}
		if err := e.abandon(ctx, k.id); err != nil {
			return err
		}
	}
	return nil
}

// abandon removes a disk, and the transfers into it that nobody goes on with: with
// an upload the engine removes its disk itself.
func (e *Engine) abandon(ctx context.Context, id string) error {
	all, err := e.transfersOf(ctx, id)
	if err != nil {
		return err
	}
	for _, i := range all {
		t := &transfer{e: e, disk: id, info: i}
		t.cancel(ctx)
		if err := t.await(ctx, func(gone bool) (bool, error) {
			return gone || t.info.phase == ovirtsdk.IMAGETRANSFERPHASE_FINISHED_CLEANUP || t.info.phase == ovirtsdk.IMAGETRANSFERPHASE_FINISHED_FAILURE, nil
		}); err != nil {
			return err
		}
	}
	return e.dropDisk(ctx, id)
}

// nameDisk gives a disk that is whole its name, and its description.
func (e *Engine) nameDisk(ctx context.Context, id, alias, description string) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindDisk, path("disks", id), nil, diskXML{Name: textOf(alias), Description: textOf(description)}, convDisk)
		return err
	})
	if err != nil {
		return err
	}
	return e.waitDisk(ctx, id, goalDiskOK())
}

// growDisk gives a disk more room.
func (e *Engine) growDisk(ctx context.Context, id string, size int64) error {
	err := e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := update(ctx, e.Client, kindDisk, path("disks", id), nil, diskXML{ProvisionedSize: &size}, convDisk)
		return err
	})
	if err != nil {
		return err
	}
	return e.waitDisk(ctx, id, goalDiskOK())
}

// cloneVolume lets the engine copy a disk, and grows the copy.
func (e *Engine) cloneVolume(ctx context.Context, c virt.CloneVolume) error {
	if err := e.clearPart(ctx, c.Ref); err != nil {
		return err
	}
	from, err := e.floating(ctx, c.From.Scope, c.From.Name)
	if err != nil {
		return err
	}
	dom, err := e.domain(ctx, c.Ref.Scope, "")
	if err != nil {
		return err
	}
	alias := c.Ref.Name + partSuffix
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := act(ctx, e.Client, path("disks", from.id, "copy"), &actionXML{Disk: &diskXML{Name: textOf(alias)}, StorageDomain: byID(dom.id)})
		return err
	})
	if err != nil && !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	made, look := e.diskNamed(ctx, c.Ref.Scope, alias)
	if look != nil {
		return errors.Join(err, look) // the answer to copy does not name the copy
	}
	if err := e.waitDisk(ctx, made.id, goalDiskOK()); err != nil {
		return e.unmadeDisk(ctx, made.id, err)
	}
	if c.Size > from.disk.Size {
		if err := e.growDisk(ctx, made.id, c.Size); err != nil {
			return err
		}
	}
	return e.nameDisk(ctx, made.id, c.Ref.Name, sumMark.ReplaceAllString(made.description, ""))
}

// resizeVolume grows a disk that no running VM has.
func (e *Engine) resizeVolume(ctx context.Context, c virt.ResizeVolume) error {
	k, err := e.floating(ctx, c.Ref.Scope, c.Ref.Name)
	if err != nil {
		return err
	}
	return e.growDisk(ctx, k.id, c.Size)
}

// deleteVolume removes a disk that no VM has, whole or half made.
func (e *Engine) deleteVolume(ctx context.Context, ref virt.Ref) error {
	if err := e.clearPart(ctx, ref); err != nil {
		return err
	}
	k, err := e.diskNamed(ctx, ref.Scope, ref.Name)
	if errors.Is(err, virt.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return e.abandon(ctx, k.id)
}

// uploadVolume sends a file of the controller into a new disk, which takes the place
// of one of its name that holds something else.
func (e *Engine) uploadVolume(ctx context.Context, c virt.UploadVolume, d *edit) error {
	f, err := os.Open(c.Source.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Source.Path, err)
	}
	defer f.Close()
	if err := sameFile(f, c); err != nil {
		return err
	}
	if err := e.clearPart(ctx, c.Ref); err != nil {
		return err
	}
	body := diskXML{Format: textOf(formats.theirs(c.Source.Format)), ProvisionedSize: &c.Source.Size, Sparse: &c.Sparse}
	if c.Source.Format == "qcow2" {
		body.InitialSize = &c.Source.Length // all of it, for the file is stored as it is
	}
	if c.Source.Format == "raw" && strings.HasSuffix(strings.ToLower(c.Ref.Name), isoSuffix) {
		body.ContentType = textOf("iso") // or no VM could have it in its drive
	}
	made, err := e.makeDisk(ctx, c.Ref, c.Ref.Name+partSuffix, body)
	if err != nil {
		return err
	}
	made.disk.Format = c.Source.Format
	t, err := e.openTransfer(ctx, c.Ref, made, "upload")
	if err != nil {
		return err
	}
	sent, err := t.upload(ctx, f, c.Source.Length)
	if err == nil {
		err = sameFile(f, c)
	}
	if err != nil {
		t.cancel(ctx) // with the part
		return err
	}
	err = t.finish(ctx)
	if err == nil {
		err = e.waitDisk(ctx, made.id, goalDiskOK())
	}
	if err != nil {
		return e.unmadeDisk(ctx, made.id, err)
	}
	description := ""
	old, err := e.diskNamed(ctx, c.Ref.Scope, c.Ref.Name)
	if err == nil {
		description = old.description
		err = e.dropDisk(ctx, old.id)
	} else if errors.Is(err, virt.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	d.out.Summary = fmt.Sprintf("%s of %s sent", virt.FormatSize(sent), virt.FormatSize(c.Source.Length))
	return e.nameDisk(ctx, made.id, c.Ref.Name, withSum(description, c.Source.SHA256, c.Source.Length))
}

// sameFile refuses a file that was written since its checksum was taken.
func sameFile(f *os.File, c virt.UploadVolume) error {
	now, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Source.Path, err)
	}
	if now.Size() == c.Source.Length && now.ModTime().Equal(c.Source.Modified) {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "its file is being written: it is another one than a moment ago", Found: c.Source.Path,
		Hint: "let whoever writes it come to an end, and run this again"}
}
