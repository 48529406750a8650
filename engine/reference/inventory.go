package reference

import (
	"fmt"
	"slices"

	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules/step"
)

// InventorySchema describes files of an inventory. What it refuses the loader
// refuses, too; the loader sees more, as names of groups that are not there.
func InventorySchema() Schema {
	defs := Schema{"secret": definitions()["secret"]}
	s := record(inventory.Keys())
	s["properties"].(Schema)["groups"].(Schema)["properties"] = Schema{"all": groupAll()}
	s["$schema"], s["title"], s["description"], s["$defs"] = draft, "nactl inventory", "what there is to work on", defs
	return s
}

// groupAll is the group of all targets, which cannot be told what it holds.
func groupAll() Schema {
	return Schema{"type": []string{"object", "null"}, "properties": Schema{"vars": Schema{"type": []string{"object", "null"}}}, "additionalProperties": false,
		"description": "variables of all targets"}
}

// record is a mapping of known keys.
func record(keys []inventory.Key) Schema {
	properties := Schema{}
	var required []string
	for _, k := range keys {
		properties[k.Name] = described(inventoryValue(k), k.Doc)
		if k.Required {
			required = append(required, k.Name)
		}
	}
	s := Schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	return s
}

// inventoryValue is what one key takes. Nothing is the same as leaving it out.
func inventoryValue(k inventory.Key) Schema {
	switch k.Form {
	case inventory.Text:
		if len(k.Enum) > 0 {
			words := []any{nil}
			for _, w := range k.Enum {
				words = append(words, w)
			}
			return Schema{"enum": words}
		}
		s := plain()
		if k.Pattern != "" {
			s["pattern"] = k.Pattern
		}
		return s
	case inventory.Path:
		return plain()
	case inventory.Texts, inventory.Paths:
		return anyOf(plain(), Schema{"type": "array", "items": plain()})
	case inventory.Integer:
		return Schema{"type": []string{"integer", "null"}, "minimum": k.Low, "maximum": k.High}
	case inventory.Boolean:
		return Schema{"type": []string{"boolean", "null"}}
	case inventory.Duration:
		return Schema{"type": []string{"string", "null"}, "pattern": step.DurationPattern}
	case inventory.SecretText:
		return anyOf(plain(), ref("secret"))
	case inventory.Variables: // whose names expressions may have to quote
		return Schema{"type": []string{"object", "null"}}
	case inventory.Record:
		return record(k.Keys)
	case inventory.Mapping:
		return Schema{"type": []string{"object", "null"}, "additionalProperties": inventoryValue(k.Keys[0])}
	case inventory.Choice:
		s := record(append(slices.Clone(k.Keys), k.With...))
		s["type"], s["minProperties"], s["maxProperties"] = "object", 1, 1+len(k.With)
		if len(k.With) > 0 {
			var one []Schema
			for _, key := range k.Keys {
				one = append(one, Schema{"required": []string{key.Name}})
			}
			beside := map[string][]string{}
			for _, key := range k.With {
				beside[key.Name] = []string{key.Beside}
			}
			s["oneOf"], s["dependentRequired"] = one, beside
		}
		return s
	default:
		panic(fmt.Sprintf("key %s has a form that the schema does not know", k.Name))
	}
}

// plain is a text that is read before expressions are.
func plain() Schema {
	return Schema{"type": append([]string{"null"}, scalar...), "not": Schema{"type": "string", "pattern": `\{\{`}}
}
