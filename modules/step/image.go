package step

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/image"
)

// Fetched gives an image that stands at an address as the file of the controller that
// it is fetched into, once for all that are made of it. Others are given as they are.
func (e *Env) Fetched(ctx context.Context, src virt.ImageSource) (virt.ImageSource, error) {
	if src.URL == "" {
		return src, nil
	}
	f, err := e.Local.CachedImage(ctx, src.URL, src.SHA256)
	var missing *virt.Error
	switch {
	case errors.Is(err, virt.ErrNotFound) && errors.As(err, &missing):
		change := virt.FetchImage{On: virt.On{Ref: missing.Object}, URL: src.URL, SHA256: src.SHA256}
		if change.Head, change.Length, err = AskImage(ctx, e.Local, src); err != nil {
			return src, err
		}
		if _, err := e.ApplyLocal(ctx, change); err != nil {
			return src, err
		}
		src.File, src.Head, src.Length = missing.Object.Name, string(change.Head), change.Length
	case err != nil:
		return src, err
	default:
		src.File, src.Head, src.Length = f.Path, string(f.Head), f.Size
	}
	return src, nil
}

// AskImage asks a server what an image is, before it is fetched: a plan has to know,
// and what is none needs not be sent at all. length is 0 where the server does not
// say.
func AskImage(ctx context.Context, local Local, src virt.ImageSource) (head []byte, length int64, err error) {
	ref := virt.Ref{Kind: virt.KindImage, Name: src.Name}
	r := virt.HTTPRequest{On: virt.On{Ref: ref}, Method: "GET", URL: src.URL, Redirects: 10, Limit: image.HeadSize,
		Headers: virt.Headers{"Range": fmt.Sprintf("bytes=0-%d", image.HeadSize-1), "Accept-Encoding": "identity"}}
	resp, err := local.Fetch(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	if !r.Expects(resp.Status) {
		return nil, 0, &virt.Error{Kind: virt.ErrNoAnswer, Object: ref, Summary: fmt.Sprintf("cannot be fetched: %s answers %d", src.URL, resp.Status),
			Hint: "check the url of the image in the inventory"}
	}
	total := resp.Headers["content-length"]
	if _, all, ok := strings.Cut(resp.Headers["content-range"], "/"); ok {
		total = all
	}
	if length, err = strconv.ParseInt(total, 10, 64); err != nil {
		length = 0 // it does not say
	}
	if _, _, err := image.Probe(resp.Body, max(length, int64(len(resp.Body)))); err != nil {
		return nil, 0, &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "cannot be used as an image", Found: src.URL, Err: err}
	}
	return resp.Body, length, nil
}
