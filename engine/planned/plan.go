// Package planned keeps plans: what a run may change, as a file that people review
// and a later run is held to.
//
// A plan is read off the events of a dry run, after secrets were masked. Two plans
// of the same playbook are compared as wholes; a single change is admitted or not.
// What is known only afterwards stands for any value.
package planned

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// Schema is the version of the file's form.
const Schema = 1

// Plan is what a plan pass found, and what it was made of.
type Plan struct {
	Schema    int         `json:"schema"`
	Made      time.Time   `json:"made"`
	By        string      `json:"by,omitempty"`
	Version   string      `json:"version"` // nactl's
	Of        Source      `json:"of"`
	Changes   []Change    `json:"changes"`
	Undecided []Undecided `json:"undecided,omitempty"`
}

// Source is what has to be given again to play a plan.
type Source struct {
	Playbooks []string                   `json:"playbooks"`
	Inventory []string                   `json:"inventory,omitempty"`
	Extra     map[string]json.RawMessage `json:"extra_vars,omitempty"`
	Limit     string                     `json:"limit,omitempty"`
	Tags      []string                   `json:"tags,omitempty"`
	SkipTags  []string                   `json:"skip_tags,omitempty"`
	StartAt   string                     `json:"start_at,omitempty"`
}

// Change is one change that a run may make.
type Change struct {
	Step   string             `json:"step"` // id
	Target string             `json:"target"`
	Item   *event.Item        `json:"item,omitempty"`
	Kind   string             `json:"kind"` // as set_cpu
	Object virt.Ref           `json:"object"`
	Change json.RawMessage    `json:"change,omitempty"` // without what differs between runs
	Fields []virt.FieldChange `json:"fields,omitempty"`
	Maybe  bool               `json:"maybe,omitempty"` // under a condition that only the run shows
}

// Undecided is a step of which the plan cannot know what it will change.
type Undecided struct {
	Step   string `json:"step"`
	Target string `json:"target"`
	Reason string `json:"reason"`
}

// key tells changes apart: what is changed by which step, for which item.
func (c Change) key() string {
	index := -1
	if c.Item != nil {
		index = c.Item.Index
	}
	return fmt.Sprintf("%s\x00%s\x00%d\x00%s\x00%s", c.Step, c.Target, index, c.Kind, c.Object.Key())
}

// String tells of a change in one line.
func (c Change) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s of %s", c.Target, c.Step, c.Kind, c.Object)
	for _, f := range c.Fields {
		fmt.Fprintf(&b, ", %s %s → %s", f.Path, shown(f.Before), shown(f.After))
	}
	return b.String()
}

func shown(v any) string {
	switch {
	case v == nil:
		return "(none)"
	case isUnknown(generic(v)):
		return virt.UnknownValue.String()
	default:
		return fmt.Sprint(v)
	}
}

// New makes a Change of an intent and of what is expected of it, without what
// differs between two runs that do the same.
func New(i event.Intent, fields []virt.FieldChange) Change {
	c := Change{Step: i.Step, Target: i.Target, Item: i.Item, Kind: i.Kind, Object: i.Object, Fields: slices.Clone(fields)}
	c.Object.ID = ""
	for k := range c.Fields {
		f := &c.Fields[k]
		for _, v := range []*any{&f.Before, &f.After} {
			if f.Path == "unfinished" && *v != nil {
				*v = virt.UnknownValue // the id of a run
			}
		}
	}
	var m map[string]any
	if json.Unmarshal(i.Change, &m) == nil {
		delete(m, "object")
		delete(m, "run")
		c.Change, _ = json.Marshal(m) // what was decoded can be encoded
	}
	return c
}

// Same tells whether a change is what the plan says of it. Only the plan's own
// unknown values stand for any.
func (c Change) Same(made Change) bool {
	if c.key() != made.key() || len(c.Fields) != len(made.Fields) {
		return false
	}
	for i, f := range c.Fields {
		g := made.Fields[i]
		if f.Path != g.Path || !covers(generic(f.Before), generic(g.Before)) || !covers(generic(f.After), generic(g.After)) {
			return false
		}
	}
	return covers(decoded(c.Change), decoded(made.Change))
}

// covers tells whether a planned value stands for one that was met.
func covers(planned, met any) bool {
	if isUnknown(planned) {
		return true
	}
	switch p := planned.(type) {
	case map[string]any:
		m, ok := met.(map[string]any)
		if !ok {
			return false
		}
		keys := maps.Clone(p)
		maps.Copy(keys, m)
		for k := range keys {
			if !covers(p[k], m[k]) {
				return false
			}
		}
		return true
	case []any:
		m, ok := met.([]any)
		return ok && slices.EqualFunc(p, m, covers)
	default:
		return planned == met
	}
}

func isUnknown(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 1 && m["unknown"] == true
}

// generic gives the form that a value has in JSON.
func generic(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return decoded(b)
}

func decoded(b []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // sizes in bytes must not become floating point
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// Admits tells whether a run that is held to the plan may make a change: the plan
// has it, or its step is one of which the plan left open what it does.
func (p *Plan) Admits(made Change) bool {
	for _, u := range p.Undecided {
		if u.Step == made.Step && u.Target == made.Target {
			return true
		}
	}
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Same(made) })
}

// Expected gives what the plan has of the object of a change in its step, for
// messages; "" for nothing.
func (p *Plan) Expected(made Change) string {
	for _, c := range p.Changes {
		if c.key() == made.key() {
			return c.String()
		}
	}
	return ""
}

// Diff tells how a new plan pass differs from the plan: what it lacks, has
// otherwise, or has beyond it. Empty for the same.
func (p *Plan) Diff(now *Plan) []string {
	var out []string
	left := slices.Clone(now.Changes)
	for _, c := range p.Changes {
		i := slices.IndexFunc(left, func(n Change) bool { return c.Same(n) && c.Maybe == n.Maybe })
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		if i = slices.IndexFunc(left, func(n Change) bool { return c.key() == n.key() }); i >= 0 {
			out = append(out, fmt.Sprintf("otherwise: %s\n     now: %s", c, left[i]))
			left = slices.Delete(left, i, i+1)
			continue
		}
		out = append(out, "no longer: "+c.String())
	}
	for _, c := range left {
		out = append(out, "new: "+c.String())
	}
	for _, u := range now.Undecided {
		if !slices.ContainsFunc(p.Undecided, func(v Undecided) bool { return u.Step == v.Step && u.Target == v.Target }) {
			out = append(out, fmt.Sprintf("new: %s: %s is decided at run time: %s", u.Target, u.Step, u.Reason))
		}
	}
	return out
}
