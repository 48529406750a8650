package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recordedRows reads from a recording what the list of a kind has to show, by
// column. It knows the API's documents only: neither the client nor the simulator
// has a part in it.
func recordedRows(t *testing.T, dir, kind string, columns []string) [][]string {
	r := &recordedEngine{t: t, dir: dir}
	if err := json.Unmarshal(r.file("index.json"), &r.index); err != nil {
		t.Fatal(err)
	}
	read := map[string]struct {
		path   string
		fields map[string]func(document) string
	}{
		"vms":         {"vms", r.vm()},
		"hosts":       {"hosts", r.host()},
		"clusters":    {"clusters", r.cluster()},
		"datacenters": {"datacenters", map[string]func(document) string{"comment": textAt("comment"), "state": textAt("status")}},
		"storage":     {"storagedomains", r.storage()},
	}[kind]
	objects := r.get(read.path)
	if objects == nil && kind == "storage" { // seen in data centres only
		for _, dc := range r.get("datacenters") {
			objects = append(objects, r.get("datacenters/"+dc.ID+"/storagedomains")...)
		}
	}
	slices.SortFunc(objects, func(a, b document) int { return strings.Compare(a.text("name"), b.text("name")) })
	var rows [][]string
	for _, o := range objects {
		var row []string
		for _, c := range columns {
			field := read.fields[c]
			switch {
			case field != nil:
			case c == "ID":
				field = func(d document) string { return d.ID }
			case c == "name":
				field = textAt("name")
			case c == "engine":
				field = func(document) string { return "e15" }
			default:
				t.Fatalf("nothing says where %s of %s is recorded", c, kind)
			}
			row = append(row, field(o))
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *recordedEngine) vm() map[string]func(document) string {
	return map[string]func(document) string{
		"hostname": textAt("fqdn"),
		"state": func(d document) string {
			return map[string]string{"up": "running", "down": "stopped"}[d.text("status")]
		},
		// The first IPv4 address of the reported devices.
		"IP": func(d document) string {
			for _, dev := range r.get("vms/" + d.ID + "/reporteddevices") {
				for _, ip := range dev.all("ips/ip") {
					a, err := netip.ParseAddr(ip.text("address"))
					if err == nil && a.Is4() && !a.IsLoopback() {
						return a.String()
					}
				}
			}
			return ""
		},
		"host":         func(d document) string { return r.name("hosts", d.ref("host")) },
		"cluster":      func(d document) string { return r.name("clusters", d.ref("cluster")) },
		"data_center":  func(d document) string { return r.centre(d.ref("cluster")) },
		"was_migrated": func(d document) string { return strconv.FormatBool(strings.Contains(d.text("description"), "igrated")) },
		"total_space": func(d document) string {
			total := 0.0
			for _, k := range r.disks(d) {
				total += k.number("provisioned_size")
			}
			return rounded(total / (1 << 30))
		},
		"storage_domains": func(d document) string {
			var names []string
			for _, k := range r.disks(d) {
				names = append(names, r.name("storagedomains", k.ref("storage_domains/storage_domain")))
			}
			slices.Sort(names)
			return strings.Join(slices.Compact(names), ", ")
		},
	}
}

// disks are the disks of a VM, by its attachments.
func (r *recordedEngine) disks(vm document) []document {
	var out []document
	for _, a := range r.get("vms/" + vm.ID + "/diskattachments") {
		out = append(out, r.find("disks", a.ref("disk")))
	}
	return out
}

func (r *recordedEngine) host() map[string]func(document) string {
	return map[string]func(document) string{
		"state": func(d document) string {
			return map[string]string{"up": "up", "non_responsive": "unreachable"}[d.text("status")]
		},
		// The address of the NIC that carries ovirtmgmt.
		"IP": func(d document) string {
			for _, nic := range r.get("hosts/" + d.ID + "/nics") {
				if r.name("networks", nic.ref("network")) == "ovirtmgmt" {
					return nic.text("ip/address")
				}
			}
			return ""
		},
		"cluster":     func(d document) string { return r.name("clusters", d.ref("cluster")) },
		"data_center": func(d document) string { return r.centre(d.ref("cluster")) },
		"cpus": func(d document) string {
			return rounded(d.number("cpu/topology/sockets") * d.number("cpu/topology/cores") * d.number("cpu/topology/threads"))
		},
		"memory":      gibOf("memory"),
		"free_memory": gibOf("max_scheduling_memory"),
		"vms":         textAt("summary/active"),
	}
}

func (r *recordedEngine) cluster() map[string]func(document) string {
	return map[string]func(document) string{
		"description": textAt("description"), "comment": textAt("comment"),
		"data_center": func(d document) string { return r.name("datacenters", d.ref("data_center")) },
	}
}

func (r *recordedEngine) storage() map[string]func(document) string {
	total := func(d document) float64 { return d.number("available") + d.number("used") }
	percent := func(part string) func(document) string {
		return func(d document) string {
			if total(d) == 0 {
				return "0"
			}
			return rounded(100 * d.number(part) / total(d))
		}
	}
	return map[string]func(document) string{
		"type": textAt("storage/type"),
		// Only data centres tell the state of their domains.
		"state": func(d document) string {
			for _, dc := range d.all("data_centers/data_center") {
				for _, s := range r.get("datacenters/" + dc.ID + "/storagedomains") {
					if s.ID == d.ID && s.text("status") == "active" {
						return "active"
					}
				}
			}
			return "inactive"
		},
		"available": gibOf("available"), "used": gibOf("used"), "committed": gibOf("committed"),
		"total":            func(d document) string { return rounded(total(d) / (1 << 30)) },
		"percent_left":     percent("available"),
		"overprovisioning": percent("committed"),
		"comment":          textAt("comment"),
	}
}

// recordedEngine are the replies in the folder of a recording.
type recordedEngine struct {
	t     *testing.T
	dir   string
	index []struct {
		Path, File string
		N          int
	}
}

func (r *recordedEngine) file(name string) []byte {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// get gives the objects that the first reply to a GET has; nil where there is none.
func (r *recordedEngine) get(path string) []document {
	for _, reply := range r.index {
		if reply.Path == "/ovirt-engine/api/"+path && reply.N == 0 {
			var d document
			if err := xml.Unmarshal(r.file(reply.File), &d); err != nil {
				r.t.Fatal(err)
			}
			return d.Kids
		}
	}
	return nil
}

func (r *recordedEngine) find(path, id string) document {
	for _, d := range r.get(path) {
		if d.ID == id {
			return d
		}
	}
	return document{}
}

func (r *recordedEngine) name(path, id string) string { return r.find(path, id).text("name") }

// centre is the name of a cluster's data centre.
func (r *recordedEngine) centre(cluster string) string {
	return r.name("datacenters", r.find("clusters", cluster).ref("data_center"))
}

// document is an element of a recorded document.
type document struct {
	XMLName xml.Name
	ID      string     `xml:"id,attr"`
	Text    string     `xml:",chardata"`
	Kids    []document `xml:",any"`
}

// all gives the elements at a path, as ips/ip.
func (d document) all(path string) []document {
	found := []document{d}
	for name := range strings.SplitSeq(path, "/") {
		var next []document
		for _, f := range found {
			for _, k := range f.Kids {
				if k.XMLName.Local == name {
					next = append(next, k)
				}
			}
		}
		found = next
	}
	return found
}

func (d document) first(path string) document {
	if all := d.all(path); len(all) > 0 {
		return all[0]
	}
	return document{}
}

func (d document) text(path string) string { return strings.TrimSpace(d.first(path).Text) }
func (d document) ref(path string) string  { return d.first(path).ID }

// number gives the number at a path; 0 without one.
func (d document) number(path string) float64 {
	n, _ := strconv.ParseFloat(d.text(path), 64)
	return n
}

func textAt(path string) func(document) string {
	return func(d document) string { return d.text(path) }
}

// gibOf gives the bytes at a path in GiB.
func gibOf(path string) func(document) string {
	return func(d document) string { return rounded(d.number(path) / (1 << 30)) }
}

// rounded gives a number to the hundredth.
func rounded(n float64) string { return fmt.Sprint(math.Round(n*100) / 100) }
