package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nactl/nactl/virt/ssh/sshtest"
)

// typist is somebody at a real terminal: the program's stdin and stderr are a pty,
// and so is stdout unless it was asked to be apart.
type typist struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex
	seen strings.Builder // all that the terminal shows
	more *sync.Cond
	read int // of seen, by expect
	out  strings.Builder
	all  chan struct{} // closed when there is nothing more to see
}

// atTerminal starts nactl in a folder with these files. apart keeps stdout from the
// terminal.
func atTerminal(t *testing.T, files map[string]string, apart bool, args ...string) *typist {
	t.Helper()
	y := &typist{t: t, all: make(chan struct{})}
	y.more = sync.NewCond(&y.mu)
	y.master, y.slave = openPTY(t)
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	y.cmd = &exec.Cmd{
		Path: self, Args: append([]string{"nactl"}, args...), Dir: dir, Stdin: y.slave, Stdout: y.slave, Stderr: y.slave,
		Env:         []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "LIBVIRT_DEFAULT_URI=test:///default", "NO_COLOR=1"},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	}
	if apart {
		y.cmd.Stdout = &y.out
	}
	if err := y.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = y.cmd.Process.Kill() })
	go func() {
		defer close(y.all)
		b := make([]byte, 4096)
		for {
			n, err := y.master.Read(b)
			y.mu.Lock()
			y.seen.Write(b[:n])
			y.more.Broadcast()
			y.mu.Unlock()
			if err != nil {
				return // nobody has the terminal any more
			}
		}
	}()
	return y
}

// openPTY gives the two ends of a terminal that is 100 columns wide.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("no pty here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// expect waits until the terminal shows a text behind what was expected before.
func (y *typist) expect(text string) {
	y.t.Helper()
	stop := time.AfterFunc(time.Minute, func() { y.mu.Lock(); y.more.Broadcast(); y.mu.Unlock() })
	defer stop.Stop()
	until := time.Now().Add(time.Minute)
	y.mu.Lock()
	defer y.mu.Unlock()
	for {
		if i := strings.Index(y.seen.String()[y.read:], text); i >= 0 {
			y.read += i + len(text)
			return
		}
		if time.Now().After(until) {
			y.t.Fatalf("the terminal never showed %q, but\n%s", text, y.seen.String())
		}
		y.more.Wait()
	}
}

// hidden waits until the terminal does not show what is typed.
func (y *typist) hidden() {
	y.t.Helper()
	for until := time.Now().Add(time.Minute); y.echoes(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			y.t.Fatal("the terminal still shows what is typed")
		}
	}
}

