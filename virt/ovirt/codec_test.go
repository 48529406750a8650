package ovirt

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ovirtsdk "github.com/ovirt/go-ovirt"
)

// asReply gives a document as the body of a success.
func asReply(doc string) *reply { return &reply{Status: 200, XML: true, Body: strings.NewReader(doc)} }

// eachNamed reads a list of VMs into "id name memory".
func eachNamed(doc string) ([]string, error) {
	var got []string
	err := each(asReply(doc), kindVM, func(vm *ovirtsdk.Vm) error {
		memory, _ := vm.Memory()
		got = append(got, fmt.Sprintf("%s %s %d", idOf(vm), nameOf(vm), memory))
		return nil
	})
	return got, err
}

func TestEach(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      []string
		bad       []string // parts of the errors of those that cannot be read
	}{
		{"none", `<vms/>`, nil, nil},
		{"plain", `<?xml version="1.0" encoding="UTF-8"?><vms><vm id="1"><name>a</name><memory>5</memory></vm><vm id="2"/></vms>`, []string{"1 a 5", "2  0"}, nil},
		{"unknown elements and values", `<vms><later/><vm id="1"><later><memory>x</memory></later><status>flying</status><name>a</name></vm><actions><link/></actions></vms>`, []string{"1 a 0"}, nil},
		{"CDATA and comments", `<vms><!-- c --><vm id="1"><name><![CDATA[<a>&]]></name><!-- d --></vm></vms>`, []string{"1 <a>& 0"}, nil},
		{"empty number", `<vms><vm id="1"><memory></memory><name>a</name></vm><vm id="2"><name>b</name></vm></vms>`, []string{"1 a 0", "2 b 0"}, nil},
		{"empty boolean, last", `<vms><vm id="1"><name>a</name></vm><vm id="2"><name>b</name><stateless/></vm></vms>`, []string{"1 a 0", "2 b 0"}, nil},
		{"blanks around a number", "<vms><vm id='1'><memory>\n 5 </memory><name> a </name></vm></vms>", []string{"1 a 5"}, nil},
		{"empty attribute", `<vms><vm id="1"><name>a</name><nics><nic><network><vlan id=""/></network></nic></nics></vm></vms>`, []string{"1 a 0"}, nil},
		{"one cannot be read", `<vms><vm id="1"><name>a</name></vm><vm id="2"><memory>much</memory></vm><vm id="3"><name>c</name></vm></vms>`, []string{"1 a 0", "3 c 0"}, []string{"vm 2"}},
		{"two cannot be read", `<vms><vm id="1"><stateless>yes</stateless></vm><vm id="2"><creation_time>now</creation_time></vm></vms>`, nil, []string{"vm 1", "vm 2"}},
		{"an empty one", `<vms><vm></vm><vm id="2"/></vms>`, []string{"  0", "2  0"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := eachNamed(tt.doc)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var incomplete *IncompleteError
			if !errors.As(err, &incomplete) {
				if err != nil || tt.bad != nil {
					t.Errorf("got %v, want %q", err, tt.bad)
				}
				return
			}
			if len(incomplete.Bad) != len(tt.bad) || incomplete.Read != len(tt.want) {
				t.Fatalf("got %+v, want %q", incomplete, tt.bad)
			}
			for i, bad := range incomplete.Bad {
				if !strings.Contains(bad.Error(), tt.bad[i]) {
					t.Errorf("%v: does not say %q", bad, tt.bad[i])
				}
			}
		})
	}
}

func TestOne(t *testing.T) {
	vm, err := one(asReply(`<vm id="1"><memory> </memory><name>a</name></vm>`), kindVM)
	if err != nil || idOf(vm) != "1" || nameOf(vm) != "a" {
		t.Errorf("got %v, %v", vm, err)
	}
	if _, err := one(asReply(`<vm id="1"><memory>much</memory></vm>`), kindVM); err == nil || !strings.Contains(err.Error(), "vm 1") {
		t.Errorf("got %v", err)
	}
}

