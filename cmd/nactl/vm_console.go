package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/virt"
)

// hangUpKey is ^], which leaves a console, as in virsh and telnet.
const hangUpKey = 0x1d

// consoleCommand connects to the serial console of a VM.
func (a *application) consoleCommand() *cli.Command {
	return &cli.Command{
		Name: "console", Usage: "connect to the serial console of a VM; ^] leaves it", ArgsUsage: "VM", OnUsageError: usageError,
		Flags:  slices.Concat(targetFlags(), []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "take the place of whoever is connected"}}),
		Action: a.onDirect((*direct).console),
	}
}

func (d *direct) console() error {
	words, err := words(d.c)
	if err != nil {
		return err
	}
	if d.app.stdin == nil || !terminal(d.app.stdin) {
		return exitError{engine.ExitOptions, errors.New("a console needs a terminal to type at")}
	}
	vm, err := d.find(words[0], toChange)
	if err != nil {
		return err
	}
	consoled, ok := vm.platform.(virt.Consoled)
	if !ok {
		return exitError{engine.ExitFailed, fmt.Errorf("vm %s: an engine gives out no serial console itself: use its VNC or SPICE console in the engine's pages, or its console proxy: ssh -t -p 2222 ovirt-vmconsole@ENGINE connect --vm-name %s", words[0], words[0])}
	}
	fd := int(d.app.stdin.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.app.stderr, "connecting to the console of vm %s on %s; ^] leaves it\r\n", words[0], vm.target)
	keys := make(chan []byte)
	over := make(chan struct{})
	go typed(d.app.stdin, keys, over)
	err = consoled.Console(d.ctx, words[0], d.c.Bool("force"), keys, d.app.stdout)
	close(over)
	restored := term.Restore(fd, before)
	fmt.Fprintln(d.app.stderr)
	return errors.Join(d.readError(err), restored)
}

// typed passes on what is typed up to the key that leaves. A read that waits for a
// key ends with the program.
func typed(in *os.File, keys chan<- []byte, over <-chan struct{}) {
	defer close(keys)
	for {
		buf := make([]byte, 256)
		n, err := in.Read(buf)
		text, _, left := bytes.Cut(buf[:n], []byte{hangUpKey})
		if len(text) > 0 {
			select {
			case keys <- text:
			case <-over:
				return
			}
		}
		if left || err != nil {
			return
		}
	}
}
