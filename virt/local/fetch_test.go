package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// origin serves an image, as its mood is.
type origin struct {
	mu       sync.Mutex
	content  []byte
	cut      []int // how much of each answer comes before the connection breaks
	noRanges bool
	status   int
	asked    []string // the ranges
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r.Header.Get("Range"))
	if o.status != 0 {
		w.WriteHeader(o.status)
		return
	}
	if o.noRanges {
		r.Header.Del("Range")
	}
	if len(o.cut) == 0 {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.content))
		return
	}
	n := o.cut[0]
	o.cut = o.cut[1:]
	from := 0
	if v := r.Header.Get("Range"); v != "" {
		fmt.Sscanf(v, "bytes=%d-", &from)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(o.content)-1, len(o.content)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(o.content)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(o.content[from : from+n])
	w.(http.Flusher).Flush()
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

func serving(t *testing.T) (*origin, *httptest.Server, *Controller) {
	o := &origin{content: bytes.Repeat([]byte("all of this is the image\n"), 100_000)}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	l := New()
	l.Images = filepath.Join(t.TempDir(), "images")
	return o, srv, l
}

func (o *origin) sum() string {
	sum := sha256.Sum256(o.content)
	return hex.EncodeToString(sum[:])
}

func fetch(ctx context.Context, l *Controller, address, sum string) (virt.Outcome, *virt.LocalFile, error) {
	_, err := l.CachedImage(ctx, address, sum)
	var missing *virt.Error
	c := virt.FetchImage{URL: address, SHA256: sum}
	if errors.As(err, &missing) && errors.Is(err, virt.ErrNotFound) {
		c.Ref = missing.Object
	} else if err != nil {
		return virt.Outcome{}, nil, err
	} else {
		ref, err := l.cached(address, sum)
		if err != nil {
			return virt.Outcome{}, nil, err
		}
		c.Ref = ref
	}
	out, err := l.Apply(ctx, c)
	if err != nil {
		return out, nil, err
	}
	f, err := l.CachedImage(ctx, address, sum)
	return out, f, err
}

func TestFetchImage(t *testing.T) {
	for name, mood := range map[string]func(o *origin){
		"whole":     func(*origin) {},
		"broken":    func(o *origin) { o.cut = []int{1 << 20, 0, 1 << 19} },
		"no ranges": func(o *origin) { o.cut, o.noRanges = []int{1 << 20}, true },
	} {
		for _, pinned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, pinned %t", name, pinned), func(t *testing.T) {
				o, srv, l := serving(t)
				mood(o)
				sum := ""
				if pinned {
					sum = o.sum()
				}
				address := srv.URL + "/pool/image.qcow2"
				out, f, err := fetch(t.Context(), l, address, sum)
				if err != nil || !out.Changed || f.Size != int64(len(o.content)) || !strings.HasSuffix(f.Path, "-image.qcow2") {
					t.Fatalf("%+v, %+v, %v", out, f, err)
				}
				if b, err := os.ReadFile(f.Path); err != nil || !bytes.Equal(b, o.content) {
					t.Errorf("it holds %d bytes, %v", len(b), err)
				}
				asked := len(o.asked)
				if out, _, err := fetch(t.Context(), l, address, sum); err != nil || out.Changed || len(o.asked) != asked {
					t.Errorf("again: %+v, %v, asked %d times more", out, err, len(o.asked)-asked)
				}
				if list, err := os.ReadDir(l.Images); err != nil || len(list) != 1 {
					t.Errorf("it left %v, %v", list, err)
				}
			})
		}
	}
}

// What a run has got the next goes on with, where a checksum tells that it is the
// same image; and one that turns out to be another is not kept.
func TestFetchImageGoesOn(t *testing.T) {
	o, srv, l := serving(t)
	o.cut = []int{1 << 20, 0, 0, 0, 0, 0, 0, 0}
	address := srv.URL + "/image"
	_, _, err := fetch(t.Context(), l, address, o.sum())
	if !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "broke 5 times in a row") {
		t.Fatalf("%v", err)
	}
	o.cut, o.asked = nil, nil
	if _, _, err := fetch(t.Context(), l, address, o.sum()); err != nil || o.asked[0] != fmt.Sprintf("bytes=%d-", 1<<20) {
		t.Errorf("%v, asked for %q", err, o.asked)
	}
	_, _, err = fetch(t.Context(), l, address, strings.Repeat("a", 64))
	var told *virt.Error
	if !errors.As(err, &told) || !errors.Is(err, virt.ErrConflict) || !strings.Contains(told.Found, o.sum()) {
		t.Errorf("another image: %v", err)
	}
	if _, err := l.CachedImage(t.Context(), address, strings.Repeat("a", 64)); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("another image is kept: %v", err)
	}
}

func TestFetchImageSideBySide(t *testing.T) {
	o, srv, l := serving(t)
	var wg sync.WaitGroup
	for range 4 { // two programs, of two targets each
		other := New()
		other.Images = l.Images
		for _, c := range []*Controller{l, other} {
			wg.Go(func() {
				if _, _, err := fetch(t.Context(), c, srv.URL+"/image", o.sum()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if len(o.asked) != 1 {
		t.Errorf("asked %d times", len(o.asked))
	}
}

func TestFetchImageRefused(t *testing.T) {
	o, srv, l := serving(t)
	o.status = http.StatusNotFound
	_, _, err := fetch(t.Context(), l, srv.URL+"/image", "")
	if !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "404") || len(o.asked) != 1 {
		t.Errorf("not there: %v, asked %d times", err, len(o.asked))
	}
	secure := httptest.NewTLSServer(o)
	defer secure.Close()
	if _, _, err := fetch(t.Context(), l, secure.URL+"/image", ""); !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "nobody that is trusted") {
		t.Errorf("a stranger: %v", err)
	}
	for _, bad := range []string{"ftp://e/x", "https://u:p@e/x", "https:///x"} {
		if _, _, err := fetch(t.Context(), l, bad, ""); !errors.Is(err, virt.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := fetch(ctx, l, srv.URL+"/image", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
