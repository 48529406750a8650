package source

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// checkTokens refuses, before the parser sees them, the documents for which it
// needs unbounded memory, those that it reads in a way that YAML 1.2 does not
// mean, and the slips for which a better word can be said here.
func (d *document) checkTokens(tokens token.Tokens) diag.List {
	c := tokenCheck{doc: d, nest: nesting{}}
	for i, tk := range tokens {
		if tk.Type == token.CommentType {
			continue
		}
		if !c.check(tokens, i) {
			break
		}
	}
	return c.list
}

type tokenCheck struct {
	doc     *document
	list    diag.List
	nest    nesting
	content bool // a token of a document's content was seen
	ended   bool // "..." was seen
	headers int

	tabLine, tabCol int // the first tab of the line looked at last
	templateEnd     int // line of the last unquoted {{
}

// check looks at token i and tells whether to go on: what follows an
// unreadable place would only produce more complaints about it.
func (c *tokenCheck) check(tokens token.Tokens, i int) bool {
	tk := tokens[i]
	at := c.doc.rangeOf(tk)
	if !c.checkDocuments(tk, at) {
		return false
	}
	switch tk.Type {
	case token.InvalidType:
		if c.templateEnd != at.Line {
			c.list.Add(c.doc.hint(tk.Error, tk))
		}
		return false
	case token.MappingKeyType:
		c.list.Errorf(at, "key", `a key after "?" is not supported: write "key: value"`)
		return false
	case token.TagType:
		return c.checkTag(tk, at)
	case token.AliasType, token.AnchorType:
		return c.checkName(tokens, i, at)
	case token.DirectiveType:
		if at.Column == 1 {
			c.list.Errorf(at, "directive", "YAML directives are not supported: remove this line")
		} else {
			c.list.Errorf(c.restOfLine(at), "syntax", "a value that starts with %% must be quoted: %s", c.quoteRest(at))
		}
		return false
	case token.MappingStartType:
		if c.doc.follow[i] == '{' {
			if c.templateEnd != at.Line {
				c.list.Errorf(c.restOfLine(at), "unquoted-expression", "a value that starts with {{ must be quoted: %s", c.quoteRest(at))
			}
			c.templateEnd = at.Line
		}
	case token.LiteralType, token.FoldedType:
		if !strings.ContainsRune(" \t\n", c.doc.follow[i]) { // the lexer drops it at the end of a file
			c.list.Errorf(at, "syntax", "%s", blockHeader)
			return false
		}
	case token.DoubleQuoteType:
		c.checkEscapes(tk, at)
	case token.MappingValueType:
		if !c.checkColon(tokens, i, at) {
			return false
		}
	case token.SequenceEntryType:
		if !c.checkTab(at) {
			return false
		}
	}
	if problem := c.nest.add(c.doc, tokens, i); problem != "" {
		c.list.Errorf(at, "depth", "%s", problem)
		return false
	}
	return true
}

// checkDocuments keeps a file to one document: the parser drops the second of
// two when the first is empty.
func (c *tokenCheck) checkDocuments(tk *token.Token, at diag.Range) bool {
	switch tk.Type {
	case token.DocumentHeaderType:
		c.headers++
		if c.headers > 1 || c.content || c.ended {
			at.Width = 3
			c.list.Errorf(at, "documents", "a second document starts here: one file holds one")
			return false
		}
	case token.DocumentEndType:
		c.ended = true
	case token.DirectiveType, token.InvalidType:
	default:
		if c.ended {
			c.list.Errorf(at, "documents", `text after the end of the document ("...")`)
			return false
		}
		c.content = true
	}
	return true
}

// knownTags are those of YAML's core schema.
var knownTags = map[string]bool{
	"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true, "!!map": true, "!!seq": true,
}

