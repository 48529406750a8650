//go:build cgo

package libvirt

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// An overlay is domain XML that says only what a playbook wants beside nactl's
// own words. It is merged into a definition by these rules:
//
//   - Its root is <domain>. Everything below it that is not said stays.
//   - An element meets the one with the same tag. Where several may stand side by
//     side, it meets the one with the same natural key: a disk that with the same
//     <target dev>, an interface that with the same <mac address>, a device of any
//     kind that with the same <alias name>, a CPU feature, a timer or a sysinfo
//     entry that with the same name, and so on (see naturalKeys).
//   - Attributes and text that are said replace those that are there. Children
//     merge by the same rules.
//   - An element that meets none is added, after its like.
//   - nactl:remove="yes" takes the element that is met away.
//   - The arguments of <qemu:commandline> are an ordered list: they are added at
//     its end unless they stand there side by side.
//
// name and uuid cannot be changed. Values are compared as libvirt means them:
// 1 GiB is 1048576 KiB, 0x05 is 5, and the machine q35 is whichever q35 it became.

// mergeOverlay merges an overlay into domain XML. changed is false when the
// domain has it all already; merged is then the domain as it was.
func mergeOverlay(domain, overlay string) (merged string, changed bool, err error) {
	doc, root, err := domainTree(domain)
	if err != nil {
		return "", false, err
	}
	o, err := parseOverlay(overlay)
	if err != nil {
		return "", false, err
	}
	if !mergeInto(root, o) {
		return domain, false, nil
	}
	if mergeInto(root.Copy(), o) {
		return "", false, errors.New("libvirt XML: it contradicts itself: it says two things of one element")
	}
	merged, err = doc.WriteToString()
	return merged, true, err
}

