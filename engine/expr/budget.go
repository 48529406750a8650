package expr

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Bounds on the text of one expression. They hold at load, for all.
const (
	maxLength  = 8 << 10 // bytes
	maxNesting = 64      // brackets within brackets
	maxNodes   = 1000    // of the syntax tree
	maxPattern = 4 << 10 // bytes of a regular expression made at run time
)

// Limits bound one evaluation. Zero fields take the defaults, which no honest
// playbook comes near.
type Limits struct {
	// Steps is the number of elements that closures, comparisons and functions
	// may visit. Default 5 million.
	Steps int
	// Bytes is the amount of text that an evaluation may produce, results in
	// between included. Default 32 MiB.
	Bytes int
	// Elements is the number of list and map elements that an evaluation may
	// make. Default 1 million.
	Elements int
	// Time is the wall time of an evaluation. Default 5 s.
	Time time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 5_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 32 << 20
	}
	if l.Elements == 0 {
		l.Elements = 1_000_000
	}
	if l.Time == 0 {
		l.Time = 5 * time.Second
	}
	return l
}

// errBudget is the root of every refusal for size or time.
var errBudget = errors.New("the expression does too much")

// lookAtClock is how many steps pass between two looks at the clock. A single
// step can be the search through a text of Limits.Bytes: some 10 ms.
const lookAtClock = 128

// run is the state of one evaluation: what it may still spend, and the world it
// may ask. Programs hand it to every function of this package as the first
// argument. It belongs to one goroutine.
type run struct {
	ctx      context.Context
	host     Host
	program  *program
	steps    int
	bytes    int
	elements int
	sinceNow int
	deadline time.Time
	limits   Limits
	absent   []*absence // why slot i has no value; nil where it has one
}

func newRun(ctx context.Context, p *program, opts Options) *run {
	l := opts.Limits
	return &run{ctx: ctx, host: opts.Host, program: p, limits: l,
		steps: l.Steps, bytes: l.Bytes, elements: l.Elements, deadline: time.Now().Add(l.Time)}
}

// spend counts n visited elements.
func (r *run) spend(n int) error {
	r.steps -= n
	if r.steps < 0 {
		return fmt.Errorf("%w: more than %d steps", errBudget, r.limits.Steps)
	}
	if r.sinceNow += n; r.sinceNow < lookAtClock {
		return nil
	}
	r.sinceNow = 0
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if time.Now().After(r.deadline) {
		return fmt.Errorf("%w: it took longer than %s", errBudget, r.limits.Time)
	}
	return nil
}

// produce counts n bytes of text that are about to be, or were, made.
func (r *run) produce(n int) error {
	if n < 0 || n > r.bytes {
		return fmt.Errorf("%w: it makes more than %d bytes of text", errBudget, r.limits.Bytes)
	}
	r.bytes -= n
	return r.spend(n / 256)
}

// fill counts n elements of lists or maps that are about to be, or were, made.
func (r *run) fill(n int) error {
	if n < 0 || n > r.elements {
		return fmt.Errorf("%w: it makes more than %d elements", errBudget, r.limits.Elements)
	}
	r.elements -= n
	return r.spend(n / 16)
}

// weigh counts every element below v as a step, each as often as it is reached:
// a list that holds one list twice, again and again, is small in memory and
// endless when it is walked.
func (r *run) weigh(v any) error { return r.weighDeep(v, 0) }

// maxDepth is the nesting of values that may be walked; YAML and JSON input
// stays far below.
const maxDepth = 500

func (r *run) weighDeep(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: a value is nested deeper than %d", errBudget, maxDepth)
	}
	switch x := v.(type) {
	case nil, bool, int, float64:
		return nil
	case string:
		return r.spend(len(x) / 256)
	case []any:
		if err := r.spend(len(x)); err != nil {
			return err
		}
		for _, e := range x {
			if err := r.weighDeep(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := r.spend(len(x)); err != nil {
			return err
		}
		for _, e := range x {
			if err := r.weighDeep(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice, reflect.Array:
		if err := r.spend(rv.Len()); err != nil {
			return err
		}
		for i := range rv.Len() {
			if err := r.weighDeep(rv.Index(i).Interface(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		if err := r.spend(rv.Len()); err != nil {
			return err
		}
		for it := rv.MapRange(); it.Next(); {
			if err := r.weighDeep(it.Value().Interface(), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
