//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// address is a Config's URI, taken apart.
type address struct {
	driver  string   // qemu, test
	path    string   // /system, /default
	direct  bool     // the driver runs in this process: no daemon, no tunnel
	sockets []string // where the daemon may listen on the node, best first
}

// parseAddress reads the URI of a node. It refuses transports that would leave
// this package's own tunnel.
func parseAddress(cfg Config) (address, error) {
	uri := cfg.URI
	if uri == "" {
		uri = "qemu:///system"
	}
	bad := func(why, hint string) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: hostRef(cfg.Name), Summary: fmt.Sprintf("cannot use the URI %q: %s", uri, why), Hint: hint}
	}
	u, err := url.Parse(uri)
	if err != nil {
		return address{}, bad(err.Error(), "write it as qemu:///system")
	}
	driver, transport, _ := strings.Cut(u.Scheme, "+")
	a := address{driver: driver, path: u.Path}
	switch {
	case u.Host != "":
		return address{}, bad("it names a host", "give the node's address and user under ssh, and leave the URI to the driver, as qemu:///system")
	case transport != "" && transport != "unix":
		return address{}, bad("its transport is "+transport, "nactl brings its own: write it as "+driver+"://"+u.Path)
	case driver != "qemu" && driver != "test":
		return address{}, bad("nactl knows the drivers qemu and test", "write it as qemu:///system")
	}
	socket := u.Query().Get("socket")
	switch {
	case cfg.Socket != "":
		a.sockets = []string{cfg.Socket}
	case socket != "":
		a.sockets = []string{socket}
	case driver == "test" && transport == "" && cfg.SSH == nil:
		a.direct = true
	case u.Path == "/session" && cfg.SSH == nil:
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			return address{}, bad("XDG_RUNTIME_DIR is not set", "name the daemon's socket: qemu+unix:///session?socket=PATH")
		}
		a.sockets = []string{filepath.Join(dir, "libvirt", "libvirt-sock"), filepath.Join(dir, "libvirt", "virtqemud-sock")}
	default:
		a.sockets = []string{"/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"}
	}
	return a, nil
}

// connect opens one more libvirt connection to the node.
func (n *Node) connect(ctx context.Context) (*conn, error) {
	if err := startLoop(); err != nil {
		return nil, err
	}
	if n.addr.direct {
		return openConn(ctx, nil, n.addr.driver+"://"+n.addr.path)
	}
	remote, err := n.dialDaemon(ctx)
	if err != nil {
		return nil, err
	}
	t, err := newTunnel(remote, n.meter)
	if err != nil {
		remote.Close()
		return nil, err
	}
	if n.cfg.SSH == nil {
		n.meter.connected()
	}
	return openConn(ctx, t, t.uri(n.addr.driver, n.addr.path))
}

// dialDaemon reaches libvirt's socket on the node: the first that answers.
func (n *Node) dialDaemon(ctx context.Context) (net.Conn, error) {
	if n.cfg.SSH == nil {
		return dialLocal(ctx, n.cfg.Name, n.addr.sockets)
	}
	client, err := n.ssh(ctx)
	if err != nil {
		return nil, err
	}
	var missing []error
	for _, path := range n.addr.sockets {
		c, err := client.DialUnix(ctx, path)
		var none *ssh.NoSocketError
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, ssh.ErrForwardingRefused):
			return n.dialByCommand(ctx, client, path)
		case !errors.As(err, &none):
			return nil, err
		}
		missing = append(missing, err)
	}
	return nil, errors.Join(missing...)
}

// byCommand connects its stdin and stdout to the socket $1 with what the node
// has: a netcat that knows UNIX sockets, or libvirt's own helper. The helper
// finds the daemon of the URI $2 by itself and cannot be told a socket, so it is
// not asked when $2 is empty.
const byCommand = `if [ -n "$2" ] && command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper "$2"; fi
if command -v nc >/dev/null 2>&1; then exec nc -U "$1"; fi
if command -v socat >/dev/null 2>&1; then exec socat - UNIX-CONNECT:"$1"; fi
echo "sshd forwards no sockets, and none of virt-ssh-helper, nc and socat is installed" >&2; exit 127`

// dialByCommand reaches the socket where sshd forwards none.
func (n *Node) dialByCommand(ctx context.Context, client *ssh.Client, socket string) (net.Conn, error) {
	uri := n.addr.driver + "://" + n.addr.path
	if len(n.addr.sockets) == 1 {
		uri = "" // the inventory names the socket
	}
	c, err := client.DialExec(ctx, []string{"sh", "-c", byCommand, "sh", socket, uri})
	if err != nil {
		return nil, fmt.Errorf("%w; %w", ssh.ErrForwardingRefused, err)
	}
	return wayAround{c}, nil
}

// wayAround is a connection through a command. When that fails, forwarding is
// what the reader can mend.
type wayAround struct{ net.Conn }

// Read adds to the command's end why there had to be one.
func (w wayAround) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w; %w", ssh.ErrForwardingRefused, err)
	}
	return n, err
}

// dialLocal connects to a daemon of this machine.
func dialLocal(ctx context.Context, node string, sockets []string) (net.Conn, error) {
	var errs []error
	for _, path := range sockets {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if errors.Is(err, os.ErrPermission) {
			return nil, &virt.Error{Kind: virt.ErrAuth, Object: hostRef(node), Summary: "cannot connect to libvirt",
				Hint: "run as root, or join the group libvirt", Err: err}
		}
	}
	return nil, &virt.Error{Kind: virt.ErrUnreachable, Object: hostRef(node), Summary: "cannot connect to libvirt",
		Hint: "install and start libvirtd, or name its socket in the inventory", Err: errors.Join(errs...)}
}

func hostRef(name string) virt.Ref { return virt.Ref{Kind: virt.KindHost, Name: name} }
