package ovirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/virt"
)

// checkName says to check a name, and which of those that are there it may be
// meant to be.
func checkName(what, name string, known []string) string {
	return "check " + what + diag.DidYouMean(name, known)
}

// Fault is what an engine answered instead of doing what it was asked, or what
// something between us and the engine answered in its place.
//
// It unwraps to the kind of failure: ErrNotFound, ErrConflict, ErrBusy (a lock;
// trying again later may work), ErrInvalid, ErrAuth, ErrDenied,
// ErrUnreachable, or none.
type Fault struct {
	Status        int      // HTTP status; 200 for a fault that came as a success
	Method, Path  string   // of the request; Path is under the API's root
	Reason        string   // as Operation Failed
	Detail        string   // the engine's words, as it sent them
	Messages      []string // Detail taken apart, for showing; see splitMessages
	CorrelationID string   // finds the engine's events of the request

	foreign bool // it did not come from the engine's API
	login   bool // it came from the login before the request
}

// Error gives the engine's words, with the request and the status.
func (f *Fault) Error() string {
	text := strings.Join(f.Messages, " ")
	switch {
	case text != "":
	case f.Detail != "":
		text = f.Detail
	case f.Reason != "":
		text = f.Reason
	case f.Status >= 300 && http.StatusText(f.Status) != "":
		text = strings.ToLower(http.StatusText(f.Status))
	default:
		text = "refused without a reason"
	}
	return fmt.Sprintf("%s (%s: %d)", text, request{Method: f.Method, Path: f.Path}, f.Status)
}

// Unwrap gives the kind of failure.
func (f *Fault) Unwrap() error {
	switch {
	case f.Status == http.StatusForbidden && !f.login && !f.foreign:
		return virt.ErrDenied
	case f.Status == http.StatusUnauthorized, f.Status == http.StatusForbidden, strings.Contains(f.Detail, noAdminText):
		return virt.ErrAuth
	case f.foreign, f.Status == http.StatusBadGateway, f.Status == http.StatusServiceUnavailable, f.Status == http.StatusGatewayTimeout:
		return virt.ErrUnreachable
	case f.Status == http.StatusNotFound:
		return virt.ErrNotFound
	case f.says(busyTexts) && !f.says(lastingTexts) && (f.Status == http.StatusConflict || f.Status < 300):
		return virt.ErrBusy
	case strings.Contains(f.Detail, hotPlugText):
		return virt.ErrBusy
	case f.Status == http.StatusConflict, f.says(takenTexts):
		return virt.ErrConflict
	case f.Status == http.StatusBadRequest:
		return virt.ErrInvalid
	}
	return nil
}

// isGone tells whether the object that the path names is not there.
func (f *Fault) isGone() bool { return f.Status == http.StatusNotFound && !f.foreign }

func (f *Fault) says(texts []string) bool {
	for _, t := range texts {
		if strings.Contains(f.Detail, t) {
			return true
		}
	}
	return false
}

// busyTexts are parts of the messages by which an engine says that a lock is in
// the way. It has no code for that.
var busyTexts = []string{
	"Related operation is currently in progress",
	"is locked",
	"are locked",
	"currently in use",
	"currently being created",
	"is being ",
	"in progress",
	"Please try again",
	"performing an operation on a Snapshot",
}

// lastingTexts look like a lock and are none: a network or template that VMs use
// stays so.
var lastingTexts = []string{"is being used"}

// hotPlugText comes with a status that is final otherwise; a guest that is
// booting does not answer yet.
const hotPlugText = "Failed to hot-plug disk"

// noAdminText comes with status 400: who has no administrator's role sees nothing
// of an engine but what a filtered reply shows, and that leaves hosts out.
const noAdminText = "insufficient permissions"

// takenTexts say with status 400 what others say with 409.
var takenTexts = []string{"already exists", "already in use", "ame is in use"}

// transportError is a request without a complete reply.
type transportError struct {
	req   request
	sent  bool // something may have reached the engine
	login bool // it was the login before the request
	err   error
}

