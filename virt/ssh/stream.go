package ssh

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// streamBuffer is how much a stream reads ahead, in bytes. It bounds memory;
// SSH's own window (2 MiB) then stops the sender.
const streamBuffer = 256 << 10

// channel is what a stream needs of an SSH channel or of a session's pipes.
type channel interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// stream makes an SSH channel a net.Conn. A channel knows no deadlines, and
// its Read returns after Close only when the peer has answered, so a pump
// (owned by the Client) reads ahead.
//
// Close and read deadlines act at once. A write deadline that passes closes the
// stream, since a half-written SSH packet cannot be taken back.
type stream struct {
	ch            channel
	local, remote net.Addr

	mu       sync.Mutex
	cond     *sync.Cond
	buf      bytes.Buffer
	err      error // what the pump ended with
	closed   bool
	expired  bool        // the read deadline has passed
	readTick *time.Timer // sets expired
	writeBy  time.Time
	once     sync.Once
	closeErr error
	onClose  func()
}

var _ net.Conn = (*stream)(nil)

// newStream wraps ch; the caller runs pump. onClose may be nil.
func newStream(ch channel, local, remote net.Addr, onClose func()) *stream {
	s := &stream{ch: ch, local: local, remote: remote, onClose: onClose}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// pump reads ahead until the channel ends.
func (s *stream) pump() {
	b := make([]byte, 32<<10)
	for {
		n, err := s.ch.Read(b)
		s.mu.Lock()
		for s.buf.Len() >= streamBuffer && !s.closed {
			s.cond.Wait()
		}
		if !s.closed {
			s.buf.Write(b[:n])
		}
		if err != nil {
			s.err = err
		}
		s.cond.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.buf.Len() > 0:
			n, _ := s.buf.Read(p)
			s.cond.Broadcast()
			return n, nil
		case s.err != nil:
			return 0, s.err
		}
		s.cond.Wait()
	}
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	closed, by := s.closed, s.writeBy
	s.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if by.IsZero() {
		n, err := s.ch.Write(p)
		return n, s.writeError(err)
	}
	timer := time.NewTimer(time.Until(by))
	defer timer.Stop()
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	own := bytes.Clone(p) // the caller may reuse p after a deadline
	go func() {
		n, err := s.ch.Write(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return r.n, s.writeError(r.err)
	case <-timer.C:
		s.Close()
		return 0, os.ErrDeadlineExceeded
	}
}

// writeError tells our own Close from the peer's.
func (s *stream) writeError(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if errors.Is(err, io.EOF) {
		return io.ErrClosedPipe
	}
	return err
}

// CloseWrite tells the peer that no more will be written.
func (s *stream) CloseWrite() error { return s.ch.CloseWrite() }

// Close ends both directions; what was not read is lost.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.buf = bytes.Buffer{}
		if s.readTick != nil {
			s.readTick.Stop()
		}
		s.cond.Broadcast()
		s.mu.Unlock()
		if err := s.ch.Close(); err != nil && !errors.Is(err, io.EOF) {
			s.closeErr = err
		}
		if s.onClose != nil {
			s.onClose()
		}
	})
	return s.closeErr
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if s.readTick != nil {
		s.readTick.Stop()
		s.readTick = nil
	}
	left := time.Until(t)
	s.expired = !t.IsZero() && left <= 0
	if !t.IsZero() && left > 0 {
		var tick *time.Timer
		tick = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.readTick == tick { // else a later deadline has replaced this one
				s.expired = true
				s.cond.Broadcast()
			}
		})
		s.readTick = tick
	}
	s.cond.Broadcast()
	return nil
}

// SetWriteDeadline applies to writes begun after it.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.writeBy = t
	return nil
}
