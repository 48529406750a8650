package ovirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// imageTransferXML begins a transfer.
type imageTransferXML struct {
	Direction         Text   `xml:"direction"` // upload, download
	Disk              refXML `xml:"disk"`
	Format            Text   `xml:"format"` // cow, raw
	InactivityTimeout int64  `xml:"inactivity_timeout"`
}

// transferInfo is a transfer as the engine tells of it.
type transferInfo struct {
	id, disk string
	phase    ovirtsdk.ImageTransferPhase
	urls     []string // of its data: the host's, then the engine's
}

func convTransfer(t *ovirtsdk.ImageTransfer) (transferInfo, error) {
	i := transferInfo{id: value(t.Id()), disk: idIn(t.Disk()), phase: value(t.Phase())}
	if i.disk == "" {
		i.disk = idIn(t.Image())
	}
	for _, u := range []string{value(t.TransferUrl()), value(t.ProxyUrl())} {
		if u != "" && !slices.Contains(i.urls, u) {
			i.urls = append(i.urls, u)
		}
	}
	return i, nil
}

// ended tells whether nothing more will come of a transfer.
func (i transferInfo) ended() bool {
	switch i.phase {
	case ovirtsdk.IMAGETRANSFERPHASE_FINISHED_SUCCESS, ovirtsdk.IMAGETRANSFERPHASE_FINISHED_FAILURE, ovirtsdk.IMAGETRANSFERPHASE_FINISHED_CLEANUP,
		ovirtsdk.IMAGETRANSFERPHASE_CANCELLED, ovirtsdk.IMAGETRANSFERPHASE_CANCELLED_SYSTEM, ovirtsdk.IMAGETRANSFERPHASE_CANCELLED_USER:
		return true
	}
	return false
}

const (
	// inactivity is how long the engine waits for the next of a transfer's requests,
	// in seconds. Then it pauses an upload, which is resumed, and cancels a download.
	inactivity = 300
	// flushEvery is how much of an upload is lost, and sent again, at most.
	flushEvery = 256 << 20
	// dataTries is how often in a row a request for data may fail.
	dataTries = 8
	// transferTime is how long the engine has to begin a transfer, or to end it.
	transferTime = 10 * time.Minute
)

// transfer is one upload or download of a disk.
type transfer struct {
	e    *Engine
	ref  virt.Ref // of the volume
	disk string   // id
	body imageTransferXML
	info transferInfo
	data *imageData
}

// openTransfer begins a transfer of a disk, in the disk's own format, and waits until
// data can go.
func (e *Engine) openTransfer(ctx context.Context, ref virt.Ref, disk diskInfo, direction string) (*transfer, error) {
	body := imageTransferXML{Direction: Text(direction), Disk: *byID(disk.id), Format: Text(formats.theirs(disk.disk.Format)), InactivityTimeout: inactivity}
	t := &transfer{e: e, ref: ref, disk: disk.id, body: body}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	if err := t.ready(ctx); err != nil {
		t.cancel(ctx)
		return nil, err
	}
	return t, nil
}

// begin asks the engine for the transfer.
func (t *transfer) begin(ctx context.Context) error {
	err := t.e.whileBusy(ctx, func(ctx context.Context) (err error) {
		t.info, err = create(ctx, t.e.Client, kindImageTransfer, "/imagetransfers", nil, t.body, convTransfer)
		return err
	})
	if errors.Is(err, virt.ErrOutcomeUnknown) {
		t.info, err = t.e.begunTransfer(ctx, t.disk, err)
	}
	return err
}

// transfersOf gives the transfers of a disk that have not ended.
func (e *Engine) transfersOf(ctx context.Context, disk string) ([]transferInfo, error) {
	all, err := list(ctx, e.Client, kindImageTransfer, "/imagetransfers", query{}, convTransfer)
	return slices.DeleteFunc(all, func(i transferInfo) bool { return i.disk != disk || i.ended() }), err
}

// begunTransfer looks for a transfer whose beginning was not answered.
func (e *Engine) begunTransfer(ctx context.Context, disk string, lost error) (transferInfo, error) {
	all, err := e.transfersOf(ctx, disk)
	if err != nil || len(all) != 1 {
		return transferInfo{}, errors.Join(lost, err)
	}
	return all[0], nil
}

