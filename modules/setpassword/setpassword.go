// Package setpassword is the step set_password: the password of a user of a guest.
package setpassword

import (
	"context"
	"errors"
	"strings"

	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
)

// Args are the arguments of set_password.
type Args struct {
	VM       string      `arg:"vm,required,identity" doc:"name of the VM"`
	User     string      `arg:"user,required" doc:"the user in the guest; it has to be there"`
	Password step.Prose  `arg:"password,required" doc:"the password, best as {secret: …}; with crypted its hash"`
	Crypted  bool        `arg:"crypted" doc:"password is a hash as crypt(5) makes it: it is set only where another one is there"`
	Unless   *step.Guard `arg:"unless" doc:"a command in the guest that changes nothing; where it ends with 0, nothing is set"`
}

// Spec describes set_password.
var Spec = &step.Spec{
	Name:    "set_password",
	Summary: "Gives a user of a running VM another password: through its guest agent on nodes, over SSH on engines",
	Doc: "A password that stands in the guest cannot be compared, so each run sets it and counts as a change, unless `unless` or `changed_when` say otherwise. " +
		"With `crypted` the hash is compared, where the guest allows that, and an equal one is left alone. The password goes into the guest past all command lines, and is shown nowhere.",
	New:     func() step.Step { return &Args{} },
	Changes: []virt.Change{virt.SetPassword{}},
	Touches: virt.KindVM,
	Example: `- name: Password for the console
  set_password:
    vm: web-1
    user: root
    password: {secret: {env: CONSOLE_PASSWORD}}
    unless: test -e /etc/console-password-set
`,
}

// Validate checks the arguments against each other.
func (a *Args) Validate(v *step.Validation) {
	if v.Partial {
		return
	}
	if a.User == "" || strings.ContainsAny(a.User, ":\n") {
		v.Errorf("user", "%q is no name of a user", a.User)
	}
	switch p := a.Password.Text; {
	case p == "":
		v.Errorf("password", "an empty password would let anybody in")
	case strings.ContainsAny(p, "\r\n\x00"):
		v.Errorf("password", "a password is one line")
	case a.Crypted && (p[0] != '$' || strings.ContainsAny(p, ": ")):
		v.Errorf("password", "with crypted the password has to be a hash, as mkpasswd or openssl passwd -6 make it")
	}
}

// Ensure sets the password, unless there is nothing to do.
func (a *Args) Ensure(ctx context.Context, env *step.Env) (step.Result, error) {
	vm, err := env.VM(ctx, a.VM)
	if err != nil {
		return step.Result{}, err
	}
	if a.Unless != nil {
		r, err := env.Platform.GuestProbe(ctx, a.VM, virt.Command{Argv: a.Unless.Argv, Shell: a.Unless.Shell})
		if err != nil {
			return step.Result{}, err
		}
		if r.RC == 0 {
			return step.Result{SkipReason: "the unless command says so"}, nil
		}
	}
	if a.Crypted && vm.State.IsLive() {
		switch r, err := env.Platform.GuestProbe(ctx, a.VM, hasHash(a.User, a.Password.Text)); {
		case err == nil && r.RC == 0:
			return step.Result{}, nil
		case err != nil && !errors.Is(err, virt.ErrUnsupported): // where nothing can be run, nothing can be compared
			return step.Result{}, err
		}
	}
	_, err = env.Apply(ctx, virt.SetPassword{On: virt.OnVM(vm), User: a.User, Password: a.Password.Text, Crypted: a.Crypted})
	return step.Result{}, err
}

// hasHash gives the command that ends with 0 when a user's password has this hash.
// It changes nothing. The hash is in its input: arguments can be seen in a guest.
func hasHash(user, hash string) virt.Command {
	return virt.Command{Argv: []string{"/bin/sh", "-c", `IFS= read -r want
if command -v getent >/dev/null; then e=$(getent shadow "$1"); else e=$(grep -F -- "$1:" /etc/shadow); fi
case $e in "$1:$want:"*) exit 0 ;; esac
exit 1`, "nactl", user}, Stdin: hash + "\n"}
}
