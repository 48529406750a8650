package ovirtsim

import (
	"strings"
	"testing"
)

const (
	xmlType  = "application/xml"
	jsonType = "application/json"
)

// What a real engine's readers refuse is refused in its words, and what they
// would pass over in silence as well: it is a client's mistake.
func TestMalformedBodies(t *testing.T) {
	const (
		incorrect = "Request syntactically incorrect."
		web       = `<name>web1</name><cluster><name>Default</name></cluster><template><name>Blank</name></template>`
		webJSON   = `"name":"web1","cluster":{"name":"Default"},"template":{"name":"Blank"}`
	)
	c := start(t, Options{})
	vm := c.create("Blank", "", "", 201)
	for _, tt := range []struct {
		name, method, path, form, body string
		status                         int
		reason, detail                 string // detail empty: where the usage is told
	}{
		{"nothing", "POST", "/vms", xmlType, "", 400, incorrect, ""},
		{"cut off", "POST", "/vms", xmlType, "<vm><name>web1</name>", 400, incorrect, ""},
		{"two documents", "POST", "/vms", xmlType, "<vm>" + web + "</vm><vm/>", 400, incorrect, ""},
		{"text behind it", "POST", "/vms", xmlType, "<vm>" + web + "</vm>x", 400, incorrect, ""},
		{"another element", "POST", "/vms", xmlType, "<host><name>x</name></host>", 400, incorrect, ""},
		{"an element of another namespace", "POST", "/vms", xmlType, `<vm xmlns="urn:x">` + web + `</vm>`, 400, incorrect, ""},
		{"an unknown child", "POST", "/vms", xmlType, "<vm>" + web + "<flavour>mild</flavour></vm>", 400, incorrect, ""},
		{"an unknown child far below", "POST", "/vms", xmlType, "<vm>" + web + "<cpu><topology><dies>1</dies></topology></cpu></vm>", 400, incorrect, ""},
		{"an unknown attribute", "POST", "/vms", xmlType, `<vm colour="red">` + web + `</vm>`, 400, incorrect, ""},
		{"text beside children", "POST", "/vms", xmlType, "<vm>please" + web + "</vm>", 400, incorrect, ""},
		{"children in a text", "POST", "/vms", xmlType, "<vm>" + web + "<comment><b>x</b></comment></vm>", 400, incorrect, ""},
		{"an unescaped sign", "POST", "/vms", xmlType, "<vm>" + web + "<comment>a&b</comment></vm>", 400, incorrect, ""},
		{"an entity", "POST", "/vms", xmlType, `<!DOCTYPE vm [<!ENTITY a "b">]><vm>` + web + `<comment>&a;</comment></vm>`, 400, incorrect, ""},
		{"a number that is none", "POST", "/vms", xmlType, "<vm>" + web + "<memory>1GiB</memory></vm>", 400, incorrect, ""},
		{"no number", "POST", "/vms", xmlType, "<vm>" + web + "<memory/></vm>", 400, incorrect, ""},
		{"too large a number", "POST", "/vms", xmlType, "<vm>" + web + "<memory>99999999999999999999</memory></vm>", 400, incorrect, ""},
		{"a boolean that is none", "POST", "/vms", xmlType, "<vm>" + web + "<stateless>maybe</stateless></vm>", 400, incorrect, ""},
		{"no member of an enum", "POST", "/vms", xmlType, "<vm>" + web + "<type>toaster</type></vm>", 400, "Invalid value", "toaster is not a member of Type"},
		{"a malformed id", "POST", "/vms", xmlType, `<vm><name>web1</name><cluster id="x"/><template><name>Blank</name></template></vm>`, 400, "Operation failed", "Invalid UUID string: x"},
		{"a mandatory element missing", "POST", "/vms", xmlType, "<vm><cluster><name>Default</name></cluster></vm>", 400, "Incomplete parameters", "Vm [name] required for add"},
		{"a cluster that is not there", "POST", "/vms", xmlType, strings.Replace("<vm>"+web+"</vm>", "Default", "x", 1), 404, "Operation Failed", "Entity not found: Cluster: name=x"},
		{"an update of another kind", "PUT", vm, xmlType, "<nic/>", 400, incorrect, ""},
		{"another id", "PUT", vm, xmlType, `<vm id="` + blankID + `"/>`, 409, "Broken immutability constraint", "Attempt to set immutable field: id"},
		{"an action that is none", "POST", vm + "/start", xmlType, "<vm/>", 400, incorrect, ""},
		{"an action with nothing", "POST", vm + "/start", xmlType, "", 400, incorrect, ""},
		{"an unknown parameter of an action", "POST", vm + "/start", xmlType, "<action><gently>true</gently></action>", 400, incorrect, ""},

		{"JSON: nothing", "POST", "/vms", jsonType, "", 400, incorrect, ""},
		{"JSON: cut off", "POST", "/vms", jsonType, `{"name":"web1"`, 400, incorrect, ""},
		{"JSON: two documents", "POST", "/vms", jsonType, `{` + webJSON + `}{}`, 400, incorrect, ""},
		{"JSON: no object", "POST", "/vms", jsonType, `["web1"]`, 400, incorrect, ""},
		{"JSON: an unknown property", "POST", "/vms", jsonType, `{` + webJSON + `,"flavour":"mild"}`, 400, incorrect, ""},
		{"JSON: an object for a text", "POST", "/vms", jsonType, `{` + webJSON + `,"comment":{"a":"b"}}`, 400, incorrect, ""},
		{"JSON: a text for an object", "POST", "/vms", jsonType, `{` + webJSON + `,"cpu":"two"}`, 400, incorrect, ""},
		{"JSON: arrays in an array", "POST", "/vms", jsonType, `{` + webJSON + `,"custom_properties":{"custom_property":[[]]}}`, 400, incorrect, ""},
		{"JSON: a number that is none", "POST", "/vms", jsonType, `{` + webJSON + `,"memory":"much"}`, 400, incorrect, ""},
		{"JSON: a broken number", "POST", "/vms", jsonType, `{` + webJSON + `,"memory":1.5}`, 400, incorrect, ""},
		{"JSON: no member of an enum", "POST", "/vms", jsonType, `{` + webJSON + `,"type":"toaster"}`, 400, "Invalid value", "toaster is not a member of Type"},
		{"XML called JSON", "POST", "/vms", jsonType, "<vm>" + web + "</vm>", 400, incorrect, ""},
		{"JSON called XML", "POST", "/vms", xmlType, "{" + webJSON + "}", 400, incorrect, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, text, err := c.raw(tt.method, tt.path, tt.body, "Content-Type", tt.form)
			if err != nil {
				t.Fatal(err)
			}
			x, err := readXML(strings.NewReader(text))
			if err != nil || x.name != "fault" {
				t.Fatalf("%s %q: %v", r.Status, text, err)
			}
			detail := x.get("detail")
			if tt.detail == "" && strings.HasPrefix(detail, "For correct usage, see: https://"+c.e.Addr()+"/ovirt-engine/apidoc#services/") {
				detail = ""
			}
			if r.StatusCode != tt.status || x.get("reason") != tt.reason || detail != tt.detail {
				t.Errorf("%d, %q, %q; want %d, %q, %q", r.StatusCode, x.get("reason"), detail, tt.status, tt.reason, tt.detail)
			}
		})
	}
	if x := c.get("/vms"); len(x.kids) != 1 {
		t.Error("something was made:", x)
	}
}

