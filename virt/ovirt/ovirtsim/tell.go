package ovirtsim

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Command is a knob that can be turned by a line of text while the engine runs.
type Command struct {
	Usage string // the word, then its arguments
	Doc   string
	run   func(e *Engine, args []string) error
}

// Commands are the lines that [Engine.Tell] understands.
func Commands() []Command { return slices.Clone(commands) }

var commands []Command

func init() { // not a literal: help lists the table that it is in
	commands = []Command{
		{"expire-tokens", "end all sessions: the next request of each client is a 401", simply((*Engine).ExpireTokens)},
		{"expire-password", "refuse the right password from now on", simply((*Engine).ExpirePassword)},
		{"unavailable DURATION", "answer everything, logins too, with a page and status 503", lasting((*Engine).unavailable)},
		{"restart DURATION", "end all sessions, then be unavailable", lasting(func(e *Engine, d time.Duration) { e.ExpireTokens(); e.unavailable(d) })},
		{"pages DURATION [METHOD PATH]", "answer calls with an HTML page and status 500, executing nothing", matching(Injection{Status: 500, HTML: true})},
		{"refuse-busy DURATION [METHOD PATH]", "answer calls with the 409 of a lock that another operation holds", busy},
		{"lose-reply [METHOD PATH]", "execute the next call that writes, or that matches, and close the connection instead of answering", once(Injection{LoseReply: true})},
		{"drop [METHOD PATH]", "close the connection of the next call that writes, or that matches, executing nothing", once(Injection{Drop: true})},
		{"slow DURATION [METHOD PATH]", "answer calls so much later, until heal", slow},
		{"slow-setup HOST DURATION", "let setupnetworks on a host take so long", slowSetup},
		{"fail-setup HOST", "let setupnetworks fail on a host", byName((*Engine).FailSetup)},
		{"fail-hotplug VM", "let a VM's guest refuse CPUs, memory, disks and NICs while it runs", byName((*Engine).FailHotPlug)},
		{"fail-migration VM", "let migrations of a VM fail at their end", byName((*Engine).FailMigration)},
		{"fail-start VM", "let a VM stop while it starts", byName((*Engine).FailStart)},
		{"fail-copy VM", "let the disks that are copied for a VM end illegal", byName((*Engine).FailCopy)},
		{"fail-disk DISK", "let a new disk of that name end illegal", byName((*Engine).FailDisk)},
		{"fail-transfer DISK", "find what is uploaded into a disk of that name unusable", byName((*Engine).FailTransfer)},
		{"old-imageio", "let the service for images know nothing but GET and PUT", simply((*Engine).OldImageio)},
		{"ignore-shutdown VM", "let a VM's guest ignore shutdowns", byName((*Engine).IgnoreShutdown)},
		{"no-agent VM", "let a VM's guest report nothing", byName((*Engine).NoAgent)},
		{"lock-vm VM", "hold a VM's lock, as another operation would, until heal", lockVM},
		{"lose-host HOST", "let a host not respond, with the VMs on it", onHost((*Engine).LoseHost)},
		{"find-host HOST", "bring a lost host back", onHost((*Engine).FindHost)},
		{"host-state HOST STATE", "put a host into a state that it got into by itself, as down or installing", hostState},
		{"fail-activate HOST", "let a host end install_failed when it is activated", byName((*Engine).FailActivate)},
		{"fail-snapshot VM", "let snapshots of a VM fail", byName((*Engine).FailSnapshot)},
		{"reboot-host HOST", "reboot a host: network configuration that was not committed is lost", onHost((*Engine).RebootHost)},
		{"desync HOST NETWORK", "let a host carry a network otherwise than it is defined", desync},
		{"address VM NIC IP [IP...]", "let a VM's guest agent report these addresses for a NIC", address},
		{"heal", "end all of the above, but what happened to hosts and addresses", simply((*Engine).undo)},
	}
}

// Tell turns a knob by a line of text, as "lose-host host1".
func (e *Engine) Tell(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return fmt.Errorf("ovirtsim: an empty command")
	}
	for _, c := range commands {
		usage := strings.Fields(c.Usage)
		if usage[0] != words[0] {
			continue
		}
		if err := c.run(e, words[1:]); err != nil {
			return fmt.Errorf("ovirtsim: %s: %w; usage: %s", line, err, c.Usage)
		}
		return nil
	}
	var known []string
	for _, c := range commands {
		word, _, _ := strings.Cut(c.Usage, " ")
		known = append(known, word)
	}
	return fmt.Errorf("ovirtsim: unknown command %q; there are: %s", words[0], strings.Join(known, ", "))
}

// ControlPath is where an engine with [Options].Control takes commands by POST, a
// line each.
const ControlPath = "/engine-sim"

// maxControl bounds the commands of one request.
const maxControl = 64 << 10

