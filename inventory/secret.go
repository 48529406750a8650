package inventory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

const (
	// minSecret is the length in runes below which a value is not masked: the
	// mask would fall on ordinary words.
	minSecret = 6
	// maxSecret is the size in bytes of the largest secret.
	maxSecret = 1 << 20
	// secretTimeout bounds a secret's command, which may wait for a person.
	secretTimeout = 2 * time.Minute
)

// Secret is a value that stands elsewhere, and is fetched when it is first
// needed. It is safe for concurrent use.
type Secret struct {
	Range diag.Range // where the inventory speaks of it

	env     string
	file    string
	command []string
	dir     string // in which the command runs
	literal string

	mu       sync.Mutex
	resolved bool
	value    string
}

// String names the source of the secret, never its value.
func (s *Secret) String() string {
	switch {
	case s.env != "":
		return "environment variable " + s.env
	case s.file != "":
		return "file " + s.file
	case len(s.command) > 0:
		return "command " + s.command[0]
	default:
		return "the inventory"
	}
}

// Format keeps the value out of every verb of fmt.
func (s *Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("secret from " + s.String())) }

// MarshalJSON keeps the value out of JSON.
func (s *Secret) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", "secret from "+s.String()), nil
}

// Resolve fetches the value: once, unless it fails. Of a file and of a command's
// output the line end at the end does not belong to it. The error names the
// source, and says what a failed command said.
func (s *Secret) Resolve(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resolved {
		return s.value, nil
	}
	value, err := s.fetch(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: the secret from %s: %w", s.Range.Pos, s.String(), err)
	}
	if value == "" {
		return "", fmt.Errorf("%s: the secret from %s is empty", s.Range.Pos, s.String())
	}
	s.value, s.resolved = value, true
	return value, nil
}

func (s *Secret) fetch(ctx context.Context) (string, error) {
	switch {
	case s.env != "":
		v, ok := os.LookupEnv(s.env)
		if !ok {
			return "", fmt.Errorf("it is not set: export %s", s.env)
		}
		return v, nil
	case s.file != "":
		return readSecret(s.file)
	case len(s.command) > 0:
		return s.run(ctx)
	default:
		return s.literal, nil
	}
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", reason(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecret {
		return "", fmt.Errorf("it must be a regular file of at most %d KiB", maxSecret>>10)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", reason(err)
	}
	return trimLineEnd(text)
}

