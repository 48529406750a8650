// Package httprequest is the step http: a request from the controller.
package httprequest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of http.
type Args struct {
	URL           string               `arg:"url,required" doc:"http:// or https://"`
	Method        string               `arg:"method" enum:"GET|HEAD|POST|PUT|PATCH|DELETE" default:"GET" doc:"GET and HEAD are looks, the others are changes"`
	Headers       map[string]string    `arg:"headers" doc:"further headers"`
	Body          step.Opt[step.Prose] `arg:"body" doc:"what is sent, as text"`
	JSON          *source.Node         `arg:"json" doc:"any value, which is sent as JSON"`
	Form          map[string]string    `arg:"form" doc:"fields that are sent as a form of the web"`
	Status        Statuses             `arg:"status" doc:"the statuses that are expected: 200, 200-299, or a list of these; left out: 200-299"`
	Timeout       step.Duration        `arg:"timeout" default:"30s" doc:"how long it may take, the answer's body included"`
	Redirects     int                  `arg:"redirects" default:"10" min:"0" max:"50" doc:"how many redirects of a GET or HEAD are followed; those of others never are"`
	Username      string               `arg:"username" doc:"for HTTP's basic authentication"`
	Password      step.Opt[step.Prose] `arg:"password" doc:"for HTTP's basic authentication"`
	CAFile        string               `arg:"ca_file" doc:"a file of the project with the certificates to trust instead of the system's"`
	Insecure      bool                 `arg:"insecure" doc:"true: anybody may answer, no certificate is checked"`
	ReturnContent bool                 `arg:"return_content" default:"true" doc:"false: the answer's body is not kept"`
	MaxContent    step.Size            `arg:"max_content" default:"1MiB" doc:"how much of the answer's body is kept; at most 64MiB"`
}

// Output is what http gives.
type Output struct {
	Status  int               `json:"status"` // 0 where there was no answer
	URL     string            `json:"url"`    // that answered, behind all redirects
	Headers map[string]string `json:"headers"`
	Content string            `json:"content"` // empty for one that is no text
	Base64  string            `json:"base64"`  // of a content that is no text
	JSON    any               `json:"json"`    // what a content of that type says
	Cut     bool              `json:"truncated"`
	Elapsed float64           `json:"elapsed"` // seconds
}

// RuleInsecure is the rule of a warning about a request to anybody.
const RuleInsecure = "insecure-request"

// Spec describes http.
var Spec = &step.Spec{
	Name:    "http",
	Summary: "Sends an HTTP request from the machine that nactl runs on",
	Doc: "GET and HEAD change nothing by HTTP's own rules, so they are looks: they are sent in a plan, too, and never count as a change. Where in a " +
		"plan nobody answers, or not with the expected status, within 5 s, the step is decided at run time: steps before it may be what the service " +
		"waits for. With `until` it is tried again until the service is there.\n\n" +
		"Other methods are changes each time, like commands: a plan says that they would be sent; guard them with `when`, or say with `changed_when` " +
		"what a change is. When their answer gets lost, the step fails with \"outcome unknown\", and nothing is sent twice by itself.\n\n" +
		"Names in `headers` of the result are in lower case with `_` for `-`, as content_type. `json` is there when the answer's type is JSON and its " +
		"content was kept whole. Without an answer `status` is 0. A redirect to another server gets none of the headers and no password, and one from https to http is " +
		"not followed. Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
	New:        func() step.Step { return &Args{} },
	Changes:    []virt.Change{virt.HTTPRequest{}},
	Output:     Output{},
	Bare:       "url",
	Controller: true,
	Example: `- name: The service answers
  http: https://shop.example/health
  register: health
  until: health.status == 200
  retries: 20
  delay: 3s
`,
}

// mostContent is the limit of max_content.
const mostContent = 64 << 20

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	bodies := 0
	for _, key := range []string{"body", "json", "form"} {
		if v.Given(key) {
			bodies++
		}
	}
	if bodies > 1 {
		v.Errorf("", "http takes one of body, json and form")
	}
	if u, err := url.Parse(a.URL); a.URL != "" && !v.Partial {
		switch {
		case err != nil:
			v.Errorf("url", "the url cannot be read: %v", errors.Unwrap(err))
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			v.Errorf("url", "wanted an address as https://HOST/PATH, found %q", a.URL)
		case u.User != nil:
			v.Errorf("url", "the url holds a user; give it as username and password: a url is shown")
		}
	}
	if a.MaxContent > mostContent {
		v.Errorf("max_content", "max_content is at most 64MiB; save larger files with a command")
	}
	if v.Given("password") && !v.Given("username") {
		v.Errorf("password", "a password needs a username")
	}
	if v.Given("insecure") && a.Insecure {
		v.Warnf("insecure", RuleInsecure, "anybody on the way can answer, and gets what is sent; name the server's authority in ca_file")
	}
}

