package reference

import (
	"strings"

	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/modules/step"
)

// Schema is a JSON Schema of the draft 2020-12.
type Schema map[string]any

const draft = "https://json-schema.org/draft/2020-12/schema"

// What definitions are called, and how they are referred to.
func ref(name string) Schema { return Schema{"$ref": "#/$defs/" + name} }

func anyOf(s ...Schema) Schema { return Schema{"anyOf": s} }

// scalar is what counts as text: numbers and booleans as they are written.
var scalar = []string{"string", "number", "boolean"}

// definitions are those that both schemas use.
func definitions() Schema {
	return Schema{
		"expression": Schema{"type": "string", "pattern": `\{\{`, "title": "expression",
			"description": "a text with an expression in {{ }}"},
		"secret": Schema{
			"type": "object", "title": "secret", "description": "a value that stands elsewhere, is fetched when it is needed and never shown",
			"properties": Schema{"secret": Schema{
				"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
				"properties": Schema{
					"env":     Schema{"type": scalar, "description": "the environment variable that has it"},
					"file":    Schema{"type": scalar, "description": "the file that holds it"},
					"command": Schema{"type": "array", "minItems": 1, "items": Schema{"type": scalar}, "description": "a program that prints it, with its arguments"},
				},
			}},
			"required": []string{"secret"}, "additionalProperties": false,
		},
		"later": Schema{"anyOf": []Schema{ref("expression"), ref("secret")}},
		"condition": Schema{
			"description": "a bare expression, without {{ }}; a list means \"and\"",
			"anyOf":       []Schema{ref("term"), {"type": "array", "items": ref("term"), "minItems": 1}},
		},
		"term":      anyOf(Schema{"type": "boolean"}, Schema{"type": "string", "minLength": 1, "not": Schema{"pattern": `\{\{`}}),
		"name":      Schema{"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "not": Schema{"enum": playbook.Reserved()}},
		"variables": Schema{"type": []string{"object", "null"}, "propertyNames": ref("name")},
	}
}

// described adds what editors show on hover. Docs are Markdown.
func described(s Schema, doc string) Schema {
	out := Schema{}
	for k, v := range s {
		out[k] = v
	}
	if doc != "" {
		out["description"] = strings.ReplaceAll(doc, "`", "")
		out["markdownDescription"] = doc
	}
	return out
}

// shape gives the schema of an argument's values. later says that an expression or
// a secret may stand for it.
func shape(s step.Shape, later bool) Schema {
	if s.Any {
		return Schema{}
	}
	var forms []Schema
	plain := s.Text && s.Pattern == "" && len(s.Enum) == 0
	switch {
	case len(s.Enum) > 0:
		forms = append(forms, Schema{"enum": s.Enum})
	case s.Text && s.Pattern != "":
		forms = append(forms, Schema{"type": "string", "pattern": s.Pattern})
	case s.Text:
		forms = append(forms, Schema{"type": scalar}) // an expression is a text, too
	}
	if s.Boolean && !plain {
		forms = append(forms, Schema{"type": "boolean"})
	}
	if s.Integer && !plain {
		forms = append(forms, Schema{"type": "integer"})
	}
	if s.List != nil {
		list := Schema{"type": "array", "items": shape(*s.List, later)}
		if s.Least > 0 {
			list["minItems"] = s.Least
		}
		forms = append(forms, list)
	}
	if s.Mapping != nil {
		forms = append(forms, Schema{"type": "object", "additionalProperties": shape(*s.Mapping, later)})
	}
	if s.Struct {
		forms = append(forms, structure(s.Fields, later))
		for _, f := range s.Fields {
			if f.Name == s.Bare {
				forms = append(forms, argument(f, false))
			}
		}
	}
	if s.Null {
		forms = append(forms, Schema{"type": "null"})
	}
	if later && plain {
		forms = append(forms, ref("secret"))
	} else if later {
		forms = append(forms, ref("later"))
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return Schema{"anyOf": forms}
}

// argument gives the schema of one argument.
func argument(f step.Field, later bool) Schema {
	s := shape(f.Shape(), later)
	if f.Min != nil || f.Max != nil {
		bound(s, f)
	}
	if v, ok := f.Literal(); ok {
		s["default"] = v
	}
	doc := f.Doc
	switch {
	case f.Required:
		doc += " (required)"
	case f.Default != "":
		doc += " (default: `" + f.Default + "`)"
	}
	if f.CreateOnly {
		doc += "; at creation only"
	}
	return described(s, doc)
}

// bound sets the bounds of an argument on the integers that it takes.
func bound(s Schema, f step.Field) {
	if s["type"] == "integer" {
		if f.Min != nil {
			s["minimum"] = *f.Min
		}
		if f.Max != nil {
			s["maximum"] = *f.Max
		}
	}
	if forms, ok := s["anyOf"].([]Schema); ok {
		for _, form := range forms {
			bound(form, f)
		}
	}
}

// structure gives the schema of a mapping of arguments.
func structure(fields []step.Field, later bool) Schema {
	properties, required := Schema{}, []string{}
	for _, f := range fields {
		properties[f.Name] = argument(f, later)
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
