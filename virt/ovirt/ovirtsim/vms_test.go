package ovirtsim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

const newVM = `<vm><cluster><name>Default</name></cluster><name>web1</name><template><name>%s</name></template>%s</vm>`

// create makes VM web1 and returns its path.
func (c *client) create(template, query, more string, status int) string {
	c.t.Helper()
	body := strings.Replace(strings.Replace(newVM, "%s", template, 1), "%s", more, 1)
	return "/vms/" + c.do("POST", "/vms"+query, body, status).id
}

// running makes VM web1 from the template and starts it.
func (c *client) running() string {
	c.t.Helper()
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	c.do("POST", vm+"/start", "<action/>", 200)
	c.e.Advance(time.Minute)
	c.status(vm, "up")
	return vm
}

func TestCreateBlank(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("Blank", "", "<memory>2148000000</memory><cpu><topology><cores>1</cores><sockets>2</sockets><threads>1</threads></topology></cpu>", 201)
	x := c.get(vm)
	for path, want := range map[string]string{
		"status": "down", "memory": "2147483648", "memory_policy/max": "8589934592", "memory_policy/guaranteed": "2147483648",
		"cpu/topology/sockets": "2", "cpu/architecture": "x86_64", "next_run_configuration_exists": "false", "description": "",
	} {
		if got := x.get(path); got != want {
			t.Errorf("%s is %q instead of %q", path, got, want)
		}
	}
	if x.has("console") || !c.get(vm+"?all_content=true").has("console") {
		t.Error("console is shown without all_content, or not with it")
	}
	if got := c.get(vm + "/snapshots").kids; len(got) != 1 || got[0].get("snapshot_type") != "active" {
		t.Error(got)
	}
}

func TestCreateRefusals(t *testing.T) {
	c := start(t, Options{DataCenters: append(Small().DataCenters, DataCenter{Name: "other", Clusters: []Cluster{{Name: "cl2", Overcommit: 200}}}),
		Templates: Small().Templates})
	c.create("Blank", "", "", 201)
	vm := func(cluster, name, template, more string) string {
		return "<vm>" + cluster + name + template + more + "</vm>"
	}
	const cl, name, tp = "<cluster><name>Default</name></cluster>", "<name>web2</name>", "<template><name>Blank</name></template>"
	for _, tt := range []struct {
		name, body string
		status     int
		detail     string
	}{
		{"no cluster", vm("", name, tp, ""), 400, "Vm [cluster.id|name] required for add"},
		{"no name", vm(cl, "", tp, ""), 400, "Vm [name] required for add"},
		{"no template", vm(cl, name, "", ""), 400, "Vm [template.id|name] required for add"},
		{"unknown cluster", vm("<cluster><name>x</name></cluster>", name, tp, ""), 404, "Entity not found: Cluster: name=x"},
		{"unknown template", vm(cl, name, "<template><name>x</name></template>", ""), 404, "Entity not found: GetVmTemplate"},
		{"template of another data center", vm("<cluster><name>cl2</name></cluster>", name, "<template><name>debian-12</name></template>", ""), 404, "Entity not found: GetVmTemplate"},
		{"name in use", vm(cl, "<name>web1</name>", tp, ""), 409, "[Cannot add VM. The VM name is already in use, please choose a unique name and try again.]"},
		{"guaranteed above memory", vm(cl, name, tp, "<memory>1073741824</memory><memory_policy><guaranteed>2147483648</guaranteed></memory_policy>"), 400,
			"[Cannot add VM. Physical Memory Guaranteed cannot exceed Memory Size.]"},
		{"memory above max", vm(cl, name, tp, "<memory>8589934592</memory><memory_policy><max>4294967296</max></memory_policy>"), 409,
			"[Cannot add VM. Memory size (8192MB) cannot exceed maximum memory size (4096MB).]"},
		{"too many sockets", vm(cl, name, tp, "<cpu><topology><sockets>17</sockets></topology></cpu>"), 409, "[Cannot add VM. Maximum number of sockets exceeded.]"},
		{"disk that is not the template's", vm(cl, name, "<template><name>debian-12</name></template>",
			`<disk_attachments><disk_attachment><disk id="11111111-1111-1111-1111-111111111111"/></disk_attachment></disk_attachments>`), 404,
			"Entity not found: Disk: id=11111111-1111-1111-1111-111111111111"},
	} {
		t.Run(tt.name, func(t *testing.T) { c.refused("POST", "/vms", tt.body, tt.status, tt.detail) })
	}
	// The same name is free in the other data center, whose cluster overcommits.
	x := c.do("POST", "/vms", vm("<cluster><name>cl2</name></cluster>", "<name>web1</name>", tp, "<memory>2147483648</memory>"), 201)
	if x.get("memory_policy/guaranteed") != "1073741824" {
		t.Error(x.at("memory_policy"))
	}
}

