package ssh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// keysBeforePassword is how many keys are offered before a password: sshd hangs up
// after its MaxAuthTries, 6 by default, and the password is what was asked for.
const keysBeforePassword = 4

// The methods by which a server takes a password, in the order of preference.
const (
	methodPassword    = "password"
	methodInteractive = "keyboard-interactive"
)

// password gives the method that sends the password, once: a wrong one must not
// lock an account by being sent again in another way.
func (l *login) password(allowed []string) (gossh.AuthMethod, error) {
	switch {
	case l.asked:
		return nil, fmt.Errorf("the password is not accepted")
	case slices.Contains(allowed, methodPassword):
		l.asked = true
		return gossh.PasswordCallback(func() (string, error) { return l.secret() }), nil
	case slices.Contains(allowed, methodInteractive):
		l.asked = true
		answered := false
		return gossh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			if len(questions) == 0 {
				return nil, nil // a message for people
			}
			if answered || len(questions) > 1 || echos[0] {
				err := fmt.Errorf("the server asks for more than a password: %q", strings.Join(questions, ", "))
				l.note("%v", err) // the library drops it
				return nil, err
			}
			answered = true
			secret, err := l.secret()
			return []string{secret}, err
		}), nil
	default:
		return nil, fmt.Errorf("the server accepts only %s, no password", strings.Join(allowed, ", "))
	}
}

// secret gives the password, and notes that it was sent.
func (l *login) secret() (string, error) {
	secret, err := l.t.Password(l.ctx)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	l.note("a password")
	return secret, nil
}

// FixedPassword gives a password that is known already.
func FixedPassword(secret string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return secret, nil }
}
