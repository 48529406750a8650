package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/vault"
)

// editorEnds is how long an editor has to end when nactl is told to.
const editorEnds = 2 * time.Second

// vaultEdit lets an editor change an encrypted file. The text is in a private
// folder meanwhile, in memory where the system offers that, and is removed however
// the editor ends.
func (a *application) vaultEdit(c *cli.Context) error {
	if c.NArg() != 1 {
		return exitError{engine.ExitOptions, errors.New("name one file: nactl vault edit FILE")}
	}
	f, err := readVaultFile(c.Args().First())
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	to, err := a.lock(c)
	if err != nil {
		return err
	}
	said := len(to.Recipients) > 0 || to.Passphrase != ""
	var before []byte
	switch {
	case isNew && !said:
		return exitError{engine.ExitOptions, fmt.Errorf("%s is not there; for a new file say to whom it is encrypted: --recipient KEY, --recipients-file FILE or --passphrase", c.Args().First())}
	case isNew:
		f = &vaultFile{path: c.Args().First(), name: c.Args().First(), mode: 0o600}
	default:
		before = f.text
		if err := a.open(c, []*vaultFile{f}); err != nil {
			return err
		}
		if !said {
			to = f.lock
		}
		if len(to.Recipients) == 0 && to.Passphrase == "" {
			return exitError{engine.ExitOptions, fmt.Errorf("%s does not say to whom it is encrypted (another program made it): repeat all of them with --recipient KEY or --recipients-file FILE", f.name)}
		}
	}
	text, err := a.edited(c.Context, filepath.Base(f.path), f.text)
	switch {
	case err != nil:
		code := engine.ExitUnexpected
		if c.Context.Err() != nil {
			code = engine.ExitTerminated
		}
		return exitError{code, fmt.Errorf("%w; %s is as it was", err, f.name)}
	case bytes.Equal(text, f.text) && !said:
		_, err := fmt.Fprintf(a.stderr, "%s is as it was\n", f.name)
		return err
	}
	a.warnForm(f.name, text)
	if f.new, err = vault.Encrypt(text, to); err != nil {
		return exitError{engine.ExitUnexpected, fmt.Errorf("%s: %w", f.name, err)}
	}
	now, err := os.ReadFile(f.path)
	if err != nil && !(isNew && errors.Is(err, fs.ErrNotExist)) || !bytes.Equal(now, before) {
		aside := f.path + ".edited"
		if err := swapFile(aside, f.new, 0o600); err != nil {
			return err
		}
		return exitError{engine.ExitUnexpected, fmt.Errorf("somebody changed %s meanwhile: it is left as it is now, and your edit is in %s, encrypted", f.name, aside)}
	}
	return a.writeVault(c, []*vaultFile{f}, "encrypted")
}

// edited gives a text as an editor leaves it.
func (a *application) edited(ctx context.Context, name string, text []byte) (out []byte, err error) {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	dir, err := os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "nactl-vault-") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if gone := os.RemoveAll(dir); err == nil {
			err = gone
		}
	}()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	// A terminal that closes ends the editor; nactl stays until the text is removed.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	a.lent.Store(true)
	defer a.lent.Store(false)
	// The editor may have arguments and variables. It takes the shell's place, so
	// that it is the one to be told to end.
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec env "+editor+` "$1"`, "sh", path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = editorEnds
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("editor %s: %w", editor, err)
	}
	return os.ReadFile(path)
}