// parseOverlay reads an overlay and refuses what no overlay can do.
func parseOverlay(overlay string) (*etree.Element, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(overlay); err != nil {
		return nil, fmt.Errorf("libvirt XML: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "domain" {
		return nil, errors.New("libvirt XML: its root has to be <domain>")
	}
	for _, tag := range []string{"name", "uuid"} {
		if child(root, tag) != nil {
			return nil, fmt.Errorf("libvirt XML: <%s> cannot be changed; leave it out", tag)
		}
	}
	for tag, how := range map[string]string{"disk": `<target dev="…"/>`, "interface": `<mac address="…"/>`} {
		for _, e := range devices(root, tag) {
			if _, ok := keyOf(e); !ok {
				return nil, fmt.Errorf("libvirt XML: an <%s> does not say which one it is; give it %s or <alias name=\"…\"/>", tag, how)
			}
		}
	}
	return root, nil
}

// naturalKeys says, for elements that may stand side by side, by what they are
// told apart: alternatives, of which the first counts that the overlay's element
// has. A key is an attribute (name), a child's attribute (target@dev), or the
// element's own text (.).
var naturalKeys = map[string][][]string{
	"disk":        {{"target@dev"}},
	"interface":   {{"mac@address"}},
	"filesystem":  {{"target@dir"}},
	"controller":  {{"type", "index"}, {"type"}},
	"channel":     {{"target@name"}, {"target@type"}},
	"serial":      {{"target@port"}},
	"parallel":    {{"target@port"}},
	"console":     {{"target@type", "target@port"}, {"target@type"}},
	"graphics":    {{"type"}},
	"input":       {{"type", "bus"}, {"type"}},
	"sound":       {{"model"}},
	"panic":       {{"model"}},
	"hub":         {{"type"}},
	"shmem":       {{"name"}},
	"redirdev":    {{"bus", "type"}},
	"boot":        {{"dev"}},
	"feature":     {{"name"}},
	"timer":       {{"name"}},
	"entry":       {{"name"}},
	"sysinfo":     {{"type"}},
	"env":         {{"name"}},
	"arg":         {{"value"}},
	"capability":  {{"name"}},
	"vcpupin":     {{"vcpu"}},
	"iothreadpin": {{"iothread"}},
	"vcpusched":   {{"vcpus"}},
	"cell":        {{"id"}},
	"memnode":     {{"cellid"}},
	"iothread":    {{"id"}},
	"vcpu":        {{"id"}},
	"page":        {{"nodeset"}, {"size"}},
	"tag":         {{"id"}},
	"seclabel":    {{"model"}},
	"parameter":   {{"name"}},
	"host":        {{"name", "port"}, {"name"}},
	"del":         {{"capability"}},
	"add":         {{"capability"}},
	"device":      {{"alias"}},
}

// keyOf gives what tells an element from its like; ok is false when it says
// nothing of the kind.
func keyOf(e *etree.Element) (key []string, ok bool) {
	if _, ok := lookKey(e, "alias@name"); ok {
		return []string{"alias@name"}, true
	}
	if e.Tag == "hostdev" && child(e, "source") != nil {
		return []string{"source"}, true
	}
	for _, alternative := range naturalKeys[e.Tag] {
		has := true
		for _, k := range alternative {
			_, found := lookKey(e, k)
			has = has && found
		}
		if has {
			return alternative, true
		}
	}
	return nil, false
}

func lookKey(e *etree.Element, key string) (string, bool) {
	if tag, name, nested := strings.Cut(key, "@"); nested {
		if e = child(e, tag); e == nil {
			return "", false
		}
		key = name
	}
	a := e.SelectAttr(key)
	if a == nil {
		return "", false
	}
	return a.Value, true
}

// meets finds the child of base that an overlay's element is about.
func meets(base, o *etree.Element) *etree.Element {
	key, keyed := keyOf(o)
	for _, e := range base.ChildElements() {
		if e.Tag != o.Tag || e.NamespaceURI() != o.NamespaceURI() {
			continue
		}
		if !keyed || sameKey(e, o, key) {
			return e
		}
	}
	return nil
}

func sameKey(e, o *etree.Element, key []string) bool {
	for _, k := range key {
		if k == "source" {
			// A host device is its source: which card, which port.
			if s := child(e, "source"); s == nil || !satisfies(s, child(o, "source")) {
				return false
			}
			continue
		}
		have, ok := lookKey(e, k)
		want, _ := lookKey(o, k)
		if !ok || !sameValue(o.Tag, k, have, want) {
			return false
		}
	}
	return true
}

// satisfies tells whether e has all that the overlay's element says.
func satisfies(e, o *etree.Element) bool { return !mergeInto(e.Copy(), o) }

// isRemoval tells whether an overlay's element takes away what it meets.
func isRemoval(o *etree.Element) bool { return o.SelectAttrValue("nactl:remove", "") == "yes" }

// mergeInto brings what the overlay's element says into base, and tells whether
// that changed anything.
func mergeInto(base, o *etree.Element) (changed bool) {
	scaled := sameQuantity(base, o)
	for _, a := range o.Attr {
		if a.Space == metadataPrefix || a.FullKey() == "xmlns:"+metadataPrefix || a.FullKey() == "xmlns" {
			continue
		}
		have := base.SelectAttr(a.FullKey())
		if have != nil && sameValue(o.Tag, a.Key, have.Value, a.Value) || scaled && isQuantity(a.Key) {
			continue
		}
		base.CreateAttr(a.FullKey(), a.Value)
		changed = true
	}
	if text := strings.TrimSpace(o.Text()); text != "" && !scaled && strings.TrimSpace(base.Text()) != text {
		base.SetText(text)
		changed = true
	}
	if o.Tag == "commandline" {
		return mergeArguments(base, o) || changed
	}
	for _, k := range o.ChildElements() {
		met := meets(base, k)
		switch {
		case isRemoval(k) && met != nil:
			base.RemoveChild(met)
			changed = true
		case isRemoval(k):
		case met != nil:
			changed = mergeInto(met, k) || changed
		default:
			addLike(base, cleanCopy(k))
			changed = true
		}
	}
	return changed
}

// mergeArguments treats the words of a command line as one ordered list, and the
// rest by its keys.
func mergeArguments(base, o *etree.Element) (changed bool) {
	var want []*etree.Element
	for _, k := range o.ChildElements() {
		if k.Tag == "arg" && !isRemoval(k) {
			want = append(want, k)
			continue
		}
		met := meets(base, k)
		switch {
		case isRemoval(k) && met != nil:
			base.RemoveChild(met)
			changed = true
		case !isRemoval(k) && met == nil:
			addLike(base, cleanCopy(k))
			changed = true
		case !isRemoval(k):
			changed = mergeInto(met, k) || changed
		}
	}
	var have []string
	for _, k := range base.ChildElements() {
		if k.Tag == "arg" {
			have = append(have, k.SelectAttrValue("value", ""))
		}
	}
	for i := 0; i+len(want) <= len(have); i++ {
		same := true
		for j, k := range want {
			same = same && have[i+j] == k.SelectAttrValue("value", "")
		}
		if same {
			return changed
		}
	}
	for _, k := range want {
		addLike(base, cleanCopy(k))
	}
	return true
}

// addLike adds an element after the last of its tag, else at the end.
func addLike(base, e *etree.Element) {
	after := -1
	for _, k := range base.ChildElements() {
		if k.Tag == e.Tag {
			after = k.Index()
		}
	}
	if after < 0 {
		base.AddChild(e)
		return
	}
	base.InsertChildAt(after+1, e)
}

// cleanCopy is an overlay's element as it enters a definition: without the words
// that are meant for nactl, and without what it would take away.
func cleanCopy(o *etree.Element) *etree.Element {
	e := o.Copy()
	e.RemoveAttr(metadataPrefix + ":remove")
	e.RemoveAttr("xmlns:" + metadataPrefix)
	for _, k := range e.ChildElements() {
		e.RemoveChild(k)
	}
	for _, k := range o.ChildElements() {
		if !isRemoval(k) {
			e.AddChild(cleanCopy(k))
		}
	}
	return e
}

// sameValue compares two values of an attribute as libvirt means them.
func sameValue(tag, name, have, want string) bool {
	if have == want {
		return true
	}
	switch {
	case strings.HasSuffix(name, "address") || name == "uuid":
		if strings.EqualFold(have, want) {
			return true
		}
	case tag == "type" && name == "machine":
		return want == "q35" && strings.HasPrefix(have, "pc-q35-") || want == "pc" && strings.HasPrefix(have, "pc-i440fx-")
	}
	x, err := strconv.ParseUint(have, 0, 64)
	if err != nil {
		return false
	}
	y, err := strconv.ParseUint(want, 0, 64)
	return err == nil && x == y
}

// isQuantity tells whether an attribute is part of an amount with a unit.
func isQuantity(name string) bool { return name == "unit" || name == "size" || name == "memory" }

// sameQuantity tells whether both elements say the same amount of memory, be it
// in different units. libvirt keeps whole KiB, rounded up.
func sameQuantity(a, b *etree.Element) bool {
	if a == nil || b.SelectAttr("unit") == nil && a.SelectAttr("unit") == nil {
		return false
	}
	x, ok := quantity(a)
	if !ok {
		return false
	}
	y, ok := quantity(b)
	return ok && x == y
}

var memoryUnits = map[string]float64{
	"b": 1, "bytes": 1, "": 1 << 10, "k": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "MiB": 1 << 20, "G": 1 << 30, "GiB": 1 << 30,
	"T": 1 << 40, "TiB": 1 << 40, "P": 1 << 50, "PiB": 1 << 50, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// quantity reads an amount of memory, in KiB.
func quantity(e *etree.Element) (float64, bool) {
	text := strings.TrimSpace(e.Text())
	for _, name := range []string{"size", "memory"} {
		if text == "" {
			text = e.SelectAttrValue(name, "")
		}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	unit, known := memoryUnits[e.SelectAttrValue("unit", "")]
	if err != nil || !known {
		return 0, false
	}
	return math.Ceil(float64(n) * unit / 1024), true
}
