package step

import (
	"reflect"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// Opt is an argument that may be left unsaid, or be known only at run time.
type Opt[T any] struct{ virt.Opt[T] }

// optSetter is how the decoder fills an Opt without knowing its type.
type optSetter interface {
	elem() reflect.Value
	set(reflect.Value)
	setUnknown()
}

func (o *Opt[T]) elem() reflect.Value { return reflect.New(reflect.TypeFor[T]()).Elem() }

func (o *Opt[T]) set(v reflect.Value) { o.Opt = virt.Some(v.Interface().(T)) }

func (o *Opt[T]) setUnknown() { o.Opt = virt.Unknown[T]() }

func (d *decoder) opt(n *source.Node, v reflect.Value, o optSetter, path string) {
	switch n.Kind {
	case source.Null: // left unsaid, so that `default(x, nil)` can leave a key out
	case source.Unknown:
		o.setUnknown()
	default:
		e := o.elem()
		before := len(d.list)
		d.value(n, e, path)
		if len(d.list) == before {
			o.set(e)
		}
	}
}

// optional gives the value inside an Opt, when v is one that holds a value.
func optional(v reflect.Value) (reflect.Value, bool) {
	if !v.CanAddr() {
		return v, false
	}
	if _, ok := v.Addr().Interface().(optSetter); !ok {
		return v, false
	}
	get := v.FieldByName("Opt").MethodByName("Get").Call(nil)
	return get[0], get[1].Bool()
}

// Map turns an Opt into one of another type, keeping absent and unknown.
func Map[T, U any](o Opt[T], fn func(T) U) virt.Opt[U] {
	if v, ok := o.Get(); ok {
		return virt.Some(fn(v))
	}
	if o.IsUnknown() {
		return virt.Unknown[U]()
	}
	return virt.Opt[U]{}
}

// Say adds an argument to the fields that a Setter gives, if it was written.
func Say[T any](fields map[string]any, path string, o Opt[T]) {
	if v, ok := o.Get(); ok {
		fields[path] = v
	}
}

// Bytes turns a size into the bytes that changes carry.
func Bytes(o Opt[Size]) virt.Opt[int64] { return Map(o, func(s Size) int64 { return int64(s) }) }
