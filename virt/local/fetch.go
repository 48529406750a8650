package local

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

const (
	// silence is how long a server may send nothing of an image.
	silence = time.Minute
	// fetchTries is how often in a row the connection may break.
	fetchTries = 5
	// lookAgain is how long it takes until somebody else's download is looked at again.
	lookAgain = 500 * time.Millisecond
)

// cached gives the place of an image: by its checksum, which says what is in it, else
// by its address. The last word of the address is for people who look into the folder.
func (l *Controller) cached(address, sum string) (virt.Ref, error) {
	dir := l.Images
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return virt.Ref{}, &virt.Error{Kind: virt.ErrInvalid, Object: Ref(), Summary: "has no folder for images that are fetched", Err: err,
				Hint: "set XDG_CACHE_HOME or HOME"}
		}
		dir = filepath.Join(cache, "nactl", "images")
	}
	if sum == "" {
		digest := sha256.Sum256([]byte(address))
		sum = "url-" + hex.EncodeToString(digest[:16])
	} else {
		sum = sum[:min(32, len(sum))] // half of it tells any two apart
	}
	word := ""
	if u, err := url.Parse(address); err == nil {
		word = strings.Map(func(r rune) rune {
			if strings.ContainsRune("._-", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, path.Base(u.Path))
	}
	return virt.LocalFileRef("", filepath.Join(dir, sum+"-"+word[max(0, len(word)-64):])), nil
}

// CachedImage implements virt.Controller. Its content is not read: what has the place
// was found right when it was put there.
func (l *Controller) CachedImage(ctx context.Context, address, sum string) (*virt.LocalFile, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ref, err := l.cached(address, sum)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(ref.Name)
	if err != nil {
		return nil, fileError(ref, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(ref, err)
	}
	head := make([]byte, image.HeadSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fileError(ref, err)
	}
	return &virt.LocalFile{Path: ref.Name, Size: info.Size(), SHA256: sum, Mode: octal(info.Mode()), Head: head[:n], Modified: info.ModTime()}, nil
}

// fetchImage loads an image, unless it is there. Of several that want one, one loads
// it, in this process and in others.
func (l *Controller) fetchImage(ctx context.Context, c virt.FetchImage) (virt.Outcome, error) {
	unlock, err := l.places.Lock(ctx, c.Ref)
	if err != nil {
		return virt.Outcome{}, err
	}
	defer unlock()
	dir := filepath.Dir(c.Ref.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return virt.Outcome{}, fileError(c.Ref, err)
	}
	part, err := lockPart(ctx, c.Ref.Name+".part")
	if err != nil {
		return virt.Outcome{}, err
	}
	defer part.Close() // and with it the lock
	var now virt.Object
	switch f, err := l.CachedImage(ctx, c.URL, c.SHA256); {
	case err == nil:
		now = f
	case !errors.Is(err, virt.ErrNotFound):
		return virt.Outcome{}, err
	}
	_, out, err := virt.Decide(l, now, c)
	if err != nil || !out.Changed {
		return out, errors.Join(err, os.Remove(part.Name()))
	}
	if err := fill(ctx, c, part); err != nil {
		return virt.Outcome{}, err
	}
	if err := errors.Join(part.Sync(), os.Rename(part.Name(), c.Ref.Name)); err != nil {
		return virt.Outcome{}, fileError(c.Ref, err)
	}
	return out, nil
}

// lockPart opens the file that an image comes into, and waits until nobody else
// writes it.
func lockPart(ctx context.Context, name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fileError(virt.LocalFileRef("", name), err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			// Whoever had it may have put it into its place meanwhile.
			mine, errMine := f.Stat()
			there, errThere := os.Stat(name)
			if errMine == nil && errThere == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fileError(virt.LocalFileRef("", name), err)
		}
		virt.Report(ctx, virt.Progress{What: "waiting for another nactl that fetches " + filepath.Base(name)})
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// fill loads the image into its file, from where an earlier try got to: of an image
// without a checksum nobody knows whether it is still the same one.
func fill(ctx context.Context, c virt.FetchImage, part *os.File) error {
	ref := virt.Ref{Kind: virt.KindImage, Name: c.URL}
	sum := sha256.New()
	have := int64(0)
	var err error
	if c.SHA256 != "" {
		have, err = io.Copy(sum, &whileAwaited{ctx, part, virt.NewGauge(ctx, "reading what is there of "+path.Base(c.URL), 0)})
	} else {
		err = part.Truncate(0)
	}
	if err != nil {
		return fileError(c.Ref, err)
	}
	gauge := virt.NewGauge(ctx, "fetching "+path.Base(c.URL), c.Length)
	gauge.Add(have)
	for tries := 0; ; {
		got, done, err := receiveImage(ctx, c, part, sum, have, gauge)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case done && err == nil:
			return checkImage(c, part, ref, sum)
		case done:
			return err
		case got > have:
			tries = 0
		}
		if have = got; got == 0 {
			sum.Reset()
		}
		if tries++; tries >= fetchTries {
			return &virt.Error{Kind: virt.ErrNoAnswer, Object: ref, Summary: fmt.Sprintf("could not be fetched: the connection broke %d times in a row", tries),
				Found: virt.FormatSize(got) + " of it", Err: err, Hint: "run this again: it goes on from there, where the image has a sha256"}
		}
		virt.Report(ctx, virt.Progress{What: "fetching goes on: " + err.Error()})
		select {
		case <-time.After(time.Duration(tries) * lookAgain):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// checkImage refuses what is not the image that was wanted, and forgets it.
func checkImage(c virt.FetchImage, part *os.File, ref virt.Ref, sum hash.Hash) error {
	got := hex.EncodeToString(sum.Sum(nil))
	if c.SHA256 == "" || got == c.SHA256 {
		return nil
	}
	return errors.Join(&virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is another image than was wanted: its checksum differs",
		Wanted: "sha256:" + c.SHA256, Found: "sha256:" + got, Hint: "see what the address gives, and correct sha256 in the inventory"}, part.Truncate(0))
}

// receiveImage asks for what is missing and writes it. done says that asking again is
// no use, or not needed.
func receiveImage(ctx context.Context, c virt.FetchImage, part *os.File, sum hash.Hash, have int64, gauge *virt.Gauge) (got int64, done bool, err error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: c.URL}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the server sent nothing for %s", silence)) })
	defer quiet.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return have, true, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "has an address that cannot be used", Err: err}
	}
	r.Header.Set("User-Agent", "nactl")
	r.Header.Set("Accept-Encoding", "identity") // the bytes that the checksum is of
	if have > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		return follow(virt.HTTPRequest{Method: http.MethodGet, Redirects: 10}, next, via)
	}}
	resp, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return have, isPermanent(err), unfetched(ref, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0:
		if _, total, ok := strings.Cut(resp.Header.Get("Content-Range"), "/"); ok && total == strconv.FormatInt(have, 10) {
			return have, true, nil // there is nothing more
		}
		return 0, false, errors.Join(errors.New("what is there of it is of another image"), restart(part))
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
	case resp.StatusCode == http.StatusOK:
		if have > 0 { // a server that knows no ranges
			sum.Reset()
			gauge.Add(-have)
			have = 0
		}
		if err := restart(part); err != nil {
			return 0, true, fileError(c.Ref, err)
		}
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		return have, false, fmt.Errorf("the server answers %s", resp.Status)
	default:
		return have, true, &virt.Error{Kind: virt.ErrNoAnswer, Object: ref, Summary: "cannot be fetched: the server answers " + resp.Status, Hint: "check the url of the image in the inventory"}
	}
	if _, err := part.Seek(have, io.SeekStart); err != nil {
		return have, true, fileError(c.Ref, err)
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			quiet.Reset(silence)
			if _, err := part.Write(buf[:n]); err != nil {
				return have, true, fileError(c.Ref, err)
			}
			sum.Write(buf[:n])
			have += int64(n)
			gauge.Add(int64(n))
		}
		switch {
		case err == io.EOF:
			return have, true, nil
		case err != nil && ctx.Err() != nil:
			return have, false, context.Cause(ctx)
		case err != nil:
			return have, false, err
		}
	}
}

func restart(part *os.File) error {
	_, err := part.Seek(0, io.SeekStart)
	return errors.Join(err, part.Truncate(0))
}

// unfetched says why no answer came.
func unfetched(ref virt.Ref, err error) error {
	e := &virt.Error{Kind: virt.ErrNoAnswer, Object: ref, Err: nil}
	e.Summary, e.Hint = reason(context.Background(), virt.HTTPRequest{Method: http.MethodGet, URL: ref.Name}, err)
	e.Summary = "cannot be fetched: " + e.Summary
	return e
}

// isPermanent tells whether asking again is no use: the certificate, or a redirect
// that is not followed.
func isPermanent(err error) bool {
	var untrusted *tls.CertificateVerificationError
	var unknown *net.DNSError
	return errors.As(err, &untrusted) || errors.Is(err, errRedirects) || errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &unknown) && unknown.IsNotFound
}
