package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// download reads a volume into a file, if that does not hold it. Files are locked one
// by one: a download takes long.
func (l *Controller) download(ctx context.Context, c virt.DownloadVolume) (virt.Outcome, error) {
	unlock, err := l.places.Lock(ctx, c.Ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	root, name, err := open(c.Ref)
	if err != nil {
		return virt.Outcome{}, noFolder(c, err)
	}
	defer root.Close()
	var now virt.Object
	switch f, err := look(ctx, root, name, c.Ref); {
	case err == nil:
		now = f
	case !errors.Is(err, virt.ErrNotFound):
		return virt.Outcome{}, err
	}
	after, out, err := virt.Decide(l, now, c)
	if err != nil || !out.Changed {
		return out, err
	}
	if err := receive(ctx, root, name, c, after.(*virt.LocalFile).Mode); err != nil {
		var known *virt.Error
		if errors.As(err, &known) || ctx.Err() != nil {
			return virt.Outcome{}, err
		}
		return virt.Outcome{}, noFolder(c, fileError(c.Ref, err))
	}
	return out, nil
}

// receive writes a volume's content beside the file that it takes the place of.
func receive(ctx context.Context, root *os.Root, name string, c virt.DownloadVolume, mode string) error {
	return beside(root, name, mode, func(f *os.File) error {
		sum := &summing{Writer: image.NewWriter(f), sum: sha256.New()}
		if err := c.Content.ReadVolume(ctx, c.From.Scope, c.From.Name, sum); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.sum.Sum(nil)); c.SHA256 != "" && got != c.SHA256 {
			return &virt.Error{Kind: virt.ErrConflict, Object: c.From, Summary: "was written to while it was read",
				Wanted: "sha256:" + c.SHA256, Found: "sha256:" + got, Hint: "see who uses it, and run this again"}
		}
		return nil
	})
}

// summing takes the checksum of what is written.
type summing struct {
	*image.Writer
	sum hash.Hash
}

// Write implements virt.Sink.
func (s *summing) Write(p []byte) (int, error) {
	s.sum.Write(p)
	return s.Writer.Write(p)
}

// Hole implements virt.Sink.
func (s *summing) Hole(n int64) error {
	if _, err := io.Copy(s.sum, image.Zeros(n)); err != nil {
		return err
	}
	return s.Writer.Hole(n)
}

// beside writes a file beside the one that it takes the place of: whoever reads sees
// the old content or the new, and after a power failure it is one of them.
func beside(root *os.Root, name, mode string, write func(f *os.File) error) (err error) {
	perm, err := permissions(mode)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(name)
	part := filepath.Join(dir, "."+base+"."+rand.Text()[:8]+".nactl-part")
	f, err := root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(part) // what failed before is what counts
		}
	}()
	err = write(f)
	if err == nil {
		err = keepOwner(root, name, f)
	}
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = root.Rename(part, name); err != nil {
		return err
	}
	folder, err := root.Open(filepath.Clean("./" + dir))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
