package ovirt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nactl/nactl/virt"
)

func TestFaults(t *testing.T) {
	inAction := func(detail string) string {
		return "<action><fault><detail>" + detail + "</detail><reason>Operation Failed</reason></fault><status>failed</status></action>"
	}
	plain := func(detail string) string {
		return "<fault><detail>" + detail + "</detail><reason>Operation Failed</reason></fault>"
	}
	for _, tt := range []struct {
		name   string
		status int
		body   string
		kind   error
		text   string
	}{
		{"running", 409, inAction("[Cannot run VM. VM is running.]"), virt.ErrConflict, "Cannot run VM. VM is running."},
		{"locked", 409, plain("[Cannot run VM: VM is locked. Please try again in a few minutes.]"), virt.ErrBusy, "VM is locked"},
		{"related", 409, plain("[Cannot edit VM. Related operation is currently in progress. Please try again later.]"), virt.ErrBusy, "Related operation"},
		{"disks locked", 409, plain("[Cannot edit Virtual Disk: The following disks are locked: d0. Please try again in a few minutes.]"), virt.ErrBusy, "d0"},
		{"template in use", 409, plain("[Cannot add VM. This template is currently in use to create VM x.]"), virt.ErrBusy, "template"},
		{"snapshot", 409, plain("[Cannot create Snapshot. Snapshot is currently being created for VM x.]"), virt.ErrBusy, "Snapshot"},
		{"snapshot operation", 409, plain("[Cannot run VM. The VM is performing an operation on a Snapshot. Please wait for the operation to finish, and try again.]"), virt.ErrBusy, "Snapshot"},
		{"migrating", 409, inAction("[Cannot migrate VM. VM x is being migrated.]"), virt.ErrBusy, "migrated"},
		{"set-up", 409, inAction("[Cannot setup Networks. Another Setup Networks or Host Refresh process in progress on the host. Please try later.]"), virt.ErrBusy, "Host Refresh"},
		{"hot plug", 400, plain("[Failed to hot-plug disk]"), virt.ErrBusy, "hot-plug"},
		{"used by VMs", 409, plain("[Cannot detach Network. The following Logical Network: 'a' is being used by the following VM(s): 'b' . Please stop the VM(s) and try again.]"), virt.ErrConflict, "'b'"},
		{"name", 409, plain("[Cannot add VM. The VM name is already in use, please choose a unique name and try again.]"), virt.ErrConflict, "unique name"},
		{"name with 400", 400, plain("[Cannot add Affinity Group. Affinity Group name already exists.]"), virt.ErrConflict, "already exists"},
		{"bad", 400, plain("[VLAN ID must be a number between 0 and 4094.]"), virt.ErrInvalid, "4094"},
		{"locked for good", 400, plain("[There was an attempt to change Hosted Engine VM values that are locked.]"), virt.ErrInvalid, "locked"},
		{"missing in the body", 404, plain("Entity not found: Cluster: name=x"), virt.ErrNotFound, "Cluster: name=x"},
		{"permission", 403, plain("[User is not authorized to perform this action.]"), virt.ErrDenied, "not authorized"},
		{"exception", 500, "<fault><reason>Operation Failed</reason></fault>", nil, "Operation Failed"},
		{"no body", 404, "", virt.ErrNotFound, "not found"},
		{"as a success", 200, plain("[Cannot run VM: VM is locked. Please try again in a few minutes.]"), virt.ErrBusy, "locked"},
		{"action as a success", 200, inAction("[Cannot run VM. VM is running.]"), nil, "is running"},
		{"failed without a word", 200, "<action><status>failed</status></action>", nil, "refused without a reason"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, says(tt.status, tt.body))
			_, err := act(WithCorrelation(t.Context(), "run 1/step ü2"), e.client(t), path("vms", "123", "start"), nil)
			var f *Fault
			if !errors.As(err, &f) {
				t.Fatalf("no fault but %v", err)
			}
			if got := f.Unwrap(); got != tt.kind {
				t.Errorf("%v: of the kind %v, want %v", err, got, tt.kind)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v: does not say %q", err, tt.text)
			}
			if f.Status != tt.status || f.Method != "POST" || f.Path != "/vms/123/start" || f.CorrelationID != "of-the-engine" {
				t.Errorf("where: %+v", f)
			}
			shown := explain("start", virt.VMRef("web1"), err)
			if !strings.HasPrefix(shown.Error(), "vm web1: ") {
				t.Errorf("for people: %v", shown)
			}
		})
	}
}

