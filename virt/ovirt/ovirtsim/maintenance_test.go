package ovirtsim

import (
	"strings"
	"testing"
	"time"
)

// hostOf is the path of the host that a VM runs on.
func (c *client) hostOf(vm string) string { return "/hosts/" + c.get(vm).refID("host") }

func TestMaintenanceIsRefused(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	host := c.hostOf(vm)
	name := c.get(host).get("name")
	other := map[string]string{"host1": "host2", "host2": "host1"}[name]
	c.refused("POST", host+"/deactivate?stop_gluster_service=true", "<action/>", 400,
		"[Cannot maintenance Host. The selected cluster doesn't support stopping gluster services.]")
	c.do("PUT", vm, "<vm><placement_policy><affinity>pinned</affinity></placement_policy></vm>", 200)
	c.refused("POST", host+"/deactivate", "<action/>", 409, "[Cannot switch the following Hosts to Maintenance mode: "+name+
		".\nOne or more running VMs are indicated as non-migratable. The non-migratable VMs are: "+c.get(vm).get("name")+".]")
	// Who asks for the maintenance moves also what only users may move.
	c.do("PUT", vm, "<vm><placement_policy><affinity>user_migratable</affinity></placement_policy></vm>", 200)
	c.e.SetHostState(other, "down")
	c.refused("POST", host+"/deactivate", "<action/>", 409, "[The following Hosts have running VMs and cannot be switched to maintenance mode: "+name+
		".\nPlease ensure that the following Clusters have at least one Host in UP state: Default.]")
	c.status(host, "up")
	// A host that is down has nothing that could move.
	c.do("POST", "/hosts/"+c.id("hosts", other)+"/deactivate", "<action/>", 200)
	c.status("/hosts/"+c.id("hosts", other), "maintenance")
	c.e.SetHostState(other, "installing")
	c.refused("POST", "/hosts/"+c.id("hosts", other)+"/deactivate", "<action/>", 409, "[Cannot switch Host to Maintenance mode, Host is not operational.]")
	c.e.LoseHost(other)
	c.refused("POST", "/hosts/"+c.id("hosts", other)+"/activate", "<action/>", 409, "[Cannot activate Host. Host is in non responsive state.]")
}

// A VM that cannot move leaves the host preparing; the engine tries again.
func TestMaintenanceIsTriedAgain(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	host := c.hostOf(vm)
	c.e.FailMigration(c.get(vm).get("name"))
	c.do("POST", host+"/deactivate", "<action><reason>fans</reason></action>", 200)
	c.e.Advance(4 * time.Minute)
	c.status(host, "preparing_for_maintenance")
	c.e.Heal()
	c.e.Advance(2 * time.Minute)
	c.status(host, "maintenance")
	c.status(vm, "up")
	c.do("POST", host+"/activate", "<action/>", 200)
	c.e.Advance(time.Minute)

	// What can be moved nowhere is said at once, and the host stays preparing.
	host = c.hostOf(vm)
	c.vlan()
	nic := c.get(vm + "/nics").kids[0]
	c.do("PUT", vm+"/nics/"+nic.id, `<nic><vnic_profile id="`+c.id("vnicprofiles", "vlan100")+`"/></nic>`, 200)
	_, x, err := c.raw("POST", host+"/deactivate", "<action/>")
	if err != nil || !strings.Contains(x, "did not satisfy internal filter Network") {
		t.Error(x, err)
	}
	c.status(host, "preparing_for_maintenance")
	c.do("POST", host+"/activate", "<action/>", 200)
	c.e.Advance(time.Minute)
	c.status(host, "up")
}

