//go:build cgo

package libvirt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
	"github.com/nactl/nactl/virt/ssh"
)

// streamChunk is how much goes into one message of a stream: the size at which it
// was fastest.
const streamChunk = 256 << 10

// uploadData sends what is held in memory into a volume (virStorageVolUpload).
func uploadData(ctx context.Context, c *lv.Connect, v *lv.StorageVol, data []byte) error {
	s, err := openUpload(c, v, int64(len(data)), 0)
	if err != nil {
		return err
	}
	defer s.stream.Free()
	s.gauge = uploadGauge(ctx, v, int64(len(data)))
	return s.end(s.send(ctx, bytes.NewReader(data), int64(len(data))))
}

// upload is a stream into a volume.
type upload struct {
	stream *lv.Stream
	gauge  *virt.Gauge
	buf    []byte
	sent   int64 // bytes of content that went over the wire
}

func openUpload(c *lv.Connect, v *lv.StorageVol, length int64, flags lv.StorageVolUploadFlags) (*upload, error) {
	stream, err := c.NewStream(0)
	if err != nil {
		return nil, err
	}
	if err := v.Upload(stream, 0, uint64(length), flags); err != nil {
		return nil, errors.Join(err, stream.Free())
	}
	return &upload{stream: stream, buf: make([]byte, streamChunk)}, nil
}

func uploadGauge(ctx context.Context, v *lv.StorageVol, total int64) *virt.Gauge {
	name, _ := v.GetName() // known to the client
	return virt.NewGauge(ctx, "uploading "+name, total)
}

// send sends the next length bytes.
func (s *upload) send(ctx context.Context, from io.Reader, length int64) error {
	for left := length; left > 0; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		k, err := io.ReadFull(from, s.buf[:min(int64(len(s.buf)), left)])
		if err != nil {
			return fmt.Errorf("read what is to be uploaded: %w", err)
		}
		for part := s.buf[:k]; len(part) > 0; {
			m, err := s.stream.Send(part)
			if err != nil {
				return err
			}
			part = part[m:]
		}
		left -= int64(k)
		s.sent += int64(k)
		s.gauge.Add(int64(k))
	}
	return nil
}

// end waits until the daemon has it all, or aborts after an error.
func (s *upload) end(err error) error {
	if err != nil {
		return errors.Join(err, s.stream.Abort())
	}
	return s.stream.Finish()
}

