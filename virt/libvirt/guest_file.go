//go:build cgo

package libvirt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/guest"
)

const (
	// readChunk is how much of a file one reply carries, in bytes: far below what
	// libvirt drops, and few requests all the same.
	readChunk = 1 << 20
	// writeChunk is how much one request carries: see maxRequest.
	writeChunk = 64 << 10
	// readWhole is the size up to which a file's checksum is made here, from its
	// content; above it the guest is asked to make it, where it can.
	readWhole = 4 << 20
	// scriptTimeout bounds the little scripts around a file, in the guest.
	scriptTimeout = 60 * time.Second
)

// fileRef names a file in this agent's VM.
func (a *agent) fileRef(path string) virt.Ref {
	return virt.Ref{Kind: virt.KindGuestFile, Scope: a.vm.Name, Name: path}
}

// openFile has the agent open a file in a mode of fopen(3). The caller closes it.
func (a *agent) openFile(ctx context.Context, path, mode string) (handle int64, err error) {
	err = a.run(ctx, "guest-file-open", map[string]string{"path": path, "mode": mode}, &handle)
	var own *agentError
	if !errors.As(err, &own) {
		return handle, err
	}
	e := &virt.Error{Object: a.fileRef(path), Summary: "cannot be opened in the guest", Err: own}
	switch {
	case own.says("No such file or directory", "Not a directory", "cannot find the"):
		return 0, virt.NotFound(a.fileRef(path), "make it with guest_file, or check its path")
	case own.says("Is a directory"):
		e.Kind, e.Found = virt.ErrInvalid, "a directory"
	case own.says("Permission denied", "Read-only file system", "No space left"):
		e.Kind = virt.ErrConflict
	}
	return 0, e
}

// closeFile frees a handle, even when the work on the file was given up: the
// agent keeps handles until it ends.
func (a *agent) closeFile(ctx context.Context, handle int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agentTimeout)
	defer cancel()
	return a.run(ctx, "guest-file-close", map[string]int64{"handle": handle}, nil)
}

// fileRead is the reply to guest-file-read.
type fileRead struct {
	Count int64  `json:"count"`
	Data  []byte `json:"buf-b64"`
	EOF   bool   `json:"eof"`
}

// drain reads an open file to its end and gives each piece to take, which stops
// it by returning false.
func (a *agent) drain(ctx context.Context, handle int64, take func([]byte) bool) error {
	for {
		var r fileRead
		if err := a.run(ctx, "guest-file-read", map[string]int64{"handle": handle, "count": readChunk}, &r); err != nil {
			return err
		}
		if !take(r.Data) || r.EOF || len(r.Data) == 0 {
			return nil
		}
	}
}

// readFile gives the beginning of a file, up to limit bytes.
func (a *agent) readFile(ctx context.Context, path string, limit int) ([]byte, error) {
	h, err := a.openFile(ctx, path, "r")
	if err != nil {
		return nil, err
	}
	var content []byte
	err = a.drain(ctx, h, func(b []byte) bool {
		content = append(content, b[:min(len(b), limit-len(content))]...)
		return len(content) < limit
	})
	return content, errors.Join(err, a.closeFile(ctx, h))
}

// file looks at a file. With limit 0 it only asks whether it is there; else it
// finds its size, checksum and, where guest-exec is allowed, mode and owner, and
// brings the content if that is not over limit bytes.
func (a *agent) file(ctx context.Context, path string, limit int64) (*virt.GuestFile, error) {
	h, err := a.openFile(ctx, path, "r")
	if err != nil {
		return nil, err
	}
	f := &virt.GuestFile{VM: a.vm.Name, Path: path}
	if limit > 0 {
		err = a.examine(ctx, h, f, limit)
	}
	if err := errors.Join(err, a.closeFile(ctx, h)); err != nil {
		return nil, err
	}
	return f, nil
}

func (a *agent) examine(ctx context.Context, handle int64, f *virt.GuestFile, limit int64) error {
	directory := func(cause error) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: f.Ref(), Summary: "is not a file", Found: "a directory", Err: cause}
	}
	size, err := a.fileSize(ctx, handle)
	if errors.Is(err, errDirectory) {
		return directory(nil)
	}
	if err != nil {
		return err
	}
	large := size > max(limit, readWhole)
	attrs, err := a.attributes(ctx, f.Path, large)
	if err != nil {
		return err
	}
	f.Mode, f.Owner, f.Group = attrs.Mode, attrs.Owner, attrs.Group
	if large && attrs.SHA256 != "" {
		f.Size, f.SHA256 = size, attrs.SHA256
		return nil
	}
	sum := sha256.New()
	var content []byte
	err = a.drain(ctx, handle, func(b []byte) bool {
		f.Size += int64(len(b))
		sum.Write(b)
		if f.Size <= limit {
			content = append(content, b...)
		} else {
			content = nil
		}
		return true
	})
	var own *agentError
	if errors.As(err, &own) && own.says("Is a directory") {
		return directory(own)
	}
	f.SHA256 = hexSum(sum)
	if f.Size <= limit {
		f.Content = content
	}
	return err
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

var errDirectory = errors.New("a directory")

// fileSize finds the end of an open file and goes back to its beginning. What
// cannot be sought in has no size.
func (a *agent) fileSize(ctx context.Context, handle int64) (int64, error) {
	var r struct {
		Position int64 `json:"position"`
	}
	seek := func(whence string) error {
		return a.run(ctx, "guest-file-seek", map[string]any{"handle": handle, "offset": 0, "whence": whence}, &r)
	}
	err := seek("end")
	if isRefusal(err) {
		return 0, nil
	}
	size := r.Position
	if size == 1<<63-1 {
		return 0, errDirectory // whose end is the largest number that there is
	}
	if err == nil {
		err = seek("set")
	}
	return size, err
}

