package ovirtsim

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// flatten makes lines of a document, in an order that does not depend on the
// order of different elements.
func flatten(x *elem, at string, out []string) []string {
	at += "/" + x.name
	if x.rel != "" {
		at += "[" + x.rel + "]"
	}
	if x.id != "" {
		out = append(out, at+" id="+x.id)
	}
	if x.href != "" {
		out = append(out, at+" href="+x.href)
	}
	if x.text != "" {
		out = append(out, at+" = "+strings.TrimSpace(x.text))
	}
	if len(x.kids) == 0 {
		out = append(out, at)
	}
	kids := slices.Clone(x.kids)
	slices.SortStableFunc(kids, func(a, b *elem) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.rel, b.rel)) })
	for _, k := range kids {
		out = flatten(k, at, out)
	}
	return out
}

// TestRecordings loads recordings of real engines and wants the recorded
// replies back, element for element.
func TestRecordings(t *testing.T) {
	for _, dir := range []string{"refresher_network_ports_recording", "ovirt_lans_refresh_recording"} {
		t.Run(dir, func(t *testing.T) {
			dir := filepath.Join("testdata", dir)
			c := start(t, Options{Recording: dir})
			b, err := os.ReadFile(filepath.Join(dir, "index.json"))
			if err != nil {
				t.Fatal(err)
			}
			var index []recorded
			if err := json.Unmarshal(b, &index); err != nil {
				t.Fatal(err)
			}
			for _, r := range index {
				f, err := os.Open(filepath.Join(dir, r.File))
				if err != nil {
					t.Fatal(err)
				}
				want, err := readXML(f)
				_ = f.Close()
				if err != nil {
					t.Fatal(r.File, err)
				}
				path := strings.TrimPrefix(r.Path, base)
				got := c.get(path)
				if d := gocmp.Diff(flatten(want, "", nil), flatten(got, "", nil)); d != "" {
					t.Errorf("%s (-recorded +answered):\n%.3000s", path, d)
				}
			}
		})
	}
}

// TestRecordedEngineWorks runs commands on an engine that began as a recording.
func TestRecordedEngineWorks(t *testing.T) {
	c := start(t, Options{Recording: filepath.Join("testdata", "refresher_network_ports_recording")})
	cluster := c.get("/clusters").kids[0]
	x := c.do("POST", "/vms", `<vm><name>new</name><cluster id="`+cluster.id+`"/><template><name>Blank</name></template></vm>`, 201)
	if x.get("status") != "down" || x.get("memory") != "1073741824" {
		t.Error(x)
	}
}
