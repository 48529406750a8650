package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/nactl/nactl/modules/step"
)

// writeDocs writes one page in Markdown for each step, and an index.
func writeDocs(dir string, r *step.Registry) error {
	var index strings.Builder
	index.WriteString("# Steps\n\nThese pages are made from the code by `make docs`.\n\n| step | |\n|---|---|\n")
	for _, s := range r.All() {
		fmt.Fprintf(&index, "| [%s](%s.md) | %s |\n", s.Name, s.Name, s.Summary)
		if err := os.WriteFile(filepath.Join(dir, s.Name+".md"), []byte(page(s)), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(index.String()), 0o644)
}

// page gives the page of one step.
func page(s *step.Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n", s.Name, s.Summary)
	if s.Doc != "" {
		fmt.Fprintf(&b, "%s\n\n", s.Doc)
	}
	fmt.Fprintf(&b, "```yaml\n%s```\n\n", s.Example)
	if s.Vars {
		b.WriteString("The arguments are the variables, by name.\n")
		return b.String()
	}
	b.WriteString("## Arguments\n\n| argument | value | |\n|---|---|---|\n")
	arguments(&b, "", reflect.TypeOf(s.New()).Elem())
	if s.Bare != "" {
		fmt.Fprintf(&b, "\n`%s: VALUE` is short for `%s: {%s: VALUE}`.\n", s.Name, s.Name, s.Bare)
	}
	if s.Output == nil {
		return b.String()
	}
	b.WriteString("\n## Output\n\nWhat `register` gives, beside changed, failed, skipped, pending and msg:\n\n| field | value |\n|---|---|\n")
	for f := range outputs(reflect.TypeOf(s.Output)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.name, f.kind)
	}
	return b.String()
}

func arguments(b *strings.Builder, prefix string, t reflect.Type) {
	for _, f := range step.Fields(t) {
		doc := f.Doc
		switch {
		case f.Required:
			doc += ". Required"
		case f.Default != "":
			doc += ". Default: `" + f.Default + "`"
		}
		if f.CreateOnly {
			doc += ". At creation only"
		}
		kind, inner := argumentKind(f.Type)
		if len(f.Enum) > 0 {
			kind = strings.Join(f.Enum, ", ")
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, f.Name, kind, doc)
		if inner != nil {
			arguments(b, prefix+f.Name+".", inner)
		}
	}
}

// argumentKind gives the word for a type of argument, and the struct inside it
// whose fields are arguments, too.
func argumentKind(t reflect.Type) (kind string, inner reflect.Type) {
	if strings.HasPrefix(t.Name(), "Opt[") {
		if get, ok := t.MethodByName("Get"); ok {
			return argumentKind(get.Type.Out(0))
		}
	}
	switch t.Name() {
	case "Size":
		return "size", nil
	case "Duration":
		return "duration", nil
	case "Argv":
		return "list of arguments", nil
	case "Guard", "Line":
		return "list of arguments, or a line for /bin/sh", nil
	case "Mode":
		return "octal digits", nil
	case "Sudo":
		return "boolean or text", nil
	case "Checked":
		return "condition", nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Name() == "Node" {
			return "any value", nil
		}
		return argumentKind(t.Elem())
	case reflect.String:
		return "text", nil
	case reflect.Bool:
		return "boolean", nil
	case reflect.Int, reflect.Int64:
		return "integer", nil
	case reflect.Float64:
		return "number", nil
	case reflect.Slice:
		kind, inner = argumentKind(t.Elem())
		return "list of: " + kind, inner
	case reflect.Map:
		return "mapping", nil
	case reflect.Struct:
		return "mapping", t
	default:
		return t.String(), nil
	}
}

type outputField struct{ name, kind string }

// outputs walks the fields of an output in their order.
func outputs(t reflect.Type) func(func(outputField) bool) {
	return func(yield func(outputField) bool) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" {
				for inner := range outputs(f.Type) {
					if !yield(inner) {
						return
					}
				}
				continue
			}
			kind, _ := argumentKind(f.Type)
			if name != "" && name != "-" && !yield(outputField{name, kind}) {
				return
			}
		}
	}
}
