package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

const systemConfig = "/etc/ssh/ssh_config"

// options gives the values of one ssh_config keyword (lower case) for the
// node, the first one wins.
type options func(keyword string) []string

// lookup reads ssh_config for a node. A file with a Match line is left to
// "ssh -G": the library takes "Match host" for "Host" and knows no other kind.
func lookup(ctx context.Context, cfg Config, home string) (options, error) {
	var files []string
	switch cfg.SSHConfig {
	case "none":
		return func(string) []string { return nil }, nil
	case "":
		files = []string{filepath.Join(home, ".ssh", "config"), systemConfig}
	default:
		files = []string{tilde(cfg.SSHConfig, home)}
	}
	var parsed []*ssh_config.Config
	for _, f := range files {
		text, err := readSmall(f)
		if errors.Is(err, fs.ErrNotExist) && cfg.SSHConfig == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ssh_config: %w", err)
		}
		match := findMatch(text, filepath.Dir(f), home, 0)
		c, err := ssh_config.DecodeBytes(text)
		if match == "" && err == nil {
			parsed = append(parsed, c)
			continue
		}
		if match == "" {
			match = err.Error()
		}
		opts, err := askSSH(ctx, cfg, home)
		if err != nil {
			return nil, fmt.Errorf("ssh_config %s (%s) needs the ssh program to be understood: %w", f, match, err)
		}
		return opts, nil
	}
	return func(keyword string) []string {
		var all []string
		for _, c := range parsed {
			// GetAll fails only on nodes of a type that the parser does not make.
			v, _ := c.GetAll(cfg.Name, keyword)
			all = append(all, v...)
		}
		return all
	}, nil
}

// findMatch returns the first Match line in an ssh_config text or in a file
// that it includes.
func findMatch(text []byte, dir, home string, depth int) string {
	for line := range strings.Lines(string(text)) {
		word := strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool { return r == ' ' || r == '\t' || r == '=' })
		if len(word) == 0 {
			continue
		}
		switch strings.ToLower(word[0]) {
		case "match":
			return strings.TrimSpace(line)
		case "include":
			for _, pattern := range word[1:] {
				pattern = tilde(strings.Trim(pattern, `"`), home)
				if !filepath.IsAbs(pattern) {
					// Relative to ~/.ssh for a user's file, to /etc/ssh for the system's.
					if dir != filepath.Dir(systemConfig) {
						dir = filepath.Join(home, ".ssh")
					}
					pattern = filepath.Join(dir, pattern)
				}
				found, _ := filepath.Glob(pattern)
				for _, f := range found {
					sub, err := readSmall(f)
					if err != nil || depth > 5 {
						continue // the parser reports it
					}
					if m := findMatch(sub, dir, home, depth+1); m != "" {
						return f + ": " + m
					}
				}
			}
		}
	}
	return ""
}

// askSSH has OpenSSH itself evaluate its configuration.
func askSSH(ctx context.Context, cfg Config, home string) (options, error) {
	args := []string{"-G"}
	if cfg.SSHConfig != "" {
		args = append(args, "-F", tilde(cfg.SSHConfig, home))
	}
	if cfg.User != "" {
		args = append(args, "-l", cfg.User)
	}
	if cfg.Port != 0 {
		args = append(args, "-p", strconv.Itoa(cfg.Port))
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "--", cfg.Name)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ssh -G %s: %w: %s", cfg.Name, err, strings.TrimSpace(stderr.String()))
	}
	values := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		values[k] = append(values[k], v)
	}
	// ssh prints its built-in keys as if they were asked for.
	var ids []string
	for _, f := range values["identityfile"] {
		name, isDefault := strings.CutPrefix(f, "~/.ssh/id_")
		if !isDefault || !slices.Contains([]string{"rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"}, name) {
			ids = append(ids, f)
		}
	}
	values["identityfile"] = ids
	return func(keyword string) []string { return values[keyword] }, nil
}

