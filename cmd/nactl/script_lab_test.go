//go:build lab

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestLabScripts plays the scripts of testdata/lab on real nodes. Whatever a
// script makes has a name that begins with $P; it is removed afterwards.
func TestLabScripts(t *testing.T) {
	l := openLab(t)
	cmds := commands()
	cmds["node"] = l.nodeCommand
	cmds["killed"] = killed
	cmds["files"] = files
	scripts, err := filepath.Glob(filepath.Join("testdata", "lab", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range scripts {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			prefix := "t1-" + strings.ReplaceAll(name, "_", "-")
			l.own(t, prefix)
			testscript.Run(t, testscript.Params{
				Files:               []string{file},
				RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					env.Setenv("HOME", env.WorkDir)
					env.Setenv("CI", "true")
					env.Setenv("P", prefix)
					env.Setenv("NACTL_INVENTORY", l.inventory)
					return expandAll(env.WorkDir, append(l.variables(t), "$P", prefix))
				},
				Cmds: cmds,
			})
		})
	}
}

// expandAll replaces words in all files of a script: pairs are old and new.
func expandAll(dir string, pairs []string) error {
	files, err := filepath.Glob(filepath.Join(dir, "[a-z]*.*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(f, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// nodeCommand runs a command inside a node: node I COMMAND…, or with a script of
// the test: node I < FILE. Its output is the script's stdout.
func (l lab) nodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: node I COMMAND...")
	}
	for _, v := range l.env {
		if name, value, _ := strings.Cut(v, "="); name == "LAB_NAME" || name == "LAB_DIR" {
			ts.Setenv(name, value)
		}
	}
	if args[1] == "<" {
		args = []string{args[0], "sh", "-c", ts.ReadFile(args[2])}
	}
	err := ts.Exec(l.tool, append([]string{"node"}, args...)...)
	switch {
	case err == nil && neg:
		ts.Fatalf("unexpected success")
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	}
}

// killed runs a command and ends it with SIGKILL a while after its stdout has
// had a line that fits a pattern: killed PATTERN DELAY COMMAND…. It fails when
// the command ends by itself.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: killed PATTERN DELAY COMMAND...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	delay, err := time.ParseDuration(args[1])
	ts.Check(err)
	// Scripts find the program by their own PATH, which ts.Exec knows.
	ts.Check(ts.Exec("sh", "-c", "command -v "+args[2]))
	path := strings.TrimSpace(ts.ReadFile("stdout"))
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "CI", "NACTL_INVENTORY", "PATH", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	seen := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		ts.Logf("%s", lines.Text())
		if !seen && pattern.Match(lines.Bytes()) {
			seen = true
			time.Sleep(delay)
			ts.Check(cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // how it ended is looked at below
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		ts.Fatalf("it was not killed: seen %v, %v", seen, cmd.ProcessState)
	}
}
