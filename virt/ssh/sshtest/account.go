package sshtest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"testing"
)

// Account is the user ada, whom only getent and chpasswd in Bin know: what is done
// to her is done to no user of this machine.
type Account struct {
	Bin      string // has to come first in PATH
	Home     string
	Password string // the file that chpasswd writes its arguments and input to
}

// NewAccount makes one.
func NewAccount(t testing.TB) Account {
	t.Helper()
	me, err := user.Current()
	check(t, err)
	dir := t.TempDir()
	a := Account{Bin: filepath.Join(dir, "bin"), Home: filepath.Join(dir, "home of ada"), Password: filepath.Join(dir, "password")}
	for _, d := range []string{a.Bin, a.Home} {
		check(t, os.Mkdir(d, 0o755))
	}
	for name, script := range map[string]string{
		"getent": fmt.Sprintf(`case $1,$2 in
passwd,ada) echo 'ada:x:%s:%s::%s:/bin/sh' ;;
shadow,ada) echo 'ada:$6$abc$def:1:::::' ;;
*) exit 2 ;;
esac`, me.Uid, me.Gid, a.Home),
		"chpasswd": fmt.Sprintf(`{ echo "$@"; cat; } >'%s'`, a.Password),
	} {
		check(t, os.WriteFile(filepath.Join(a.Bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	return a
}

// Config is the line of sshd_config by which a server's sessions know her.
func (a Account) Config() string { return "SetEnv PATH=" + a.Bin + ":/usr/sbin:/usr/bin:/sbin:/bin" }