func (c *tokenCheck) checkTag(tk *token.Token, at diag.Range) bool {
	if knownTags[tk.Value] {
		if tk.Prev != nil && tk.Prev.Type == token.TagType {
			c.list.Errorf(at, "tag", "two tags on one value")
			return false
		}
		return true
	}
	switch tk.Value {
	case "!vault":
		at.Width = len(tk.Value)
		c.list.Errorf(at, "tag", "Ansible's encrypted values are not read: put the value into a file of variables, and encrypt that with nactl vault encrypt")
		return false
	case "!unsafe":
		at.Width = len(tk.Value)
		c.list.Errorf(at, "tag", `there is no !unsafe: leave it out, and write {{ "{{" }} for braces that begin no expression`)
		return false
	}
	if strings.HasPrefix(tk.Value, "!!") {
		at.Width = len([]rune(tk.Value))
		c.list.Errorf(at, "tag", "the tag %s is not supported", tk.Value)
		return false
	}
	c.list.Errorf(c.restOfLine(at), "tag", "a value that starts with ! must be quoted: %s", c.quoteRest(at))
	return false
}

// checkName makes sure that * and & begin a name: in patterns of targets they
// are meant otherwise.
func (c *tokenCheck) checkName(tokens token.Tokens, i int, at diag.Range) bool {
	sign := "*"
	if tokens[i].Type == token.AnchorType {
		sign = "&"
	}
	named := i+1 < len(tokens) && tokens[i+1].Position.Line == at.Line && !strings.ContainsRune(" \t\n,]}*&:", c.doc.follow[i])
	if named {
		rest := []rune(c.doc.line(at.Line))[at.Column:]
		for _, r := range rest {
			if r == ' ' || r == '\t' || r == ',' || r == ']' || r == '}' {
				break
			}
			if strings.ContainsRune("*?&[{", r) { // web*, not a name that anybody gives to an anchor
				named = false
			}
		}
	}
	if !named {
		c.list.Errorf(c.restOfLine(at), "alias", "a value that starts with %s must be quoted: %s", sign, c.quoteRest(at))
	}
	return named
}

// checkColon looks at the ":" after a key.
func (c *tokenCheck) checkColon(tokens token.Tokens, i int, at diag.Range) bool {
	if i == 0 || tokens[i-1].Type == token.CommentType {
		return true
	}
	key := tokens[i-1]
	keyAt := c.doc.rangeOf(key)
	if n := utf8.RuneCountInString(key.Value); n > MaxKey {
		c.list.Errorf(keyAt, "key", "a key of %d characters: YAML allows %d", n, MaxKey)
		return false
	}
	if c.nest.flow == 0 {
		return c.checkTab(keyAt)
	}
	// In {a:1} YAML reads the text "a:1", the lexer a key. Neither is likely
	// to be what {macs: [52:54:00]} means.
	plain := key.Type != token.SingleQuoteType && key.Type != token.DoubleQuoteType &&
		key.Type != token.MappingEndType && key.Type != token.SequenceEndType
	if plain && !strings.ContainsRune(" \t\n,]}", c.doc.follow[i]) {
		c.list.Errorf(at, "colon", `inside {} and [] a ":" needs a space behind it, or the text quotes around it`)
		return false
	}
	return true
}

// checkTab refuses a tab before a key or a dash, in which position YAML forbids
// it: how deep such a line stands is a matter of the editor.
func (c *tokenCheck) checkTab(at diag.Range) bool {
	if c.nest.flow > 0 {
		return true
	}
	if c.tabLine != at.Line {
		c.tabLine, c.tabCol = at.Line, 0
		if before, _, found := strings.Cut(c.doc.line(at.Line), "\t"); found {
			c.tabCol = utf8.RuneCountInString(before) + 1
		}
	}
	if c.tabCol == 0 || c.tabCol >= at.Column {
		return true
	}
	c.list.Add(c.doc.tab(at.Line, c.tabCol))
	return false
}

