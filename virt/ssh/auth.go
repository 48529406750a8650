package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// candidate is one key that may let us in.
type candidate struct {
	name   string // for AuthError
	signer gossh.Signer
}

// login offers the candidates to one node, each as an authentication method
// of its own: within one method a key that cannot sign ends the attempt.
type login struct {
	t          *target
	ctx        context.Context
	agentConn  net.Conn
	candidates []candidate
	next       int
	asked      bool // whether the password was sent
	mu         sync.Mutex
	notes      []string // sources that gave no key, keys that could not sign
}

// newLogin gathers the keys. The caller closes it after the handshake.
func newLogin(ctx context.Context, t *target) *login {
	l := &login{t: t, ctx: ctx}
	agentKeys := l.fromAgent()
	byBlob := map[string]candidate{}
	for _, k := range agentKeys {
		byBlob[string(k.signer.PublicKey().Marshal())] = k
	}
	var files []candidate
	for _, f := range t.IdentityFiles {
		files = append(files, l.fromFile(f, byBlob)...)
	}
	// A server counts refused keys (MaxAuthTries 6): what was asked for comes
	// before what the agent happens to hold.
	lists := [][]candidate{files, agentKeys}
	if !t.explicitID {
		lists = [][]candidate{agentKeys, files}
	}
	if t.IdentitiesOnly {
		lists = [][]candidate{files}
	}
	seen := map[string]bool{}
	for _, list := range lists {
		for _, c := range list {
			if blob := string(c.signer.PublicKey().Marshal()); !seen[blob] {
				seen[blob] = true
				l.candidates = append(l.candidates, c)
			}
		}
	}
	if t.Password != nil && len(l.candidates) > keysBeforePassword {
		l.note("%d more keys were not offered, to leave the server's patience for the password", len(l.candidates)-keysBeforePassword)
		l.candidates = l.candidates[:keysBeforePassword]
	}
	return l
}

// Close ends the talk with the agent.
func (l *login) Close() {
	if l.agentConn != nil {
		l.agentConn.Close()
	}
}

func (l *login) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// pick is the gossh.ClientAuthCallback.
func (l *login) pick(c *gossh.ClientAuthContext) (gossh.AuthMethod, error) {
	publickey := false
	for _, m := range c.AllowedMethods {
		publickey = publickey || m == "publickey"
	}
	switch {
	case publickey && l.next < len(l.candidates):
	case l.t.Password != nil:
		return l.password(c.AllowedMethods)
	case !publickey:
		return nil, fmt.Errorf("the server accepts only %s, not public keys; --ask-pass asks for a password", strings.Join(c.AllowedMethods, ", "))
	default:
		return nil, errors.New("no more keys to try")
	}
	l.next++
	return gossh.PublicKeys(l.candidates[l.next-1].signer), nil
}

// tried lists the keys offered so far, then the notes.
func (l *login) tried() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s []string
	for _, c := range l.candidates[:l.next] {
		s = append(s, c.name)
	}
	return append(s, l.notes...)
}

// fromAgent lists the agent's keys; an agent that is absent only leaves a note.
func (l *login) fromAgent() []candidate {
	if l.t.Agent == "" || l.t.Agent == "none" {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(l.ctx, "unix", l.t.Agent)
	if err != nil {
		l.note("agent %s: %v", l.t.Agent, err)
		return nil
	}
	l.agentConn = conn
	stop := context.AfterFunc(l.ctx, func() { conn.Close() })
	defer stop()
	client := agent.NewClient(conn)
	keys, err := client.List()
	if err != nil {
		l.note("agent %s: %v", l.t.Agent, err)
		return nil
	}
	signers, err := client.Signers()
	if err != nil || len(signers) != len(keys) {
		l.note("agent %s: list of keys: %v", l.t.Agent, err)
		return nil
	}
	if len(signers) == 0 {
		l.note("agent %s: holds no key", l.t.Agent)
	}
	var list []candidate
	for i, s := range signers {
		list = append(list, candidate{name: "agent key " + keyName(s.PublicKey()) + " " + keys[i].Comment, signer: s})
	}
	return list
}

// fromFile gives the keys of one identity file: its certificates first. The
// private half may be in the agent.
func (l *login) fromFile(file string, inAgent map[string]candidate) []candidate {
	data, err := readSmall(file)
	if errors.Is(err, os.ErrNotExist) {
		// An identity may exist as FILE.pub only, with the key in the agent.
		if pub, pubErr := readPublic(file + ".pub"); pubErr == nil {
			return l.viaAgent(file+".pub", pub, inAgent)
		}
		if l.t.explicitID {
			l.note("%s: no such file", file)
		}
		return nil
	}
	if err != nil {
		l.note("%v", err)
		return nil
	}
	signer, err := gossh.ParsePrivateKey(data)
	var locked *gossh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		pub := locked.PublicKey
		if pub == nil { // the old PEM format tells nothing
			if pub, err = readPublic(file + ".pub"); err != nil {
				l.note("%s: encrypted, and its public key is not beside it: %v", file, err)
				return nil
			}
		}
		if list := l.viaAgentQuiet(file, pub, inAgent); list != nil {
			return l.withCerts(file, list[0].signer, list)
		}
		signer = &lockedSigner{l: l, file: file, pem: data, pub: pub}
	case err != nil:
		if pub, pubErr := parsePublic(data); pubErr == nil {
			return l.viaAgent(file, pub, inAgent)
		}
		l.note("%s: not a private key: %v", file, err)
		return nil
	}
	c := candidate{name: file + " " + keyName(signer.PublicKey()), signer: signer}
	return l.withCerts(file, signer, []candidate{c})
}

