package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/lint"
	"github.com/nactl/nactl/engine/playbook"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/modules"
	"github.com/nactl/nactl/modules/step"
	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/local"
)

// commonFlags are those of all commands that read playbooks and an inventory.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "inventory", Aliases: []string{"i"}, Usage: "inventory `FILE` or directory; may be repeated"},
		&cli.StringSliceFlag{Name: "extra-vars", Aliases: []string{"e"}, Usage: "variable as `NAME=VALUE`, NAME=@FILE or @FILE; may be repeated"},
		vaultIdentityFlag(),
		&cli.StringFlag{Name: "limit", Aliases: []string{"l"}, Usage: "only targets that `PATTERN` names, too"},
		&cli.StringSliceFlag{Name: "tags", Aliases: []string{"t"}, Usage: "only steps with one of these `TAGS`"},
		&cli.StringSliceFlag{Name: "skip-tags", Usage: "no steps with one of these `TAGS`"},
	}
}

func runFlags() []cli.Flag {
	return append(commonFlags(),
		askPassFlag(),
		&cli.IntFlag{Name: "forks", Aliases: []string{"f"}, Value: engine.DefaultForks, Usage: "at most `N` targets side by side"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "human", Usage: "`FORMAT`: human, json (one event a line) or quiet"},
		&cli.BoolFlag{Name: "diff", Aliases: []string{"D"}, Usage: "show all fields and the differences of texts"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more; may be repeated", Count: new(int)},
		&cli.StringFlag{Name: "color", Value: "auto", Usage: "`WHEN`: auto, always or never"},
		&cli.StringFlag{Name: "start-at", Usage: "begin with the step of this `NAME` or id"},
		&cli.BoolFlag{Name: "step", Usage: "ask before each step"},
		&cli.BoolFlag{Name: "list-steps", Usage: "list the steps with their tags and ids, and do nothing"},
		&cli.BoolFlag{Name: "list-targets", Usage: "list the targets of each play, and do nothing"},
		&cli.BoolFlag{Name: "list-tags", Usage: "list the tags of each play, and do nothing"},
		&cli.BoolFlag{Name: "syntax-check", Usage: "check everything that can be checked offline, and do nothing"},
		&cli.BoolFlag{Name: "force-handlers", Usage: "run notified handlers on targets that failed, too"},
		&cli.BoolFlag{Name: "timing", Usage: "tell afterwards which steps were slowest, and how often targets were asked"},
		&cli.StringFlag{Name: "annotations", Value: "auto", Usage: "say what went wrong as CI servers read it: `FORM` is github, gitlab:FILE, none or auto"},
		&cli.StringFlag{Name: "junit", Usage: "write a report to `FILE`, as CI servers read it"},
		&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 3 when something was changed, or would be"},
	)
}

func (a *application) playCommand() *cli.Command {
	flags := append(runFlags(),
		&cli.BoolFlag{Name: "check", Aliases: []string{"C"}, Usage: "change nothing, show what would be done"},
		&cli.StringFlag{Name: "plan", Usage: "play what the plan in `FILE` says, and nothing else"},
	)
	return &cli.Command{
		Name: "play", Usage: "play playbooks", ArgsUsage: "FILE…", Flags: flags, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.IsSet("plan") {
				return a.playPlan(c)
			}
			return a.play(c, c.Bool("check"))
		},
	}
}

func (a *application) planCommand() *cli.Command {
	flags := append(runFlags(),
		&cli.StringFlag{Name: "out", Usage: "keep the plan in `FILE`, for nactl play --plan"},
		&cli.StringSliceFlag{Name: "allow-undecided", Usage: "keep it although `STEP` (name, id or glob) is decided at run time; may be repeated"},
	)
	return &cli.Command{
		Name: "plan", Usage: "show what playbooks would change, field by field; change nothing", ArgsUsage: "FILE…", Flags: flags, OnUsageError: usageError,
		Action: func(c *cli.Context) error { return a.play(c, true) },
	}
}

// driftCommand is a plan whose only question is whether something differs.
func (a *application) driftCommand() *cli.Command {
	return &cli.Command{
		Name: "drift", Usage: "tell whether everything is as playbooks say; change nothing", ArgsUsage: "FILE…", Flags: runFlags(), OnUsageError: usageError,
		Description: "Exits with 0 when nothing differs, 3 when something does or when only a run could tell, 2 or 4 when it could not look.",
		Action:      func(c *cli.Context) error { return a.play(c, true) },
	}
}

