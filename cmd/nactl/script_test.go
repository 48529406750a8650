package main

import (
	goflag "flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nactl/nactl/virt/ssh/sshtest"
)

var update = goflag.Bool("update", false, "write what the program says into the scripts that compare it")

func TestMain(m *testing.M) {
	program := func() {
		enginePoll = 50 * time.Millisecond
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"nactl": program, "na-vmctl": program, "na-vmexec": program, "na-volctl": program})
}

// TestScript plays what a user types, from the files of testdata/script. The
// scripts find two SSH servers on the loopback: one whose host key is not the one
// that $KNOWN_HOSTS has, and one that refuses to forward and has no program that
// could connect to $REFUSING_SOCKET instead.
func TestScript(t *testing.T) {
	known := sshtest.Start(t, sshtest.Options{})
	other := sshtest.Start(t, sshtest.Options{})
	refusing := sshtest.Start(t, sshtest.Options{NoForwarding: true, ExtraConfig: []string{"SetEnv PATH=" + bare(t)}})
	daemon := listen(t)
	swapped := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(swapped, []byte(other.KnownHostsLine(known.HostKeys[0].PublicKey())), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			cfg, ref := other.Config(), refusing.Config()
			for k, v := range map[string]string{
				"LIBVIRT_DEFAULT_URI": "test:///default",
				"PORT":                strconv.Itoa(cfg.Port), "KEY": cfg.IdentityFiles[0], "KNOWN_HOSTS": swapped, "USER": cfg.User,
				"REFUSING_PORT": strconv.Itoa(ref.Port), "REFUSING_KEY": ref.IdentityFiles[0], "REFUSING_KNOWN_HOSTS": ref.KnownHosts[0], "REFUSING_SOCKET": daemon,
				"HOME": env.WorkDir, "CI": "true",
			} {
				env.Setenv(k, v)
			}
			return nil
		},
		Cmds: commands(),
	})
}

// commands are what the scripts know beside testscript's own words.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"expand": expand, "exits": exits, "interrupted": interrupted, "plain": plain, "ndjson": ndjson, "empty": empty,
	}
}

// bare gives a PATH that has a shell and nothing else.
func bare(t *testing.T) string {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(sh, filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listen gives a UNIX socket that a process listens on, as libvirtd's.
func listen(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path
}
