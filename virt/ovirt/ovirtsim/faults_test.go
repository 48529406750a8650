package ovirtsim

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultTexts wants each message that the code refers to in the table, and
// nothing else.
func TestFaultTexts(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:refuse\(|lock\{(?:key: )?)"([A-Z_]+)"`).FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
			if messages[m[1]].text == "" {
				t.Errorf("%s: no text for %s", f, m[1])
			}
		}
	}
	for key, m := range messages {
		if !used[key] {
			t.Errorf("%s is used nowhere", key)
		}
		if m.status < 400 || m.status > 599 || strings.Contains(m.text, `\n`) {
			t.Errorf("%s: %d %q", key, m.status, m.text)
		}
	}
}

func TestRequire(t *testing.T) {
	x, err := readXML(strings.NewReader(`<vm><name>n</name><cluster id="1"/><template><name/></template></vm>`))
	if err != nil {
		t.Fatal(err)
	}
	for fields, want := range map[string]string{
		"name": "", "cluster.id|name": "", "template.id|name": "", "cluster.name": "[cluster.name]", "data_center.name|id": "[dataCenter.name|id]",
		"memory,name,comment": "[memory, comment]",
	} {
		err := require(x, "add", strings.Split(fields, ",")...)
		if got := ""; err != nil || want != "" {
			if err != nil {
				got = err.Error()
			}
			if want == "" || !strings.Contains(got, "Vm "+want+" required for add") {
				t.Errorf("%s: %s instead of %s", fields, got, want)
			}
		}
	}
}
