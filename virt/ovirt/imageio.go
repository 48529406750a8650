package ovirt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

// imageData reaches the data of one image, at the service of its host (imageio) or
// at the proxy beside the engine. It is for one goroutine.
type imageData struct {
	c        *Client
	url      string
	features []string
}

const (
	// pieceSize is how much of an image one request carries: it is sent again from
	// its beginning when the connection breaks.
	pieceSize = 8 << 20
	// dataTimeout bounds one request for data.
	dataTimeout = 10 * time.Minute
)

// dataError is what the service for images answers when it refuses.
type dataError struct {
	status int
	text   string
}

func (e *dataError) Error() string {
	return fmt.Sprintf("the image service says: %s (status %d)", e.text, e.status)
}

// passes tells whether a request for data may succeed when it is sent again: the
// connection broke, the service failed, or the engine has closed the transfer, which
// can be resumed.
func passes(err error) bool {
	var refused *dataError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return false
	case errors.As(err, &refused):
		return refused.status >= 500 || refused.status == http.StatusForbidden
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) || isTimeout(err)
}

func isTimeout(err error) bool {
	var own *timeoutError
	return errors.As(err, &own)
}

// openData asks the addresses of an image, the nearest first, what the service there
// can do, and takes the first that answers.
func (c *Client) openData(ctx context.Context, urls []string) (*imageData, error) {
	var errs []error
	for _, u := range urls {
		d := &imageData{c: c, url: u}
		err := d.options(ctx)
		if err == nil {
			return d, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", hostOf(u), err))
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, errors.Join(errs...)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that is none"
	}
	return u.Host
}

// options asks for the features. A service that knows no such question knows GET and
// PUT alone.
func (d *imageData) options(ctx context.Context) error {
	var answer struct {
		Features []string `json:"features"`
	}
	err := d.send(ctx, http.MethodOptions, "", nil, nil, 0, func(r *http.Response) error {
		if r.StatusCode == http.StatusNoContent {
			return nil
		}
		return json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&answer)
	})
	var refused *dataError
	if errors.As(err, &refused) && refused.status == http.StatusMethodNotAllowed {
		err = nil
	}
	d.features = answer.Features
	return err
}

func (d *imageData) can(feature string) bool { return slices.Contains(d.features, feature) }

// put writes length bytes at an offset. They are on the storage only after a flush,
// where the service can tell these apart.
func (d *imageData) put(ctx context.Context, body io.Reader, at, length int64) error {
	q := ""
	if d.can("flush") {
		q = "?flush=n"
	}
	return d.send(ctx, http.MethodPut, q, map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/*", at, at+length-1)}, body, length, nil)
}

// zero makes a range zero.
func (d *imageData) zero(ctx context.Context, at, length int64) error {
	return d.patch(ctx, map[string]any{"op": "zero", "offset": at, "size": length})
}

// flush brings what was written to the storage.
func (d *imageData) flush(ctx context.Context) error {
	return d.patch(ctx, map[string]any{"op": "flush"})
}

func (d *imageData) patch(ctx context.Context, message map[string]any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return d.send(ctx, http.MethodPatch, "", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)), nil)
}

// extent is a part of an image that holds data, or that is zero.
type extent struct {
	Start  int64 `json:"start"`
	Length int64 `json:"length"`
	Zero   bool  `json:"zero"`
}

// extents asks which parts of an image are zero.
func (d *imageData) extents(ctx context.Context) ([]extent, error) {
	var list []extent
	err := d.send(ctx, http.MethodGet, "/extents", nil, nil, 0, func(r *http.Response) error {
		return json.NewDecoder(io.LimitReader(r.Body, 1<<28)).Decode(&list)
	})
	at := int64(0)
	for _, x := range list {
		if err == nil && (x.Start != at || x.Length <= 0) {
			err = fmt.Errorf("the image service tells of parts that do not follow each other, at %d", at)
		}
		at += x.Length
	}
	return list, err
}

// get reads a range.
func (d *imageData) get(ctx context.Context, at, length int64, read func(io.Reader) error) error {
	return d.send(ctx, http.MethodGet, "", map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", at, at+length-1)}, nil, 0, func(r *http.Response) error {
		if r.StatusCode != http.StatusPartialContent {
			return &dataError{r.StatusCode, "it does not read ranges"}
		}
		return read(io.LimitReader(r.Body, length))
	})
}

// size asks how long an image is.
func (d *imageData) size(ctx context.Context) (int64, error) {
	n := int64(-1)
	err := d.send(ctx, http.MethodGet, "", map[string]string{"Range": "bytes=0-0"}, nil, 0, func(r *http.Response) error {
		_, total, _ := strings.Cut(r.Header.Get("Content-Range"), "/")
		var err error
		if n, err = strconv.ParseInt(total, 10, 64); err != nil {
			return fmt.Errorf("the image service does not tell how long the image is: %q", r.Header.Get("Content-Range"))
		}
		return nil
	})
	return n, err
}

// send sends one request for data. read is nil where nothing is to be read.
func (d *imageData) send(ctx context.Context, method, more string, headers map[string]string, body io.Reader, length int64, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dataTimeout, &timeoutError{dataTimeout})
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, d.url+more, body)
	if err != nil {
		return err
	}
	r.ContentLength = length
	r.Header.Set("User-Agent", d.c.cfg.UserAgent)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	d.c.meter.request(method, r.URL.Path)
	defer d.c.meter.done()
	resp, err := d.c.http.Do(r)
	if err != nil {
		return cause(ctx, err)
	}
	defer resp.Body.Close()
	defer io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		if err != nil {
			return cause(ctx, err)
		}
		return &dataError{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	if read == nil {
		return nil
	}
	if err := read(resp); err != nil {
		return cause(ctx, err)
	}
	return nil
}

// unreachableData says why nobody is there that takes or gives the data of an image.
func unreachableData(ref virt.Ref, err error) error {
	var unknown x509.UnknownAuthorityError
	var untrusted *tls.CertificateVerificationError
	var broken net.Error
	e := &virt.Error{Kind: virt.ErrUnreachable, Object: ref, Summary: "its data cannot be reached", Err: err,
		Hint: "port 54322 of the host, or 54323 of the engine, has to be reachable from here"}
	switch {
	case errors.As(err, &unknown), errors.As(err, &untrusted):
		e.Hint = "the image service has a certificate of the engine's own CA: put that into ca_file, beside the one of the engine's web server " +
			"(/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA)"
	case !errors.As(err, &broken):
		e.Kind, e.Hint = virt.ErrNoAnswer, "look at the engine's events, and at the image service of the host (ovirt-imageio)"
	}
	return e
}
