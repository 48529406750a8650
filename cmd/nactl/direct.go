package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/virt"
)

// A direct command is a step with one target: what is typed becomes the step's
// arguments, and the runner plays them. So plans, verification, masking and the
// words of errors are those of playbooks, and no change is made in two ways.

// direct is what a direct command works with.
type direct struct {
	*setup
	targets []inventory.Target // that --target leaves; else all that "all" names
}

// targetFlags say where a direct command looks.
func targetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
		vaultIdentityFlag(),
		askPassFlag(),
		&cli.StringFlag{Name: "target", Aliases: []string{"l", "limit"}, Value: "all", Usage: "the target, or only targets that `PATTERN` names; left out: wherever the VM is"},
	}
}

// changeFlags are those of direct commands that change something.
func changeFlags(more ...cli.Flag) []cli.Flag {
	return slices.Concat(more, targetFlags(), []cli.Flag{
		&cli.BoolFlag{Name: "check", Aliases: []string{"C"}, Usage: "change nothing, show what would be done"},
		&cli.BoolFlag{Name: "diff", Aliases: []string{"D"}, Usage: "show all fields and the differences of texts"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more; may be repeated", Count: new(int)},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "human", Usage: "`FORMAT`: human, json, yaml or quiet"},
		&cli.StringFlag{Name: "color", Value: "auto", Usage: "`WHEN`: auto, always or never"},
	})
}

// readFlags are those of direct commands that only look.
func readFlags(formats string, more ...cli.Flag) []cli.Flag {
	return slices.Concat(more, targetFlags(), []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + formats},
		&cli.StringFlag{Name: "out", Usage: "write to `FILE`, which is replaced as a whole"},
	})
}

// yesFlag is that of commands that destroy something.
func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask first"}
}

// direct loads the inventory. Nothing is opened yet; whoever gets it closes it.
func (a *application) direct(c *cli.Context) (*direct, error) {
	id, err := runID()
	if err != nil {
		return nil, err
	}
	s := &setup{app: a, ctx: c.Context, c: c, sources: a.sources(c), id: id, check: c.Bool("check")}
	inv, list := a.loadInventory(c, c.StringSlice("inventory"), s.sources)
	if err := s.report(list); err != nil {
		return nil, err
	}
	s.inv = inv
	targets, list := inv.SelectText(c.String("target"), "--target")
	if err := s.report(list); err != nil {
		return nil, err
	}
	s.conns = a.newConnections(inv, id)
	if err := s.askPass(); err != nil {
		return nil, err
	}
	return &direct{setup: s, targets: targets}, nil
}

// onDirect runs a direct command, and closes what it opened.
func (a *application) onDirect(run func(*direct) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		d, err := a.direct(c)
		if err != nil {
			return err
		}
		defer d.close()
		return run(d)
	}
}

// arguments are those of a step, as options and words of the command line say
// them. Each knows where it was typed, for messages.
type arguments struct{ entries []source.Entry }

// set says one argument, at the place that from names, as --max.
func (a *arguments) set(key, from string, v any) {
	at := diag.Range{Pos: diag.Pos{File: from}}
	a.entries = append(a.entries, source.Entry{Key: source.FromAny(key, at), Value: verbatim(v, at)})
}

// typed says an argument that is a number, a size, a time or a truth: it is read
// as YAML reads it.
func (a *arguments) typed(key, from, text string) {
	at := diag.Range{Pos: diag.Pos{File: from}}
	a.set(key, from, inline(text, at))
}

// option says an argument by the option of that name, if it was given.
func (a *arguments) option(c *cli.Context, key, name string) {
	if !c.IsSet(name) {
		return
	}
	from := "--" + name
	switch v := c.Value(name).(type) {
	case cli.StringSlice:
		a.set(key, from, c.StringSlice(name))
	default:
		a.set(key, from, v)
	}
}

// options says several of them, each by its name with - for _.
func (a *arguments) options(c *cli.Context, keys ...string) {
	for _, key := range keys {
		a.option(c, key, strings.ReplaceAll(key, "_", "-"))
	}
}

