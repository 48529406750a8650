package modules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nactl/nactl/modules/hostexec"
	"github.com/nactl/nactl/modules/hostfacts"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/dryrun"
)

// twoHosts is a cluster of two hosts; on h2 a command "fails" does.
func twoHosts() *bench {
	b := newBench(&virt.Host{Name: "h1", CPUs: 4}, &virt.Host{Name: "h2", CPUs: 8})
	b.kind = "cluster"
	b.Exec = func(host string, c virt.Command) (*virt.CommandResult, error) {
		line := c.Shell + strings.Join(c.Argv, " ")
		switch {
		case line == "away" && host == "h2":
			return nil, &virt.Error{Kind: virt.ErrUnreachable, Object: virt.Ref{Kind: virt.KindHost, Name: host}, Summary: "does not answer"}
		case line == "fails" && host == "h2", line == "test -e /absent", line == "only h1" && host == "h2":
			return &virt.CommandResult{RC: 3, Stderr: "words of " + host}, nil
		}
		return &virt.CommandResult{Stdout: line + " on " + host}, nil
	}
	return b
}

func TestHostExec(t *testing.T) {
	for _, tt := range []struct {
		name, step string
		applied    int
		failure    string // of the step
		skipped    string
		stdout     string
	}{
		{"every member", "host_exec: uptime", 2, "", "", "uptime on h1"},
		{"one host", "host_exec: {command: [uptime, -p], host: h2}", 1, "", "", "uptime -p on h2"},
		{"fails on one", "host_exec: fails", 2, "the command ended with status 3 on h2", "", ""},
		{"one is away", "host_exec: away", 2, "on h2: host h2: does not answer", "", "away on h1"},
		{"done everywhere", "host_exec: {shell: make it, creates: /there}", 0, "", "/there exists", ""},
		{"not done", "host_exec: {shell: make it, creates: /absent}", 2, "", "", "make it on h1"},
		{"done on one", "host_exec: {shell: make it, unless: only h1}", 1, "", "", "make it on h2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := twoHosts()
			r, err := b.run(t, tt.step, nil)
			if (err == nil) != (tt.failure == "") || err != nil && !strings.Contains(err.Error(), tt.failure) {
				t.Fatalf("error %v, want %q", err, tt.failure)
			}
			out, _ := r.Output.(hostexec.Output)
			if len(b.Applied()) != tt.applied || r.SkipReason != tt.skipped || out.Stdout != tt.stdout {
				t.Errorf("%d applied, skipped %q, output %+v", len(b.Applied()), r.SkipReason, out)
			}
		})
	}
	b := twoHosts()
	r, err := b.run(t, "host_exec: uptime", dryrun.New(b.Memory))
	if err != nil || r.Output != nil || len(b.Applied()) != 0 {
		t.Errorf("in a plan: %+v, %v, %d applied; want an unknown output", r, err, len(b.Applied()))
	}
	if _, err := b.run(t, "host_exec: {command: [x], host: h9}", nil); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("on a host that is not there: %v", err)
	}
	if _, err := b.run(t, "host_exec: fails", nil); !errors.As(err, new(*step.Failure)) {
		t.Errorf("a command that fails: %v; want a Failure, which failed_when can overrule", err)
	}
}

func TestHostFacts(t *testing.T) {
	b := twoHosts()
	r, err := b.run(t, "host_facts: {}", nil)
	out, _ := r.Output.(hostfacts.Output)
	if err != nil || out.Name != "h1" || len(out.Hosts) != 2 || out.Hosts[1].CPU.Count != 8 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := b.run(t, "host_facts: h9", nil); !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("of a host that is not there: %v", err)
	}
}
