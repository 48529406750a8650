package reference

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nactl/nactl/inventory"
)

const goodInventory = `
engines:
  e15: {url: "https://engine.example/ovirt-engine/api", username: svc@internal, password: {secret: {env: E15_PASSWORD}}, ca_file: e15.pem, timeout: 30s}
  e16: {url: "https://e16.example/ovirt-engine/api", username: svc@internal, password: {secret: {command: [pass, show, e16]}}, insecure: true, vars: {a: 1}}
nodes:
  kvm[01:02]: {address: "10.0.0.[1:2]", port: 22, user: 1000, identity_file: ~/.ssh/id, jump: [kvm9], become: sudo, keepalive: 15s, keepalive_count: 3}
  kvm9:
  here: {uri: "qemu:///system", accel: qemu, maintenance: true, vars: }
clusters:
  lab: {nodes: "kvm0*", placement: most_free_memory, shared_pools: [shared]}
images:
  debian-12: {engines: {template: debian-12-cloud}, nodes: {volume: default/debian-12.qcow2}, targets: {here: {url: "https://images.example/debian.qcow2"}, lab: {file: d.qcow2}}}
guests: {user: admin, identity_file: [a, b], become: sudo, host_key: accept_new}
groups:
  all: {vars: {a-b: 1, item: 2, dns: [10.0.0.53], "n": null}}
  kvm: {members: [lab, here], vars: {storage: default}}
  prod: {members: e15, children: [kvm]}
`

func loadInventory(t *testing.T, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "inventory.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, list := inventory.Load(t.Context(), []string{file}, inventory.Options{})
	return list.Err()
}

func TestInventory(t *testing.T) {
	s := compile(t, InventorySchema())
	page, err := os.ReadFile("../../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	good := []string{goodInventory}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		good = append(good, m[1])
	}
	for _, text := range good {
		if err := validate(t, s, text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	if err := loadInventory(t, goodInventory); err != nil {
		t.Error(err)
	}
}

func TestBrokenInventory(t *testing.T) {
	s := compile(t, InventorySchema())
	for name, text := range map[string]string{
		"list":                     "[a]",
		"unknown section":          "hosts: {a: }",
		"unknown key":              "nodes: {a: {adress: x}}",
		"port as text":             "nodes: {a: {port: ssh}}",
		"port too large":           "nodes: {a: {port: 70000}}",
		"become":                   "nodes: {a: {become: su}}",
		"expression":               "nodes: {a: {address: \"{{ x }}\"}}",
		"duration without unit":    "nodes: {a: {keepalive: 15}}",
		"yes":                      "nodes: {a: {maintenance: yes}}",
		"uri":                      "nodes: {a: {uri: system}}",
		"engine without a name":    "engines: {e: {url: \"https://e/api\", password: {secret: {env: X}}}}",
		"engine as nothing":        "engines: {e: }",
		"url":                      "engines: {e: {url: \"ftp://e/api\", username: a, password: {secret: {env: X}}}}",
		"secret of two sources":    "engines: {e: {url: \"https://e/api\", username: a, password: {secret: {env: X, file: y}}}}",
		"secret of another source": "engines: {e: {url: \"https://e/api\", username: a, password: {secret: {vault: X}}}}",
		"cluster without nodes":    "clusters: {c: {placement: most_free_memory}}",
		"placement":                "nodes: {a: }\nclusters: {c: {nodes: a, placement: random}}",
		"image of two sources":     "images: {i: {nodes: {volume: a/b, url: \"https://x/y\"}}}",
		"checksum of a volume":     "images: {i: {nodes: {volume: a/b, sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"}}}",
		"checksum of no length":    "images: {i: {nodes: {url: \"https://x/y\", sha256: abc}}}",
		"image of none":            "images: {i: {nodes: {}}}",
		"volume without pool":      "images: {i: {nodes: {volume: b}}}",
		"members of all":           "groups: {all: {members: [a]}}",
		"vars as list":             "groups: {g: {vars: [a]}}",
		"members as mapping":       "groups: {g: {members: {a: 1}}}",
	} {
		t.Run(name, func(t *testing.T) {
			if validate(t, s, text) == nil {
				t.Errorf("the schema takes %s", text)
			}
			if loadInventory(t, text) == nil {
				t.Errorf("the loader takes %s", text)
			}
		})
	}
}
