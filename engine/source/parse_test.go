package source

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// say gives diagnostics as one line each, without the file's name.
func say(t *testing.T, text string) []string {
	t.Helper()
	_, list := Parse("f", []byte(text))
	var out []string
	for _, d := range list {
		out = append(out, strings.TrimPrefix(d.Error(), "f:")+" ~"+fmt.Sprint(d.Range.Width)+" "+d.Rule)
	}
	return out
}

func TestValues(t *testing.T) {
	type m = map[string]any
	type l = []any
	tests := []struct {
		name, text string
		want       any
	}{
		{"core schema words", "[~, null, Null, true, True, FALSE, false]", l{nil, nil, nil, true, true, false, false}},
		{"words of YAML 1.1 are strings", "[yes, no, on, off, y, N, Yes]", l{"yes", "no", "on", "off", "y", "N", "Yes"}},
		{"numbers", "[1, -2, +3, 0644, 0o17, 0xfF, 1.5, .5, 1., 1e3, -1.5E-2]", l{1, -2, 3, 644, 15, 255, 1.5, .5, 1., 1000., -0.015}},
		{"not numbers", "[1_000, 0b11, 12:30, 2026-01-02, 1.2.3, 0x, +, -, 1e, ., +-1, 0xg, --.inf]",
			l{"1_000", "0b11", "12:30", "2026-01-02", "1.2.3", "0x", "+", "-", "1e", ".", "+-1", "0xg", "--.inf"}},
		{"MAC addresses", "a: 52:54:00:6b:3c:58\nb: 52:54:00:11:22:33\nc: 12:30:45", m{"a": "52:54:00:6b:3c:58", "b": "52:54:00:11:22:33", "c": "12:30:45"}},
		{"nothing", "a:\nb: ~\nc: ''", m{"a": nil, "b": nil, "c": ""}},
		{"quoted is a string", `['1', "true", "", 'it''s', "a\tb\u00e9\x41\U0001F600\ud83d\ude00\
  c"]`, l{"1", "true", "", "it's", "a\tbéA😀😀c"}},
		{"keys become text", "1: a\ntrue: b\n~: c\n0x10: d\n\"q\": e", m{"1": "a", "true": "b", "~": "c", "0x10": "d", "q": "e"}},
		{"literal", "a: |\n  one\n   two\n\n  three\nb: |-\n  x\nc: |+\n  y\n\nd: |2\n    z\n", m{"a": "one\n two\n\nthree\n", "b": "x", "c": "y\n\n", "d": "  z\n"}},
		{"folded", "a: >-\n  one\n  two\n\n  three\n    more\n  x", m{"a": "one two\nthree\n  more\nx"}},
		{"plain over lines", "a: one\n  two\n\n  three", m{"a": "one two\nthree"}},
		{"empty lines with blanks in plain text", "a: one \n  \n \n  two", m{"a": "one\n\ntwo"}},
		{"a quote at the start of a line", "a: 'x\n\n  '' y\n\n  ''\n\n  z '", m{"a": "x\n' y\n'\nz "}},
		{"double quotes over lines", "a: \"x\\ \n  y  \n\n  z\\\n   \\ w\\u00e9\\x41\\t\\U0001F600\\ud83d\\ude00\\\"\"", m{"a": "x  y\nz wéA\t😀😀\""}},
		{"blocks without text", "a: |\nb: >\nc: |-\n\nd: >+\n\n\n", m{"a": "", "b": "", "c": "", "d": "\n\n"}},
		{"block without text or line end", "a: >+", m{"a": ""}},
		{"folded with a kept end", "a: >+\n  x\n  y\n\nb: 1", m{"a": "x y\n\n", "b": 1}},
		{"tabs inside a plain scalar stay", "a: x\ty\tz\nb: 1\t2\nc:\t3\t", m{"a": "x\ty\tz", "b": "1\t2", "c": 3}},
		{"a tab is white space in flow form", "{\n\t\"a\": 1,\n\t\"b\": [\n\t\t1,\n\t2]\n\t}", m{"a": 1, "b": l{1, 2}}},
		{"compact JSON", `{"a":1,"b":"c:d","u":"http://x","e":[],"f":{}}`, m{"a": 1, "b": "c:d", "u": "http://x", "e": l{}, "f": m{}}},
		{"URL in flow form", "{url: http://x/y, t: 12:30}", m{"url": "http://x/y", "t": "12:30"}},
		{"byte order mark and CRLF", "\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\nc: d\r\n", m{"a": 1, "b": "x\ny\n", "c": "d"}},
		{"document marks", "--- # one\na: 1\n...\n# end\n", m{"a": 1}},
		{"tags of the core schema", "[!!str 1, !!int 2, !!float 3, !!bool true, !!null ~, !!map {a: 1}, !!seq [1]]", l{"1", 2, 3., true, nil, m{"a": 1}, l{1}}},
		{"alias", "a: &x {b: [1]}\nc: *x", m{"a": m{"b": l{1}}, "c": m{"b": l{1}}}},
		{"anchor given anew", "- &x 1\n- *x\n- &x 2\n- *x", l{1, 1, 2, 2}},
		{"merge before", "b: &b {y: 1, z: 2}\nd: {<<: *b, y: 3}", m{"b": m{"y": 1, "z": 2}, "d": m{"y": 3, "z": 2}}},
		{"merge after: the written key wins", "b: &b {y: 1, z: 2}\nd: {y: 3, <<: *b}", m{"b": m{"y": 1, "z": 2}, "d": m{"y": 3, "z": 2}}},
		{"merge of a list: the earlier wins", "- &a {x: 1}\n- &b {x: 2, y: 2}\n- <<: [*a, *b]\n  z: 3", l{m{"x": 1}, m{"x": 2, "y": 2}, m{"x": 1, "y": 2, "z": 3}}},
		{"merge of a merge", "- &a {x: 1}\n- &b {<<: *a, y: 2}\n- {<<: *b}", l{m{"x": 1}, m{"x": 1, "y": 2}, m{"x": 1, "y": 2}}},
		{"quoted << is a key", "'<<': {a: 1}", m{"<<": m{"a": 1}}},
		{"a scalar document", "hello", "hello"},
		{"hash without a blank", "a: b#c\nd: e # f", m{"a": "b#c", "d": "e"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, list := Parse("f", []byte(tt.text))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, n.Any()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unquoted expression", "name: {{ x }}\nb: {{ y }} z # c", []string{
			`1:7: a value that starts with {{ must be quoted: "{{ x }}" ~7 unquoted-expression`,
			`2:4: a value that starts with {{ must be quoted: "{{ y }} z" ~9 unquoted-expression`}},
		{"unquoted expression with quotes", `- {{ f("x") }}`, []string{`1:3: a value that starts with {{ must be quoted: '{{ f("x") }}' ~12 unquoted-expression`}},
		{"targets: *", "targets: *", []string{`1:10: a value that starts with * must be quoted: "*" ~1 alias`}},
		{"targets: *.example", "targets: *-web*", []string{`1:10: a value that starts with * must be quoted: "*-web*" ~6 alias`}},
		{"targets: *all", "targets: *all", []string{`1:10: there is no anchor &all above (if a text is meant, quote it: "*all") ~4 alias`}},
		{"misspelt alias", "a: &base 1\nb: *bsae", []string{`2:4: there is no anchor &bsae above (if a text is meant, quote it: "*bsae"), did you mean "base"? ~5 alias`}},
		{"targets: !x", "targets: !x", []string{`1:10: a value that starts with ! must be quoted: "!x" ~2 tag`}},
		{"targets: !stage & prod", "targets: !stage & prod # c", []string{`1:10: a value that starts with ! must be quoted: "!stage & prod" ~13 tag`}},
		{"ampersand", "a: & b", []string{`1:4: a value that starts with & must be quoted: "& b" ~3 alias`}},
		{"percent", "a: %x", []string{`1:4: a value that starts with % must be quoted: "%x" ~2 syntax`}},
		{"at sign", "a: @x", []string{"1:4: a value cannot start with this character: put quotes around it ~1 syntax"}},
		{"backquote", "a: `x`", []string{"1:4: a value cannot start with this character: put quotes around it ~1 syntax"}},
		{"tab before a key", "a:\n\tb: 1", []string{"2:1: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"tab after spaces", "a:\n  \tb: 1", []string{"2:3: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"tab before a dash", "a:\n\t- b", []string{"2:1: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"tab after a dash", "-\ta: 1\n  b: 2", []string{"1:2: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"tab before a text that goes on", "a: b\n\tc", []string{"2:1: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"tab in a block scalar", "a: |\n\tb", []string{"2:1: tab in indentation: YAML allows only spaces there ~1 tab"}},
		{"duplicate key", "a: 1\nb: 2\na: 3", []string{`3:1: duplicate key "a": it stands in line 1 already ~1 duplicate-key`}},
		{"duplicate keys, all of them", "a: {x: 1, x: 2}\na: 3", []string{
			`1:11: duplicate key "x": it stands in line 1 already ~1 duplicate-key`, `2:1: duplicate key "a": it stands in line 1 already ~1 duplicate-key`}},
		{"duplicate by text", "1: a\n'1': b", []string{`2:1: duplicate key "1": it stands in line 1 already ~3 duplicate-key`}},
		{"two merges", "- &a {x: 1}\n- <<: *a\n  <<: *a", []string{`3:3: duplicate key "<<": it stands in line 2 already; merge a list: <<: [*a, *b] ~2 duplicate-key`}},
		{"merge of a text", "a: {<<: x}", []string{"1:5: << takes a mapping or a list of mappings, not a string ~2 merge"}},
		{"merge of nothing", "a:\n  <<:\n  b: 1", []string{"2:3: << takes a mapping or a list of mappings, not nothing ~2 merge"}},
		{"alias in its anchor", "a: &x {b: *x}", []string{"1:11: *x stands inside its own anchor: it would never end ~2 alias"}},
		{"colon in text", "a: when: now", []string{`1:4: ": " inside an unquoted value: put the value in quotes ~9 syntax`}},
		{"deeper key", "a: 1\n  b: 2", []string{"2:3: this key is indented under a line that already has a value: correct the indentation, or put the value in quotes ~1 syntax"}},
		{"wrong indentation", "a:\n  - b\n c: 1", []string{"3:2: this does not fit what stands above it: check the indentation ~1 syntax"}},
		{"no colon", "a: 1\nfoo\nb: 2", []string{`2:1: a "key: value" is expected here ~1 syntax`}},
		{"text behind quotes", "a: 'it's'", []string{"1:8: text after the value: put the whole value in quotes, or correct the indentation ~1 syntax"}},
		{"open double quote", "a:\t\"x\nb: 1", []string{"1:4: this quote is never closed ~1 syntax"}},
		{"open bracket", "a: [1, 2", []string{"1:4: this bracket is never closed ~1 syntax"}},
		{"open bracket further up", "a: [1, 2\nb: 1", []string{"2:1: a comma or a closing bracket is missing before this ~1 syntax"}},
		{"open brace", "a: {b: 1", []string{"1:4: this bracket is never closed ~1 syntax"}},
		{"stray bracket", "a: ]", []string{"1:4: there is no opening bracket for this one ~1 syntax"}},
		{"list on the key's line", "key: - a", []string{`1:6: a list starts on a line of its own: put the "-" on the next line, or write [a, b] ~1 syntax`}},
		{"colon without a blank in braces", "{a:1}", []string{`1:3: inside {} and [] a ":" needs a space behind it, or the text quotes around it ~1 colon`}},
		{"MAC in braces and brackets", "{macs: [52:54:00:11]}", []string{`1:11: inside {} and [] a ":" needs a space behind it, or the text quotes around it ~1 colon`}},
		{"question mark", "? a\n: b", []string{`1:1: a key after "?" is not supported: write "key: value" ~1 key`}},
		{"list as key", "[1,2]: 3", []string{"1:6: there is no key before this colon, or one that is not a text ~1 syntax"}},
		{"foreign tag", "a: !!python/x 1", []string{"1:4: the tag !!python/x is not supported ~10 tag"}},
		{"tag that lies", "a: !!int x", []string{"1:4: !!int before a string: remove the tag, or correct the value ~1 syntax"}},
		{"directive", "%YAML 1.1\n---\na: 1", []string{"1:1: YAML directives are not supported: remove this line ~1 directive"}},
		{"empty first document", "---\n---\na: 1", []string{"2:1: a second document starts here: one file holds one ~3 documents"}},
		{"second document", "a: 1\n---\nb: 2", []string{"2:1: a second document starts here: one file holds one ~3 documents"}},
		{"text after the end", "a: 1\n...\nb: 2", []string{`3:1: text after the end of the document ("...") ~1 documents`}},
		{"empty", "", []string{"1:1: there is nothing in this file ~0 empty-document"}},
		{"only comments", "---\n# x\n", []string{"1:1: there is nothing in this file ~0 empty-document"}},
		{"control character", "a: 1\nb: x\x01", []string{"2:5: control character U+0001: remove it, or write it as an escape in double quotes ~1 control-character"}},
		{"lone carriage return", "a: 1\rb: 2", []string{"1:5: a carriage return that ends no line: save the file with line feeds at the ends of lines ~1 control-character"}},
		{"NUL by escape", `a: "x\0y"`, []string{"1:4: this text contains a NUL character: remove it ~1 control-character"}},
		{"NUL by hexadecimal escape", `a: "x\u0000y"`, []string{"1:4: this text contains a NUL character: remove it ~1 control-character"}},
		{"escape without digits", `a: "C:\xyz"`, []string{`1:7: \x in double quotes needs 2 hexadecimal digits; write \\ for a backslash, or use single quotes ~2 syntax`}},
		{"text behind |", "a: | text\n  more", []string{"1:4: " + blockHeader + " ~1 syntax"}},
		{"text behind > at the end of the file", "a: >+!", []string{"1:4: " + blockHeader + " ~1 syntax"}},
		{"block with too little indentation", "a: |4\n  x", []string{"2:3: this block of text is not indented as its first line says ~1 syntax"}},
		{"unknown escape", `a: "C:\Temp"`, []string{`1:7: unknown escape in double quotes: write \\ for a backslash, or use single quotes ~2 syntax`}},
		{"not UTF-8", "a: 1\nb: é\xff", []string{"2:5: the text is not UTF-8: save the file as UTF-8 ~1 encoding"}},
		{"UTF-16", "\xff\xfea\x00", []string{"1:1: the text is UTF-16: save the file as UTF-8 ~1 encoding"}},
		{"integer too large", "a: 99999999999999999999", []string{"1:4: this integer does not fit in 64 bits; if it is text, quote it ~20 number"}},
		{"float too large", "a: 1e999", []string{"1:4: this number is too large; if it is text, quote it ~5 number"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, say(t, tt.text)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRawAndPlaces(t *testing.T) {
	n, list := Parse("dir/f.yml", []byte("mode: 0644\nlist:\n  -\tx\n  - \"y\"\nblock: | # why\n  text\nnone:\n"))
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	if got := n.Get("mode").Raw; got != "0644" {
		t.Errorf("raw text: %q", got)
	}
	for want, got := range map[string]*Node{
		"dir/f.yml:1:7": n.Get("mode"),
		"dir/f.yml:3:3": n.Get("list"),
		"dir/f.yml:3:5": n.Get("list").Items[0],
		"dir/f.yml:4:5": n.Get("list").Items[1],
		"dir/f.yml:5:8": n.Get("block"),
		"dir/f.yml:1:1": n,
	} {
		if got.Range.String() != want {
			t.Errorf("%s: want %s", got.Range, want)
		}
	}
	if k, _ := n.Pair("none"); k.Range.Line != 7 || n.Get("none").Kind != Null {
		t.Errorf("none: %+v", n.Get("none"))
	}
}

func TestAliasesAreCopies(t *testing.T) {
	n, _ := Parse("f", []byte("a: &x {b: 1}\nc: *x"))
	n.Get("c").Get("b").Int = 2
	if n.Get("a").Get("b").Int != 1 {
		t.Error("the alias shares its anchor's nodes")
	}
}

func TestParseFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var s Sources
	good := write("good.yml", "a: 1\r\nb: 2\n")
	if n, list := s.ParseFile(good); list.HasErrors() || n.Get("b").Int != 2 {
		t.Errorf("%v %v", n, list)
	}
	if line, ok := s.Line(good, 1); !ok || line != "a: 1" {
		t.Errorf("line 1: %q %v", line, ok)
	}
	if _, ok := s.Line(good, 9); ok {
		t.Error("there is no line 9")
	}
	if string(s.Text(good)) != "a: 1\r\nb: 2\n" {
		t.Errorf("text: %q", s.Text(good))
	}
	for name, want := range map[string]string{
		"missing.yml": "cannot read the file: no such file or directory",
		".":           "this is not a regular file but a directory; name a file in it",
		write("large.yml", strings.Repeat("#", MaxSize+1))[len(dir)+1:]: "the file is larger than 4 MiB, the most that is read: split it",
	} {
		path := filepath.Join(dir, name)
		if _, list := ParseFile(path); len(list) != 1 || list[0].Summary != want || list[0].Range.File != path {
			t.Errorf("%s: %v", name, list)
		}
	}
}
