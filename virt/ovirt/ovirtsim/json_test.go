package ovirtsim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// Every reply says the same in JSON as in XML: nothing is lost, lists are arrays,
// and all values are strings but dates.
func TestJSONSaysWhatXMLSays(t *testing.T) {
	for name := range recordings {
		dir := filepath.Join("testdata", name)
		c := start(t, Options{Recording: dir})
		b, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		var index []recorded
		if err := json.Unmarshal(b, &index); err != nil {
			t.Fatal(err)
		}
		paths := []string{"", "/vms?follow=nics,disk_attachments.disk,snapshots,reported_devices,host,cluster", "/hosts?follow=nics,network_attachments,statistics"}
		for _, r := range index {
			if r.N == 0 {
				paths = append(paths, strings.TrimPrefix(r.Path, base))
			}
		}
		for _, path := range paths {
			c.sameInJSON(path)
		}
	}
	c := start(t, Load(4, 2))
	for _, path := range []string{"", "/vms?follow=nics,disk_attachments.disk,reported_devices,statistics", "/hosts?follow=nics,network_attachments",
		"/clusters?follow=networks", "/datacenters?follow=storage_domains,networks,clusters", "/templates?follow=disk_attachments,nics",
		"/events", "/instancetypes", "/users", "/vms?all_content=true"} {
		c.sameInJSON(path)
	}
}

func (c *client) sameInJSON(path string) {
	c.t.Helper()
	want := c.get(path)
	_, body, err := c.raw("GET", path, "", "Accept", "application/json")
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := readJSON(strings.NewReader(body), want.name)
	if err != nil {
		c.t.Fatalf("%s: %v", path, err)
	}
	if path == "" { // the time has gone on
		want, got = want.without("time"), got.without("time")
	}
	if d := gocmp.Diff(flatten(sameDates(want), "", nil), flatten(sameDates(got), "", nil)); d != "" {
		c.t.Errorf("%s (-XML +JSON):\n%.2000s", path, d)
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		c.t.Fatal(err)
	}
	c.onlyStrings(path, "", v)
}

// sameDates writes dates as JSON has them.
func sameDates(x *elem) *elem {
	k := *x
	if d, err := time.Parse(dateFormat, x.text); err == nil {
		k.text = strconv.FormatInt(d.UnixMilli(), 10)
	}
	k.kids = nil
	for _, kid := range x.kids {
		k.kids = append(k.kids, sameDates(kid))
	}
	return &k
}

func (c *client) onlyStrings(path, key string, v any) {
	c.t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, kid := range v {
			c.onlyStrings(path, k, kid)
		}
	case []any:
		for _, kid := range v {
			c.onlyStrings(path, key, kid)
		}
	case float64:
		for _, d := range dates {
			if d == key {
				return
			}
		}
		c.t.Errorf("%s: %s is a number", path, key)
	case string:
	default:
		c.t.Errorf("%s: %s is %T", path, key, v)
	}
}

// What is sent in JSON is understood as its XML is.
func TestJSONIsRead(t *testing.T) {
	c := start(t, Options{})
	post := func(path, body string, status int) {
		t.Helper()
		r, text, err := c.raw("POST", path, body, "Content-Type", "application/json; charset=utf-8")
		if err != nil || r.StatusCode != status {
			t.Fatal(path, r, text, err)
		}
	}
	post("/vms", `{"name":"web1","memory":2147483648,"cluster":{"name":"Default"},"template":{"name":"Blank"},"delete_protected":"true",
		"os":{"boot":{"devices":{"device":["network","hd"]}}},"cpu":{"topology":{"sockets":"2","cores":1,"threads":1}},
		"custom_properties":{"custom_property":[{"name":"a","value":"1"},{"name":"b","value":"<&>"}]},"comment":null}`, 201)
	vm := "/vms/" + c.id("vms", "web1")
	x := c.get(vm)
	var devices []string
	for _, d := range x.list("os/boot/devices") {
		devices = append(devices, d.text)
	}
	if x.get("memory") != "2147483648" || x.get("cpu/topology/sockets") != "2" || x.get("delete_protected") != "true" ||
		strings.Join(devices, " ") != "network hd" || len(x.list("custom_properties")) != 2 || x.list("custom_properties")[1].get("value") != "<&>" {
		t.Error(x)
	}
	post(vm+"/nics", `{"name":"nic1","vnic_profile":{"id":"`+c.id("vnicprofiles", management)+`"}}`, 201)
	post(vm+"/start", `{"pause":true}`, 200)
	if r, text, err := c.raw("POST", vm+"/start", `{}`, "Content-Type", "application/json", "Accept", "application/json"); err != nil || r.StatusCode != 409 ||
		!strings.HasPrefix(text, `{"fault":{"detail":"[Cannot run VM. VM is running.]"`) || !strings.HasSuffix(text, `"status":"failed"}`) {
		t.Error(text, err)
	}
}
