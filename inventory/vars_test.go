package inventory

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/source"
)

const varsArchive = `
-- inventory.yml --
nodes: {n1: {vars: {x: target, t: {secret: {env: T}}}}, n2: {}}
groups:
  all: {vars: {x: all, only_all: 1}}
  outer: {children: [middle], vars: {x: outer}}
  middle: {children: [inner], vars: {x: middle}}
  inner: {members: [n1], vars: {x: inner}}
  beta: {members: [n1], vars: {x: beta}}
  alpha: {members: [n1], vars: {x: alpha}}
  zeta: {children: [inner], vars: {x: zeta}}
-- group_vars/all.yml --
x: file-all
-- group_vars/inner/10.yml --
x: file-inner-10
-- group_vars/inner/20.json --
{"x": "file-inner-20"}
-- group_vars/inner/README --
x
-- group_vars/outer.yml --
# nothing yet
-- target_vars/n1.yaml --
x: file-target
-- play/group_vars/all.yml --
x: play-all
-- play/target_vars/n2.yml --
y: 2
`

func TestPrecedence(t *testing.T) {
	dir := unpack(t, varsArchive)
	inv, list := Load(context.Background(), []string{filepath.Join(dir, "inventory.yml")}, Options{Env: noEnv})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	explain := func(inv *Inventory, target, name string) []string {
		var out []string
		for _, v := range mustTarget(t, inv, target).Vars.Explain(name) {
			out = append(out, fmt.Sprintf("%s %s %s", v.Value.Str, v.From, strings.TrimPrefix(v.Origin.String(), dir+"/")))
		}
		return out
	}
	want := []string{
		"all group all inventory.yml:3:16",
		"alpha group alpha inventory.yml:8:33",
		"beta group beta inventory.yml:7:32",
		"outer group outer inventory.yml:4:38",
		"zeta group zeta inventory.yml:9:36",
		"middle group middle inventory.yml:5:38",
		"inner group inner inventory.yml:6:33",
		"target target n1 inventory.yml:1:21",
		"file-all group_vars/all group_vars/all.yml:1:1",
		"file-inner-10 group_vars/inner group_vars/inner/10.yml:1:1",
		"file-inner-20 group_vars/inner group_vars/inner/20.json:1:2",
		"file-target target_vars/n1 target_vars/n1.yaml:1:1",
	}
	if diff := cmp.Diff(want, explain(inv, "n1", "x")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	vars := mustTarget(t, inv, "n1").Vars
	if v, _ := vars.Get("x"); v.Value.Str != "file-target" {
		t.Errorf("winner: %s", v.Value.Str)
	}
	if diff := cmp.Diff([]string{"only_all", "t", "x"}, vars.Names()); diff != "" {
		t.Error(diff)
	}
	if got := vars.Nodes()["only_all"].Int; got != 1 {
		t.Errorf("only_all: %d", got)
	}
	if _, ok := vars.Get("nope"); ok {
		t.Error("nope")
	}

	beside, list := inv.WithVarsBeside(filepath.Join(dir, "play"), Options{})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	if got := explain(beside, "n1", "x"); got[len(got)-1] != "play-all group_vars/all play/group_vars/all.yml:1:1" {
		t.Errorf("beside the playbook: %v", got)
	}
	if v, _ := mustTarget(t, beside, "n2").Vars.Get("y"); v.Value.Int != 2 {
		t.Errorf("y: %+v", v)
	}
	if got := explain(inv, "n1", "x"); len(got) != len(want) {
		t.Error("the inventory itself was changed")
	}
	if again, _ := inv.WithVarsBeside(dir, Options{}); again != inv {
		t.Error("the inventory's own directory was read twice")
	}
}

func TestVarsFiles(t *testing.T) {
	dir := unpack(t, `
-- inventory.yml --
nodes: {n1: {}}
groups: {web: {members: [n1]}}
-- group_vars/wbe.yml --
a: 1
-- target_vars/n1/a.yml --
[1]
-- target_vars/n2.yml --
a: 1
-- group_vars/web.yml --
age-encryption.org/v1
cipher
-- group_vars/all.yml --
b: {secret: {}}
`)
	decrypted := "password: hunter22\n"
	var failure error
	opts := Options{Env: noEnv, Sources: &source.Sources{Decrypt: func(path string, text []byte) ([]byte, error) {
		if !strings.Contains(string(text), "cipher") {
			return nil, errors.New("wrong text")
		}
		return []byte(decrypted), failure
	}}}
	run := func() ([]string, *Inventory) {
		inv, list := Load(context.Background(), []string{filepath.Join(dir, "inventory.yml")}, opts)
		return say(list, dir), inv
	}
	common := []string{
		"group_vars/all.yml:1:13: a secret has one source: env, file or command",
		`warning: group_vars/wbe.yml: there is no group "wbe", did you mean "web"?`,
		"target_vars/n1/a.yml:1:1: a file of variables must hold a mapping, not a list",
		`warning: target_vars/n2.yml: there is no target "n2", did you mean "n1"?`,
	}
	insert := func(s string) []string { return []string{common[0], common[1], s, common[2], common[3]} }
	got, _ := run()
	if diff := cmp.Diff(common, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	decrypted = "password: !hunter22\n"
	got, _ = run()
	if diff := cmp.Diff(insert("group_vars/web.yml:1:11: the decrypted text is not right here (tag); see nactl vault edit"), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	failure = errors.New("no identity\nmatched")
	got, _ = run()
	if diff := cmp.Diff(insert("group_vars/web.yml: cannot decrypt the file: no identity matched"), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	opts.Sources.Decrypt = nil
	got, _ = run()
	if diff := cmp.Diff(insert("group_vars/web.yml: cannot decrypt the file: no key was given"), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecryptedVarsAreSecret(t *testing.T) {
	dir := unpack(t, "-- v.yml --\nage-encryption.org/v1\nx\n")
	n, list := LoadVars(filepath.Join(dir, "v.yml"), Options{Sources: &source.Sources{Decrypt: func(string, []byte) ([]byte, error) { return []byte("a: {b: [hunter22]}"), nil }}})
	if list.HasErrors() || !n.Get("a").Get("b").Items[0].Secret {
		t.Errorf("%v %v", n, list)
	}
}