// look reads what has become of the transfer. gone: the engine knows it no more.
func (t *transfer) look(ctx context.Context) (gone bool, err error) {
	info, err := get(ctx, t.e.Client, kindImageTransfer, path("imagetransfers", t.info.id), query{}, convTransfer)
	if isGone(err) {
		return true, nil
	}
	if err == nil {
		t.info = info
	}
	return false, err
}

// await looks at the transfer until done is satisfied.
func (t *transfer) await(ctx context.Context, done func(gone bool) (bool, error)) error {
	ctx, cancel := t.e.cfg.Limit(ctx, transferTime, nil)
	defer cancel()
	for {
		gone, err := t.look(ctx)
		if err != nil {
			return err
		}
		if ok, err := done(gone); ok || err != nil {
			return err
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the engine, the transfer is " + string(t.info.phase)})
		if err := t.e.cfg.Sleep(ctx, t.e.cfg.Poll); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return &virt.Error{Kind: virt.ErrTimeout, Summary: "the engine did not get its transfer on in time", Err: err}
			}
			return err
		}
	}
}

// ready waits until data can go, and asks what the service for it can do. A transfer
// that the engine has paused is resumed. A download that it has ended, for it saw
// nobody go on with it, is begun anew: what was read is read.
func (t *transfer) ready(ctx context.Context) error {
	resumed, anew := false, 0
	err := t.await(ctx, func(gone bool) (bool, error) {
		switch phase := t.info.phase; {
		case (gone || t.info.ended()) && t.body.Direction == "download" && anew < dataTries:
			anew++
			if err := t.e.waitDisk(ctx, t.disk, goalDiskOK()); err != nil {
				return false, err
			}
			return false, t.begin(ctx)
		case gone || t.info.ended():
			return false, &stateError{status: string(phase), why: "its transfer was ended on the engine"}
		case phase == ovirtsdk.IMAGETRANSFERPHASE_TRANSFERRING && len(t.info.urls) > 0:
			return true, nil
		case (phase == ovirtsdk.IMAGETRANSFERPHASE_PAUSED_SYSTEM || phase == ovirtsdk.IMAGETRANSFERPHASE_PAUSED_USER) && !resumed:
			_, err := act(ctx, t.e.Client, path("imagetransfers", t.info.id, "resume"), nil)
			resumed = err == nil
			return false, err
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if t.data, err = t.e.openData(ctx, t.info.urls); err != nil && ctx.Err() == nil {
		return unreachableData(t.ref, err)
	}
	return err
}

// persist lets send go on, from where it says that it got to, through broken
// connections and transfers that the engine has paused.
func (t *transfer) persist(ctx context.Context, send func() (got int64, err error)) error {
	last, tries := int64(-1), 0
	for {
		got, err := send()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !passes(err) {
			return err
		}
		if got > last {
			last, tries = got, 0
		}
		if tries++; tries >= dataTries {
			return fmt.Errorf("%d times in a row: %w", tries, err)
		}
		virt.Report(ctx, virt.Progress{What: "the data goes on: " + err.Error()})
		if err := t.e.cfg.Sleep(ctx, time.Duration(tries)*time.Second); err != nil {
			return err
		}
		var unreachable *virt.Error
		if err := t.ready(ctx); err != nil && (!errors.As(err, &unreachable) || unreachable.Kind != virt.ErrUnreachable) {
			return err
		}
	}
}

// upload sends a file, and tells how much of it went over the wire. Its holes are not
// sent, where the service can make zeros itself.
func (t *transfer) upload(ctx context.Context, f *os.File, length int64) (sent int64, err error) {
	var all []image.Region
	if err := image.Regions(f, length, func(r image.Region) error { all = append(all, r); return nil }); err != nil {
		return 0, fmt.Errorf("read what is to be uploaded: %w", err)
	}
	safe, shown := int64(0), int64(0) // what the storage has; what was told
	gauge := virt.NewGauge(ctx, "uploading "+t.ref.Name, length)
	err = t.persist(ctx, func() (int64, error) {
		unsafe := int64(0)
		for _, r := range all {
			skip := max(safe-r.Offset, 0)
			r.Offset, r.Length = r.Offset+skip, r.Length-skip
			for r.Length > 0 {
				n := r.Length
				if !r.Hole || !t.data.can("zero") {
					n = min(n, pieceSize)
				}
				var err error
				switch {
				case r.Hole && t.data.can("zero"):
					err = t.data.zero(ctx, r.Offset, n)
				case r.Hole:
					sent += n
					err = t.data.put(ctx, image.Zeros(n), r.Offset, n)
				default:
					sent += n
					err = t.data.put(ctx, io.NewSectionReader(f, r.Offset, n), r.Offset, n)
				}
				if err != nil {
					return safe, err
				}
				r.Offset, r.Length, unsafe = r.Offset+n, r.Length-n, unsafe+n
				if r.Offset > shown {
					gauge.Add(r.Offset - shown)
					shown = r.Offset
				}
				if unsafe < flushEvery && r.Offset < length && t.data.can("flush") {
					continue
				}
				if t.data.can("flush") {
					if err := t.data.flush(ctx); err != nil {
						return safe, err
					}
				}
				safe, unsafe = r.Offset, 0
			}
		}
		return safe, nil
	})
	return sent, err
}

// download reads the disk into a sink; its zeros are not sent, where the service
// knows them.
func (t *transfer) download(ctx context.Context, into virt.Sink) error {
	var all []extent
	err := t.persist(ctx, func() (int64, error) {
		if t.data.can("extents") {
			var err error
			all, err = t.data.extents(ctx)
			return 0, err
		}
		n, err := t.data.size(ctx)
		all = []extent{{Length: n}}
		return 0, err
	})
	if err != nil || len(all) == 0 {
		return err
	}
	last := all[len(all)-1]
	gauge := virt.NewGauge(ctx, "reading "+t.ref.Name, last.Start+last.Length)
	pos := int64(0)
	buf := make([]byte, 1<<20)
	var fatal error // of the sink: no use in trying again
	err = t.persist(ctx, func() (int64, error) {
		for _, x := range all {
			end := x.Start + x.Length
			for pos < end {
				if x.Zero {
					if fatal = into.Hole(end - pos); fatal != nil {
						return pos, nil
					}
					gauge.Add(end - pos)
					pos = end
					continue
				}
				err := t.data.get(ctx, pos, min(end-pos, pieceSize), func(r io.Reader) error {
					for {
						n, err := r.Read(buf)
						if n > 0 {
							if _, fatal = into.Write(buf[:n]); fatal != nil {
								return fatal
							}
							pos += int64(n)
							gauge.Add(int64(n))
						}
						if err == io.EOF {
							return nil
						} else if err != nil {
							return err
						}
					}
				})
				if fatal != nil {
					return pos, nil
				}
				if err != nil {
					return pos, err
				}
			}
		}
		return pos, nil
	})
	return errors.Join(fatal, err)
}

// finish lets the engine end the transfer and look at what it has. Of a download it
// matters only that it is over.
func (t *transfer) finish(ctx context.Context) error {
	err := t.e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := act(ctx, t.e.Client, path("imagetransfers", t.info.id, "finalize"), nil)
		return err
	})
	over := t.body.Direction == "download"
	var refused *Fault
	if err != nil && !errors.Is(err, virt.ErrOutcomeUnknown) && !isGone(err) && !(over && errors.As(err, &refused)) {
		return err
	}
	return t.await(ctx, func(gone bool) (bool, error) {
		switch phase := t.info.phase; {
		case gone, phase == ovirtsdk.IMAGETRANSFERPHASE_FINISHED_SUCCESS, over && t.info.ended():
			return true, nil // an older engine forgets a transfer that ended: the disk tells how
		case t.info.ended(), phase == ovirtsdk.IMAGETRANSFERPHASE_FINALIZING_FAILURE:
			return false, &stateError{status: string(phase), why: "the engine finds that its image cannot be used"}
		case phase == ovirtsdk.IMAGETRANSFERPHASE_TRANSFERRING:
			// A finalize whose answer was lost may not have been heard.
			_, err := act(ctx, t.e.Client, path("imagetransfers", t.info.id, "finalize"), nil)
			return false, err
		}
		return false, nil
	})
}

// cancel gives the transfer up, as far as the engine hears of it: it would end it by
// itself later on.
func (t *transfer) cancel(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	_, _ = act(ctx, t.e.Client, path("imagetransfers", t.info.id, "cancel"), nil)
}

// cancelTime is how long the engine has to hear that a transfer is given up.
const cancelTime = 10 * time.Second
