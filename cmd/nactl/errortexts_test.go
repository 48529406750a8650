package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nactl/nactl/engine/playbook"
)

// texts are the parts of the tree that tell people of mistakes in what they wrote:
// the pattern of files, and which of the literals in them are said.
var textsOf = []struct {
	files string
	said  func(spot) bool
}{
	{"engine/source/*.go", anywhere},
	{"engine/expr/*.go", anywhere},
	{"engine/playbook/*.go", anywhere},
	{"engine/lint/[cn]*.go", anywhere},
	{"engine/vault/*.go", errorsOnly},
	{"inventory/*.go", anywhere},
	{"modules/step/*.go", errorsOnly},
	{"modules/*/*.go", checksOnly},
	{"engine/prepare.go", anywhere},
	{"engine/outline.go", anywhere},
	{"engine/world.go", anywhere},
	{"engine/prompt.go", errorsOnly},
	// The commands that load playbooks; what goes wrong while others talk to targets
	// is in the scripts of those.
	{"cmd/nactl/[am]*.go", errorsOnly},
	{"cmd/nactl/config.go", errorsOnly},
	{"cmd/nactl/doc.go", errorsOnly},
	{"cmd/nactl/extra.go", errorsOnly},
	{"cmd/nactl/inventory.go", errorsOnly},
	{"cmd/nactl/[kl]*.go", errorsOnly},
	{"cmd/nactl/play.go", errorsOnly},
	{"cmd/nactl/re[gp]*.go", errorsOnly},
	{"cmd/nactl/s[ac]*.go", errorsOnly},
	{"cmd/nactl/va*.go", errorsOnly},
	{"cmd/nactl/view.go", errorsOnly},
}

// unshown are texts that no script can bring about, and why.
var unshown = map[string]string{
	// The YAML library gives no such thing today.
	"a value is expected here":           "a kind of node that it does not have",
	"the tag %s has no value":            "it takes nothing for null, or what follows",
	"!!str before %s: remove the tag":    "it refuses the tag itself",
	`this line is no "key: value"`:       "it has other words for what is known to bring this about",
	"this YAML cannot be read: ":         "a message for which there are no words yet",
	"this YAML cannot be read: %v":       "an error without a place",
	"this YAML cannot be read (%v)":      "a panic",
	"-----BEGIN AGE ENCRYPTED FILE-----": "no message: the beginning of a file",
	"a value known only afterwards":      "literals are known",

	// Expressions: what their compiler keeps from happening.
	"this expression cannot be compiled: %v":            "a panic of the parser",
	"there is no condition here":                        "callers have one",
	"%s should be %s but is %s":                         "types are the union of all that may be there",
	"unknown member %q%s":                               "chains are looked up before the checker sees them",
	"to_yaml: %w":                                       "whatever an expression gives can be written",
	"the result is %s, which is no value":               "functions are no values of expressions",
	"%s has no text":                                    "functions are no values of expressions",
	"there is no value here to put into the text":       "told with the expression's text",
	"only a function can be called, by its name":        "the parser refuses the rest",
	"%s may not be read: there is no project directory": "a playbook has a folder",
	"is not available here":                             "the program always has a host",
	"another value":                                     "what two steps can set are single values",

	"it names no driver, as qemu": "what begins with + is no URI at all",
	"the secret from %s is shorter than %d characters and will not be masked": "a run says so once for all",

	// What needs a terminal, another program's file, or much time.
	"--ask-pass: no password was typed":     "asks at a terminal",
	"no passphrase was given":               "asks at a terminal",
	"the two differ; nothing was changed":   "asks at a terminal",
	"a passphrase must not be empty":        "asks at a terminal",
	"the input ended before an answer came": "asks at a terminal",
	"%s does not say to whom it is encrypted (another program made it): repeat all of them with --recipient KEY or --recipients-file FILE": "a file of age itself",
	"no recipients": "a file that age itself would not write",
	"a recipient in front of the decrypted text: %w":        "a file that nactl would not write",
	"the decrypted text is larger than %d bytes":            "a file that nactl would not write",
	"the text has %d bytes, %d are the most":                "files are measured before they are read",
	"there is no recipient and no passphrase to encrypt to": "asked for before",
	"it did not end in time: %w":                            "takes half a minute",
	"no key was given":                                      "the program always has keys to try",
}

// Every text that tells of a mistake in a playbook, an inventory or on the command
// line is in what some script expects of the program: so somebody has read it as its
// user does, at the place where it points.
func TestEveryErrorText(t *testing.T) {
	lines, docs := expectedLines(t), documented()
	seen := map[string]bool{}
	missing := 0
	for _, group := range textsOf {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(group.files)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", group.files, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "doctor") { // what a doctor finds is about machines
				continue
			}
			for _, l := range literals(t, file) {
				if !group.said(l.spot) || docs[l.text] || isSeen(seen, l.text) {
					continue
				}
				shown := isShown(lines, l.text)
				switch why, excused := unshown[l.text]; {
				case shown && excused:
					t.Errorf("%s: %q is excused (%s), and a script shows it", l.at, l.text, why)
				case !shown && !excused:
					missing++
					t.Errorf("%s: no script expects %q", l.at, l.text)
				}
			}
		}
	}
	for text := range unshown {
		if !seen[text] {
			t.Errorf("%q is excused, and is not said anywhere", text)
		}
	}
	if missing > 0 {
		t.Log("write a case into a script of testdata/script, let `go test -run TestScript/errors -update` note what is said, and read it as a user does")
	}
	if len(seen) < 500 {
		t.Errorf("only %d texts were found", len(seen))
	}
}

