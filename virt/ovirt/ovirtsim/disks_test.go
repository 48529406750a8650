package ovirtsim

import (
	"strings"
	"testing"
	"time"
)

func diskXML(size, format, more string) string {
	return "<disk_attachment><active>true</active><bootable>false</bootable><interface>virtio</interface><disk><name>d0</name>" +
		"<format>" + format + "</format><provisioned_size>" + size + "</provisioned_size>" + more + "</disk></disk_attachment>"
}

const onData = "<storage_domains><storage_domain><name>data</name></storage_domain></storage_domains>"

func TestDisks(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	atts := vm + "/diskattachments"
	free := c.get("/storagedomains/" + c.id("storagedomains", "data")).int("available")
	a := c.do("POST", atts, diskXML("1073741824", "cow", onData), 202)
	disk := "/disks/" + a.id
	c.status(disk, "locked")
	if a.get("active") != "false" || a.refID("disk") != a.id {
		t.Error("plugged before it was made:", a)
	}
	c.refused("PUT", disk, "<disk><provisioned_size>2147483648</provisioned_size></disk>", 409,
		"[Cannot edit Virtual Disk: The following disks are locked: d0. Please try again in a few minutes.]")
	c.e.Advance(3 * time.Second)
	c.status(disk, "ok")
	if x := c.get(atts + "/" + a.id); x.get("active") != "true" {
		t.Error("not hot-plugged:", x)
	}
	if got := c.get("/storagedomains/" + c.id("storagedomains", "data")).int("available"); got != free-1<<30 {
		t.Errorf("free space %d, was %d", got, free)
	}
	c.refused("PUT", disk, "<disk><provisioned_size>1048576</provisioned_size></disk>", 400,
		"[Cannot edit Virtual Disk. New disk size must be larger than the current disk size.]")
	c.do("PUT", atts+"/"+a.id, "<disk_attachment><disk><provisioned_size>2147483648</provisioned_size></disk></disk_attachment>", 200)
	x := c.get(disk)
	if x.get("provisioned_size") != "1073741824" || x.get("status") != "locked" {
		t.Error("while it grows:", x)
	}
	c.e.Advance(2 * time.Second)
	if x = c.get(disk); x.get("provisioned_size") != "2147483648" || x.get("status") != "ok" {
		t.Error("after it grew:", x)
	}
	c.refused("PUT", atts+"/"+a.id, "<disk_attachment><interface>sata</interface></disk_attachment>", 409, "[Cannot edit Virtual Disk. At least one of the VMs is not down.]")
	c.refused("DELETE", disk, "", 409, "[Cannot remove Virtual Disk. The disk d0 is plugged to non-Down VMs: web1]")
	c.do("DELETE", atts+"/"+a.id, "", 200)
	c.status(disk, "ok")
	c.do("POST", atts, `<disk_attachment><interface>virtio</interface><active>true</active><disk id="`+a.id+`"/></disk_attachment>`, 201)
	c.refused("POST", atts, `<disk_attachment><interface>virtio</interface><disk id="`+a.id+`"/></disk_attachment>`, 409,
		"[Cannot attach Virtual Disk. The disk is already attached to VM.]")
	c.do("PUT", atts+"/"+a.id, "<disk_attachment><active>false</active></disk_attachment>", 200)
	c.do("DELETE", atts+"/"+a.id+"?detach_only=false", "", 200)
	c.do("GET", atts+"/"+a.id, "", 404)
	c.refused("DELETE", disk, "", 409, "[Cannot remove Virtual Disk. Disk d0 is being removed.]")
	c.e.Advance(2 * time.Second)
	c.do("GET", disk, "", 404)
}

