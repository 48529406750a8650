package ovirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// KindEngine is the kind of the object that errors of a whole engine are about.
const KindEngine virt.Kind = "engine"

// Config says how an engine is reached.
type Config struct {
	Name     string // what the inventory calls the engine
	URL      string // of the API, as https://engine.example/ovirt-engine/api
	Username string // with its profile, as admin@internal or svc@ovirt@internalsso
	// Password gives the password. It is called at each login and the result is
	// not kept.
	Password func(ctx context.Context) (string, error)
	CAFile   string // PEM file of the engine's certificate authority; empty = the system's
	Insecure bool   // take any certificate; Warn says so
	// Filter asks for what the user may see, as a user who is no administrator
	// must.
	Filter    bool
	UserAgent string        // empty = nactl
	Timeout   time.Duration // of one request that reads; 0 = 2 minutes
	Poll      time.Duration // how often those who wait look; 0 = 2 seconds

	// Guests says how guests are logged in to; Name and Address are theirs. Nil: not.
	Guests *ssh.Config
	// Hosts says the same of the engine's hosts. Nil: not.
	Hosts *ssh.Config
	// Dialer is shared with others who go through the same jump hosts; nil = none.
	Dialer *ssh.Dialer

	// Warn takes what a person should know and what is no error; may be nil.
	Warn func(message string)
	// OnRequest is told of each request to the API before it is sent; may be nil.
	// pattern is its path with {id} in place of ids.
	OnRequest func(method, pattern string)
	// Sleep waits, unless the context ends first; nil = by the real clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Limit ends a context after a while in which something should have happened on
	// the engine; nil = by the real clock.
	Limit func(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc)
}

// The connections that one engine gets, idle or not. With fewer idle ones than
// there may be in all, connections would be closed and opened again and again.
const maxConnections = 8

const (
	defaultTimeout = 2 * time.Minute
	defaultPoll    = 2 * time.Second

	// writeTimeout bounds a request that changes something. The longest, the set-up
	// of a host's networks, takes as long as its connectivity check and the engine's
	// wait for the host, together under four minutes.
	writeTimeout = 5 * time.Minute

	// idleTimeout closes idle connections before Apache does, which by default is
	// after five seconds. A POST that meets a closing connection is lost, and may not
	// be repeated.
	idleTimeout = 4 * time.Second
)

func (cfg *Config) validate() (*url.URL, error) {
	invalid := func(found, hint string) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: cfg.ref(), Summary: "its settings do not work", Found: found, Hint: hint}
	}
	u, err := url.Parse(cfg.URL)
	switch {
	case cfg.Name == "":
		return nil, invalid("no name", "give the engine a name")
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		// The URL is not shown: it may hold a password.
		return nil, invalid("a URL of another form", "write url: https://engine.example/ovirt-engine/api, without user or password")
	case !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api"):
		return nil, invalid("the path "+u.Path, "the URL of an engine's API ends in /ovirt-engine/api")
	case !strings.Contains(cfg.Username, "@"):
		return nil, invalid("user "+cfg.Username, "the user needs a profile, as admin@internal, or admin@ovirt@internalsso on engines with Keycloak")
	case cfg.Password == nil:
		return nil, invalid("no password", "give the engine a password")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func (cfg *Config) ref() virt.Ref { return virt.Ref{Kind: KindEngine, Name: cfg.Name} }

func (cfg *Config) setDefaults() {
	if cfg.UserAgent == "" {
		cfg.UserAgent = "nactl"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Poll <= 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	if cfg.Dialer == nil {
		cfg.Dialer = &ssh.Dialer{}
	}
	if cfg.Limit == nil {
		cfg.Limit = context.WithTimeoutCause
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transport makes the pool of connections. It counts those that it opens.
func (cfg *Config) transport(opened func()) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case cfg.Insecure:
		conf.InsecureSkipVerify = true
		cfg.Warn(fmt.Sprintf("the certificate of engine %s is NOT checked (insecure): whoever answers gets its password", cfg.Name))
	case cfg.CAFile != "":
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: cfg.ref(), Summary: "cannot read its ca_file", Err: err,
				Hint: "get it from the engine: /ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA"}
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: cfg.ref(), Summary: "its ca_file holds no certificate",
				Wanted: "a PEM file", Found: cfg.CAFile}
		}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err == nil {
				opened()
			}
			return c, err
		},
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxConnsPerHost:     maxConnections,
		MaxIdleConns:        maxConnections,
		MaxIdleConnsPerHost: maxConnections,
		IdleConnTimeout:     idleTimeout,
	}, nil
}
