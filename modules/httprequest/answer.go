package httprequest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// beginning is how many bytes of a body are kept to say why a status was not the
// expected one.
const beginning = 4 << 10

// output gives what is registered of an answer.
func (a *Args) output(env *step.Env, r *virt.HTTPResponse) Output {
	out := Output{Status: r.Status, URL: r.URL, Headers: map[string]string{}, Elapsed: r.Elapsed.Seconds()}
	for name, value := range r.Headers {
		out.Headers[strings.ReplaceAll(name, "-", "_")] = value
	}
	if !a.ReturnContent {
		return out
	}
	if out.Cut = r.Truncated; r.Truncated {
		env.Warn(fmt.Sprintf("the answer of %s is longer than max_content, %s; what is kept is its beginning", a.URL, virt.FormatSize(int64(a.MaxContent))))
	}
	text, ok := text(r)
	if !ok {
		out.Base64 = base64.StdEncoding.EncodeToString(r.Body)
		return out
	}
	out.Content = text
	if isJSON(r.Headers["content-type"]) && !r.Truncated && len(r.Body) > 0 {
		d := json.NewDecoder(bytes.NewReader(r.Body))
		d.UseNumber()
		if err := d.Decode(&out.JSON); err != nil {
			out.JSON = nil
			env.Warn(fmt.Sprintf("the answer of %s calls itself JSON and is none: %v", a.URL, err))
		}
	}
	return out
}

// text gives a body that is text; of one that was cut, its last whole character is
// the end.
func text(r *virt.HTTPResponse) (string, bool) {
	body := r.Body
	for i := 0; r.Truncated && i < utf8.UTFMax && !utf8.Valid(body) && len(body) > 0; i++ {
		body = body[:len(body)-1]
	}
	return string(body), utf8.Valid(body) && !bytes.Contains(body, []byte{0})
}

// isJSON tells whether a type of content is JSON, as application/problem+json is.
func isJSON(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/json" || kind == "text/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// refusal says that an answer was not the expected one, and what the server said.
func refusal(r virt.HTTPRequest, resp *virt.HTTPResponse) *step.Failure {
	f := &step.Failure{Message: fmt.Sprintf("%s %s answered %d, wanted %s", r.Method, r.URL, resp.Status, Statuses(r.Expect))}
	if to := resp.Headers["location"]; to != "" && resp.Status/100 == 3 {
		f.Message += "; it points to " + to
	}
	body, ok := text(resp)
	if !ok {
		return f
	}
	line := strings.Join(strings.Fields(body), " ")
	if short := []rune(line); len(short) > 200 {
		line = string(short[:200]) + "…"
	}
	if line != "" {
		f.Message += ": " + line
	}
	f.Detail = body[:min(len(body), 2000)]
	return f
}