// uploadFile makes a volume of an image file on this machine. The file keeps its
// format, so the volume has the same; it grows to its size afterwards. Holes of
// the file are not sent.
func (n *Node) uploadFile(ctx context.Context, v newVolume) error {
	f, err := os.Open(v.path())
	if err != nil {
		return fmt.Errorf("%s: %w", v.path(), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", v.path(), err)
	}
	if err := v.unchanged(info); err != nil {
		return err
	}
	blank := v
	if v.image != nil {
		blank.size = v.image.Size
	}
	blank.size = max(blank.size, info.Size())
	text, err := blank.xml()
	if err != nil {
		return err
	}
	err = n.long(ctx, "upload "+v.path(), func(c *lv.Connect) error {
		made, err := v.create(c, text)
		if err != nil {
			return err
		}
		defer made.Free()
		if err := v.sendFile(ctx, c, made, f, info.Size()); err != nil {
			return err
		}
		return v.grow(made)
	}, nil)
	if err == nil {
		if info, err = f.Stat(); err == nil {
			err = v.unchanged(info)
		}
	}
	return about(err, v.ref())
}

// unchanged refuses a file that was written since its checksum was taken.
func (v newVolume) unchanged(now os.FileInfo) error {
	if v.file == nil || now.Size() == v.file.Length && now.ModTime().Equal(v.file.Modified) {
		return nil
	}
	return &virt.Error{Kind: virt.ErrConflict, Object: v.ref(), Summary: "its file is being written: it is another one than a moment ago", Found: v.file.Path,
		Hint: "let whoever writes it come to an end, and run this again"}
}

// sendFile sends a file into the volume that was just made for it. A hole is left
// out where the volume is known to be zero: neither on a block device, which holds
// what was there before, nor where libvirt wrote the new volume's own header.
func (v newVolume) sendFile(ctx context.Context, c *lv.Connect, made *lv.StorageVol, f *os.File, length int64) error {
	var flags lv.StorageVolUploadFlags
	begun := length // what is sent whole
	if !v.pool.isBlock() {
		xml, err := made.GetXMLDesc(0)
		if err != nil {
			return err
		}
		blank, err := parseVolume(v.pool.name, xml)
		if err != nil {
			return err
		}
		flags, begun = lv.STORAGE_VOL_UPLOAD_SPARSE_STREAM, 0
		if v.format != "raw" {
			begun = min(blank.Stored, length)
		}
	}
	s, err := openUpload(c, made, length, flags)
	if err != nil {
		return err
	}
	defer s.stream.Free()
	s.gauge = uploadGauge(ctx, made, length)
	err = s.send(ctx, f, begun)
	if err == nil {
		err = image.Regions(f, length, func(r image.Region) error {
			skip := max(begun-r.Offset, 0)
			if r.Offset, r.Length = r.Offset+skip, r.Length-skip; r.Length <= 0 {
				return nil
			}
			if !r.Hole {
				return s.send(ctx, io.NewSectionReader(f, r.Offset, r.Length), r.Length)
			}
			s.gauge.Add(r.Length)
			return s.stream.SendHole(r.Length, 0)
		})
	}
	if err = s.end(err); err == nil && v.told != nil {
		*v.told = s.sent
	}
	return err
}

// ReadVolume reads what a volume holds (virStorageVolDownload); its holes are not
// sent.
func (n *Node) ReadVolume(ctx context.Context, storage, name string, into virt.Sink) error {
	return n.download(ctx, storage, name, 0, into)
}

// download reads the first length bytes of a volume; 0: all.
func (n *Node) download(ctx context.Context, storage, name string, length int64, into virt.Sink) error {
	_, storage = virt.HostOf(storage)
	err := n.long(ctx, "read volume "+name, func(c *lv.Connect) error {
		return withVolume(c, storage, name, func(_ *lv.StoragePool, v *lv.StorageVol) error {
			xml, err := v.GetXMLDesc(0)
			if err != nil {
				return err
			}
			seen, err := parseVolume(storage, xml)
			if err != nil {
				return err
			}
			stream, err := c.NewStream(0)
			if err != nil {
				return err
			}
			defer stream.Free()
			if err := v.Download(stream, 0, uint64(length), lv.STORAGE_VOL_DOWNLOAD_SPARSE_STREAM); err != nil {
				return err
			}
			total := seen.Stored
			if length > 0 {
				total = length
			}
			if err := receive(ctx, stream, into, virt.NewGauge(ctx, "reading "+name, total)); err != nil {
				return errors.Join(err, stream.Abort())
			}
			return stream.Finish()
		})
	}, nil)
	return about(err, virt.VolumeRef(storage, name))
}

// inHole is what a stream gives in place of a number of bytes.
const inHole = -3

// receive reads a stream to its end.
func receive(ctx context.Context, stream *lv.Stream, into virt.Sink, gauge *virt.Gauge) error {
	buf := make([]byte, streamChunk)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		k, err := stream.RecvFlags(buf, lv.STREAM_RECV_STOP_AT_HOLE)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case k == inHole:
			hole, err := stream.RecvHole(0)
			if err == nil {
				err = into.Hole(hole)
			}
			if err != nil {
				return err
			}
			gauge.Add(hole)
		default:
			if _, err := into.Write(buf[:k]); err != nil {
				return err
			}
			gauge.Add(int64(k))
		}
	}
}

// VolumeSum takes the checksum of a volume where it lies, by the node's own
// sha256sum. Where the node does not let us, the content is read and summed here.
func (n *Node) VolumeSum(ctx context.Context, v *virt.Volume, length int64) error {
	if length > v.Stored || v.Unfinished {
		return nil // it cannot hold as much
	}
	if length == 0 {
		length = v.Stored
	}
	if v.SHA256 != "" && v.Summed == length {
		return nil
	}
	sum, err := n.sumInPlace(ctx, v, length)
	if err != nil && ctx.Err() == nil {
		h := hashSink{sha256.New()}
		if err = n.download(ctx, v.Storage, v.Name, length, h); err == nil {
			sum = hex.EncodeToString(h.Sum(nil))
		}
	}
	if err != nil {
		return err
	}
	v.SHA256, v.Summed = sum, length
	return nil
}

// sumInPlace lets the node take the checksum.
func (n *Node) sumInPlace(ctx context.Context, v *virt.Volume, length int64) (string, error) {
	path, ok := v.Path.Get()
	if !ok || n.addr.direct {
		return "", errors.ErrUnsupported
	}
	host, err := n.host(ctx)
	if err != nil {
		return "", err
	}
	cmd := ssh.Command{Shell: fmt.Sprintf("head -c %d -- %s | sha256sum", length, ssh.Quote(path)), Become: true}
	r, err := host.Exec(ctx, cmd)
	if err != nil {
		return "", err
	}
	sum, _, _ := bytes.Cut(r.Stdout, []byte(" "))
	if r.RC != 0 || len(r.Stderr) > 0 || len(sum) != hex.EncodedLen(sha256.Size) {
		return "", fmt.Errorf("sha256sum on %s: %s", n.cfg.Name, bytes.TrimSpace(r.Stderr))
	}
	return string(sum), nil
}

// hashSink sums what it is given.
type hashSink struct{ hash.Hash }

// Hole sums n zeros.
func (h hashSink) Hole(n int64) error {
	_, err := io.Copy(h, image.Zeros(n))
	return err
}
