package expr

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	slashpath "path"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// textFunctions work on strings.
func textFunctions() []function {
	str := []any{new(func(string) string)}
	return []function{
		{name: "regex_match", form: "regex_match(text, pattern)", doc: "whether the pattern (RE2) is found in text; anchor it with ^ and $",
			types: []any{new(func(string, string) bool)}, call: regexMatch},
		{name: "regex_find", form: "regex_find(text, pattern)", doc: "the first match of the pattern (RE2), or its first group; nothing where there is none",
			types: []any{new(func(string, string) any)}, call: regexFind},
		{name: "regex_replace", form: "regex_replace(text, pattern, by)", doc: `text with every match replaced; ${1} or \1 stands for the first group`,
			types: []any{new(func(string, string, string) string)}, call: regexReplace},
		{name: "b64encode", form: "b64encode(text)", doc: "text in base64", types: str,
			call: one("b64encode", func(r *run, s string) (any, error) {
				return base64.StdEncoding.EncodeToString([]byte(s)), r.produce(base64.StdEncoding.EncodedLen(len(s)))
			})},
		{name: "b64decode", form: "b64decode(text)", doc: "what base64 text stands for", types: str,
			call: one("b64decode", func(r *run, s string) (any, error) {
				b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
				if err != nil {
					return nil, fmt.Errorf("b64decode: %w", err)
				}
				return string(b), r.produce(len(b))
			})},
		{name: "sha256", form: "sha256(text)", doc: "the SHA-256 sum in hexadecimal", types: str,
			call: one("sha256", func(r *run, s string) (any, error) {
				sum := sha256.Sum256([]byte(s))
				return hex.EncodeToString(sum[:]), r.spend(len(s) / 64)
			})},
		{name: "quote", form: "quote(text)", doc: "text as one word for a POSIX shell", types: str,
			call: one("quote", func(r *run, s string) (any, error) {
				out := shellQuote(s)
				return out, r.produce(len(out))
			})},
		{name: "basename", form: "basename(path)", doc: "the last part of a path", types: str,
			call: one("basename", func(_ *run, s string) (any, error) {
				if s == "" {
					return "", nil
				}
				return slashpath.Base(s), nil
			})},
		{name: "dirname", form: "dirname(path)", doc: "a path without its last part", types: str,
			call: one("dirname", func(_ *run, s string) (any, error) {
				if s == "" {
					return "", nil
				}
				return slashpath.Dir(s), nil
			})},
		{name: "uuid5", form: "uuid5(namespace, name)", doc: "the UUID of name within a namespace: dns, url, oid, x500 or a UUID; always the same",
			types: []any{new(func(string, string) string)}, call: uuid5},
	}
}

func regexMatch(r *run, args []any) (any, error) {
	s, re, err := subjectAndPattern(r, args, "regex_match")
	if err != nil {
		return nil, err
	}
	return re.MatchString(s), nil
}

func regexFind(r *run, args []any) (any, error) {
	s, re, err := subjectAndPattern(r, args, "regex_find")
	if err != nil {
		return nil, err
	}
	m := re.FindStringSubmatch(s)
	switch {
	case m == nil:
		return nil, nil
	case len(m) > 1:
		return m[1], nil
	default:
		return m[0], nil
	}
}

func subjectAndPattern(r *run, args []any, name string) (string, *regexp.Regexp, error) {
	s, err := text(args, 0, name)
	if err != nil {
		return "", nil, err
	}
	re, err := pattern(args, 1, name)
	if err != nil {
		return "", nil, err
	}
	return s, re, r.spend(len(s) / 16)
}

// backReference is how sed, Python and so Ansible write a group.
var backReference = regexp.MustCompile(`\\(\d)`)

// maxReplacements bounds the list of matches, of which each takes some memory.
const maxReplacements = 100_000

func regexReplace(r *run, args []any) (any, error) {
	s, re, err := subjectAndPattern(r, args, "regex_replace")
	if err != nil {
		return nil, err
	}
	by, err := text(args, 2, "regex_replace")
	if err != nil {
		return nil, err
	}
	by = backReference.ReplaceAllString(by, `$${$1}`)
	var out []byte
	last := 0
	matches := re.FindAllStringSubmatchIndex(s, maxReplacements+1)
	if len(matches) > maxReplacements {
		return nil, fmt.Errorf("%w: regex_replace finds more than %d matches", errBudget, maxReplacements)
	}
	if err := r.spend(10 * len(matches)); err != nil {
		return nil, err
	}
	for _, m := range matches {
		before := len(out)
		out = append(out, s[last:m[0]]...)
		out = re.ExpandString(out, by, s, m)
		last = m[1]
		if err := r.produce(len(out) - before); err != nil {
			return nil, err
		}
	}
	out = append(out, s[last:]...)
	return string(out), r.produce(len(s) - last)
}

// shellQuote gives s as one word for a POSIX shell.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+:,./-_", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func uuid5(_ *run, args []any) (any, error) {
	space, err := text(args, 0, "uuid5")
	if err != nil {
		return nil, err
	}
	name, err := text(args, 1, "uuid5")
	if err != nil {
		return nil, err
	}
	named := map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}
	id, ok := named[strings.ToLower(space)]
	if !ok {
		if id, err = uuid.Parse(space); err != nil {
			return nil, errors.New("uuid5 wants dns, url, oid, x500 or a UUID as its namespace")
		}
	}
	return uuid.NewSHA1(id, []byte(name)).String(), nil
}
