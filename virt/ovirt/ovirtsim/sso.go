package ovirtsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// session is what a token stands for.
type session struct {
	used time.Time // engine time of the last request
	user *User     // nil is the administrator
}

const scope = "ovirt-app-api"

const (
	badLogin = "Unable to log in. Verify your login information or contact the system administrator."
	locked   = "Unable to log in because the user account is disabled or locked. Contact the system administrator."
	expired  = "invalid_grant: The provided authorization grant for the auth code has expired."
)

// lockAfter is the number of failed logins in a row that lock the account.
const lockAfter = 5

// sso answers the single sign-on service: token, revoke and logout.
func (e *Engine) sso(c *call, path string) {
	r := c.r
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		c.fail(&fault{status: 405, html: "Method Not Allowed"})
		return
	}
	if err := r.ParseForm(); err != nil {
		c.ssoFail("invalid_request", err.Error())
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch path {
	case "/ovirt-engine/sso/oauth/token":
		e.token(c)
	case "/ovirt-engine/services/sso-logout", "/ovirt-engine/sso/oauth/revoke":
		delete(e.tokens, r.Form.Get("token"))
		c.json(http.StatusOK, map[string]string{})
	default:
		c.page(http.StatusNotFound, "Not Found")
	}
}

func (e *Engine) token(c *call) {
	form := c.r.Form
	for _, p := range []string{"grant_type", "scope"} {
		if form.Get(p) == "" {
			c.ssoFail("invalid_request", "Missing parameter: '"+p+"'")
			return
		}
	}
	if form.Get("grant_type") != "password" {
		c.ssoFail("unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
		return
	}
	if !strings.Contains(" "+form.Get("scope")+" ", " "+scope+" ") {
		c.json(http.StatusBadRequest, map[string]string{"error": "invalid_scope",
			"error_description": "The requested scope is invalid, unknown, or malformed."})
		return
	}
	for _, p := range []string{"username", "password"} {
		if form.Get(p) == "" {
			c.ssoFail("invalid_request", "Missing parameter: '"+p+"'")
			return
		}
	}
	user := form.Get("username")
	if !strings.Contains(user, "@") {
		c.ssoFail("access_denied", "Cannot authenticate user No valid profile found in credentials..")
		return
	}
	who, why := e.login(user, form.Get("password"))
	if why != "" {
		c.ssoFail("access_denied", "Cannot authenticate user '"+user+"': "+why+".")
		return
	}
	t := e.newToken(who)
	c.json(http.StatusOK, map[string]string{"access_token": t, "scope": scope, "exp": "9223372036854775807", "token_type": "bearer"})
}

// login checks a password; it returns who it is, nil for the administrator, or
// what is wrong.
func (e *Engine) login(user, password string) (who *User, wrong string) {
	right := user == e.opts.User && password == e.opts.Password
	for i, u := range e.opts.Users {
		if u.Name == user && orElse(u.Password, "secret") == password {
			who, right = &e.opts.Users[i], true
		}
	}
	switch {
	case e.failed >= lockAfter || e.rules["locked"]:
		return nil, strings.TrimSuffix(locked, ".")
	case !right:
		e.failed++
		return nil, strings.TrimSuffix(badLogin, ".")
	case e.rules["expired"]:
		return nil, "The user account has expired or the password has to be changed"
	}
	e.failed = 0
	return who, ""
}

func (e *Engine) newToken(who *User) string {
	raw := append(uuidBytes(), uuidBytes()...)
	t := base64.RawURLEncoding.EncodeToString(append(raw, append(uuidBytes(), uuidBytes()...)...))
	e.tokens[t] = &session{used: e.clock.now(), user: who}
	return t
}

func uuidBytes() []byte {
	u := uuid.New() // random: tokens must not be guessable in trials on a network
	return u[:]
}

// authenticate admits an API call, or returns the text of the 401 page.
func (e *Engine) authenticate(c *call) string {
	auth := c.r.Header.Get("Authorization")
	if t, ok := strings.CutPrefix(auth, "Bearer "); ok {
		return e.useToken(c, t)
	}
	if user, password, ok := c.r.BasicAuth(); ok {
		who, wrong := e.login(user, password)
		if wrong != "" {
			return "Unauthorized"
		}
		c.user = who
		if strings.Contains(c.r.Header.Get("Prefer"), "persistent-auth") {
			http.SetCookie(c.w, &http.Cookie{Name: "JSESSIONID", Value: e.newToken(who), Path: base, Secure: true, HttpOnly: true})
		}
		return ""
	}
	if k, err := c.r.Cookie("JSESSIONID"); err == nil && strings.Contains(c.r.Header.Get("Prefer"), "persistent-auth") {
		return e.useToken(c, k.Value)
	}
	return "Unauthorized"
}

func (e *Engine) useToken(c *call, t string) string {
	s := e.tokens[t]
	if s == nil || e.clock.now().Sub(s.used) > e.opts.Session {
		delete(e.tokens, t)
		return expired
	}
	s.used = e.clock.now()
	c.user = s.user
	return ""
}

func (c *call) ssoFail(code, text string) {
	c.json(http.StatusBadRequest, map[string]string{"error_code": code, "error": text})
}

func (c *call) json(status int, v map[string]string) {
	b, _ := json.Marshal(v) // strings always marshal
	c.w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	c.send(status, b)
}
