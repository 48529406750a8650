package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/virt"
)

// userFlag names the user of a guest.
func userFlag() cli.Flag {
	return &cli.StringFlag{Name: "user", Aliases: []string{"u"}, Value: "root", Usage: "the user `NAME` in the guest"}
}

// sshKeysCommand holds the commands for the keys that let in as a user of a guest.
func (a *application) sshKeysCommand() *cli.Command {
	c := &cli.Command{Name: "ssh-keys", Usage: "which SSH keys let in as a user of a running VM", OnUsageError: usageError, HideHelpCommand: true,
		Description: "A KEY is a public key, or the file that holds some."}
	c.Subcommands = append(c.Subcommands, &cli.Command{
		Name: "list", Usage: "the keys that let in, one a line", ArgsUsage: "VM", OnUsageError: usageError,
		Flags: readFlags("table, json, csv or yaml", userFlag()), Action: a.onDirect((*direct).listSSHKeys),
	})
	keys := func(argument string, exclusive bool) func(*cli.Context, []string) (command, error) {
		return func(c *cli.Context, words []string) (command, error) {
			args := onVM(words)
			args.set("user", "--user", c.String("user"))
			keys, err := publicKeys(words[1:], "KEY")
			if err != nil {
				return command{}, err
			}
			args.set(argument, "KEY", keys)
			if exclusive {
				args.set("exclusive", "the command", true)
			}
			return command{word: "ssh_keys", args: args}, nil
		}
	}
	for _, v := range []verb{
		{name: "add", usage: "let keys in", words: "VM KEY…", flags: []cli.Flag{userFlag()}, step: keys("keys", false)},
		{name: "remove", usage: "let keys in no longer", words: "VM KEY…", flags: []cli.Flag{userFlag()}, step: keys("remove", false)},
		{name: "set", usage: "let these keys in, and no others", words: "VM KEY…", flags: []cli.Flag{userFlag()}, step: keys("keys", true),
			destroys: func(c *cli.Context, words []string) string {
				return fmt.Sprintf("take all other keys of %s in vm %s away", c.String("user"), words[0])
			}},
	} {
		c.Subcommands = append(c.Subcommands, a.verbCommand(v))
	}
	c.Action = chooseVerb(c)
	return c
}

func (d *direct) listSSHKeys() error {
	write, err := formatter(d.c.String("output"))
	if err != nil {
		return err
	}
	f, err := d.named()
	if err != nil {
		return err
	}
	o, err := virt.Read(d.ctx, f.platform, virt.SSHKeysRef(f.vm.Name, d.c.String("user")))
	if err != nil {
		return d.readError(err)
	}
	rows := []row{}
	if s, ok := o.(*virt.SSHKeys); ok && s != nil {
		for _, k := range s.Keys {
			rows = append(rows, row{"user": d.c.String("user"), "key": k})
		}
	}
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error {
		if d.c.String("output") != "table" {
			return write(w, []string{"user", "key"}, rows)
		}
		for _, r := range rows {
			if _, err := fmt.Fprintln(w, cell(r["key"])); err != nil {
				return err
			}
		}
		return nil
	})
}
