package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nactl/nactl/virt/ssh/sshtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"nactl": func() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScript plays what a user types, from the files of testdata/script. The
// scripts find two SSH servers on the loopback: one whose host key is not the one
// that $KNOWN_HOSTS has, and one that refuses to forward.
func TestScript(t *testing.T) {
	known := sshtest.Start(t, sshtest.Options{})
	other := sshtest.Start(t, sshtest.Options{})
	refusing := sshtest.Start(t, sshtest.Options{NoForwarding: true})
	swapped := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(swapped, []byte(other.KnownHostsLine(known.HostKeys[0].PublicKey())), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			cfg, ref := other.Config(), refusing.Config()
			for k, v := range map[string]string{
				"LIBVIRT_DEFAULT_URI": "test:///default",
				"PORT":                strconv.Itoa(cfg.Port), "KEY": cfg.IdentityFiles[0], "KNOWN_HOSTS": swapped, "USER": cfg.User,
				"REFUSING_PORT": strconv.Itoa(ref.Port), "REFUSING_KEY": ref.IdentityFiles[0], "REFUSING_KNOWN_HOSTS": ref.KnownHosts[0],
				"HOME": env.WorkDir, "CI": "true",
			} {
				env.Setenv(k, v)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expand": expand, "exits": exits},
	})
}

// expand replaces $NAME in files, for what is known only when the script runs.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		path := ts.MkAbs(f)
		text := os.Expand(ts.ReadFile(f), ts.Getenv)
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
	}
}

// exits runs a command and demands an exit code: exits CODE COMMAND…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := 0
	var failed *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &failed):
		code = failed.ExitCode()
	default:
		ts.Check(err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}
