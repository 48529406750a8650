package source

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// builder makes nodes of the library's tree, in the order of the file. It never
// calls String on that tree's nodes, which panics on block scalars.
type builder struct {
	doc      *document
	list     diag.List
	anchors  map[string]*Node
	open     map[string]bool // anchors whose value is being built
	expanded int             // nodes that aliases added
	tooMany  bool

	nodes   []Node  // made and not yet given out
	entries []Entry // so, too
}

// How many nodes and pairs are made at a time: a document keeps or loses all of
// them together, so that one by one would only be slower.
const (
	nodesAtATime   = 64
	entriesAtATime = 128
)

// node gives a new node at a place.
func (b *builder) node(at diag.Range) *Node {
	if len(b.nodes) == 0 {
		b.nodes = make([]Node, nodesAtATime)
	}
	n := &b.nodes[0]
	b.nodes = b.nodes[1:]
	n.Range, n.size = at, 1
	return n
}

// room gives an empty list for n pairs.
func (b *builder) room(n int) []Entry {
	if n == 0 || n > entriesAtATime/4 {
		return make([]Entry, 0, n)
	}
	if len(b.entries) < n {
		b.entries = make([]Entry, entriesAtATime)
	}
	out := b.entries[:0:n]
	b.entries = b.entries[n:]
	return out
}

func (b *builder) build(n ast.Node) *Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(b.doc.rangeOf(mappingStart(n)), n.Values)
	case *ast.MappingValueNode:
		return b.mapping(b.doc.rangeOf(n.Key.GetToken()), []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out := b.node(b.doc.rangeOf(n.Start))
		out.Kind, out.Items = List, make([]*Node, 0, len(n.Values))
		for _, v := range n.Values {
			item := b.build(v)
			out.Items = append(out.Items, item)
			out.size += item.size
		}
		return out
	case *ast.AnchorNode:
		return b.anchor(n)
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		return b.tagged(n)
	case *ast.LiteralNode:
		return b.block(n)
	case ast.ScalarNode:
		return b.scalar(n.GetToken())
	default:
		return b.wrong(n, "a value is expected here")
	}
}

// mappingStart gives the token at which a mapping begins: the brace, or the
// first key, for the library's own notion in block form is a colon.
func mappingStart(n *ast.MappingNode) *token.Token {
	if n.IsFlowStyle || len(n.Values) == 0 {
		return n.Start
	}
	return n.Values[0].Key.GetToken()
}

// wrong reports a value that has no place here, and stands in for it.
func (b *builder) wrong(n ast.Node, format string, args ...any) *Node {
	at := b.doc.rangeOf(n.GetToken())
	b.list.Errorf(at, "syntax", format, args...)
	return &Node{Range: at, size: 1}
}

// scalar makes a node of a plain or quoted scalar.
func (b *builder) scalar(tk *token.Token) *Node {
	n := b.node(b.doc.rangeOf(tk))
	switch tk.Type {
	case token.ImplicitNullType:
		return n
	case token.SingleQuoteType:
		n.Kind, n.Str = String, singleText(tk)
		n.Range.Width = b.doc.width(n.Range, tk.Origin)
		n.doc, n.style = b.doc, singleQuoted
	case token.DoubleQuoteType:
		n.Kind, n.Str = String, b.doc.doubleText(tk, n.Range)
		n.Range.Width = b.doc.width(n.Range, tk.Origin)
		n.doc, n.style = b.doc, doubleQuoted
	default:
		n.Range.Width = b.doc.width(n.Range, tk.Value)
		if problem := resolve(n, plainText(tk)); problem != "" {
			b.list.Errorf(n.Range, "number", "%s", problem)
		}
		n.doc, n.style = b.doc, plain
	}
	return n
}

// block makes a node of a literal or folded block scalar. It stands at its
// header: the library's own place for the text is of no use.
func (b *builder) block(l *ast.LiteralNode) *Node {
	n := b.node(b.doc.rangeOf(l.Start))
	n.Kind, n.doc, n.style = String, b.doc, literal
	if l.Value != nil {
		n.Str = l.Value.Value
	}
	if strings.Trim(n.Str, "\n") == "" {
		n.Str = b.doc.emptyLines(n.Range.Line, l.Start.Value)
	}
	if l.Start.Type == token.FoldedType {
		n.style = folded
	}
	return n
}

