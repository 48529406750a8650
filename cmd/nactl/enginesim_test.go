package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// The documentation has a row for each command.
func TestEngineSimCommandsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "engine-sim.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ovirtsim.Commands() {
		if row := fmt.Sprintf("| `%s` | %s |\n", c.Usage, c.Doc); !strings.Contains(string(doc), row) {
			t.Errorf("docs/engine-sim.md lacks %s", row)
		}
	}
}
