package step

import (
	"fmt"
	"strconv"

	"github.com/nactl/nactl/engine/source"
)

// FileMode is a file's permissions as four octal digits.
type FileMode string

// Decode reads octal digits. YAML reads an unquoted 0644 as a number, so the text
// as it stands in the file counts.
func (m *FileMode) Decode(n *source.Node) error {
	text, _ := Text(n)
	v, err := strconv.ParseUint(text, 8, 16)
	if err != nil || v > 0o7777 || len(text) < 3 {
		return fmt.Errorf("wanted permissions in octal such as 0644, found %q", text)
	}
	*m = FileMode(fmt.Sprintf("%04o", v))
	return nil
}

// Shape describes octal digits. To most readers of YAML an unquoted 0644 is a
// number.
func (*FileMode) Shape() Shape {
	return Shape{Word: "octal digits", Text: true, Integer: true, Pattern: "^0*[0-7]{3,4}$"}
}
