package event

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encodings gives the forms in which a secret may stand in what nactl emits:
// playbook values in JSON and XML, requests in URLs and in base64, commands in
// shell quotes, error texts in Go's quotes. Quotes around a form are left out.
func encodings(s string) []string {
	forms := []string{s}
	add := func(f string) {
		if len(f) >= prefixLen {
			forms = append(forms, f)
		}
	}
	for _, f := range quoted(s) {
		add(f)
	}
	for _, f := range escapedURL(s) {
		add(f)
	}
	for _, f := range shellQuoted(s) {
		add(f)
	}
	for _, f := range base64Forms(s) {
		add(f)
	}
	return forms
}

// quoted gives the inside of the forms of JSON, of JSON within JSON, of Go and
// of XML.
func quoted(s string) []string {
	once := jsonString(s, false)
	forms := []string{
		once, jsonString(s, true), jsonString(once, false),
		unquote(strconv.Quote(s)), unquote(strconv.QuoteToASCII(s)),
		html.EscapeString(s),
		strings.ReplaceAll(once, "/", `\/`),
		validUTF8(s),
	}
	var x strings.Builder
	if xml.EscapeText(&x, []byte(s)) == nil {
		forms = append(forms, x.String())
	}
	// By hand, XML is mostly written with the fewest escapes.
	forms = append(forms, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s),
		strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;").Replace(s))
	return forms
}

// validUTF8 replaces each invalid byte, as encoding/json does on the way there
// and back.
func validUTF8(s string) string { return string([]rune(s)) }

func jsonString(s string, escapeHTML bool) string {
	var b []byte
	var err error
	if escapeHTML {
		b, err = json.Marshal(s)
	} else {
		b, err = encode(s)
	}
	if err != nil { // a string always has a JSON form
		return ""
	}
	return unquote(string(b))
}

func unquote(s string) string { return s[1 : len(s)-1] }

// escapedURL gives the forms of queries, paths and user information, with hex
// digits in both cases.
func escapedURL(s string) []string {
	strict := strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	user := strings.TrimSuffix(strings.TrimPrefix(url.UserPassword("", s).String(), ":"), "@")
	var forms []string
	for _, f := range []string{url.QueryEscape(s), url.PathEscape(s), strict, user, percentAll(s)} {
		forms = append(forms, f, lowerHex(f))
	}
	return forms
}

// percentAll escapes all but letters, digits, hyphen, full stop, underscore, tilde and slash,
// as most other programs do in paths.
func percentAll(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%2F", "/")
}

func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// shellQuoted gives the forms that differ from the plain one: quotes within
// single quotes, double quotes, and backslashes.
func shellQuoted(s string) []string {
	var back strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && !isPlainInShell(byte(r)) {
			back.WriteByte('\\')
		}
		back.WriteRune(r)
	}
	return []string{
		strings.ReplaceAll(s, "'", `'\''`),
		strings.ReplaceAll(s, "'", `'"'"'`),
		strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s),
		back.String(),
	}
}

func isPlainInShell(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-./:,+@%=", c) >= 0
}

// base64Forms gives what stands for s in the base64 of a longer text, for each of
// the three places where s can begin within a group of three bytes. Characters
// that also depend on the neighbours of s are left out.
func base64Forms(s string) []string {
	var forms []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			all := enc.EncodeToString(append(make([]byte, offset), s...))
			first := (offset*8 + 5) / 6
			last := (offset + len(s)) * 8 / 6
			forms = append(forms, all[first:last])
		}
	}
	return forms
}