// A network's label brings it to the NICs that bear it, and takes it away.
func TestLabels(t *testing.T) {
	c := timed(t, Options{DataCenters: []DataCenter{{Name: "Default",
		Networks: []Network{{Name: "lan", VLAN: 7, Label: "web"}, {Name: "own", VLAN: 8}},
		Clusters: []Cluster{{Name: "Default", Hosts: []Host{{Name: "host1", Labels: map[string]string{"eth2": "web"}}, {Name: "host2"}}}}}}})
	host1, host2 := "/hosts/"+c.id("hosts", "host1"), "/hosts/"+c.id("hosts", "host2")
	nic := func(host, name string) string {
		for _, n := range c.get(host + "/nics").kids {
			if n.get("name") == name {
				return n.id
			}
		}
		t.Fatal(host, name)
		return ""
	}
	on := func(host, network string) *elem {
		c.e.Advance(time.Minute)
		for _, a := range c.get(host + "/networkattachments").kids {
			if a.refID("network") == c.id("networks", network) {
				return a
			}
		}
		return nil
	}
	lan := on(host1, "lan")
	if lan == nil || lan.refID("host_nic") != nic(host1, "eth2") || on(host2, "lan") != nil {
		t.Fatal(lan)
	}
	c.refused("POST", host1+"/setupnetworks", `<action><removed_network_attachments><network_attachment id="`+lan.id+`"/></removed_network_attachments></action>`, 409,
		"[Cannot setup Networks. The following networks cannot be removed from the network interface since they are managed by the label: lan. "+
			"Please remove the label from the network interface in order to remove the network.]")
	c.refused("POST", host1+"/setupnetworks", setupXML("lan", "eth1", ""), 409, "[Cannot setup Networks. Network 'lan' cannot be moved to another network interface "+
		"since it's managed by label 'web'. Please remove the label from the network interface in order to remove the network.]")

	// Another network and another NIC get the label.
	own := "/networks/" + c.id("networks", "own")
	c.refused("POST", own+"/networklabels", `<network_label id="a b"/>`, 400, "[Network label must be formed only from: English letters, numbers, hyphen or underscore.]")
	c.do("POST", own+"/networklabels", `<network_label id="web"/>`, 201)
	c.do("POST", host2+"/nics/"+nic(host2, "eth1")+"/networklabels", `<network_label id="web"/>`, 201)
	for _, host := range []string{host1, host2} {
		if on(host, "own") == nil || on(host, "lan") == nil {
			t.Errorf("%s did not get the networks of its label", host)
		}
	}
	c.refused("POST", host2+"/nics/"+nic(host2, "eth2")+"/networklabels", `<network_label id="web"/>`, 409,
		"[Cannot setup Networks. The label 'web' is already defined on other interface eth1 on the host.]")
	c.do("DELETE", host2+"/nics/"+nic(host2, "eth1")+"/networklabels/web", "", 200)
	if on(host2, "own") != nil || len(c.get(host2+"/nics/"+nic(host2, "eth1")+"/networklabels").kids) != 0 {
		t.Error("host2 keeps what its label brought")
	}
	c.do("DELETE", own+"/networklabels/web", "", 200)
	if on(host1, "own") != nil || on(host1, "lan") == nil {
		t.Error("the wrong network left host1")
	}
}

func TestVMChangesCluster(t *testing.T) {
	c := timed(t, Options{DataCenters: []DataCenter{
		{Name: "Default", Storage: []Storage{{Name: "data"}}, Networks: []Network{{Name: "lan", VLAN: 7, Hosts: true}}, Clusters: []Cluster{
			{Name: "Default", Hosts: []Host{{Name: "host1"}}}, {Name: "Other", Hosts: []Host{{Name: "host2"}}}}},
		{Name: "Far", Clusters: []Cluster{{Name: "Far"}}}},
		VMs: []VM{{Name: "on", Cluster: "Default", Running: true, NICs: []NIC{{Name: "nic1", Network: "lan"}}}, {Name: "off", Cluster: "Default"}}})
	on, off := "/vms/"+c.id("vms", "on"), "/vms/"+c.id("vms", "off")
	to := func(cluster string) string { return "<cluster><name>" + cluster + "</name></cluster>" }
	c.refused("PUT", off, "<vm>"+to("Far")+"</vm>", 409, "[VM can be moved only to a Cluster in the same Data Center.]")
	c.refused("POST", on+"/migrate", "<action>"+to("Far")+"</action>", 409, "[VM can be moved only to a Cluster in the same Data Center.]")
	c.refused("PUT", on, "<vm>"+to("Other")+"</vm>", 409, "[Cannot update a VM in this status. Try stopping the VM first.]")
	c.refused("POST", on+"/migrate", "<action><host><name>host2</name></host></action>", 409, "[Cannot migrate VM. If target Cluster is not specified VM can be migrated "+
		"only between Hosts in the same Cluster.\n-Please select target Host in the same Cluster to run the VM or specify a target Cluster.]")
	c.do("DELETE", "/hosts/"+c.id("hosts", "host2")+"/networkattachments/"+c.get("/hosts/" + c.id("hosts", "host2") + "/networkattachments").kids[1].id, "", 200)
	c.do("PUT", off, "<vm>"+to("Other")+"</vm>", 200)
	other := c.id("clusters", "Other")
	if x := c.get(off); x.refID("cluster") != other {
		t.Error(x)
	}
	c.do("POST", "/hosts/"+c.id("hosts", "host2")+"/setupnetworks", setupXML("lan", "eth1", ""), 200)
	c.do("POST", on+"/migrate", "<action>"+to("Other")+"</action>", 200)
	c.e.Advance(time.Minute)
	if x := c.get(on); x.refID("cluster") != other || x.get("status") != "up" {
		t.Error(x)
	}
}
