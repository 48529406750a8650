package inventory

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// unpack writes an archive of files to a directory. A file whose text starts
// with #! becomes executable.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(string(f.Data), "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load reads one inventory file, which must hold no error.
func load(t *testing.T, text string) *Inventory {
	t.Helper()
	dir := unpack(t, "-- inventory.yml --\n"+text)
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "inventory.yml")}, Options{Env: noEnv})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return inv
}

// say gives diagnostics one a line, with dir left out.
func say(list diag.List, dir string) []string {
	var out []string
	for _, d := range list {
		s := strings.ReplaceAll(d.Error(), dir+"/", "")
		if d.Severity == diag.Warning {
			s = "warning: " + s
		}
		out = append(out, s)
	}
	return out
}

func names(targets []Target) string {
	var out []string
	for _, t := range targets {
		out = append(out, t.Name)
	}
	return strings.Join(out, " ")
}

const everyKey = `
engines:
  e15-test: {url: https://engine.example/ovirt-engine/api, username: svc@internal, password: {secret: {env: E15_PASSWORD}}, ca_file: e15.pem, timeout: 2m}
nodes:
  node[01:03]: {address: "10.0.0.[1:3]", port: 2222, user: root, identity_file: ~/.ssh/id_ed25519, known_hosts: [kh, /etc/kh], jump: [bastion, "kim@10.0.0.254:23"],
    become: sudo, socket: /run/libvirt/libvirt-sock, accel: qemu, maintenance: true, connect_timeout: 5s, keepalive: 10s, keepalive_count: 2,
    identities_only: true, agent: none, host_key_alias: "alias-[1:3]", ssh_config: none, vars: {rack: "[1:3]"}}
  old: {uri: "qemu+ssh://root@10.0.0.99/system"}
  here: {uri: "qemu:///system"}
  bare:
clusters:
  kvm-a: {nodes: ["node[01:02]", node03], placement: most_free_memory, shared_pools: [shared], vars: {storage: shared}}
images:
  debian-12:
    engines: {template: debian-12-cloud}
    nodes: {volume: default/debian-12.qcow2}
    targets: {here: {file: images/d12.qcow2}, lab: {url: https://images.example/d12.qcow2}}
guests: {user: admin, port: 2200, identity_file: id, become: sudo, host_key: accept_new}
groups:
  all: {vars: {storage: local}}
  kvm: {members: [kvm-a, here], vars: {storage: default}}
  lab: {members: [old]}
  prod: {members: [e15-test], children: [kvm]}
`

