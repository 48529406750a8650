package ovirtsim

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// timed is an engine whose clock runs fast, for calls that block.
func timed(t *testing.T, o Options) *client {
	o.Speed = 200
	return start(t, o)
}

func setupXML(network, nic, more string) string {
	return "<action><commit_on_success>true</commit_on_success><modified_network_attachments><network_attachment><host_nic><name>" + nic +
		"</name></host_nic><network><name>" + network + "</name></network></network_attachment></modified_network_attachments>" + more + "</action>"
}

// vlan makes network vlan100, attached to the cluster.
func (c *client) vlan() (network, cluster string) {
	c.t.Helper()
	x := c.do("POST", "/networks", `<network><data_center><name>Default</name></data_center><name>vlan100</name><vlan id="100"/></network>`, 201)
	cluster = "/clusters/" + c.id("clusters", "Default")
	c.do("POST", cluster+"/networks", `<network id="`+x.id+`"><required>false</required></network>`, 201)
	return x.id, cluster
}

func TestNetworks(t *testing.T) {
	c := start(t, Options{})
	net, cluster := c.vlan()
	x := c.get("/networks/" + net)
	if x.refID("vlan") != "100" || x.get("usages/usage") != "vm" || x.get("vdsm_name") != "vlan100" {
		t.Error(x)
	}
	if p := c.get("/networks/" + net + "/vnicprofiles").kids; len(p) != 1 || p[0].get("name") != "vlan100" {
		t.Error(p)
	}
	const dc = "<data_center><name>Default</name></data_center>"
	for _, tt := range []struct {
		path, body string
		status     int
		detail     string
	}{
		{"/networks", "<network><name>x</name></network>", 400, "Network [dataCenter.name|id] required for add"},
		{"/networks", "<network><name>x</name><data_center><name>y</name></data_center></network>", 404, "Entity not found: Datacenter: name=y"},
		{"/networks", "<network>" + dc + "<name>vlan100</name></network>", 409,
			"[Cannot add Network. The name of the logical network 'vlan100' is already used by an existing logical network in the same data-center.\n-Please choose a different name.]"},
		{"/networks", "<network>" + dc + `<name>x</name><vlan id="4095"/></network>`, 400, "[VLAN ID must be a number between 0 and 4094.]"},
		{"/networks", "<network>" + dc + "<name>bond7</name></network>", 400, "[Bad network name, network cannot start with 'bond']"},
		{cluster + "/networks", `<network id="` + net + `"/>`, 409, "[Logical Network is already attached to Cluster.]"},
		{"/vnicprofiles", "<vnic_profile><name>x</name></vnic_profile>", 400, "VnicProfile [network.id] required for add"},
	} {
		c.refused("POST", tt.path, tt.body, tt.status, tt.detail)
	}
	c.refused("DELETE", "/networks/"+c.id("networks", management), "", 400, "[The Management Network ('ovirtmgmt') is mandatory and cannot be removed.]")
	if x := c.get(cluster + "/networks/" + net); x.get("required") != "false" || x.get("status") != "non_operational" || x.refID("cluster") == "" {
		t.Error(x)
	}
	c.do("DELETE", cluster+"/networks/"+net, "", 200)
	c.do("DELETE", "/networks/"+net, "", 200)
	if p := c.get("/vnicprofiles?search=name%3Dvlan100").kids; len(p) != 0 {
		t.Error("the profile outlived its network:", p)
	}
}

func TestRequiredNetworkMissing(t *testing.T) {
	c := start(t, Options{})
	net, cluster := c.vlan()
	c.do("PUT", cluster+"/networks/"+net, "<network><required>true</required></network>", 200)
	c.e.Advance(time.Minute)
	c.status("/hosts/"+c.id("hosts", "host1"), "non_operational")
}

