package ssh

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// URI is a libvirt connection URI with an SSH transport, taken apart.
type URI struct {
	Driver string // "qemu", "xen", …
	Path   string // "/system", "/session"
	Socket string // socket=: the daemon's socket; "" is the default one
	// Proxy is proxy=: how the socket is reached ("native": virt-ssh-helper,
	// "netcat", "auto"); "" when it is not given.
	Proxy  string
	Netcat string // netcat=: the program for proxy=netcat
	Mode   string // mode=: "auto", "direct" (modular daemons) or "legacy"
	Name   string // name=: the URI for the remote daemon
	Config Config
}

// uriParams are all parameters that ParseURI understands.
var uriParams = []string{"keyfile", "known_hosts", "known_hosts_verify", "mode", "name", "netcat",
	"no_tty", "no_verify", "proxy", "socket", "sshauth"}

// refusedParams exist in libvirt; the text says what to do instead.
var refusedParams = map[string]string{
	"command":      "an ssh program cannot be chosen, nactl speaks SSH itself; put host settings into ~/.ssh/config",
	"no_sanity":    "it belongs to TLS transports",
	"pkipath":      "it belongs to TLS transports",
	"tls_priority": "it belongs to TLS transports",
}

// ParseURI reads a URI such as
//
//	qemu+ssh://kim@node01:2222/system?keyfile=/home/kim/id&proxy=native
//
// as libvirt does: the transports ssh, libssh and libssh2 mean the same here,
// "+" in a parameter is a plus sign, and ";" separates parameters, too. What
// would switch off the check of host keys is refused.
func ParseURI(s string) (*URI, error) {
	head, query, _ := strings.Cut(s, "?")
	u, err := url.Parse(head)
	var bad *url.Error
	if errors.As(err, &bad) { // its own text repeats the URI, and a password in it
		return nil, fmt.Errorf("libvirt URI: %w", bad.Err)
	} else if err != nil {
		return nil, fmt.Errorf("libvirt URI: %w", err)
	}
	fail := func(format string, args ...any) (*URI, error) {
		return nil, fmt.Errorf("libvirt URI %q: "+format, append([]any{u.Redacted()}, args...)...)
	}
	driver, transport, ok := strings.Cut(u.Scheme, "+")
	switch {
	case !ok || driver == "":
		return fail("it has no SSH transport; want DRIVER+ssh://[USER@]HOST[:PORT]/PATH")
	case !slices.Contains([]string{"ssh", "libssh", "libssh2"}, transport):
		return fail("transport %q is not SSH; want DRIVER+ssh://[USER@]HOST[:PORT]/PATH", transport)
	case u.Hostname() == "":
		return fail("it names no host")
	case u.Fragment != "":
		return fail("it has a fragment #%s, which means nothing here; write %%23 for # in a name", u.Fragment)
	}
	if _, has := u.User.Password(); has {
		return fail("a password in a URI ends up in logs and process lists; use a key or the agent")
	}
	out := &URI{Driver: driver, Path: u.Path, Config: Config{Name: u.Hostname(), User: u.User.Username()}}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return fail("port %s is not between 1 and 65535", p)
		}
		out.Config.Port = int(n)
	}
	seen := map[string]bool{}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(pair, "=")
		key, err1 := url.PathUnescape(key)
		value, err2 := url.PathUnescape(value)
		if err1 != nil || err2 != nil {
			return fail("parameter %q has a wrong %% escape", pair)
		}
		if seen[key] {
			return fail("parameter %s is given twice", key)
		}
		seen[key] = true
		if err := out.set(key, value); err != nil {
			return fail("%w", err)
		}
	}
	return out, nil
}

// set takes one parameter.
func (u *URI) set(key, value string) error {
	oneOf := func(words ...string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("parameter %s=%s: want %s", key, value, strings.Join(words, " or "))
		}
		return nil
	}
	const wayOut = "put the node's key into a known_hosts file (ssh-keyscan HOST, then compare its fingerprint) and name it with known_hosts=FILE"
	switch key {
	case "keyfile":
		u.Config.IdentityFiles = []string{value}
	case "known_hosts":
		u.Config.KnownHosts = []string{value}
	case "socket":
		u.Socket = value
	case "netcat":
		u.Netcat = value
	case "name":
		u.Name = value
	case "mode":
		u.Mode = value
		return oneOf("auto", "direct", "legacy")
	case "proxy":
		u.Proxy = value
		return oneOf("auto", "native", "netcat")
	case "no_tty": // it is never asked for anything on a terminal here
		return oneOf("0", "1")
	case "no_verify":
		if value != "0" {
			return fmt.Errorf("no_verify=%s is refused: it would trust whoever answers; %s", value, wayOut)
		}
	case "known_hosts_verify":
		if value != "normal" {
			return fmt.Errorf("known_hosts_verify=%s is refused: it would trust whoever answers; %s", value, wayOut)
		}
	case "sshauth":
		return u.setAuth(value)
	default:
		if why, ok := refusedParams[key]; ok {
			return fmt.Errorf("parameter %s is not supported: %s", key, why)
		}
		if near := nearest(key, uriParams); near != "" {
			return fmt.Errorf("parameter %q is unknown; did you mean %q?", key, near)
		}
		return fmt.Errorf("parameter %q is unknown; known are %s", key, strings.Join(uriParams, ", "))
	}
	if value == "" {
		return fmt.Errorf("parameter %s is empty", key)
	}
	return nil
}

// setAuth takes sshauth's list of methods.
func (u *URI) setAuth(value string) error {
	keys, agent := false, false
	for m := range strings.SplitSeq(value, ",") {
		switch m {
		case "privkey":
			keys = true
		case "agent":
			agent = true
		default:
			return fmt.Errorf("sshauth=%s: method %q is not supported; want privkey, agent or both", value, m)
		}
	}
	switch {
	case !agent:
		u.Config.Agent = "none"
	case !keys && u.Config.IdentityFiles == nil:
		u.Config.IdentityFiles = []string{}
	}
	return nil
}

// nearest is the word that differs from s in at most two letters; "" if none
// does.
func nearest(s string, words []string) string {
	best, at := "", 3
	for _, w := range words {
		if d := distance(s, w); d < at && d < len(s) {
			best, at = w, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
