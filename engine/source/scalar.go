package source

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The core schema of YAML 1.2.2, section 10.3.2. Everything else is a string:
// yes, no, on, off, 1_000, 0b11, 12:30, dates and MAC addresses among them.
var (
	intPattern   = regexp.MustCompile(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	floatPattern = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
)

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
	case intPattern.MatchString(raw):
		n.Kind = Int
		return parseInt(n, raw)
	case floatPattern.MatchString(raw):
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
