package engine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

func TestLocalFile(t *testing.T) {
	s := on(t, "n1")
	s.put(map[string]string{"t": "{{ target.name }} {{ n }}\n"})
	file := filepath.Join(s.dir, "out-n1")
	text := func(n int) string {
		return onAll(fmt.Sprintf("vars: {n: %d}", n), "- local_file: {path: \"out-{{ target.name }}\", template: t}\n  register: f\n"+
			"- local_exec: {command: [\"false\"], creates: "+file+"}\n- debug: \"{{ f.path == '"+file+"' }} {{ f.size }}\"")
	}
	x := s.plan(text(1))
	s.want("a plan", x.results(), "changed\nok: "+file+" exists\nok")
	if _, err := os.Stat(file); err == nil {
		t.Error("a plan wrote the file")
	}
	s.opts.Check = false
	for _, want := range []string{"changed", "ok"} {
		x = s.play(text(1))
		s.want("results", x.results(), want+"\nok: "+file+" exists\nok")
		s.want("said", x.said(), "true 5")
	}
	x = s.plan(text(2))
	out := all[event.Outcome](x)
	if len(out) != 1 || len(out[0].Fields) != 1 || out[0].Fields[0].Before != "n1 1\n" || out[0].Fields[0].After != "n1 2\n" {
		t.Errorf("the plan shows %+v", out)
	}
	s.opts.Check = false
	x = s.play(onAll("", "- local_file: {path: out-n1, state: absent}\n- local_file: {path: out-n1, state: absent}"))
	s.want("results", x.results(), "changed\nok")
}

// The lines of a file that a secret went into are shown nowhere: neither the new
// ones nor those that they replace.
func TestLocalFileSecret(t *testing.T) {
	s := on(t, "n1")
	s.opts.Mask = event.NewMask()
	s.secrets = func(*source.Node) (string, error) { return "geheimes Wort", nil }
	s.put(map[string]string{"t": "password = {{ pw }}\n", "out": "password = altes Geheimnis\n"})
	x := s.plan(onAll("vars: {pw: {secret: {env: X}}}", "- local_file: {path: out, template: t}"))
	out := all[event.Outcome](x)
	if len(out) != 1 || strings.Contains(fmt.Sprint(out), "Geheimnis") || strings.Contains(fmt.Sprint(out), "geheim") {
		t.Errorf("the plan shows %+v", out)
	}
}

func TestHTTPUntil(t *testing.T) {
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ready": true}`)
	}))
	defer server.Close()
	s := on(t, "n1", vm("a", virt.Running))
	text := onAll("", "- http: "+server.URL+"\n  register: r\n  until: r.status == 200 && r.json.ready\n  retries: 5\n  delay: 1ms\n- debug: \"{{ r.status }} {{ r.changed }} {{ r.headers.content_type }}\"")
	x := s.plan(text)
	s.want("a plan", x.results(), "undecided: GET "+server.URL+" answers 503 now\nok")
	s.opts.Check = false
	x = s.play(text)
	s.want("results", x.results(), "ok\nok")
	s.want("said", x.said(), "200 false application/json")
	x = s.plan(text)
	s.want("results", x.results(), "ok\nok")
	server.Close()
	s.opts.Check = false
	x = s.play(onAll("", "- http: "+server.URL+"\n  register: r\n  failed_when: r.status == 500\n- debug: \"{{ r.status }}\""))
	s.want("said", x.said(), "0")
}

func TestHTTPSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	s := on(t, "n1")
	s.opts.Mask = event.NewMask()
	s.secrets = func(*source.Node) (string, error) { return "geheimes Wort", nil }
	x := s.play(onAll("vars: {pw: {secret: {env: X}}}", "- http: {url: "+server.URL+", method: POST, username: ada, password: \"{{ pw }}\", headers: {X-Token: \"{{ pw }}\"}, body: \"{{ pw }}\"}\n  ignore_errors: true"))
	for _, e := range x.events {
		if got := fmt.Sprintf("%s", s.opts.Mask.Event(e)); strings.Contains(got, "geheim") {
			t.Errorf("an event shows the password: %s", got)
		}
	}
	// Of a secret body there is no checksum either, by which it could be guessed.
	for _, e := range all[event.Intent](x) {
		if strings.Contains(string(e.Change), "sha256") {
			t.Errorf("the intent is %s", e.Change)
		}
	}
	if got := x.results(); !strings.Contains(got, "answered 403") {
		t.Error(got)
	}
}

// What a plan could not know of a request stands for any in the play that is held
// to it; what it knew has to be the same.
func TestHTTPPlanned(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	s := on(t, "n1")
	text := func(body string) string {
		return onAll("", "- local_exec: {command: [echo, x]}\n  register: r\n- http: {url: "+server.URL+", method: POST, body: \""+body+"\"}")
	}
	for _, tt := range []struct{ plan, play, want string }{
		{"{{ r.stdout }}", "{{ r.stdout }}", "changed\nchanged"},
		{"a", "a", "changed\nchanged"},
		{"a", "b", "changed\nfailed: not in the saved plan"},
	} {
		s.opts.Plan, s.opts.Check = nil, true
		s.opts.Plan, s.opts.Check = planOf(t, s.play(text(tt.plan))), false
		if got := s.play(text(tt.play)).results(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s, then %s: %s", tt.plan, tt.play, got)
		}
	}
}
