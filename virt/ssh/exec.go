package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// Exec runs a command and waits for its end. An exit status other than 0 is not
// an error here: see Result.Err. At most Config.MaxSessions commands run at a
// time, the others wait.
//
// When ctx ends, the command and its children get SIGTERM and, two seconds
// later, SIGKILL. Exec then returns ctx's error with what was printed so far.
// Other errors: *BecomeError, *NotStartedError, or the cause of the connection's
// end.
func (c *Client) Exec(ctx context.Context, cmd Command) (Result, error) {
	become := ""
	if cmd.Become {
		become = c.t.Become
	}
	line, err := cmd.line(become)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", c.t.host, err)
	}
	limit := cmd.MaxOutput
	if limit <= 0 {
		limit = DefaultMaxOutput
	}
	stdout, stderr := &capped{max: limit}, &capped{max: limit}
	leader := newLeaderFilter(stderr)
	p, err := c.start(ctx, announceLeader(line), func(s *gossh.Session) error {
		s.Stdin, s.Stdout, s.Stderr = cmd.Stdin, stdout, leader
		return nil
	}, func(p *process) { c.kill(p, leader, become) })
	if err != nil {
		return Result{}, err
	}
	result := func() Result {
		leader.flush()
		r := Result{host: c.t.host, Stdout: stdout.buf.Bytes(), Stderr: stderr.buf.Bytes(),
			Truncated: stdout.over || stderr.over, StdoutTruncated: stdout.over, StderrTruncated: stderr.over}
		var exit *gossh.ExitError
		if errors.As(p.err, &exit) {
			r.RC, r.Signal = exit.ExitStatus(), exit.Signal()
		}
		if r.Signal != "" {
			r.RC = -1
		}
		return r
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		if c.kill(p, leader, become) {
			r := result()
			r.RC = -1
			return r, ended(ctx)
		}
		return Result{RC: -1, Outlived: true, host: c.t.host}, ended(ctx)
	}
	if err := p.failure(c); err != nil {
		return result(), err
	}
	r := result()
	if become != "" && r.RC == 1 && bytes.HasPrefix(r.Stderr, []byte("sudo:")) {
		if err := c.checkSudo(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// checkSudo tells a refusal of sudo from a command's own failure; its words are
// asked for in English.
func (c *Client) checkSudo(ctx context.Context) error {
	r, err := c.Exec(ctx, Command{Argv: []string{"env", "LC_ALL=C", "sudo", "-n", "--", "true"}})
	if err != nil || r.RC == 0 {
		return err
	}
	return &BecomeError{Host: c.t.host, User: c.t.User, Stderr: tail(r.Stderr)}
}

// process is a command that was started.
type process struct {
	session *gossh.Session
	exited  chan struct{} // closed when err is set and all output was copied
	err     error         // of Session.Wait
}

// start opens a session once there is a place for it, and runs line in it. The
// place is free again when the command has ended. A process that starts after
// ctx has ended is handed to abandon.
func (c *Client) start(ctx context.Context, line string, setup func(*gossh.Session) error, abandon func(*process)) (*process, error) {
	select {
	case c.sessions <- struct{}{}:
	case <-ctx.Done():
		return nil, &NotStartedError{Err: ended(ctx)}
	case <-c.dying:
		return nil, &NotStartedError{Err: c.Err()}
	}
	var sent atomic.Bool
	p, err := await(ctx, c, func() (*process, error) {
		p, err := c.launch(line, setup, &sent)
		if err != nil {
			<-c.sessions
		}
		return p, err
	}, abandon)
	if err != nil && !sent.Load() {
		err = &NotStartedError{Err: err}
	}
	return p, err
}

// launch does start's blocking part, and owns the wait for the end. sent is set
// once the node may have got the command.
func (c *Client) launch(line string, setup func(*gossh.Session) error, sent *atomic.Bool) (*process, error) {
	session, err := c.newSession()
	if err != nil {
		return nil, err
	}
	c.channels.Add(1)
	c.execs.Add(1)
	if err := setup(session); err != nil {
		session.Close()
		return nil, err
	}
	sent.Store(true)
	if err := session.Start(line); err != nil {
		session.Close()
		if errors.Is(err, io.EOF) {
			return nil, err
		}
		sent.Store(false)
		// The library's words repeat the command, which may hold a secret.
		return nil, fmt.Errorf("%s: sshd refused to run a command", c.t.host)
	}
	p := &process{session: session, exited: make(chan struct{})}
	ok := c.spawn(func() {
		p.err = session.Wait()
		session.Close()
		<-c.sessions
		close(p.exited)
	})
	if !ok {
		session.Close()
		return nil, c.Err()
	}
	return p, nil
}

// newSession opens a session channel. sshd counts a session as open for a
// moment after its end, so a refusal is looked at again before it is believed.
func (c *Client) newSession() (*gossh.Session, error) {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		s, err := c.raw.NewSession()
		var refused *gossh.OpenChannelError
		if err == nil || !errors.As(err, &refused) {
			return s, err
		}
		if wait > time.Second {
			return nil, fmt.Errorf("%s: sshd opens no session (MaxSessions reached, or none allowed): %w", c.t.host, err)
		}
		select {
		case <-time.After(wait):
		case <-c.dying:
			return nil, c.Err()
		}
	}
}

// failure is the error of a command that gave no exit status; nil for one that
// did, be it 0 or not.
func (p *process) failure(c *Client) error {
	var exit *gossh.ExitError
	var missing *gossh.ExitMissingError
	switch {
	case p.err == nil, errors.As(p.err, &exit):
		return nil
	case errors.Is(p.err, io.EOF): // the command did not read all of its stdin
		return nil
	case errors.As(p.err, &missing):
		return c.lost(fmt.Errorf("%s: the session ended without an exit status, it is unknown what the command did", c.t.host))
	}
	return c.lost(fmt.Errorf("%s: %w", c.t.host, p.err))
}

// DialExec runs a command and makes its stdin and stdout a net.Conn, for a node
// whose sshd forwards no sockets ("nc -U PATH", "virt-ssh-helper URI"). ctx
// bounds only the start; Close ends the command's pipes. Reading past the end
// of a command that failed gives an *ExitError with its stderr instead of
// io.EOF. The command takes one of Config.MaxSessions places until it ends.
func (c *Client) DialExec(ctx context.Context, argv []string) (net.Conn, error) {
	line, err := Command{Argv: argv}.line("")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.t.host, err)
	}
	pipes := &execPipes{c: c, stderr: &capped{max: 4 << 10}}
	p, err := c.start(ctx, line, func(s *gossh.Session) (err error) {
		s.Stderr = pipes.stderr
		if pipes.WriteCloser, err = s.StdinPipe(); err != nil {
			return err
		}
		pipes.Reader, err = s.StdoutPipe()
		return err
	}, func(p *process) { p.session.Close() })
	if err != nil {
		return nil, err
	}
	pipes.p = p
	s := newStream(pipes, unixAddr("@"), unixAddr(strings.Join(argv, " ")), nil)
	if !c.spawn(s.pump) {
		p.session.Close()
		return nil, c.Err()
	}
	return s, nil
}

