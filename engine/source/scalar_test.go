package source

import (
	"regexp"
	"testing"
)

// The patterns of YAML 1.2.2, section 10.3.2.
var (
	intPattern   = regexp.MustCompile(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	floatPattern = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
)

// FuzzNumber holds what is taken for a number against the patterns of the standard.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{
		"", "0", "-1", "+12", "--1", "017", "1_000", "0b11", "0o17", "0o", "0o8", "-0o7", "0x", "0xfF", "0xg", "12:30", "40GiB",
		".", "-.", "+", "1.", ".5", "1.5", "-1.5e3", "1e3", "1e", "1e+", "1E-7", "1.e5", ".e5", "1.5.2", "52:54:00", "2024-01-02", "1\n", "١",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isInt(s), intPattern.MatchString(s); got != want {
			t.Errorf("isInt(%q) = %v", s, got)
		}
		if got, want := isFloat(s), floatPattern.MatchString(s); got != want {
			t.Errorf("isFloat(%q) = %v", s, got)
		}
	})
}
