package source

import (
	"math"
	"strconv"
	"strings"
)

// The core schema of YAML 1.2.2, section 10.3.2. Everything else is a string:
// yes, no, on, off, 1_000, 0b11, 12:30, dates and MAC addresses among them.

// isInt tells whether a text is an integer: [-+]?[0-9]+, 0o[0-7]+ or 0x[0-9a-fA-F]+.
func isInt(s string) bool {
	if rest, ok := strings.CutPrefix(s, "0o"); ok {
		return rest != "" && strings.Trim(rest, "01234567") == ""
	}
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		return rest != "" && strings.Trim(rest, "0123456789abcdefABCDEF") == ""
	}
	s = unsigned(s)
	return s != "" && digits(s) == len(s)
}

// isFloat tells whether a text is a number:
// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
func isFloat(s string) bool {
	s = unsigned(s)
	whole := digits(s)
	s = s[whole:]
	if rest, ok := strings.CutPrefix(s, "."); ok {
		part := digits(rest)
		if whole+part == 0 {
			return false
		}
		s = rest[part:]
	} else if whole == 0 {
		return false
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = unsigned(s[1:])
	return s != "" && digits(s) == len(s)
}

// unsigned gives a text without the sign that it begins with.
func unsigned(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:]
	}
	return s
}

// digits gives how many decimal digits a text begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

// resolve sets kind and value of a plain scalar from its text. It gives a
// complaint when the text is a number that cannot be held.
func resolve(n *Node, raw string) (problem string) {
	n.Raw = raw
	switch raw {
	case "", "~", "null", "Null", "NULL":
		n.Kind = Null
		return ""
	case "true", "True", "TRUE":
		n.Kind, n.Bool = Bool, true
		return ""
	case "false", "False", "FALSE":
		n.Kind = Bool
		return ""
	case ".nan", ".NaN", ".NAN":
		n.Kind, n.Float = Float, math.NaN()
		return ""
	}
	switch strings.TrimLeft(raw, "+-") {
	case ".inf", ".Inf", ".INF":
		if len(raw) <= 5 { // one sign at most
			n.Kind, n.Float = Float, math.Inf(1)
			if raw[0] == '-' {
				n.Float = math.Inf(-1)
			}
			return ""
		}
	}
	if first := raw[0]; first != '+' && first != '-' && first != '.' && (first < '0' || first > '9') {
		n.Kind, n.Str = String, raw
		return ""
	}
	switch {
	case isInt(raw):
		n.Kind = Int
		return parseInt(n, raw)
	case isFloat(raw):
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			return "this number is too large; if it is text, quote it"
		}
		n.Kind, n.Float = Float, f
	default:
		n.Kind, n.Str = String, raw
	}
	return ""
}

func parseInt(n *Node, raw string) (problem string) {
	base, digits := 10, raw
	if rest, ok := strings.CutPrefix(raw, "0x"); ok {
		base, digits = 16, rest
	} else if rest, ok := strings.CutPrefix(raw, "0o"); ok {
		base, digits = 8, rest
	}
	i, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return "this integer does not fit in 64 bits; if it is text, quote it"
	}
	n.Int = i
	return ""
}

// BoolWord tells which boolean a word of YAML 1.1 stood for (yes, no, on, off,
// y, n, in any case), so that a message can say what to write instead.
func BoolWord(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "on", "y":
		return true, true
	case "no", "off", "n":
		return false, true
	}
	return false, false
}