func TestDiskRefusals(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	atts := vm + "/diskattachments"
	for _, tt := range []struct {
		name, body string
		status     int
		detail     string
	}{
		{"no size", "<disk_attachment><interface>virtio</interface><disk><format>cow</format></disk></disk_attachment>", 400, "Disk [provisionedSize|size] required for add"},
		{"no interface", "<disk_attachment><disk/></disk_attachment>", 400, "DiskAttachment [interface] required for add"},
		{"no domain", diskXML("1", "cow", ""), 400, "[Cannot add Virtual Disk. Storage Domain wasn't provided.]"},
		{"unknown domain", diskXML("1", "cow", strings.Replace(onData, "data", "x", 1)), 400, "[Cannot add Virtual Disk. Storage Domain doesn't exist.]"},
		{"sparse raw on block", diskXML("1", "raw", strings.Replace(onData, "data<", "block<", 1)+"<sparse>true</sparse>"), 409,
			"[Cannot add Virtual Disk. Disk configuration (RAW Sparse backup-None) is incompatible with the storage domain type.]"},
		{"no space", diskXML("1099511627776", "cow", onData), 409, "[Cannot add Virtual Disk. Low disk space on Storage Domain data.]"},
		{"second boot disk", strings.Replace(diskXML("1", "cow", onData), "<bootable>false", "<bootable>true", 1), 409,
			"[Cannot add Virtual Disk. Disk web1_Disk1 in VM web1 is already marked as boot.]"},
		{"ide hot plug", strings.Replace(diskXML("1", "cow", onData), "virtio", "ide", 1), 400,
			"[Cannot hot plug d0 to web1. Hot plugging a disk to an IDE interface is not supported.]"},
	} {
		t.Run(tt.name, func(t *testing.T) { c.refused("POST", atts, tt.body, tt.status, tt.detail) })
	}
	c.e.FailHotPlug("web1")
	a := c.do("POST", atts, diskXML("1073741824", "cow", onData), 202)
	c.e.Advance(time.Minute)
	if x := c.get(atts + "/" + a.id); x.get("active") != "false" {
		t.Error("plugged in spite of the failure:", x)
	}
	c.refused("PUT", atts+"/"+a.id, "<disk_attachment><active>true</active></disk_attachment>", 400, "[Failed to hot-plug disk]")
}

func TestNICs(t *testing.T) {
	c := start(t, Options{})
	vm := c.running()
	nics := vm + "/nics"
	profile := c.id("vnicprofiles", management)
	n := c.do("POST", nics, `<nic><name>nic2</name><vnic_profile id="`+profile+`"/></nic>`, 201)
	if n.get("interface") != "virtio" || n.get("linked") != "true" || n.get("plugged") != "true" || n.get("mac/address") == "" {
		t.Error(n)
	}
	net := c.do("POST", "/networks", "<network><name>lonely</name><data_center><name>Default</name></data_center></network>", 201)
	lonely := c.get("/networks/" + net.id + "/vnicprofiles").kids[0].id
	for _, tt := range []struct {
		body   string
		status int
		detail string
	}{
		{"<nic/>", 400, "Nic [name] required for add"},
		{"<nic><name>nic2</name></nic>", 409, "[Network interface name is already in use]"},
		{"<nic><name>n</name><mac><address>" + n.get("mac/address") + "</address></mac></nic>", 409, "[MAC Address " + n.get("mac/address") + " is already in use by VM or snapshot: web1.]"},
		{`<nic><name>n</name><vnic_profile id="` + blankID + `"/></nic>`, 400, "[Cannot add Interface. The specified VM network interface profile doesn't exist.]"},
		{`<nic><name>n</name><vnic_profile id="` + lonely + `"/></nic>`, 409, "[The specified Logical Network doesn't exist in the current Cluster.]"},
	} {
		c.refused("POST", nics, tt.body, tt.status, tt.detail)
	}
	path := nics + "/" + n.id
	c.refused("DELETE", path, "", 409, "[Cannot remove Interface. The VM Network Interface is plugged to a running VM.]")
	c.do("PUT", path, "<nic><linked>false</linked></nic>", 200)
	c.do("POST", path+"/deactivate", "<action/>", 200)
	c.do("DELETE", path, "", 200)
	c.do("POST", vm+"/suspend", "<action/>", 202)
	c.e.Advance(time.Minute)
	c.refused("POST", nics, "<nic><name>n</name></nic>", 409, "[Cannot add a Network Interface when VM is not Down, Up or Image-Locked.]")
}
