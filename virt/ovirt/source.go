package ovirt

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// source reads a document one object after the other, and keeps the text of the
// one that is being read.
type source struct {
	rec  *recorder
	dec  *xml.Decoder
	root xml.StartElement
}

// openXML finds the root and checks that it is the one that is wanted. Anything
// else is a *Fault.
func openXML(rep *reply, want string) (*source, error) {
	if !rep.XML {
		return nil, notXML(rep.Body)
	}
	rec := &recorder{r: bufio.NewReader(rep.Body)}
	s := &source{rec: rec, dec: xml.NewDecoder(rec)}
	root, err := s.next()
	switch {
	case err == nil && root == nil:
		err = errors.New("no element")
		fallthrough
	case err != nil:
		return nil, &readError{fmt.Errorf("the engine's answer, where <%s> was wanted: %w", want, err)}
	}
	s.root = *root
	switch name := root.Name.Local; name {
	case want:
		return s, nil
	case "fault", "action":
		var v faultXML
		if err := s.dec.DecodeElement(&v, root); err != nil {
			return nil, &readError{fmt.Errorf("the engine's fault: %w", err)}
		}
		return nil, v.fault()
	default:
		return nil, &Fault{foreign: true, Detail: fmt.Sprintf("not the engine's API: <%.40s> in place of <%s>", name, want)}
	}
}

// notXML says what came in place of XML. A body that breaks off is found by the
// guard around it.
func notXML(body io.Reader) error {
	page, _ := io.ReadAll(io.LimitReader(body, 64<<10))
	text := "something else"
	if len(bytes.TrimSpace(page)) == 0 {
		text = "nothing"
	} else if t := titleOf(page); t != "" {
		text = "a page with the title " + t
	}
	return &Fault{foreign: true, Detail: "not the engine's API: no XML but " + text}
}

// next gives the start of the next child, or of the root when there is none yet;
// nil at the end.
func (s *source) next() (*xml.StartElement, error) {
	for {
		s.rec.keep(s.dec.InputOffset())
		tok, err := s.dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			t = t.Copy()
			return &t, nil
		case xml.EndElement:
			return nil, nil
		}
	}
}

// again gives the whole text of the object that was being read, and goes on
// behind it. Where its reader left off inside is not known, so that another
// decoder finds its end, from its beginning.
func (s *source) again(isRoot bool) ([]byte, error) {
	prefix := ""
	if !isRoot { // the root's end is still to come
		prefix = "<" + s.root.Name.Local + ">"
	}
	rec := &recorder{r: bufio.NewReader(io.MultiReader(strings.NewReader(prefix), bytes.NewReader(s.rec.buf), s.rec.r))}
	dec := xml.NewDecoder(rec)
	if !isRoot {
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
		rec.keep(dec.InputOffset())
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if err := dec.Skip(); err != nil {
		return nil, err
	}
	s.rec, s.dec = rec, dec
	return bytes.Clone(rec.buf[:dec.InputOffset()-rec.base]), nil
}

// The bounds of the XML of one object. go-ovirt's readers call themselves for what
// is nested, and a stack that overflows cannot be recovered from. A VM with all
// that is followed has about 25 kB and 1400 tags.
const (
	maxItem = 4 << 20
	maxTags = 20_000
)

var errLongItem = fmt.Errorf("one object is longer than %d MB or %d tags", maxItem>>20, maxTags)

// recorder keeps what was read since the last keep. As an io.ByteReader it is
// read by the XML decoder without another buffer between, so that what it holds
// is what the decoder has seen.
type recorder struct {
	r    *bufio.Reader
	buf  []byte
	base int64 // offset of buf
	tags int   // in buf, at most
}

func (r *recorder) ReadByte() (byte, error) {
	if len(r.buf) >= maxItem || r.tags >= maxTags {
		return 0, errLongItem
	}
	b, err := r.r.ReadByte()
	if err != nil {
		return 0, err
	}
	r.buf = append(r.buf, b)
	if b == '<' {
		r.tags++
	}
	return b, nil
}

// Read is what the decoder asks a reader for; it uses ReadByte.
func (r *recorder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// keep drops what came before offset.
func (r *recorder) keep(offset int64) {
	r.buf = r.buf[:copy(r.buf, r.buf[offset-r.base:])]
	r.base, r.tags = offset, bytes.Count(r.buf, []byte("<"))
}

// withoutBlanks leaves out empty elements and attributes, and the blanks around
// text: go-ovirt's readers refuse an empty number, an engine may send one.
type withoutBlanks struct {
	dec   *xml.Decoder
	queue []xml.Token
}

// Token implements xml.TokenReader.
func (w *withoutBlanks) Token() (xml.Token, error) {
	for {
		tok, err := w.pop()
		if err != nil {
			return nil, err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			return tok, nil
		}
		start.Attr = withText(start.Attr)
		text, after, err := w.text()
		if err != nil {
			return nil, err
		}
		if _, leaf := after.(xml.EndElement); leaf && len(text) == 0 && len(start.Attr) == 0 {
			continue
		}
		if len(text) > 0 {
			w.queue = append(w.queue, text)
		}
		w.queue = append(w.queue, after)
		return start, nil
	}
}

func (w *withoutBlanks) pop() (xml.Token, error) {
	if len(w.queue) > 0 {
		tok := w.queue[0]
		w.queue = w.queue[1:]
		return tok, nil
	}
	tok, err := w.dec.Token()
	return xml.CopyToken(tok), err
}

// text gives the text that follows, trimmed, and the tag behind it.
func (w *withoutBlanks) text() (xml.CharData, xml.Token, error) {
	var text []byte
	for {
		tok, err := w.pop()
		if err != nil {
			return nil, nil, err
		}
		switch t := tok.(type) {
		case xml.CharData:
			text = append(text, t...)
		case xml.StartElement, xml.EndElement:
			return bytes.TrimSpace(text), tok, nil
		}
	}
}

func withText(attrs []xml.Attr) []xml.Attr {
	var out []xml.Attr
	for _, a := range attrs {
		if strings.TrimSpace(a.Value) != "" {
			out = append(out, a)
		}
	}
	return out
}
