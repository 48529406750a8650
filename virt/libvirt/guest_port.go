//go:build cgo

package libvirt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

const (
	portConnect = 5 * time.Second // how long a guest may take to accept
	portBanner  = 2 * time.Second // how long a server may take to greet
	mostBanner  = 1 << 10
)

// GuestPort connects to a TCP port of a running VM, from its node: addresses that
// only the node can reach, as those of a NAT network, work too. The guest's
// addresses are asked of its agent.
func (n *Node) GuestPort(ctx context.Context, vm string, port int) (string, error) {
	info, err := n.GuestInfo(ctx, vm)
	if err != nil {
		return "", err
	}
	silent := func(summary string, err error) error {
		return &virt.Error{Kind: virt.ErrAgent, Object: virt.VMRef(vm), Summary: summary, Err: err}
	}
	var errs []error
	for _, addr := range reachable(info) {
		banner, err := n.tryPort(ctx, net.JoinHostPort(addr, strconv.Itoa(port)))
		if err == nil || ctx.Err() != nil {
			return banner, err
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return "", silent("has no address that is known yet", nil)
	}
	return "", silent(fmt.Sprintf("does not answer on port %d", port), errors.Join(errs...))
}

// reachable lists the addresses of a guest that others can talk to.
func reachable(info *virt.GuestInfo) []string {
	var out []string
	for _, i := range info.Addresses {
		for _, a := range i.Addresses {
			ip, _, err := net.ParseCIDR(a)
			if err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
				out = append(out, ip.String())
			}
		}
	}
	return out
}

// tryPort connects once, and gives the first line that the server sends.
func (n *Node) tryPort(ctx context.Context, addr string) (string, error) {
	dialing, cancel := context.WithTimeout(ctx, portConnect)
	defer cancel()
	conn, err := n.dialFromHost(dialing, addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(portBanner)); err != nil {
		return "", err
	}
	line, err := bufio.NewReaderSize(conn, mostBanner).ReadSlice('\n')
	var slow net.Error
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil, errors.Is(err, bufio.ErrBufferFull), errors.As(err, &slow) && slow.Timeout():
		// A server that says nothing waits for its client.
		return strings.TrimRight(string(line), "\r\n"), nil
	default:
		return "", fmt.Errorf("%s: closed at once: %w", addr, err)
	}
}

// dialFromHost opens a TCP connection from the node.
func (n *Node) dialFromHost(ctx context.Context, addr string) (net.Conn, error) {
	if n.cfg.SSH == nil {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
	c, err := n.sshClient(ctx)
	if err != nil {
		return nil, err
	}
	return c.DialTCP(ctx, addr)
}