// apply fills the fields that the caller left open from ssh_config.
func (t *target) apply(opts options, localUser, home string) error {
	first := func(keyword string) string {
		if v := opts(keyword); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	x := &expander{values: map[byte]string{'h': t.Name, 'n': t.Name, 'd': home, 'u': localUser}, home: home}

	if t.Address == "" || t.Address == t.Name {
		t.Address = t.Name
		if h := first("hostname"); h != "" {
			t.Address = x.expand("HostName", h)
		}
	}
	x.values['h'] = t.Address
	if t.Port == 0 {
		t.Port = DefaultPort
		if p := first("port"); p != "" {
			n, err := strconv.ParseUint(p, 10, 16)
			if err != nil || n == 0 {
				return fmt.Errorf("ssh_config: Port %q is not between 1 and 65535", p)
			}
			t.Port = int(n)
		}
	}
	x.values['p'] = strconv.Itoa(t.Port)
	if t.User == "" {
		t.User = localUser
		if u := first("user"); u != "" {
			t.User = u
		}
	}
	x.values['r'] = t.User

	t.applyKeys(opts, first, x)
	if err := refuse(first); err != nil {
		return err
	}
	if t.HostKeyAlias == "" {
		t.HostKeyAlias = x.expand("HostKeyAlias", first("hostkeyalias"))
	}
	x.values['k'] = t.Name
	if t.HostKeyAlias != "" {
		x.values['k'] = t.HostKeyAlias
	}
	if t.KnownHosts == nil {
		t.KnownHosts = knownHostsFiles(first, x)
	}
	if err := t.applyJump(first("proxyjump"), x); err != nil {
		return err
	}
	if err := t.applyTimes(first); err != nil {
		return err
	}
	return x.err
}

// applyKeys takes over what says who we are.
func (t *target) applyKeys(opts options, first func(string) string, x *expander) {
	if t.IdentityFiles == nil {
		for _, f := range opts("identityfile") {
			if f == "none" {
				t.IdentityFiles = append([]string{}, t.IdentityFiles...)
				continue
			}
			t.IdentityFiles = append(t.IdentityFiles, x.path("IdentityFile", f))
		}
		t.IdentitiesOnly = t.IdentitiesOnly || first("identitiesonly") == "yes"
	}
	for _, f := range opts("certificatefile") {
		t.certFiles = append(t.certFiles, x.path("CertificateFile", f))
	}
	if t.Agent == "" {
		switch a := first("identityagent"); {
		case a == "" || a == "SSH_AUTH_SOCK":
		case strings.HasPrefix(a, "$") && !strings.HasPrefix(a, "${"):
			t.Agent = os.Getenv(a[1:])
		default:
			t.Agent = x.path("IdentityAgent", a)
		}
	}
}

// refuse rejects settings that would be dangerous to follow or to ignore.
func refuse(first func(string) string) error {
	switch v := strings.ToLower(first("stricthostkeychecking")); v {
	case "", "yes", "true", "ask":
	default:
		return fmt.Errorf("ssh_config: StrictHostKeyChecking %s is refused, it would trust whoever answers; set it to yes and put the node's key into known_hosts", v)
	}
	if v := first("proxycommand"); v != "" && v != "none" {
		return fmt.Errorf("ssh_config: ProxyCommand %q is not supported; use ProxyJump", v)
	}
	if v := first("revokedhostkeys"); v != "" && v != "none" {
		return fmt.Errorf("ssh_config: RevokedHostKeys %q is not supported; put @revoked lines into known_hosts", v)
	}
	return nil
}

// knownHostsFiles lists the user's files, then the system's.
func knownHostsFiles(first func(string) string, x *expander) []string {
	files := []string{}
	for _, o := range []struct{ keyword, def string }{
		{"UserKnownHostsFile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"},
		{"GlobalKnownHostsFile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
	} {
		v := first(strings.ToLower(o.keyword))
		if v == "" {
			v = o.def
		}
		for _, f := range splitWords(v) {
			if f != "none" {
				files = append(files, x.path(o.keyword, f))
			}
		}
	}
	return files
}

// applyJump turns "user@host:port,host" into Configs.
func (t *target) applyJump(v string, x *expander) error {
	if t.Jump != nil || v == "" || v == "none" {
		return nil
	}
	for part := range strings.SplitSeq(x.expand("ProxyJump", v), ",") {
		j, err := parseHop(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("ssh_config: ProxyJump %q: %w", v, err)
		}
		if j.Name == t.Name && (j.Port == 0 || j.Port == t.Port) {
			t.Jump = nil // "Host *" with a ProxyJump matches the jump host, too
			return nil
		}
		t.Jump = append(t.Jump, j)
	}
	return nil
}

// applyTimes takes over the intervals, in seconds.
func (t *target) applyTimes(first func(string) string) error {
	seconds := func(keyword string, d *time.Duration) error {
		v := strings.ToLower(first(strings.ToLower(keyword)))
		if *d != 0 || v == "" || v == "none" || v == "0" {
			return nil
		}
		if _, err := strconv.Atoi(v); err == nil {
			v += "s"
		}
		n, err := time.ParseDuration(v)
		if err != nil || n < 0 {
			return fmt.Errorf("ssh_config: %s %q is not a time in seconds", keyword, v)
		}
		*d = n
		return nil
	}
	if err := seconds("ConnectTimeout", &t.ConnectTimeout); err != nil {
		return err
	}
	if err := seconds("ServerAliveInterval", &t.KeepAlive); err != nil {
		return err
	}
	if v := first("serveralivecountmax"); v != "" && t.KeepAliveCount == 0 {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return fmt.Errorf("ssh_config: ServerAliveCountMax %q is not a number", v)
		}
		t.KeepAliveCount = n
	}
	return nil
}

// expander replaces ssh_config's % tokens, ~ and ${VARIABLE}; the first
// failure stays in err.
type expander struct {
	values map[byte]string
	home   string
	err    error
}

// expand replaces the % tokens.
func (x *expander) expand(keyword, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i < len(s) && s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var v string
		known := false
		if i < len(s) {
			v, known = x.values[s[i]]
		}
		if !known {
			if x.err == nil {
				x.err = fmt.Errorf("ssh_config: %s %q has a %% token that is not supported here; known are %%%% %%d %%h %%k %%n %%p %%r %%u", keyword, s)
			}
			return s
		}
		b.WriteString(v)
	}
	return b.String()
}

