package ovirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// guestSection is what the inventory lacks where nothing says how guests are
// logged in to.
const guestSection = "write how guests are logged in to into the inventory, for all engines or in one engine's entry: " +
	"guests: {user: admin, identity_file: ~/.ssh/id_ed25519, become: sudo}"

// guestAccess gives an error when nothing says how guests are logged in to.
func (e *Engine) guestAccess(vm virt.Ref) error {
	if e.cfg.Guests != nil {
		return nil
	}
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: "its guest cannot be logged in to: the inventory has no guests section",
		Wanted: "SSH access: an engine itself has no way into a guest", Hint: guestSection}
}

// inGuest runs fn with the SSH connection of a VM's guest. fn is called again, on
// a new connection, when the one that was there turns out to be dead before
// anything was sent.
func (e *Engine) inGuest(ctx context.Context, vm string, fn func(ctx context.Context, c *ssh.Client) error) error {
	if err := e.guestAccess(virt.VMRef(vm)); err != nil {
		return err
	}
	for first := true; ; first = false {
		m, err := e.guestOf(ctx, vm)
		if err != nil {
			return err
		}
		c, leave, err := e.logins.get(ctx, m.id, func(ctx context.Context) (*ssh.Client, error) { return e.login(ctx, m) })
		if err != nil {
			return err
		}
		err = fn(ctx, c)
		dead := c.Err() != nil
		leave()
		var not *ssh.NotStartedError
		if !errors.As(err, &not) || ctx.Err() != nil {
			return err
		}
		if !dead || !first {
			return &virt.Error{Kind: virt.ErrAgent, Object: virt.VMRef(vm), Summary: "its sshd does not take a command", Err: not.Err,
				Hint: "look at sshd in the guest"}
		}
	}
}

// guestOf gives a running VM with an address, looked at again when it was neither
// a moment ago.
func (e *Engine) guestOf(ctx context.Context, vm string) (*machine, error) {
	for again := false; ; again = true {
		m, err := e.machine(ctx, vm)
		switch {
		case err != nil:
			return nil, err
		case m.vm.State.IsLive() && len(m.vm.Addresses) > 0:
			return m, nil
		case again:
			return nil, noWay(m)
		}
		e.Forget(virt.VMRef(vm))
	}
}

// noWay says why a guest has no address to connect to.
func noWay(m *machine) error {
	ref := m.vm.Ref()
	switch {
	case !m.vm.State.IsLive():
		return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "is not running", Wanted: "a running VM", Found: string(m.vm.State),
			Hint: "start it with power: {state: running}"}
	case m.guest.Agent != virt.AgentConnected:
		return &virt.Error{Kind: virt.ErrAgent, Object: ref, Summary: "has no address that its engine knows of", Wanted: "an address that the guest agent reports",
			Found: "no guest agent that reports", Hint: "wait for it with wait_for: {vm: " + m.vm.Name + ", for: agent}; a guest without agent needs qemu-guest-agent (or ovirt-guest-agent) installed and running"}
	}
	return &virt.Error{Kind: virt.ErrAgent, Object: ref, Summary: "has no address yet", Wanted: "an address that the guest agent reports",
		Found: "an agent that reports none", Hint: "wait for it with wait_for: {vm: " + m.vm.Name + ", for: ip}, and look at the guest's network"}
}

// login connects to the first of a guest's addresses where its sshd answers.
func (e *Engine) login(ctx context.Context, m *machine) (*ssh.Client, error) {
	var found []error
	for _, address := range m.vm.Addresses {
		cfg := *e.cfg.Guests
		cfg.Address = address
		if m.hostKey.public != "" {
			cfg.PinnedKeys, cfg.PinnedBy = []string{m.hostKey.public}, "what the engine has stored with VM "+m.vm.Name
		}
		c, err := e.cfg.Dialer.Dial(ctx, cfg)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		found = append(found, err)
	}
	return nil, e.loginFailed(m, found)
}

