package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Schema is the version of the wire form. It is raised when a field changes its
// meaning or goes; new fields and new types may come without that.
const Schema = 1

// Type names a sort of event.
type Type string

// The types of events, in the order in which a run shows them first.
const (
	TypeRunStarted  Type = "run_started"
	TypePlayStarted Type = "play_started"
	TypeStepStarted Type = "step_started"
	TypeItemStarted Type = "item_started"
	TypeProgress    Type = "progress"
	TypeIntent      Type = "intent"
	TypeOutcome     Type = "outcome"
	TypeWarning     Type = "warning"
	TypeMessage     Type = "message"
	TypeResult      Type = "result"
	TypeStepEnded   Type = "step_ended"
	TypeRecap       Type = "recap"
	TypeRunEnded    Type = "run_ended"
)

// Event is one thing that happened: one of the structs of this package, by
// value.
type Event interface {
	// Type names the sort of event.
	Type() Type
}

// Sink takes events. Emit is safe for concurrent use and does not fail: a
// reader that cannot go on is the writer's affair, not the runner's.
type Sink interface {
	Emit(Event)
}

// Header is what all events carry on the wire, before their own fields.
type Header struct {
	Schema int       `json:"schema"`
	Time   time.Time `json:"time"`
	Run    string    `json:"run"`
	Seq    int64     `json:"seq"` // 1, 2, … without gaps within a run
	Type   Type      `json:"type"`
}

// Record is an event as readers get it: numbered, dated and masked. It must not
// be changed, for all readers share it.
type Record struct {
	Header
	Event Event
}

// MarshalJSON writes header and event as one flat object.
func (r Record) MarshalJSON() ([]byte, error) {
	head, err := encode(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := encode(r.Event)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", r.Type, err)
	}
	if len(body) <= len("{}") {
		return head, nil
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON writes. A type that this version does not
// know is an error that wraps ErrUnknownType.
func (r *Record) UnmarshalJSON(b []byte) error {
	var h Header
	if err := json.Unmarshal(b, &h); err != nil {
		return err
	}
	t, ok := types[h.Type]
	if !ok || h.Schema != Schema {
		return fmt.Errorf("event %q of schema %d: %w", h.Type, h.Schema, ErrUnknownType)
	}
	p := reflect.New(t)
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // sizes in bytes must not become floating point
	if err := d.Decode(p.Interface()); err != nil {
		return fmt.Errorf("event %s: %w", h.Type, err)
	}
	r.Header, r.Event = h, p.Elem().Interface().(Event)
	return nil
}

// ErrUnknownType says that an event was written by another version of nactl.
var ErrUnknownType = errors.New("unknown type of event")

var types = func() map[Type]reflect.Type {
	m := map[Type]reflect.Type{}
	for _, e := range []Event{
		RunStarted{}, PlayStarted{}, StepStarted{}, ItemStarted{}, Progress{}, Intent{}, Outcome{},
		Warning{}, Message{}, Result{}, StepEnded{}, Recap{}, RunEnded{},
	} {
		m[e.Type()] = reflect.TypeOf(e)
	}
	return m
}()

// encode is json.Marshal without its escapes for HTML, which only hide what was
// meant in a log.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