// measured says arguments that are typed, each by the option of its name.
func (a *arguments) measured(c *cli.Context, keys ...string) {
	for _, key := range keys {
		if name := strings.ReplaceAll(key, "_", "-"); c.IsSet(name) {
			a.typed(key, "--"+name, c.String(name))
		}
	}
}

// node gives the mapping.
func (a *arguments) node(at diag.Range) *source.Node {
	n := source.FromAny(map[string]any{}, at)
	n.Entries = a.entries
	return n
}

// verbatim makes a node of what was typed: texts in it are no expressions.
func verbatim(v any, at diag.Range) *source.Node {
	switch v := v.(type) {
	case string:
		n := source.FromAny(v, at)
		n.Literal = true
		return n
	case []string:
		items := make([]any, len(v))
		for i, s := range v {
			items[i] = verbatim(s, at)
		}
		return source.FromAny(items, at)
	case []*arguments:
		items := make([]any, len(v))
		for i, each := range v {
			items[i] = each.node(at)
		}
		return source.FromAny(items, at)
	case *arguments:
		return v.node(at)
	case map[string]string:
		m := map[string]any{}
		for k, s := range v {
			m[k] = verbatim(s, at)
		}
		return source.FromAny(m, at)
	default:
		return source.FromAny(v, at)
	}
}

// command is a step that a direct command plays.
type command struct {
	word string
	args *arguments
	keys map[string]any // further keys of the step, as failed_when
}

// ending is how a step that was played ended.
type ending struct {
	code    int
	changed bool
	result  event.Result // with its output as the step gave it: not masked
}

// play plays one step on one target, and shows what readers say. Errors are
// those that kept it from being played.
func (d *direct) play(target string, cmd command, readers ...event.Reader) (*ending, error) {
	var at diag.Range // nowhere: only what was typed has a place
	step := map[string]any{cmd.word: cmd.args.node(at)}
	for k, v := range cmd.keys {
		step[k] = v
	}
	book := source.FromAny([]any{map[string]any{"targets": verbatim(target, at), "steps": []any{step}}}, at)
	return d.run(book, d.check, readers...)
}

// run plays a playbook, or makes a plan of it.
func (d *direct) run(book *source.Node, check bool, readers ...event.Reader) (*ending, error) {
	world := d.world(d.inv)
	options := engine.Options{
		RunID: d.id, Version: version, Inventory: d.inv.Files, Check: check, Verbosity: 2, Mask: d.mask(),
	}
	if u, err := user.Current(); err == nil {
		options.User = u.Username
	}
	prepared, list := engine.PrepareNode(d.ctx, d.name(), book, d.sources, modules.Registry(), world, options)
	if err := d.refuse(list); err != nil {
		return nil, err
	}
	writer := event.NewWriter(d.id, options.Mask, nil, readers...)
	tap := &tap{Sink: writer}
	options.Sink = tap
	code := engine.Run(d.ctx, prepared, world, options)
	if err := writer.Close(); err != nil {
		return nil, exitError{engine.ExitUnexpected, err}
	}
	return &ending{code: code, changed: tap.changed, result: tap.result}, nil
}

// name is what the command is called in events and messages.
func (d *direct) name() string {
	if d.app.old != nil {
		return d.app.old.name
	}
	return d.c.Command.HelpName
}