func TestCreateFromTemplate(t *testing.T) {
	for _, tt := range []struct {
		query, format string
		thin          bool
		took          time.Duration
	}{{"", "cow", true, 2 * time.Second}, {"?clone=true", "cow", false, 15 * time.Second}} {
		t.Run(tt.query, func(t *testing.T) {
			c := start(t, Options{})
			vm := c.create("debian-12", tt.query, "", 202)
			c.status(vm, "image_locked")
			x := c.get(vm + "?follow=disk_attachments.disk,nics.vnic_profile.network,cluster,template,host")
			a := x.list("disk_attachments")
			if len(a) != 1 || a[0].get("disk/status") != "locked" || a[0].get("disk/provisioned_size") != "10737418240" ||
				a[0].get("disk/format") != tt.format || a[0].get("bootable") != "true" {
				t.Fatal(a)
			}
			if n := x.list("nics"); len(n) != 1 || n[0].get("vnic_profile/network/name") != management || n[0].get("mac/address") == "" {
				t.Error(n)
			}
			if x.get("cluster/name") != "Default" || x.get("template/name") != "debian-12" || x.has("host") {
				t.Error("followed references:", x)
			}
			c.refused("POST", vm+"/start", "<action/>", 409, "[Cannot run VM: VM is locked. Please try again in a few minutes.]")
			c.refused("DELETE", vm, "", 409, "[Cannot remove VM: VM is locked. Please try again in a few minutes.]")
			c.e.Advance(tt.took)
			c.status(vm, "down")
			if tt.thin {
				c.refused("DELETE", vm+"?detach_only=true", "", 409, "[Cannot remove VM with detaching disks, VM is based from template.]")
				c.refused("DELETE", "/templates/"+c.id("templates", "debian-12"), "", 409, "[Cannot delete Template. Template is being used by the following VMs: web1.]")
			}
			disk := "/disks/" + a[0].id
			c.do("DELETE", vm, "", 200)
			c.do("GET", vm, "", 404)
			c.status(disk, "locked")
			c.e.Advance(time.Minute)
			c.do("GET", disk, "", 404)
		})
	}
}

func TestFailedCopy(t *testing.T) {
	c := start(t, Options{})
	c.e.FailCopy("web1")
	r, _, err := c.raw("POST", "/vms?clone=true", strings.Replace(strings.Replace(newVM, "%s", "debian-12", 1), "%s", "", 1), "Correlation-Id", "mine")
	if err != nil || r.StatusCode != 202 {
		t.Fatal(r, err)
	}
	c.e.Advance(time.Minute)
	vm := c.id("vms", "web1")
	if got := c.get("/vms/" + vm + "/diskattachments?follow=disk").kids[0].get("disk/status"); got != "illegal" {
		t.Error("disk is", got)
	}
	if j := c.get("/jobs?search=correlation_id%3Dmine").kids; len(j) != 1 || j[0].get("status") != "failed" {
		t.Error(j)
	}
	if ev := c.get("/events?search=correlation_id%3Dmine").kids; len(ev) != 1 || ev[0].get("severity") != "error" || ev[0].refID("vm") != vm {
		t.Error(ev)
	}
	c.e.Advance(2 * time.Hour)
	c.login()
	if j := c.get("/jobs").kids; len(j) != 0 {
		t.Error("jobs that ended long ago:", j)
	}
}

