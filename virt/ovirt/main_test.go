package ovirt

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEngine is what of an engine all tests need: TLS, the login, and the check of
// the token. What the API says is the test's.
type testEngine struct {
	*httptest.Server
	caFile string

	mu      sync.Mutex
	logins  int
	logouts []string
	valid   string // the token that is good
	refuse  string // JSON with which the login refuses, with status 400
}

const (
	engineUser     = "svc@internal"
	enginePassword = `p&ss"<w>ört`
)

func newEngine(t *testing.T, api http.HandlerFunc) *testEngine {
	t.Helper()
	e := &testEngine{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ovirt-engine/sso/oauth/token", e.login)
	mux.HandleFunc("POST /ovirt-engine/services/sso-logout", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.logouts = append(e.logouts, r.PostFormValue("token"))
		e.valid = ""
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	})
	mux.HandleFunc("/ovirt-engine/api", func(w http.ResponseWriter, r *http.Request) { e.api(t, api, w, r) })
	mux.HandleFunc("/ovirt-engine/api/", func(w http.ResponseWriter, r *http.Request) { e.api(t, api, w, r) })
	e.Server = httptest.NewUnstartedServer(mux)
	e.Config.ErrorLog = log.New(io.Discard, "", 0) // refused certificates
	e.StartTLS()
	t.Cleanup(e.Close)
	e.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(e.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *testEngine) login(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logins++
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	refuse := e.refuse
	if refuse == "" && (r.PostFormValue("username") != engineUser || r.PostFormValue("password") != enginePassword ||
		r.PostFormValue("grant_type") != "password" || r.PostFormValue("scope") != "ovirt-app-api") {
		refuse = `{"error_code":"access_denied","error":"Cannot authenticate user 'svc@internal': Unable to log in. Verify your login information or contact the system administrator."}`
	}
	if refuse != "" {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, refuse)
		return
	}
	e.valid = fmt.Sprintf("token-%d", e.logins)
	fmt.Fprintf(w, `{"access_token":%q,"scope":"ovirt-app-api","exp":"9223372036854775807","token_type":"bearer"}`, e.valid)
}

func (e *testEngine) api(t *testing.T, api http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("Authorization")
	if strings.HasPrefix(auth, "Basic") {
		t.Error("a password was sent as Basic")
	}
	e.mu.Lock()
	ok := e.valid != "" && auth == "Bearer "+e.valid
	e.mu.Unlock()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="RESTAPI"`)
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "<html><head><title>Error</title></head><body>Unauthorized</body></html>")
		return
	}
	w.Header().Set("Content-Type", "application/xml;charset=UTF-8")
	w.Header().Set("Correlation-Id", "of-the-engine")
	api(w, r)
}

// expire ends the session.
func (e *testEngine) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.valid = ""
}

func (e *testEngine) loginCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.logins
}

func (e *testEngine) config() Config {
	return Config{Name: "e1", URL: e.URL + "/ovirt-engine/api", Username: engineUser, CAFile: e.caFile,
		Password: func(context.Context) (string, error) { return enginePassword, nil },
		Sleep:    func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }}
}

func (e *testEngine) client(t *testing.T, edit ...func(*Config)) *Client {
	t.Helper()
	cfg := e.config()
	for _, f := range edit {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// says answers all requests alike.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// vmNames lists the names of the VMs.
func vmNames(ctx context.Context, c *Client, q query) ([]string, error) {
	return list(ctx, c, kindVM, "/vms", q, nameOfVM)
}
