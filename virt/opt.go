package virt

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Opt is a value that may be left unsaid, or be known only afterwards. The zero
// Opt is absent.
//
// Absent means "leave it as it is"; unknown means "it will be set, to a value
// that nobody knows yet", as an address before the machine has booted.
type Opt[T any] struct {
	value T
	state optState
}

type optState uint8

const (
	absent optState = iota
	unknown
	known
)

// Some gives an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{value: v, state: known} }

// Unknown gives an Opt whose value is known only afterwards.
func Unknown[T any]() Opt[T] { return Opt[T]{state: unknown} }

// IsSet tells whether something was said: a value, or that there will be one.
func (o Opt[T]) IsSet() bool { return o.state != absent }

// IsUnknown tells whether the value is known only afterwards.
func (o Opt[T]) IsUnknown() bool { return o.state == unknown }

// IsZero tells whether o is absent; encoding/json's omitzero uses it.
func (o Opt[T]) IsZero() bool { return o.state == absent }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.value, o.state == known }

// Or returns the value, or def when there is none.
func (o Opt[T]) Or(def T) T {
	if o.state == known {
		return o.value
	}
	return def
}

// Any returns the value as any: nil when absent, UnknownValue when unknown.
func (o Opt[T]) Any() any {
	switch o.state {
	case known:
		return o.value
	case unknown:
		return UnknownValue
	default:
		return nil
	}
}

// String is for messages.
func (o Opt[T]) String() string {
	switch o.state {
	case known:
		return fmt.Sprint(o.value)
	case unknown:
		return UnknownValue.String()
	default:
		return ""
	}
}

// UnknownValue stands for a value known only afterwards where a plain `any` is
// wanted: in field changes and in their JSON form.
var UnknownValue = unknownValue{}

type unknownValue struct{}

func (unknownValue) String() string { return "(known afterwards)" }

var unknownJSON = []byte(`{"unknown":true}`)

// MarshalJSON writes {"unknown":true}.
func (unknownValue) MarshalJSON() ([]byte, error) { return unknownJSON, nil }

// MarshalJSON writes the value, {"unknown":true}, or null.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	switch o.state {
	case known:
		return json.Marshal(o.value)
	case unknown:
		return unknownJSON, nil
	default:
		return []byte("null"), nil
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	*o = Opt[T]{}
	if string(b) == "null" {
		return nil
	}
	var compact bytes.Buffer // a reader may have laid it out anew
	if err := json.Compact(&compact, b); err == nil && bytes.Equal(compact.Bytes(), unknownJSON) {
		o.state = unknown
		return nil
	}
	if err := json.Unmarshal(b, &o.value); err != nil {
		return err
	}
	o.state = known
	return nil
}
