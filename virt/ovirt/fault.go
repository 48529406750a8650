package ovirt

import (
	"encoding/xml"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// faultXML reads both forms of a fault: <fault>, and the <action> that an action
// method answers with.
type faultXML struct {
	XMLName xml.Name
	Reason  string `xml:"reason"`
	Detail  string `xml:"detail"`
	Status  string `xml:"status"`
	Job     struct {
		ID string `xml:"id,attr"`
	} `xml:"job"`
	Fault *struct {
		Reason string `xml:"reason"`
		Detail string `xml:"detail"`
	} `xml:"fault"`
}

// failed tells whether an action's reply is a failure.
func (v *faultXML) failed() bool { return v.Fault != nil || v.Status == "failed" }

func (v *faultXML) fault() *Fault {
	reason, detail := v.Reason, v.Detail
	if v.Fault != nil {
		reason, detail = v.Fault.Reason, v.Fault.Detail
	}
	return &Fault{Reason: reason, Detail: detail, Messages: splitMessages(detail)}
}

// readFault reads a reply whose status is no success.
func readFault(req request, resp *http.Response, body io.Reader) error {
	page, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return &transportError{req: req, sent: true, err: err}
	}
	var v faultXML
	if isXML(resp.Header) && xml.Unmarshal(page, &v) == nil && (v.XMLName.Local == "fault" || v.XMLName.Local == "action") {
		f := v.fault()
		f.Status, f.Method, f.Path = resp.StatusCode, req.Method, req.Path
		f.CorrelationID = resp.Header.Get("Correlation-Id")
		return f
	}
	if len(page) == 0 && resp.StatusCode >= 400 {
		// An object that the path names and that is not there has no body.
		return &Fault{Status: resp.StatusCode, Method: req.Method, Path: req.Path, CorrelationID: resp.Header.Get("Correlation-Id")}
	}
	return foreignFault(req, resp, page)
}

// foreignFault says what a page that is no answer of the API looks like.
func foreignFault(req request, resp *http.Response, page []byte) *Fault {
	text := "not the engine's API: an answer of type " + resp.Header.Get("Content-Type")
	if to, err := resp.Location(); err == nil {
		text = "not the engine's API: sends us to " + to.Host + to.Path
	} else if t := titleOf(page); t != "" {
		text += ", with the title " + t
	}
	return &Fault{Status: resp.StatusCode, Method: req.Method, Path: req.Path, Detail: text,
		CorrelationID: resp.Header.Get("Correlation-Id"), foreign: true}
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// titleOf gives the title of an HTML page, for messages; empty for others.
func titleOf(page []byte) string {
	m := pageTitle.FindSubmatch(page)
	if m == nil {
		return ""
	}
	title := []rune(strings.Join(strings.Fields(html.UnescapeString(string(m[1]))), " "))
	return string(title[:min(len(title), 80)])
}

// splitMessages takes the text of a Java list apart, as "[one., two.]". A comma
// may belong to a message, so that it parts only where a sentence ends before it.
func splitMessages(detail string) []string {
	s := strings.TrimSpace(detail)
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	var list []string
	start := 0
	for i := 1; i+1 < len(s); i++ {
		if s[i] == ',' && s[i+1] == ' ' && strings.IndexByte(".:!?", s[i-1]) >= 0 {
			list = append(list, s[start:i])
			start = i + 2
		}
	}
	list = append(list, s[start:])
	out := list[:0]
	for _, m := range list {
		m = strings.ReplaceAll(m, "\n-", " ")
		if m = strings.Join(strings.Fields(m), " "); m != "" {
			out = append(out, m)
		}
	}
	return out
}