// attributes asks a shell in the guest. All stay empty where there is none, or
// where guest-exec is not allowed.
func (a *agent) attributes(ctx context.Context, path string, sum bool) (guest.Attributes, error) {
	which := ""
	if sum {
		which = "sum"
	}
	r, err := a.script(ctx, guest.AttributesScript, path, which)
	if err != nil {
		if isRefusal(err) {
			return guest.Attributes{}, nil
		}
		return guest.Attributes{}, err
	}
	return guest.ParseAttributes(r.Stdout), nil
}

// script runs a few lines of shell in the guest; its arguments are $1….
// An error that isRefusal knows says that the guest has no shell or no
// guest-exec; a script that fails is no error.
func (a *agent) script(ctx context.Context, text string, args ...string) (*virt.CommandResult, error) {
	pid, err := a.start(ctx, execRequest{Path: "/bin/sh", Arg: append([]string{"-c", text, "nactl"}, args...), Capture: true})
	if err != nil {
		return nil, err
	}
	s, err := a.await(ctx, pid, time.Now().Add(scriptTimeout))
	if err != nil {
		return nil, err
	}
	return s.result()
}

// setAttributes makes the part of a GuestWrite that is not content.
func (a *agent) setAttributes(ctx context.Context, c virt.GuestWrite) error {
	r, err := a.script(ctx, guest.AttributesOnlyScript, c.Ref.Name, c.Mode.Or(""), c.Owner.Or(""), c.Group.Or(""))
	return a.scriptFailed(c.Ref, "its mode or owner cannot be set", r, err)
}

// scriptFailed gives the error of a script that ended badly.
func (a *agent) scriptFailed(ref virt.Ref, summary string, r *virt.CommandResult, err error) error {
	switch {
	case err != nil:
		return err
	case r.RC != 0:
		return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: summary, Found: strings.TrimSpace(r.Stderr)}
	}
	return nil
}

// writeFile writes a file whole or not at all: into a new file beside it that
// then takes its place. Mode and owner stay as they were unless c says
// otherwise; a new file is 0644.
//
// Where guest-exec is not allowed, or there is no shell, the agent can only
// write into the file itself, and the warning says so.
func (a *agent) writeFile(ctx context.Context, c virt.GuestWrite) (warning string, err error) {
	r, err := a.script(ctx, guest.PrepareScript, c.Ref.Name, newToken())
	if isRefusal(err) {
		return a.overwrite(ctx, c, err)
	}
	if err := a.scriptFailed(c.Ref, "cannot be written in the guest", r, err); err != nil {
		return "", err
	}
	// The first line is mode, owner and group as numbers; a path may hold anything.
	parts := strings.SplitN(r.Stdout, "\n", 3)
	if len(parts) != 3 {
		return "", fmt.Errorf("%s: the guest's shell answered %q", c.Ref, r.Stdout)
	}
	attrs := append(strings.Split(parts[0], " "), "", "", "")
	temp, target := parts[1], parts[2]
	err = a.writeContent(ctx, temp, c.Content)
	if err == nil {
		r, err = a.script(ctx, guest.FinishScript, temp, target,
			c.Mode.Or(attrs[0]), c.Owner.Or(attrs[1]), c.Group.Or(attrs[2]), c.SHA256)
		return "", a.scriptFailed(c.Ref, "cannot be put in place in the guest", r, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), agentTimeout)
	defer cancel()
	if _, rmErr := a.script(ctx, `rm -f -- "$1"`, temp); rmErr != nil {
		err = fmt.Errorf("%w (and %s stays behind in the guest: %w)", err, temp, rmErr)
	}
	return "", err
}

// overwrite writes straight into a file.
func (a *agent) overwrite(ctx context.Context, c virt.GuestWrite, why error) (warning string, err error) {
	if c.Mode.IsSet() || c.Owner.IsSet() || c.Group.IsSet() {
		return "", &virt.Error{Kind: virt.ErrUnsupported, Object: c.Ref, Summary: "its mode and owner cannot be set",
			Hint: "allow guest-exec in the guest's agent, or leave mode, owner and group out", Err: why}
	}
	if err := a.writeContent(ctx, c.Ref.Name, c.Content); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s was written in place, not replaced in one stroke: %v", c.Ref, why), nil
}

// writeContent writes a file from its beginning.
func (a *agent) writeContent(ctx context.Context, path string, content []byte) error {
	h, err := a.openFile(ctx, path, "w")
	if err != nil {
		return err
	}
	total := int64(len(content))
	for done := int64(0); err == nil && done < total; {
		var r struct {
			Count int64 `json:"count"`
		}
		chunk := content[done:min(done+writeChunk, total)]
		err = a.run(ctx, "guest-file-write", map[string]any{"handle": h, "buf-b64": chunk}, &r)
		if err == nil && (r.Count <= 0 || r.Count > int64(len(chunk))) {
			err = fmt.Errorf("%s: the agent says that it wrote %d of %d bytes", a.fileRef(path), r.Count, len(chunk))
		}
		done += r.Count
		virt.Report(ctx, virt.Progress{What: "writing " + path, Done: done, Total: total, Unit: "bytes"})
	}
	if err == nil {
		err = a.run(ctx, "guest-file-flush", map[string]int64{"handle": h}, nil)
	}
	return errors.Join(err, a.closeFile(ctx, h))
}
