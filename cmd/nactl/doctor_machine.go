package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/virt/libvirt"
	"github.com/nactl/nactl/virt/ssh"
)

// examineMachine looks at what the targets need of this machine.
func (a *application) examineMachine(targets []inventory.Target) []finding {
	f := findings{where: "this machine"}
	f.ok("nactl", "%s", version)
	for _, path := range a.settings.Files() { // what is wrong in them has ended the command before
		f.ok("settings", "%s", path)
	}
	if slices.ContainsFunc(targets, func(t inventory.Target) bool { return t.Node != nil }) {
		if v, err := libvirt.LibraryVersion(); err != nil {
			f.broken("libvirt library", err)
		} else {
			f.ok("libvirt library", "%s", v)
		}
	}
	remote := slices.ContainsFunc(targets, func(t inventory.Target) bool { return t.Node != nil && !t.Node.Local() })
	guests := slices.ContainsFunc(targets, func(t inventory.Target) bool { return t.Engine != nil && t.Engine.Guests != nil })
	if remote || guests {
		f.keys(targets)
	}
	f.folder("cache", os.UserCacheDir)
	return f.list
}

// keys looks for what SSH could log in with.
func (f *findings) keys(targets []inventory.Target) {
	held := 0
	if path := os.Getenv("SSH_AUTH_SOCK"); path != "" {
		n, err := ssh.AgentKeys(path)
		switch {
		case err != nil:
			f.warn("SSH agent", fmt.Sprintf("does not answer at %s: %v", path, err), "start it, or unset SSH_AUTH_SOCK")
		case n == 0:
			f.warn("SSH agent", "holds no key", "ssh-add")
		default:
			f.ok("SSH agent", "%d keys", n)
		}
		held = n
	}
	named := false
	for _, path := range identityFiles(targets) {
		named = true
		f.keyFile(path)
	}
	if named || held > 0 {
		return
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return
	}
	found, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*"))
	found = slices.DeleteFunc(found, func(p string) bool { return strings.HasSuffix(p, ".pub") })
	if len(found) == 0 {
		f.warn("SSH keys", "there is neither an agent nor a key in ~/.ssh", "ssh-keygen -t ed25519, and ssh-copy-id USER@NODE; or name identity_file in the inventory")
	}
	for _, path := range found {
		f.keyFile(path)
	}
}

// keyFile looks at a private key: it has to be there, and its owner's alone.
func (f *findings) keyFile(path string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.fail("SSH key", path+" is not there", "mend identity_file in the inventory")
	case err != nil:
		f.fail("SSH key", err.Error(), "make it readable for you")
	case info.Mode().Perm()&0o077 != 0:
		f.warn("SSH key", fmt.Sprintf("%s can be read by others (mode %04o)", path, info.Mode().Perm()), "chmod 600 "+path)
	default:
		f.ok("SSH key", "%s", path)
	}
}

// identityFiles are the keys that the inventory names.
func identityFiles(targets []inventory.Target) []string {
	var out []string
	for _, t := range targets {
		switch {
		case t.Node != nil:
			out = append(out, t.Node.IdentityFiles...)
		case t.Engine != nil && t.Engine.Guests != nil:
			out = append(out, t.Engine.Guests.IdentityFiles...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// folder looks whether a folder of this user's can be written to.
func (f *findings) folder(what string, where func() (string, error)) {
	dir, err := where()
	if err != nil {
		f.fail(what, err.Error(), "set HOME")
		return
	}
	dir = filepath.Join(dir, "nactl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.fail(what, err.Error(), "make "+dir+" yours")
		return
	}
	probe, err := os.CreateTemp(dir, ".doctor.*")
	if err != nil {
		f.fail(what, err.Error(), "make "+dir+" yours, and look at df "+dir)
		return
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	f.ok(what, "%s", dir)
}

// examineInventory looks at what can be seen of an inventory without its targets.
func examineInventory(ctx context.Context, inv *inventory.Inventory, targets []inventory.Target) []finding {
	f := findings{where: "inventory"}
	if len(inv.Files) == 0 {
		f.warn("files", "there is none; the local node stands in", "nactl init, or name one with -i, NACTL_INVENTORY or in the configuration")
	}
	for _, path := range inv.Files {
		if _, err := os.Stat(path); err != nil {
			f.fail("file", err.Error(), "")
		} else {
			f.ok("file", "%s", path) // one that everybody can write is not even read
		}
	}
	for _, t := range targets {
		if t.Engine == nil {
			continue
		}
		if t.Engine.Insecure {
			f.warn("TLS of "+t.Name, "its certificate is not checked: anybody in between can read the password", "write ca_file instead of insecure; the engine serves it at /ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA")
		}
		if t.Engine.Password == nil {
			f.fail("password of "+t.Name, "there is none", "write password: {secret: {env: NAME}}")
		} else if _, err := t.Engine.Password.Resolve(ctx); err != nil {
			f.fail("password of "+t.Name, err.Error(), "")
		}
	}
	return f.list
}
