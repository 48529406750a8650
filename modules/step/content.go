package step

import (
	"fmt"

	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/virt"
)

// Prose is a text of which the step has to know whether a secret went into it:
// what it makes of the text must not show it either.
type Prose struct {
	Text   string
	Secret bool
}

// Decode reads any scalar, as it was written.
func (p *Prose) Decode(n *source.Node) error {
	text, ok := Text(n)
	if !ok {
		return fmt.Errorf("wanted a text, found %s; to_json or to_yaml makes one of it", n.Kind)
	}
	*p = Prose{Text: text, Secret: n.Secret}
	return nil
}

// Shape describes any text.
func (*Prose) Shape() Shape { return Shape{Word: "text", Text: true} }

// ContentArgs are the arguments of steps that write a file: what it is to hold.
type ContentArgs struct {
	Content  Opt[Prose]    `arg:"content" doc:"the whole content, as text"`
	Src      Opt[string]   `arg:"src" doc:"a file of the project whose content to use as it is"`
	Template Opt[Template] `arg:"template" doc:"a file of the project, or of the role's templates, whose expressions are replaced by their values"`
}

// Check demands one source of the content; word is the step's.
func (c *ContentArgs) Check(v *Validation, word string) { v.OneOf(word, "content", "src", "template") }

// Bytes gives what the file is to hold, and whether a secret went into it. What
// only the run will show is virt.ErrUndecided; object is what it is for.
func (c *ContentArgs) Bytes(env *Env, object virt.Ref) (content []byte, secret bool, err error) {
	if src, ok := c.Src.Get(); ok {
		content, err = env.Files.ReadFile(src)
		return content, false, err
	}
	if t, ok := c.Template.Get(); ok {
		return []byte(t.Text), t.Secret, nil
	}
	if p, ok := c.Content.Get(); ok {
		return []byte(p.Text), p.Secret, nil
	}
	return nil, false, &virt.Error{Kind: virt.ErrUndecided, Object: object, Summary: "the content is known only afterwards"}
}
