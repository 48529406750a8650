package ovirt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nactl/nactl/virt"
)

// scope is the one that the API asks for.
const scope = "ovirt-app-api"

// session holds the token. The lock is a channel, not a mutex, so that who waits
// for another's login can leave when its own context ends; the next one logs in
// when the first gave up.
type session struct {
	lock   chan struct{}
	token  string
	denied error // the credentials were refused: they are not tried again
	closed bool
}

func (s *session) init() { s.lock = make(chan struct{}, 1) }

func (s *session) acquire(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *session) release() { <-s.lock }

// token gives a token that is not bad, logging in when there is none.
func (c *Client) token(ctx context.Context, bad string) (string, error) {
	s := &c.session
	if err := s.acquire(ctx); err != nil {
		return "", err
	}
	defer s.release()
	switch {
	case s.closed:
		return "", &virt.Error{Kind: virt.ErrUnreachable, Object: c.Ref(), Summary: "its connection was closed"}
	case s.denied != nil:
		return "", s.denied
	case s.token != "" && s.token != bad:
		return s.token, nil // somebody else has renewed it
	}
	s.token = ""
	password, err := c.cfg.Password(ctx)
	if err != nil {
		return "", &virt.Error{Kind: virt.ErrAuth, Object: c.Ref(), Summary: "cannot get its password", Err: err}
	}
	token, err := c.login(ctx, password)
	var sso *ssoError
	if errors.As(err, &sso) && sso.Code != "server_error" {
		// A user is locked after a few wrong passwords.
		s.denied = err
	}
	s.token = token
	return token, err
}

// ssoError is what the engine's single sign-on says.
type ssoError struct {
	Code    string
	Message string
}

func (e *ssoError) Error() string { return e.Message }

type ssoReply struct {
	Token       string `json:"access_token"`
	Code        string `json:"error_code"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (r *ssoReply) err() error {
	switch {
	case r.Code != "":
		return &ssoError{Code: r.Code, Message: r.Error}
	case r.Error != "": // another scope's form: the code stands in error
		return &ssoError{Code: r.Error, Message: r.Description}
	}
	return nil
}

// login gets a token. It is tried once: only what never reached the engine is
// repeated by retry.
func (c *Client) login(ctx context.Context, password string) (string, error) {
	var r ssoReply
	err := c.sso(ctx, "/sso/oauth/token", url.Values{
		"grant_type": {"password"}, "scope": {scope}, "username": {c.cfg.Username}, "password": {password},
	}, &r)
	if err == nil && r.Token == "" {
		err = &ssoError{Code: "server_error", Message: "its login gave no token"}
	}
	var sso *ssoError
	if errors.As(err, &sso) {
		kind := virt.ErrAuth
		if sso.Code == "server_error" {
			kind = virt.ErrUnreachable
		}
		return "", &virt.Error{Kind: kind, Object: c.Ref(), Summary: "does not let " + c.cfg.Username + " in", Err: sso, Hint: loginHint(sso)}
	}
	return r.Token, err
}

func loginHint(e *ssoError) string {
	has := func(s string) bool { return strings.Contains(strings.ToLower(e.Message), s) }
	switch {
	case has("no valid profile"):
		return "write the user with its profile: admin@internal, or admin@ovirt@internalsso on engines with Keycloak"
	case has("expired"):
		return "the password has expired: set a new one on the engine, then in the inventory"
	case has("locked"), has("disabled"):
		return "unlock the user on the engine (ovirt-aaa-jdbc-tool user unlock), then look at the password in the inventory"
	case e.Code == "server_error":
		return "look at the engine's server.log"
	case e.Code == "invalid_scope", e.Code == "unauthorized_client", e.Code == "unsupported_grant_type":
		return "look at the engine's single sign-on: it does not take logins by password for the API"
	default:
		return "look at username and password in the inventory; it was tried once, so that the user is not locked"
	}
}

// logout gives the token back. A session that never was is nothing to end.
func (c *Client) logout(ctx context.Context) error {
	s := &c.session
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	token := s.token
	s.token, s.closed = "", true
	if token == "" {
		return nil
	}
	var r ssoReply
	err := c.sso(ctx, "/services/sso-logout", url.Values{"scope": {scope}, "token": {token}}, &r)
	var sso *ssoError
	if errors.As(err, &sso) {
		return nil // it had ended by itself
	}
	return err
}

// sso posts a form beside the API, once.
func (c *Client) sso(ctx context.Context, path string, form url.Values, into *ssoReply) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, &timeoutError{c.cfg.Timeout})
	defer cancel()
	u := *c.api
	u.Path = strings.TrimSuffix(u.Path, "/api") + path
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	hr.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	hr.Header.Set("Accept", "application/json")
	hr.Header.Set("User-Agent", c.cfg.UserAgent)
	req := request{Method: http.MethodPost, Path: path}
	c.meter.request(req.Method, req.Path)
	defer c.meter.done()
	resp, err := c.http.Do(hr)
	if err != nil {
		return &transportError{req: req, sent: !isDial(err), login: true, err: cause(ctx, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return &transportError{req: req, sent: true, login: true, err: cause(ctx, err)}
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") && json.Unmarshal(body, into) == nil {
		if err := into.err(); err != nil {
			return err
		}
		if resp.StatusCode < 300 {
			return nil
		}
	}
	f := foreignFault(req, resp, body)
	f.login = true
	return f
}
