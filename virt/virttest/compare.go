package virttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// differ compares two values by their JSON form and tells what is different.
// What the first calls unknown may be anything, and so may what a prediction
// cannot know.
func (r *runner) differ(want, got any) []string {
	a, err := plain(want)
	if err != nil {
		return []string{err.Error()}
	}
	b, err := plain(got)
	if err != nil {
		return []string{err.Error()}
	}
	ignored := append([]string{"agent", "actual_size"}, r.Unpredicted...)
	return compare("", a, b, ignored)
}

// plain turns a value into what its JSON form holds.
func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out any
	err = d.Decode(&out)
	return out, err
}

func compare(path string, want, got any, ignored []string) []string {
	if isUnknown(want) {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			break
		}
		keys := map[string]bool{}
		for k := range want {
			keys[k] = true
		}
		for k := range got {
			keys[k] = true
		}
		var out []string
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if !slices.Contains(ignored, k) {
				out = append(out, compare(path+"."+k, want[k], got[k], ignored)...)
			}
		}
		return out
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			break
		}
		var out []string
		for i := range want {
			out = append(out, compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i], ignored)...)
		}
		return out
	default:
		if want == got {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %s, and then %s", path, show(want), show(got))}
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// isUnknown tells whether a value is what virt.UnknownValue looks like.
func isUnknown(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 1 && m["unknown"] == true
}
