package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// The node agent had three programs. Called by their names, this one understands
// their words and options, and does what nactl's own commands do.

// oldConfig is where the old programs read their configuration.
const oldConfig = "/etc/node-agent/config.yaml"

// oldName is a name of the old programs that this one was called by.
type oldName struct {
	name string
	uri  string // of libvirt, from the old configuration; empty: the usual one
	// answers tells that the exit code is an answer, so that nactl's own errors need
	// another.
	answers bool
}

// oldProgram is one of them.
type oldProgram struct {
	usage   string
	options []oldOption
	// translate gives nactl's own words for what was typed.
	translate func(o oldWords) ([]string, error)
}

// oldOption is an option of an old program.
type oldOption struct {
	long, short string
	value       bool // takes one
}

// oldWords is what was typed: options by their long names, and what is left.
type oldWords struct {
	options map[string]string
	words   []string
}

func (o oldWords) is(name string) bool {
	_, ok := o.options[name]
	return ok
}

var commonOptions = []oldOption{{"config", "c", true}, {"loglvl", "l", true}, {"help", "h", false}}

const commonUsage = `
  -c, --config FILE   the configuration [default: ` + oldConfig + `], of which the
                      libvirt URI is taken
  -l, --loglvl LEVEL  understood, and of no effect: nactl says what it has to
  -h, --help          this text
`

// oldPrograms are the old programs by their names.
var oldPrograms = map[string]oldProgram{
	"na-vmctl": {
		usage: `na-vmctl: nactl vm by its old name

Usage:
  na-vmctl [options] status VM
  na-vmctl [options] is-running VM
  na-vmctl [options] start VM
  na-vmctl [options] shutdown VM [-f|--force] [-9|--sigkill]
  na-vmctl [options] set-vcpus VM NUMBER
  na-vmctl [options] set-memory VM MEBIBYTES
  na-vmctl [options] list [-a|--all]

Options:
  -f, --force         cut the power: end its process by SIGTERM
  -9, --sigkill       with --force: by SIGKILL, if it does not end
  -a, --all           also VMs that do not run` + commonUsage,
		options:   append([]oldOption{{"force", "f", false}, {"sigkill", "9", false}, {"all", "a", false}}, commonOptions...),
		translate: oldVMCtl,
	},
	"na-vmexec": {
		usage: `na-vmexec: nactl exec by its old name

Usage:
  na-vmexec [options] VM COMMAND
  na-vmexec [options] --pid PID VM

Options:
  -s, --shell SHELL   of the guest [default: /bin/sh]
  -t, --timeout SEC   seconds to wait for the end of the command [default: 60]
  -p, --pid PID       wait for a command that was left running` + commonUsage,
		options:   append([]oldOption{{"shell", "s", true}, {"timeout", "t", true}, {"pid", "p", true}}, commonOptions...),
		translate: oldVMExec,
	},
}

// oldArgv gives nactl's own arguments for those of an old program, which argv[0]
// names. ok is false for any other name.
func (a *application) oldArgv(argv []string) (translated []string, ok bool, err error) {
	name := filepath.Base(argv[0])
	if name == "na-volctl" { // was never written: its words are nactl's
		a.old = &oldName{name: name}
		if a.old.uri, err = oldURI(""); err != nil {
			return nil, true, exitError{engine.ExitOptions, err}
		}
		return append([]string{"nactl", "vol"}, argv[1:]...), true, nil
	}
	program, ok := oldPrograms[name]
	if !ok {
		return argv, false, nil
	}
	a.old = &oldName{name: name, answers: name == "na-vmexec" || slices.Contains(argv[1:], "is-running")}
	words, err := program.read(argv[1:])
	if err != nil {
		return nil, true, exitError{engine.ExitOptions, fmt.Errorf("%w\n\n%s", err, program.usage)}
	}
	if words.is("help") {
		_, err := fmt.Fprint(a.stdout, program.usage)
		return nil, true, err
	}
	if translated, err = program.translate(words); err != nil {
		return nil, true, exitError{engine.ExitOptions, fmt.Errorf("%w\n\n%s", err, program.usage)}
	}
	if a.old.uri, err = oldURI(words.options["config"]); err != nil {
		return nil, true, exitError{engine.ExitOptions, err}
	}
	return append([]string{"nactl"}, translated...), true, nil
}

// read takes options out from wherever they stand. Behind -- all are words; and
// behind the words that na-vmexec has, for the command has options of its own.
func (p oldProgram) read(args []string) (oldWords, error) {
	out := oldWords{options: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			out.words = append(out.words, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			out.words = append(out.words, arg)
			continue
		}
		var list []oldOption
		value, assigned := "", false
		if name, long := strings.CutPrefix(arg, "--"); long {
			name, value, assigned = strings.Cut(name, "=")
			o, ok := p.option(func(o oldOption) bool { return o.long == name })
			if !ok {
				return out, fmt.Errorf("unknown option %s", arg)
			}
			list = append(list, o)
		} else {
			for j, letter := range arg[1:] {
				o, ok := p.option(func(o oldOption) bool { return o.short == string(letter) })
				if !ok {
					return out, fmt.Errorf("unknown option -%c", letter)
				}
				list = append(list, o)
				if rest := arg[1+j+1:]; o.value && rest != "" {
					value, assigned = rest, true
					break
				}
			}
		}
		for _, o := range list {
			switch {
			case !o.value && assigned && !list[len(list)-1].value:
				return out, fmt.Errorf("--%s takes no value", o.long)
			case !o.value:
				out.options[o.long] = ""
			case assigned:
				out.options[o.long] = value
			case i+1 < len(args):
				i++
				out.options[o.long] = args[i]
			default:
				return out, fmt.Errorf("--%s needs a value", o.long)
			}
		}
	}
	return out, nil
}

