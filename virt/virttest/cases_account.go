package virttest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/nactl/nactl/virt"
)

// Keys of nobody.
const (
	oneKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII one"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ other"
)

// accounts are the changes to a user of a guest.
func (r *runner) accounts() []testCase {
	user := cmp.Or(r.GuestUser, "nobody-of-virttest")
	keys := func(vm string) virt.Ref { return virt.SSHKeysRef(vm, user) }
	lets := func(in, out string) func(virt.Object) error {
		return func(o virt.Object) error {
			s, ok := o.(*virt.SSHKeys)
			if !ok || s == nil || !slices.Contains(s.Keys, in) || out != "" && slices.Contains(s.Keys, out) {
				return fmt.Errorf("they are %+v", o)
			}
			return nil
		}
	}
	return []testCase{
		{kind: "set_ssh_keys", name: "another", guest: true, object: keys, shows: lets(oneKey, ""),
			change: on(func(o virt.On) virt.SetSSHKeys { return virt.SetSSHKeys{On: o, Keys: []string{oneKey}} })},
		{kind: "set_ssh_keys", name: "in place of", guest: true, object: keys, shows: lets(otherKey, oneKey),
			change: on(func(o virt.On) virt.SetSSHKeys {
				return virt.SetSSHKeys{On: o, Keys: []string{otherKey}, Remove: []string{oneKey}}
			})},
		{kind: "set_ssh_keys", name: "exclusive", guest: true, object: keys, shows: lets(oneKey, otherKey),
			change: on(func(o virt.On) virt.SetSSHKeys {
				return virt.SetSSHKeys{On: o, Keys: []string{oneKey}, Exclusive: true}
			})},
		{kind: "set_password", name: "guest", guest: true,
			change: on(func(o virt.On) virt.SetPassword {
				return virt.SetPassword{On: o, User: user, Password: "correct horse: battery"}
			})},
	}
}
