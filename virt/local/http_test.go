package local

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

func get(url string) virt.HTTPRequest {
	return virt.HTTPRequest{On: virt.On{Ref: Ref()}, Method: "GET", URL: url, Redirects: 3, Limit: 1 << 20, Timeout: 10 * time.Second}
}

func post(url, body string) virt.HTTPRequest {
	r := get(url)
	r.Method, r.Body = "POST", []byte(body)
	return r
}

// server answers with what it was sent, and plays some tricks.
func server(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	w.Header().Add("X-Many", "a")
	w.Header().Add("X-Many", "b")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "host": r.Host, "body": string(body), "user": user, "password": password,
		"agent": r.UserAgent(), "token": r.Header.Get("X-Token"), "accept": r.Header.Get("Accept"), "path": r.URL.Path})
}

func decoded(t *testing.T, r *virt.HTTPResponse) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(r.Body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFetch(t *testing.T) {
	s := server(t, http.HandlerFunc(echo))
	r := get(s.URL + "/x")
	r.Username, r.Password, r.Headers = "ada", "geheim", virt.Headers{"X-Token": "t", "host": "other.example"}
	got, err := New().Fetch(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 200 || got.URL != r.URL || got.Headers["x-many"] != "a, b" || got.Elapsed <= 0 {
		t.Errorf("got %+v", got)
	}
	m := decoded(t, got)
	for key, want := range map[string]string{"method": "GET", "user": "ada", "password": "geheim", "agent": "nactl", "token": "t", "host": "other.example", "path": "/x"} {
		if m[key] != want {
			t.Errorf("%s is %v, want %s", key, m[key], want)
		}
	}
	if _, err := New().Fetch(t.Context(), post(s.URL, "")); !errors.Is(err, virt.ErrInvalid) {
		t.Errorf("a POST passes as a read: %v", err)
	}
	head := get(s.URL)
	head.Method = "HEAD"
	if got, err := New().Fetch(t.Context(), head); err != nil || len(got.Body) != 0 || got.Status != 200 {
		t.Errorf("HEAD gave %+v, %v", got, err)
	}
}

func TestApplyRequest(t *testing.T) {
	s := server(t, http.HandlerFunc(echo))
	out, err := New().Apply(t.Context(), post(s.URL, "grüße"))
	if err != nil || !out.Changed || out.Summary != "POST "+s.URL+"  200" {
		t.Fatalf("outcome %+v, %v", out, err)
	}
	if m := decoded(t, out.Result.(*virt.HTTPResponse)); m["body"] != "grüße" || m["method"] != "POST" {
		t.Errorf("sent %v", m)
	}
}

// What lets somebody in stands in no event.
func TestRequestEvent(t *testing.T) {
	r := post("https://a.example", "secret body")
	r.Username, r.Password, r.Headers = "ada", "geheim", virt.Headers{"authorization": "Bearer geheim", "X-Vault-Token": "geheim", "Content-Type": "text/plain"}
	b, err := json.Marshal(r)
	if err != nil || strings.Contains(string(b), "geheim") || strings.Contains(string(b), "secret body") ||
		!strings.Contains(string(b), `"Content-Type":"text/plain"`) || !strings.Contains(string(b), `"authorization":"(not shown)"`) {
		t.Errorf("the event has %s, %v", b, err)
	}
	b, err = json.Marshal(&virt.HTTPResponse{Status: 200, Headers: map[string]string{"set-cookie": "geheim"}, Body: []byte("geheim")})
	if err != nil || strings.Contains(string(b), "geheim") {
		t.Errorf("the event has %s, %v", b, err)
	}
}

func TestBodies(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 1000)
	s := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for {
				if _, err := w.Write(big); err != nil {
					return
				}
			}
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("no more"))
		default:
			_, _ = w.Write(big)
		}
	}))
	r := get(s.URL)
	r.Limit = int64(len(big))
	if got, err := New().Fetch(t.Context(), r); err != nil || !bytes.Equal(got.Body, big) || got.Truncated {
		t.Errorf("%d bytes, truncated %v, %v", len(got.Body), got.Truncated, err)
	}
	r.URL = s.URL + "/endless"
	if got, err := New().Fetch(t.Context(), r); err != nil || !bytes.Equal(got.Body, big) || !got.Truncated {
		t.Errorf("%d bytes, truncated %v, %v", len(got.Body), got.Truncated, err)
	}
	r.URL = s.URL + "/short"
	var e *virt.Error
	if _, err := New().Fetch(t.Context(), r); !errors.Is(err, virt.ErrNoAnswer) || !errors.As(err, &e) || !strings.Contains(e.Found, "no whole body") {
		t.Errorf("error %v, %+v", err, e)
	}
}