func (p oldProgram) option(fits func(oldOption) bool) (oldOption, bool) {
	i := slices.IndexFunc(p.options, fits)
	if i < 0 {
		return oldOption{}, false
	}
	return p.options[i], true
}

// oldVerbs are the verbs of na-vmctl: nactl's own, the words that follow, and the
// options that belong to it.
var oldVerbs = map[string]struct {
	now     string
	words   []string
	options []string
}{
	"status":     {"status", []string{"VM"}, nil},
	"is-running": {"is-running", []string{"VM"}, nil},
	"start":      {"start", []string{"VM"}, nil},
	"shutdown":   {"shutdown", []string{"VM"}, []string{"force", "sigkill"}},
	"set-vcpus":  {"set-cpu", []string{"VM", "NUMBER"}, nil},
	"set-memory": {"set-memory", []string{"VM", "MEBIBYTES"}, nil},
	"list":       {"list", nil, []string{"all"}},
}

func oldVMCtl(o oldWords) ([]string, error) {
	if len(o.words) == 0 {
		return nil, errors.New("a command is missing")
	}
	name, words := o.words[0], o.words[1:]
	v, ok := oldVerbs[name]
	if !ok {
		var names []string
		for n := range oldVerbs {
			names = append(names, n)
		}
		return nil, fmt.Errorf("unknown command %q%s", name, diag.DidYouMean(name, names))
	}
	switch {
	case len(words) < len(v.words):
		return nil, fmt.Errorf("%s: %s is missing", name, v.words[len(words)])
	case len(words) > len(v.words):
		return nil, fmt.Errorf("%s: what is %q?", name, words[len(v.words)])
	}
	out := []string{"vm", v.now}
	for _, option := range []string{"force", "sigkill", "all"} {
		switch {
		case !o.is(option):
		case !slices.Contains(v.options, option):
			return nil, fmt.Errorf("%s does not take --%s", name, option)
		case option == "sigkill" && !o.is("force"): // so it was: without force the guest is asked
		default:
			out = append(out, "--"+option)
		}
	}
	if len(words) == 2 {
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s: %s is a number from 1 on, not %q", name, v.words[1], words[1])
		}
		if name == "set-memory" {
			words[1] += "MiB"
		}
	}
	return append(append(out, "--"), words...), nil
}

func oldVMExec(o oldWords) ([]string, error) {
	out := []string{"exec", "--shell", "/bin/sh"}
	if shell := o.options["shell"]; shell != "" {
		out[2] = shell
	} else if o.is("shell") {
		return nil, errors.New("--shell is empty")
	}
	if text, ok := o.options["timeout"]; ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--timeout is a number of seconds from 1 on, not %q", text)
		}
		out = append(out, "--timeout", text+"s")
	}
	words := o.words
	if pid, ok := o.options["pid"]; ok {
		out = append(out, "--pid", pid)
		words = words[:min(len(words), 1)] // a command that was given with it is not run again
	}
	switch {
	case len(words) == 0:
		return nil, errors.New("VM is missing")
	case len(words) == 1 && !o.is("pid"):
		return nil, errors.New("COMMAND is missing")
	case len(words) > 2:
		return nil, fmt.Errorf("what is %q? COMMAND is one word: quote it as a whole", words[2])
	}
	return append(append(out, "--"), words...), nil
}

// libvirtURI is what a URI of libvirt looks like.
var libvirtURI = regexp.MustCompile(`^(qemu|test|xen|lxc|ch|bhyve|vz|openvz|vbox|esx|gsx|vpx|hyperv)(\+[a-z0-9]+)?://`)

// oldURI takes the one libvirt URI out of an old configuration, under whatever
// key it stands, for its keys were never written down. Where nobody named a file
// and the usual one is not there, it is empty.
func oldURI(file string) (string, error) {
	path := file
	if path == "" {
		path = oldConfig
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the configuration: %w", err)
	}
	n, list := source.Parse(path, text)
	if err := list.Err(); err != nil {
		return "", fmt.Errorf("the configuration: %w", err)
	}
	var found []string
	var look func(n *source.Node)
	look = func(n *source.Node) {
		if n == nil {
			return
		}
		if n.Kind == source.String && libvirtURI.MatchString(n.Str) && !slices.Contains(found, n.Str) {
			found = append(found, n.Str)
		}
		for _, item := range n.Items {
			look(item)
		}
		for _, e := range n.Entries {
			look(e.Value)
		}
	}
	look(n)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the configuration %s holds no libvirt URI, as qemu:///system", path)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("the configuration %s holds several libvirt URIs: %s; leave one", path, strings.Join(found, ", "))
}