// loginFailed says why no address let us in: the one that came furthest tells
// most.
func (e *Engine) loginFailed(m *machine, found []error) error {
	ref := m.vm.Ref()
	for _, err := range found {
		var refused *ssh.AuthError
		if errors.As(err, &refused) {
			return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "its sshd does not let " + refused.User + " in", Err: err,
				Hint: "look at user and identity_file of guests in the inventory; create_vm puts keys into a guest by ssh_keys"}
		}
	}
	for _, err := range found {
		var changed *ssh.HostKeyMismatchError
		if errors.As(err, &changed) {
			return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "its host key is not the one that is known", Wanted: changed.Want,
				Found: changed.KeyType + " " + changed.Fingerprint + " at " + changed.Host, Err: err, Hint: mendHint(changed)}
		}
	}
	for _, err := range found {
		var unknown *ssh.HostKeyUnknownError
		if errors.As(err, &unknown) {
			return &virt.Error{Kind: virt.ErrConflict, Object: ref, Summary: "its host key is not known", Wanted: "a key in " + strings.Join(unknown.KnownHosts, ", "),
				Found: unknown.KeyType + " " + unknown.Fingerprint + " at " + unknown.Host, Err: err,
				Hint: "compare the fingerprint with the guest's own, then run: " + unknown.Hint + "; or write host_key: accept_new into guests of the inventory, which takes unknown keys at first sight and records them"}
		}
	}
	all := errors.Join(found...)
	var away *ssh.UnreachableError
	if !errors.As(all, &away) {
		return &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: "its guest cannot be logged in to", Err: all, Hint: "mend guests in the inventory"}
	}
	return &virt.Error{Kind: virt.ErrAgent, Object: ref, Summary: "its sshd does not answer", Wanted: fmt.Sprintf("SSH on port %d", e.guestPort()),
		Found: "addresses " + strings.Join(m.vm.Addresses, ", "), Err: all,
		Hint: fmt.Sprintf("wait for it with wait_for: {vm: %s, for: ssh%s}, or look at sshd and the firewall in the guest", m.vm.Name, e.portArg())}
}

func (e *Engine) guestPort() int {
	if p := e.cfg.Guests.Port; p != 0 {
		return p
	}
	return ssh.DefaultPort
}

func (e *Engine) portArg() string {
	if e.guestPort() == ssh.DefaultPort {
		return ""
	}
	return fmt.Sprintf(", port: %d", e.guestPort())
}

// mendHint says what to do about a host key that is another than the known one.
func mendHint(k *ssh.HostKeyMismatchError) string {
	switch {
	case k.Revoked:
		return "the key was revoked: give the guest another"
	case k.PinnedBy != "":
		return "somebody may be in between; if the guest really has another key now, take the line that begins with \"" + hostKeyMark +
			"\" out of the VM's cloud-init script on the engine: known_hosts counts then"
	}
	return "somebody may be in between; if the guest really has another key now, run: ssh-keygen -f " + ssh.Quote(k.File) + " -R " + ssh.Quote(k.Host)
}

// jumpHost is the pool's name for the last machine that guests are reached through;
// VMs' ids look otherwise.
const jumpHost = "jump"

// dialGuest opens a TCP connection to where guests are reached from.
func (e *Engine) dialGuest(ctx context.Context, address string) (net.Conn, error) {
	if e.cfg.Guests == nil || len(e.cfg.Guests.Jump) == 0 {
		d := net.Dialer{Timeout: portTime}
		return d.DialContext(ctx, "tcp", address)
	}
	c, leave, err := e.logins.get(ctx, jumpHost, func(ctx context.Context) (*ssh.Client, error) {
		hops := e.cfg.Guests.Jump
		last := hops[len(hops)-1]
		if len(hops) > 1 {
			last.Jump = hops[:len(hops)-1]
		}
		last.SSHConfig, last.Agent = cmp.Or(last.SSHConfig, e.cfg.Guests.SSHConfig), cmp.Or(last.Agent, e.cfg.Guests.Agent)
		return e.cfg.Dialer.Dial(ctx, last)
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, portTime)
	defer cancel()
	conn, err := c.DialTCP(ctx, address)
	if err != nil {
		leave()
		return nil, err
	}
	return &throughJump{Conn: conn, leave: leave}, nil
}

// throughJump is a connection that keeps the one to its jump host open.
type throughJump struct {
	net.Conn
	leave func()
	once  sync.Once
}

func (c *throughJump) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}

// loses tells whether a change ends the connection to the VM's guest.
func loses(c virt.Change) bool {
	switch c.(type) {
	case virt.Shutdown, virt.PowerOff, virt.Suspend, virt.Reboot, virt.Reset, virt.DeleteVM, virt.RevertSnapshot:
		return true
	}
	return false
}
