package ovirtsim

import (
	"strings"
	"testing"
)

// Who is no administrator has to ask for filtered replies, and sees a few VMs and
// what they are made of.
func TestFilter(t *testing.T) {
	o := Small()
	o.DataCenters = append(o.DataCenters, DataCenter{Name: "other", Clusters: []Cluster{{Name: "other", Hosts: []Host{{Name: "host3"}}}}, Storage: []Storage{{Name: "far"}}})
	disk := []Disk{{Size: gib, Storage: "block"}}
	o.VMs = []VM{{Name: "mine", Cluster: "Default", Running: true, Disks: disk, NICs: []NIC{{Name: "nic1", Network: management}}},
		{Name: "theirs", Cluster: "Default", Disks: []Disk{{Size: gib}}}}
	o.Users = []User{{Name: "ann@internal", Password: "pw", VMs: []string{"mine"}}}
	c := start(t, o)
	admin := c.token
	mine, theirs := "/vms/"+c.id("vms", "mine"), "/vms/"+c.id("vms", "theirs")
	if x := c.get(mine); !x.has("host") || !x.has("placement_policy") {
		t.Error("the administrator does not see the host:", x)
	}
	if x := c.get(mine + "?filter=true"); x.has("host") || x.has("placement_policy") {
		t.Error("a filtered reply shows the host:", x)
	}
	if c.get("?filter=true").has("summary") || !c.get("").has("summary") {
		t.Error("the summary is for those who see all")
	}
	c.token = c.logIn("ann@internal", "pw")
	for _, path := range []string{"", "/vms", mine, "/clusters"} {
		c.refused("GET", path, "", 400, "Query execution failed due to insufficient permissions.")
	}
	for path, want := range map[string]string{
		"/vms": "mine", "/vms?search=name%3Dtheirs": "", "/clusters": "Default", "/datacenters": "Default", "/storagedomains": "block", "/disks": "mine_Disk1",
		"/networks": management, "/vnicprofiles": management, "/hosts": "", "/templates": "Blank", "/events": "", "/jobs": "",
	} {
		r, text, err := c.raw("GET", path, "", "Filter", "true")
		if err != nil || r.StatusCode != 200 {
			t.Fatal(path, err, text)
		}
		x, err := readXML(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, k := range x.kids {
			names = append(names, k.get("name"))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	c.do("GET", theirs+"?filter=true", "", 404)
	c.do("GET", theirs+"/nics?filter=true", "", 404)
	c.do("POST", theirs+"/start", "<action/>", 404)
	c.do("POST", mine+"/stop", "<action/>", 200)
	c.refused("POST", "/tags", "<tag><name>x</name></tag>", 403, "[User is not authorized to perform this action.]")
	c.token = admin
	c.status(mine, "powering_down")
}