// Ensure sends the request.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	r, err := a.request(env)
	if err != nil {
		return step.Result{}, err
	}
	if a.Insecure {
		env.Warn("the certificate of " + a.URL + " is not checked: anybody on the way can answer, and gets what is sent")
	}
	var resp *virt.HTTPResponse
	if r.IsRead() {
		resp, err = env.Local.Fetch(ctx, r)
	} else {
		var ok bool
		resp, ok, err = virt.Do[*virt.HTTPResponse](ctx, env.ApplyLocal, r)
		if err == nil && !ok {
			return step.Result{}, nil // a plan
		}
	}
	var e *virt.Error
	if errors.Is(err, virt.ErrNoAnswer) && errors.As(err, &e) {
		return step.Result{Output: Output{URL: a.URL, Headers: map[string]string{}}}, &step.Failure{Message: e.Summary, Detail: strings.Join(said(e.Found, e.Hint), "\n")}
	}
	if err != nil {
		return step.Result{}, err
	}
	result := step.Result{Output: a.output(env, resp)}
	if !r.Expects(resp.Status) {
		return result, refusal(r, resp)
	}
	return result, nil
}

// request makes what is sent.
func (a *Args) request(env *step.Env) (virt.HTTPRequest, error) {
	r := virt.HTTPRequest{
		On: virt.On{Ref: virt.Ref{Kind: virt.KindLocal, Name: "localhost"}}, Method: a.Method, URL: a.URL, Headers: virt.Headers{},
		Username: a.Username, Password: a.Password.Or(step.Prose{}).Text, Insecure: a.Insecure, Redirects: a.Redirects,
		Timeout: time.Duration(a.Timeout), Expect: a.Status, Limit: beginning,
	}
	if a.ReturnContent {
		r.Limit = int64(a.MaxContent)
	}
	kind, unknown := a.fill(&r)
	if (unknown || a.Password.IsUnknown()) && r.IsRead() {
		return r, &virt.Error{Kind: virt.ErrUndecided, Object: r.Ref, Summary: "what is sent is known only afterwards"}
	}
	if unknown {
		r.Size, r.SHA256 = virt.Unknown[int64](), virt.Unknown[string]()
	}
	if kind != "" {
		r.Headers["Content-Type"] = kind
	}
	for name, value := range a.Headers {
		if strings.EqualFold(name, "Content-Type") {
			delete(r.Headers, "Content-Type")
		}
		r.Headers[name] = value
	}
	if a.CAFile == "" {
		return r, nil
	}
	ca, err := env.Files.ReadFile(a.CAFile)
	if err != nil {
		return r, fmt.Errorf("ca_file: %w", err)
	}
	r.CA = ca
	return r, nil
}

// fill gives a request its body, and the type of that. unknown tells that only the
// run will show it.
func (a *Args) fill(r *virt.HTTPRequest) (kind string, unknown bool) {
	secret := false
	switch {
	case a.JSON != nil && a.JSON.Kind != source.Null:
		if a.JSON.ContainsUnknown() {
			return "application/json", true
		}
		r.Body, _ = json.Marshal(a.JSON.Any()) // what YAML says can be said in JSON
		kind, secret = "application/json", a.JSON.ContainsSecret()
	case a.Form != nil:
		form := url.Values{}
		for name, value := range a.Form {
			form.Set(name, value)
		}
		r.Body, kind = []byte(form.Encode()), "application/x-www-form-urlencoded"
		secret = true // its fields do not tell
	default:
		if !a.Body.IsSet() {
			return "", false
		}
		text := a.Body.Or(step.Prose{})
		r.Body, kind, secret = []byte(text.Text), "text/plain; charset=utf-8", text.Secret
	}
	r.Size = virt.Some(int64(len(r.Body)))
	if !secret {
		r.SHA256 = virt.Some(virt.Checksum(r.Body))
	}
	return kind, a.Body.IsUnknown()
}

func said(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
