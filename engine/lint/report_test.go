package lint

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/diag"
)

func findings() diag.List {
	at := func(file string, line, column, width int) diag.Range {
		return diag.Range{Pos: diag.Pos{File: file, Line: line, Column: column}, Width: width}
	}
	return diag.List{
		{Rule: "unknown-key", Summary: "unknown key \"a, b: 100%\"", Detail: "Write\nit so.\n", Range: at("dir/a b.yml", 3, 7, 4)},
		{Severity: diag.Warning, Rule: "unnamed-step", Summary: "this debug has no name", Range: at("b,c.yml", 4, 0, 0)},
		{Severity: diag.Warning, Rule: "unnamed-step", Summary: "this debug has no name", Range: at("b,c.yml", 9, 5, 0)},
		{Summary: "no place is known"},
	}
}

func write(t *testing.T, format string, list diag.List) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, format, "1.2.3", list); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGitHub(t *testing.T) {
	want := `::error file=dir/a b.yml,line=3,col=7,endColumn=11,title=unknown-key::unknown key "a, b: 100%25"%0AWrite%0Ait so.
::warning file=b%2Cc.yml,line=4,title=unnamed-step::this debug has no name
::warning file=b%2Cc.yml,line=9,col=5,endColumn=6,title=unnamed-step::this debug has no name
::error title=invalid::no place is known
`
	if got := write(t, "github", findings()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	var r Report
	if err := json.Unmarshal([]byte(write(t, "json", findings())), &r); err != nil {
		t.Fatal(err)
	}
	if r.Schema != 1 || r.Errors != 2 || r.Warnings != 2 || len(r.Findings) != 4 {
		t.Errorf("%+v", r)
	}
	want := Finding{"error", "unknown-key", "unknown key \"a, b: 100%\"", "Write\nit so.\n", "dir/a b.yml", 3, 7, 11}
	if r.Findings[0] != want {
		t.Errorf("%+v", r.Findings[0])
	}
	if got := write(t, "json", nil); !strings.Contains(got, `"findings": []`) {
		t.Error(got)
	}
}

// A finding keeps its fingerprint when it moves; two that look alike have two.
func TestGitLab(t *testing.T) {
	var all, moved []map[string]any
	decode := func(list diag.List, into any) {
		if err := json.Unmarshal([]byte(write(t, "gitlab", list)), into); err != nil {
			t.Fatal(err)
		}
	}
	decode(findings(), &all)
	list := findings()
	for i := range list {
		list[i].Range.Line += 5
	}
	decode(list, &moved)
	seen := map[any]bool{}
	for i, f := range all {
		if seen[f["fingerprint"]] || f["fingerprint"] != moved[i]["fingerprint"] || f["description"] == "" || f["check_name"] == "" {
			t.Errorf("%v", f)
		}
		seen[f["fingerprint"]] = true
		if line := f["location"].(map[string]any)["lines"].(map[string]any)["begin"].(float64); line < 1 {
			t.Errorf("line %v", line)
		}
	}
	if all[0]["severity"] != "major" || all[1]["severity"] != "minor" {
		t.Errorf("%v", all)
	}
	if got := write(t, "gitlab", nil); got != "[]\n" {
		t.Error(got)
	}
}

func TestSARIF(t *testing.T) {
	var log sarifLog
	if err := json.Unmarshal([]byte(write(t, "sarif", findings())), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || run.Tool.Driver.Version != "1.2.3" || len(run.Tool.Driver.Rules) != 3 || len(run.Results) != 4 {
		t.Errorf("%+v", log)
	}
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" {
			t.Errorf("%+v", r)
		}
	}
	first := run.Results[0].Locations[0].Physical
	if first.Artifact.URI != "dir/a%20b.yml" || *first.Region != (sarifRegion{3, 7, 11}) {
		t.Errorf("%+v", first)
	}
	if got := *run.Results[1].Locations[0].Physical.Region; got != (sarifRegion{StartLine: 4}) {
		t.Errorf("%+v", got)
	}
	if len(run.Results[3].Locations) != 0 {
		t.Error("a place out of nowhere")
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := Write(&strings.Builder{}, "sariff", "", nil); err == nil || !strings.Contains(err.Error(), `did you mean "sarif"?`) {
		t.Error(err)
	}
}
