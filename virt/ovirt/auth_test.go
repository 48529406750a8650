package ovirt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

func nameOfVM(vm *ovirtsdk.Vm) (string, error) {
	name, _ := vm.Name()
	return name, nil
}

const oneVM = `<vms><vm id="11111111-1111-1111-1111-111111111111"><name>web1</name></vm></vms>`

// atOnce runs f n times side by side.
func atOnce(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

func TestOneLoginForAll(t *testing.T) {
	e := newEngine(t, says(200, oneVM))
	c := e.client(t)
	ask := func() {
		names, err := vmNames(t.Context(), c, query{})
		if err != nil || !slices.Equal(names, []string{"web1"}) {
			t.Errorf("got %v, %v", names, err)
		}
	}
	atOnce(50, ask)
	if n := e.loginCount(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	e.expire()
	atOnce(50, ask)
	if n := e.loginCount(); n != 2 {
		t.Errorf("%d logins after the session had ended, want 2", n)
	}
	s := c.Stats()
	if s.Connections > maxConnections {
		t.Errorf("%d connections, at most %d may be open", s.Connections, maxConnections)
	}
	if got := s.Procedures["POST /sso/oauth/token"]; got != 2 {
		t.Errorf("%d logins were counted, want 2", got)
	}
	if n := s.Procedures["GET /vms"]; n < 100 || n > 150 {
		t.Errorf("%d requests were counted, want 100 and at most 50 that were refused", n)
	}
}

// A 401 was not executed, so that even a POST is sent again, with its body.
func TestExpiredDuringPost(t *testing.T) {
	bodies := []string{}
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		io.WriteString(w, `<vm id="1"><name>new</name></vm>`)
	})
	c := e.client(t)
	for range 2 {
		name, err := create(t.Context(), c, kindVM, "/vms", nil, vmXML{Name: textOf("new")}, nameOfVM)
		if err != nil || name != "new" {
			t.Fatalf("got %q, %v", name, err)
		}
		e.expire()
	}
	want := []string{"<vm><name>new</name></vm>", "<vm><name>new</name></vm>"}
	if !slices.Equal(bodies, want) {
		t.Errorf("the engine got %q, want %q", bodies, want)
	}
}

func TestCredentialsAreTriedOnce(t *testing.T) {
	for _, tt := range []struct{ name, reply, text, hint string }{
		{"wrong", `{"error_code":"access_denied","error":"Cannot authenticate user 'svc@internal': Unable to log in. Verify your login information or contact the system administrator."}`,
			"Unable to log in", "look at username and password"},
		{"expired", `{"error":"Cannot authenticate user 'svc@internal': The password has expired.","error_code":"access_denied"}`,
			"password has expired", "set a new one"},
		{"locked", `{"error":"Cannot authenticate user 'svc@internal': The user account is disabled or locked.","error_code":"access_denied"}`,
			"locked", "unlock the user"},
		{"profile", `{"error":"Cannot authenticate user No valid profile found in credentials..","error_code":"access_denied"}`,
			"No valid profile", "admin@ovirt@internalsso"},
		{"scope", `{"error":"invalid_scope","error_description":"The requested scope is invalid."}`,
			"scope is invalid", "single sign-on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, says(200, oneVM))
			e.refuse = tt.reply
			c := e.client(t)
			for range 5 {
				_, err := vmNames(t.Context(), c, query{})
				wantError(t, err, virt.ErrAuth, tt.text, tt.hint)
				if strings.Contains(err.Error(), enginePassword) {
					t.Error("the error shows the password")
				}
			}
			if n := e.loginCount(); n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
		})
	}
}

// wantError checks the kind of an error, and what it says.
func wantError(t *testing.T, err error, kind error, text, hint string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%v: is not of the kind %v", err, kind)
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("%v: does not say %q", err, text)
	}
	var e *virt.Error
	if hint != "" && (!errors.As(err, &e) || !strings.Contains(e.Hint, hint)) {
		t.Errorf("%v: does not give the hint %q", err, hint)
	}
}

// A server error of the single sign-on says nothing about the password.
func TestLoginAfterServerError(t *testing.T) {
	e := newEngine(t, says(200, oneVM))
	e.refuse = `{"error_code":"server_error","error":"Internal Server Error"}`
	c := e.client(t)
	_, err := vmNames(t.Context(), c, query{})
	wantError(t, err, virt.ErrUnreachable, "Internal Server Error", "server.log")
	e.mu.Lock()
	e.refuse = ""
	e.mu.Unlock()
	if _, err := vmNames(t.Context(), c, query{}); err != nil {
		t.Error(err)
	}
}

