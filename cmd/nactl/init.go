package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
)

// starterFiles are the files of a new project.
//
//go:embed starter
var starterFiles embed.FS

// ciFiles are where each CI server looks for its file.
var ciFiles = map[string]string{"github": ".github/workflows/nactl.yml", "gitlab": ".gitlab-ci.yml"}

func (a *application) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "make a starter project: an inventory, a playbook, a file for CI", ArgsUsage: "[DIR]", OnUsageError: usageError,
		Description: "A file that is there already stays as it is. The playbook can be planned and played as it stands, on libvirt of this machine.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "ci", Value: "auto", Usage: "the file for CI is for `SERVER`: github, gitlab, none or auto"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return exitError{engine.ExitOptions, fmt.Errorf("one project at a time: nactl init %s", c.Args().First())}
			}
			dir := c.Args().First()
			if dir == "" {
				dir = "."
			}
			return a.init(dir, c.String("ci"))
		},
	}
}

// starterFile is a file of a new project.
type starterFile struct {
	path string // below the project's folder
	text []byte
}

func (a *application) init(dir, ci string) error {
	if ci == "auto" {
		ci = ciOf(dir)
	}
	servers := []string{"github", "gitlab", "none", "auto"}
	if !slices.Contains(servers, ci) {
		return exitError{engine.ExitOptions, fmt.Errorf("--ci is github, gitlab, none or auto, not %q%s", ci, diag.DidYouMean(ci, servers))}
	}
	files, err := starter(ci)
	if err != nil {
		return err
	}
	for _, f := range files {
		made, err := writeNew(filepath.Join(dir, filepath.FromSlash(f.path)), f.text)
		if err != nil {
			return err
		}
		if made {
			fmt.Fprintln(a.stdout, "made ", f.path)
		} else {
			fmt.Fprintln(a.stdout, "there", f.path)
		}
	}
	in := ""
	if dir != "." {
		in = "cd " + dir + "; "
	}
	fmt.Fprintf(a.stdout, "\nsay in inventory.yml where your nodes and engines are, then: %snactl plan site.yml\n", in)
	return nil
}

// starter gives the files of a project, with the schemas for editors.
func starter(ci string) ([]starterFile, error) {
	var files []starterFile
	from := map[string]string{"inventory.yml": "inventory.yml", "site.yml": "site.yml"}
	if path := ciFiles[ci]; path != "" {
		from[path] = ci + ".yml"
	}
	for path, name := range from {
		text, err := starterFiles.ReadFile("starter/" + name)
		if err != nil {
			return nil, err
		}
		files = append(files, starterFile{path, text})
	}
	for name, schema := range schemas {
		text, err := schemaText(schema())
		if err != nil {
			return nil, err
		}
		files = append(files, starterFile{".nactl/" + name + ".json", text})
	}
	slices.SortFunc(files, func(a, b starterFile) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// ciOf guesses the CI server from where the project's git repository is kept.
func ciOf(dir string) string {
	config, err := os.ReadFile(filepath.Join(dir, ".git", "config"))
	if err == nil && strings.Contains(string(config), "gitlab") {
		return "gitlab"
	}
	return "github"
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(path string, text []byte) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	if _, err := os.Lstat(path); err == nil {
		return false, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(0o644)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return false, err
	}
	// a link takes no other file's place, as a rename would
	switch err := os.Link(f.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}
