package lint

import (
	"net/url"
	"path/filepath"

	"github.com/nactl/nactl/engine/diag"
)

// The parts of SARIF 2.1.0 that findings need, by the names of the standard.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Full    *sarifText   `json:"fullDescription,omitempty"`
		Help    *sarifText   `json:"help,omitempty"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

// newLog gives findings as a log of one run, with the rules that they need.
func newLog(version string, list diag.List) sarifLog {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "nactl", Version: version, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	index := map[string]int{}
	for _, d := range list {
		id := ruleOf(d)
		at, known := index[id]
		if !known {
			at = len(run.Tool.Driver.Rules)
			index[id] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, newSARIFRule(id))
		}
		r := sarifResult{RuleID: id, RuleIndex: at, Level: d.Severity.String(), Message: sarifText{message(d)}}
		if d.Range.File != "" {
			place := sarifPhysical{Artifact: sarifArtifact{fileURI(d.Range.File)}}
			if d.Range.Line > 0 {
				place.Region = &sarifRegion{StartLine: d.Range.Line}
				if d.Range.Column > 0 {
					place.Region.StartColumn, place.Region.EndColumn = d.Range.Column, d.Range.Column+max(1, d.Range.Width)
				}
			}
			r.Locations = []sarifLocation{{place}}
		}
		run.Results = append(run.Results, r)
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func newSARIFRule(id string) sarifRule {
	out := sarifRule{ID: id, Default: sarifDefault{"error"}}
	if rule, ok := Find(id); ok {
		out.Full, out.Help = &sarifText{rule.Why}, &sarifText{rule.Way}
		if rule.Warning {
			out.Default.Level = "warning"
		}
	}
	return out
}

// fileURI gives a path as a URI, relative where the path is.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if filepath.IsAbs(path) {
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	return (&url.URL{Path: path}).String()
}
