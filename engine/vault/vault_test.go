package vault

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// A passphrase is to cost an attacker a second, and a test nothing.
func TestMain(m *testing.M) {
	passphraseWork = 10
	os.Exit(m.Run())
}

// identity makes a key of age: its file and its public half.
func identity(t testing.TB) (file string, public Recipient) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "identity", id.String()+"\n"), recipient(t, id.Recipient().String())
}

func recipient(t testing.TB, text string) Recipient {
	t.Helper()
	r, err := ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sshKey makes an SSH key: its file, which a passphrase may protect, and its
// public half with a comment.
func sshKey(t *testing.T, kind, phrase string) (file, public string) {
	t.Helper()
	var private any
	var key ssh.PublicKey
	var err error
	switch kind {
	case "ed25519":
		pub, priv, _ := ed25519.GenerateKey(rand.Reader)
		private = priv
		key, err = ssh.NewPublicKey(pub)
	case "rsa":
		priv, _ := rsa.GenerateKey(rand.Reader, 2048)
		private = priv
		key, err = ssh.NewPublicKey(&priv.PublicKey)
	}
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if phrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(phrase))
	} else {
		block, err = ssh.MarshalPrivateKey(private, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "id_"+kind, string(pem.EncodeToMemory(block))), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " me@here"
}

func TestRecipients(t *testing.T) {
	const text = "password: hunter22\n"
	mine, myKey := identity(t)
	_, other := identity(t)
	ed, edKey := sshKey(t, "ed25519", "")
	rsaFile, rsaKey := sshKey(t, "rsa", "")
	locked, lockedKey := sshKey(t, "ed25519", "opensesame")
	to := Lock{Recipients: []Recipient{other, myKey, recipient(t, edKey), recipient(t, rsaKey), recipient(t, lockedKey)}}
	file, err := Encrypt([]byte(text), to)
	if err != nil {
		t.Fatal(err)
	}
	if !IsEncrypted(file) || strings.Contains(string(file), "hunter22") || !strings.HasPrefix(string(file), "-----BEGIN AGE ENCRYPTED FILE-----\n") {
		t.Fatalf("not an armored file:\n%s", file)
	}
	for _, path := range []string{mine, ed, rsaFile, locked} {
		asked := 0
		keys := &Keys{Files: []string{path}, Ask: func(prompt string) (string, error) {
			asked++
			if want := "passphrase of SSH key " + path + ":"; prompt != want {
				t.Errorf("asked %q, want %q", prompt, want)
			}
			return "opensesame", nil
		}}
		for range 2 {
			got, lock, err := keys.Decrypt("f", file)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if string(got) != text {
				t.Errorf("%s: %q", path, got)
			}
			var names []string
			for _, r := range lock.Recipients {
				names = append(names, r.String())
			}
			edName, _, _ := strings.Cut(edKey, " me@")
			if len(names) != 5 || names[0] != other.String() || names[2] != edName {
				t.Errorf("%s: encrypted to %v", path, names)
			}
		}
		if want := map[bool]int{true: 1}[path == locked]; asked != want {
			t.Errorf("%s: asked %d times, want %d", path, asked, want)
		}
	}
}