func (a *application) play(c *cli.Context, check bool) error {
	files, err := fileArgs(c)
	if err != nil {
		return err
	}
	s, err := a.setup(c, requestOf(c, files), check)
	if err != nil {
		return err
	}
	if s.notes, err = a.newAnnotations(c); err != nil {
		return err
	}
	return s.noted(a.playOn(c, s, check))
}

// noted keeps the annotations of a run that ended with err.
func (s *setup) noted(err error) error {
	if kept := s.notes.keep(); kept != nil && err == nil {
		return kept
	}
	return err
}

// playOn plays what was asked for.
func (a *application) playOn(c *cli.Context, s *setup, check bool) error {
	prepared, world, options, err := s.prepare()
	if err != nil {
		return err
	}
	defer s.close()
	if asksToList(c) {
		return outline(a.stdout, c, prepared)
	}
	if err := s.ask(prepared, world, options); err != nil {
		return err
	}
	readers, err := a.readers(c, check)
	if err != nil {
		return err
	}
	report, err := newReport(c)
	if err != nil {
		return err
	}
	readers = append(append(readers, report.readers()...), s.notes.readers()...)
	var saving *savedPlan
	if c.IsSet("out") {
		if dir := filepath.Dir(c.String("out")); !isDir(dir) {
			return exitError{engine.ExitOptions, fmt.Errorf("--out: there is no folder %s", dir)}
		}
		if err := s.secretExtras(prepared); err != nil {
			return err
		}
		saving = newSavedPlan(c)
		readers = append(readers, saving)
	}
	code, changed, err := s.run(prepared, world, *options, readers...)
	if err != nil {
		return err
	}
	if err := report.keep(); err != nil {
		return err
	}
	if saving != nil {
		if err := saving.keep(s, code); err != nil {
			return err
		}
	}
	return ended(c, code, changed)
}

// ended turns the end of a run into that of the command.
func ended(c *cli.Context, code int, changed bool) error {
	if code == engine.ExitOK && changed && (c.Bool("detailed-exitcode") || c.Command.Name == "drift") {
		code = engine.ExitChanges
	}
	if code != engine.ExitOK {
		return exitError{code, nil}
	}
	return nil
}

// ask puts the questions that a run has before it begins.
func (s *setup) ask(p *engine.Prepared, w *engine.World, o *engine.Options) error {
	if o.Confirm && w.Ask == nil {
		return exitError{engine.ExitOptions, errors.New("--step asks before each step, and nobody can type here")}
	}
	if err := s.askPass(); err != nil {
		return err
	}
	o.Mask = s.mask()
	list, err := p.Ask(s.ctx, w, *o)
	if err != nil {
		return unanswered(err)
	}
	return s.report(list)
}

// run plays what was prepared, and tells whether something was changed, or would
// be.
func (s *setup) run(p *engine.Prepared, w *engine.World, o engine.Options, readers ...event.Reader) (code int, changed bool, err error) {
	writer := event.NewWriter(s.id, o.Mask, nil, readers...)
	watch := &changeWatch{Sink: writer}
	o.Sink = watch
	code = engine.Run(s.ctx, p, w, o)
	if err := writer.Close(); err != nil {
		return code, watch.any, exitError{engine.ExitUnexpected, err}
	}
	return code, watch.any, nil
}

// changeWatch notes whether a run changed something, or a plan would.
type changeWatch struct {
	event.Sink
	any bool
}

// Emit passes on.
func (w *changeWatch) Emit(e event.Event) {
	if r, ok := e.(event.Recap); ok {
		w.any = slices.ContainsFunc(r.Targets, func(t event.TargetRecap) bool { return t.Changed > 0 || t.Undecided > 0 })
	}
	w.Sink.Emit(e)
}

func fileArgs(c *cli.Context) ([]string, error) {
	files := c.Args().Slice()
	if len(files) == 0 {
		return nil, exitError{engine.ExitOptions, fmt.Errorf("name a playbook: nactl %s FILE", c.Command.Name)}
	}
	return files, nil
}

