package ovirt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"

	ovirtsdk "github.com/ovirt/go-ovirt"
)

// kind is a sort of object on the wire, and what reads one.
type kind[S any] struct {
	item string // element of one, as vm
	list string // element of many, as vms
	read func(*ovirtsdk.XMLReader, *xml.StartElement, string) (*S, error)
}

// IncompleteError says that some of the objects of a reply could not be read.
// What was read came with it, and must not be taken for all.
type IncompleteError struct {
	What string // as vms
	Read int    // how many were read
	Bad  []error
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%d of the engine's %s cannot be read, %d can: %v", len(e.Bad), e.What, e.Read, e.Bad[0])
}

// Unwrap gives why each of them cannot be read.
func (e *IncompleteError) Unwrap() []error { return e.Bad }

// each calls f with each object of a list, as it comes in. f's error ends it.
//
// The root is checked, so that a page or a fault is an error and no empty list.
// An object that go-ovirt cannot read is tried again without its empty elements;
// failing that, the others are delivered and the error is an *IncompleteError.
func each[S any](rep *reply, k kind[S], f func(*S) error) error {
	s, err := openXML(rep, k.list)
	if err != nil {
		return err
	}
	incomplete := &IncompleteError{What: k.list}
	for {
		start, err := s.next()
		if err != nil {
			return &readError{fmt.Errorf("the engine's %s: %w", k.list, err)}
		}
		if start == nil {
			break
		}
		if start.Name.Local != k.item { // as <actions> or <link> beside the objects
			if err := s.dec.Skip(); err != nil {
				return &readError{fmt.Errorf("the engine's %s: %w", k.list, err)}
			}
			continue
		}
		obj, bad, err := readItem(s, k, start)
		switch {
		case err != nil:
			return &readError{fmt.Errorf("the engine's %s: %w", k.list, err)}
		case bad != nil:
			incomplete.Bad = append(incomplete.Bad, bad)
			continue
		}
		if err := f(obj); err != nil {
			return err
		}
		incomplete.Read++
	}
	if len(incomplete.Bad) > 0 {
		return incomplete
	}
	return nil
}

// one reads a reply that is one object.
func one[S any](rep *reply, k kind[S]) (*S, error) {
	s, err := openXML(rep, k.item)
	if err != nil {
		return nil, err
	}
	obj, bad, err := readItem(s, k, &s.root)
	if err = errors.Join(bad, err); err != nil {
		return nil, &readError{fmt.Errorf("the engine's %s: %w", k.item, err)}
	}
	return obj, nil
}

// readItem reads the object that begins with start, twice if need be. bad is an
// object that cannot be read while the reply goes on, err the end of it all.
func readItem[S any](s *source, k kind[S], start *xml.StartElement) (obj *S, bad, err error) {
	obj, first := readOne(s.dec, k, start)
	if first == nil {
		return obj, nil, nil
	}
	raw, err := s.again(start == &s.root)
	if err != nil {
		return nil, nil, err
	}
	lenient := xml.NewTokenDecoder(&withoutBlanks{dec: xml.NewDecoder(bytes.NewReader(raw))})
	if tok, err := lenient.Token(); err == nil {
		if again, ok := tok.(xml.StartElement); ok {
			again = again.Copy()
			if obj, err := readOne(lenient, k, &again); err == nil {
				return obj, nil, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: %w", itemName(start), first), nil
}

func itemName(start *xml.StartElement) string {
	for _, a := range start.Attr {
		if a.Name.Local == "id" {
			return start.Name.Local + " " + a.Value
		}
	}
	return start.Name.Local
}

// readOne calls go-ovirt's reader. It panics on some replies that end in the
// middle of an enumeration.
func readOne[S any](dec *xml.Decoder, k kind[S], start *xml.StartElement) (obj *S, err error) {
	defer func() {
		if p := recover(); p != nil {
			obj, err = nil, fmt.Errorf("its XML cannot be read: %v", p)
		}
	}()
	obj, err = k.read(&ovirtsdk.XMLReader{Decoder: dec}, start, k.item)
	if err == nil && obj == nil {
		err = errors.New("its XML holds nothing")
	}
	return obj, err
}