func TestPower(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	act := func(name string) { t.Helper(); c.do("POST", vm+"/"+name, "<action/>", 200) }
	is := func(after time.Duration, want string) { t.Helper(); c.e.Advance(after); c.status(vm, want) }
	c.refused("POST", vm+"/stop", "<action/>", 409, "[Cannot stop VM. VM is not running.]")
	c.refused("POST", vm+"/reboot", "<action/>", 409, "[Cannot restart VM because the VM is in Down status.]")
	act("start")
	is(0, "wait_for_launch")
	c.refused("POST", vm+"/start", "<action/>", 409, "[Cannot run VM. VM is running.]")
	is(2*time.Second, "powering_up")
	c.refused("POST", vm+"/suspend", "<action/>", 409, "[Cannot hibernate VM because the VM is in Powering Up status.]")
	is(10*time.Second, "up")
	if d := c.get(vm + "/reporteddevices").kids; len(d) != 1 || d[0].list("ips")[0].get("address") == "" {
		t.Error(d)
	}
	if !c.get(vm).has("host") {
		t.Error("a running VM has no host")
	}
	act("reboot")
	is(0, "reboot_in_progress")
	is(8*time.Second, "up")
	c.do("POST", vm+"/suspend", "<action/>", 202)
	is(0, "saving_state")
	is(5*time.Second, "suspended")
	c.refused("DELETE", vm, "", 409, "[Cannot remove VM that its state is not down.\n-Please stop the VM first.]")
	act("start")
	is(2*time.Second, "restoring_state")
	is(5*time.Second, "up")
	c.e.IgnoreShutdown("web1")
	act("shutdown")
	is(0, "powering_down")
	is(5*time.Second, "up")
	c.e.Heal()
	act("shutdown")
	is(5*time.Second, "down")
	if x := c.get(vm); x.has("host") {
		t.Error("a VM that is down has a host")
	}
	c.e.FailStart("web1")
	act("start")
	is(2*time.Second, "down")
	if ev := c.get("/events?max=1").kids; len(ev) != 1 || ev[0].get("code") != "54" {
		t.Error(ev)
	}
	c.do("PUT", vm, "<vm><delete_protected>true</delete_protected></vm>", 200)
	c.refused("DELETE", vm, "", 409, "[Cannot remove VM. Delete protection is enabled. In order to delete, disable Delete protection first.]")
}

func TestStartWithoutDisk(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("Blank", "", "", 201)
	x := c.do("POST", vm+"/start", "<action/>", 409)
	if x.name != "action" || x.get("status") != "failed" || !strings.HasPrefix(x.get("fault/detail"), "[Cannot run VM without at least one bootable disk.") {
		t.Error(x)
	}
	c.do("POST", vm+"/start", "<action><vm><os><boot><devices><device>network</device></devices></boot></os></vm></action>", 200)
	c.e.Advance(time.Minute)
	// It runs from the network, and is shown as it is configured.
	if x := c.get(vm); x.get("status") != "up" || x.get("run_once") != "true" || x.get("os/boot/devices/device") != "hd" {
		t.Error(x)
	}
	c.do("PUT", vm, "<vm><description>changed meanwhile</description></vm>", 200)
	c.do("POST", vm+"/stop", "<action/>", 200)
	c.e.Advance(time.Minute)
	if x := c.get(vm); x.get("run_once") != "false" || x.get("description") != "changed meanwhile" {
		t.Error(x)
	}
	c.refused("POST", vm+"/start", "<action><use_cloud_init>true</use_cloud_init><use_sysprep>true</use_sysprep></action>", 409, "")
}

// What a start brings along for one run reaches the guest and is stored nowhere.
func TestCloudInitForOneRun(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", `<initialization><custom_script>runcmd: [a]</custom_script></initialization>`, 202)
	c.e.Advance(time.Minute)
	c.do("POST", vm+"/start", "<action><use_cloud_init>true</use_cloud_init><vm><initialization><custom_script>geheim</custom_script></initialization></vm></action>", 200)
	c.e.Advance(time.Minute)
	if x := c.get(vm); x.get("initialization/custom_script") != "runcmd: [a]" || x.get("status") != "up" {
		t.Error(x)
	}
	if got := c.e.UserData("web1"); got != "geheim" {
		t.Errorf("the guest was told %q", got)
	}
	// Later starts tell it nothing, unless they are asked to.
	c.do("POST", vm+"/stop", "<action/>", 200)
	c.e.Advance(time.Minute)
	c.do("POST", vm+"/start", "<action><use_cloud_init>true</use_cloud_init></action>", 200)
	c.e.Advance(time.Minute)
	if got := c.e.UserData("web1"); got != "runcmd: [a]" {
		t.Errorf("the guest was told %q", got)
	}
	if got := c.e.UserData("none"); got != "" {
		t.Errorf("a VM that is not there was told %q", got)
	}
}

