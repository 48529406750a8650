package reference

import (
	"fmt"
	"strconv"

	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/modules/step"
)

// PlaybookSchema describes playbooks with these steps. What it refuses the loader
// refuses, too; the loader sees more, as names that are not there.
func PlaybookSchema(steps *step.Registry) Schema {
	defs := definitions()
	defs["step"] = stepSchema(steps, defs)
	defs["block"] = keyed(playbook.BlockKeywords())
	defs["include"] = keyed(playbook.IncludeKeywords())
	defs["role"] = keyed(playbook.RoleKeywords())
	defs["flush"] = keyed(playbook.FlushKeywords())
	defs["steps"] = Schema{"type": []string{"array", "null"}, "items": anyOf(ref("step"), ref("block"), ref("include"), ref("role"), ref("flush"))}
	defs["prompt"] = keyed(playbook.PromptKeywords())
	defs["input"] = keyed(playbook.InputKeywords())
	defs["play"] = keyed(playbook.PlayKeywords())
	defs["import"] = keyed(playbook.ImportKeywords())
	return Schema{
		"$schema": draft, "title": "nactl playbook", "description": "a list of plays", "type": "array", "minItems": 1,
		"items": anyOf(ref("play"), ref("import")), "$defs": defs,
	}
}

// stepSchema is that of one step: keywords, and exactly one step word.
func stepSchema(steps *step.Registry, defs Schema) Schema {
	out := keyed(playbook.StepKeywords())
	properties := out["properties"].(Schema)
	var one []Schema
	for _, spec := range steps.All() {
		defs["step_"+spec.Name] = arguments(spec)
		properties[spec.Name] = ref("step_" + spec.Name)
		one = append(one, Schema{"required": []string{spec.Name}})
	}
	out["oneOf"] = one
	return out
}

// keyed is the schema of a mapping of keywords.
func keyed(keywords []playbook.Keyword) Schema {
	properties, needs := Schema{}, Schema{}
	out := Schema{"type": "object", "properties": properties, "additionalProperties": false}
	var required []string
	for _, k := range keywords {
		properties[k.Name] = keyword(k)
		if k.Needs != "" {
			needs[k.Name] = []string{k.Needs}
		}
		switch {
		case k.Required && k.Instead != "":
			out["anyOf"] = []Schema{{"required": []string{k.Name}}, {"required": []string{k.Instead}}}
		case k.Required:
			required = append(required, k.Name)
		}
	}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(needs) > 0 {
		out["dependentRequired"] = needs
	}
	return out
}

// arguments is the schema of what stands behind a step word.
func arguments(spec *step.Spec) Schema {
	doc := spec.Summary + "."
	if spec.Doc != "" {
		doc += "\n\n" + spec.Doc
	}
	doc += "\n\n```yaml\n" + spec.Example + "```"
	if spec.Vars {
		return described(Schema{"type": "object", "propertyNames": ref("name")}, doc)
	}
	fields := spec.ArgumentsOf()
	conditions := map[string]bool{}
	for _, name := range spec.Conditions {
		conditions[name] = true
	}
	mapping := structure(fields, true)
	properties := mapping["properties"].(Schema)
	for _, f := range fields {
		if conditions[f.Name] {
			properties[f.Name] = described(ref("condition"), f.Doc)
		}
	}
	forms := []Schema{mapping}
	if _, ok := mapping["required"]; !ok {
		forms = append(forms, Schema{"type": "null"})
	}
	switch {
	case spec.Bare == "":
		forms = append(forms, ref("expression"))
	case conditions[spec.Bare]:
		forms = append(forms, ref("condition"))
	default:
		for _, f := range fields {
			if f.Name == spec.Bare {
				forms = append(forms, bare(f))
			}
		}
	}
	if len(forms) == 1 {
		return described(mapping, doc)
	}
	return described(Schema{"anyOf": forms}, doc)
}

// bare is the schema of a value that stands for one argument. A mapping never does,
// unless it is a secret.
func bare(f step.Field) Schema {
	s := argument(f, true)
	if f.Shape().Any {
		return described(anyOf(Schema{"type": append([]string{"array"}, scalar...)}, ref("secret")), f.Doc)
	}
	return s
}

// keyword gives the schema of a keyword's value.
func keyword(k playbook.Keyword) Schema {
	s := form(k)
	doc := k.Doc
	if k.Default != "" {
		s["default"] = defaultValue(k)
		doc += fmt.Sprintf(" (default: `%s`)", k.Default)
	}
	return described(s, doc)
}

func defaultValue(k playbook.Keyword) any {
	switch k.Form {
	case playbook.Count:
		if n, err := strconv.Atoi(k.Default); err == nil {
			return n
		}
	case playbook.Flag, playbook.True:
		return k.Default == "true"
	}
	return k.Default
}

func form(k playbook.Keyword) Schema {
	switch k.Form {
	case playbook.Text:
		if len(k.Enum) > 0 {
			return Schema{"enum": k.Enum}
		}
		return Schema{"type": scalar}
	case playbook.Texts:
		return anyOf(Schema{"type": append([]string{"null"}, scalar...)}, Schema{"type": "array", "items": Schema{"type": scalar}})
	case playbook.Flag:
		return Schema{"type": "boolean"}
	case playbook.True:
		return Schema{"const": true}
	case playbook.Count:
		return Schema{"type": "integer", "minimum": k.Least}
	case playbook.Duration:
		return Schema{"type": "string", "pattern": step.DurationPattern}
	case playbook.Condition:
		return ref("condition")
	case playbook.Items:
		return anyOf(Schema{"type": "array"}, ref("expression"))
	case playbook.Variables:
		return ref("variables")
	case playbook.Pattern:
		return anyOf(Schema{"type": "string"}, Schema{"type": "array", "items": Schema{"type": "string"}})
	case playbook.StepList:
		if k.Name == "block" { // which has to have some
			return Schema{"$ref": "#/$defs/steps", "type": "array", "minItems": 1}
		}
		return ref("steps")
	case playbook.RoleList:
		return Schema{"type": "array", "items": anyOf(Schema{"type": "string", "minLength": 1}, ref("role"))}
	case playbook.PromptList:
		return Schema{"type": "array", "items": ref("prompt")}
	case playbook.InputMap:
		return Schema{"type": []string{"object", "null"}, "propertyNames": ref("name"), "additionalProperties": anyOf(Schema{"type": "null"}, ref("input"))}
	case playbook.Shares:
		one := []Schema{{"type": "integer", "minimum": 1}, {"type": "string", "pattern": `^([0-9]+ *%?|.*\{\{.*)$`}}
		return Schema{"anyOf": append(one, Schema{"type": "array", "minItems": 1, "items": Schema{"anyOf": one}})}
	case playbook.Percent:
		return Schema{"type": "integer", "minimum": 0, "maximum": 100}
	case playbook.List:
		return Schema{"type": "array"}
	case playbook.Nothing:
		return Schema{"enum": []any{nil, true}}
	case playbook.Identifier:
		if k.Default != "" {
			return anyOf(Schema{"const": k.Default}, ref("name")) // a reserved one
		}
		return ref("name")
	case playbook.Environment:
		mapping := Schema{"type": "object", "propertyNames": Schema{"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": anyOf(Schema{"type": scalar}, ref("secret"))}
		return anyOf(mapping, ref("expression"), Schema{"type": "null"})
	case playbook.Value:
		return Schema{}
	default:
		panic(fmt.Sprintf("keyword %s has a form that the schema does not know", k.Name))
	}
}