// documented are the notes on words of Ansible that are the same here: they stand in
// docs/ansible.md, for there is no mistake to tell of.
func documented() map[string]bool {
	out := map[string]bool{}
	for _, h := range slices.Concat(playbook.AnsibleKeywords(), playbook.AnsibleEntries()) {
		out[h.On] = true
		if h.Here == "`"+h.Name+"`" {
			out[h.Note] = true
		}
	}
	return out
}

func isSeen(seen map[string]bool, text string) bool {
	was := seen[text]
	seen[text] = true
	return was
}

// spot is where a literal stands: what encloses it nearest, and the function.
type spot struct{ in, function string }

// What is no message: documentation, what is looked for, and what panics.
var silent = []string{
	"tag", "Doc", "doc", "Form", "form", "Example", "Usage", "Why", "Way", "Description", "ArgsUsage", "UsageText", "Word", "has", "Contains", "HasPrefix",
	"HasSuffix", "CutPrefix", "CutSuffix", "Cut", "MustCompile", "NewReplacer", "panic", "Replace", "ReplaceAll", "Str", "case",
}

func anywhere(p spot) bool {
	return !slices.Contains(silent, p.in) && !slices.Contains([]string{"LanguageFunctions", "examples"}, p.function)
}

func errorsOnly(p spot) bool {
	return slices.Contains([]string{"Errorf", "Warnf", "errorf", "New", "wrong", "fail", "unquoted"}, p.in)
}

// checksOnly are the errors of what checks and decodes arguments; those of a run are
// not about what was written.
func checksOnly(p spot) bool {
	return errorsOnly(p) && slices.Contains([]string{"Validate", "validate", "Check", "Decode", "validateSize", "validateNICs", "statuses"}, p.function)
}

type literal struct {
	spot
	text, at string
}

// literals gives the texts of a file that have two words at least.
func literals(t *testing.T, file string) []literal {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var out []literal
	var stack []ast.Node
	ast.Inspect(tree, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		stack = append(stack, n)
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.TrimSpace(text), " ") && len(pieces(text)) > 0 {
			at := set.Position(lit.Pos())
			out = append(out, literal{placeOf(stack), text, fmt.Sprintf("%s:%d", strings.TrimPrefix(filepath.ToSlash(file), "../../"), at.Line)})
		}
		return true
	})
	return out
}

func placeOf(stack []ast.Node) spot {
	var p spot
	for _, n := range slices.Backward(stack) {
		in := ""
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok {
				in = id.Name
			}
		case *ast.CallExpr:
			switch f := n.Fun.(type) {
			case *ast.SelectorExpr:
				in = f.Sel.Name
			case *ast.Ident:
				in = f.Name
			}
		case *ast.Field:
			in = "tag"
		case *ast.CaseClause:
			if slices.ContainsFunc(n.List, func(e ast.Expr) bool { return slices.Contains(stack, ast.Node(e)) }) {
				in = "case"
			}
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				in = "case"
			}
		case *ast.FuncDecl:
			p.function = n.Name.Name
		case *ast.ValueSpec:
			if p.function == "" {
				p.function = n.Names[0].Name
			}
		}
		if p.in == "" {
			p.in = in
		}
	}
	return p
}

// fmtVerb is one of fmt's.
var fmtVerb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z]`)

// word is what tells one text from another.
var word = regexp.MustCompile(`[A-Za-z]{2}`)

// pieces gives what stands between the verbs of a format, in order; nothing where
// there is no word in it.
func pieces(format string) []string {
	var out []string
	worded := false
	for _, p := range fmtVerb.Split(format, -1) {
		p = strings.ReplaceAll(p, "%%", "%")
		worded = worded || word.MatchString(p)
		out = append(out, p)
	}
	if !worded {
		return nil
	}
	return out
}

// isShown tells whether every line of a text stands in some line of the scripts.
func isShown(lines []string, text string) bool {
	for part := range strings.Lines(strings.ReplaceAll(text, "`", "")) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		want := pieces(strings.TrimRight(part, "\n"))
		if !slices.ContainsFunc(lines, func(line string) bool { return holds(line, want) }) {
			return false
		}
	}
	return true
}

func holds(line string, pieces []string) bool {
	for _, p := range pieces {
		_, rest, found := strings.Cut(line, p)
		if !found {
			return false
		}
		line = rest
	}
	return true
}

// excerpt is a line of a file that is shown below a message, or its caret.
var excerpt = regexp.MustCompile(`^ *[0-9]* \|`)

// expectedLines gives what the scripts expect the program to say: the files that
// its output is compared with, and the patterns that it is matched with.
func expectedLines(t *testing.T) []string {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join("testdata", "[se][cn]*", "*.txtar")) // script and engine
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	var out []string
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		archive := txtar.Parse(text)
		for line := range strings.Lines(string(archive.Comment)) {
			words := strings.Fields(line)
			switch {
			case len(words) == 3 && words[0] == "cmp" && (words[1] == "stderr" || words[1] == "stdout"):
				for _, f := range archive.Files {
					if f.Name == words[2] {
						for l := range strings.Lines(string(f.Data)) {
							if !excerpt.MatchString(l) {
								out = append(out, strings.ReplaceAll(l, "`", ""))
							}
						}
					}
				}
			case len(words) > 1 && (words[0] == "stderr" || words[0] == "stdout"):
				pattern := strings.Trim(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0])), "'")
				out = append(out, unescape(pattern))
			}
		}
	}
	return out
}

// unescape gives the text that a pattern stands for, where it stands for one.
func unescape(pattern string) string {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$")
	pattern = strings.ReplaceAll(pattern, "''", "'")
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b.WriteByte(pattern[i])
	}
	return strings.ReplaceAll(b.String(), "`", "")
}