// emptyLines gives the value of a block scalar without text: the empty lines
// below its header where that keeps them. The lexer makes one up.
func (d *document) emptyLines(line int, header string) string {
	n := 0
	for strings.Contains(header, "+") && line+n+1 < len(d.lines) && strings.TrimSpace(d.lines[line+n]) == "" {
		n++
	}
	return strings.Repeat("\n", n)
}

// anchor builds a value and keeps it for the aliases that follow.
func (b *builder) anchor(a *ast.AnchorNode) *Node {
	name := a.Name.GetToken().Value
	if b.open[name] {
		return b.wrong(a, "the anchor &%s stands inside itself", name)
	}
	b.open[name] = true
	n := b.build(a.Value)
	delete(b.open, name)
	b.anchors[name] = n
	return n
}

// alias copies what its anchor holds.
func (b *builder) alias(a *ast.AliasNode) *Node {
	name := a.Value.GetToken().Value
	at := b.doc.rangeOf(a.GetToken())
	at.Width = 1 + utf8.RuneCountInString(name)
	target := b.anchors[name]
	switch {
	case b.open[name]:
		b.list.Errorf(at, "alias", "*%s stands inside its own anchor: it would never end", name)
	case target == nil:
		known := make([]string, 0, len(b.anchors))
		for k := range b.anchors {
			known = append(known, k)
		}
		b.list.Errorf(at, "alias", `there is no anchor &%s above (if a text is meant, quote it: "*%s")%s`, name, name, diag.DidYouMean(name, known))
	case b.expanded+target.size > MaxExpansion:
		if !b.tooMany {
			b.tooMany = true
			b.list.Errorf(at, "alias", "the aliases of this file add more than %d values", MaxExpansion)
		}
	default:
		b.expanded += target.size
		return target.clone()
	}
	return &Node{Range: at, size: 1}
}

// clone copies a value and all that is in it. The copies keep their places:
// what is wrong with an aliased value is mended where it is written.
func (n *Node) clone() *Node {
	out := *n
	if n.Entries != nil {
		out.Entries = make([]Entry, len(n.Entries))
		for i, e := range n.Entries {
			out.Entries[i] = Entry{Key: e.Key.clone(), Value: e.Value.clone()}
		}
	}
	if n.Items != nil {
		out.Items = make([]*Node, len(n.Items))
		for i, item := range n.Items {
			out.Items[i] = item.clone()
		}
	}
	return &out
}

// tagged applies one of the core schema's tags; checkTokens refused others.
func (b *builder) tagged(t *ast.TagNode) *Node {
	tag := t.GetToken().Value
	if t.Value == nil {
		return b.wrong(t, "the tag %s has no value", tag)
	}
	n := b.build(t.Value)
	want := map[string]Kind{"!!null": Null, "!!bool": Bool, "!!int": Int, "!!float": Float, "!!map": Map, "!!seq": List}
	if tag == "!!str" {
		switch n.Kind {
		case Map, List:
			return b.wrong(t, "!!str before %s: remove the tag", n.Kind)
		case String:
		default:
			n.Kind, n.Str, n.Bool, n.Int, n.Float = String, n.Raw, false, 0, 0
		}
		return n
	}
	kind, known := want[tag]
	switch {
	case known && n.Kind == kind:
	case kind == Float && n.Kind == Int:
		n.Kind, n.Float, n.Int = Float, float64(n.Int), 0
	default:
		return b.wrong(t, "%s before %s: remove the tag, or correct the value", tag, n.Kind)
	}
	return n
}

