package local

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/nactl/nactl/virt"
)

// unanswered says why a request got no answer. found is what came of one, if
// anything.
func unanswered(ctx context.Context, r virt.HTTPRequest, sent bool, found string, err error) error {
	what := r.Method + " " + r.URL
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errOwnLimit) {
		err = fmt.Errorf("controller: %s was interrupted: %w", what, context.Cause(ctx))
		if sent && !r.IsRead() {
			return fmt.Errorf("%w: %w", virt.ErrOutcomeUnknown, err)
		}
		return err
	}
	e := &virt.Error{Kind: virt.ErrNoAnswer, Object: virt.Ref{Kind: virt.KindLocal}, Found: found}
	e.Summary, e.Hint = reason(ctx, r, err)
	e.Summary = what + ": " + e.Summary
	if sent && !r.IsRead() {
		e.Kind = virt.ErrOutcomeUnknown
		e.Hint = "it may have been carried out: look before it is sent again"
	}
	return e
}

// reason puts the error of a client into words, with the way out.
func reason(ctx context.Context, r virt.HTTPRequest, err error) (summary, hint string) {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		whole     *url.Error
	)
	const verify = "name its authority in ca_file"
	if errors.As(err, &whole) {
		err = whole.Err // method and address stand in front already
	}
	switch {
	case errors.Is(context.Cause(ctx), errOwnLimit):
		limit := r.Timeout
		if limit == 0 {
			limit = answerTime
		}
		return fmt.Sprintf("no answer within %s", limit), "give it more time with timeout, or see what it waits for"
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("there is no host %q", dns.Name), "check its spelling, or how this machine resolves names"
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q cannot be looked up: %s", dns.Name, dns.Err), "see this machine's /etc/resolv.conf"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "see whether the service runs and listens there; until waits for it"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that address", "see this machine's routes"
	case errors.As(err, &authority):
		return "nobody that is trusted signed its certificate", verify
	case errors.As(err, &name):
		return "its certificate is for another name: " + name.Error(), "use the name that the certificate has"
	case errors.As(err, &invalid):
		return "its certificate is not valid: " + invalid.Error(), "let it be renewed"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS", "write http:// where that is meant"
	default:
		return err.Error(), ""
	}
}
