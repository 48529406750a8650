package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/config"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/virt"
)

const (
	// completeWait is how long somebody who pressed Tab waits for targets; those
	// that have not answered by then are left out.
	completeWait = 3 * time.Second
	// completeKeep is how long names that were found serve further presses.
	completeKeep = 30 * time.Second
)

// completionInventory loads the inventory as the command line so far names it. A
// broken one completes nothing: the command itself will say what is wrong.
func (a *application) completionInventory(ctx context.Context, at place) *inventory.Inventory {
	a.settings, _ = config.Load(config.Options{File: at.settings}) // as far as they are right
	inv, list := inventory.Load(ctx, at.inv, a.inventoryOptions(nil))
	if list.HasErrors() {
		return nil
	}
	return inv
}

func (a *application) targetNames(ctx context.Context, at place, name string) []string {
	inv := a.completionInventory(ctx, at)
	if inv == nil {
		return nil
	}
	var names []string
	for _, g := range inv.Groups {
		if name != "TARGET" {
			names = append(names, g.Name)
		}
	}
	if name != "GROUP" {
		names = append(names, inv.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// vmNames asks the targets themselves, all at once.
func (a *application) vmNames(ctx context.Context, at place) []string {
	inv := a.completionInventory(ctx, at)
	if inv == nil {
		return nil
	}
	pattern := at.on
	if pattern == "" {
		pattern = "all"
	}
	targets, list := inv.SelectText(pattern, "--target")
	if list.HasErrors() {
		return nil
	}
	kept := keptNames{path: keptNamesPath(inv.Files, pattern, a.settings.Text("libvirt.uri"))}
	if names, ok := kept.read(); ok {
		return names
	}
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	conns := a.quiet().newConnections(inv, "")
	rows, failed := ask(ctx, conns, targets, func(ctx context.Context, _ string, p virt.Platform) ([]row, error) {
		vms, err := p.VMs(ctx)
		var out []row
		for _, vm := range vms {
			out = append(out, row{"name": vm.Name})
		}
		return out, err
	})
	_ = conns.close()
	var names []string
	for _, r := range rows {
		if name, _ := r["name"].(string); !strings.ContainsAny(name, "\t\n\r") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(failed) == 0 {
		kept.write(names)
	}
	return names
}

// quiet gives an application that says nothing: what goes wrong at a press of Tab
// must not disturb the line.
func (a *application) quiet() *application {
	return &application{stdin: a.stdin, stdout: io.Discard, stderr: io.Discard, dial: a.dial, reach: a.reach}
}

// keptNames are the names of a search, for the next press of Tab. They are a mere
// convenience: what cannot be read or written is done without.
type keptNames struct{ path string }

// keptNamesPath gives the place of the names for an inventory; "" when this user has
// none.
func keptNamesPath(files []string, pattern, local string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	h := sha256.New()
	for _, word := range append(slices.Clone(files), pattern, local) {
		if abs, err := filepath.Abs(word); err == nil && slices.Contains(files, word) {
			word = abs
		}
		_, _ = io.WriteString(h, word+"\x00")
	}
	return filepath.Join(dir, "nactl", "complete", hex.EncodeToString(h.Sum(nil)[:8])+".json")
}

func (k keptNames) read() ([]string, bool) {
	info, err := os.Stat(k.path)
	if err != nil || time.Since(info.ModTime()) > completeKeep {
		return nil, false
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		return nil, false
	}
	var names []string
	return names, json.Unmarshal(text, &names) == nil
}

func (k keptNames) write(names []string) {
	if k.path == "" || os.MkdirAll(filepath.Dir(k.path), 0o700) != nil {
		return
	}
	if text, err := json.Marshal(names); err == nil {
		_ = swapFile(k.path, text, 0o600)
	}
}
