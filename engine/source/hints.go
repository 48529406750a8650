package source

import (
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// tab is the complaint about a tab in indentation.
func (d *document) tab(line, column int) diag.Diagnostic {
	return diag.Diagnostic{
		Rule:    "tab",
		Summary: "tab in indentation: YAML allows only spaces there",
		Range:   d.at(line, column, 1),
	}
}

const blockHeader = "the text of | and > starts on the next line; behind the sign stand only +, - or a digit"

// What is said at several places.
const (
	noOpening = "there is no opening bracket for this one"
	noKey     = "there is no key before this colon, or one that is not a text"
)

// hint says a message of the library in words that name the way out.
func (d *document) hint(message string, tk *token.Token) diag.Diagnostic {
	at := d.rangeOf(tk)
	out := diag.Diagnostic{Rule: "syntax", Range: at}
	has := func(s string) bool { return strings.Contains(message, s) }
	switch {
	case has("tab character") || has(`character '\t'`) || has("character '\t'"):
		if before, _, found := strings.Cut(d.line(at.Line), "\t"); found {
			return d.tab(at.Line, len([]rune(before))+1)
		}
		return d.tab(at.Line, at.Column)
	case has("is a reserved character"):
		out.Summary = "a value cannot start with this character: put quotes around it"
		out.Range = d.seek(at, "@`")
	case has("find end character of"):
		out.Summary = "this quote is never closed"
		out.Range = d.seek(at, `"'`)
		if bad := d.swallowed(out.Range); bad != nil {
			return *bad
		}
	case has("flow mapping end token"), has("sequence end token"):
		out.Summary = "this bracket is never closed"
	case has("corresponding to"):
		out.Summary = noOpening
	case has("',' or"):
		out.Summary = `a comma or a closing bracket is missing before this`
	case has("mapping value is not allowed in this context"):
		return d.secondColon(tk, at)
	case has("map key-value is pre-defined"):
		out.Summary = "text after the value: put the whole value in quotes, or correct the indentation"
	case has("unexpected key name"):
		out.Summary = `this line is no "key: value"`
		out.Range.Width = len([]rune(strings.TrimRight(d.line(at.Line), " "))) - at.Column + 1
	case has("non-map value"):
		out.Summary = `a "key: value" is expected here`
	case has("invalid key for this map"):
		out.Summary = noKey
	case has("unexpected scalar value type"):
		out.Summary = "the tag in front does not fit this: remove the tag"
	case has("value is not allowed in this context") && (tk.Type == token.SequenceEndType || tk.Type == token.MappingEndType):
		out.Summary = noOpening
	case has("value is not allowed in this context"):
		out.Summary = "this does not fit what stands above it: check the indentation"
	case has("block sequence entries are not allowed"):
		out.Summary = `a list starts on a line of its own: put the "-" on the next line, or write [a, b]`
	case has("flow map content"):
		out.Summary = `inside {} "key: value" is expected: if an expression is meant, quote it: "{{ … }}"`
	case has("header option"):
		out.Summary, out.Range = blockHeader, d.seek(at, "|>")
	case has("multi-line content"), has("multi-line header"):
		out.Summary = "this block of text is not indented as its first line says"
	case has("unknown escape character"):
		out.Range.Column, out.Range.Width = max(1, at.Column-1), 2 // the lexer points behind the backslash
		out.Summary = `unknown escape in double quotes: write \\ for a backslash, or use single quotes`
	default:
		out.Summary = "this YAML cannot be read: " + message
	}
	return out
}

// secondColon explains a ": " where none can be: in an unquoted text, or
// because the next line is indented as if the value went on.
func (d *document) secondColon(tk *token.Token, at diag.Range) diag.Diagnostic {
	out := diag.Diagnostic{Rule: "syntax", Range: at}
	colon := tk.Next
	for colon != nil && colon.Type != token.MappingValueType {
		colon = colon.Next
	}
	if colon == nil || colon.Position.Line == at.Line {
		out.Summary = `": " inside an unquoted value: put the value in quotes`
		line := d.line(at.Line)
		out.Range.Width = len([]rune(strings.TrimRight(line, " "))) - at.Column + 1
		return out
	}
	line := d.line(colon.Position.Line)
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if strings.HasPrefix(line[indent:], ":") {
		out.Range, out.Summary = d.at(colon.Position.Line, indent+1, 1), noKey
		return out
	}
	out.Range = d.at(colon.Position.Line, indent+1, max(1, d.rangeOf(colon).Column-indent-1))
	out.Summary = "this key is indented under a line that already has a value: correct the indentation, or put the value in quotes"
	return out
}

// seek gives the place of the first of some characters at or behind a place on
// its line: the lexer counts the columns of invalid tokens as it does others.
func (d *document) seek(at diag.Range, chars string) diag.Range {
	line := d.line(at.Line)
	rest := line[runeOffset(line, at.Column-1):]
	if i := strings.IndexAny(rest, chars); i >= 0 {
		at.Column += len([]rune(rest[:i]))
	}
	return at
}

// swallowed looks for the escape whose missing digits made the lexer take the end
// of a text in double quotes for one of them.
func (d *document) swallowed(quote diag.Range) *diag.Diagnostic {
	line := []rune(d.line(quote.Line))
	if quote.Column > len(line) || line[quote.Column-1] != '"' {
		return nil
	}
	for i := quote.Column; i+1 < len(line) && line[i] != '"'; i++ {
		if line[i] != '\\' {
			continue
		}
		if problem := digitsMissing(line[i+1:]); problem != "" {
			return &diag.Diagnostic{Rule: "syntax", Summary: problem, Range: d.at(quote.Line, i+1, 2)}
		}
		i++
	}
	return nil
}
