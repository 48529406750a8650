package inventory

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nactl/nactl/engine/diag"
)

const everything = `
-- inventory.yml --
engines:
  e1: {url: "https://e1.example/ovirt-engine/api", username: a@internal, password: {secret: {env: E1}}, ca_file: ca.pem, timeout: 90s, vars: {a: 1}}
  e2:
    url: https://e2.example/ovirt-engine/api
    username: a@internal
    password: {secret: {file: pw}}
    insecure: true
    guests: {user: root, become: none, host_key: strict, identities_only: false}
nodes:
  z[01:03]: {address: "10.0.0.[1:3]", port: 2222, user: root, identity_file: [~/.ssh/a, key], identities_only: true, agent: none, known_hosts: kh,
    host_key_alias: z, ssh_config: none, jump: [a, "me@gate:22"], become: sudo, socket: /run/x, accel: kvm, migration_address: 10.1.0.1, maintenance: true,
    connect_timeout: 5s, keepalive: 1m30s, keepalive_count: 7}
  a: {jump: [], ssh_config: conf, vars: {token: {secret: {command: [pass, x]}}, deep: {list: [1, 2.5, true, null, "5", "{{ x }}"]}}}
  local: {uri: "test:///default"}
  remote: {uri: "qemu+ssh://root@host/system"}
clusters:
  kvm: {nodes: ["z[01:03]"], shared_pools: [s], vars: {b: 2}}
images:
  i1: {engines: {template: t}, nodes: {volume: default/x.qcow2}, targets: {a: {file: x.img}, web: {url: "https://x/y.img"}}}
guests: {user: u, port: 23, identity_file: g, identities_only: true, become: sudo, host_key: accept_new, jump: [a], known_hosts: gk, connect_timeout: 4s}
groups:
  all: {vars: {who: all}}
  web: {members: [a, kvm], vars: {who: web}}
  both: {children: [web], members: ["z0*", e1], vars: {who: both, both: 1}}
-- group_vars/all.yml --
file: all
-- group_vars/both.yml --
who: file-both
`

// TestDocument reads what Document gives as a dynamic inventory, and finds the same
// again.
func TestDocument(t *testing.T) {
	dir := unpack(t, everything)
	load := func(path string) *Inventory {
		t.Helper()
		inv, list := Load(context.Background(), []string{path}, Options{Env: noEnv})
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		return inv
	}
	first := load(filepath.Join(dir, "inventory.yml"))
	doc, omitted := first.Document()
	if len(omitted) != 0 {
		t.Errorf("omitted %v", omitted)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "dynamic")
	if err := os.WriteFile(script, append([]byte("#!/bin/sh\ncat <<'END'\n"), append(text, "\nEND\n"...)...), 0o700); err != nil {
		t.Fatal(err)
	}
	second := load(script)

	// A group's variables have become those of its targets.
	same := cmp.Options{
		cmp.Transformer("range", func(diag.Range) int { return 0 }),
		cmpopts.IgnoreUnexported(Inventory{}, Group{}),
		cmpopts.IgnoreFields(Inventory{}, "Files"),
		cmp.Comparer(func(a, b *Secret) bool {
			return a == b || a != nil && b != nil && a.env == b.env && a.file == b.file && reflect.DeepEqual(a.command, b.command) && a.literal == b.literal
		}),
	}
	if diff := cmp.Diff(first, second, same); diff != "" {
		t.Errorf("-written +read again:\n%s\n%s", diff, text)
	}
	for _, target := range first.All() {
		again := mustTarget(t, second, target.Name)
		if diff := cmp.Diff(target.Groups, again.Groups); diff != "" {
			t.Errorf("groups of %s: %s", target.Name, diff)
		}
		if !slices.Equal(target.Vars.Names(), again.Vars.Names()) {
			t.Errorf("variables of %s: %v, want %v", target.Name, again.Vars.Names(), target.Vars.Names())
		}
		for name, n := range target.Vars.Nodes() {
			if diff := cmp.Diff(n.Any(), again.Vars.Nodes()[name].Any()); diff != "" {
				t.Errorf("%s of %s: %s", name, target.Name, diff)
			}
		}
	}
	if !slices.Equal(first.Names(), second.Names()) {
		t.Errorf("order: %v, want %v", second.Names(), first.Names())
	}
	again, _ := second.Document()
	more, _ := json.Marshal(again)
	if string(more) != string(text) {
		t.Errorf("not the same again:\n%s\n%s", text, more)
	}
}

func TestDocumentHidesSecrets(t *testing.T) {
	dir := unpack(t, `
-- inventory.yml --
engines: {e1: {url: "https://e1.example/ovirt-engine/api", username: a, password: plain-hunter2}}
`)
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "inventory.yml")}, Options{Env: noEnv})
	if list.HasErrors() {
		t.Fatal(list)
	}
	doc, omitted := inv.Document()
	text, _ := json.Marshal(doc)
	if diff := cmp.Diff([]string{"e1.password"}, omitted); diff != "" || string(text) != `{"engines":{"e1":{"url":"https://e1.example/ovirt-engine/api","username":"a","password":"***"}}}` {
		t.Errorf("%s %s", text, diff)
	}
}
