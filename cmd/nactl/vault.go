package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/engine/vault"
)

// vaultCommand works on files of variables that are encrypted.
func (a *application) vaultCommand() *cli.Command {
	identity := &cli.StringSliceFlag{Name: "identity", Aliases: []string{"i", "vault-identity"}, Usage: "`FILE` with an identity (age's or a private SSH key) that opens the file; may be repeated"}
	to := []cli.Flag{
		&cli.StringSliceFlag{Name: "recipient", Aliases: []string{"r"}, Usage: "encrypt to this public `KEY`: age1…, ssh-ed25519 … or ssh-rsa …; may be repeated"},
		&cli.StringSliceFlag{Name: "recipients-file", Aliases: []string{"R"}, Usage: "encrypt to the public keys in `FILE`, one a line; may be repeated"},
		&cli.BoolFlag{Name: "passphrase", Aliases: []string{"p"}, Usage: "encrypt by a passphrase, which is asked for"},
	}
	out := &cli.StringFlag{Name: "out", Usage: "write to `FILE` (- is stdout) and leave the file as it is"}
	return &cli.Command{
		Name: "vault", Usage: "encrypt files of variables, and work on encrypted ones", OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return exitError{engine.ExitOptions, fmt.Errorf("there is no vault %s; see nactl vault --help", c.Args().First())}
			}
			return cli.ShowSubcommandHelp(c)
		},
		Subcommands: []*cli.Command{
			{Name: "encrypt", Usage: "encrypt files, in place", ArgsUsage: "FILE…", OnUsageError: usageError, Flags: append(to[:len(to):len(to)], out), Action: a.vaultEncrypt},
			{Name: "decrypt", Usage: "decrypt files, in place", ArgsUsage: "FILE…", OnUsageError: usageError, Flags: []cli.Flag{identity, out}, Action: a.vaultDecrypt},
			{Name: "view", Usage: "show what is in encrypted files", ArgsUsage: "FILE…", OnUsageError: usageError, Flags: []cli.Flag{identity}, Action: a.vaultView},
			{Name: "edit", Usage: "change an encrypted file in $VISUAL or $EDITOR, or make a new one", ArgsUsage: "FILE", OnUsageError: usageError, Flags: append(to[:len(to):len(to)], identity), Action: a.vaultEdit},
			{Name: "rekey", Usage: "encrypt files to others than before", ArgsUsage: "FILE…", OnUsageError: usageError, Flags: append(to[:len(to):len(to)], identity), Action: a.vaultRekey},
			{Name: "keygen", Usage: "make an identity, and show its public key", OnUsageError: usageError,
				Flags: []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write it to `FILE` instead of where it is looked for"}}, Action: a.vaultKeygen},
		},
	}
}

// vaultFile is a file that one of the commands works on.
type vaultFile struct {
	path string // with links followed
	name string // as it was given
	mode fs.FileMode
	text []byte
	lock vault.Lock // what it was encrypted to
	new  []byte     // what is to be written
}