func TestPassphrase(t *testing.T) {
	file, err := Encrypt([]byte("a: 1\n"), Lock{Passphrase: "opensesame"})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	keys := &Keys{Ask: func(string) (string, error) { asked++; return "opensesame", nil }}
	for range 2 {
		text, lock, err := keys.Decrypt("f", file)
		if err != nil || string(text) != "a: 1\n" || lock.Passphrase != "opensesame" || len(lock.Recipients) != 0 {
			t.Errorf("%q %v %v", text, lock, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	for _, tt := range []struct {
		ask  func(string) (string, error)
		want string
	}{
		{nil, "it is encrypted by a passphrase, and nobody can type here"},
		{func(string) (string, error) { return "wrong", nil }, "the passphrase is not the right one"},
		{func(string) (string, error) { return "", nil }, "no passphrase was given"},
		{func(string) (string, error) { return "", errors.New("the input ended") }, "the input ended"},
	} {
		if _, _, err := (&Keys{Ask: tt.ask}).Decrypt("f", file); err == nil || err.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

func TestForeignFile(t *testing.T) {
	id, _ := age.GenerateX25519Identity()
	var b strings.Builder
	w, err := age.Encrypt(&b, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("# a comment\na: 1\n"))
	w.Close()
	text, lock, err := (&Keys{Text: id.String()}).Decrypt("f", []byte(b.String()))
	if err != nil || string(text) != "# a comment\na: 1\n" || len(lock.Recipients) != 0 || lock.Passphrase != "" {
		t.Errorf("%q %v %v", text, lock, err)
	}
}

func TestWhatIsMissing(t *testing.T) {
	mine, key := identity(t)
	stranger, _ := identity(t)
	_, rsaKey := sshKey(t, "rsa", "")
	file, err := Encrypt([]byte("a: 1"), Lock{Recipients: []Recipient{key, recipient(t, rsaKey)}})
	if err != nil {
		t.Fatal(err)
	}
	empty := write(t, "empty", "# nothing\n")
	for _, tt := range []struct {
		name string
		keys *Keys
		file []byte
		want string
	}{
		{"none", &Keys{Hint: "set X"}, file, "it is encrypted to 1 age key, 1 ssh-rsa key, and there is no identity to open it with: set X"},
		{"another", &Keys{Files: []string{stranger}}, file, "it is encrypted to 1 age key, 1 ssh-rsa key, and no identity of " + stranger + " is one of them"},
		{"no file", &Keys{Files: []string{"/nothere"}}, file, "identity: open /nothere: no such file or directory"},
		{"usual", &Keys{Usual: []string{"/nothere", empty}, Hint: "set X"}, file, "it is encrypted to 1 age key, 1 ssh-rsa key, and there is no identity to open it with: set X"},
		{"empty", &Keys{Files: []string{empty}}, file, "identity " + empty + ": no identities found"},
		{"command", &Keys{Command: func() ([]byte, error) { return nil, errors.New("exit status 1") }}, file, "the command that gives the identity: exit status 1"},
		{"cut off", &Keys{Files: []string{mine}}, file[:len(file)-80], "the file is damaged: "},
		{"no age", &Keys{Files: []string{mine}}, []byte(binaryHead + "x"), "the file is damaged: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := tt.keys.Decrypt("f", tt.file)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestProtectedIdentity(t *testing.T) {
	mine, key := identity(t)
	plain, _ := os.ReadFile(mine)
	protected, err := Encrypt(plain, Lock{Passphrase: "opensesame"})
	if err != nil {
		t.Fatal(err)
	}
	file, _ := Encrypt([]byte("a: 1"), Lock{Recipients: []Recipient{key}})
	keys := &Keys{Files: []string{write(t, "protected", string(protected))}, Ask: func(string) (string, error) { return "opensesame", nil }}
	if text, _, err := keys.Decrypt("f", file); err != nil || string(text) != "a: 1" {
		t.Errorf("%q %v", text, err)
	}
}

func TestParseRecipient(t *testing.T) {
	id, _ := age.GenerateX25519Identity()
	for text, want := range map[string]string{
		"":                        "a recipient is a public key",
		id.String():               "this is an identity",
		"age1xyz":                 "the public key age1xyz: ",
		"ssh-ed25519 AAAA":        "the public key ssh-ed25519 AAAA: ",
		"ecdsa-sha2-nistp256 AAA": "age encrypts to SSH keys of the types ssh-ed25519 and ssh-rsa, found ecdsa-sha2-nistp256",
		"me@here":                 `"me@here" is no public key`,
	} {
		_, err := ParseRecipient(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), id.String()) {
			t.Errorf("the error shows an identity: %v", err)
		}
	}
	_, public := identity(t)
	list, err := ReadRecipients(write(t, "keys", "# team\n\n"+public.String()+"\n"))
	if err != nil || len(list) != 1 || list[0].String() != public.String() {
		t.Errorf("%v %v", list, err)
	}
	path := write(t, "keys", public.String()+"\nnonsense\n")
	if _, err := ReadRecipients(path); err == nil || !strings.HasPrefix(err.Error(), path+`:2: "nonsense" is no public key`) {
		t.Error(err)
	}
}

func TestEncryptTo(t *testing.T) {
	_, key := identity(t)
	if _, err := Encrypt(nil, Lock{}); !errors.Is(err, ErrNoLock) {
		t.Error(err)
	}
	if _, err := Encrypt(nil, Lock{Recipients: []Recipient{key}, Passphrase: "x"}); err == nil {
		t.Error("both")
	}
}

func FuzzDecrypt(f *testing.F) {
	id, _ := age.GenerateX25519Identity()
	r, _ := ParseRecipient(id.Recipient().String())
	file, _ := Encrypt([]byte("a: 1"), Lock{Recipients: []Recipient{r}})
	f.Add(file)
	f.Add([]byte(binaryHead))
	f.Fuzz(func(t *testing.T, file []byte) {
		text, _, err := (&Keys{Text: id.String()}).Decrypt("f", file)
		if err == nil && string(text) != "a: 1" && !strings.HasPrefix(string(text), "a: 1") {
			t.Errorf("%q", text)
		}
	})
}

// FuzzRecipient: no text makes the reader of public keys panic, and none that is
// refused is shown whole: it could be an identity.
func FuzzRecipient(f *testing.F) {
	_, key := identity(f)
	for _, text := range []string{key.String(), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO me", "ssh-rsa AAAA", "age1pq1", "AGE-SECRET-KEY-1", "# c\n\n" + key.String() + " x\n", "sk-ssh-ed25519@openssh.com AAAA", "\xff"} {
		f.Add(text)
	}
	file := filepath.Join(f.TempDir(), "keys")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipient(text); err == nil && r.String() == "" || err != nil && err.Error() == "" {
			t.Fatalf("%q: %v %v", text, r, err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := ReadRecipients(file)
		if err == nil && len(list) == 0 {
			t.Fatal("neither a key nor an error")
		}
	})
}
