package lint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/nactl/nactl/engine/diag"
)

// Formats lists the formats that Write knows, beside human: that one is diag's.
func Formats() []string { return []string{"json", "github", "gitlab", "sarif"} }

// Write writes findings in one of Formats. version is the program's own. The error
// is w's, or that of an unknown format.
func Write(w io.Writer, format, version string, list diag.List) error {
	switch format {
	case "json":
		return writeJSON(w, list)
	case "github":
		return writeGitHub(w, list)
	case "gitlab":
		return encode(w, codeQuality(list))
	case "sarif":
		return encode(w, newLog(version, list))
	default:
		return fmt.Errorf("there is no format %q%s", format, diag.DidYouMean(format, Formats()))
	}
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Finding is a diagnostic as the format json has it. Columns count characters from
// 1; EndColumn is the first that no longer belongs to it. What is not known is
// left out.
type Finding struct {
	Severity  string `json:"severity"` // error, warning
	Rule      string `json:"rule"`
	Message   string `json:"message"`
	Detail    string `json:"detail,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

// Report is what the format json has.
type Report struct {
	Schema   int       `json:"schema"` // of this report: 1
	Findings []Finding `json:"findings"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
}

func writeJSON(w io.Writer, list diag.List) error {
	r := Report{Schema: 1, Findings: []Finding{}}
	r.Errors, r.Warnings = list.Count()
	for _, d := range list {
		f := Finding{Severity: d.Severity.String(), Rule: ruleOf(d), Message: d.Summary, Detail: d.Detail,
			File: d.Range.File, Line: d.Range.Line, Column: d.Range.Column}
		if d.Range.Column > 0 {
			f.EndColumn = d.Range.Column + max(1, d.Range.Width)
		}
		r.Findings = append(r.Findings, f)
	}
	return encode(w, r)
}

// ruleOf gives a finding's rule; there is one for those that have none.
func ruleOf(d diag.Diagnostic) string {
	if d.Rule == "" {
		return "invalid"
	}
	return d.Rule
}

// message is what one line can hold.
func message(d diag.Diagnostic) string {
	if d.Detail == "" {
		return d.Summary
	}
	return d.Summary + "\n" + strings.TrimRight(d.Detail, "\n")
}

// The characters that workflow commands of GitHub give a meaning of their own.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func writeGitHub(w io.Writer, list diag.List) error {
	var b strings.Builder
	for _, d := range list {
		var at []string
		if d.Range.File != "" {
			at = append(at, "file="+githubProperty.Replace(filepath.ToSlash(d.Range.File)))
		}
		if d.Range.Line > 0 {
			at = append(at, fmt.Sprintf("line=%d", d.Range.Line))
		}
		if d.Range.Column > 0 {
			at = append(at, fmt.Sprintf("col=%d,endColumn=%d", d.Range.Column, d.Range.Column+max(1, d.Range.Width)))
		}
		at = append(at, "title="+githubProperty.Replace(ruleOf(d)))
		fmt.Fprintf(&b, "::%s %s::%s\n", d.Severity, strings.Join(at, ","), githubData.Replace(message(d)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// issue is one of GitLab's code quality reports.
type issue struct {
	Description string   `json:"description"`
	CheckName   string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"`
	Severity    string   `json:"severity"`
	Location    location `json:"location"`
}

type location struct {
	Path  string `json:"path"`
	Lines lines  `json:"lines"`
}

type lines struct {
	Begin int `json:"begin"`
}

// codeQuality gives what GitLab compares from one commit to the next: fingerprints
// do not hold the line, so that lines added above make no new finding.
func codeQuality(list diag.List) []issue {
	out := []issue{}
	seen := map[string]int{}
	for _, d := range list {
		file := filepath.ToSlash(d.Range.File)
		key := file + "\x00" + ruleOf(d) + "\x00" + d.Summary
		seen[key]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		severity := "major"
		if d.Severity == diag.Warning {
			severity = "minor"
		}
		out = append(out, issue{message(d), ruleOf(d), hex.EncodeToString(sum[:16]), severity, location{file, lines{max(1, d.Range.Line)}}})
	}
	return out
}
