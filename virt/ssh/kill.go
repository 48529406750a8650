package ssh

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// killGrace is the time between SIGTERM and SIGKILL for a cancelled command.
const killGrace = 2 * time.Second

// sshd does not deliver SSH's own "signal" message to the commands of root, the
// usual user on a hypervisor. So each command first tells the process group
// that sshd has made for it, as the first line of its stderr, and is ended by a
// second command.
const leaderMark = "\x01nactl-leader "

// announceLeader makes a command line print its process group. exec keeps the
// login shell's process, which is the leader.
func announceLeader(line string) string {
	return `exec sh -c 'printf "\001nactl-leader %s\n" $$ >&2; exec "$@"' sh ` + line
}

// leaderFilter takes the announcement out of stderr. What a login script has
// printed before it is kept.
type leaderFilter struct {
	next *capped
	seen chan struct{} // closed when the leader is known, or nothing is looked for any more

	mu     sync.Mutex
	held   []byte // stderr up to the announcement
	passed bool   // nothing is looked for any more
	pid    int
}

func newLeaderFilter(next *capped) *leaderFilter {
	return &leaderFilter{next: next, seen: make(chan struct{})}
}

func (f *leaderFilter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.passed {
		return f.next.Write(p)
	}
	f.held = append(f.held, p...)
	if i := bytes.Index(f.held, []byte(leaderMark)); i >= 0 {
		digits, rest, ok := bytes.Cut(f.held[i+len(leaderMark):], []byte("\n"))
		if !ok {
			return len(p), nil
		}
		f.pid, _ = strconv.Atoi(string(digits)) // 0 is "not known"
		f.held = append(f.held[:i:i], rest...)
		f.release()
	} else if len(f.held) > 64<<10 {
		f.release()
	}
	return len(p), nil
}

// flush passes on what is held, once no more can come.
func (f *leaderFilter) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release()
}

func (f *leaderFilter) release() {
	if f.passed {
		return
	}
	f.passed = true
	close(f.seen)
	_, _ = f.next.Write(f.held) // capped never fails
	f.held = nil
}

// leader is the process group announced; 0 when it is not known.
func (f *leaderFilter) leader() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pid
}

// kill ends a running command; it says false when the command outlived that, or
// the connection did not carry it.
func (c *Client) kill(p *process, f *leaderFilter, become string) bool {
	for _, sig := range []gossh.Signal{gossh.SIGTERM, gossh.SIGKILL} {
		grace := time.After(killGrace)
		c.signal(p, f, become, sig)
		select {
		case <-p.exited:
			return true
		case <-grace:
		}
	}
	p.session.Close()
	return false
}

// signal sends one signal to the command's process group. Failures show in that
// the command lives on.
func (c *Client) signal(p *process, f *leaderFilter, become string, sig gossh.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), killGrace)
	defer cancel()
	select {
	case <-f.seen: // the command may only be starting
	case <-p.exited:
		return
	case <-ctx.Done():
	}
	pid := f.leader()
	if pid == 0 {
		_ = p.session.Signal(sig)
		return
	}
	select {
	case c.killers <- struct{}{}:
		defer func() { <-c.killers }()
	case <-p.exited:
		return
	case <-ctx.Done():
		return
	}
	line, err := Command{Argv: []string{"kill", "-" + string(sig), "-" + strconv.Itoa(pid)}}.line(become)
	if err != nil {
		return
	}
	// Not by Exec: its places may all be taken by commands that hang.
	_, _ = await(ctx, c, func() (struct{}, error) {
		s, err := c.newSession()
		if err != nil {
			return struct{}{}, err
		}
		c.channels.Add(1)
		defer s.Close()
		return struct{}{}, s.Run(line)
	}, func(struct{}) {})
}
