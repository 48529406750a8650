package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestClients lets clients of engines that others wrote work with nactl
// engine-sim. Each script has one of its own.
func TestClients(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "clients"),
		RequireExplicitExec: true,
		Setup:               engineSim,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"expand": expand, "exits": exits},
	})
}

// engineSim starts nactl engine-sim for a script, as people start it.
func engineSim(env *testscript.Env) error {
	cmd := exec.Command("nactl", "engine-sim", "--dir", env.WorkDir, "--vms", "4", "--hosts", "2", "--speed", "200")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	env.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt) // Wait tells when it is gone already
		if err := cmd.Wait(); err != nil {
			env.T().Log("engine-sim:", err, said.String())
		}
	})
	lines := bufio.NewReader(out)
	where, err := lines.ReadString('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("engine-sim says nothing: %s", said.String()), err)
	}
	m := regexp.MustCompile(`^engine at (https://\S+), user (\S+)\n$`).FindStringSubmatch(where)
	if m == nil {
		return fmt.Errorf("engine-sim says %q", where)
	}
	for k, v := range map[string]string{
		"URL": m[1], "ENGINE_USER": m[2], "ENGINE_PASSWORD": "secret", "ENGINE_SIM_PASSWORD": "secret",
		"ENGINE_CA": filepath.Join(env.WorkDir, "engine-sim.pem"), "HOME": env.WorkDir, "CI": "true",
	} {
		env.Setenv(k, v)
	}
	return nil
}
