package ssh

import (
	"errors"
	"fmt"
	"strings"
)

// ErrClosed is the cause of a connection that ended because Close was called.
var ErrClosed = errors.New("ssh connection closed")

// ErrForwardingRefused says that sshd does not let this user open
// UNIX-domain forwardings (AllowStreamLocalForwarding, DisableForwarding, or
// "restrict" in authorized_keys). DialExec still works on the same connection.
var ErrForwardingRefused = errors.New("sshd refuses to forward to a unix socket " +
	"(AllowStreamLocalForwarding, DisableForwarding or a restricted key)")

// The stages of a connection, as found in UnreachableError.Stage.
const (
	StageConnect      = "connect"      // name look-up and TCP
	StageHandshake    = "handshake"    // version banner and key exchange
	StageAuthenticate = "authenticate" // the peer hung up while keys were offered
	StageKeepAlive    = "keepalive"    // an open connection stopped answering
	StageConnection   = "connection"   // an open connection was cut
)

// UnreachableError says that a node cannot be talked to, now or any more.
// It is the one error of this package that a later attempt may cure.
type UnreachableError struct {
	Host  string // the node as the user wrote it, with address and port
	Stage string // one of the Stage constants
	Err   error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s: unreachable over ssh (%s): %v", e.Host, e.Stage, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// HostKeyUnknownError says that no known_hosts file has a key for the node.
type HostKeyUnknownError struct {
	Host        string   // name looked up, in known_hosts form: "host" or "[host]:port"
	KeyType     string   // such as "ssh-ed25519"
	Fingerprint string   // "SHA256:…" of the key that the node offered
	Line        string   // what to append to known_hosts once the fingerprint is verified
	KnownHosts  []string // the files that were searched
	Hint        string   // a command that adds the key
}

func (e *HostKeyUnknownError) Error() string {
	return fmt.Sprintf("host key of %s is unknown: it offers %s %s, and no key for it is in %s; verify the fingerprint, then run: %s",
		e.Host, e.KeyType, e.Fingerprint, strings.Join(e.KnownHosts, ", "), e.Hint)
}

// HostKeyMismatchError says that the node offers another key than the stored
// one (someone may be in the middle), or a key that was revoked.
type HostKeyMismatchError struct {
	Host        string
	KeyType     string
	Fingerprint string // of the key that the node offered
	File        string // known_hosts file that holds the key wanted, or revokes the one found
	Line        int    // its line, from 1
	Want        string // "type SHA256:…" of the stored keys
	Revoked     bool   // the key found is marked @revoked
	PinnedBy    string // who says that the key is Want, when it is no file
}

func (e *HostKeyMismatchError) Error() string {
	if e.Revoked {
		return fmt.Sprintf("host key of %s is revoked: it offers %s %s, marked @revoked at %s:%d",
			e.Host, e.KeyType, e.Fingerprint, e.File, e.Line)
	}
	if e.PinnedBy != "" {
		return fmt.Sprintf("host key of %s is not the pinned one: it offers %s %s, but %s says %s; someone may be intercepting the connection",
			e.Host, e.KeyType, e.Fingerprint, e.PinnedBy, e.Want)
	}
	return fmt.Sprintf("host key of %s has changed: it offers %s %s, but %s:%d wants %s; someone may be intercepting the connection; if the node was really reinstalled, run: ssh-keygen -f %s -R %s",
		e.Host, e.KeyType, e.Fingerprint, e.File, e.Line, e.Want, Quote(e.File), Quote(e.Host))
}

// AuthError says that the node let none of our keys in.
type AuthError struct {
	Host  string
	User  string
	Tried []string // each key offered, and each source that gave none, with the reason
	Err   error    // what the protocol said
}

func (e *AuthError) Error() string {
	tried := "nothing: no agent and no identity file"
	if len(e.Tried) > 0 {
		tried = strings.Join(e.Tried, "; ")
	}
	return fmt.Sprintf("%s: ssh login as %s refused; tried %s: %v", e.Host, e.User, tried, e.Err)
}

func (e *AuthError) Unwrap() error { return e.Err }

// NoSocketError says that a remote UNIX socket cannot be connected to.
type NoSocketError struct {
	Host, Path string
	Reason     string // such as "no such file", "permission denied for user kim"
}

func (e *NoSocketError) Error() string {
	return fmt.Sprintf("%s: cannot connect to socket %s: %s", e.Host, e.Path, e.Reason)
}

// BecomeError says that sudo would not run a command without a terminal.
type BecomeError struct {
	Host, User, Stderr string
}

func (e *BecomeError) Error() string {
	return fmt.Sprintf("%s: sudo does not let %s run commands without a password (%s); add a NOPASSWD rule for it or log in as root",
		e.Host, e.User, e.Stderr)
}

// ExitError says that a command ended, but not with status 0.
type ExitError struct {
	Host   string
	RC     int    // exit status, -1 when a signal ended it
	Signal string // such as "TERM"
	Stderr string // last lines
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.RC)
	if e.Signal != "" {
		how = "killed by SIG" + e.Signal
	}
	if e.Stderr != "" {
		how += ": " + e.Stderr
	}
	return e.Host + ": command failed: " + how
}

// NotStartedError says that a command was never handed to the node, so that it
// may safely be sent again.
type NotStartedError struct{ Err error }

func (e *NotStartedError) Error() string { return e.Err.Error() }
func (e *NotStartedError) Unwrap() error { return e.Err }
