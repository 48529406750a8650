package ovirt

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Text is text that goes out as XML. Marshalling refuses what XML 1.0 cannot
// carry, for which encoding/xml would write a replacement character without a
// word.
type Text string

var _ encoding.TextMarshaler = Text("")

// MarshalText gives the text, or says which character is not allowed. The error
// does not show the text: it may be a password.
func (t Text) MarshalText() ([]byte, error) {
	if err := t.valid(); err != nil {
		return nil, err
	}
	return []byte(t), nil
}

func (t Text) valid() error {
	for i := 0; i < len(t); {
		r, n := utf8.DecodeRuneInString(string(t[i:]))
		switch {
		case r == utf8.RuneError && n == 1:
			return &textError{at: i, what: "is no UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return &textError{at: i, what: fmt.Sprintf("character U+%04X is not allowed in XML", r)}
		}
		i += n
	}
	return nil
}

// textError is text that XML cannot carry.
type textError struct {
	field string // elements from the root, as vm/initialization/custom_script
	at    int
	what  string
}

func (e *textError) Error() string {
	if e.field == "" {
		return fmt.Sprintf("at byte %d: %s", e.at, e.what)
	}
	return fmt.Sprintf("%s, at byte %d: %s", e.field, e.at, e.what)
}

// textOf gives a pointer, for elements that may be left out.
func textOf[S ~string](s S) *Text {
	t := Text(s)
	return &t
}

// texts gives the texts of a list.
func texts(list []string) []Text {
	out := make([]Text, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}

// badText looks for text that XML cannot carry, and names its field.
func badText(field string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return badText(field, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := badText(field, v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("xml"), ",")
			if err := badText(field+"/"+strings.ReplaceAll(name, ">", "/"), v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.String:
		if t, ok := v.Interface().(Text); ok {
			if err, ok := t.valid().(*textError); ok {
				err.field = field
				return err
			}
		}
	}
	return nil
}
