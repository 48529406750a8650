package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// part is a piece of a string: plain text, or the text of one expression.
type part struct {
	text   string
	isExpr bool
	offset int // of text, in runes from the start of the string
}

// split cuts a string into plain text and expressions. Quotes and braces inside
// an expression are honoured, so `{{ {"a": {"b": "}}"}} }}` is one expression.
// A string without `{{` gives no parts. The text of an expression is trimmed,
// and its offset moved accordingly.
func split(s string) ([]part, *problem) {
	if strings.IndexByte(s, '{') < 0 {
		return nil, nil // nearly all texts
	}
	if p := statementTag(s); p != nil {
		return nil, p
	}
	if !strings.Contains(s, "{{") {
		return nil, nil
	}
	var parts []part
	pos := 0 // in bytes; offsets are counted as we go
	runes := 0
	for pos < len(s) {
		open := strings.Index(s[pos:], "{{")
		if open < 0 {
			parts = append(parts, part{text: s[pos:], offset: runes})
			break
		}
		if open > 0 {
			parts = append(parts, part{text: s[pos : pos+open], offset: runes})
			runes += utf8.RuneCountInString(s[pos : pos+open])
			pos += open
		}
		body := s[pos+2:]
		end := closing(body)
		if end < 0 {
			return nil, &problem{rule: "expression-open", from: runes, width: 2,
				summary: "this {{ is never closed",
				detail:  `End the expression with }}; for a literal {{ write {{ "{{" }}.`}
		}
		text := strings.TrimSpace(body[:end])
		lead := strings.Index(body, text)
		if text == "" {
			return nil, &problem{rule: "expression-empty", from: runes, width: 2 + end + 2,
				summary: "this expression is empty"}
		}
		parts = append(parts, part{text: text, isExpr: true,
			offset: runes + 2 + utf8.RuneCountInString(body[:lead])})
		runes += 4 + utf8.RuneCountInString(body[:end])
		pos += 2 + end + 2
	}
	return parts, nil
}

// closing gives the byte index of the }} that ends an expression, or -1.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'', '`':
			i = skipString(s, i)
		case '{':
			depth++
		case '}':
			if depth == 0 {
				if strings.HasPrefix(s[i:], "}}") {
					return i
				}
				continue
			}
			depth--
		}
	}
	return -1
}

// skipString gives the index of the quote that closes the string literal which
// opens at i, or the last index of s. A back-quoted literal knows no escapes.
func skipString(s string, i int) int {
	quote := s[i]
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\' && quote != '`':
			j++
		case s[j] == quote:
			return j
		}
	}
	return len(s) - 1
}

// jinjaStatement is how Jinja's statements begin, told apart from what formats
// write: printf '{%s}'.
var jinjaStatement = regexp.MustCompile(`^\{%[-+]?\s*(?:if|elif|else|endif|for|endfor|set|endset|block|endblock|macro|endmacro|include|import|from|extends|raw|endraw|filter|endfilter|do|with|endwith|call|endcall)\b`)

// statementTag refuses Jinja's statements outside of expressions.
func statementTag(s string) *problem {
	statementEnd := strings.LastIndex(s, "%}")
	commentEnd := strings.LastIndex(s, " #}") // a shell's ${#list} has no blanks
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '{' {
			continue
		}
		switch s[i+1] {
		case '{':
			end := closing(s[i+2:])
			if end < 0 {
				return nil // reported as unclosed
			}
			i += 2 + end + 1
		case '%':
			if i > statementEnd || !jinjaStatement.MatchString(s[i:]) {
				continue
			}
			return &problem{rule: "jinja", from: utf8.RuneCountInString(s[:i]), width: 2,
				summary: "{% … %} statements are not part of this language",
				detail:  `Use {{ cond ? a : b }} for a choice, {{ join(map(list, #.name), "\n") }} for lines of a list, and loop or when on the step; for a literal {% write {{ "{%" }}.`}
		case '#':
			if i > commentEnd || !strings.HasPrefix(s[i:], "{# ") {
				continue
			}
			return &problem{rule: "jinja", from: utf8.RuneCountInString(s[:i]), width: 2,
				summary: "{# … #} comments are not part of this language",
				detail:  `Write comments as the file itself has them, which in YAML is #; for a literal {# write {{ "{#" }}.`}
		}
	}
	return nil
}