func TestSetupNetworks(t *testing.T) {
	c := timed(t, Options{})
	net, _ := c.vlan()
	host := "/hosts/" + c.id("hosts", "host1")
	x := c.do("POST", host+"/setupnetworks", setupXML("vlan100", "eth1", ""), 200)
	if x.get("status") != "complete" || !x.has("job") {
		t.Error(x)
	}
	var att *elem
	for _, a := range c.get(host + "/networkattachments").kids {
		if a.refID("network") == net {
			att = a
		}
	}
	if att == nil || att.get("in_sync") != "true" || c.get(host + "/networkattachments?follow=host_nic").kids[1].get("host_nic/name") != "eth1" {
		t.Fatal(att)
	}
	vlan := ""
	for _, n := range c.get(host + "/nics").kids {
		if n.refID("network") == net {
			vlan = n.get("name") + " on " + n.get("base_interface") + " " + n.refID("vlan")
		}
	}
	if vlan != "eth1.100 on eth1 100" {
		t.Error("VLAN device:", vlan)
	}
	// The same again changes nothing, and so needs no time.
	before := c.e.Now()
	c.do("POST", host+"/setupnetworks", setupXML("vlan100", "eth1", ""), 200)
	if took := c.e.Now().Sub(before); took > 2900*time.Millisecond {
		t.Errorf("no change took %v", took)
	}
	if c.e.Dirty("host1") {
		t.Error("not committed")
	}
	for _, tt := range []struct{ name, body, detail string }{
		{"network", setupXML("x", "eth1", ""), "[Logical Network (name 'x') doesn't exist.]"},
		{"nic", setupXML("vlan100", "eth9", ""), "[Cannot setup Networks. The host network interface (name eth9) does not exist.]"},
		{"bond of one", "<action><modified_bonds><host_nic><name>bond0</name><bonding><slaves><host_nic><name>eth1</name></host_nic></slaves></bonding></host_nic></modified_bonds></action>",
			"[Cannot setup Networks. The following bonds consist of less than two Network Interfaces: bond0.]"},
		{"static without address", "<action><modified_network_attachments><network_attachment><host_nic><name>eth1</name></host_nic><network><name>vlan100</name></network><ip_address_assignments><ip_address_assignment><assignment_method>static</assignment_method></ip_address_assignment></ip_address_assignments></network_attachment></modified_network_attachments></action>",
			"[Insufficient ip configuration of Network attachment for Network vlan100, Interface eth1. Must define ip address and netmask when boot protocol is static.]"},
	} {
		t.Run(tt.name, func(t *testing.T) { c.refused("POST", host+"/setupnetworks", tt.body, 400, tt.detail) })
	}
	c.do("POST", "/networks", "<network><data_center><name>Default</name></data_center><name>alone</name></network>", 201)
	c.refused("POST", host+"/setupnetworks", setupXML("alone", "eth1", ""), 400, "[Logical Network 'alone' does not exist in Cluster.]")
	var whole bytes.Buffer // as some clients send what they have read
	att.without("link").xml(&whole)
	c.do("POST", host+"/setupnetworks", `<action><commit_on_success>true</commit_on_success><removed_network_attachments>`+whole.String()+
		`</removed_network_attachments></action>`, 200)
	if n := len(c.get(host + "/networkattachments").kids); n != 1 {
		t.Errorf("%d attachments are left", n)
	}
}

func TestOutOfSync(t *testing.T) {
	c := timed(t, Options{})
	c.vlan()
	host := "/hosts/" + c.id("hosts", "host1")
	c.do("POST", host+"/setupnetworks", setupXML("vlan100", "eth1", ""), 200)
	if !c.e.Desync("host1", "vlan100") {
		t.Fatal("no such attachment")
	}
	att := c.get(host + "/networkattachments").kids[1]
	if att.get("in_sync") != "false" {
		t.Error(att)
	}
	c.refused("POST", host+"/setupnetworks", setupXML("vlan100", "eth2", ""), 409, "[Cannot setup Networks. The following Network definitions on the Network Interface "+
		"are different than those on the Logical Network. Please synchronize the Network Interface before editing network vlan100. "+
		"The non-synchronized values are: MTU (actual: 1280, expected: 1500).]")
	c.do("POST", host+"/setupnetworks", setupXML("vlan100", "eth2", `<synchronized_network_attachments><network_attachment id="`+att.id+`"/></synchronized_network_attachments>`), 200)
	if x := c.get(host + "/networkattachments/" + att.id + "?follow=host_nic"); x.get("in_sync") != "true" || x.get("host_nic/name") != "eth2" {
		t.Error(x)
	}
	c.e.Desync("host1", "vlan100")
	c.do("POST", host+"/syncallnetworks", "<action/>", 200)
	if x := c.get(host + "/networkattachments/" + att.id); x.get("in_sync") != "true" {
		t.Error(x)
	}
}

func TestUncommittedSetup(t *testing.T) {
	c := timed(t, Options{})
	c.vlan()
	host := "/hosts/" + c.id("hosts", "host1")
	body := strings.Replace(setupXML("vlan100", "eth1", ""), "<commit_on_success>true", "<commit_on_success>false", 1)
	c.do("POST", host+"/setupnetworks", body, 200)
	if !c.e.Dirty("host1") {
		t.Error("committed without being asked")
	}
	c.e.RebootHost("host1")
	if n := len(c.get(host + "/networkattachments").kids); n != 1 {
		t.Errorf("%d attachments survived the reboot", n)
	}
	c.do("POST", host+"/setupnetworks", body, 200)
	c.do("POST", host+"/commitnetconfig", "<action/>", 200)
	c.e.RebootHost("host1")
	if n := len(c.get(host + "/networkattachments").kids); n != 2 {
		t.Errorf("%d attachments survived the reboot", n)
	}
}