// Requests that no service takes.
func TestMalformedRequests(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("Blank", "", "", 201)
	for _, tt := range []struct {
		method, path string
		header       []string
		status       int
		says         string // part of the reply
	}{
		{"GET", "/vms", []string{"Version", "3"}, 400, "<html>"},
		{"GET", "/toasters", nil, 404, ""},
		{"GET", vm + "/toasters", nil, 404, ""},
		{"GET", "/vms/x", nil, 400, "Invalid UUID string: x"},
		{"GET", "/vms/" + blankID, nil, 404, ""},
		{"GET", vm + "/start", nil, 405, ""},
		{"POST", vm + "/explode", nil, 404, ""},
		{"PUT", "/vms", nil, 405, ""},
		{"DELETE", "/vms", nil, 405, ""},
		{"POST", "/vms", []string{"Content-Type", "text/plain"}, 415, ""},
		{"GET", "/vms?follow=toasters", nil, 500, "Problem fetching "},
		{"GET", "/vms?search=name%3D", nil, 400, "$"},
		{"GET", "/vms?search=flavour%3Dmild", nil, 400, "flavour"},
		{"GET", "/vms?max=many", nil, 200, "web1"},
		{"GET", "/vms;max=1;case_sensitive=perhaps", nil, 200, "web1"},
		{"GET", "/vms", []string{"Authorization", "Bearer nonsense"}, 401, "<html>"},
		{"GET", "/vms", []string{"Authorization", "Basic nonsense"}, 401, "Unauthorized"},
	} {
		r, text, err := c.raw(tt.method, tt.path, "", tt.header...)
		if err != nil || r.StatusCode != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s %s %v: %v %q %v; want %d with %q", tt.method, tt.path, tt.header, r.Status, text, err, tt.status, tt.says)
		}
	}
}