// runID gives a run a short name of its own.
func runID() (string, error) {
	b := make([]byte, 3)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// request is what a run is asked for: by options, or by a saved plan.
type request struct {
	files, inventory       []string
	extra                  map[string]*source.Node // beside those of -e
	limit, startAt         string
	tags, skipTags, extras []string
}

func requestOf(c *cli.Context, files []string) request {
	return request{
		files: files, inventory: c.StringSlice("inventory"), limit: c.String("limit"), startAt: c.String("start-at"),
		tags: tags(c, "tags"), skipTags: tags(c, "skip-tags"), extras: c.StringSlice("extra-vars"),
	}
}

// setup gathers what a run needs.
type setup struct {
	app     *application
	ctx     context.Context
	c       *cli.Context
	asked   request
	sources *source.Sources
	id      string // of the run
	check   bool
	conns   *connections
	notes   *annotations                    // that --annotations asks for, or nil
	inv     *inventory.Inventory            // once it is loaded
	beside  map[string]*inventory.Inventory // with the variables of a folder, for the plays that are imported from it
}

func (a *application) setup(c *cli.Context, asked request, check bool) (*setup, error) {
	id, err := runID()
	if err != nil {
		return nil, err
	}
	return &setup{app: a, ctx: c.Context, c: c, asked: asked, sources: a.sources(c), id: id, check: check}, nil
}

func (s *setup) close() {
	if s.conns == nil {
		return
	}
	if err := s.conns.close(); err != nil {
		fmt.Fprintf(s.app.stderr, "nactl: closing connections: %v\n", err)
	}
}

// prepare loads everything and reports every mistake at once.
func (s *setup) prepare() (*engine.Prepared, *engine.World, *engine.Options, error) {
	in, list := s.load()
	list = lint.Silence(list, s.sources)
	if err := s.report(list); err != nil {
		return nil, nil, nil, err
	}
	return in.prepared, in.world, in.options, nil
}

// input is what a command works on; empty where the inventory is broken.
type input struct {
	inventory *inventory.Inventory
	prepared  *engine.Prepared
	world     *engine.World
	options   *engine.Options
}

// load loads everything, and gives every mistake that there is. Without an
// inventory no names are known, and only the form of the playbooks is looked at.
func (s *setup) load() (input, diag.List) {
	var in input
	asked := &s.asked
	extra, list := extraVars(asked.extras, s.sources)
	maps.Copy(extra, asked.extra)
	asked.extra = extra
	inv, found := s.app.loadInventory(s.c, asked.inventory, s.sources)
	list.Add(found...)
	if inv != nil {
		inv, found = s.varsBeside(inv)
		list.Add(found...)
	}
	s.inv = inv
	if inv == nil {
		for _, file := range asked.files {
			_, found := playbook.Load(file, s.sources, modules.Registry())
			list.Add(found...)
		}
		return in, list
	}
	s.conns = s.app.newConnections(inv, s.id)
	world := s.world(inv)
	options := &engine.Options{
		RunID: s.id, Version: version, Inventory: inv.Files, Check: s.check, Forks: s.c.Int("forks"), Extra: extra,
		Tags: asked.tags, SkipTags: asked.skipTags, Verbosity: s.c.Count("verbose"), ForceHandlers: s.c.Bool("force-handlers"),
		StartAt: asked.startAt, Confirm: s.c.Bool("step"),
	}
	if u, err := user.Current(); err == nil {
		options.User = u.Username
	}
	prepared, found := engine.Prepare(s.ctx, asked.files, s.sources, modules.Registry(), world, *options)
	list.Add(found...)
	if limit := asked.limit; limit != "" && !list.HasErrors() && len(prepared.Targets()) == 0 {
		list.Errorf(diag.Range{Pos: diag.Pos{File: "--limit"}}, "limit", "%s leaves no target of these playbooks", limit)
	}
	return input{inv, prepared, world, options}, list
}

// varsBeside adds the variables beside the playbooks: a later playbook's folder wins
// over an earlier one's.
func (s *setup) varsBeside(inv *inventory.Inventory) (*inventory.Inventory, diag.List) {
	var list diag.List
	var seen []string
	for _, file := range s.asked.files {
		dir := filepath.Clean(filepath.Dir(file))
		if slices.Contains(seen, dir) {
			continue
		}
		seen = append(seen, dir)
		var found diag.List
		inv, found = inv.WithVarsBeside(dir, inventory.Options{Sources: s.sources})
		list.Add(found...)
	}
	return inv, list
}

// inventoryOf gives the inventory with the variables beside a playbook that another
// one imports: for its plays they are above all others. nil where there is nothing
// more than what all plays have.
func (s *setup) inventoryOf(file string) (*inventory.Inventory, diag.List) {
	dir := filepath.Clean(filepath.Dir(file))
	known := func(f string) bool { return filepath.Clean(filepath.Dir(f)) == dir }
	if file == "" || s.inv == nil || len(s.asked.files) == 0 || slices.ContainsFunc(s.asked.files, known) {
		return nil, nil
	}
	if inv, ok := s.beside[dir]; ok {
		return inv, nil
	}
	inv, list := s.inv.WithVarsBeside(dir, inventory.Options{Sources: s.sources})
	if inv == s.inv {
		inv = nil
	}
	if s.beside == nil {
		s.beside = map[string]*inventory.Inventory{}
	}
	s.beside[dir] = inv
	return inv, list
}

// varsBesideImport gives those variables by target.
func (s *setup) varsBesideImport(file string) (map[string]map[string]*source.Node, diag.List) {
	inv, list := s.inventoryOf(file)
	if inv == nil {
		return nil, list
	}
	out := map[string]map[string]*source.Node{}
	for _, t := range inv.All() {
		out[t.Name] = t.Vars.Nodes()
	}
	return out, list
}

// tags gives the tags of an option; commas separate them, too.
func tags(c *cli.Context, name string) []string {
	var out []string
	for _, v := range c.StringSlice(name) {
		for _, t := range strings.Split(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// report shows diagnostics on stderr, and gives an error when they stop the run.
func (s *setup) report(list diag.List) error {
	list.Sort()
	if err := s.tell(list); err != nil {
		return err
	}
	s.notes.found(s.masked(list))
	if !list.HasErrors() {
		return nil
	}
	fmt.Fprintf(s.app.stderr, "%s, nothing was touched\n", list.Tally())
	return exitError{engine.ExitInvalid, nil}
}

// world gives the runner what the inventory and this machine have.
func (s *setup) world(inv *inventory.Inventory) *engine.World {
	w := &engine.World{
		Groups: map[string][]string{},
		Open:   s.conns.open,
		Beside: s.varsBesideImport,
		Local:  local.New(),
		Image:  func(target, name string) (virt.ImageSource, error) { return inv.Image(name, target) },
		Files:  func(playbook string) step.Files { return project{filepath.Dir(playbook)} },
		Ask:    s.app.asker(),
		Host:   expr.LocalHost{Root: ".", Allow: s.app.allowedFiles()},
		Secret: func(ctx context.Context, n *source.Node) (string, error) {
			out, list := inventory.ResolveSecrets(ctx, n)
			if err := list.Err(); err != nil {
				return "", err
			}
			return out.Str, nil
		},
	}
	for _, t := range inv.All() {
		w.All = append(w.All, engineTarget(t))
		if t.Node == nil || t.Node.Cluster == "" {
			w.Groups["all"] = append(w.Groups["all"], t.Name)
		}
	}
	for _, g := range inv.Groups {
		w.Groups[g.Name] = g.Targets
	}
	limit := s.asked.limit
	w.Select = func(pattern *source.Node) ([]engine.Target, diag.List) {
		selected, list := inv.Select(pattern)
		if limit != "" && !list.HasErrors() {
			var found diag.List
			selected, found = inv.Limit(selected, source.FromAny(limit, diag.Range{Pos: diag.Pos{File: "--limit"}}))
			list.Add(found...)
		}
		var out []engine.Target
		for _, t := range selected {
			out = append(out, engineTarget(t))
		}
		return out, list
	}
	return w
}

func engineTarget(t inventory.Target) engine.Target {
	return engine.Target{Name: t.Name, Kind: string(t.Kind), Groups: t.Groups, Vars: t.Vars.Nodes()}
}

// errNoAnswer says that the input ended while something was asked.
var errNoAnswer = errors.New("the input ended before an answer came")

// terminal tells whether a stream is one.
func terminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && isTerminal(int(file.Fd()))
}
