package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// LocalFile looks at a file. One that has a folder is looked for below it, and a
// link that leads out of the folder is refused.
func (*Controller) LocalFile(ctx context.Context, ref virt.Ref) (*virt.LocalFile, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, name, err := open(ref)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return look(ctx, root, name, ref)
}

// open gives the folder of a file, and the file's path from there. Of an absolute
// path that is the folder it stands in, links to it followed: who writes it out
// means it.
func open(ref virt.Ref) (*os.Root, string, error) {
	dir, name := ref.Scope, ref.Name
	if filepath.IsAbs(name) {
		dir, name = filepath.Split(filepath.Clean(name))
	}
	if name == "" || !filepath.IsLocal(name) || name == "." {
		return nil, "", &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "leads out of the project",
			Wanted: "a path below " + ref.Scope, Hint: "give an absolute path where that is meant"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", fileError(ref, err)
	}
	return root, name, nil
}

// look reads a file. Its content is kept up to the size that is shown.
func look(ctx context.Context, root *os.Root, name string, ref virt.Ref) (*virt.LocalFile, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, fileError(ref, err)
	}
	if !info.Mode().IsRegular() {
		e := &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is no regular file", Wanted: "a file, or nothing", Found: info.Mode().String()}
		if info.Mode()&fs.ModeSymlink != 0 {
			to, _ := root.Readlink(name) // only for the message
			e.Found, e.Hint = "a symbolic link to "+to, "name the file that it leads to, or remove the link"
		}
		return nil, e
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fileError(ref, err)
	}
	defer f.Close()
	hash, text := sha256.New(), &bytes.Buffer{}
	gauge := virt.NewGauge(ctx, "reading "+filepath.Base(name), info.Size())
	n, err := io.Copy(io.MultiWriter(hash, &beginning{text, virt.ShownText}), &whileAwaited{ctx, f, gauge})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fileError(ref, err)
	}
	out := &virt.LocalFile{Dir: ref.Scope, Path: ref.Name, Size: n, SHA256: hex.EncodeToString(hash.Sum(nil)), Mode: octal(info.Mode()),
		Head: bytes.Clone(text.Bytes()[:min(text.Len(), image.HeadSize)]), Modified: info.ModTime()}
	if n <= virt.ShownText {
		out.Content = text.Bytes()
	}
	return out, nil
}

// whileAwaited reads for as long as the context lasts, and tells how far it is.
type whileAwaited struct {
	ctx   context.Context
	r     io.Reader
	gauge *virt.Gauge
}

// Read implements io.Reader.
func (w *whileAwaited) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.r.Read(p)
	w.gauge.Add(int64(n))
	return n, err
}

// beginning keeps the first bytes of what is written to it.
type beginning struct {
	b    *bytes.Buffer
	room int
}

// Write implements io.Writer. It takes everything.
func (w *beginning) Write(p []byte) (int, error) {
	keep := p[:min(len(p), w.room)]
	w.room -= len(keep)
	w.b.Write(keep)
	return len(p), nil
}

// octal writes permissions as the steps do.
func octal(m fs.FileMode) string {
	bits := uint32(m.Perm())
	for bit, special := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			bits |= special
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// permissions reads what octal writes.
func permissions(text string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(text, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("mode %q: wanted octal digits", text)
	}
	m := fs.FileMode(bits & 0o777)
	for bit, special := range map[fs.FileMode]uint64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if bits&special != 0 {
			m |= bit
		}
	}
	return m, nil
}

// changeFile writes or removes a file, if it is not yet as wanted. One at a time:
// of two targets that write the same file the second finds what the first wrote.
func (l *Controller) changeFile(ctx context.Context, c virt.Change) (virt.Outcome, error) {
	l.files.Lock()
	defer l.files.Unlock()
	if ctx.Err() != nil {
		return virt.Outcome{}, context.Cause(ctx)
	}
	ref := c.Object()
	root, name, err := open(ref)
	if err != nil {
		if _, gone := c.(virt.LocalDelete); gone && errors.Is(err, virt.ErrNotFound) {
			return virt.Outcome{}, nil
		}
		return virt.Outcome{}, noFolder(c, err)
	}
	defer root.Close()
	var now virt.Object
	switch f, err := look(ctx, root, name, ref); {
	case err == nil:
		now = f
	case !errors.Is(err, virt.ErrNotFound):
		return virt.Outcome{}, err
	}
	after, out, err := virt.Decide(l, now, c)
	if err != nil || !out.Changed {
		return out, err
	}
	switch c := c.(type) {
	case virt.LocalWrite:
		err = replace(root, name, c.Content, after.(*virt.LocalFile).Mode)
	case virt.LocalDelete:
		err = root.Remove(name)
	}
	if err != nil {
		return virt.Outcome{}, noFolder(c, fileError(ref, err))
	}
	return out, nil
}

// noFolder says of a file that cannot be made what is missing: not itself.
func noFolder(c virt.Change, err error) error {
	var e *virt.Error
	if _, deletes := c.(virt.LocalDelete); deletes || !errors.As(err, &e) || e.Kind != virt.ErrNotFound {
		return err
	}
	dir := filepath.Dir(e.Object.Name)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(e.Object.Scope, dir)
	}
	return &virt.Error{Kind: virt.ErrNotFound, Object: e.Object, Summary: "cannot be made: there is no folder " + dir,
		Hint: fmt.Sprintf("make it first: local_exec: {command: [mkdir, -p, %s], creates: %s}", dir, dir)}
}

// replace writes a file in place of another one.
func replace(root *os.Root, name string, content []byte, mode string) error {
	return beside(root, name, mode, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

// keepOwner gives a new file the owner of the one that it replaces.
func keepOwner(root *os.Root, name string, f *os.File) error {
	old, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	is, ok2 := mine.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
		return fmt.Errorf("the file would lose its owner: %w", err)
	}
	return nil
}

// fileError says why a file could not be looked at or written.
func fileError(ref virt.Ref, err error) error {
	e := &virt.Error{Kind: virt.ErrInvalid, Object: ref, Err: err}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		e.Err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Summary = virt.ErrNotFound, "is not there"
	case errors.Is(err, fs.ErrPermission):
		e.Summary, e.Hint = "permission denied", "see who owns the file and its folder"
		e.Err = nil
	case errors.Is(err, syscall.ENOTDIR):
		e.Summary, e.Hint = "a part of its path is a file and no folder", "correct the path"
		e.Err = nil
	default:
		e.Summary = "cannot be used"
	}
	return e
}
