package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
)

// bulk writes playbooks as people write them, so many of so many steps, and an
// inventory. It gives the arguments of nactl lint.
func bulk(tb testing.TB, plays, steps int) (args, files []string) {
	tb.Helper()
	dir := tb.TempDir()
	inventory := filepath.Join(dir, "inventory.yml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	write(inventory, "nodes:\n  n[01:20]: {address: \"10.0.0.[1:20]\", user: root}\nclusters:\n  lab: {nodes: [\"n*\"]}\n"+
		"images:\n  debian-12: {nodes: {volume: default/debian-12.qcow2}}\ngroups:\n  all: {vars: {net: lan}}\n")
	for i := range plays {
		var b strings.Builder
		fmt.Fprintf(&b, "- name: Web tier %d\n  targets: lab\n  vars: {base: 10.0.%d.0, size: 4GiB}\n  steps:\n", i, i)
		for j := range steps {
			switch j % 5 {
			case 0:
				fmt.Fprintf(&b, `    - name: Web server %[1]d
      create_vm:
        name: "web-%[1]d"
        image: debian-12
        cpu: {count: 2, max: 8}
        memory: "{{ size }}"
        disks:
          - {size: 40GiB, boot: true}
          - {name: data, size: 100GiB, mount_point: /srv}
        nics:
          - network: "{{ net }}"
            address: "10.%[2]d.%[3]d.%[4]d/16"
        state: running
      register: web_%[1]d
      tags: [web]
`, j, i, j/200, j%200+1)
			case 1:
				fmt.Fprintf(&b, "    - name: The agent of web-%[1]d answers\n      wait_for: {vm: \"{{ web_%[1]d.name }}\", for: agent}\n      timeout: 5m\n", j-1)
			case 2:
				fmt.Fprintf(&b, "    - name: nginx is up\n      guest_exec:\n        vm: web-%d\n        command: [systemctl, is-active, nginx]\n      register: nginx\n      changed_when: false\n      until: nginx.rc == 0\n      retries: 10\n      delay: 3s\n", j-2)
			case 3:
				fmt.Fprintf(&b, "    - name: More CPU\n      set_cpu: {vm: \"web-{{ item }}\", count: 3}\n      loop: [%d, %d]\n      when: size != \"1GiB\"\n", j-3, j)
			default:
				fmt.Fprintf(&b, "    - name: Where is it\n      debug: \"web-%d is on {{ web_%d.host }} as {{ target.name }}\"\n", j, j-4)
			}
		}
		file := filepath.Join(dir, fmt.Sprintf("play-%03d.yml", i))
		write(file, b.String())
		files = append(files, file)
	}
	return append([]string{"nactl", "lint", "-i", inventory}, files...), files
}

// BenchmarkLint compares a whole nactl lint of 100 files of 50 steps with the bare
// parse of the same files by the YAML library, in turns: lint/parse is the ratio.
func BenchmarkLint(b *testing.B) { benchLint(b, 100, 50) }

// BenchmarkLintLarge is BenchmarkLint with one file of 10 000 steps.
func BenchmarkLintLarge(b *testing.B) { benchLint(b, 1, 10000) }

// benchLint reads the bare parse without comments, as the loader does, which is the
// cheaper of the library's two ways. The two take turns, and each turn gives a ratio:
// on a busy machine only these compare. What the collector does for the one in the
// other's turn is kept out by letting it finish first.
func benchLint(b *testing.B, plays, steps int) {
	args, files := bulk(b, plays, steps)
	var wall, cpu []float64
	var parse, lint spent
	for b.Loop() {
		one := measured(func() {
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := parser.ParseBytes(text, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
		other := measured(func() {
			var said strings.Builder
			if code := run(args, os.Stdin, io.Discard, &said); code != 0 {
				b.Fatalf("exit %d: %s", code, said.String())
			}
		})
		parse.add(one)
		lint.add(other)
		wall = append(wall, float64(other.wall)/float64(one.wall))
		cpu = append(cpu, float64(other.cpu)/float64(one.cpu))
	}
	b.ReportMetric(float64(parse.cpu.Milliseconds())/float64(b.N), "cpu-ms-parse")
	b.ReportMetric(float64(lint.cpu.Milliseconds())/float64(b.N), "cpu-ms-lint")
	slices.Sort(wall)
	slices.Sort(cpu)
	b.ReportMetric(wall[len(wall)/2], "wall-ratio-median")
	b.ReportMetric(cpu[0], "cpu-ratio-min")
	b.ReportMetric(cpu[len(cpu)/2], "cpu-ratio-median")
	b.ReportMetric(cpu[len(cpu)-1], "cpu-ratio-max")
}

// spent is how long something took, and the processors' time for it: where others
// use them, too, only that says something.
type spent struct{ wall, cpu time.Duration }

// measured gives what a call takes.
func measured(call func()) spent {
	runtime.GC()
	start, before := time.Now(), processorTime()
	call()
	return spent{time.Since(start), processorTime() - before}
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (s *spent) add(more spent) {
	s.wall += more.wall
	s.cpu += more.cpu
}