func (e *transportError) Error() string { return e.req.String() + ": " + e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// permanent tells whether another try would end in the same way.
func (e *transportError) permanent() bool {
	var (
		cert   *tls.CertificateVerificationError
		header tls.RecordHeaderError
		name   *net.DNSError
	)
	return errors.As(e.err, &cert) || errors.As(e.err, &header) || errors.As(e.err, &name) && name.IsNotFound
}

// readError is a complete reply that could not be read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// isDial tells whether not even a connection was made.
func isDial(err error) bool {
	var (
		op   *net.OpError
		cert *tls.CertificateVerificationError
	)
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &cert)
}

func isRefusedToken(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Status == http.StatusUnauthorized && !f.login
}

func isGone(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.isGone()
}

// unreachable says why there is no connection, and what to do about it.
func (c *Client) unreachable(err error) error {
	e := &virt.Error{Kind: virt.ErrUnreachable, Object: c.Ref(), Summary: "does not answer", Err: err,
		Hint: "look whether the engine is up, and at its url in the inventory"}
	var (
		cert   *tls.CertificateVerificationError
		who    x509.UnknownAuthorityError
		name   x509.HostnameError
		bad    x509.CertificateInvalidError
		header tls.RecordHeaderError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &cert):
		e.Kind, e.Summary = virt.ErrAuth, "shows a certificate that is not trusted"
		switch {
		case errors.As(err, &who) && c.cfg.CAFile != "":
			e.Hint = "ca_file is not of this engine; get its own: " + c.api.Scheme + "://" + c.api.Host +
				"/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA"
		case errors.As(err, &who):
			e.Hint = "name the engine's certificate authority as ca_file; it is at " + c.api.Scheme + "://" + c.api.Host +
				"/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA"
		case errors.As(err, &name):
			e.Hint = "write the url with the host name that the certificate is for"
		case errors.As(err, &bad) && bad.Reason == x509.Expired:
			e.Hint = "the certificate has expired or is not valid yet: look at this machine's clock, then renew it by engine-setup --offline"
		default:
			e.Hint = "look at the engine's certificate"
		}
	case errors.As(err, &header):
		e.Summary, e.Hint = "does not speak TLS", "look at the port of its url in the inventory"
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Summary, e.Hint = "has a name that is not known", "look at the host name of its url in the inventory"
	}
	return e
}

// outcomeUnknown says that a change may have been made.
func (c *Client) outcomeUnknown(req request, err error) error {
	return &virt.Error{Kind: virt.ErrOutcomeUnknown, Object: c.Ref(), Summary: "its answer to " + req.String() + " was lost", Err: err,
		Hint: "look whether it was done before it is repeated"}
}

// explain says that an operation on an object failed: op is what was being done,
// as "start". The end of a context, and what is about the engine as a whole or
// was explained already, stays as it is.
func explain(op string, ref virt.Ref, err error) error {
	var (
		known *virt.Error
		f     *Fault
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case !errors.As(err, &f):
		return &virt.Error{Object: ref, Summary: "cannot " + op, Err: err}
	}
	e := &virt.Error{Kind: f.Unwrap(), Object: ref, Summary: "cannot " + op, Err: f}
	switch {
	case f.isGone() && f.Detail == "":
		e.Summary = "is not there"
	case f.Status == http.StatusUnauthorized:
		e.Hint = "the engine took the login and then not its token; look at the clock and the single sign-on of the engine"
	case f.Status == http.StatusForbidden, strings.Contains(f.Detail, noAdminText):
		e.Hint = "give the user the permission on the engine, or use another user"
	case errors.Is(f, virt.ErrUnreachable):
		e.Hint = "look whether the engine is up, and at its url in the inventory"
	case errors.Is(f, virt.ErrBusy):
		e.Hint = "another operation holds it, which the engine's tasks and events name: run this again when it is over"
	case e.Kind == nil:
		e.Hint = "look into the engine's log" + f.traced() + ", and run this again: what is done already is kept"
	default:
		e.Hint = "mend what the engine says, and run this again: what is done already is kept"
	}
	return e
}

// traced says by what the engine's log and events tell of a fault.
func (f *Fault) traced() string {
	if f.CorrelationID == "" {
		return ""
	}
	return " for " + f.CorrelationID
}
