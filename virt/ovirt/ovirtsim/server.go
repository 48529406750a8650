package ovirtsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// server is the engine's HTTPS side.
type server struct {
	http *http.Server
	addr string
	ca   []byte        // PEM
	done chan struct{} // closed when Serve has returned
}

// Start begins to answer over TLS, with a certificate of the engine's own CA.
func (e *Engine) Start() error {
	if e.srv != nil {
		return errors.New("ovirtsim: the engine is started already")
	}
	cert, ca, err := certificates(e.clock.begun, e.opts.Hosts)
	if err != nil {
		return fmt.Errorf("ovirtsim: make certificates: %w", err)
	}
	addr := e.opts.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("ovirtsim: %w", err)
	}
	s := &server{addr: l.Addr().String(), ca: ca, done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(e.serve),
		ReadHeaderTimeout: 30 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // a lost reply needs HTTP/1
		ErrorLog:          quiet(),
	}
	e.srv = s
	go func() {
		defer close(s.done)
		_ = s.http.ServeTLS(l, "", "") // always ErrServerClosed
	}()
	return nil
}

// Close stops answering and cuts the connections. The state stays as it is; an
// engine is started only once.
func (e *Engine) Close() {
	if e.srv != nil {
		_ = e.srv.http.Close() // the listener's error; it is gone either way
		<-e.srv.done
	}
}

// URL is the address that clients are given: https://host:port/ovirt-engine/api.
// URL, Addr and CA are there after Start.
func (e *Engine) URL() string { return "https://" + e.srv.addr + base }

// Addr is host:port.
func (e *Engine) Addr() string { return e.srv.addr }

// CA is the PEM of the certificate that signed the engine's.
func (e *Engine) CA() []byte { return e.srv.ca }

// User and Password are the credentials of the engine's administrator.
func (e *Engine) User() string     { return e.opts.User }
func (e *Engine) Password() string { return e.opts.Password }

// certificates makes a CA and a certificate for the loopback addresses and hosts.
func certificates(now time.Time, hosts []string) (tls.Certificate, []byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{Organization: []string{"ovirtsim"}, CommonName: "ovirtsim CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{Organization: []string{"ovirtsim"}, CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for i := byte(2); i < 10; i++ { // several engines on one port
		leaf.IPAddresses = append(leaf.IPAddresses, net.IPv4(127, 0, 0, i))
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}

// serve answers one request of any kind.
func (e *Engine) serve(w http.ResponseWriter, r *http.Request) {
	if e.opts.Control && r.URL.Path == ControlPath {
		e.control(w, r)
		return
	}
	c := &call{e: e, w: w, r: r, ctx: r.Context(), path: r.URL.Path}
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // the body is never read
	}
	inj := e.begin(c)
	if inj != nil && inj.Delay > 0 {
		if err := e.pause(c.ctx, inj.Delay); err != nil {
			return
		}
	}
	if inj != nil && inj.Drop {
		c.hangUp(http.StatusBadGateway)
		return
	}
	if inj != nil && inj.Status != 0 {
		c.fail(inj.fault())
		return
	}
	if inj != nil && inj.LoseReply {
		c.w = &discard{header: http.Header{}}
		e.route(c)
		c.w = w
		c.hangUp(c.status)
		return
	}
	e.route(c)
}

func (e *Engine) route(c *call) {
	switch p := strings.TrimSuffix(c.path, "/"); {
	case strings.HasPrefix(p, "/ovirt-engine/sso/"), strings.HasPrefix(p, "/ovirt-engine/services/sso-"):
		e.sso(c, p)
	case strings.HasPrefix(p, "/images/"):
		e.imageio(c)
	case p == "/ovirt-engine/services/pki-resource":
		e.pki(c)
	case p == base, strings.HasPrefix(p, base+"/"), strings.HasPrefix(p, base+";"):
		e.serveAPI(c)
	default:
		c.fail(&fault{status: 404, html: "Not Found"})
	}
}

func (e *Engine) pki(c *call) {
	q := c.r.URL.Query()
	if q.Get("resource") != "ca-certificate" || q.Get("format") != "X509-PEM-CA" {
		c.fail(&fault{status: 404, html: "Not Found"})
		return
	}
	c.w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	c.send(http.StatusOK, e.srv.ca)
}

// pause sleeps for engine time.
func (e *Engine) pause(ctx context.Context, d time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wait(ctx, e.clock.now().Add(d))
}

// wait is called with the lock, which it releases while it sleeps.
func (e *Engine) wait(ctx context.Context, t time.Time) error {
	for e.clock.now().Before(t) {
		sleep := e.clock.sleeper(t)
		e.mu.Unlock()
		err := sleep(ctx)
		e.mu.Lock()
		if err != nil {
			return err
		}
	}
	e.clock.settle()
	return nil
}

// discard is where a reply goes that is going to be lost.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// hangUp closes the connection without a reply.
func (c *call) hangUp(status int) {
	c.e.finish(c, status)
	if h, ok := c.w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// zippers are used again: one takes a megabyte.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return z
}}

// send writes a reply whole.
func (c *call) send(status int, body []byte) {
	c.status = status
	if _, lost := c.w.(*discard); !lost {
		c.e.finish(c, status)
	}
	h := c.w.Header()
	if len(body) > 0 && strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := zippers.Get().(*gzip.Writer)
		z.Reset(&b)
		_, _ = z.Write(body)
		_ = z.Close()
		zippers.Put(z)
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body) // the client may be gone
	}
}

// page sends what the proxy and the application server in front of the API say.
func (c *call) page(status int, text string) {
	c.w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	c.send(status, []byte("<html><head><title>Error</title></head><body>"+html.EscapeString(text)+"</body></html>"))
}
