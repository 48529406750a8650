package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// Numbers have no gaps, times do not run backwards against them, and all readers
// see the same order.
func TestConcurrentEmit(t *testing.T) {
	var tick time.Time
	now := func() time.Time { tick = tick.Add(time.Second); return tick }
	var a, b recorder
	w := NewWriter("r", nil, now, &a, &b)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				w.Emit(Message{Text: fmt.Sprintf("%d/%d", n, i)})
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Emit(Message{Text: "too late"})
	if len(a.records) != writers*each || len(b.records) != len(a.records) {
		t.Fatalf("the readers saw %d and %d records", len(a.records), len(b.records))
	}
	last := map[string]string{}
	for i, r := range a.records {
		if r.Seq != int64(i+1) || !r.Time.Equal(time.Time{}.Add(time.Duration(i+1)*time.Second)) || r.Run != "r" || r.Schema != Schema {
			t.Fatalf("record %d has the header %+v", i, r.Header)
		}
		if b.records[i].Event != r.Event {
			t.Fatal("the readers saw different orders")
		}
		n, of, _ := strings.Cut(r.Event.(Message).Text, "/")
		if prev := last[n]; len(prev) > len(of) || len(prev) == len(of) && prev >= of {
			t.Fatalf("%s came after %s", of, prev)
		}
		last[n] = of
	}
}

type brokenPipe struct{ writes int }

func (p *brokenPipe) Write([]byte) (int, error) { p.writes++; return 0, io.ErrClosedPipe }

// One reader's broken pipe does not keep the others from reading, is met once,
// and is reported once.
func TestBrokenReader(t *testing.T) {
	var pipe, screen brokenPipe
	var good recorder
	w := NewWriter("r", nil, nil, NewNDJSON(&pipe), NewTerminal(&screen, io.Discard, Options{}), &good)
	for range 3 {
		w.Emit(Message{Text: "x"})
	}
	if !w.Broken() {
		t.Error("nobody noticed the broken pipe")
	}
	err := w.Close()
	if !errors.Is(err, io.ErrClosedPipe) || strings.Count(err.Error(), "the JSON output") != 1 || strings.Count(err.Error(), "the terminal") != 1 {
		t.Errorf("Close gave %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the second Close gave %v", err)
	}
	if pipe.writes != 1 || screen.writes != 1 || len(good.records) != 3 {
		t.Errorf("%d and %d writes to the broken ones, %d records to the good one", pipe.writes, screen.writes, len(good.records))
	}
}

func TestNDJSONWritesWholeLines(t *testing.T) {
	var lines countingWriter
	show(t, NewNDJSON(&lines), all()...)
	if lines.writes != len(all()) || bytes.Count(lines.b.Bytes(), []byte("\n")) != len(all()) {
		t.Errorf("%d writes for %d events", lines.writes, len(all()))
	}
}

type countingWriter struct {
	b      bytes.Buffer
	writes int
}

func (w *countingWriter) Write(p []byte) (int, error) { w.writes++; return w.b.Write(p) }
