//go:build cgo

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/nactl/nactl/virt/ssh"
)

// relay lets libvirt on one node talk to libvirt on another without either
// trusting the other: a socket on the source, forwarded through our connections
// to both. Only control traffic passes it; memory and disks go from node to node.
//
// The relay owns its goroutines: close ends them all, and removes the socket.
type relay struct {
	from, to *Node
	client   *ssh.Client // the source's, that the socket hangs on
	path     string      // of the socket on the source
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu       sync.Mutex
	accepted bool  // the source has dialled
	err      error // why a connection of the source's could not be relayed
}

// relayDir is where libvirt's own sockets are: what confines the daemon
// (AppArmor, SELinux) lets it connect there.
const relayDir = "/run/libvirt"

// openRelay makes the socket on the source. It fails where the source is not
// reached over ssh, or its sshd does not listen for us; both can be told by
// nothing having happened.
func openRelay(ctx context.Context, from, to *Node) (*relay, error) {
	client, err := from.sshClient(ctx)
	if err != nil {
		return nil, err
	}
	sweepRelays(ctx, client)
	path := fmt.Sprintf("%s/nactl-%s.sock", relayDir, newToken())
	listener, err := client.ListenUnix(ctx, path)
	if err != nil {
		return nil, err
	}
	r := newRelay(ctx, to, listener)
	r.from, r.client, r.path = from, client, path
	return r, nil
}

// sweepSockets removes the sockets of relays that nobody listens on any more.
const sweepSockets = `for s in ` + relayDir + `/nactl-*.sock; do
[ ! -S "$s" ] || grep -qF " $s" /proc/net/unix || rm -f -- "$s"
done`

// sweepRelays takes away what runs that were killed have left: nobody else would. A
// socket that stays, as another user's, does no harm.
func sweepRelays(ctx context.Context, client *ssh.Client) {
	_, _ = client.Exec(ctx, ssh.Command{Shell: sweepSockets})
}

// newRelay relays what the listener accepts to libvirt on a node.
func newRelay(ctx context.Context, to *Node, listener net.Listener) *relay {
	// Its end is stop's to say: an interrupted move is aborted over it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &relay{to: to, listener: listener, cancel: cancel}
	r.wg.Go(func() { r.serve(ctx) })
	return r
}

// uri is the destination as libvirt on the source dials it.
func (r *relay) uri() string {
	return fmt.Sprintf("%s+unix://%s?%s", r.to.addr.driver, r.to.addr.path, url.Values{"socket": {r.path}}.Encode())
}

// serve relays each connection that the source makes.
func (r *relay) serve(ctx context.Context) {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				r.fail(err)
			}
			return
		}
		r.mu.Lock()
		r.accepted = true
		r.mu.Unlock()
		r.wg.Go(func() {
			defer near.Close()
			far, err := r.to.dialDaemon(ctx)
			if err != nil {
				r.fail(fmt.Errorf("reach libvirt on %s: %w", r.to.cfg.Name, err))
				return
			}
			defer far.Close()
			var open openCalls
			defer func() { r.to.meter.reply(open.drain()) }()
			join(ctx, near, far, r.to.meter.sent(&open), r.to.meter.received(&open))
		})
	}
}

// join copies both ways until either side ends, or ctx does; there and back see
// what passes.
func join(ctx context.Context, a, b net.Conn, there, back io.Writer) {
	over := func() { a.Close(); b.Close() }
	defer context.AfterFunc(ctx, over)()
	var wg sync.WaitGroup
	wg.Go(func() { _ = carry(b, a, there); over() }) // an error is an end, too
	wg.Go(func() { _ = carry(a, b, back); over() })
	wg.Wait()
}

func (r *relay) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// used tells whether libvirt on the source has dialled the socket.
func (r *relay) used() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// why gives the reason why relaying failed; nil when it did not.
func (r *relay) why() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// stop ends all that is relayed, and the socket as far as the connection that it
// hangs on can do that. Stopped again, it does nothing.
func (r *relay) stop() error {
	r.cancel()
	err := r.listener.Close()
	r.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// removeTime is how long a node that was lost has to come back, to be rid of the
// socket.
const removeTime = 10 * time.Second

// close ends all that is relayed and removes the socket from the source: over a
// new connection when the one that it hung on was lost.
func (r *relay) close(ctx context.Context) error {
	err := r.stop()
	if r.client.Err() == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	host, err := r.from.host(ctx)
	if err == nil {
		_, err = host.Exec(ctx, ssh.Command{Argv: []string{"rm", "-f", "--", r.path}})
	}
	if err != nil {
		return fmt.Errorf("the socket %s stays behind on %s: %w", r.path, r.from.cfg.Name, err)
	}
	return nil
}
