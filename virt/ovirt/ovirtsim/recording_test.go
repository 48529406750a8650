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

// recordings are the folders of testdata, with how many replies each has and
// those that a later one to the same request differs from.
var recordings = map[string]struct {
	replies int
	changed []string
}{
	// Statistics are samples: the second is as good as the first.
	"ovirt_lans_refresh_recording":      {96, []string{"api_hosts_9be35c00-6523-4c2f-89d2-680a6b6da4c0_statistics.1.xml"}},
	"refresher_network_ports_recording": {54, nil},
	"iso_domain_recording":              {12, nil},
}

// TestRecordings loads recordings of real engines and wants every recorded reply
// back, element for element.
func TestRecordings(t *testing.T) {
	for name, rec := range recordings {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			c := start(t, Options{Recording: dir})
			b, err := os.ReadFile(filepath.Join(dir, "index.json"))
			if err != nil {
				t.Fatal(err)
			}
			var index []recorded
			if err := json.Unmarshal(b, &index); err != nil {
				t.Fatal(err)
			}
			if len(index) != rec.replies {
				t.Errorf("%d replies, want %d", len(index), rec.replies)
			}
			used, changed := map[string]bool{"index.json": true}, map[string]bool{}
			for _, r := range index {
				used[r.File] = true
				path := strings.TrimPrefix(r.Path, base)
				if r.Query != "" {
					path += "?" + r.Query
				}
				d := gocmp.Diff(flatten(recordedDocument(t, filepath.Join(dir, r.File)), "", nil), flatten(c.get(path), "", nil))
				if d != "" && slices.Contains(rec.changed, r.File) {
					changed[r.File] = true
				} else if d != "" {
					t.Errorf("%s (-recorded +answered):\n%.3000s", path, d)
				}
			}
			if len(changed) != len(rec.changed) {
				t.Errorf("of %v only %v differ", rec.changed, changed)
			}
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if !used[f.Name()] {
					t.Errorf("%s is in no index", f.Name())
				}
			}
		})
	}
}

func recordedDocument(t *testing.T, path string) *elem {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := readXML(f)
	if err != nil {
		t.Fatal(path, err)
	}
	return x
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
