package source

import (
	"fmt"
	"strings"
	"testing"
)

func TestComments(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1":                           "",
		"# one\na: 1 # two\n":            "1:1 alone  one|2:6  two",
		"a: \"x # no\" # yes\n":          "1:13  yes",
		"a: |\n  # no\n  x\n# yes\nb: 1": "4:1 alone  yes",
		"a: x#no\r\n# yes\r\n":           "2:1 alone  yes",
		"ä: [1, # one\n  2] # two":       "1:8  one|2:6  two",
		"a: [":                           "",
	} {
		var got []string
		for _, c := range Comments("f", []byte(text)) {
			alone := ""
			if c.Alone {
				alone = "alone "
			}
			got = append(got, fmt.Sprintf("%d:%d %s%s", c.Pos.Line, c.Pos.Column, alone, strings.TrimRight(c.Text, "\r")))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q: %q, want %q", text, s, want)
		}
	}
}