// path expands a file name: tokens, ${VARIABLE}, then ~.
func (x *expander) path(keyword, s string) string {
	rest := x.expand(keyword, s)
	var b strings.Builder
	for {
		head, tail, found := strings.Cut(rest, "${")
		b.WriteString(head)
		if !found {
			return tilde(b.String(), x.home)
		}
		name, after, closed := strings.Cut(tail, "}")
		v, set := os.LookupEnv(name)
		if !closed || !set {
			if x.err == nil {
				x.err = fmt.Errorf("ssh_config: %s %q: environment variable %s is not set", keyword, s, name)
			}
			return s
		}
		b.WriteString(v)
		rest = after
	}
}

// splitWords splits at blanks, except within double quotes.
func splitWords(s string) []string {
	quoted := false
	words := strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
			return true
		}
		return !quoted && (r == ' ' || r == '\t')
	})
	return words
}

// parseHop reads "[ssh://][user@]host[:port]"; an IPv6 address with a port is
// in brackets.
func parseHop(s string) (Config, error) {
	var c Config
	s = strings.TrimSuffix(strings.TrimPrefix(s, "ssh://"), "/")
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		c.User, s = s[:i], s[i+1:]
	}
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || (end+1 < len(s) && s[end+1] != ':') {
			return Config{}, fmt.Errorf("%q is not a host", s)
		}
		host, port = s[1:end], strings.TrimPrefix(s[end+1:], ":")
	} else if strings.Count(s, ":") == 1 {
		host, port, _ = strings.Cut(s, ":")
	}
	if host == "" {
		return Config{}, errors.New("empty host name")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Config{}, fmt.Errorf("port %q is not between 1 and 65535", port)
		}
		c.Port = int(n)
	}
	c.Name = host
	return c, nil
}
