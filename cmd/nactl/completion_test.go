package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inShells are how each shell is asked what it would offer for a line, given as
// words of which the last is completed. bash hands --name=value over in three.
var inShells = map[string]string{
	"bash": `source <(nactl completion bash)
		words=(); for w in "$@"; do case $w in --*=*) words+=("${w%%=*}" = "${w#*=}") ;; *) words+=("$w") ;; esac; done
		[ "${words[-1]}" != "" ] || [ "${words[-2]}" != = ] || unset 'words[-1]'
		COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1)); _nactl
		for w in "${COMPREPLY[@]}"; do case ${!#} in --*=*) echo "${!#%%=*}=$w" ;; *) echo "$w" ;; esac; done`,
	"zsh": `compdef() { }; compset() { }; _files() { print -l -- ${words[CURRENT]}*(N) }
		_describe() { local w; for w in "${(@P)3}"; do print -r -- "$prefix${${w%:*}//\\:/:}"; done }
		source <(nactl completion zsh); words=("$@") CURRENT=$#; _nactl`,
	"fish": `nactl completion fish | source; complete -C (string join ' ' -- $argv) | string replace -r '\t.*' ''; true`,
}

// TestShells lets the shells themselves complete lines.
func TestShells(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "nactl")); err != nil { // testscript.Main runs it by this name
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "inventory.yml"), "nodes:\n  here: {uri: \"test:///default\"}\n  kvm[1:2]: {uri: \"test:///default\"}\ngroups:\n  web: {members: [here]}\n")
	write(t, filepath.Join(dir, "site.yml"), "[]\n")
	for _, tt := range []struct {
		line string // words
		want []string
	}{
		{"nactl pl", []string{"plan", "play"}},
		{"nactl play --det", []string{"--detailed-exitcode"}},
		{"nactl play --output=j", []string{"--output=json"}},
		{"nactl play -o ", []string{"human", "json", "quiet"}},
		{"nactl play -l ", []string{"here", "kvm1", "kvm2", "web"}},
		{"nactl play -v si", []string{"site.yml"}},
		{"nactl vars k", []string{"kvm1", "kvm2"}},
		{"nactl doc set_c", []string{"set_cpu"}},
		{"nactl completion f", []string{"fish"}},
		{"nactl version x", nil},
	} {
		for shell, script := range inShells {
			t.Run(shell+" "+tt.line, func(t *testing.T) {
				args := []string{"-c", script}
				if shell != "fish" {
					args = append(args, shell)
				}
				cmd := exec.Command(shell, append(args, strings.Split(tt.line, " ")...)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				got := strings.Fields(string(out))
				slices.Sort(got)
				if got = slices.Compact(got); !slices.Equal(got, tt.want) {
					t.Errorf("offers %q, wanted %q", got, tt.want)
				}
			})
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
