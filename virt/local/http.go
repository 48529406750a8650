package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
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

// answerTime is how long a request may take unless it says otherwise.
const answerTime = 30 * time.Second

// sendable refuses a request that nobody could answer.
func sendable(r virt.HTTPRequest) error {
	problem, hint := "", ""
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		problem = "the url cannot be read"
	case u.Scheme != "http" && u.Scheme != "https":
		problem, hint = fmt.Sprintf("the url is of scheme %q", u.Scheme), "write http:// or https://"
	case u.Host == "":
		problem, hint = "the url names no host", "write https://HOST/PATH"
	case u.User != nil:
		problem, hint = "the url holds a user", "give it as username and password: a url is shown"
	case r.Timeout < 0:
		problem = fmt.Sprintf("the time limit %s is negative", r.Timeout)
	default:
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: virt.Ref{Kind: virt.KindLocal}, Summary: problem, Hint: hint}
}

// send sends a request and reads the answer, up to the limit. Proxies are those of
// the environment, as for other programs. Of a request that may have changed
// something, and whose answer got lost, the error is virt.ErrOutcomeUnknown.
func send(ctx context.Context, r virt.HTTPRequest) (*virt.HTTPResponse, error) {
	limit := r.Timeout
	if limit == 0 {
		limit = answerTime
	}
	start := time.Now()
	timed, cancel := context.WithTimeoutCause(ctx, limit, errOwnLimit)
	defer cancel()
	var sent atomic.Bool
	timed = httptrace.WithClientTrace(timed, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(timed, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: r.Ref, Summary: "the request cannot be made", Err: err}
	}
	for name, value := range r.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "nactl")
	}
	if r.Username != "" || r.Password != "" {
		req.SetBasicAuth(r.Username, r.Password)
	}
	config, err := trust(r)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error { return follow(r, next, via) }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, unanswered(timed, r, sent.Load(), "", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.Limit+1))
	if err != nil {
		return nil, unanswered(timed, r, sent.Load(), "status "+resp.Status+", and then no whole body", err)
	}
	out := &virt.HTTPResponse{Status: resp.StatusCode, URL: resp.Request.URL.String(), Headers: map[string]string{}, Body: body, Elapsed: time.Since(start)}
	if int64(len(body)) > r.Limit {
		out.Body, out.Truncated = body[:r.Limit], true
	}
	for name, values := range resp.Header {
		out.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return out, nil
}

// trust gives whose certificates are believed.
func trust(r virt.HTTPRequest) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: r.Insecure} //nolint:gosec // only where the playbook says so, and with a warning
	if len(r.CA) == 0 {
		return config, nil
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(r.CA) {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Object: r.Ref, Summary: "ca_file holds no certificate", Wanted: "certificates in PEM: -----BEGIN CERTIFICATE-----"}
	}
	return config, nil
}

// follow decides on a redirect. What the playbook sends to one server is not for
// another, nor for those who listen where TLS ends.
func follow(r virt.HTTPRequest, next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case !r.IsRead() || r.Redirects == 0:
		return http.ErrUseLastResponse
	case len(via) > r.Redirects:
		return fmt.Errorf("%w: more than %d, the last to %s", errRedirects, r.Redirects, next.URL.Redacted())
	case last.URL.Scheme == "https" && next.URL.Scheme == "http":
		return fmt.Errorf("%w: from https to %s", errRedirects, next.URL.Redacted())
	}
	if next.URL.Scheme != via[0].URL.Scheme || next.URL.Host != via[0].URL.Host {
		next.Header = http.Header{"User-Agent": next.Header["User-Agent"]}
		if accept, ok := via[0].Header["Accept"]; ok {
			next.Header["Accept"] = accept
		}
	}
	return nil
}

var errRedirects = errors.New("the redirect is not followed")
