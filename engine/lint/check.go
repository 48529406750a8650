package lint

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules/step"
)

// Play looks for what is unwise in a play.
func Play(p *playbook.Play) diag.List {
	var c checker
	for _, v := range slices.Concat(p.Vars, p.Defaults) {
		c.secrets(v.Name, v.Value)
	}
	for _, q := range p.Prompts {
		if q.Default != nil {
			c.secrets(q.Name, q.Default)
		}
	}
	for _, s := range slices.Concat(p.Steps, p.Handlers) {
		c.step(s)
	}
	return c.list
}

type checker struct{ list diag.List }

func (c *checker) step(s *playbook.Step) {
	if s.Name == "" {
		c.list.Warnf(s.Range, "unnamed-step", "this %s has no name, which reports and --start-at would call it by", s.Word)
	}
	for _, v := range slices.Concat(s.Vars, s.Defaults) {
		c.secrets(v.Name, v.Value)
	}
	for _, n := range s.Environment {
		c.secrets("", n)
	}
	c.secrets("", s.Args)
	if image := s.Args.Get("image"); image != nil && latest(image.Str) {
		c.list.Warnf(image.Range, "unpinned-image", "%s is another image tomorrow; name a version", image.Str)
	}
	if mode := s.Args.Get("mode"); mode != nil {
		c.mode(s.Args, mode)
	}
}

// secretWords are what names of things end in that are to be kept from readers.
// Hashes and references are none.
var secretWords = []string{"password", "passwd", "passphrase", "pass", "secret", "token", "api_key", "apikey", "private_key", "privatekey"}

// isSecretName tells whether a name is one of these words, or ends in one behind _
// or -, in whatever case.
func isSecretName(name string) bool {
	for _, word := range secretWords {
		at := len(name) - len(word)
		if at < 0 || at > 0 && name[at-1] != '_' && name[at-1] != '-' {
			continue
		}
		if strings.EqualFold(name[at:], word) {
			return true
		}
	}
	return false
}

// secrets looks for passwords as they stand, at any depth.
func (c *checker) secrets(name string, n *source.Node) {
	if n.Secret {
		return // it stands in an encrypted file
	}
	switch n.Kind {
	case source.Map:
		if playbook.IsSecret(n) {
			return
		}
		for _, e := range n.Entries {
			c.secrets(e.Key.Str, e.Value)
		}
	case source.List:
		for _, item := range n.Items {
			c.secrets(name, item)
		}
	case source.String, source.Int:
		text, _ := step.Text(n)
		if text != "" && isSecretName(name) && !playbook.IsDynamic(n) {
			c.list.Warnf(n.Range, "plain-password", "%s stands here as it is: write {secret: {env: NAME}}, or {secret: {file: PATH}}", name)
		}
	}
}

// latestName fits names and addresses of images that move.
var latestName = regexp.MustCompile(`(?i)(^|[-_:./])(latest|current|daily|nightly)($|[-_./?])`)

func latest(name string) bool { return latestName.MatchString(name) && !strings.Contains(name, "{{") }

// keyFile fits paths of private keys as they are usually called.
var keyFile = regexp.MustCompile(`(^|/)(id_(rsa|ed25519|ecdsa|dsa)|ssh_host_[a-z0-9]+_key|[^/]*\.key|[^/]*privkey[^/]*\.pem|[^/]*[-_]key\.pem)$`)

// mode looks at files whose mode lets others read a private key.
func (c *checker) mode(args, mode *source.Node) {
	text, ok := step.Text(mode)
	bits, err := strconv.ParseUint(text, 8, 16)
	if !ok || err != nil || bits&0o044 == 0 {
		return
	}
	private := false
	for _, key := range []string{"path", "src", "dest"} {
		if n := args.Get(key); n != nil && keyFile.MatchString(n.Str) {
			private = true
		}
	}
	for _, key := range []string{"content", "template"} {
		if n := args.Get(key); n != nil && strings.Contains(n.Str, "PRIVATE KEY-----") {
			private = true
		}
	}
	if private {
		c.list.Warnf(mode.Range, "readable-key", "mode %s lets others read a private key; write \"0600\"", text)
	}
}

// Inventory looks for what is unwise in an inventory.
func Inventory(inv *inventory.Inventory) diag.List {
	var list diag.List
	for _, e := range inv.Engines {
		if e.Insecure {
			list.Warnf(e.Range, "insecure-engine", "the certificate of engine %s is not checked; name its authority in ca_file", e.Name)
		}
	}
	for _, im := range inv.Images {
		if im.Engines != nil {
			image(&list, im.Name, im.Engines.URL, im.Engines.SHA256, im.Range)
		}
		if im.Nodes != nil {
			image(&list, im.Name, im.Nodes.URL, im.Nodes.SHA256, im.Range)
		}
		for _, t := range im.Targets {
			image(&list, im.Name, t.Source.URL, t.Source.SHA256, t.Range)
		}
	}
	for _, n := range inv.Nodes {
		for _, f := range n.IdentityFiles {
			identity(&list, f, "node "+n.Name, n.Range)
		}
	}
	guests := []inventory.Guests{inv.Guests}
	for _, e := range inv.Engines {
		for _, g := range []*inventory.Guests{e.Guests, e.Hosts} {
			if g != nil {
				guests = append(guests, *g)
			}
		}
	}
	seen := map[string]bool{} // an engine's section holds what that of all engines says
	for _, g := range guests {
		for _, f := range g.IdentityFiles {
			if !seen[f] {
				identity(&list, f, "guests", g.Range)
			}
			seen[f] = true
		}
	}
	for _, t := range inv.All() {
		for name, n := range t.Vars.Nodes() {
			c := checker{}
			c.secrets(name, n)
			list.Add(c.list...)
		}
	}
	list.Sort()
	return list
}

func image(list *diag.List, name, url, sum string, at diag.Range) {
	switch {
	case url == "":
	case sum != "": // whatever else comes is refused
	case strings.HasPrefix(url, "http://"):
		list.Warnf(at, "unpinned-image", "image %s comes over plain http, where anybody can change it; write https://", name)
	case latest(url):
		list.Warnf(at, "unpinned-image", "image %s is whatever %s is today; name a version", name, path.Base(url))
	default:
		list.Warnf(at, "unpinned-image", "image %s has no checksum: nobody can tell whether %s is what was meant; write sha256 beside url", name, path.Base(url))
	}
}

// identity looks at the permissions of a private key on this machine. One that is
// not there is for whoever needs it to say.
func identity(list *diag.List, file, what string, at diag.Range) {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 || keyIsPublic(file) {
		return
	}
	list.Warnf(at, "readable-key", "others can read %s, the private key of %s (mode %s): chmod 600 it", file, what, octal(info.Mode()))
}

func keyIsPublic(file string) bool { return strings.HasSuffix(file, ".pub") }

func octal(m fs.FileMode) string { return fmt.Sprintf("%04o", m.Perm()) }
