package httprequest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/httprequest"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
	"github.com/nactl/nactl/virt/local"
)

// bench is a server and what a step reaches.
type bench struct {
	*httptest.Server
	asked  []string
	warned []string
}

func newBench(t *testing.T) *bench {
	b := &bench{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.asked = append(b.asked, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"), body))
		switch r.URL.Path {
		case "/json":
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
			_, _ = io.WriteString(w, `{"n": 9007199254740993, "list": [1, "a"]}`)
		case "/notjson":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"n": `)
		case "/binary":
			_, _ = w.Write([]byte{0, 0xff, 1})
		case "/cut":
			_, _ = io.WriteString(w, strings.Repeat("ä", 10))
		case "/refused":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, "the name\n\tis taken")
		case "/moved":
			w.Header().Set("Location", "/json")
			w.WriteHeader(http.StatusFound)
		default:
			_, _ = io.WriteString(w, "hello")
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bench) ReadFile(path string) ([]byte, error) { return nil, fmt.Errorf("no file %s", path) }

// run plays a step as the runner does; URL stands for the server.
func (b *bench) run(t *testing.T, c virt.Controller, text string) (httprequest.Output, error) {
	t.Helper()
	n, list := source.Parse("p.yml", []byte(strings.ReplaceAll(text, "URL", b.URL)))
	if list.HasErrors() {
		t.Fatal(list)
	}
	if n.Kind != source.Map {
		n = step.Wrap("url", n)
	}
	s := httprequest.Spec.New()
	info, list := step.Decode(n, s, "http", step.Mode{})
	if !list.HasErrors() {
		list.Add(step.Validate(s, n, false)...)
	}
	if list.HasErrors() || len(info.Unknown) > 0 {
		return httprequest.Output{}, fmt.Errorf("%w, unknown %v", list.Err(), info.Unknown)
	}
	r, err := s.Ensure(t.Context(), &step.Env{Local: c, Files: b, Warn: func(s string) { b.warned = append(b.warned, s) }})
	out, _ := r.Output.(httprequest.Output)
	return out, err
}

func TestSends(t *testing.T) {
	b := newBench(t)
	for text, want := range map[string]string{
		"URL":                        "GET /  ",
		"{url: URL/x, method: HEAD}": "HEAD /x  ",
		"{url: URL, method: POST, body: \"a b\"}":                                                    "POST / text/plain; charset=utf-8 a b",
		"{url: URL, method: PUT, json: {a: [1, true, null], b: text}}":                               `PUT / application/json {"a":[1,true,null],"b":"text"}`,
		"{url: URL, method: POST, form: {b: 2, a: x y}}":                                             "POST / application/x-www-form-urlencoded a=x+y&b=2",
		"{url: URL, method: PATCH, json: [], headers: {content-type: application/merge-patch+json}}": "PATCH / application/merge-patch+json []",
		"{url: URL, method: DELETE, json: null}":                                                     "DELETE /  ",
		"{url: URL, body: asked}":                                                                    "GET / text/plain; charset=utf-8 asked",
		"{url: URL, method: POST, body: \"\"}":                                                       "POST / text/plain; charset=utf-8 ",
	} {
		b.asked = nil
		if _, err := b.run(t, local.New(), text); err != nil || strings.Join(b.asked, "|") != want {
			t.Errorf("%s: asked %q, %v; want %q", text, b.asked, err, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	b := newBench(t)
	out, err := b.run(t, local.New(), "URL/json")
	if err != nil || out.Status != 200 || out.URL != b.URL+"/json" || out.Headers["content_type"] != "application/problem+json; charset=utf-8" || out.Elapsed <= 0 {
		t.Errorf("got %+v, %v", out, err)
	}
	if text, err := json.Marshal(out.JSON); err != nil || string(text) != `{"list":[1,"a"],"n":9007199254740993}` {
		t.Errorf("json is %s, %v", text, err)
	}
	out, err = b.run(t, local.New(), "URL/binary")
	if err != nil || out.Content != "" || out.Base64 != base64.StdEncoding.EncodeToString([]byte{0, 0xff, 1}) {
		t.Errorf("got %+v, %v", out, err)
	}
	out, err = b.run(t, local.New(), "{url: URL/json, return_content: false}")
	if err != nil || out.Content != "" || out.JSON != nil || out.Cut {
		t.Errorf("got %+v, %v", out, err)
	}
	if len(b.warned) > 0 {
		t.Errorf("warned %q", b.warned)
	}
	out, err = b.run(t, local.New(), "{url: URL/cut, max_content: 5B}")
	if err != nil || out.Content != "ää" || !out.Cut || len(b.warned) != 1 || !strings.Contains(b.warned[0], "longer than max_content") {
		t.Errorf("got %+v, %v, warned %q", out, err, b.warned)
	}
	out, err = b.run(t, local.New(), "URL/notjson")
	if err != nil || out.Content != `{"n": ` || out.JSON != nil || len(b.warned) != 2 {
		t.Errorf("got %+v, %v, warned %q", out, err, b.warned)
	}
	if _, err = b.run(t, local.New(), "{url: URL, insecure: true}"); err != nil || len(b.warned) != 3 || !strings.Contains(b.warned[2], "is not checked") {
		t.Errorf("%v, warned %q", err, b.warned)
	}
}

func TestStatus(t *testing.T) {
	b := newBench(t)
	for text, want := range map[string]string{
		"{url: URL/refused}":                         "answered 422, wanted 200-299: the name is taken",
		"{url: URL/refused, method: POST}":           "answered 422, wanted 200-299: the name is taken",
		"{url: URL/refused, return_content: false}":  "the name is taken",
		"{url: URL/refused, status: 422}":            "",
		"{url: URL/refused, status: [200, 400-499]}": "",
		"{url: URL, status: [404, 500-599]}":         "answered 200, wanted 404, 500-599: hello",
		"{url: URL/moved, redirects: 0}":             "answered 302, wanted 200-299; it points to /json",
		"{url: URL/moved}":                           "",
	} {
		out, err := b.run(t, local.New(), text)
		var f *step.Failure
		switch {
		case want == "" && err != nil, want != "" && (!errors.As(err, &f) || !strings.Contains(f.Message, want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		case out.Status == 0:
			t.Errorf("%s: nothing is registered", text)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	b := newBench(t)
	b.Close()
	for _, text := range []string{"URL", "{url: URL, method: POST}"} {
		out, err := b.run(t, local.New(), text)
		var f *step.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Message, "connection refused") || out.Status != 0 || out.URL != b.URL {
			t.Errorf("%s: %+v, %v", text, out, err)
		}
	}
}

// A plan looks, and sends nothing that may change anything. What it cannot see yet
// is decided at run time.
func TestPlan(t *testing.T) {
	b := newBench(t)
	plan := dryrun.NewController(local.New())
	if out, err := b.run(t, plan, "URL/json"); err != nil || out.Status != 200 || out.JSON == nil {
		t.Errorf("a look: %+v, %v", out, err)
	}
	b.asked = nil
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		if out, err := b.run(t, plan, "{url: URL/refused, method: "+method+"}"); err != nil || out.Status != 0 {
			t.Errorf("%s: %+v, %v", method, out, err)
		}
	}
	if len(b.asked) > 0 {
		t.Errorf("a plan sent %q", b.asked)
	}
	if _, err := b.run(t, plan, "URL/refused"); !errors.Is(err, virt.ErrUndecided) || !strings.Contains(err.Error(), "answers 422 now") {
		t.Errorf("error %v", err)
	}
	b.Close()
	if _, err := b.run(t, plan, "URL"); !errors.Is(err, virt.ErrUndecided) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

func TestMistakes(t *testing.T) {
	b := newBench(t)
	for text, want := range map[string]string{
		"{url: URL, body: a, json: b}":     "one of body, json and form",
		"{url: URL, method: GTE}":          `found "GTE"`,
		"{url: \"ftp://a\"}":               `found "ftp://a"`,
		"{url: a.example}":                 `found "a.example"`,
		"{url: \"https://u:p@a.example\"}": "holds a user",
		"{url: URL, password: x}":          "a password needs a username",
		"{url: URL, status: ok}":           `found "ok"`,
		"{url: URL, status: 299-200}":      "goes backwards",
		"{url: URL, status: []}":           "the list of statuses is empty",
		"{url: URL, status: [{a: 1}]}":     "found a mapping",
		"{url: URL, redirects: 51}":        "at most 50",
		"{url: URL, max_content: 1GiB}":    "at most 64MiB",
		"{url: URL, timeout: 5}":           "5s or 5m",
		"{url: URL, ca_file: none.pem}":    "ca_file: no file none.pem",
		"{method: GET}":                    `needs "url"`,
	} {
		if _, err := b.run(t, local.New(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if len(b.asked) > 0 {
		t.Errorf("sent %q", b.asked)
	}
}