func trimLineEnd(text []byte) (string, error) {
	if !utf8.Valid(text) {
		return "", errors.New("it is not UTF-8 text")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

func (s *Secret) run(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	out, err := runCommand(ctx, s.dir, maxSecret, s.command)
	if err != nil {
		return "", err
	}
	return trimLineEnd(out)
}

// runCommand gives what a program prints to stdout. It is ended, with all that
// it started, when the context ends. The error holds the end of its stderr.
func runCommand(ctx context.Context, dir string, limit int, argv []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	stdout, stderr := &capped{limit: limit}, &capped{limit: 1 << 20}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ownProcessGroup(cmd)
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("it did not end in time: %w", ctx.Err())
	case stdout.over:
		err = fmt.Errorf("it printed more than %d KiB", limit>>10)
	}
	if err != nil {
		if said := strings.TrimSpace(stderr.buf.String()); said != "" {
			lines := strings.Split(said, "\n")
			if len(lines) > 5 {
				lines = lines[len(lines)-5:]
			}
			return nil, fmt.Errorf("%w: %s", err, strings.Join(lines, " / "))
		}
		return nil, err
	}
	return stdout.buf.Bytes(), nil
}

// capped keeps the first limit bytes that are written to it. The buffer is no
// embedded one: its ReadFrom would let everything pass.
type capped struct {
	buf   bytes.Buffer
	limit int
	over  bool
}

func (c *capped) Write(p []byte) (int, error) {
	keep := p
	if room := c.limit - c.buf.Len(); room < len(p) {
		c.over, keep = true, p[:max(0, room)]
	}
	c.buf.Write(keep)
	return len(p), nil
}

// isSecret tells whether a value is written {secret: …}.
func isSecret(n *source.Node) bool {
	return n != nil && n.Kind == source.Map && len(n.Entries) == 1 && n.Entries[0].Key.Str == "secret"
}

// ParseSecret reads {secret: {env: NAME}}, {file: PATH} or {command: [PROGRAM,
// ARGUMENT…]}. Relative paths start at dir, and commands run there. A text is
// taken as the value itself.
func ParseSecret(n *source.Node, dir string) (*Secret, diag.List) {
	var list diag.List
	s := &Secret{Range: n.Range, dir: dir}
	if text, ok := scalarText(n); ok {
		s.literal = text
		return s, nil
	}
	if !isSecret(n) {
		list.Errorf(n.Range, "secret", "a secret is written {secret: {env: NAME}}, {secret: {file: PATH}} or {secret: {command: [PROGRAM, ARGUMENT]}}")
		return nil, list
	}
	inner := n.Entries[0].Value
	f, ok := newFields(&list, inner, "the secret", dir, secretKeys)
	if !ok {
		return nil, list
	}
	s.env, s.file, s.command = f.str("env"), f.path("file"), f.strs("command")
	if c := f.get("command"); c != nil && c.Kind != source.List {
		list.Errorf(c.Range, "secret", "the command of a secret is a list: [PROGRAM, ARGUMENT]")
	}
	given := 0
	for _, there := range []bool{s.env != "", s.file != "", len(s.command) > 0} {
		if there {
			given++
		}
	}
	if given != 1 && !list.HasErrors() {
		list.Errorf(inner.Range, "secret", "a secret has one source: env, file or command")
	}
	if list.HasErrors() {
		return nil, list
	}
	return s, list
}

// ResolveSecrets gives a value with every {secret: …} in it fetched and marked
// secret; a value without any is given as it is. A secret too short to be masked
// is a warning.
func ResolveSecrets(ctx context.Context, n *source.Node) (*source.Node, diag.List) {
	var list diag.List
	out := resolveSecrets(ctx, n, &list)
	return out, list
}

func resolveSecrets(ctx context.Context, n *source.Node, list *diag.List) *source.Node {
	if !hasSecret(n) {
		return n
	}
	if isSecret(n) {
		s, problems := ParseSecret(n, fileDir(n.Range.File))
		if list.Add(problems...); s == nil {
			return n
		}
		value, err := s.Resolve(ctx)
		if err != nil {
			list.Errorf(n.Range, "secret", "%s", strings.TrimPrefix(err.Error(), n.Range.Pos.String()+": "))
			return n
		}
		if utf8.RuneCountInString(value) < minSecret {
			list.Warnf(n.Range, "secret", "the secret from %s is shorter than %d characters and will not be masked", s.String(), minSecret)
		}
		return source.FromAny(value, n.Range).WithSecret()
	}
	out := *n
	if n.Kind == source.Map {
		out.Entries = make([]source.Entry, len(n.Entries))
		for i, e := range n.Entries {
			out.Entries[i] = source.Entry{Key: e.Key, Value: resolveSecrets(ctx, e.Value, list)}
		}
	}
	if n.Kind == source.List {
		out.Items = make([]*source.Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = resolveSecrets(ctx, item, list)
		}
	}
	return &out
}

// hasSecret tells whether there is a {secret: …} in a value.
func hasSecret(n *source.Node) bool {
	if isSecret(n) {
		return true
	}
	for _, e := range n.Entries {
		if hasSecret(e.Value) {
			return true
		}
	}
	for _, item := range n.Items {
		if hasSecret(item) {
			return true
		}
	}
	return false
}

// checkSecrets reports every {secret: …} in a value that is not written well.
func checkSecrets(n *source.Node, list *diag.List) {
	if isSecret(n) {
		_, problems := ParseSecret(n, "")
		list.Add(problems...)
		return
	}
	for _, e := range n.Entries {
		checkSecrets(e.Value, list)
	}
	for _, item := range n.Items {
		checkSecrets(item, list)
	}
}
