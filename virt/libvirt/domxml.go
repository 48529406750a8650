//go:build cgo

package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// metadataPrefix is the namespace's prefix.
const metadataPrefix = "nactl"

// domainTree reads a domain's XML into a tree that keeps what it does not know.
func domainTree(text string) (*etree.Document, *etree.Element, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return nil, nil, fmt.Errorf("domain XML: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "domain" {
		return nil, nil, errors.New("domain XML: its root is not <domain>")
	}
	return doc, root, nil
}

// child finds the first element down a path of tags, prefixes aside; nil when
// there is none.
func child(e *etree.Element, path ...string) *etree.Element {
	for _, tag := range path {
		if e == nil {
			return nil
		}
		var next *etree.Element
		for _, k := range e.ChildElements() {
			if k.Tag == tag {
				next = k
				break
			}
		}
		e = next
	}
	return e
}

// ensureChild is child that makes what is missing.
func ensureChild(e *etree.Element, path ...string) *etree.Element {
	for _, tag := range path {
		next := child(e, tag)
		if next == nil {
			next = e.CreateElement(tag)
		}
		e = next
	}
	return e
}

// elementText writes one element as a document of its own, as the device calls
// want it.
func elementText(e *etree.Element) (string, error) {
	doc := etree.NewDocument()
	doc.SetRoot(e.Copy())
	return doc.WriteToString()
}

// vmMetadata is what nactl keeps in a domain's definition.
type vmMetadata struct {
	unfinished string            // run that is making the VM
	entries    map[string]string // virt.VM.Metadata
}

// document writes m with its namespace, as it stands in a definition.
func (m vmMetadata) document() string {
	body := m.element()
	return strings.Replace(strings.Replace(body, "<vm>", "<nactl:vm xmlns:nactl=\""+metadataNS+"\">", 1), "</vm>", "</nactl:vm>", 1)
}

// element writes m without the root's namespace, which libvirt's SetMetadata
// adds itself.
func (m vmMetadata) element() string {
	var b strings.Builder
	b.WriteString("<vm>")
	if m.unfinished != "" {
		fmt.Fprintf(&b, `<unfinished xmlns="%s" run="%s"/>`, metadataNS, escapeXML(m.unfinished))
	}
	for _, k := range slices.Sorted(maps.Keys(m.entries)) {
		fmt.Fprintf(&b, `<entry xmlns="%s" key="%s">%s</entry>`, metadataNS, escapeXML(k), escapeXML(m.entries[k]))
	}
	b.WriteString("</vm>")
	return b.String()
}

func escapeXML(s string) string {
	var b strings.Builder
	// A strings.Builder does not fail.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// devices lists the domain's devices of one tag, as disk or interface.
func devices(root *etree.Element, tag string) []*etree.Element {
	list := child(root, "devices")
	if list == nil {
		return nil
	}
	var out []*etree.Element
	for _, e := range list.ChildElements() {
		if e.Tag == tag {
			out = append(out, e)
		}
	}
	return out
}

// findDisk finds a disk by its target; nil when there is none.
func findDisk(root *etree.Element, target string) *etree.Element {
	for _, e := range devices(root, "disk") {
		if attr(e, "target", "dev") == target {
			return e
		}
	}
	return nil
}

// findNIC finds an interface by its MAC address; nil when there is none.
func findNIC(root *etree.Element, mac string) *etree.Element {
	for _, e := range devices(root, "interface") {
		if strings.EqualFold(attr(e, "mac", "address"), mac) {
			return e
		}
	}
	return nil
}

// sameXML tells whether two trees say the same: comments, the order of
// attributes and the space between elements do not count.
func sameXML(a, b *etree.Element) bool {
	if a.Tag != b.Tag || a.NamespaceURI() != b.NamespaceURI() || len(a.Attr) != len(b.Attr) || strings.TrimSpace(a.Text()) != strings.TrimSpace(b.Text()) {
		return false
	}
	for _, x := range a.Attr {
		y := b.SelectAttr(x.FullKey())
		if y == nil || y.Value != x.Value {
			return false
		}
	}
	as, bs := a.ChildElements(), b.ChildElements()
	return len(as) == len(bs) && slices.EqualFunc(as, bs, sameXML)
}
