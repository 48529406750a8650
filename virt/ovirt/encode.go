package ovirt

import (
	"bytes"
	"encoding/xml"
	"reflect"

	"github.com/nactl/nactl/virt"
)

// encode writes a request's body: one of the structs of this package, as the
// element. Its error, of kind ErrInvalid, names the field whose text XML cannot
// carry.
func encode(element string, body any) ([]byte, error) {
	if err := badText(element, reflect.ValueOf(body)); err != nil {
		return nil, &virt.Error{Kind: virt.ErrInvalid, Summary: "the engine's XML cannot carry this text", Err: err,
			Hint: "leave the character out"}
	}
	var b bytes.Buffer
	enc := xml.NewEncoder(&b)
	if err := enc.EncodeElement(body, xml.StartElement{Name: xml.Name{Local: element}}); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