func TestRedirects(t *testing.T) {
	other := server(t, http.HandlerFunc(echo))
	s := server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/other":
			http.Redirect(w, r, other.URL+"/end", http.StatusFound)
		case "/same":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		default:
			echo(w, r)
		}
	}))
	secret := func(path string) virt.HTTPRequest {
		r := get(s.URL + path)
		r.Username, r.Password, r.Headers = "ada", "geheim", virt.Headers{"X-Token": "geheim", "Accept": "text/plain"}
		return r
	}
	got, err := New().Fetch(t.Context(), secret("/same"))
	if err != nil || got.URL != s.URL+"/end" || decoded(t, got)["token"] != "geheim" || decoded(t, got)["password"] != "geheim" {
		t.Errorf("on the same server: %+v, %v", got, err)
	}
	got, err = New().Fetch(t.Context(), secret("/other"))
	if err != nil || got.URL != other.URL+"/end" {
		t.Fatalf("to another server: %+v, %v", got, err)
	}
	if m := decoded(t, got); m["token"] != "" || m["password"] != "" || m["accept"] != "text/plain" || m["agent"] != "nactl" {
		t.Errorf("another server got %v", m)
	}
	if _, err := New().Fetch(t.Context(), secret("/loop")); !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "more than 3") {
		t.Errorf("error %v", err)
	}
	none := secret("/same")
	none.Redirects = 0
	if got, err := New().Fetch(t.Context(), none); err != nil || got.Status != 307 || got.Headers["location"] != "/end" {
		t.Errorf("not followed: %+v, %v", got, err)
	}
	if out, err := New().Apply(t.Context(), post(s.URL+"/same", "x")); err != nil || out.Result.(*virt.HTTPResponse).Status != 307 {
		t.Errorf("a POST: %+v, %v", out, err)
	}
}

func TestTLS(t *testing.T) {
	plain := server(t, http.HandlerFunc(echo))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		echo(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	s.StartTLS()
	defer s.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, tt := range map[string]struct {
		edit func(r *virt.HTTPRequest)
		says string
	}{
		"trusted":               {func(r *virt.HTTPRequest) { r.CA = ca }, ""},
		"not looked at":         {func(r *virt.HTTPRequest) { r.Insecure = true }, ""},
		"unknown authority":     {func(*virt.HTTPRequest) {}, "nobody that is trusted signed"},
		"no certificate at all": {func(r *virt.HTTPRequest) { r.CA = []byte("hello") }, "ca_file holds no certificate"},
		"another name": {func(r *virt.HTTPRequest) {
			r.CA, r.URL = ca, strings.Replace(r.URL, "127.0.0.1", "localhost", 1)
		}, "for another name"},
		"down to http": {func(r *virt.HTTPRequest) { r.CA, r.URL = ca, r.URL+"/down" }, "from https to http"},
		"no TLS there": {func(r *virt.HTTPRequest) { r.URL = strings.Replace(plain.URL, "http:", "https:", 1) }, "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			r := get(s.URL)
			tt.edit(&r)
			got, err := New().Fetch(t.Context(), r)
			switch {
			case tt.says == "" && (err != nil || got.Status != 200):
				t.Errorf("got %+v, %v", got, err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	release := make(chan struct{})
	slow := server(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer close(release)
	if _, err := New().Fetch(t.Context(), get(closed)); !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
	// Nothing was sent: it is certain that nothing happened.
	if _, err := New().Apply(t.Context(), post(closed, "x")); !errors.Is(err, virt.ErrNoAnswer) {
		t.Errorf("error %v", err)
	}
	r := get(slow.URL)
	r.Timeout = 50 * time.Millisecond
	if _, err := New().Fetch(t.Context(), r); !errors.Is(err, virt.ErrNoAnswer) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("error %v", err)
	}
	r = post(slow.URL, "x")
	r.Timeout = 50 * time.Millisecond
	if _, err := New().Apply(t.Context(), r); !errors.Is(err, virt.ErrOutcomeUnknown) {
		t.Errorf("error %v, want %v", err, virt.ErrOutcomeUnknown)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := New().Fetch(ctx, get(slow.URL)); !errors.Is(err, context.Canceled) || errors.Is(err, virt.ErrNoAnswer) {
		t.Errorf("error %v", err)
	}
}

// Names are not looked up in tests: these are the errors as the resolver gives them.
func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		err  error
		says string
	}{
		{&net.DNSError{Name: "nope.example", IsNotFound: true}, `there is no host "nope.example"`},
		{&net.DNSError{Name: "nope.example", Err: "server misbehaving"}, "cannot be looked up: server misbehaving"},
		{x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired, Detail: "long ago"}, "certificate is not valid"},
		{errors.New("weird"), "weird"},
	} {
		if got, _ := reason(t.Context(), get("http://a"), tt.err); !strings.Contains(got, tt.says) {
			t.Errorf("%v: %q does not say %q", tt.err, got, tt.says)
		}
	}
}

func TestUnsendable(t *testing.T) {
	for url, says := range map[string]string{"ftp://a": `scheme "ftp"`, "a.example": "scheme", "http:///x": "names no host", "http://u:p@a": "holds a user", "http://a b": "cannot be read"} {
		if _, err := New().Fetch(t.Context(), get(url)); !errors.Is(err, virt.ErrInvalid) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), ":p@") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