// What one object may be is bounded, so that no reply fills the memory or, by
// nesting, the stack.
func TestTooLongAnObject(t *testing.T) {
	deep := "<vms><vm>" + strings.Repeat("<template><vm>", maxTags)
	long := "<vms><vm><name>" + strings.Repeat("x", maxItem) + "</name></vm></vms>"
	for _, doc := range []string{deep, long} {
		if _, err := eachNamed(doc); !errors.Is(err, errLongItem) {
			t.Errorf("got %v", err)
		}
	}
}

// A mere link is not an empty list.
func TestItems(t *testing.T) {
	vm, err := one(asReply(`<vm id="1"><link rel="applications" href="/vms/1/applications"/><link rel="nics" href="/vms/1/nics"/>
		<disk_attachments/><reported_devices><reported_device id="2"/></reported_devices></vm>`), kindVM)
	if err != nil {
		t.Fatal(err)
	}
	if list, sent := items(vm.Nics()); sent || list != nil {
		t.Errorf("NICs that were not sent: %v, %v", list, sent)
	}
	if list, sent := items(vm.DiskAttachments()); !sent || len(list) != 0 {
		t.Errorf("a list that is empty: %v, %v", list, sent)
	}
	if list, sent := items(vm.ReportedDevices()); !sent || len(list) != 1 {
		t.Errorf("a list of one: %v, %v", list, sent)
	}
	if _, sent := items(vm.Snapshots()); sent {
		t.Error("what was not even linked passes for sent")
	}
}

// recorded counts a document's objects, by the decoder of its root.
func recorded(doc []byte) (root string, n int, err error) {
	var head struct {
		XMLName xml.Name
		All     []struct{ XMLName xml.Name } `xml:",any"`
	}
	if err := xml.Unmarshal(doc, &head); err != nil {
		return "", 0, err
	}
	root = head.XMLName.Local
	for _, count := range []func() (bool, int, error){
		counts(doc, root, kindVM), counts(doc, root, kindTemplate), counts(doc, root, kindDisk), counts(doc, root, kindDiskAttachment),
		counts(doc, root, kindNIC), counts(doc, root, kindReportedDevice), counts(doc, root, kindSnapshot), counts(doc, root, kindApplication),
		counts(doc, root, kindHost), counts(doc, root, kindHostNIC), counts(doc, root, kindAttachment), counts(doc, root, kindStatistic),
		counts(doc, root, kindCluster), counts(doc, root, kindDataCenter), counts(doc, root, kindNetwork), counts(doc, root, kindVNICProfile),
		counts(doc, root, kindStorageDomain), counts(doc, root, kindFile),
	} {
		if mine, n, err := count(); mine {
			if err == nil && n != len(head.All) {
				err = fmt.Errorf("%d were read of %d", n, len(head.All))
			}
			return root, n, err
		}
	}
	return root, 0, fmt.Errorf("nothing reads <%s>", root)
}

func counts[S any](doc []byte, root string, k kind[S]) func() (bool, int, error) {
	return func() (bool, int, error) {
		if root != k.list {
			return false, 0, nil
		}
		n := 0
		err := each(&reply{Status: 200, XML: true, Body: bytes.NewReader(doc)}, k, func(s *S) error {
			if idOf(s) == "" && root != "files" {
				return fmt.Errorf("%s %d has no id", k.item, n)
			}
			n++
			return nil
		})
		return true, n, err
	}
}

