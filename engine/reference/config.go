package reference

import (
	"fmt"
	"strings"

	"github.com/nactl/nactl/engine/config"
)

// ConfigSchema describes files of settings. What it refuses the loader refuses,
// too.
func ConfigSchema() Schema {
	properties := Schema{}
	for _, k := range config.Keys() {
		section, name, nested := strings.Cut(k.Name, ".")
		into := properties
		if nested {
			if properties[section] == nil {
				properties[section] = Schema{"type": []string{"object", "null"}, "properties": Schema{}, "additionalProperties": false}
			}
			into = properties[section].(Schema)["properties"].(Schema)
		} else {
			name = k.Name
		}
		into[name] = described(setting(k), k.Doc)
	}
	return Schema{
		"$schema": draft, "title": "nactl configuration", "description": "what is set once for all commands", "type": []string{"object", "null"},
		"properties": properties, "additionalProperties": false,
	}
}

// setting is what one key takes. Nothing is the same as leaving it out.
func setting(k config.Key) Schema {
	var s Schema
	switch k.Form {
	case config.Text:
		s = plain()
		if len(k.Enum) > 0 {
			words := []any{nil}
			for _, w := range k.Enum {
				words = append(words, w)
			}
			s = Schema{"enum": words}
		}
		if k.PathFor != "" {
			s = anyOf(s, Schema{"type": "string", "pattern": "^" + k.PathFor + "."})
		}
	case config.Paths:
		s = anyOf(plain(), Schema{"type": "array", "items": path()})
	case config.Count:
		s = Schema{"type": []string{"integer", "null"}, "minimum": k.Least}
	case config.Flag:
		s = Schema{"type": []string{"boolean", "null"}}
	default:
		panic(fmt.Sprintf("key %s has a form that the schema does not know", k.Name))
	}
	if k.Default != nil {
		s["default"] = k.Default
	}
	return s
}

// path is a text that is not left out.
func path() Schema {
	s := plain()
	s["type"] = scalar
	return s
}

// ConfigParts are the tables of the page on the configuration.
func ConfigParts() map[string]string {
	var b strings.Builder
	b.WriteString("| key | value | default | variable | option | |\n|---|---|---|---|---|---|\n")
	for _, k := range config.Keys() {
		value := map[config.Form]string{config.Text: "text", config.Paths: "path, or list of them", config.Count: "integer", config.Flag: "true or false"}[k.Form]
		if len(k.Enum) > 0 {
			value = "`" + strings.Join(k.Enum, "`, `") + "`"
		}
		without := k.Unset
		if k.Default != nil {
			without = fmt.Sprintf("`%v`", k.Default)
		}
		option := ""
		if k.Option != "" {
			option = "`--" + k.Option + "`"
		}
		variable := "`" + k.Env() + "`"
		if k.Also != "" {
			variable += ", last `" + k.Also + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, cell(value), without, variable, option, cell(k.Doc))
	}
	return map[string]string{"settings": b.String()}
}