func (y *typist) echoes() bool {
	y.t.Helper()
	state, err := unix.IoctlGetTermios(int(y.slave.Fd()), unix.TCGETS)
	if err != nil {
		y.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func (y *typist) types(text string) {
	y.t.Helper()
	if _, err := y.master.WriteString(text); err != nil {
		y.t.Fatal(err)
	}
}

// ends waits for the end, looks at the exit code and that the terminal shows again
// what is typed, and gives all that was shown.
func (y *typist) ends(code int) string {
	y.t.Helper()
	err := y.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		y.t.Fatal(err)
	}
	if !y.echoes() {
		y.t.Error("the terminal was left without echo")
	}
	y.slave.Close()
	<-y.all
	shown := y.seen.String() + y.out.String()
	if got := y.cmd.ProcessState.ExitCode(); got != code {
		y.t.Errorf("exit code %d, want %d:\n%s", got, code, shown)
	}
	return shown
}

const prompting = `- name: P
  targets: local
  vars_prompt:
    - {name: who, prompt: Who, private: false, default: ann}
    - {name: word, prompt: Password, confirm: true}
    - {name: given, prompt: Given}
  steps:
    - {name: said, debug: "{{ who }} {{ len(word) }} {{ word }}"}
`

func TestTerminalPrompts(t *testing.T) {
	for _, apart := range []bool{false, true} {
		y := atTerminal(t, map[string]string{"p.yml": prompting}, apart, "play", "p.yml", "-e", "given=x")
		y.expect("Who [ann]: ")
		y.types("eve\n")
		y.expect("Password: ")
		y.hidden()
		y.types("correct horse\n")
		y.expect("once more, Password: ")
		y.hidden()
		y.types("correct hose\n")
		y.expect("the two differ; Password: ")
		y.hidden()
		y.types("battery staple\n")
		y.expect("once more, the two differ; Password: ")
		y.hidden()
		y.types("battery staple\n")
		shown := y.ends(0)
		if !strings.Contains(shown, "eve 14 ***") || strings.Contains(shown, "battery") || strings.Contains(shown, "correct") || strings.Contains(shown, "Given") {
			t.Errorf("stdout apart: %v:\n%s", apart, shown)
		}
	}
	y := atTerminal(t, map[string]string{"p.yml": prompting}, false, "play", "p.yml", "-e", "{word: long-word, given: x}")
	y.expect("Who [ann]: ")
	y.types("\n")
	if shown := y.ends(0); !strings.Contains(shown, "ann 9") {
		t.Error(shown)
	}
}

// Ctrl-C at a question, hidden or not, and the end of the input, end the program.
func TestTerminalInterrupted(t *testing.T) {
	files := map[string]string{"p.yml": prompting}
	y := atTerminal(t, files, false, "play", "p.yml")
	y.expect("Who [ann]: ")
	y.types("\x03")
	y.ends(130)

	y = atTerminal(t, files, false, "play", "p.yml", "-e", "who=x")
	y.expect("Password: ")
	y.hidden()
	y.types("\x03")
	y.ends(130)

	y = atTerminal(t, files, false, "play", "p.yml")
	y.expect("Who [ann]: ")
	y.types("\x04")
	if shown := y.ends(5); !strings.Contains(shown, "the input ended before an answer came") {
		t.Error(shown)
	}
}

const threeSteps = `- name: P
  targets: local
  steps:
    - {name: one, debug: said one}
    - {name: two, debug: said two}
    - {name: three, debug: said three}
    - {name: four, debug: said four}
`

func TestTerminalStep(t *testing.T) {
	y := atTerminal(t, map[string]string{"p.yml": threeSteps}, false, "play", "p.yml", "--step")
	y.expect(`do "one"? (y)es, (n)o, (c)ontinue without asking: `)
	y.types("y\n")
	y.expect(`do "two"? `)
	y.types("n\n")
	y.expect(`do "three"? `)
	y.types("c\n")
	shown := y.ends(0)
	for text, want := range map[string]bool{"said one": true, "said two": false, "said three": true, "said four": true, `do "four"`: false} {
		if strings.Contains(shown, text) != want {
			t.Errorf("%q: want %v in\n%s", text, want, shown)
		}
	}
	y = atTerminal(t, map[string]string{"p.yml": threeSteps}, false, "play", "p.yml", "--step")
	y.expect(`do "one"? `)
	y.types("\x03")
	if shown := y.ends(130); strings.Contains(shown, "said") {
		t.Error(shown)
	}
}

func TestTerminalAskPass(t *testing.T) {
	const password = "correct horse"
	s := sshtest.StartPassword(t, password, "", "password", "keyboard-interactive")
	cfg := s.Config()
	node := fmt.Sprintf("{address: 127.0.0.1, port: %d, user: kim, known_hosts: %s, agent: none, ssh_config: none, socket: /nowhere/libvirt-sock}", cfg.Port, cfg.KnownHosts[0])
	files := map[string]string{
		"inventory.yml": "nodes:\n  n1: " + node + "\n  n2: " + node + "\n",
		"p.yml":         "- name: P\n  targets: all\n  steps:\n    - {name: said, debug: 'it is {{ x }}'}\n    - {name: there, vm_facts: {vm: a}}\n",
	}
	// Once for all nodes; what is said afterwards does not have it.
	y := atTerminal(t, files, true, "play", "p.yml", "-k", "-v", "-e", "x="+password)
	y.expect("SSH password: ")
	y.hidden()
	y.types(password + "\n")
	shown := y.ends(4)
	if strings.Contains(shown, password) || !strings.Contains(shown, "it is ***") || strings.Count(shown, "SSH password") != 1 || strings.Contains(shown, "login as kim refused") {
		t.Error(shown)
	}
	if got := strings.Join(s.Attempts(), ","); got != "password correct horse,password correct horse" {
		t.Errorf("the nodes saw %q", got)
	}
	// A wrong one is sent once to each node.
	y = atTerminal(t, files, false, "list", "vms", "--ask-pass", "--limit", "n1")
	y.expect("SSH password: ")
	y.hidden()
	y.types("battery staple\n")
	if shown := y.ends(4); !strings.Contains(shown, "ssh login as kim refused; tried a password: ") || strings.Contains(shown, "battery") {
		t.Error(shown)
	}
	if got := len(s.Attempts()); got != 3 {
		t.Errorf("%d attempts: %q", got, s.Attempts())
	}
	y = atTerminal(t, files, false, "plan", "p.yml", "--ask-pass", "-e", "x=1")
	y.expect("SSH password: ")
	y.hidden()
	y.types("\n")
	if shown := y.ends(5); !strings.Contains(shown, "no password was typed") {
		t.Error(shown)
	}
}