// refuse says what is wrong with what was typed. Warnings are for authors of
// playbooks: whoever types a command means it.
func (d *direct) refuse(list diag.List) error {
	var errs diag.List
	for _, e := range list {
		if e.Severity == diag.Error {
			errs = append(errs, e)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	errs.Sort()
	if err := d.tell(errs); err != nil {
		return err
	}
	return exitError{engine.ExitOptions, nil}
}

// tap keeps the end of the step on its way to the writer.
type tap struct {
	event.Sink
	result  event.Result
	changed bool
}

// Emit passes on.
func (t *tap) Emit(e event.Event) {
	switch e := e.(type) {
	case event.Result:
		t.result = e
	case event.Recap:
		t.changed = slices.ContainsFunc(e.Targets, func(t event.TargetRecap) bool { return t.Changed > 0 })
	}
	t.Sink.Emit(e)
}

// change plays a step and shows what it changed, as --output says.
func (d *direct) change(target string, cmd command) error {
	view, err := d.app.newChangeView(d.c, d.check)
	if err != nil {
		return err
	}
	end, err := d.play(target, cmd, view.reader)
	if err != nil {
		return err
	}
	if err := view.show(end.code); err != nil {
		return err
	}
	if end.code != engine.ExitOK {
		return exitError{end.code, nil}
	}
	return nil
}

// confirm asks before something is destroyed; what names it, as "delete vm web-1".
func (d *direct) confirm(what, target string) error {
	if d.check || d.c.Bool("yes") {
		return nil
	}
	ask := d.app.asker()
	if ask == nil {
		return exitError{engine.ExitOptions, fmt.Errorf("this would %s on %s, and nobody can be asked here: say --yes", what, target)}
	}
	answer, err := ask(d.ctx, fmt.Sprintf("%s on %s? [y/N]", what, target), false)
	if errors.Is(err, errNoAnswer) {
		answer, err = "", nil
	}
	if err != nil {
		return interruptedError(d.ctx, err)
	}
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return exitError{engine.ExitOptions, errors.New("not confirmed; nothing was touched")}
	}
	return nil
}

// interruptedError gives the exit code of a signal where one ended what was done.
func interruptedError(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), engine.ErrTerminated):
		return exitError{engine.ExitTerminated, nil}
	case ctx.Err() != nil:
		return exitError{engine.ExitInterrupted, nil}
	}
	return err
}

// readError gives the exit code of a look that failed, and all that its error has
// to say.
func (d *direct) readError(err error) error {
	var own exitError
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case d.ctx.Err() != nil:
		return interruptedError(d.ctx, err)
	case isAway(err):
		return exitError{engine.ExitUnreachable, errors.New(atLength(err))}
	default:
		return exitError{engine.ExitFailed, errors.New(atLength(err))}
	}
}

// isAway tells whether a target could not be asked.
func isAway(err error) bool {
	return errors.Is(err, virt.ErrUnreachable) || errors.Is(err, virt.ErrAuth)
}

// atLength gives an error with what was wanted, what was found and what to do.
func atLength(err error) string { return failureText(event.NewFailure(err)) }

// failureText gives a failure with what was wanted, what was found and what to do.
func failureText(f *event.Failure) string {
	text := f.Summary
	if f.Object != nil {
		text = f.Object.String() + ": " + text
	}
	for _, x := range []struct{ name, text string }{{"wanted", f.Wanted}, {"found", f.Found}, {"cause", f.Cause}, {"do", f.Do}} {
		if x.text != "" {
			text += fmt.Sprintf("\n  %-8s%s", x.name, strings.ReplaceAll(x.text, "\n", "\n          "))
		}
	}
	for _, m := range f.More {
		text += "\n  also    " + m.Summary
	}
	return text
}

// mapping reads one of several arguments as in a playbook, without the braces:
// name: data, size: 20GiB. A text alone is what short makes of it.
func mapping(text, from string, short func(a *arguments, from, text string)) (*source.Node, error) {
	at := diag.Range{Pos: diag.Pos{File: from}}
	if !strings.Contains(text, ": ") {
		args := &arguments{}
		short(args, from, text)
		return args.node(at), nil
	}
	n, list := source.Parse(from, []byte("{"+text+"}"))
	if err := list.Err(); err != nil {
		return nil, exitError{engine.ExitOptions, err}
	}
	if n == nil || n.Kind != source.Map {
		return nil, exitError{engine.ExitOptions, fmt.Errorf("%s wants 'name: value, …', found %q", from, text)}
	}
	literally(n)
	return n, nil
}

// literally takes the texts of a node as they are, whatever they look like.
func literally(n *source.Node) {
	n.Literal = n.Kind == source.String
	for _, item := range n.Items {
		literally(item)
	}
	for _, e := range n.Entries {
		literally(e.Value)
	}
}
