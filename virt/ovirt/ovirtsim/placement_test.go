package ovirtsim

import (
	"bytes"
	"testing"
	"time"
)

// TestPlacement names the hosts of a placement policy, which the engine shows as
// references.
func TestPlacement(t *testing.T) {
	o := Small()
	o.DataCenters[0].Clusters = append(o.DataCenters[0].Clusters, Cluster{Name: "Other", Hosts: []Host{{Name: "host9"}}})
	c := start(t, o)
	hosts := func(names string) string {
		return "<vm><placement_policy><affinity>migratable</affinity><hosts>" + names + "</hosts></placement_policy></vm>"
	}
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	c.do("PUT", vm, hosts("<host><name>host2</name></host>"), 200)
	if x := c.get(vm).at("placement_policy/hosts/host"); x == nil || x.id != c.id("hosts", "host2") || x.href == "" || len(x.kids) != 0 {
		t.Error("the policy's host:", x)
	}
	c.refused("PUT", vm, hosts("<host><name>none</name></host>"), 404, "Entity not found: none")
	c.refused("PUT", vm, hosts("<host/>"), 400, "Host [id|name] required for validateAndUpdateHostsInPlacementPolicy")
	c.refused("PUT", vm, hosts(`<host id="`+blankID+`"/>`), 409,
		"[Cannot edit VM. VM is pinned to a specific host. The required host doesn't exist.]")
	c.refused("PUT", vm, hosts("<host><name>host9</name></host>"), 409,
		"[Cannot edit VM. VM is pinned to a specific host. The host's cluster must be the same as the selected VM cluster.]")

	// A run-once on a host runs there, and leaves the policy as it is.
	for _, name := range []string{"host1", "host2"} {
		c.do("POST", vm+"/start", "<action>"+hosts("<host><name>"+name+"</name></host>")+"</action>", 200)
		c.e.Advance(2 * time.Minute)
		x := c.get(vm + "?follow=host")
		if x.get("host/name") != name || len(x.list("placement_policy/hosts")) != 1 || x.refID("placement_policy/hosts/host") != c.id("hosts", "host2") {
			t.Errorf("started on %s: %v", name, x)
		}
		c.do("POST", vm+"/stop", "<action/>", 200)
		c.e.Advance(time.Minute)
	}
}

// TestEditable tells what changes while a VM runs from what waits for its next
// start.
func TestEditable(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	for body, waits := range map[string]bool{
		"<os><type>rhel_9x64</type></os>":                                       false,
		"<os><boot><devices><device>network</device></devices></boot></os>":     true,
		"<display><disconnect_action>LOGOUT</disconnect_action></display>":      false,
		"<display><monitors>2</monitors></display>":                             true,
		"<memory_policy><guaranteed>536870912</guaranteed></memory_policy>":     false,
		"<high_availability><enabled>true</enabled></high_availability>":        false,
		"<migration_downtime>200</migration_downtime>":                          false,
		"<cpu_shares>512</cpu_shares>":                                          true,
		"<storage_error_resume_behaviour>kill</storage_error_resume_behaviour>": true,
		"<sso><methods/></sso>":                                                 true,
	} {
		before := c.get(vm)
		c.do("PUT", vm, "<vm>"+body+"</vm>", 200)
		after := c.get(vm)
		if got := after.get("next_run_configuration_exists") == "true"; got != waits {
			t.Errorf("%s: waits for the next start: %t", body, got)
		}
		if got := sameConfig(before, after); got != waits {
			t.Errorf("%s: the running VM is the same: %t", body, got)
		}
		if waits { // until the next one
			c.do("POST", vm+"/stop", "<action/>", 200)
			c.e.Advance(time.Minute)
			c.do("POST", vm+"/start", "<action/>", 200)
			c.e.Advance(2 * time.Minute)
		}
	}
}

// TestWholeCluster sends a cluster as it was read, as some clients do where a
// reference would do.
func TestWholeCluster(t *testing.T) {
	c := start(t, Small())
	vm := c.running()
	from := c.get(vm).refID("host")
	cluster := c.get("/clusters/"+c.id("clusters", "Default")).without("actions", "link")
	var b bytes.Buffer
	cluster.xml(&b)
	c.do("POST", vm+"/migrate", "<action>"+b.String()+"</action>", 200)
	c.e.Advance(time.Minute)
	if c.get(vm).refID("host") == from {
		t.Error("the VM is where it was")
	}
}
