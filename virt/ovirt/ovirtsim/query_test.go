package ovirtsim

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseQuery(t *testing.T) {
	object := map[string][]string{"name": {"web1"}, "status": {"up"}, "memory": {"2048"}, "tag": {"blue", "red"}}
	get := func(f string) []string { return object[f] }
	all := func() []string { return []string{"web1", "up", "a b"} }
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"", true}, {"name=web1", true}, {"name = web1", true}, {"NAME=WEB1", true}, {`name="web1"`, true}, {"name=web", false},
		{"name=web*", true}, {"name=*b1", true}, {"name=w*1", true}, {"name=w_b1", false}, {"name!=web2", true}, {"name!=web1", false},
		{"name=web1 and status=down", false}, {"name=web1 or status=down", true}, {"name=x or name=y or name=web1", true},
		{"status=up name=web1", true}, {"(name=x or name=web1) and status=up", true}, {"name=web1 or name=x and status=down", true},
		{"memory>1024", true}, {"memory>10000", false}, {"memory<=2048", true}, {"tag=red", true}, {"tag!=red", false},
		{"web1", true}, {"eb", true}, {`"a b"`, true}, {"nothing", false}, {"sortby name desc page 1", true}, {"name=x sortby name", false},
		{"page 2", true}, {`name="a and b"`, false},
	} {
		q, err := parseQuery(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := q.where == nil || q.where.eval(get, all, true); got != tt.want {
			t.Errorf("%s: %v", tt.text, got)
		}
	}
	for text, want := range map[string]string{
		"name=": "name=$$", "name=web1 and": "name=web1 and$$", "=x": "$=$x", `name="x`: `name=$"x$`, "(name=x": "(name=x$$",
		"name=x)": "name=x$)$", "sortby": "sortby$$", "page x": "page $x$", "name!x": "name$!$x", "page 0": "page $0$", "name==x": "name=$=$x",
	} {
		if _, err := parseQuery(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v instead of %s", text, err, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"name=web* and (status=up or tag=\"a b\") sortby name desc page 2", "((", `"`, "a!=b", "page 1", "x>=1<2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseQuery(s)
		if err != nil {
			if msg := err.Error(); strings.Count(msg, "$") < 2 || strings.Replace(strings.Replace(msg, "$", "", 1), "$", "", 1) == "" && s != "" && strings.Count(s, "$") == 0 && len(msg) != len(s)+2 {
				t.Errorf("%q: %s does not show where it is wrong", s, msg)
			}
			return
		}
		if q.page < 0 {
			t.Errorf("%q: page %d", s, q.page)
		}
		if q.where != nil {
			none := func(string) []string { return nil }
			q.where.eval(none, func() []string { return nil }, true)
		}
	})
}

func TestSearch(t *testing.T) {
	c := start(t, Load(30, 3))
	list := func(query string) string {
		t.Helper()
		var names []string
		for _, k := range c.get("/vms?" + query).kids {
			names = append(names, k.get("name"))
		}
		return strings.Join(names, " ")
	}
	q := func(s string) string { return "search=" + url.QueryEscape(s) }
	for query, want := range map[string]string{
		q("name=vm00001"):                          "vm00001",
		q("name=VM00001"):                          "vm00001",
		q("name=VM00001") + "&case_sensitive=true": "",
		q("name=vm0000* and status=up and cluster=Default sortby name desc"): "vm00009 vm00007 vm00005 vm00003 vm00001",
		q("sortby name page 2") + "&max=10":                                  "vm00011 vm00012 vm00013 vm00014 vm00015 vm00016 vm00017 vm00018 vm00019 vm00020",
		q("sortby name page 4") + "&max=10":                                  "",
		"max=2":                                                              "vm00001 vm00002", "max=lots": list(""),
		q("datacenter=Default and name=vm00001"): "vm00001", q("host.name=host9*"): "", q("vms.status=up and name=vm00001"): "vm00001",
	} {
		if got := list(query); got != want {
			t.Errorf("%s: %s instead of %s", query, got, want)
		}
	}
	o := Small()
	o.VMs = []VM{{Name: "web", Cluster: "Default", Template: "debian-12", Running: true, Disks: []Disk{{Size: gib}}}}
	small := start(t, o)
	for search, want := range map[string]int{
		"disks name=web_Disk1 and Storage.name=data and vm_names=web": 1, "disks Storage.name=block": 0,
		"datacenters Clusters.name=Default": 1, "datacenters Clusters.name=None": 0, "clusters datacenter.status=up": 1,
		"templates vm.name=web": 1, "templates vms.name=other": 0, "vms template.name=debian*": 1, "vms storage.name=data": 1,
		"hosts vms.name=web": 1, "storagedomains type=iscsi": 1, "vms host=host1 or host=host2": 1,
	} {
		col, search, _ := strings.Cut(search, " ")
		if got := len(small.get("/" + col + "?" + q(search)).kids); got != want {
			t.Errorf("%s: %d %s instead of %d", search, got, col, want)
		}
	}
	small.refused("GET", "/vms?"+q("name=web and cluster.name=Default"), "", 400, "name=web and $cluster.name$=Default")
	small.refused("GET", "/disks?"+q("format=cow"), "", 400, "$format$=cow")
	small.refused("GET", "/vnicprofiles?"+q("id=x"), "", 400, "$id$=x")
	if got := list(";max=1"); got == "vm00001" {
		t.Error("a matrix parameter was read in the query")
	}
	if got := len(c.get("/vms;max=1").kids); got != 1 {
		t.Errorf("matrix parameter: %d VMs", got)
	}
	c.refused("GET", "/vms?"+q("colour=red"), "", 400, "$colour$=red")
	c.refused("GET", "/vms?follow=nonsense", "", 500, "Problem fetching 'nonsense' from Vm")
	if x := c.get("/vms?max=1&follow=diskattachments.disk.storage_domains,NICS,reporteddevices,host.cluster"); x.kids[0].
		at("disk_attachments/disk_attachment/disk/storage_domains/storage_domain/name") == nil || len(x.kids[0].list("nics")) != 1 ||
		x.kids[0].get("host/cluster/name") != "Default" {
		t.Error(x)
	}
	if x := c.get("/events?from=3"); len(x.kids) != 0 {
		t.Error(x)
	}
}
