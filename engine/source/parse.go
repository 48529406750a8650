package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/nactl/nactl/engine/diag"
)

// The limits of one file. They are far above what people write and far below
// what makes the YAML library's memory or time explode.
const (
	// MaxSize is the largest file that is read, in bytes.
	MaxSize = 4 << 20
	// MaxDepth is how many mappings and lists may stand inside each other.
	MaxDepth = 64
	// MaxKey is the length of the longest key, in runes: YAML's own limit for a
	// key without "?".
	MaxKey = 1024
	// MaxBlockKeys is how many keys one mapping in block form may have; the
	// library's time grows with its square. Flow form ({…}) has no such limit.
	MaxBlockKeys = 20000
	// MaxExpansion is how many nodes the aliases of one file may add.
	MaxExpansion = 100000
)

// RuleEmpty is the rule of the diagnostic for a file without a document, for
// callers to whom a file of comments is as good as none.
const RuleEmpty = "empty-document"

// ParseFile reads and parses the one YAML document of the file at path, which
// is also the name that diagnostics carry. The node is nil when the text cannot
// be understood; a node and errors come together when it can, but something in
// it is wrong.
func ParseFile(path string) (*Node, diag.List) {
	text, list := read(path)
	if list.HasErrors() {
		return nil, list
	}
	return Parse(path, text)
}

// read gives the bytes of a regular file of at most MaxSize.
func read(path string) ([]byte, diag.List) {
	var list diag.List
	at := diag.Range{Pos: diag.Pos{File: path}}
	// Opening a pipe would wait for a writer for ever. What was a file a moment ago
	// may be a pipe when it is opened, so that does not wait either.
	irregular := func(info fs.FileInfo) bool {
		if info.Mode().IsRegular() {
			return false
		}
		list.Errorf(at, "read", "this is not a regular file but %s", describe(info.Mode()))
		return true
	}
	info, err := os.Stat(path)
	if err != nil {
		list.Errorf(at, "read", "cannot read the file: %s", cause(err))
		return nil, list
	}
	if irregular(info) {
		return nil, list
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		list.Errorf(at, "read", "cannot read the file: %s", cause(err))
		return nil, list
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil && irregular(info) {
		return nil, list
	}
	var size int64
	if err == nil {
		size = info.Size()
	}
	text := bytes.NewBuffer(make([]byte, 0, min(size, MaxSize)+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(f, MaxSize+1)); err != nil {
		list.Errorf(at, "read", "cannot read the file: %s", cause(err))
	}
	return text.Bytes(), list
}

// cause drops the operation and path that diagnostics show anyway.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func describe(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory; name a file in it"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	default:
		return "a device or socket"
	}
}

// Parse parses the one YAML document in text; file is the name that its
// diagnostics carry. It returns as ParseFile does. JSON is YAML.
func Parse(file string, text []byte) (node *Node, list diag.List) {
	doc, list := newDocument(file, text)
	if list.HasErrors() {
		return nil, list
	}
	// The library is known to panic on some invalid input; what a user typed
	// must not end a process that serves others.
	defer func() {
		if r := recover(); r != nil {
			node = nil
			list.Errorf(doc.at(1, 1, 0), "syntax", "this YAML cannot be read (%v)", r)
		}
	}()
	tokens := doc.tokenize()
	doc.place(tokens)
	if list = doc.checkTokens(tokens); list.HasErrors() {
		list.Sort()
		return nil, list
	}
	file1, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		list.Add(doc.explain(err))
		return nil, list
	}
	body := documentBody(file1)
	if body == nil {
		list.Errorf(doc.at(1, 1, 0), RuleEmpty, "there is nothing in this file")
		return nil, list
	}
	b := builder{doc: doc, anchors: map[string]*Node{}, open: map[string]bool{}}
	node = b.build(body)
	doc.places, doc.follow = nil, nil // nodes keep the document, and would keep all tokens with these
	b.list.Sort()
	return node, b.list
}

// tokenize runs the lexer, which forgets a tag at the very end of a text and
// misreads the header of a block there. A line end is added only for them: it
// would become part of a block scalar.
func (d *document) tokenize() token.Tokens {
	tokens := lexer.Tokenize(d.text)
	if !strings.ContainsAny(d.lines[len(d.lines)-1], "!|>") {
		return tokens
	}
	again := lexer.Tokenize(d.text + "\n")
	for _, tk := range again[max(0, len(again)-2):] {
		switch tk.Type {
		case token.TagType, token.InvalidType:
			return again
		case token.LiteralType, token.FoldedType:
			if tk.Position.Line == len(d.lines) {
				return again
			}
		}
	}
	return tokens
}

// documentBody gives the only document that has content; checkTokens has made
// sure that there is no second one.
func documentBody(f *ast.File) ast.Node {
	for _, d := range f.Docs {
		if d.Body != nil {
			return d.Body
		}
	}
	return nil
}

// at makes a range in the document.
func (d *document) at(line, column, width int) diag.Range {
	return diag.Range{Pos: diag.Pos{File: d.file, Line: line, Column: column}, Width: width}
}

// rangeOf gives the place of a token.
func (d *document) rangeOf(tk *token.Token) diag.Range {
	if p, ok := d.places[tk]; ok {
		return diag.Range{Pos: p, Width: 1}
	}
	return d.at(tk.Position.Line, max(tk.Position.Column, 1), 1)
}

// syntaxError is what the library's errors offer, all kinds of them.
type syntaxError interface {
	error
	GetToken() *token.Token
	GetMessage() string
}

// explain turns an error of the library into a diagnostic.
func (d *document) explain(err error) diag.Diagnostic {
	var se syntaxError
	if !errors.As(err, &se) || se.GetToken() == nil {
		return diag.Diagnostic{Rule: "syntax", Summary: fmt.Sprintf("this YAML cannot be read: %v", err), Range: d.at(1, 1, 0)}
	}
	return d.hint(se.GetMessage(), se.GetToken())
}
