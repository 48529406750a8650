package ovirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nactl/nactl/virt"
)

// Client is the connection to one engine.
type Client struct {
	cfg       Config
	api       *url.URL
	http      *http.Client
	transport *http.Transport
	meter     *meter
	session   session
	patience  patience

	answered atomic.Bool // the engine's API has answered at least once
}

// New makes a client. Nothing is sent until it is first used, so its only errors
// are those of the configuration, of kind ErrInvalid.
func New(cfg Config) (*Client, error) {
	u, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	cfg.setDefaults()
	c := &Client{cfg: cfg, api: u, meter: newMeter(cfg.OnRequest), patience: defaultPatience}
	if c.transport, err = cfg.transport(c.meter.connected); err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: c.transport,
		// An engine never redirects its API, and what does should not get our token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.session.init()
	return c, nil
}

// Ref names the engine.
func (c *Client) Ref() virt.Ref { return c.cfg.ref() }

// Stats counts what was sent so far, logins included.
func (c *Client) Stats() virt.Stats { return c.meter.snapshot() }

// Close logs out and closes the connections. Requests after it fail.
func (c *Client) Close(ctx context.Context) error {
	err := c.logout(ctx)
	c.transport.CloseIdleConnections()
	return err
}

// request is one request to the API.
type request struct {
	Method string
	Path   string // under the API's root, as /vms/123/start; empty = the root itself
	Query  url.Values
	Body   []byte // XML; nil = none
}

func (r request) String() string {
	if r.Path == "" {
		return r.Method + " /"
	}
	return r.Method + " " + r.Path
}

func (r request) reads() bool { return r.Method == http.MethodGet }

// reply is what the engine answered, its status a success.
type reply struct {
	Status int
	XML    bool      // the body says that it is XML
	Body   io.Reader // at most maxBody bytes
}

// maxBody bounds a reply after decompression. 10 000 VMs with all that is
// followed are about 250 MB.
const maxBody = 512 << 20

// do sends a request, with the token, and repeats it where that is harmless: see
// retry. read gets the reply's body while it comes in. It is called again, from
// the start, when a reply to a GET broke off, and not at all for an error.
//
// Errors: a *Fault for what the engine refused; a *virt.Error of kind
// ErrUnreachable, ErrAuth or, for a request that may have changed something,
// ErrOutcomeUnknown; what read returned; the context's.
func (c *Client) do(ctx context.Context, req request, read func(*reply) error) error {
	return c.retry(ctx, req, func(ctx context.Context) error {
		token, err := c.token(ctx, "")
		if err != nil {
			return err
		}
		err = c.attempt(ctx, req, token, read)
		if !isRefusedToken(err) {
			return err
		}
		// The session has ended. A request that was refused like this was not executed,
		// so that a POST may be sent again, too.
		if token, err = c.token(ctx, token); err != nil {
			return err
		}
		return c.attempt(ctx, req, token, read)
	})
}

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, req request, token string, read func(*reply) error) error {
	timeout := writeTimeout
	if req.reads() {
		timeout = c.cfg.Timeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
	defer cancel()

	var sent atomic.Bool
	hr, err := c.httpRequest(ctx, req, token, &sent)
	if err != nil {
		return err
	}
	c.meter.request(req.Method, req.Path)
	defer c.meter.done()
	resp, err := c.http.Do(hr)
	if err != nil {
		return &transportError{req: req, sent: sent.Load() && !isDial(err), err: cause(ctx, err)}
	}
	defer resp.Body.Close()

	body := &guardedBody{r: resp.Body, left: maxBody}
	defer io.Copy(io.Discard, io.LimitReader(body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= 300 {
		err := readFault(req, resp, body)
		var f *Fault
		if errors.As(err, &f) && !f.foreign {
			c.answered.Store(true)
		}
		return err
	}
	err = read(&reply{Status: resp.StatusCode, XML: isXML(resp.Header), Body: body})
	switch {
	case body.err != nil:
		return &transportError{req: req, sent: true, err: cause(ctx, body.err)}
	case err == nil:
		c.answered.Store(true)
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		f.Status, f.Method, f.Path = resp.StatusCode, req.Method, req.Path
		f.CorrelationID = resp.Header.Get("Correlation-Id")
	}
	return err
}

func (c *Client) httpRequest(ctx context.Context, req request, token string, sent *atomic.Bool) (*http.Request, error) {
	u := *c.api
	path, err := url.Parse(u.Path + req.Path) // req.Path is escaped already
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req, err)
	}
	u.Path, u.RawPath = path.Path, path.RawPath
	u.RawQuery = req.Query.Encode()

	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	var body io.Reader
	if req.Body != nil {
		body = bytes.NewReader(req.Body)
	}
	hr, err := http.NewRequestWithContext(ctx, req.Method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req, err)
	}
	hr.Header.Set("Authorization", "Bearer "+token)
	hr.Header.Set("Accept", "application/xml")
	hr.Header.Set("Version", "4")
	hr.Header.Set("User-Agent", c.cfg.UserAgent)
	if req.Body != nil {
		hr.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	if c.cfg.Filter {
		hr.Header.Set("Filter", "true")
	}
	if id := CorrelationOf(ctx); id != "" {
		hr.Header.Set("Correlation-Id", id)
	}
	return hr, nil
}

// guardedBody bounds a body, and remembers why reading it failed: what decodes it
// cannot tell a broken connection from broken XML.
type guardedBody struct {
	r    io.Reader
	left int64
	err  error
}

func (b *guardedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

var errTooLong = fmt.Errorf("the reply is longer than %d MB", maxBody>>20)

// timeoutError says which of the deadlines it was.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// Unwrap makes it a deadline to those who ask.
func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// cause prefers why the context ended over what that looked like underneath.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error // repeats the URL
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func isXML(h http.Header) bool {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.HasSuffix(strings.TrimSpace(strings.ToLower(t)), "xml") && !strings.Contains(t, "xhtml")
}
