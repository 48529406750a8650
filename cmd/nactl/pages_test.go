package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/reference"
)

// The tables in pages that are else written by hand are as the code has them.
func TestPagesAreFresh(t *testing.T) {
	for name, parts := range pageParts() {
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := reference.Fill(string(page), parts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(string(page), fresh); diff != "" {
			t.Errorf("%s is stale, run make docs: -is +should be:\n%s", name, diff)
		}
	}
}
