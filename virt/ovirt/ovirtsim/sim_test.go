package ovirtsim

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client speaks to an engine as its user; every test has its own.
type client struct {
	t     *testing.T
	e     *Engine
	http  *http.Client
	token string
}

// start starts an engine whose clock stands still.
func start(t *testing.T, o Options) *client {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA())
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true}
	t.Cleanup(func() { tr.CloseIdleConnections(); e.Close() })
	c := &client{t: t, e: e, http: &http.Client{Transport: tr, Timeout: 30 * time.Second}}
	c.login()
	return c
}

func (c *client) login() {
	c.t.Helper()
	c.token = c.logIn(c.e.User(), c.e.Password())
}

// logIn gives a token.
func (c *client) logIn(user, password string) string {
	c.t.Helper()
	r, err := c.http.PostForm("https://"+c.e.Addr()+"/ovirt-engine/sso/oauth/token", url.Values{"grant_type": {"password"},
		"scope": {"ovirt-app-api"}, "username": {user}, "password": {password}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	var v map[string]string
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		c.t.Fatal(err)
	}
	return v["access_token"]
}

// raw sends one request; the reply's body is returned as it came.
func (c *client) raw(method, path, body string, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, c.e.URL()+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/xml")
	req.Header.Set("Content-Type", "application/xml")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

// do sends a request and wants that status; it returns the reply's document.
func (c *client) do(method, path, body string, want int) *elem {
	c.t.Helper()
	r, text, err := c.raw(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if r.StatusCode != want {
		c.t.Fatalf("%s %s: status %d instead of %d: %s", method, path, r.StatusCode, want, text)
	}
	if text == "" {
		return nil
	}
	x, err := readXML(strings.NewReader(text))
	if err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return x
}

func (c *client) get(path string) *elem { c.t.Helper(); return c.do("GET", path, "", 200) }

// refused wants a fault with that status and detail.
func (c *client) refused(method, path, body string, status int, detail string) {
	c.t.Helper()
	x := c.do(method, path, body, status)
	if x != nil && x.name == "action" {
		x = x.kid("fault")
	}
	if got := x.get("detail"); got != detail {
		c.t.Errorf("%s %s: refused with\n%q instead of\n%q", method, path, got, detail)
	}
}

// id finds an object by name.
func (c *client) id(col, name string) string {
	c.t.Helper()
	for _, k := range c.get("/" + col + "?search=" + url.QueryEscape("name="+name)).kids {
		if k.get("name") == name {
			return k.id
		}
	}
	c.t.Fatalf("no %s in %s", name, col)
	return ""
}

func (c *client) status(path, want string) {
	c.t.Helper()
	if got := c.get(path).get("status"); got != want {
		c.t.Fatalf("%s: status %s instead of %s", path, got, want)
	}
}

func (x *elem) String() string {
	var b bytes.Buffer
	x.xml(&b)
	return b.String()
}

func TestLogin(t *testing.T) {
	c := start(t, Options{})
	post := func(form string) (int, map[string]string) {
		r, err := c.http.Post("https://"+c.e.Addr()+"/ovirt-engine/sso/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var v map[string]string
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, v
	}
	const ok = "grant_type=password&scope=ovirt-app-api&username=admin%40internal&password="
	for _, tt := range []struct {
		name, form string
		status     int
		key, value string
	}{
		{"right", ok + "secret", 200, "token_type", "bearer"},
		{"wrong password", ok + "x", 400, "error", "Cannot authenticate user 'admin@internal': Unable to log in. Verify your login information or contact the system administrator."},
		{"no profile", "grant_type=password&scope=ovirt-app-api&username=admin&password=x", 400, "error", "Cannot authenticate user No valid profile found in credentials.."},
		{"no password", "grant_type=password&scope=ovirt-app-api&username=admin%40internal", 400, "error", "Missing parameter: 'password'"},
		{"no scope", "grant_type=password", 400, "error_code", "invalid_request"},
		{"other scope", "grant_type=password&scope=x&username=a%40b&password=x", 400, "error", "invalid_scope"},
		{"other grant", "grant_type=x&scope=ovirt-app-api", 400, "error_code", "unsupported_grant_type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, v := post(tt.form)
			if status != tt.status || v[tt.key] != tt.value {
				t.Errorf("%d %v, want %d with %s=%q", status, v, tt.status, tt.key, tt.value)
			}
		})
	}
	for range lockAfter {
		post(ok + "x")
	}
	if _, v := post(ok + "secret"); !strings.Contains(v["error"], "disabled or locked") {
		t.Errorf("after %d failures: %v", lockAfter, v)
	}
}

func TestSessions(t *testing.T) {
	c := start(t, Options{Session: time.Minute})
	page := func(why string) {
		t.Helper()
		r, body, err := c.raw("GET", "/vms", "")
		if err != nil {
			t.Fatal(err)
		}
		want := "<html><head><title>Error</title></head><body>" + why + "</body></html>"
		if r.StatusCode != 401 || body != want || r.Header.Get("WWW-Authenticate") != `Basic realm="RESTAPI"` {
			t.Errorf("%d %v %s", r.StatusCode, r.Header, body)
		}
	}
	c.get("")
	c.e.Advance(50 * time.Second)
	c.get("/vms")
	c.e.Advance(50 * time.Second)
	c.get("/vms")
	c.e.Advance(61 * time.Second)
	page(expired)
	c.login()
	c.get("/vms")
	r, err := c.http.PostForm("https://"+c.e.Addr()+"/ovirt-engine/services/sso-logout", url.Values{"token": {c.token}, "scope": {scope}})
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	_ = r.Body.Close()
	page(expired)
	c.token = "x"
	c.e.ExpireTokens()
	page(expired)
}

func TestTransport(t *testing.T) {
	c := start(t, Options{})
	x := c.get("")
	if x.get("product_info/version/major") != "4" || x.refID("special_objects/blank_template") != blankID || x.get("summary/hosts/total") != "2" {
		t.Error(x)
	}
	for _, k := range x.kids { // what the API offers is there, if only empty
		if k.name == "link" && !strings.HasSuffix(k.rel, "/search") {
			c.get("/" + k.rel)
		}
	}
	if !slices.ContainsFunc(x.kids, func(k *elem) bool { return k.rel == "vmpools" }) {
		t.Error("the API has no link to the VM pools")
	}
	if got := c.get("/v4/vms"); got.name != "vms" {
		t.Error(got)
	}
	r, body, err := c.raw("GET", "/vms/"+blankID, "")
	if err != nil || r.StatusCode != 404 || body != "" || r.ContentLength != 0 {
		t.Errorf("not found: %v %q %v", r, body, err)
	}
	r, _, _ = c.raw("GET", "/vms", "", "Correlation-Id", "a b;c_d-"+strings.Repeat("x", 40))
	if got := r.Header.Get("Correlation-Id"); got != "abc_d-"+strings.Repeat("x", 30) {
		t.Errorf("correlation id %q", got)
	}
	r, _, _ = c.raw("GET", "/vms?correlation_id=mine", "")
	if got := r.Header.Get("Correlation-Id"); got != "mine" {
		t.Errorf("correlation id %q", got)
	}
	r, err = c.http.Get("https://" + c.e.Addr() + "/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); !bytes.Equal(b, c.e.CA()) {
		t.Error("the CA is not what the engine offers")
	}
}

func TestJSON(t *testing.T) {
	c := start(t, Options{VMs: []VM{{Name: "web1", Cluster: "Default", Running: true}}})
	_, body, err := c.raw("GET", "/vms?follow=nics", "", "Accept", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		VM []struct {
			Name, Memory, ID string
			DeleteProtected  string `json:"delete_protected"`
			CreationTime     int64  `json:"creation_time"`
			Link             []map[string]string
			Actions          struct{ Link []map[string]string }
			OS               struct {
				Boot struct{ Devices struct{ Device []string } }
			}
			NICs map[string]any `json:"nics"`
		}
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err, body)
	}
	vm := v.VM[0]
	if vm.Name != "web1" || vm.Memory != "1073741824" || vm.DeleteProtected != "false" || vm.CreationTime != 1767225600000 ||
		len(vm.Link) < 10 || len(vm.Actions.Link) < 10 || fmt.Sprint(vm.OS.Boot.Devices.Device) != "[hd]" || len(vm.NICs) != 0 {
		t.Errorf("%+v", vm)
	}
	if _, body, _ := c.raw("GET", "/vms?search=name%3Dnone", "", "Accept", "application/json"); body != "{}" {
		t.Errorf("an empty list is %s", body)
	}
	r, body, _ := c.raw("POST", "/tags", `{"name":"blue","description":null}`, "Content-Type", "application/json")
	if r.StatusCode != 201 {
		t.Error(r.StatusCode, body)
	}
}

func TestBasicAndCookie(t *testing.T) {
	c := start(t, Options{})
	get := func(change func(*http.Request)) *http.Response {
		req, _ := http.NewRequest("GET", c.e.URL()+"/vms", strings.NewReader("<action></action>"))
		change(req)
		r, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r
	}
	r := get(func(q *http.Request) { q.SetBasicAuth(c.e.User(), "secret"); q.Header.Set("Prefer", "persistent-auth") })
	if r.StatusCode != 200 || len(r.Cookies()) != 1 || !r.Close {
		t.Error(r)
	}
	if r := get(func(q *http.Request) { q.AddCookie(r.Cookies()[0]); q.Header.Set("Prefer", "persistent-auth") }); r.StatusCode != 200 {
		t.Error(r)
	}
	if r := get(func(q *http.Request) { q.SetBasicAuth(c.e.User(), "x") }); r.StatusCode != 401 {
		t.Error(r)
	}
}

// same compares trees without addresses, which the writer makes.
func same(a, b *elem) bool {
	if a.name != b.name || a.text != b.text || a.id != b.id || a.rel != b.rel || len(a.kids) != len(b.kids) {
		return false
	}
	for i := range a.kids {
		if !same(a.kids[i], b.kids[i]) {
			return false
		}
	}
	return true
}

func FuzzReadXML(f *testing.F) {
	for _, s := range []string{"<vm><name>a&amp;b</name></vm>", "<a>\r\n<b/> </a>", `<vm id="x" href="/y"><![CDATA[<]]></vm>`, "<a>&#xD;ä</a>", "<a><b>x</a>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := readXML(strings.NewReader(s))
		if err != nil {
			return
		}
		y, err := readXML(strings.NewReader(x.String()))
		if err != nil || !same(x, y) {
			t.Errorf("%q was written as %q: %v", s, x, err)
		}
		_ = schemas["vm"].check(x, "vm")
		var b bytes.Buffer
		x.json(&b)
		if !json.Valid(b.Bytes()) {
			t.Errorf("%q gives the JSON %s", s, b.String())
		}
	})
}

func FuzzParseFollow(f *testing.F) {
	f.Add("nics,disk_attachments.disk")
	f.Add(",..,")
	f.Fuzz(func(t *testing.T, s string) {
		if tree, err := parseFollow(s); err == nil && tree != nil && len(tree.kids) == 0 {
			t.Errorf("%q follows nothing", s)
		}
	})
}
