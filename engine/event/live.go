package event

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nactl/nactl/virt"
)

const (
	frame     = 100 * time.Millisecond // between two drawings of the live region
	look      = time.Second            // between two looks for what takes long
	regionMax = 8                      // lines of the live region
)

// beat redraws the live region, or tells what takes long.
func (t *Terminal) beat() {
	defer close(t.stopped)
	every := look
	if t.o.Live {
		every = frame
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		t.mu.Lock()
		if t.o.Live {
			t.draw()
		} else {
			t.heartbeat()
		}
		t.mu.Unlock()
	}
}

// draw shows what runs now, over what was drawn before: no line is cleared before
// its new content is there, so nothing flickers. It does nothing when it was
// called a moment ago.
func (t *Terminal) draw() {
	now := t.o.Now()
	if !t.o.Live || len(t.active) == 0 && t.region == 0 || now.Sub(t.drawn) < frame {
		return
	}
	var b strings.Builder
	if t.region > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", t.region)
	}
	n := 0
	columns := t.width()
	if columns <= 0 {
		columns = 80
	}
	for i, a := range t.active {
		mark := "  "
		if s := t.steps[a.at.Step]; s != nil && t.free {
			mark = t.mark(s) + " "
		}
		// The time is what moves: it stays when the rest is too long.
		took := "  " + seconds(now.Sub(a.started).Truncate(frame))
		text := cut(mark+t.running(a), columns-1-width(took)) + took
		if i == regionMax-1 && len(t.active) > regionMax {
			text = fmt.Sprintf("  … and %d more", len(t.active)-i)
		}
		b.WriteString(t.paint(dim, text) + "\x1b[K\n")
		if n++; n == regionMax {
			break
		}
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(t.progress, b.String())
	t.keep(err)
	t.region, t.drawn = n, now
}

// erase removes the live region, for lines that are to stay.
func (t *Terminal) erase() {
	if t.region == 0 {
		return
	}
	_, err := fmt.Fprintf(t.progress, "\r\x1b[%dA\x1b[J", t.region)
	t.keep(err)
	t.region = 0
}

// running says what one activity does: "lab · web-1: copying, 1.2 GiB of 2 GiB (60%), 4s to go".
func (t *Terminal) running(a *activity) string {
	parts := []string{oneLine(a.at.Target)}
	if a.at.Item != nil && a.at.Item.Label != "" {
		parts = append(parts, oneLine(a.at.Item.Label))
	}
	text := strings.Join(parts, " · ")
	if doing := a.doing(); doing != "" {
		text += ": " + doing
	}
	if a.at.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", a.at.Attempt)
	}
	return text
}

// doing says what an activity does or waits for, and how far it has come; empty
// when nobody told.
func (a *activity) doing() string {
	p := a.progress
	if p.What == "" {
		if n := len(a.changes); n > 0 && a.changes[n-1].outcome == nil {
			i := a.changes[n-1].intent
			return words(i.Kind) + " " + oneLine(i.Object.String())
		}
		return ""
	}
	text := oneLine(p.What)
	if p.Object != nil {
		text = oneLine(p.Object.String()) + ": " + text
	}
	amount := func(n int64) string {
		if p.Unit == "bytes" {
			return virt.FormatSize(n)
		}
		return strings.TrimSpace(fmt.Sprintf("%d %s", n, oneLine(p.Unit)))
	}
	switch {
	case p.Total > 0:
		text += fmt.Sprintf(", %s of %s (%d%%)", amount(p.Done), amount(p.Total), min(100, percent(p.Done, p.Total)))
	case p.Done > 0:
		text += ", " + amount(p.Done)
	}
	if p.ETA > 0 {
		text += ", " + time.Duration(p.ETA).Round(time.Second).String() + " to go"
	}
	if p.Rate > 0 {
		text += ", " + amount(p.Rate) + "/s"
	}
	return text
}

// percent is exact for totals that would overflow when multiplied by 100.
func percent(done, total int64) int64 {
	return int64(float64(done) / float64(total) * 100)
}

// progressed takes news. Without a live region a line is written when something
// else is waited for, to those who asked for more.
func (t *Terminal) progressed(b *strings.Builder, e Progress) {
	a := t.find(e.At)
	if a == nil {
		return // it came after the result: nothing runs there any more
	}
	isNew := a.progress.What != e.What
	a.progress = e
	if isNew && !t.o.Live && !t.quiet && t.o.Verbose >= 1 {
		t.tell(b, a, t.o.Now())
	}
}

// heartbeat writes a line for each activity of which nothing was told for long.
func (t *Terminal) heartbeat() {
	if t.quiet {
		return
	}
	now := t.o.Now()
	var b strings.Builder
	for _, a := range t.active {
		if now.Sub(a.reported) >= t.o.Heartbeat {
			t.tell(&b, a, now)
		}
	}
	if b.Len() > 0 {
		_, err := io.WriteString(t.progress, b.String())
		t.keep(err)
	}
}

func (t *Terminal) tell(b *strings.Builder, a *activity, now time.Time) {
	a.reported = now
	title := oneLine(a.at.Step)
	if s := t.steps[a.at.Step]; s != nil {
		title = t.mark(s) + " " + titleOf(s)
	}
	fmt.Fprintf(b, "… %s · %s  %s\n", title, t.running(a), seconds(now.Sub(a.started).Truncate(frame)))
}
