package main

import (
	"embed"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
)

// completionFiles are what shells read; each asks nactl for the words.
//
//go:embed completion
var completionFiles embed.FS

var shells = []string{"bash", "zsh", "fish"}

func (a *application) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "write what lets a shell complete commands, targets and names of VMs", ArgsUsage: "bash|zsh|fish", OnUsageError: usageError,
		Description: "For one shell session: source <(nactl completion bash). For all of them:\n\n" +
			"   bash  nactl completion bash >~/.local/share/bash-completion/completions/nactl\n" +
			"   zsh   nactl completion zsh >DIR/_nactl, where DIR is in fpath\n" +
			"   fish  nactl completion fish >~/.config/fish/completions/nactl.fish\n\n" +
			"The Debian package brings them along. Names of VMs come from the targets themselves, and are kept for half a minute.",
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			text, err := completionFiles.ReadFile("completion/nactl." + shell)
			if err != nil || c.NArg() != 1 {
				return exitError{engine.ExitOptions, fmt.Errorf("name a shell: bash, zsh or fish%s", diag.DidYouMean(shell, shells))}
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
}
