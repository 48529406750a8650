package inventory

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nactl/nactl/engine/diag"
)

// What an engine says of its guests goes before what is said of all, key by key,
// in whatever order the files stand.
func TestGuestsOfAnEngine(t *testing.T) {
	const engine = `url: https://e.example/ovirt-engine/api, username: u@internal, password: {secret: {env: P}}`
	dir := unpack(t, "-- 1.yml --\nengines:\n"+
		"  own: {"+engine+", guests: {user: root, become: none, host_key: strict, known_hosts: kh, connect_timeout: 5s, keepalive: 9s, keepalive_count: 2}}\n"+
		"  plain: {"+engine+"}\n"+
		"-- 2.yml --\nguests: {user: admin, port: 2200, identity_file: [id, ~/x], identities_only: true, agent: none, ssh_config: cfg, jump: [gate], become: sudo, host_key: accept_new}\n"+
		"-- 3/only.yml --\nengines:\n  e: {"+engine+", guests: {}}\n  f: {"+engine+"}\n")
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "1.yml"), filepath.Join(dir, "2.yml")}, Options{Env: noEnv})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	plain := Guests{User: "admin", Port: 2200, IdentityFiles: []string{filepath.Join(dir, "id"), resolvePath(dir, "~/x")}, IdentitiesOnly: true,
		Agent: "none", SSHConfig: filepath.Join(dir, "cfg"), Jump: []string{"gate"}, Become: "sudo", AcceptNew: true}
	own := plain
	own.User, own.Become, own.AcceptNew, own.KnownHosts = "root", "", false, []string{filepath.Join(dir, "kh")}
	own.ConnectTimeout, own.KeepAlive, own.KeepAliveCount = 5*time.Second, 9*time.Second, 2
	for i, want := range []Guests{own, plain} {
		if diff := cmp.Diff(&want, inv.Engines[i].Guests, cmpopts.IgnoreTypes(diag.Range{})); diff != "" {
			t.Errorf("engine %s: -want +got:\n%s", inv.Engines[i].Name, diff)
		}
	}
	if at := inv.Engines[0].Guests.Range.Pos; filepath.Base(at.File) != "1.yml" || at.Line != 2 {
		t.Errorf("the engine's own section stands at %s", at)
	}

	if inv, list = Load(context.Background(), []string{filepath.Join(dir, "3")}, Options{Env: noEnv}); list.Err() != nil {
		t.Fatal(list.Err())
	}
	if inv.Engines[0].Guests == nil || inv.Engines[1].Guests != nil {
		t.Errorf("with a section that is empty, and with none: %v, %v", inv.Engines[0].Guests, inv.Engines[1].Guests)
	}
}

// How an engine's hosts are logged in to stands in its own entry alone, and is shown
// as it was read.
func TestHostsOfAnEngine(t *testing.T) {
	const engine = `url: https://e.example/ovirt-engine/api, username: u@internal, password: {secret: {env: P}}`
	dir := unpack(t, "-- 1.yml --\nengines:\n  a: {"+engine+", hosts: {user: root, port: 2200, jump: [gate], host_key: accept_new}}\n  b: {"+engine+"}\nguests: {user: admin}\n")
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "1.yml")}, Options{Env: noEnv})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	want := Guests{User: "root", Port: 2200, Jump: []string{"gate"}, AcceptNew: true}
	if diff := cmp.Diff(&want, inv.Engines[0].Hosts, cmpopts.IgnoreTypes(diag.Range{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if inv.Engines[1].Hosts != nil {
		t.Errorf("the other one has %+v", inv.Engines[1].Hosts)
	}
	doc, _ := inv.Document()
	if text := fmt.Sprint(doc); !strings.Contains(text, "hosts") || !strings.Contains(text, "gate") {
		t.Errorf("shown as %s", text)
	}
	wrong := unpack(t, "-- 1.yml --\nengines:\n  a: {"+engine+", hosts: {usr: root, jump: [\"a b\"]}}\n")
	if _, list := Load(context.Background(), []string{filepath.Join(wrong, "1.yml")}, Options{Env: noEnv}); !strings.Contains(list.Err().Error(), "hosts of") {
		t.Errorf("%v", list.Err())
	}
}