// execPipes is a running command as a channel for stream.
type execPipes struct {
	io.Reader      // stdout
	io.WriteCloser // stdin
	c              *Client
	p              *process
	stderr         *capped
}

// Read turns the end of stdout into the reason why it ended.
func (e *execPipes) Read(b []byte) (int, error) {
	n, err := e.Reader.Read(b)
	if err != io.EOF {
		return n, err
	}
	select {
	case <-e.p.exited:
	case <-time.After(killGrace): // it has only closed its stdout
		return n, io.EOF
	}
	if failure := e.p.failure(e.c); failure != nil {
		return n, failure
	}
	var exit *gossh.ExitError
	if errors.As(e.p.err, &exit) {
		return n, Result{host: e.c.t.host, RC: exit.ExitStatus(), Signal: exit.Signal(), Stderr: e.stderr.buf.Bytes()}.Err()
	}
	return n, io.EOF
}

// CloseWrite gives the command the end of its stdin.
func (e *execPipes) CloseWrite() error { return e.WriteCloser.Close() }

// Close ends the session.
func (e *execPipes) Close() error { return e.p.session.Close() }

// capped keeps the first max bytes written to it. It is not locked: one copier
// writes, and it is read when that has ended.
type capped struct {
	buf  bytes.Buffer
	max  int
	over bool
}

func (w *capped) Write(p []byte) (int, error) {
	if room := w.max - w.buf.Len(); len(p) > room {
		w.buf.Write(p[:room])
		w.over = true
	} else {
		w.buf.Write(p)
	}
	return len(p), nil
}