// A token that is not taken is asked for again once.
func TestTokenNeverTaken(t *testing.T) {
	e := newEngine(t, says(401, "<html><title>Unauthorized</title></html>"))
	c := e.client(t)
	_, err := vmNames(t.Context(), c, query{})
	wantError(t, err, virt.ErrAuth, "401", "")
	if n := e.loginCount(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

func TestCertificates(t *testing.T) {
	e := newEngine(t, says(200, oneVM))
	foreign := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(foreign, []byte(otherCA), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, hint string
		edit       func(*Config)
	}{
		{"of another authority", "ca_file is not of this engine", func(c *Config) { c.CAFile = foreign }},
		{"of no authority that the system knows", "as ca_file", func(c *Config) { c.CAFile = "" }},
		{"of another name", "host name that the certificate is for", func(c *Config) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slept := 0
			c := e.client(t, tt.edit, func(cfg *Config) {
				cfg.Sleep = func(context.Context, time.Duration) error { slept++; return nil }
			})
			_, err := vmNames(t.Context(), c, query{})
			wantError(t, err, virt.ErrAuth, "certificate", tt.hint)
			if slept != 0 {
				t.Errorf("it was tried again %d times", slept)
			}
		})
	}
	if n := e.loginCount(); n != 0 {
		t.Errorf("the password was sent %d times to who was not trusted", n)
	}

	warned := ""
	c := e.client(t, func(c *Config) { c.CAFile, c.Insecure, c.Warn = foreign, true, func(m string) { warned = m } })
	if _, err := vmNames(t.Context(), c, query{}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(warned, "NOT checked") || !strings.Contains(warned, "e1") {
		t.Errorf("the warning says %q", warned)
	}
}

func TestClose(t *testing.T) {
	e := newEngine(t, says(200, oneVM))
	c := e.client(t)
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(e.logouts) != 0 {
		t.Error("a session that never was has been ended")
	}
	c = e.client(t)
	if _, err := vmNames(t.Context(), c, query{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(e.logouts, []string{"token-1"}) {
		t.Errorf("logged out %q, want the token once", e.logouts)
	}
	_, err := vmNames(t.Context(), c, query{})
	wantError(t, err, virt.ErrUnreachable, "closed", "")
}

// Who waits for another's login can leave, and the login goes on without the one
// that began it.
func TestLoginEachWithItsOwnContext(t *testing.T) {
	e := newEngine(t, says(200, oneVM))
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	c := e.client(t, func(cfg *Config) {
		cfg.Password = func(ctx context.Context) (string, error) {
			asked <- struct{}{}
			select {
			case <-answer:
				return enginePassword, nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
	})
	first, cancel := context.WithCancel(t.Context())
	firstErr, secondErr := make(chan error), make(chan error)
	go func() { _, err := vmNames(first, c, query{}); firstErr <- err }()
	<-asked
	go func() { _, err := vmNames(t.Context(), c, query{}); secondErr <- err }()
	short, cancelShort := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancelShort()
	if _, err := vmNames(short, c, query{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who waited got %v", err)
	}
	cancel()
	if err := <-firstErr; !errors.Is(err, context.Canceled) {
		t.Errorf("the first got %v", err)
	}
	<-asked // the second logs in itself
	close(answer)
	if err := <-secondErr; err != nil {
		t.Errorf("the second got %v", err)
	}
}

// otherCA is the certificate of an authority whose key is nowhere.
const otherCA = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUEvI7t9PqVva9n7kcbSBk6Fb8+skwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMjM0MDIxWhgPMjEyNjEwMjgyMzQw
MjFaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
wo8yEcc3SPejhHUdC8QYc6lD549P+Fk++pNFG4KWJZxLT4S5aNpZAWLcNKtFOnl0
EH5h5y56LTIiF++cLHl9NKNTMFEwHQYDVR0OBBYEFI7PgEo8zWKgfGhJiVvKAlVM
usQbMB8GA1UdIwQYMBaAFI7PgEo8zWKgfGhJiVvKAlVMusQbMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIzt59Gt3cnBdAvka+TQEcSgG35QMfva
RHP49fqep4ZLAiBzQZt/hvueSF5hedvL0az9Z6ry7lPSCLX0rUWPg35ebA==
-----END CERTIFICATE-----
`
