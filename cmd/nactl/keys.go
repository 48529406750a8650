package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/vault"
	"github.com/nactl/nactl/inventory"
)

// What opens encrypted files where no option says so.
const (
	envIdentity   = "NACTL_VAULT_IDENTITY"   // files, separated as in PATH, or an identity itself
	envCommand    = "NACTL_VAULT_COMMAND"    // a command line that prints identities
	envPassphrase = "NACTL_VAULT_PASSPHRASE" // instead of asking for it
)

func vaultIdentityFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "vault-identity", Usage: "identity `FILE` that opens encrypted files of variables; may be repeated"}
}

// sources gives what reads files, and opens the encrypted ones.
func (a *application) sources(c *cli.Context) *source.Sources {
	keys := a.keys(c.Context, c.StringSlice("vault-identity"), "--vault-identity FILE")
	return &source.Sources{Decrypt: func(path string, text []byte) ([]byte, error) {
		text, _, err := keys.Decrypt(path, text)
		return text, err
	}}
}

// keys gives what opens encrypted files; option is how a file is named on the
// command line.
func (a *application) keys(ctx context.Context, files []string, option string) *vault.Keys {
	usual := ownIdentity()
	k := &vault.Keys{Files: files, Hint: fmt.Sprintf("name one with %s or %s, or put it into %s (nactl vault keygen makes one)", option, envIdentity, usual)}
	if len(files) == 0 {
		switch v := os.Getenv(envIdentity); {
		case strings.HasPrefix(strings.TrimSpace(v), "AGE-SECRET-KEY-"), strings.HasPrefix(strings.TrimSpace(v), "-----BEGIN "):
			k.Text = v
		case v != "":
			k.Files = filepath.SplitList(v)
		}
		if line := os.Getenv(envCommand); line != "" {
			k.Command = func() ([]byte, error) { return printed(ctx, line) }
		}
		if len(k.Files) == 0 && k.Text == "" && k.Command == nil {
			k.Files = a.settings.Paths("vault.identity")
		}
	}
	if len(files) == 0 && len(k.Files) == 0 && k.Text == "" && k.Command == nil {
		k.Usual = append(k.Usual, usual)
		if home, err := os.UserHomeDir(); err == nil {
			k.Usual = append(k.Usual, filepath.Join(home, ".ssh", "id_ed25519"), filepath.Join(home, ".ssh", "id_rsa"))
		}
	}
	if phrase := os.Getenv(envPassphrase); phrase != "" {
		k.Ask = func(string) (string, error) { return phrase, nil }
	} else if ask := a.asker(); ask != nil {
		k.Ask = func(prompt string) (string, error) { return ask(ctx, prompt, true) }
	}
	return k
}

// ownIdentity is where a user's identity is looked for.
func ownIdentity() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "."
	}
	return filepath.Join(dir, "nactl", "identity")
}

// printed gives what a command line prints; what it says on stderr is shown, for
// it may ask for something there.
func printed(ctx context.Context, line string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	return cmd.Output()
}

// mask gives what hides what stood in encrypted files. Names of targets, groups
// and images are shown: without them nobody could tell what happens where.
func (s *setup) mask() *event.Mask {
	m := event.NewMask()
	shown := map[string]bool{}
	if s.inv != nil {
		shown = shownNames(s.inv)
	}
	for _, text := range s.sources.Sealed() {
		if !shown[text] {
			_ = m.Add(text) // long enough, or it would not be there
		}
	}
	if s.conns != nil && s.conns.password != "" {
		_ = m.Add(s.conns.password) // who typed one that is too short was told
	}
	return m
}

func shownNames(inv *inventory.Inventory) map[string]bool {
	out := map[string]bool{}
	for _, name := range inv.Names() {
		out[name] = true
	}
	for _, g := range inv.Groups {
		out[g.Name] = true
	}
	for name := range inv.Images {
		out[name] = true
	}
	return out
}

// tell shows diagnostics on stderr.
func (s *setup) tell(list diag.List) error {
	return diag.Write(s.app.stderr, s.masked(list), s.sources, diag.Options{})
}

// masked gives diagnostics without what stood in encrypted files.
func (s *setup) masked(list diag.List) diag.List {
	mask, out := s.mask(), slices.Clone(list)
	for i := range out {
		out[i].Summary, out[i].Detail = mask.String(out[i].Summary), mask.String(out[i].Detail)
	}
	return out
}
