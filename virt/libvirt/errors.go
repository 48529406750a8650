//go:build cgo

package libvirt

import (
	"context"
	"errors"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// kinds maps libvirt's error numbers to virt's kinds of failures. What is not
// here stays a failure without a kind.
var kinds = map[lv.ErrorNumber]error{
	lv.ERR_NO_DOMAIN:             virt.ErrNotFound,
	lv.ERR_NO_NETWORK:            virt.ErrNotFound,
	lv.ERR_NO_STORAGE_POOL:       virt.ErrNotFound,
	lv.ERR_NO_STORAGE_VOL:        virt.ErrNotFound,
	lv.ERR_NO_DOMAIN_SNAPSHOT:    virt.ErrNotFound,
	lv.ERR_NO_DOMAIN_METADATA:    virt.ErrNotFound,
	lv.ERR_DEVICE_MISSING:        virt.ErrNotFound,
	lv.ERR_DOM_EXIST:             virt.ErrConflict,
	lv.ERR_NETWORK_EXIST:         virt.ErrConflict,
	lv.ERR_STORAGE_VOL_EXIST:     virt.ErrConflict,
	lv.ERR_OPERATION_INVALID:     virt.ErrConflict,
	lv.ERR_RESOURCE_BUSY:         virt.ErrBusy,
	lv.ERR_OPERATION_TIMEOUT:     virt.ErrBusy, // another job holds the domain's lock
	lv.ERR_NO_SUPPORT:            virt.ErrUnsupported,
	lv.ERR_OPERATION_UNSUPPORTED: virt.ErrUnsupported,
	lv.ERR_CONFIG_UNSUPPORTED:    virt.ErrUnsupported,
	lv.ERR_ARGUMENT_UNSUPPORTED:  virt.ErrUnsupported,
	lv.ERR_XML_ERROR:             virt.ErrInvalid,
	lv.ERR_XML_DETAIL:            virt.ErrInvalid,
	lv.ERR_XML_INVALID_SCHEMA:    virt.ErrInvalid,
	lv.ERR_INVALID_ARG:           virt.ErrInvalid,
	lv.ERR_AUTH_FAILED:           virt.ErrAuth,
	lv.ERR_AUTH_CANCELLED:        virt.ErrAuth,
	lv.ERR_AUTH_UNAVAILABLE:      virt.ErrAuth,
	lv.ERR_ACCESS_DENIED:         virt.ErrDenied,
	lv.ERR_AGENT_UNRESPONSIVE:    virt.ErrAgent,
	lv.ERR_AGENT_UNSYNCED:        virt.ErrAgent,
	lv.ERR_NO_CONNECT:            virt.ErrUnreachable,
	lv.ERR_OPERATION_ABORTED:     context.Canceled,
}

// mapError turns what libvirt or the connection said into a *virt.Error about
// ref: op is what was being done, as "set the CPUs". An error that is one
// already, or the end of a context, stays as it is.
func mapError(op string, ref virt.Ref, err error) error {
	var known *virt.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	e := &virt.Error{Object: ref, Summary: "cannot " + op, Err: message(err)}
	if connectError(e, err) {
		return e
	}
	var le lv.Error
	if errors.As(err, &le) {
		e.Kind = kinds[le.Code]
		if isLost(err) {
			e.Kind, e.Hint = virt.ErrUnreachable, "the connection to libvirtd was lost; look whether the node is up"
		}
		if e.Kind == virt.ErrNotFound && notFoundIsObject(le.Code, ref.Kind) {
			e.Summary = "is not there"
		}
	}
	return e
}

// notFoundIsObject tells whether libvirt misses the very object that the error
// is about, and not something that belongs to it.
func notFoundIsObject(code lv.ErrorNumber, kind virt.Kind) bool {
	switch code {
	case lv.ERR_NO_DOMAIN:
		return kind == virt.KindVM
	case lv.ERR_NO_NETWORK:
		return kind == virt.KindNetwork
	case lv.ERR_NO_STORAGE_POOL:
		return kind == virt.KindStorage
	case lv.ERR_NO_STORAGE_VOL:
		return kind == virt.KindVolume
	default:
		return false
	}
}

// connectError fills in what a failure on the way to libvirt was, and tells
// whether err is one. What was to be read or done does not matter then, so an
// error about the node itself says only why there is no connection to it.
func connectError(e *virt.Error, err error) bool {
	var (
		away     *ssh.UnreachableError
		auth     *ssh.AuthError
		unknown  *ssh.HostKeyUnknownError
		mismatch *ssh.HostKeyMismatchError
		socket   *ssh.NoSocketError
		become   *ssh.BecomeError
		summary  string
	)
	switch {
	case errors.As(err, &away):
		e.Kind, summary = virt.ErrUnreachable, "does not answer over SSH"
		e.Hint = "look whether the node is up, and at its address and port in the inventory"
	case errors.As(err, &auth):
		e.Kind, summary = virt.ErrAuth, "does not let us in over SSH"
		e.Hint = "give the node one of our keys in authorized_keys of user " + auth.User + ", or name another user or identity_file in the inventory"
	case errors.As(err, &unknown):
		e.Kind, summary, e.Hint = virt.ErrAuth, "shows a host key that nobody knows", unknown.Hint
	case errors.As(err, &mismatch):
		e.Kind, summary = virt.ErrAuth, "shows another host key than known_hosts has"
		e.Hint = "find out why; only if the node was reinstalled: ssh-keygen -f " + ssh.Quote(mismatch.File) + " -R " + ssh.Quote(mismatch.Host)
	case errors.As(err, &become):
		e.Kind, summary = virt.ErrAuth, "does not let us become root"
	case errors.Is(err, ssh.ErrForwardingRefused):
		e.Kind, summary = virt.ErrUnreachable, "does not let us reach libvirt over SSH"
		e.Hint = "set AllowStreamLocalForwarding yes in the node's sshd_config, or install virt-ssh-helper (libvirt-daemon) or netcat-openbsd on it"
	case errors.As(err, &socket):
		e.Kind, summary = virt.ErrUnreachable, "has no libvirt that answers"
		e.Hint = "install and start libvirtd on the node, or name its socket in the inventory"
	default:
		return false
	}
	if e.Object.Kind == virt.KindHost {
		e.Summary = summary
	}
	return true
}

// isLost tells whether an error says that the connection went away under a
// call, so that nobody knows whether the daemon has done what it was asked.
func isLost(err error) bool {
	var le lv.Error
	if !errors.As(err, &le) {
		return false
	}
	switch le.Code {
	case lv.ERR_INVALID_CONN:
		return true
	case lv.ERR_SYSTEM_ERROR, lv.ERR_INTERNAL_ERROR:
		return le.Domain == lv.FROM_RPC
	default:
		return false
	}
}

// isCode tells whether libvirt answered with one of these error numbers.
func isCode(err error, codes ...lv.ErrorNumber) bool {
	var le lv.Error
	if !errors.As(err, &le) {
		return false
	}
	for _, c := range codes {
		if le.Code == c {
			return true
		}
	}
	return false
}
