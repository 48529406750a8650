//go:build conformance

package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestConformance lets the clients of engines that people have, at the versions
// that make conformance installs, work with nactl engine-sim, and nactl find
// what they made.
func TestConformance(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "conformance"),
		RequireExplicitExec: true,
		Setup:               engineSim,
	})
}