func TestLoadEveryKey(t *testing.T) {
	inv := load(t, everyKey)
	dir := filepath.Dir(inv.Files[0])
	home, _ := os.UserHomeDir()
	ignore := cmp.Options{cmpopts.IgnoreTypes(diag.Range{}), cmpopts.IgnoreUnexported(Secret{})}
	if diff := cmp.Diff([]*Engine{{Name: "e15-test", URL: "https://engine.example/ovirt-engine/api", Username: "svc@internal",
		Password: &Secret{}, CAFile: filepath.Join(dir, "e15.pem"), Timeout: 2 * time.Minute, Guests: &inv.Guests}}, inv.Engines, ignore); diff != "" {
		t.Errorf("engines: -want +got:\n%s", diff)
	}
	if got := inv.Engines[0].Password.String(); got != "environment variable E15_PASSWORD" {
		t.Errorf("password: %s", got)
	}
	node := func(name, address, alias string) *Node {
		return &Node{Name: name, Address: address, Port: 2222, User: "root", IdentityFiles: []string{filepath.Join(home, ".ssh/id_ed25519")},
			KnownHosts: []string{filepath.Join(dir, "kh"), "/etc/kh"}, Jump: []string{"bastion", "kim@10.0.0.254:23"}, Become: "sudo",
			Socket: "/run/libvirt/libvirt-sock", Accel: "qemu", Maintenance: true, ConnectTimeout: 5 * time.Second, KeepAlive: 10 * time.Second,
			KeepAliveCount: 2, IdentitiesOnly: true, Agent: "none", HostKeyAlias: alias, SSHConfig: "none", Cluster: "kvm-a"}
	}
	members := []*Node{node("node01", "10.0.0.1", "alias-1"), node("node02", "10.0.0.2", "alias-2"), node("node03", "10.0.0.3", "alias-3")}
	want := append(members, &Node{Name: "old", URI: "qemu+ssh://root@10.0.0.99/system"}, &Node{Name: "here", URI: "qemu:///system"}, &Node{Name: "bare", Address: "bare"})
	if diff := cmp.Diff(want, inv.Nodes, ignore); diff != "" {
		t.Errorf("nodes: -want +got:\n%s", diff)
	}
	if inv.Nodes[3].Local() || !inv.Nodes[4].Local() || inv.Nodes[5].Local() {
		t.Error("only the node here is this machine")
	}
	if diff := cmp.Diff([]*Cluster{{Name: "kvm-a", Nodes: members, Placement: PlaceMostFreeMemory, SharedPools: []string{"shared"}}}, inv.Clusters, ignore); diff != "" {
		t.Errorf("clusters: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(Guests{User: "admin", Port: 2200, IdentityFiles: []string{filepath.Join(dir, "id")}, Become: "sudo", AcceptNew: true}, inv.Guests, ignore); diff != "" {
		t.Errorf("guests: -want +got:\n%s", diff)
	}
	if got := strings.Join(inv.Names(), " "); got != "e15-test node01 node02 node03 old here bare kvm-a" {
		t.Errorf("order: %s", got)
	}
	if got := strings.Join(inv.Group("prod").Targets, " "); got != "e15-test here kvm-a" {
		t.Errorf("prod: %s", got)
	}
	target, _ := inv.Target("here")
	if diff := cmp.Diff([]string{"kvm", "prod"}, target.Groups); diff != "" {
		t.Error(diff)
	}
	if v, _ := mustTarget(t, inv, "node02").Vars.Get("rack"); v.Value.Str != "[1:3]" {
		t.Errorf("variables are no ranges: %q", v.Value.Str)
	}
}

func mustTarget(t *testing.T, inv *Inventory, name string) Target {
	t.Helper()
	target, ok := inv.Target(name)
	if !ok {
		t.Fatalf("no target %s", name)
	}
	return target
}

func TestImages(t *testing.T) {
	inv := load(t, everyKey)
	dir := filepath.Dir(inv.Files[0])
	tests := []struct {
		image, target string
		want          virt.ImageSource
		err           string
	}{
		{"debian-12", "e15-test", virt.ImageSource{Name: "debian-12", Template: "debian-12-cloud"}, ""},
		{"debian-12", "kvm-a", virt.ImageSource{Name: "debian-12", Storage: "default", Volume: "debian-12.qcow2"}, ""},
		{"debian-12", "here", virt.ImageSource{Name: "debian-12", File: filepath.Join(dir, "images/d12.qcow2")}, ""},
		{"debian-12", "old", virt.ImageSource{Name: "debian-12", URL: "https://images.example/d12.qcow2"}, ""},
		{"debain-12", "here", virt.ImageSource{}, `the inventory has no image "debain-12", did you mean "debian-12"?`},
		{"debian-12", "hree", virt.ImageSource{}, `the inventory has no target "hree", did you mean "here"?`},
	}
	for _, tt := range tests {
		got, err := inv.Image(tt.image, tt.target)
		if got != tt.want || (err == nil) != (tt.err == "") || (err != nil && err.Error() != tt.err) {
			t.Errorf("%s on %s: %+v, %v", tt.image, tt.target, got, err)
		}
	}
	inv = load(t, "nodes: {n1: {}}\nimages: {x: {engines: {template: y}}}")
	if _, err := inv.Image("x", "n1"); err == nil || !strings.Contains(err.Error(), "inventory.yml:2:10) has nothing for node n1: add nodes: with a volume, url or file") {
		t.Errorf("%v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown section", "node: {}", []string{`1:1: unknown key "node" in the inventory, did you mean "nodes"?`}},
		{"Ansible's all", "all: {hosts: {}}", []string{`1:1: unknown key "all" in the inventory: variables of all targets stand in groups: {all: {vars: …}}; hosts of an Ansible inventory stand in nodes`}},
		{"unknown key", "nodes: {n1: {adress: x}}", []string{`1:14: unknown key "adress" in node n1, did you mean "address"?`}},
		{"no mapping", "nodes: [n1]", []string{"1:8: nodes of the inventory must be a mapping, not a list"}},
		{"all at once", "nodes:\n  n1: {port: x}\n  n2: {port: 99999}\n  n3: {maintenance: yes}\n  n4: {keepalive: 10}\n  n5: {become: su}\n  n6: {user: [a]}", []string{
			"2:14: port of node n1 must be a whole number, not a string", "3:14: port of node n2 must be between 1 and 65535",
			"4:21: maintenance of node n3 must be true or false (write true), not a string", "5:19: keepalive of node n4 needs a unit: 10s or 10m",
			`6:16: become of node n5 must be sudo, not "su"`, "7:14: user of node n6 must be a text, not a list"}},
		{"bad duration", "nodes: {n1: {keepalive: fast}}", []string{`1:25: keepalive of node n1 must be a duration such as 90s or 10m, not "fast"`}},
		{"expression", `nodes: {n1: {address: "{{ x }}"}}`, []string{"1:23: address of node n1 is read before expressions are: {{ }} is not possible here"}},
		{"bad name", "nodes: {-x: {}}", []string{`1:9: node "-x": a name is made of letters, digits, _, - and ., and starts with none of the last two`}},
		{"all as a name", "nodes: {all: {}}", []string{`1:9: node "all": "all" always means all targets`}},
		{"members as a name", "nodes: {a.members: {}}", []string{`1:9: node "a.members": ".members" at the end of a name means a cluster's members`}},
		{"names of two kinds", "nodes: {x: {}}\nclusters: {x: {nodes: [x]}}", []string{`2:12: cluster "x": a node of that name stands at inventory.yml:1:9`}},
		{"a group named as a node", "nodes: {x: {}}\ngroups: {x: {}}", []string{`2:10: group "x": a node of that name stands at inventory.yml:1:9`}},
		{"range twice", "nodes:\n  n[1:2]: {}\n  n2: {}", []string{`3:3: node "n2": a node of that name stands at inventory.yml:2:3`}},
		{"ranges out of step", `nodes: {"n[1:3]": {address: "10.0.0.[1:4]"}}`, []string{`1:29: "10.0.0.[1:4]" stands for 4 words, the name of the entry for 3: they must go in step`}},
		{"a mistake in a range is said once", "nodes: {\"n[1:3]\": {port: x}}\nclusters: {c: {nodes: [\"n[1:3]\"]}}", []string{"1:26: port of node n1 must be a whole number, not a string"}},
		{"range in a single entry", `nodes: {n1: {address: "10.0.0.[1:4]"}}`, nil},
		{"range backwards", `nodes: {"n[3:1]": {}}`, []string{"1:9: the range [3:1] runs backwards"}},
		{"range of unequal width", `nodes: {"n[01:100]": {}}`, []string{"1:9: both ends of the range [01:100] need the same number of digits"}},
		{"endless range", `nodes: {"n[1:99999999]": {}}`, []string{"1:9: the range [1:99999999] stands for more than 10000 names"}},
		{"endless product of ranges", `nodes: {"n[1:999][1:999]": {}}`, []string{`1:9: "n[1:999][1:999]" stands for more than 10000 names`}},
		{"URI without checks", "nodes: {n1: {uri: 'qemu+ssh://h/system?no_verify=1'}}", []string{"1:19: uri of node n1: no_verify switches off the check of the host's key, and is refused: add the key to known_hosts"}},
		{"URI that ignores known_hosts", "nodes: {n1: {uri: 'qemu+libssh2://h/system?known_hosts_verify=ignore'}}", []string{"1:19: uri of node n1: known_hosts_verify switches off the check of the host's key, and is refused: add the key to known_hosts"}},
		{"URI with a password", "nodes: {n1: {uri: 'qemu+ssh://u:p@h/system'}}", []string{"1:19: uri of node n1: a password in a URI ends up in logs and process lists: use a key or the agent"}},
		{"URI by TLS", "nodes: {n1: {uri: 'qemu+tls://h/system'}}", []string{`1:19: uri of node n1: the transport "tls" is not supported: use ssh`}},
		{"URI with a host and no transport", "nodes: {n1: {uri: 'qemu://h/system'}}", []string{"1:19: uri of node n1: it names a host but no transport: write qemu+ssh://h/system"}},
		{"no URI", "nodes: {n1: {uri: h1}}", []string{`1:19: uri of node n1: "h1" is no libvirt URI such as qemu+ssh://root@host/system or qemu:///system`}},
		{"URI of the test driver", "nodes: {n1: {uri: 'test:///default'}, n2: {uri: 'qemu+unix:///system?socket=/x'}}", nil},
		{"host said twice", "nodes: {n1: {uri: 'qemu+ssh://h/system', address: h}}", []string{"1:51: node n1 has address and a URI that names the host: say it once"}},
		{"jump to itself", "nodes: {n1: {jump: n2}, n2: {jump: n1}}", []string{"1:9: node n1 is reached by a jump through itself", "1:25: node n2 is reached by a jump through itself"}},
		{"no host to jump to", "nodes: {n1: {jump: 'kim@'}}", []string{`1:20: jump of node n1: "kim@" is neither a node nor [USER@]HOST[:PORT]`}},
		{"engine without anything", "engines: {e: {}}", []string{"1:11: engine e needs url", "1:11: engine e needs username", "1:11: engine e needs password"}},
		{"engine's URL", "engines: {e: {url: engine.example, username: u, password: {secret: {env: X}}}}", []string{"1:20: url of engine e: it must look like https://engine.example/ovirt-engine/api"}},
		{"engine's checks", "engines: {e: {url: 'https://e/api', username: u, password: {secret: {env: X}}, ca_file: x, insecure: true}}", []string{"1:102: engine e: ca_file and insecure contradict each other"}},
		{"secret without source", "engines: {e: {url: 'https://e/api', username: u, password: {secret: {}}}}", []string{"1:69: a secret has one source: env, file or command"}},
		{"secret with two", "engines: {e: {url: 'https://e/api', username: u, password: {secret: {env: A, file: b}}}}", []string{"1:69: a secret has one source: env, file or command"}},
		{"secret's command as text", "engines: {e: {url: 'https://e/api', username: u, password: {secret: {command: pass x}}}}", []string{"1:79: the command of a secret is a list: [PROGRAM, ARGUMENT]"}},
		{"no secret", "engines: {e: {url: 'https://e/api', username: u, password: {env: A}}}", []string{"1:60: a secret is written {secret: {env: NAME}}, {secret: {file: PATH}} or {secret: {command: [PROGRAM, ARGUMENT]}}"}},
		{"secret in variables", "nodes: {n1: {vars: {a: [{secret: {enf: A}}]}}}", []string{`1:35: unknown key "enf" in the secret, did you mean "env"?`}},
		{"cluster without nodes", "clusters: {c: {}}", []string{"1:12: cluster c needs nodes"}},
		{"cluster of strangers", "nodes: {node1: {}}\nclusters: {c: {nodes: [ndoe1, 'x*', 'node[1:2]']}}", []string{
			`2:24: cluster c: there is no ndoe1, did you mean "node1"?`, "2:31: cluster c: no name matches x*", "2:37: cluster c: there is no node2, which node[1:2] stands for"}},
		{"node of two clusters", "nodes: {n1: {}}\nclusters: {a: {nodes: [n1]}, b: {nodes: [n1]}}", []string{"2:42: cluster b: node n1 belongs to cluster a already: a node is a member of one"}},
		{"placement", "nodes: {n1: {}}\nclusters: {a: {nodes: [n1], placement: random}}", []string{`2:40: placement of cluster a must be most_free_memory, not "random"`}},
		{"group of strangers", "nodes: {n1: {}}\ngroups: {g: {members: [n2, h], children: [n1, x]}, h: {}}", []string{
			`2:24: group g: there is no n2, did you mean "n1"?`, "2:28: group g: h is a group, and belongs into children",
			`2:43: group g: there is no group "n1": that is a target, and belongs into members`, `2:47: group g: there is no group "x"`}},
		{"group cycle", "groups: {a: {children: [b]}, b: {children: [c]}, c: {children: [a]}}", []string{"1:10: group a contains itself: a > b > c > a"}},
		{"members of all", "groups: {all: {members: [x]}}", []string{`1:16: unknown key "members" in group all; there are: vars`}},
		{"image without place", "images: {d: {}}", []string{"1:10: image d says nothing: write engines: {template: …} or nodes: {volume: POOL/NAME}"}},
		{"image of two", "images: {d: {nodes: {volume: a/b, url: 'https://x/y'}}}", []string{"1:21: image d needs one of: volume, url, file"}},
		{"image's volume", "images: {d: {nodes: {volume: ab}}}", []string{"1:30: volume of image d must be POOL/NAME, as default/debian-12.qcow2"}},
		{"image's url", "images: {d: {nodes: {url: 'ftp://x/y'}}}", []string{"1:27: url of image d must start with https:// or http://"}},
		{"image for a stranger", "nodes: {n1: {}}\nimages: {d: {targets: {n2: {volume: a/b}, n1: {template: x}}}}", []string{
			`2:24: image d: there is no target or group "n2", did you mean "n1"?`, "2:43: image d: node n1 takes a volume, url or file"}},
		{"guests", "guests: {usr: x, host_key: accept, become: su, jump: [\"a b\"]}", []string{
			`1:10: unknown key "usr" in guests, did you mean "user"?`, `1:28: host_key of guests must be accept_new or strict, not "accept"`,
			`1:44: become of guests must be sudo or none, not "su"`, `1:55: jump of guests: "a b" is neither a node nor [USER@]HOST[:PORT]`}},
		{"guests of an engine", "engines:\n  e[1:2]:\n    url: https://e.example/ovirt-engine/api\n    username: u@internal\n    password: {secret: {env: P}}\n    guests: {port: 0, connect_timeout: 5, uri: x}", []string{
			"6:20: port of guests of engine e1 must be between 1 and 65535", "6:40: connect_timeout of guests of engine e1 needs a unit: 5s or 5m",
			`6:43: unknown key "uri" in guests of engine e1`}},
		{"broken YAML", "nodes:\n\tn1: {}", []string{"2:1: tab in indentation: YAML allows only spaces there"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := unpack(t, "-- inventory.yml --\n"+tt.text)
			inv, list := Load(context.Background(), []string{filepath.Join(dir, "inventory.yml")}, Options{Env: noEnv})
			got := say(list, dir)
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], "inventory.yml:")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (inv == nil) != list.HasErrors() {
				t.Error("an inventory and errors, or neither")
			}
		})
	}
}