// withCerts puts the certificates that belong to a key before it.
func (l *login) withCerts(file string, signer gossh.Signer, list []candidate) []candidate {
	var certs []candidate
	for _, f := range append([]string{file + "-cert.pub"}, l.t.certFiles...) {
		pub, err := readPublic(f)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				l.note("%s: %v", f, err)
			}
			continue
		}
		cert, ok := pub.(*gossh.Certificate)
		if !ok {
			l.note("%s: not a certificate", f)
			continue
		}
		if s, err := gossh.NewCertSigner(cert, signer); err == nil { // else for another key
			certs = append(certs, candidate{name: f + " " + keyName(pub), signer: s})
		}
	}
	return append(certs, list...)
}

// viaAgent finds the private half of pub in the agent.
func (l *login) viaAgent(file string, pub gossh.PublicKey, inAgent map[string]candidate) []candidate {
	list := l.viaAgentQuiet(file, pub, inAgent)
	if list == nil {
		l.note("%s: a public key whose private key is not in the agent", file)
	}
	return list
}

func (l *login) viaAgentQuiet(file string, pub gossh.PublicKey, inAgent map[string]candidate) []candidate {
	k, ok := inAgent[string(pub.Marshal())]
	if !ok {
		return nil
	}
	return []candidate{{name: file + " " + keyName(pub) + " through the agent", signer: k.signer}}
}

// lockedSigner is an encrypted key: the passphrase is asked for only when the
// node has said that it takes this key.
type lockedSigner struct {
	l    *login
	file string
	pem  []byte
	pub  gossh.PublicKey
}

var _ gossh.AlgorithmSigner = (*lockedSigner)(nil)

func (s *lockedSigner) PublicKey() gossh.PublicKey { return s.pub }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*gossh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm is called at most once a connection attempt, so the opened
// key is not kept.
func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*gossh.Signature, error) {
	if s.l.t.Passphrase == nil {
		err := fmt.Errorf("%s is encrypted: add it to the agent with ssh-add", s.file)
		s.l.note("%v", err)
		return nil, err
	}
	pass, err := s.l.t.Passphrase(s.l.ctx, s.file)
	if err == nil {
		var signer gossh.Signer
		if signer, err = gossh.ParsePrivateKeyWithPassphrase(s.pem, pass); err == nil {
			as, ok := signer.(gossh.AlgorithmSigner)
			if !ok {
				return nil, fmt.Errorf("%s: %s keys cannot choose their algorithm", s.file, s.pub.Type())
			}
			return as.SignWithAlgorithm(rand, data, algorithm)
		}
	}
	err = fmt.Errorf("%s: passphrase: %w", s.file, err)
	s.l.note("%v", err)
	return nil, err
}

func keyName(pub gossh.PublicKey) string {
	return "(" + pub.Type() + " " + gossh.FingerprintSHA256(pub) + ")"
}

func readPublic(file string) (gossh.PublicKey, error) {
	data, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	return parsePublic(data)
}

func parsePublic(data []byte) (gossh.PublicKey, error) {
	pub, _, _, _, err := gossh.ParseAuthorizedKey(data)
	return pub, err
}

// AgentKeys counts the keys that the SSH agent at a socket holds.
func AgentKeys(socket string) (int, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(agentWait)); err != nil {
		return 0, err
	}
	keys, err := agent.NewClient(conn).List()
	return len(keys), err
}

// agentWait is how long an agent may take to list its keys; it asks nobody for that.
const agentWait = 5 * time.Second

// maxSmall is the size in bytes up to which files of keys and settings are read.
const maxSmall = 1 << 20

// readSmall reads a file of keys or settings. Reading a pipe would wait for a writer
// for ever, and a device may have no end.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxSmall:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSmall)
	}
	return os.ReadFile(path)
}
