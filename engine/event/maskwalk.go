package event

import (
	"bytes"
	"encoding/json"
	"reflect"
)

var rawMessage = reflect.TypeFor[json.RawMessage]()

// Event gives a copy of e without secrets.
func (m *Mask) Event(e Event) Event { return m.event(e) }

// event gives a copy of e without secrets that shares nothing with e that can be
// changed. Values of unknown type (what an action gave, fields of a change) come
// out in the form that their JSON has, so that a reader sees the same during the
// run and from a journal.
func (m *Mask) event(e Event) Event {
	return m.value(reflect.ValueOf(e)).Interface().(Event)
}

func (m *Mask) value(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(m.String(v.String())).Convert(v.Type())
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			if f := out.Field(i); f.CanSet() {
				f.Set(m.value(v.Field(i)))
			}
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(m.value(v.Elem()))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		if v.Type() == rawMessage {
			return reflect.ValueOf(m.json(v.Bytes()))
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(m.value(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for k, x := range v.Seq2() {
			out.SetMapIndex(m.value(k), m.value(x))
		}
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		if g := m.generic(v.Interface()); g != nil {
			out.Set(reflect.ValueOf(g))
		}
		return out
	default:
		return v
	}
}

// json masks within JSON text, by its strings and not by its bytes.
func (m *Mask) json(b []byte) json.RawMessage {
	out, err := encode(m.decoded(b))
	if err != nil {
		return nil
	}
	return out
}

// generic gives the JSON form of any value, masked.
func (m *Mask) generic(v any) any {
	b, err := encode(v)
	if err != nil {
		return m.String("(a value that has no JSON form: " + err.Error() + ")")
	}
	return m.decoded(b)
}

func (m *Mask) decoded(b []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // sizes in bytes must not become floating point
	if err := d.Decode(&v); err != nil {
		return m.String(string(b))
	}
	return m.tree(v)
}

// tree masks a decoded JSON value in place.
func (m *Mask) tree(v any) any {
	switch v := v.(type) {
	case string:
		return m.String(v)
	case json.Number:
		// A secret of digits may have become a number on its way here.
		if s := m.String(v.String()); s != v.String() {
			return s
		}
		return v
	case []any:
		for i := range v {
			v[i] = m.tree(v[i])
		}
		return v
	case map[string]any:
		for k, x := range v {
			x = m.tree(x)
			if masked := m.String(k); masked != k {
				delete(v, k)
				k = masked
			}
			v[k] = x
		}
		return v
	default:
		return v
	}
}