// control answers a request to ControlPath.
func (e *Engine) control(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "commands are posted, a line each", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControl))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := e.Tell(line); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// onHeal notes what heal ends.
func (e *Engine) onHeal(end func()) {
	e.toldMu.Lock()
	defer e.toldMu.Unlock()
	e.told = append(e.told, end)
}

// undo ends what commands began.
func (e *Engine) undo() {
	e.toldMu.Lock()
	told := e.told
	e.told = nil
	e.toldMu.Unlock()
	for _, end := range told {
		end()
	}
	e.Heal()
}

// tellInject commits a fault until heal.
func (e *Engine) tellInject(i Injection) { e.onHeal(e.Inject(i)) }

func simply(f func(*Engine)) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("it takes no arguments")
		}
		f(e)
		return nil
	}
}

func byName(f func(*Engine, string)) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("it takes one name")
		}
		f(e, args[0])
		return nil
	}
}

func lasting(f func(*Engine, time.Duration)) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("it takes a duration")
		}
		d, err := duration(args[0])
		if err == nil {
			f(e, d)
		}
		return err
	}
}

// unavailable is Unavailable until heal.
func (e *Engine) unavailable(d time.Duration) {
	e.tellInject(Injection{Match: func(Request) bool { return true }, For: d, Status: 503, HTML: true})
}

func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && d <= 0 {
		err = fmt.Errorf("duration %s is not positive", s)
	}
	return d, err
}

// calls reads [METHOD PATH], the path below the API's; without it all calls match.
func calls(args []string) (func(Request) bool, error) {
	switch len(args) {
	case 0:
		return nil, nil
	case 2:
		return On(strings.ToUpper(args[0]), args[1]), nil
	}
	return nil, fmt.Errorf("a method and a path belong together, as POST /vms/*/start")
}

// matching commits a fault for a time.
func matching(i Injection) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("it takes a duration")
		}
		i := i
		var err error
		if i.For, err = duration(args[0]); err != nil {
			return err
		}
		if i.Match, err = calls(args[1:]); err != nil {
			return err
		}
		e.tellInject(i)
		return nil
	}
}

func busy(e *Engine, args []string) error {
	f := command{"run", "VM"}.refuse("ACTION_TYPE_FAILED_OBJECT_LOCKED")
	return matching(Injection{Status: f.status, Detail: f.detail})(e, args)
}

// once commits a fault for the next call.
func once(i Injection) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		i := i
		i.Times = 1
		var err error
		if i.Match, err = calls(args); err != nil {
			return err
		}
		if i.Match == nil {
			i.Match = func(r Request) bool {
				return strings.HasPrefix(r.Path, base+"/") && r.Method != http.MethodGet && r.Method != http.MethodHead
			}
		}
		e.tellInject(i)
		return nil
	}
}

func slow(e *Engine, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("it takes a duration")
	}
	d, err := duration(args[0])
	if err != nil {
		return err
	}
	match, err := calls(args[1:])
	if err == nil {
		e.tellInject(Injection{Match: match, Delay: d})
	}
	return err
}

func slowSetup(e *Engine, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("it takes a host and a duration")
	}
	d, err := duration(args[1])
	if err == nil {
		e.SlowSetup(args[0], d)
	}
	return err
}

func lockVM(e *Engine, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("it takes one name")
	}
	if !e.has("vms", args[0]) {
		return fmt.Errorf("there is no VM %q", args[0])
	}
	e.onHeal(e.LockVM(args[0]))
	return nil
}

// onHost is a knob that tells whether there is such a host.
func onHost(f func(*Engine, string) bool) func(*Engine, []string) error {
	return func(e *Engine, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("it takes one name")
		}
		if !f(e, args[0]) {
			return fmt.Errorf("there is no host %q", args[0])
		}
		return nil
	}
}

// hostStates are those that a host gets into without an order.
var hostStates = []string{"up", "down", "error", "installing", "install_failed", "maintenance", "non_operational", "non_responsive", "connecting", "reboot", "unassigned"}

func hostState(e *Engine, args []string) error {
	switch {
	case len(args) != 2:
		return fmt.Errorf("it takes a host and a state")
	case !slices.Contains(hostStates, args[1]):
		return fmt.Errorf("a state is one of %s", strings.Join(hostStates, ", "))
	case !e.SetHostState(args[0], args[1]):
		return fmt.Errorf("there is no host %q", args[0])
	}
	return nil
}

func desync(e *Engine, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("it takes a host and a network")
	}
	if !e.Desync(args[0], args[1]) {
		return fmt.Errorf("host %q does not carry network %q", args[0], args[1])
	}
	return nil
}

func (e *Engine) has(path, name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return named(e.col(path).list, name) != nil
}

func address(e *Engine, args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("it takes a VM, a NIC and addresses")
	}
	for _, ip := range args[2:] {
		if _, err := netip.ParseAddr(ip); err != nil {
			return err
		}
	}
	if !e.SetAddress(args[0], args[1], args[2:]...) {
		return fmt.Errorf("there is no VM %q with NIC %q", args[0], args[1])
	}
	return nil
}