func TestRecordings(t *testing.T) {
	files, got := 0, map[string]int{}
	indexes, err := filepath.Glob("ovirtsim/testdata/*/index.json")
	if err != nil || len(indexes) != 3 {
		t.Fatalf("%d recordings, %v", len(indexes), err)
	}
	for _, index := range indexes {
		raw, err := os.ReadFile(index)
		if err != nil {
			t.Fatal(err)
		}
		var entries []struct{ File string }
		if err := json.Unmarshal(raw, &entries); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			doc, err := os.ReadFile(filepath.Join(filepath.Dir(index), e.File))
			if err != nil {
				t.Fatal(err)
			}
			root, n, err := recorded(doc)
			if err != nil {
				t.Errorf("%s: %v", e.File, err)
			}
			files++
			got[root] += n
		}
	}
	want := map[string]int{"applications": 0, "clusters": 11, "data_centers": 9, "disk_attachments": 26, "disks": 62, "files": 3,
		"host_nics": 6, "hosts": 6, "network_attachments": 6, "networks": 15, "nics": 27, "reported_devices": 15,
		"snapshots": 21, "statistics": 108, "storage_domains": 48, "templates": 13, "vms": 16, "vnic_profiles": 20}
	if diff := cmp.Diff(want, got); diff != "" || files != 162 {
		t.Errorf("%d replies, want 162; objects (-want +got):\n%s", files, diff)
	}
}

// FuzzEach: whatever comes, each ends, and says so when it did not deliver all
// that the document holds.
func FuzzEach(f *testing.F) {
	doc, err := os.ReadFile("ovirtsim/testdata/refresher_network_ports_recording/api_vms_e23898b2-0540-456c-a1ce-0df108c4df9a_nics.0.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(doc), oneVM, `<nics><nic id="1"><plugged></plugged></nic><nic id="2"><linked>yes</linked></nic><nic/></nics>`,
		"<html/>", "<nics><nic><interface>v", "<nics>", "<nics><nic></nics>", `<nics><a:nic xmlns:a="b"/></nics>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		n := 0
		err := each(asReply(doc), kindNIC, func(nic *ovirtsdk.Nic) error {
			if nic == nil {
				t.Error("no object")
			}
			n++
			return nil
		})
		var incomplete *IncompleteError
		if errors.As(err, &incomplete) {
			n += len(incomplete.Bad)
		} else if err != nil {
			return
		}
		if want := countItems(doc, "nic"); n != want {
			t.Errorf("%d of %d objects, and no error", n, want)
		}
	})
}

// countItems counts the root's children of a name, by another decoder.
func countItems(doc, name string) int {
	n, depth := 0, 0
	for dec := xml.NewDecoder(strings.NewReader(doc)); ; {
		tok, err := dec.Token()
		if err != nil {
			return n
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth == 2 && tok.Name.Local == name {
				n++
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				return n
			}
		}
	}
}

// What go-ovirt does badly is used nowhere: its writer, which does not escape, its
// readers of lists, which take any page for an empty one, and its methods that
// panic.
func TestSDKIsFenced(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if file == "codec_test.go" || file == "encode_test.go" { // the writer is the oracle there
			continue
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range fenced.FindAllIndex(src, -1) {
			t.Errorf("%s:%d: %s", file, 1+bytes.Count(src[:at[0]], []byte("\n")), src[at[0]:at[1]])
		}
		if bytes.Contains(src, []byte("ovirtsdk.XMLReader{")) && file != "codec.go" && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s: only codec.go calls go-ovirt's readers", file)
		}
	}
}

var fenced = regexp.MustCompile(`XMLWriter|XML\w+(ReadMany|WriteOne|WriteMany)|NewXMLReader|NewConnection|\.Must[A-Z]\w*\(\)`)

// BenchmarkEach reads 1000 recorded VMs, converts each and drops it.
func BenchmarkEach(b *testing.B) {
	doc, err := os.ReadFile("ovirtsim/testdata/ovirt_lans_refresh_recording/api_vms.0.xml")
	if err != nil {
		b.Fatal(err)
	}
	_, rows, _ := bytes.Cut(doc, []byte("<vms>"))
	rows, _, _ = bytes.Cut(rows, []byte("</vms>"))
	n := bytes.Count(rows, []byte("</vm>"))
	all := append(append([]byte("<vms>"), bytes.Repeat(rows, 1000/n)...), "</vms>"...)
	b.SetBytes(int64(len(all)))
	b.ReportAllocs()
	for b.Loop() {
		_, got, err := counts(all, "vms", kindVM)()
		if err != nil || got != 1000/n*n {
			b.Fatalf("%d VMs, %v", got, err)
		}
	}
}
