//go:build cgo

package libvirt

import (
	"github.com/beevik/etree"
	lv "libvirt.org/go/libvirt"
)

// storedXML reads a domain's stored definition with its secrets, as it has to be
// given back.
func storedXML(d *lv.Domain) (string, error) {
	return d.GetXMLDesc(lv.DOMAIN_XML_INACTIVE | lv.DOMAIN_XML_SECURE)
}

// redefine edits a domain's stored definition. Whatever edit leaves alone stays
// as it is, known to nactl or not. An edit that changes nothing sends nothing.
// libvirt validates the result against its schema before it takes it.
func redefine(c *lv.Connect, d *lv.Domain, edit func(root *etree.Element) error) (changed bool, err error) {
	text, err := storedXML(d)
	if err != nil {
		return false, err
	}
	doc, root, err := domainTree(text)
	if err != nil {
		return false, err
	}
	before := root.Copy()
	if err := edit(root); err != nil {
		return false, err
	}
	if sameXML(before, root) {
		return false, nil
	}
	edited, err := doc.WriteToString()
	if err != nil {
		return false, err
	}
	return true, define(c, edited)
}

// define stores a definition (virDomainDefineXMLFlags), validated.
func define(c *lv.Connect, text string) error {
	d, err := c.DomainDefineXMLFlags(text, lv.DOMAIN_DEFINE_VALIDATE)
	if err != nil {
		return err
	}
	return d.Free()
}