func TestPlainPasswordIsAWarning(t *testing.T) {
	dir := unpack(t, "-- i.yml --\nengines: {e: {url: 'https://e/api', username: u, password: secret1}}")
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "i.yml")}, Options{Env: noEnv})
	want := []string{"warning: i.yml:1:60: the password of engine e stands in the inventory: write {secret: {env: NAME}}, or encrypt the file"}
	if diff := cmp.Diff(want, say(list, dir)); diff != "" {
		t.Error(diff)
	}
	if v, err := inv.Engines[0].Password.Resolve(context.Background()); v != "secret1" || err != nil {
		t.Errorf("%q %v", v, err)
	}
}

func TestDirectory(t *testing.T) {
	dir := unpack(t, `
-- inv/10-nodes.yml --
nodes: {n1: {}, n2: {}}
groups: {web: {members: [n1], vars: {a: 1, b: 1}}}
-- inv/20-more.json --
{
	"clusters": {"c": {"nodes": ["n2"]}},
	"groups": {"web": {"members": ["c"], "vars": {"b": 2}}}
}
-- inv/30-script --
#!/bin/sh
printf '{"nodes": {"dyn-%s": {"address": "10.0.0.1"}}}' "$1"
-- inv/README --
not an inventory
-- inv/.hidden.yml --
bad: [
-- inv/backup.yml~ --
bad: [
-- inv/group_vars/web.yml --
c: 3
`)
	sources := &source.Sources{}
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "inv")}, Options{Env: noEnv, Sources: sources})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(inv.Names(), " "); got != "n1 n2 c dyn---list" {
		t.Errorf("targets: %s", got)
	}
	if got := strings.Join(inv.Group("web").Targets, " "); got != "n1 c" {
		t.Errorf("web: %s", got)
	}
	vars := mustTarget(t, inv, "n1").Vars
	for name, want := range map[string]int64{"a": 1, "b": 2, "c": 3} {
		if v, _ := vars.Get(name); v.Value == nil || v.Value.Int != want {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if line, ok := sources.Line(filepath.Join(dir, "inv/30-script"), 1); !ok || !strings.Contains(line, "dyn-") {
		t.Errorf("what a dynamic inventory printed is not kept: %q", line)
	}
}

func TestDynamicInventoryErrors(t *testing.T) {
	dir := unpack(t, `
-- fails --
#!/bin/sh
echo cannot reach the CMDB >&2
exit 3
-- garbage --
#!/bin/sh
echo '{"nodes": {"n1": {"prot": 1}}}'
-- plain.txt --
nodes: {n1: {}}
`)
	run := func(name string) []string {
		_, list := Load(context.Background(), []string{filepath.Join(dir, name)}, Options{Env: noEnv})
		return say(list, dir)
	}
	for name, want := range map[string][]string{
		"fails":     {"fails: the dynamic inventory failed: exit status 3: cannot reach the CMDB"},
		"garbage":   {`garbage:1:19: unknown key "prot" in node n1, did you mean "port"?`},
		"missing":   {"missing: there is no such inventory"},
		"plain.txt": nil,
	} {
		if diff := cmp.Diff(want, run(name)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	empty := t.TempDir()
	if _, list := Load(context.Background(), []string{empty}, Options{Env: noEnv}); len(list) != 1 || !strings.Contains(list[0].Summary, "no inventory file in this directory") {
		t.Errorf("%v", list)
	}
}

func TestDynamicInventoryEndsWithItsContext(t *testing.T) {
	dir := unpack(t, "-- slow --\n#!/bin/sh\nsleep 60 & wait\n")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, list := Load(ctx, []string{filepath.Join(dir, "slow")}, Options{Env: noEnv})
	if !list.HasErrors() || !strings.Contains(list[0].Summary, "it did not end in time") {
		t.Errorf("%v", list)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLookup(t *testing.T) {
	dir := unpack(t, `
-- both/inventory.yml --
nodes: {from-file: {}}
-- both/inventory/a.yml --
nodes: {from-dir: {}}
-- dir/inventory/a.yml --
nodes: {from-dir: {}}
-- env.yml --
nodes: {from-env: {}}
-- env2.yml --
nodes: {from-env2: {}}
-- config.yml --
nodes: {from-config: {}}
-- none/x --
-- code/inventory/inventory.go --
package inventory
`)
	at := func(name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		name  string
		paths []string
		opts  Options
		env   map[string]string
		want  string
	}{
		{"option", []string{at("config.yml")}, Options{Dir: at("both")}, map[string]string{EnvInventory: at("env.yml")}, "from-config"},
		{"environment", nil, Options{Dir: at("both"), Config: []string{at("config.yml")}}, map[string]string{EnvInventory: at("env.yml") + ":" + at("env2.yml")}, "from-env from-env2"},
		{"configuration", nil, Options{Dir: at("both"), Config: []string{at("config.yml")}}, nil, "from-config"},
		{"file", nil, Options{Dir: at("both")}, nil, "from-file"},
		{"directory", nil, Options{Dir: at("dir")}, nil, "from-dir"},
		{"nothing", nil, Options{Dir: at("none")}, nil, "local"},
		{"a folder of that name without one", nil, Options{Dir: at("code")}, nil, "local"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Env = func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }
			inv, list := Load(context.Background(), tt.paths, tt.opts)
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			if got := names(inv.All()); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestLocalNode(t *testing.T) {
	for _, tt := range []struct{ config, env, want string }{
		{"", "", "qemu:///system"},
		{"", "test:///default", "test:///default"},
		{"qemu:///session", "test:///default", "qemu:///session"},
	} {
		env := func(name string) (string, bool) { return tt.env, name == EnvURI && tt.env != "" }
		inv, list := Load(context.Background(), nil, Options{Dir: t.TempDir(), LibvirtURI: tt.config, Env: env})
		if list.HasErrors() || inv.Nodes[0].URI != tt.want || !inv.Nodes[0].Local() {
			t.Errorf("%+v: %v", tt, list)
		}
		if got, list := inv.SelectText("local", ""); list.HasErrors() || names(got) != "local" {
			t.Errorf("%v %v", got, list)
		}
	}
	if _, list := Load(context.Background(), nil, Options{Dir: t.TempDir(), LibvirtURI: "qemu+tcp://h/system", Env: noEnv}); !list.HasErrors() {
		t.Error("a URI that is not supported was taken")
	}
}
