package event

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

// screen is a terminal as far as the live region needs one. Both streams of a run
// go to the same one, as they do for most people.
type screen struct {
	t       *testing.T
	columns int

	mu      sync.Mutex
	lines   []string
	row     int
	redraws int
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9]*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(p)
	if strings.HasSuffix(text, "\x1b[J") && strings.Contains(text, "\x1b[K") {
		s.redraws++
	}
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			switch m[2] {
			case "A":
				s.row -= n
			case "J":
				s.lines = s.lines[:min(s.row, len(s.lines))]
			case "K", "m":
			default:
				s.t.Errorf("unexpected sequence %q", m[0])
			}
			text = text[len(m[0]):]
			continue
		}
		switch end := strings.IndexAny(text, "\n\r\x1b"); {
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n':
			s.row++
			text = text[1:]
		case end < 0:
			s.put(text)
			text = ""
		default:
			s.put(text[:end])
			text = text[end:]
		}
	}
	return len(p), nil
}

// put writes a whole line or its painted parts; the view never leaves the cursor
// in the middle of one between writes.
func (s *screen) put(text string) {
	if w := width(text); s.columns > 0 && w >= s.columns {
		s.t.Errorf("%q takes %d of %d columns, and would be wrapped", text, w, s.columns)
	}
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, "")
	}
	s.lines[s.row] = text
}

func (s *screen) shows(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	for _, l := range s.lines {
		got = append(got, strings.TrimRight(l, " "))
	}
	if d := cmp.Diff(want, got); d != "" {
		s.t.Errorf("screen (-want +got):\n%s", d)
	}
}

func TestLiveRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, columns: 60}
		w := NewWriter("r", nil, nil, NewTerminal(s, s, Options{Live: true, Width: func() int { return 60 }}))
		step := At{Step: "a", Target: "lab"}
		w.Emit(RunStarted{Targets: []Target{lab}})
		w.Emit(StepStarted{Step: "a", Name: "Move", Word: "migrate", Index: 1, Total: 2})
		w.Emit(ItemStarted{step})
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		const head = "nactl play                      run r · 1 cluster · 0 steps"
		s.shows(head, "", "[1/2] Move · migrate", "  lab  0.2s")

		w.Emit(NewIntent(step, 1, virt.Migrate{On: onVM("web-1")}))
		time.Sleep(time.Second)
		synctest.Wait()
		s.shows(head, "", "[1/2] Move · migrate", "  lab: migrate vm web-1  1.2s")

		w.Emit(NewProgress(step, virt.Progress{What: "moving memory", Done: 3 * virt.GiB / 2, Total: 2 * virt.GiB, Unit: "bytes", Rate: 96 * virt.MiB, ETA: 4 * time.Second}))
		time.Sleep(time.Second)
		synctest.Wait()
		s.shows(head, "", "[1/2] Move · migrate", "  lab: moving memory, 1.5 GiB of 2 GiB (75%), 4s to …  2.2s")

		w.Emit(Warning{Text: "slow"})
		time.Sleep(time.Second)
		synctest.Wait()
		s.shows(head, "", "[1/2] Move · migrate", "warning: slow", "  lab: moving memory, 1.5 GiB of 2 GiB (75%), 4s to …  3.2s")

		w.Emit(Result{At: step, Status: OK})
		s.shows(head, "", "[1/2] Move · migrate", "warning: slow", "  lab   ok")
		time.Sleep(time.Second)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s.shows(head, "", "[1/2] Move · migrate", "warning: slow", "  lab   ok")
		if s.redraws > 33 {
			t.Errorf("%d redraws in 3.25 s, want at most 10 a second", s.redraws)
		}
	})
}

func TestLiveRegionOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, columns: 40}
		w := NewWriter("r", nil, nil, NewTerminal(s, s, Options{Live: true, Color: true, Width: func() int { return 40 }}))
		at := func(i int) At {
			return At{Step: "a", Target: "lab", Item: &Item{Index: i, Label: fmt.Sprint("网页服务器-", i)}, Attempt: i}
		}
		for i := range 12 {
			w.Emit(ItemStarted{at(i)})
		}
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		s.shows("  lab · 网页服务器-0  0.1s", "  lab · 网页服务器-1  0.1s", "  lab · 网页服务器-2, attempt 2  0.1s",
			"  lab · 网页服务器-3, attempt 3  0.1s", "  lab · 网页服务器-4, attempt 4  0.1s", "  lab · 网页服务器-5, attempt 5  0.1s",
			"  lab · 网页服务器-6, attempt 6  0.1s", "  … and 5 more")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s.shows()
	})
}

// In a pipe, what takes long is told every 30 s, and what does not is not.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, progress bytes.Buffer
		v := NewTerminal(&out, &progress, Options{})
		w := NewWriter("r", nil, nil, v)
		w.Emit(RunStarted{Targets: []Target{lab}})
		w.Emit(StepStarted{Step: "a", Name: "Move", Word: "migrate", Index: 1, Total: 2})
		slow, quick := At{Step: "a", Target: "lab"}, At{Step: "a", Target: "n1"}
		w.Emit(ItemStarted{slow})
		w.Emit(NewProgress(slow, virt.Progress{What: "waiting for the guest", Done: 3, Unit: "tries"}))
		time.Sleep(20 * time.Second)
		w.Emit(ItemStarted{quick})
		time.Sleep(29*time.Second + time.Millisecond)
		w.Emit(Result{At: quick, Status: OK})
		w.Emit(Progress{At: quick, What: "too late"})
		w.Emit(ItemStarted{At{Step: "b", Target: "n1"}})
		w.Emit(StepEnded{Step: "b"})
		time.Sleep(time.Minute)
		w.Emit(Result{At: slow, Status: OK})
		time.Sleep(time.Minute)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := `… [1/2] Move · migrate · lab: waiting for the guest, 3 tries  30.0s
… [1/2] Move · migrate · lab: waiting for the guest, 3 tries  1m 0s
… [1/2] Move · migrate · lab: waiting for the guest, 3 tries  1m 30s
`
		if d := cmp.Diff(want, progress.String()); d != "" {
			t.Errorf("progress (-want +got):\n%s", d)
		}
		if strings.ContainsRune(out.String()+progress.String(), '\x1b') {
			t.Error("escape sequences in a pipe")
		}
	})
}
