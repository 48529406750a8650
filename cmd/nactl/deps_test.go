package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nactl/nactl/"

// The layers: what each part of the tree may import of the project, by prefix.
// The longest prefix that fits a package counts.
var layers = map[string][]string{
	"virt":             {},
	"virt/dryrun":      {"virt"},
	"virt/virttest":    {"virt", "virt/dryrun"},
	"virt/ssh":         {},
	"virt/ssh/":        {"virt/ssh"},
	"virt/image":       {},
	"virt/local":       {"virt", "virt/image"},
	"virt/cloudinit":   {"virt"},
	"virt/guest":       {"virt", "virt/ssh"},
	"virt/hostnet":     {"virt", "virt/ssh"},
	"virt/libvirt":     {"virt", "virt/cloudinit", "virt/guest", "virt/hostnet", "virt/image", "virt/local", "virt/ssh"},
	"virt/ovirt":       {"virt", "virt/cloudinit", "virt/guest", "virt/image", "virt/ssh", "engine/diag"},
	"engine/diag":      {},
	"engine/config":    {"engine/diag", "engine/source"},
	"engine/source":    {"engine/diag"},
	"engine/source/":   {},
	"engine/expr":      {"engine/diag", "engine/source"},
	"inventory":        {"engine/diag", "engine/source", "engine/expr", "virt"},
	"modules":          {"modules/", "virt", "engine/diag", "engine/source", "engine/expr"},
	"modules/":         {"modules/", "virt", "virt/image", "engine/diag", "engine/source", "engine/expr"},
	"engine/event":     {"virt"},
	"engine/planned":   {"engine/event", "virt"},
	"engine/playbook":  {"engine/diag", "engine/source", "engine/expr", "modules/step", "virt"},
	"engine/vault":     {},
	"engine/lint":      {"engine/diag", "engine/playbook", "engine/source", "inventory", "modules/step"},
	"engine/reference": {"engine/config", "engine/expr", "engine/playbook", "engine/source", "inventory", "modules/step", "virt"},
	"engine":           {"engine/", "modules/step", "virt", "virt/dryrun"},
	"cmd/nactl":        {"engine", "engine/", "inventory", "modules", "modules/", "virt", "virt/"},
}

// Packages from outside that only some parts of the tree may use.
var only = map[string]string{
	"libvirt.org/go/libvirt":    "virt/libvirt",
	"libvirt.org/go/libvirtxml": "virt/libvirt",
	"github.com/ovirt/go-ovirt": "virt/ovirt",
	"golang.org/x/crypto/ssh":   "virt/ssh engine/vault",
	"filippo.io/age":            "engine/vault",
	"github.com/goccy/go-yaml":  "engine/ cmd/nactl", // read there, written here
	"github.com/expr-lang/expr": "engine/expr",
	"github.com/urfave/cli/v2":  "cmd/nactl",
}

// refused are packages that would let a step or the runner reach around Apply.
var refused = map[string][]string{
	"modules": {"os", "os/exec", "net", "net/http", "syscall", "io/ioutil"},
	"engine":  {"os/exec", "net", "net/http"},
}

// TestLayers keeps dependencies pointing one way.
func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "libvirt_dlopen", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name, ok := strings.CutPrefix(words[0], module)
		if !ok {
			continue
		}
		packages++
		for _, imp := range words[1:] {
			check(t, name, imp)
		}
	}
	if packages < 30 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func check(t *testing.T, name, imp string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(imp, module); ok {
		allowed, known := layerOf(name)
		if !known {
			t.Errorf("%s belongs to no layer: say in this test what it may import", name)
		}
		if !slices.ContainsFunc(allowed, func(a string) bool {
			return a == ours || strings.HasSuffix(a, "/") && strings.HasPrefix(ours, a)
		}) {
			t.Errorf("%s must not import %s", name, ours)
		}
		return
	}
	for outside, owner := range only {
		if (imp == outside || strings.HasPrefix(imp, outside+"/")) && !slices.ContainsFunc(strings.Fields(owner), func(o string) bool { return strings.HasPrefix(name, o) }) {
			t.Errorf("%s must not import %s: only %s does", name, imp, owner)
		}
	}
	for part, list := range refused {
		if (name == part || strings.HasPrefix(name, part+"/")) && slices.Contains(list, imp) && !exempt(name, imp) {
			t.Errorf("%s must not import %s: what happens outside goes through Apply", name, imp)
		}
	}
}

// exempt are the places that reach outside by their nature.
func exempt(name, imp string) bool {
	return imp == "os" && (name == "engine/expr" || name == "engine/source" || name == "engine/event")
}

func layerOf(name string) ([]string, bool) {
	best := ""
	for prefix := range layers {
		fits := name == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(name, prefix)
		if fits && len(prefix) > len(best) {
			best = prefix
		}
	}
	if best == "" {
		return nil, false
	}
	return layers[best], true
}