func TestBondAndConcurrentSetup(t *testing.T) {
	c := timed(t, Options{})
	c.vlan()
	host := "/hosts/" + c.id("hosts", "host1")
	bond := "<modified_bonds><host_nic><name>bond0</name><bonding><slaves><host_nic><name>eth1</name></host_nic><host_nic><name>eth2</name></host_nic></slaves></bonding></host_nic></modified_bonds>"
	c.do("POST", host+"/setupnetworks", setupXML("vlan100", "bond0", bond), 200)
	for _, n := range c.get(host + "/nics").kids {
		if n.get("name") == "bond0" && len(n.list("bonding/slaves")) != 2 {
			t.Error(n)
		}
	}
	c.refused("POST", host+"/setupnetworks", setupXML("vlan100", "eth1", ""), 400,
		"[Cannot setup Networks. Cannot create Network Attachment directly on slave or vlan interface. Network name = 'vlan100', Network interface name = 'eth1'.]")

	// Two at once: the second waits for the first; one that takes too long
	// makes it give up.
	c.e.SlowSetup("host2", 60*time.Second)
	host2 := "/hosts/" + c.id("hosts", "host2")
	var wg sync.WaitGroup
	got := make([]int, 2)
	for i := range got {
		wg.Go(func() {
			r, _, err := c.raw("POST", host2+"/setupnetworks", setupXML("vlan100", "eth1", ""))
			if err == nil {
				got[i] = r.StatusCode
			}
		})
	}
	wg.Wait()
	if got[0]+got[1] != 200+409 {
		t.Error(got)
	}
	c.e.Heal()
	c.e.FailSetup("host2")
	c.refused("POST", host2+"/setupnetworks", setupXML("vlan100", "eth2", ""), 400, "[Illegal Network parameters]")
}

func TestNetworkChangeReachesHosts(t *testing.T) {
	c := timed(t, Options{DataCenters: []DataCenter{{Name: "Default", Networks: []Network{{Name: "lan", VLAN: 7, Hosts: true}},
		Clusters: []Cluster{{Name: "Default", Hosts: []Host{{Name: "host1"}}}}}}})
	host := "/hosts/" + c.id("hosts", "host1")
	c.do("PUT", "/networks/"+c.id("networks", "lan"), "<network><mtu>9000</mtu></network>", 200)
	c.e.Advance(time.Minute)
	for _, n := range c.get(host + "/nics").kids {
		if n.get("name") == "eth1.7" && n.get("mtu") != "9000" {
			t.Error(n)
		}
	}
}

func TestMaintenance(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	host := "/hosts/" + c.get(vm).refID("host")
	c.refused("POST", host+"/activate", "<action/>", 409, "[Cannot activate Host. Host in Up status.]")
	c.do("POST", host+"/deactivate", "<action/>", 200)
	c.status(host, "preparing_for_maintenance")
	c.e.Advance(time.Minute)
	c.status(host, "maintenance")
	if x := c.get(vm); x.get("status") != "up" || "/hosts/"+x.refID("host") == host {
		t.Error("the VM did not leave:", x)
	}
	c.refused("POST", host+"/deactivate", "<action/>", 409, "[Cannot switch Host to Maintenance mode. Host is already in Maintenance mode.]")
	c.do("POST", host+"/activate", "<action/>", 200)
	c.status(host, "unassigned")
	c.e.Advance(time.Minute)
	c.status(host, "up")
	name := c.get(vm + "?follow=host").get("host/name")
	if !c.e.LoseHost(name) {
		t.Fatal(name)
	}
	c.status(vm, "unknown")
	if hosts := c.get("/hosts?search=status%3Dup").kids; len(hosts) == 1 {
		c.e.LoseHost(hosts[0].get("name"))
		c.refused("POST", "/vms", "<vm><name>x</name><cluster><name>Default</name></cluster><template><name>debian-12</name></template></vm>", 409,
			"[Cannot add VM. There is no active Host in the Data Center.]")
		c.e.FindHost(hosts[0].get("name"))
	}
	c.status("/hosts/"+c.id("hosts", name), "non_responsive")
	c.e.FindHost(name)
	c.status(vm, "up")
}