// checkEscapes refuses \x, \u and \U without their digits, which the lexer
// takes for some character, and NUL, at which C libraries cut a text. It reads
// the file, for the lexer drops digits from what it says was written.
func (c *tokenCheck) checkEscapes(tk *token.Token, at diag.Range) {
	if strings.ContainsRune(tk.Value, 0) {
		c.list.Errorf(at, "control-character", "this text contains a NUL character: remove it")
		return
	}
	if !strings.ContainsRune(tk.Origin, '\\') {
		return
	}
	w := walker{doc: c.doc, pos: at.Pos}
	w.load()
	for w.next(); w.rune() != '"'; w.next() {
		if w.pos.Column > len(w.line) {
			if !w.nextLine() {
				return
			}
			w.pos.Column = 0
			continue
		}
		if w.rune() != '\\' {
			continue
		}
		behind := w.line[min(w.pos.Column, len(w.line)):]
		if problem := digitsMissing(behind); problem != "" {
			c.list.Errorf(diag.Range{Pos: w.pos, Width: 2}, "syntax", "%s", problem)
			return
		}
		w.pos.Column += 1 + escapeDigits[w.peek(1)]
	}
}

// escapeDigits are the hexadecimal digits that escapes need.
var escapeDigits = map[rune]int{'x': 2, 'u': 4, 'U': 8}

// digitsMissing looks at what stands behind a backslash in double quotes.
func digitsMissing(behind []rune) string {
	if len(behind) == 0 {
		return ""
	}
	digits := escapeDigits[behind[0]]
	for i := range digits {
		if i+1 >= len(behind) || !isHex(behind[i+1]) {
			return fmt.Sprintf(`\%c in double quotes needs %d hexadecimal digits; write \\ for a backslash, or use single quotes`, behind[0], digits)
		}
	}
	return ""
}

func isHex(r rune) bool { return strings.ContainsRune("0123456789abcdefABCDEF", r) }

// restOfLine widens a range to the end of the text on its line.
func (c *tokenCheck) restOfLine(at diag.Range) diag.Range {
	at.Width = max(1, len([]rune(c.rest(at))))
	return at
}

// rest gives the text from a place to the end of its line, without a comment.
func (c *tokenCheck) rest(at diag.Range) string {
	line := c.doc.line(at.Line)
	rest := line[runeOffset(line, at.Column-1):]
	rest, _, _ = strings.Cut(rest, " #")
	return strings.TrimRight(rest, " \t")
}

// quoteRest gives the rest of the line as it should be written.
func (c *tokenCheck) quoteRest(at diag.Range) string {
	rest := c.rest(at)
	if len(rest) > 60 {
		return `"…"`
	}
	if strings.ContainsAny(rest, `"\`) {
		return "'" + strings.ReplaceAll(rest, "'", "''") + "'"
	}
	return `"` + rest + `"`
}

// nesting follows how deep the tokens stand. It may count less than the true
// depth by a factor of two at most: it bounds cost, and is no judge of style.
type nesting struct {
	flow   int     // open [ and {
	blocks []block // open block mappings and lists, outermost first
}

type block struct{ column, keys int }

// add takes token i and gives a complaint, or "".
func (n *nesting) add(d *document, tokens token.Tokens, i int) string {
	tk := tokens[i]
	switch tk.Type {
	case token.MappingStartType, token.SequenceStartType:
		n.flow++
	case token.MappingEndType, token.SequenceEndType:
		n.flow = max(0, n.flow-1)
	case token.SequenceEntryType:
		if n.flow == 0 {
			n.enter(tk.Position.Column, 0)
		}
	case token.MappingValueType:
		if n.flow == 0 && i > 0 {
			if keys := n.enter(tokens[i-1].Position.Column, 1); keys > MaxBlockKeys {
				return fmt.Sprintf("more than %d keys in one mapping: write it in flow form ({…}) or split it", MaxBlockKeys)
			}
		}
	}
	if n.flow+len(n.blocks) > MaxDepth {
		return fmt.Sprintf("nested deeper than %d levels", MaxDepth)
	}
	return ""
}

// enter closes the blocks that stand further right than column and opens one
// there unless it is open. It gives the number of keys of that block.
func (n *nesting) enter(column, keys int) int {
	for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1].column > column {
		n.blocks = n.blocks[:len(n.blocks)-1]
	}
	if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].column < column {
		n.blocks = append(n.blocks, block{column: column})
	}
	last := &n.blocks[len(n.blocks)-1]
	last.keys += keys
	return last.keys
}
