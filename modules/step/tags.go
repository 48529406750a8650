package step

import (
	"slices"

	"github.com/nactl/nactl/virt"
)

// Tags is an argument that says which tags a VM has: a list of those that it is
// to have, or a mapping.
type Tags struct {
	Add     []string      `arg:"add" doc:"it has these; others stay"`
	Remove  []string      `arg:"remove" doc:"it has none of these"`
	Exactly Opt[[]string] `arg:"exactly" doc:"it has these and no others"`
}

// Bare lets tags: [web] stand for what is added.
func (*Tags) Bare() string { return "add" }

// Edit gives what a change carries.
func (t Tags) Edit() virt.TagEdit {
	return virt.TagEdit{Add: t.Add, Remove: t.Remove, Exactly: t.Exactly.Opt}
}

// Check says what is wrong with the tags; key is the argument that they are in.
func (t Tags) Check(v *Validation, key string) {
	exactly := t.Exactly.Or(nil)
	if slices.Contains(slices.Concat(t.Add, t.Remove, exactly), "") {
		v.Errorf(key, "tags: a tag has no name")
	}
	if t.Exactly.IsSet() && len(t.Add)+len(t.Remove) > 0 {
		v.Errorf(key, "tags: exactly says it all; leave add and remove out")
	}
	for _, tag := range t.Add {
		if slices.Contains(t.Remove, tag) {
			v.Errorf(key, "tags: %q is both added and removed", tag)
		}
	}
}

// Say adds the tags to the fields that a Setter gives.
func (t Tags) Say(fields map[string]any) {
	for _, tag := range slices.Concat(t.Add, t.Exactly.Or(nil)) {
		fields["tags."+tag] = true
	}
	for _, tag := range t.Remove {
		fields["tags."+tag] = false
	}
}