func TestCloudInit(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", `<initialization><host_name>web1.example</host_name><root_password>geheim</root_password>
		<nic_configurations><nic_configuration><name>eth0</name><ip><address>127.0.0.9</address></ip></nic_configuration></nic_configurations></initialization>`, 202)
	if x := c.get(vm); x.has("initialization/root_password") || x.get("initialization/host_name") != "web1.example" {
		t.Error(x.kid("initialization"))
	}
	c.e.Advance(time.Minute)
	c.do("POST", vm+"/start", "<action/>", 200)
	c.e.Advance(time.Minute)
	if x := c.get(vm); x.get("fqdn") != "web1.example" {
		t.Error(x.get("fqdn"))
	}
	if d := c.get(vm + "?follow=reported_devices").list("reported_devices"); d[0].list("ips")[0].get("address") != "127.0.0.9" {
		t.Error(d)
	}
	if x := c.get("/vms?search=ip%3D127.0.0.9"); len(x.kids) != 1 {
		t.Error(x)
	}
}

func TestMemoryScheduling(t *testing.T) {
	c := start(t, Options{DataCenters: []DataCenter{{Name: "dc", Storage: []Storage{{Name: "data"}},
		Clusters: []Cluster{{Name: "Default", Hosts: []Host{{Name: "h1", Memory: 4 << 30}}}}}}, Templates: Small().Templates})
	vm := c.create("debian-12", "", "<memory>8589934592</memory>", 202)
	c.e.Advance(time.Minute)
	c.refused("POST", vm+"/start", "<action/>", 409, "[Cannot run VM. There is no host that satisfies current scheduling constraints. See below for details:, "+
		"The host h1 did not satisfy internal filter Memory because its available memory is too low (3968 MB) to run the VM.]")
}

func TestMigrate(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	source := c.get(vm).refID("host")
	name := c.get("/hosts/" + source).get("name")
	other := map[string]string{"host1": "host2", "host2": "host1"}[name]
	c.refused("POST", vm+"/migrate", "<action><host><name>"+name+"</name></host></action>", 409, "[Cannot migrate VM. source and destination is the same.]")
	c.refused("POST", vm+"/cancelmigration", "<action/>", 409, "[Cannot cancel migration for non migrating VM.]")
	c.do("POST", vm+"/migrate", "<action><host><name>"+other+"</name></host></action>", 200)
	c.refused("POST", vm+"/migrate", "<action/>", 409, "[Cannot migrate VM. VM web1 is being migrated.]")
	c.e.Advance(2 * time.Second)
	c.status(vm, "migrating")
	if c.get(vm).refID("host") != source {
		t.Error("the VM left its host before the end")
	}
	c.e.Advance(time.Minute)
	c.status(vm, "up")
	if got := c.get(vm + "?follow=host").get("host/name"); got != other {
		t.Error("the VM is on", got)
	}
	c.e.FailMigration("web1")
	c.do("POST", vm+"/migrate", "<action/>", 200)
	c.e.Advance(time.Minute)
	if got := c.get(vm + "?follow=host").get("host/name"); got != other {
		t.Error("after a failed migration the VM is on", got)
	}
	if ev := c.get("/events?max=1").kids; ev[0].get("code") != "65" {
		t.Error(ev)
	}
	c.do("POST", vm+"/migrate", "<action/>", 200)
	c.do("POST", vm+"/cancelmigration", "<action/>", 200)
	c.status(vm, "up")
}

func TestUpdate(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	put := func(body string, status int, query ...string) *elem {
		t.Helper()
		return c.do("PUT", vm+strings.Join(query, ""), body, status)
	}
	put("<vm><comment>c</comment><memory>2147483648</memory><cpu><topology><sockets>2</sockets></topology></cpu></vm>", 200)
	x := c.get(vm)
	if x.get("comment") != "c" || x.get("memory") != "2147483648" || x.get("cpu/topology/sockets") != "2" || x.get("next_run_configuration_exists") != "false" {
		t.Error("hot-plug:", x)
	}
	c.refused("PUT", vm, "<vm><memory>2252341248</memory></vm>", 400, "[Cannot edit VM. Amount of added memory (100MiB) is not dividable by 128MiB.]")
	c.refused("PUT", vm, "<vm><memory>8589934592</memory></vm>", 409, "[Cannot edit VM. Memory size (8192MB) cannot exceed maximum memory size (4096MB).]")
	c.refused("PUT", vm, `<vm id="`+blankID+`"/>`, 409, "Attempt to set immutable field: id")
	put("<vm><cpu><topology><cores>2</cores></topology></cpu></vm>", 200)
	if x := c.get(vm); x.get("cpu/topology/cores") != "1" || x.get("next_run_configuration_exists") != "true" {
		t.Error("cores of a running VM:", x)
	}
	for _, path := range []string{";next_run", "?next_run=true"} {
		if x := c.get(vm + path); x.get("cpu/topology/cores") != "2" || x.get("status") != "up" {
			t.Error("next run:", x)
		}
	}
	c.do("POST", vm+"/stop", "<action/>", 200)
	c.e.Advance(time.Minute)
	if x := c.get(vm); x.get("cpu/topology/cores") != "2" || x.get("next_run_configuration_exists") != "false" {
		t.Error("after the stop:", x)
	}
	c.do("POST", vm+"/start", "<action/>", 200)
	c.e.Advance(time.Minute)
	c.e.FailHotPlug("web1")
	put("<vm><memory>3221225472</memory><cpu><topology><sockets>3</sockets></topology></cpu></vm>", 200)
	if x := c.get(vm); x.get("memory") != "2147483648" || x.get("cpu/topology/sockets") != "2" || x.get("next_run_configuration_exists") != "false" {
		t.Error("what could not be plugged in is forgotten:", x)
	}
	if c.get(vm+";next_run").get("memory") != "2147483648" {
		t.Error("a next-run configuration where there is none")
	}
	if x := c.get("/events?search=" + url.QueryEscape(`severity=error`)); len(x.kids) != 2 {
		t.Error("events:", x)
	}
	// For the next start it is kept, and a change at once is refused by then.
	put("<vm><memory>3221225472</memory></vm>", 200, "?next_run=true")
	c.refused("PUT", vm, "<vm><comment>other</comment></vm>", 400, "[Cannot hot change memory because memory next run configuration already exists.]")
	put("<vm><comment>other</comment><cpu><topology><cores>4</cores></topology></cpu></vm>", 200, "?next_run=true")
	if x, next := c.get(vm), c.get(vm+";next_run"); x.get("comment") != "other" || next.get("memory") != "3221225472" || next.get("cpu/topology/cores") != "4" {
		t.Error(x, next)
	}
	// A change at once begins from what runs: the cores are not kept.
	put("<vm><memory>2147483648</memory></vm>", 200, "?next_run=true")
	put("<vm><comment>last</comment></vm>", 200)
	if x, next := c.get(vm), c.get(vm+";next_run"); x.get("next_run_configuration_exists") != "true" || next.get("cpu/topology/cores") != "2" || next.get("comment") != "last" {
		t.Error(x, next)
	}
}

func TestSnapshots(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	c.refused("POST", vm+"/snapshots", "<snapshot/>", 400, "Snapshot [description] required for add")
	s := c.do("POST", vm+"/snapshots", "<snapshot><description>before</description></snapshot>", 202)
	if s.get("snapshot_status") != "locked" {
		t.Error(s)
	}
	c.refused("POST", vm+"/snapshots", "<snapshot><description>x</description></snapshot>", 409, "[Cannot create Snapshot. Snapshot is currently being created for VM web1.]")
	c.e.Advance(time.Minute)
	path := vm + "/snapshots/" + s.id
	if x := c.get(path); x.get("snapshot_status") != "ok" || x.get("vm/memory") != "1073741824" {
		t.Error(x)
	}
	if d := c.get(path + "/disks").kids; len(d) != 1 || d[0].href != "" {
		t.Error(d)
	}
	c.do("PUT", vm, "<vm><memory>2147483648</memory></vm>", 200)
	c.do("POST", path+"/restore", "<action/>", 202)
	c.e.Advance(time.Minute)
	if x := c.get(vm); x.get("memory") != "1073741824" || x.get("status") != "down" {
		t.Error("after the restore:", x)
	}
	c.do("DELETE", path, "", 200)
	c.refused("POST", vm+"/start", "<action/>", 409, "[Cannot run VM. The VM is performing an operation on a Snapshot. Please wait for the operation to finish, and try again.]")
	c.e.Advance(time.Minute)
	c.do("GET", path, "", 404)
}

func TestTags(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("Blank", "", "", 201)
	c.do("POST", "/tags", "<tag><name>blue</name></tag>", 201)
	c.refused("POST", "/tags", "<tag><name>blue</name></tag>", 409, "[The specified Tag name already exists.]")
	tag := c.do("POST", vm+"/tags", "<tag><name>blue</name></tag>", 201)
	if x := c.get("/vms?search=tag%3Dblue"); len(x.kids) != 1 {
		t.Error(x)
	}
	c.do("DELETE", vm+"/tags/"+tag.id, "", 200)
	if x := c.get(vm + "/tags"); len(x.kids) != 0 {
		t.Error(x)
	}
}

func TestTemplateOfVM(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	body := `<template><name>golden</name><vm id="` + strings.TrimPrefix(vm, "/vms/") + `"/></template>`
	x := c.do("POST", "/templates", body, 202)
	if x.get("status") != "locked" {
		t.Error(x)
	}
	c.e.Advance(time.Minute)
	c.status("/templates/"+x.id, "ok")
	c.refused("POST", "/templates", body, 409, "[Cannot add Template. The Template name is already in use, please choose a unique name and try again.]")
}

func TestAffinity(t *testing.T) {
	c := start(t, Options{})
	vm := strings.TrimPrefix(c.create("Blank", "", "", 201), "/vms/")
	groups := "/clusters/" + c.id("clusters", "Default") + "/affinitygroups"
	g := c.do("POST", groups, "<affinity_group><name>apart</name><positive>false</positive></affinity_group>", 201)
	c.refused("POST", groups, "<affinity_group><name>apart</name></affinity_group>", 400, "[Cannot add Affinity Group. Affinity Group name already exists.]")
	c.do("POST", groups+"/"+g.id+"/vms", `<vm id="`+vm+`"/>`, 201)
	if x := c.get(groups + "?follow=vms"); x.kids[0].list("vms")[0].id != vm {
		t.Error(x)
	}
	c.do("DELETE", "/vms/"+vm, "", 200)
	if x := c.get(groups + "/" + g.id + "/vms"); len(x.kids) != 0 {
		t.Error("a removed VM is still a member:", x)
	}
}

// Rules that are enforced decide where a VM starts and moves to.
func TestEnforcedAffinity(t *testing.T) {
	o := Small()
	for _, name := range []string{"a", "b", "c"} {
		o.VMs = append(o.VMs, VM{Name: name, Cluster: "Default", Disks: []Disk{{Size: 1 << 30}}})
	}
	c := start(t, o)
	groups := "/clusters/" + c.id("clusters", "Default") + "/affinitygroups"
	group := func(name, rules, kind string, members ...string) string {
		g := c.do("POST", groups, "<affinity_group><name>"+name+"</name>"+rules+"</affinity_group>", 201)
		for _, m := range members {
			c.do("POST", groups+"/"+g.id+"/"+kind+"s", "<"+kind+` id="`+c.id(kind+"s", m)+`"/>`, 201)
		}
		return groups + "/" + g.id
	}
	vm := func(name string) string { return "/vms/" + c.id("vms", name) }
	on := func(name string) string { return c.get(vm(name)).refID("host") }
	run := func(name string) {
		c.do("POST", vm(name)+"/start", "<action/>", 200)
		c.e.Advance(time.Minute)
	}
	rule := func(word string, positive, enforcing bool) string {
		return fmt.Sprintf("<%[1]s><enabled>true</enabled><enforcing>%[3]t</enforcing><positive>%[2]t</positive></%[1]s>", word, positive, enforcing)
	}
	apart := group("apart", rule("vms_rule", false, true), "vm", "a", "b", "c")
	run("a")
	run("b")
	if on("a") == on("b") {
		t.Error("a and b are to be apart")
	}
	const refused = "[Cannot %s VM. There is no host that satisfies current scheduling constraints. See below for details:, "
	c.refused("POST", vm("c")+"/start", "<action/>", 409, fmt.Sprintf(refused, "run")+
		"The host host1 did not satisfy internal filter VmAffinityGroups., The host host2 did not satisfy internal filter VmAffinityGroups.]")
	c.refused("POST", vm("a")+"/migrate", `<action><host id="`+on("b")+`"/></action>`, 409, fmt.Sprintf(refused, "migrate")+
		"The host "+c.get("/hosts/"+on("b")).get("name")+" did not satisfy internal filter VmAffinityGroups.]")
	c.do("PUT", apart, "<affinity_group>"+rule("vms_rule", false, false)+"</affinity_group>", 200)
	group("near", rule("vms_rule", true, true), "vm", "a", "c")
	run("c")
	if on("c") != on("a") {
		t.Error("c is to be with a")
	}
	near := group("there", rule("hosts_rule", false, true), "host", "host1", "host2")
	c.do("POST", near+"/vms", `<vm id="`+strings.TrimPrefix(vm("b"), "/vms/")+`"/>`, 201)
	c.do("POST", vm("b")+"/stop", "<action/>", 200)
	c.e.Advance(time.Minute)
	c.refused("POST", vm("b")+"/start", "<action/>", 409, fmt.Sprintf(refused, "run")+
		"The host host1 did not satisfy internal filter VmToHostsAffinityGroups., The host host2 did not satisfy internal filter VmToHostsAffinityGroups.]")
}

func TestLocksAndAddresses(t *testing.T) {
	c := start(t, Options{VMs: []VM{{Name: "web1", Cluster: "Default", Disks: []Disk{{Size: 1 << 30}}, NICs: []NIC{{Name: "nic1", Network: management}}}}})
	vm := "/vms/" + c.id("vms", "web1")
	free := c.e.LockVM("web1")
	c.refused("POST", vm+"/start", "<action/>", 409, "[Cannot run VM. Related operation is currently in progress. Please try again later.]")
	free()
	if !c.e.SetAddress("web1", "nic1", "127.0.0.7", "fe80::1") {
		t.Fatal("no such NIC")
	}
	c.do("POST", vm+"/start", "<action/>", 200)
	c.e.Advance(time.Minute)
	ips := c.get(vm + "/reporteddevices").kids[0].list("ips")
	if len(ips) != 2 || ips[0].get("address") != "127.0.0.7" || ips[1].get("version") != "v6" {
		t.Error(ips)
	}
}

func TestExpectCreated(t *testing.T) {
	c := timed(t, Options{})
	body := strings.Replace(strings.Replace(newVM, "%s", "debian-12", 1), "%s", "", 1)
	r, text, err := c.raw("POST", "/vms", body, "X-Ovirt-Expect", "201-created")
	if err != nil || r.StatusCode != 201 || !strings.Contains(text, "<status>down</status>") {
		t.Error(r, text, err)
	}
}

func TestInstanceType(t *testing.T) {
	c := start(t, Options{})
	x := c.get(c.create("Blank", "", "<instance_type><name>Medium</name></instance_type>", 201))
	if x.get("memory") != "4294967296" || x.get("cpu/topology/sockets") != "2" || x.at("instance_type") == nil {
		t.Error(x)
	}
	c.refused("POST", "/vms", "<vm><name>x</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>"+
		"<instance_type><name>Vast</name></instance_type></vm>", 404, "Entity not found: InstanceType: name=Vast")
}