// vaultFiles reads the files of the command line. All are read before anything is
// written: a mistake in the last one leaves the first as it is.
func vaultFiles(c *cli.Context) ([]*vaultFile, error) {
	if !c.Args().Present() {
		return nil, exitError{engine.ExitOptions, fmt.Errorf("name a file: nactl vault %s FILE", c.Command.Name)}
	}
	if c.NArg() > 1 && c.IsSet("out") {
		return nil, exitError{engine.ExitOptions, errors.New("--out is for one file")}
	}
	var out []*vaultFile
	for _, name := range c.Args().Slice() {
		f, err := readVaultFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func readVaultFile(name string) (*vaultFile, error) {
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, exitError{engine.ExitInvalid, fmt.Errorf("cannot read %s: %w", name, cause(err))}
	}
	info, err := os.Stat(path)
	var text []byte
	if err == nil {
		text, err = readRegular(path, vault.MaxSize)
	}
	if err != nil {
		return nil, exitError{engine.ExitInvalid, err}
	}
	return &vaultFile{path: path, name: name, mode: info.Mode().Perm(), text: text}, nil
}

// open replaces the text of files by what is in them.
func (a *application) open(c *cli.Context, files []*vaultFile) error {
	keys := a.keys(c.Context, c.StringSlice("identity"), "--identity FILE")
	for _, f := range files {
		if !vault.IsEncrypted(f.text) {
			return exitError{engine.ExitInvalid, fmt.Errorf("%s is not encrypted", f.name)}
		}
		text, lock, err := keys.Decrypt(f.name, f.text)
		if err != nil {
			return exitError{engine.ExitInvalid, fmt.Errorf("%s: cannot decrypt the file: %w", f.name, err)}
		}
		f.text, f.lock = text, lock
	}
	return nil
}

// lock gives what the options say to encrypt to; empty where they say nothing.
func (a *application) lock(c *cli.Context) (vault.Lock, error) {
	var to vault.Lock
	fail := func(err error) (vault.Lock, error) { return vault.Lock{}, exitError{engine.ExitOptions, err} }
	for _, text := range c.StringSlice("recipient") {
		r, err := vault.ParseRecipient(text)
		if err != nil {
			return fail(fmt.Errorf("--recipient: %w", err))
		}
		to.Recipients = append(to.Recipients, r)
	}
	for _, path := range c.StringSlice("recipients-file") {
		list, err := vault.ReadRecipients(path)
		if err != nil {
			return fail(fmt.Errorf("--recipients-file: %w", err))
		}
		to.Recipients = append(to.Recipients, list...)
	}
	if !c.Bool("passphrase") {
		return to, nil
	}
	if len(to.Recipients) > 0 {
		return fail(errors.New("a file is encrypted to recipients or by a passphrase, not both"))
	}
	var err error
	if to.Passphrase = os.Getenv(envPassphrase); to.Passphrase == "" {
		to.Passphrase, err = a.newPassphrase(c)
	}
	if err != nil {
		return fail(err)
	}
	return to, nil
}

func (a *application) newPassphrase(c *cli.Context) (string, error) {
	ask := a.asker()
	if ask == nil {
		return "", fmt.Errorf("--passphrase asks for it, and nobody can type here: set %s, or encrypt to recipients", envPassphrase)
	}
	first, err := ask(c.Context, "new passphrase:", true)
	if err != nil {
		return "", err
	}
	again, err := ask(c.Context, "once more:", true)
	switch {
	case err != nil:
		return "", err
	case first != again:
		return "", errors.New("the two differ; nothing was changed")
	case first == "":
		return "", errors.New("a passphrase must not be empty")
	}
	return first, nil
}

// toWhom is lock where something has to be said.
func (a *application) toWhom(c *cli.Context) (vault.Lock, error) {
	to, err := a.lock(c)
	if err == nil && len(to.Recipients) == 0 && to.Passphrase == "" {
		err = exitError{engine.ExitOptions, errors.New("say to whom: --recipient KEY, --recipients-file FILE or --passphrase")}
	}
	return to, err
}

func (a *application) vaultEncrypt(c *cli.Context) error {
	files, err := vaultFiles(c)
	if err != nil {
		return err
	}
	to, err := a.toWhom(c)
	if err != nil {
		return err
	}
	for _, f := range files {
		if vault.IsEncrypted(f.text) {
			return exitError{engine.ExitInvalid, fmt.Errorf("%s is encrypted already; nactl vault rekey encrypts it to others", f.name)}
		}
		if f.new, err = vault.Encrypt(f.text, to); err != nil {
			return exitError{engine.ExitInvalid, fmt.Errorf("%s: %w", f.name, err)}
		}
		a.warnForm(f.name, f.text)
	}
	return a.writeVault(c, files, "encrypted")
}

func (a *application) vaultDecrypt(c *cli.Context) error {
	files, err := vaultFiles(c)
	if err != nil {
		return err
	}
	if err := a.open(c, files); err != nil {
		return err
	}
	for _, f := range files {
		f.new, f.mode = f.text, 0o600 // from now on it is readable for whoever may read it
	}
	return a.writeVault(c, files, "decrypted")
}

func (a *application) vaultView(c *cli.Context) error {
	files, err := vaultFiles(c)
	if err != nil {
		return err
	}
	if err := a.open(c, files); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := a.stdout.Write(f.text); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) vaultRekey(c *cli.Context) error {
	files, err := vaultFiles(c)
	if err != nil {
		return err
	}
	if err := a.open(c, files); err != nil {
		return err
	}
	to, err := a.toWhom(c)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.new, err = vault.Encrypt(f.text, to); err != nil {
			return exitError{engine.ExitInvalid, fmt.Errorf("%s: %w", f.name, err)}
		}
	}
	return a.writeVault(c, files, "encrypted anew")
}

// writeVault writes files, each as a whole or not at all.
func (a *application) writeVault(c *cli.Context, files []*vaultFile, what string) error {
	switch out := c.String("out"); {
	case out == "-":
		_, err := a.stdout.Write(files[0].new)
		return err
	case out != "":
		return swapFile(out, files[0].new, 0o600)
	}
	for _, f := range files {
		if err := swapFile(f.path, f.new, f.mode); err != nil {
			return exitError{engine.ExitUnexpected, err}
		}
		fmt.Fprintf(a.stderr, "%s %s\n", what, f.name)
	}
	return nil
}

// warnForm says where the text of a vault is no file of variables. The messages of
// the parser could show what is secret.
func (a *application) warnForm(name string, text []byte) {
	_, list := source.Parse(name, text)
	for _, d := range list {
		if d.Rule != source.RuleEmpty {
			fmt.Fprintf(a.stderr, "%s: warning: playbooks cannot read this (%s)\n", d.Range.Pos, d.Rule)
		}
	}
}

func (a *application) vaultKeygen(c *cli.Context) error {
	if c.Args().Present() {
		return exitError{engine.ExitOptions, errors.New("keygen takes no file but --out FILE")}
	}
	path := c.String("out")
	if path == "" {
		path = ownIdentity()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	text, public, err := vault.NewIdentity()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return exitError{engine.ExitOptions, fmt.Errorf("%s is there already: what is encrypted to it would be lost", path)}
	}
	if err != nil {
		return err
	}
	if _, err = f.WriteString(text); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, public)
	return err
}