// mapping builds a mapping: keys are unique, and what << merges in gives way to
// every key written out, wherever it stands.
func (b *builder) mapping(at diag.Range, values []*ast.MappingValueNode) *Node {
	out := b.node(at)
	out.Kind, out.Entries = Map, b.room(len(values))
	var seen map[string]*Node
	if len(values) > fewKeys {
		seen = make(map[string]*Node, len(values))
	}
	var merge *ast.MappingValueNode
	var merged *Node
	mergeAt := 0
	for _, mv := range values {
		if mk, ok := mv.Key.(*ast.MergeKeyNode); ok {
			if merge != nil {
				again := b.doc.rangeOf(mk.Token)
				again.Width = 2
				b.list.Errorf(again, "duplicate-key", `duplicate key "<<": it stands in line %d already; merge a list: <<: [*a, *b]`,
					b.doc.rangeOf(merge.Key.GetToken()).Line)
				continue
			}
			merge, merged, mergeAt = mv, b.build(mv.Value), len(out.Entries)
			continue
		}
		key := b.key(mv.Key)
		value := b.build(mv.Value)
		if key == nil {
			continue
		}
		if first := firstKey(out, seen, key.Str); first != nil {
			b.list.Errorf(key.Range, "duplicate-key", "duplicate key %q: it stands in line %d already", key.Str, first.Range.Line)
			continue
		}
		if seen != nil {
			seen[key.Str] = key
		}
		out.Entries = append(out.Entries, Entry{Key: key, Value: value})
		out.size += key.size + value.size
	}
	if merge != nil {
		b.merge(out, b.doc.rangeOf(merge.Key.GetToken()), merged, mergeAt)
	}
	return out
}

// fewKeys is up to how many keys a mapping is searched quicker than indexed.
const fewKeys = 12

// firstKey gives the key of that name, by the index where there is one, or nil.
func firstKey(m *Node, index map[string]*Node, name string) *Node {
	if index != nil {
		return index[name]
	}
	key, _ := m.Pair(name)
	return key
}

// merge inserts the pairs of source, one mapping or a list of them, at place i
// of out's pairs, except for keys that are there. Of a list the earlier wins.
func (b *builder) merge(out *Node, at diag.Range, source *Node, i int) {
	at.Width = 2
	maps := []*Node{source}
	if source.Kind == List {
		maps = source.Items
	}
	seen := make(map[string]bool, len(out.Entries))
	for _, e := range out.Entries {
		seen[e.Key.Str] = true
	}
	var pairs []Entry
	for _, m := range maps {
		if m.Kind != Map {
			if m.Kind != Null || !b.list.HasErrors() { // a broken alias was reported, and is null
				b.list.Errorf(at, "merge", "<< takes a mapping or a list of mappings, not %s", m.Kind)
			}
			return
		}
		for _, e := range m.Entries {
			if seen[e.Key.Str] {
				continue
			}
			seen[e.Key.Str] = true
			pairs = append(pairs, e)
			out.size += e.Key.size + e.Value.size
		}
	}
	rest := append(pairs, out.Entries[i:]...)
	out.Entries = append(out.Entries[:i:i], rest...)
}

// key makes a string of a key; a key that is a number or a boolean counts as
// the text that it is written with. It gives nil for what cannot be a key.
func (b *builder) key(n ast.MapKeyNode) *Node {
	var node *Node
	switch n.(type) {
	case *ast.MappingKeyNode, *ast.AliasNode:
	default:
		node = b.build(n)
	}
	if node == nil || node.Kind == Map || node.Kind == List {
		b.wrong(n, "a key must be a text")
		return nil
	}
	if node.Kind != String {
		node.Kind, node.Str = String, node.Raw
		node.Bool, node.Int, node.Float = false, 0, 0
	}
	return node
}

// width counts the runes of a scalar that stand on its first line.
func (d *document) width(at diag.Range, raw string) int {
	for len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t' || raw[0] == '\n') {
		raw = raw[1:]
	}
	end := len(raw)
	if i := strings.IndexByte(raw, '\n'); i >= 0 {
		end = i
	}
	room := len(d.line(at.Line)) - at.Column + 1 // bytes, so never too small
	return max(1, min(utf8.RuneCountInString(raw[:end]), room))
}