// What is no list of VMs is an error, never an empty list.
func TestNotAList(t *testing.T) {
	for _, tt := range []struct{ name, contentType, body, text string }{
		{"page", "text/html", webPage, "503 Service Unavailable"},
		{"page that says it is XML", "application/xml", webPage, "<html> in place of <vms>"},
		{"page in XHTML", "application/xhtml+xml", webPage, "no XML but a page"},
		{"fault", "application/xml", "<fault><reason>Operation Failed</reason><detail>[Bad.]</detail></fault>", "Bad."},
		{"another list", "application/xml", "<hosts/>", "<hosts> in place of <vms>"},
		{"nothing", "application/xml", "", "where <vms> was wanted"},
		{"nothing, without a type", "", "", "no XML but nothing"},
		{"blanks", "application/xml", "  \n ", "where <vms> was wanted"},
		{"JSON", "application/json", "{}", "no XML"},
		{"text", "application/xml", "hello", "where <vms> was wanted"},
		{"cut off", "application/xml", "<vms><vm id='1'><name>a</name></vm>", "unexpected EOF"},
		{"cut off in a name", "application/xml", "<vms><vm id='1'><status>u", "unexpected EOF"},
		{"not closed right", "application/xml", "<vms><vm id='1'></vms>", "syntax error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if tt.contentType != "" {
					w.Header().Set("Content-Type", tt.contentType)
				}
				io.WriteString(w, tt.body)
			})
			for _, q := range []query{{}, {PageSize: 5}} {
				_, err := vmNames(t.Context(), e.client(t), q)
				wantError(t, err, nil, tt.text, "")
				if errors.Is(err, virt.ErrNotFound) {
					t.Errorf("%v: passes for a missing object", err)
				}
			}
			if _, err := get(t.Context(), e.client(t), kindVM, "/vms/1", query{}, nameOfVM); err == nil {
				t.Error("one VM: no error")
			}
		})
	}
	e := newEngine(t, says(200, "<vms/>"))
	names, err := vmNames(t.Context(), e.client(t), query{})
	if err != nil || len(names) != 0 {
		t.Errorf("an empty list: got %v, %v", names, err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newEngine(t, func(http.ResponseWriter, *http.Request) { t.Error("was asked") })
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/ovirt-engine/api/vms?token=secret", http.StatusFound)
	})
	_, err := vmNames(t.Context(), e.client(t), query{})
	wantError(t, err, virt.ErrUnreachable, "sends us to", "")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%v: shows the query", err)
	}
}

func TestHeaders(t *testing.T) {
	var got http.Header
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		io.WriteString(w, oneVM)
	})
	c := e.client(t, func(cfg *Config) { cfg.Filter, cfg.UserAgent = true, "nactl/1.2" })
	long := "run/é1_" + strings.Repeat("x", 50)
	ctx := WithCorrelation(t.Context(), long)
	if _, err := vmNames(ctx, c, query{}); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Accept": {"application/xml"}, "Filter": {"true"}, "User-Agent": {"nactl/1.2"}, "Version": {"4"},
		"Accept-Encoding": {"gzip"}, "Authorization": {"Bearer token-1"}, "Correlation-Id": {"run1_" + strings.Repeat("x", 31)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if CorrelationOf(ctx) != got.Get("Correlation-Id") {
		t.Error("the id that is searched for is another")
	}
	if _, err := act(t.Context(), c, "/vms/1/start", nil); err == nil {
		t.Error("a list passes for the answer to an action")
	}
	if got.Get("Content-Type") != "application/xml; charset=utf-8" || got["Correlation-Id"] != nil {
		t.Errorf("headers of a POST: %v", got)
	}
}

func TestSplitMessages(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                nil,
		"[]":                              nil,
		"plain":                           {"plain"},
		"[Cannot run VM. VM is running.]": {"Cannot run VM. VM is running."},
		"[One., Two, or three., Four]":    {"One.", "Two, or three.", "Four"},
		"[Cannot remove VM that its state is not down.\n-Please stop the VM first.]": {"Cannot remove VM that its state is not down. Please stop the VM first."},
		"[There is no host that satisfies current scheduling constraints. See below for details:, The host h1 did not satisfy internal filter Memory.]": {
			"There is no host that satisfies current scheduling constraints. See below for details:", "The host h1 did not satisfy internal filter Memory."},
	} {
		if diff := cmp.Diff(want, splitMessages(in), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

func FuzzSplitMessages(f *testing.F) {
	f.Add("[One., Two.]")
	f.Add("[")
	f.Fuzz(func(t *testing.T, s string) {
		if list := splitMessages(s); slices.Contains(list, "") || len(strings.Join(list, "")) > len(s) {
			t.Errorf("%q: has the messages %q", s, list)
		}
	})
}

func TestConfig(t *testing.T) {
	good := Config{Name: "e", URL: "https://engine.example/ovirt-engine/api/", Username: "a@b", Password: func(context.Context) (string, error) { return "", nil }}
	for _, tt := range []struct {
		name, text string
		edit       func(*Config)
	}{
		{"no name", "name", func(c *Config) { c.Name = "" }},
		{"plain HTTP", "https://", func(c *Config) { c.URL = "http://engine.example/ovirt-engine/api" }},
		{"another path", "ends in", func(c *Config) { c.URL = "https://engine.example/ovirt-engine" }},
		{"a password in the URL", "without user", func(c *Config) { c.URL = "https://a:secret@engine.example/ovirt-engine/api" }},
		{"no profile", "admin@internal", func(c *Config) { c.Username = "admin" }},
		{"no password", "password", func(c *Config) { c.Password = nil }},
		{"no such CA file", "pki-resource", func(c *Config) { c.CAFile = "/nowhere/ca.pem" }},
		{"no certificate in the CA file", "", func(c *Config) { c.CAFile = "config.go" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.edit(&cfg)
			_, err := New(cfg)
			wantError(t, err, virt.ErrInvalid, "e", tt.text)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v: shows the password", err)
			}
		})
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

func TestPathPattern(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/vms": "/vms",
		"/vms/21f55c51-a9ed-489e-a8b9-1b7cf921f5a6/nics":     "/vms/{id}/nics",
		"/vms/21f55c51-a9ed-489e-a8b9-1b7cf921f5a6;next_run": "/vms/{id};next_run",
		"/events/1234": "/events/{id}", "/sso/oauth/token": "/sso/oauth/token",
	} {
		if got := pathPattern(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if got := path("vms", "a/b c", "start"); got != "/vms/a%2Fb%20c/start" {
		t.Errorf("path gives %s", got)
	}
}
