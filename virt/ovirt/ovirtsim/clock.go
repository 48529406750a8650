package ovirtsim

import (
	"container/heap"
	"context"
	"time"
)

// clock is the engine's time: real time from an epoch on, scaled, plus what was
// added by hand. Tasks run in the order of their time when somebody looks.
type clock struct {
	epoch time.Time // engine time at which it began
	begun time.Time // real time at which it began
	speed float64   // engine seconds in a real second; 0 stands still
	added time.Duration
	tasks tasks
	seq   int
	at    time.Time     // while a task runs: its time
	moved chan struct{} // closed when time is added
}

func newClock(epoch time.Time, speed float64) *clock {
	return &clock{epoch: epoch, begun: time.Now(), speed: speed, moved: make(chan struct{})}
}

func (c *clock) now() time.Time {
	if !c.at.IsZero() {
		return c.at
	}
	real := time.Duration(float64(time.Since(c.begun)) * c.speed)
	return c.epoch.Add(real + c.added).Round(time.Millisecond)
}

// after runs fn at d engine time from now.
func (c *clock) after(d time.Duration, fn func()) { c.due(c.now().Add(d), fn) }

// due runs fn at engine time t.
func (c *clock) due(t time.Time, fn func()) {
	c.seq++
	heap.Push(&c.tasks, task{at: t, seq: c.seq, fn: fn})
}

// soon is when the next task is due, in any case later than now.
func (c *clock) soon() time.Time {
	t := c.now().Add(time.Second)
	if len(c.tasks) > 0 && c.tasks[0].at.Before(t) {
		t = c.tasks[0].at
	}
	return t
}

// settle runs what is due.
func (c *clock) settle() {
	for now := c.now(); len(c.tasks) > 0 && !c.tasks[0].at.After(now); {
		t := heap.Pop(&c.tasks).(task)
		c.at = t.at
		t.fn()
		c.at = time.Time{}
	}
}

func (c *clock) add(d time.Duration) {
	c.added += d
	close(c.moved)
	c.moved = make(chan struct{})
}

// sleeper returns a function that sleeps until engine time t, or somewhat less
// when time was added. It is called without the engine's lock.
func (c *clock) sleeper(t time.Time) func(context.Context) error {
	moved := c.moved
	var real time.Duration
	if c.speed > 0 {
		real = max(0, time.Duration(float64(t.Sub(c.now()))/c.speed)) + time.Millisecond
	}
	return func(ctx context.Context) error {
		var fire <-chan time.Time
		if c.speed > 0 {
			tm := time.NewTimer(real)
			defer tm.Stop()
			fire = tm.C
		}
		select {
		case <-fire:
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
}

type task struct {
	at  time.Time
	seq int // keeps the order of tasks of one time
	fn  func()
}

type tasks []task

func (t tasks) Len() int      { return len(t) }
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t tasks) Less(i, j int) bool {
	if t[i].at.Equal(t[j].at) {
		return t[i].seq < t[j].seq
	}
	return t[i].at.Before(t[j].at)
}
func (t *tasks) Push(x any) { *t = append(*t, x.(task)) }
func (t *tasks) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}
