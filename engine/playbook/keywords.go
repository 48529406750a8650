package playbook

import (
	"slices"
	"strconv"
	"time"

	"github.com/nactl/nactl/engine/source"
)

// The tables are set by init, not at their declaration: what they call reads them
// again, for steps may hold steps.
func init() {
	playWords = newKeywords(
		text(Keyword{Name: "name", Doc: "what the play is for, for people; part of the stable id of its steps"}, func(p *Play) *string { return &p.Name }),
		value(Keyword{Name: "targets", Form: Pattern, Required: true, Doc: "nodes, clusters, engines and groups of the inventory: names, globs, ranges, `&` for \"and\", `!` for \"not\"; a list means \"or\""},
			func(p *Play) **source.Node { return &p.Targets }),
		variables(Keyword{Name: "vars", Doc: "variables of the play; they may hold expressions and are evaluated when they are read"}, func(p *Play) *[]Var { return &p.vars }),
		keyword[Play]{Keyword{Name: "vars_files", Form: Texts, Doc: "files of variables, beside the playbook; `vars` wins over them"},
			func(l *loader, p *Play, e source.Entry) {
				files := []*source.Node{e.Value}
				if e.Value.Kind == source.List {
					files = e.Value.Items
				}
				for _, f := range files {
					for _, name := range l.texts(source.Entry{Key: e.Key, Value: f}) {
						vars, known := l.varsFile(name, f.Range)
						p.varsFiles, p.varsMissing = append(p.varsFiles, vars...), p.varsMissing || !known
					}
				}
			}},
		count(Keyword{Name: "forks", Least: 1, Doc: "at most so many targets side by side; left out: what `--forks` says"}, func(p *Play) *int { return &p.Forks }),
		duration(Keyword{Name: "timeout", Doc: "how long each step of the play may take, unless it says so itself"}, func(p *Play) *time.Duration { return &p.Timeout }),
		keyword[Play]{Keyword{Name: "environment", Form: Environment, Doc: "environment variables of the commands that steps run; those of a block, of a step and of its `env` win"},
			func(l *loader, p *Play, e source.Entry) {
				if n := l.environment(e); n != nil {
					p.environment = []*source.Node{n}
				}
			}},
		flag(Keyword{Name: "no_log", Default: "false", Doc: "hide arguments and results of all steps"}, func(p *Play) *bool { return &p.NoLog }),
		texts(Keyword{Name: "tags", Doc: "tags of all steps, for `--tags` and `--skip-tags`"}, func(p *Play) *[]string { return &p.Tags }),
		keyword[Play]{Keyword{Name: "steps", Form: StepList, Required: true, Instead: "roles", Doc: "what to do, in this order: steps, blocks and included files"},
			func(l *loader, p *Play, e source.Entry) { p.Body = l.nodes(e.Value, inherited{}) }},
		keyword[Play]{Keyword{Name: "roles", Form: RoleList, Doc: "roles that run before the steps: names, or mappings as `{role: web, vars: {port: 80}}`"},
			func(l *loader, p *Play, e source.Entry) { p.roles = l.roles(e.Value) }},
		keyword[Play]{Keyword{Name: "vars_prompt", Form: PromptList, Doc: "variables that are asked for before the run, unless `-e` gives them"},
			func(l *loader, p *Play, e source.Entry) { p.Prompts = l.prompts(e.Value) }},
		keyword[Play]{Keyword{Name: "inputs", Form: InputMap, Doc: "variables that the play wants to be told, with their types"},
			func(l *loader, p *Play, e source.Entry) { p.Inputs = l.inputs(e.Value) }},
		keyword[Play]{Keyword{Name: "handlers", Form: StepList, Doc: "steps that run once, in this order, when a step that changed something has notified them: at the end of the play and at `flush_handlers`"},
			func(l *loader, p *Play, e source.Entry) { p.Handlers = l.handlers(e.Value, inherited{}) }},
		keyword[Play]{Keyword{Name: "serial", Form: Shares, Doc: "so many targets at a time: `2`, `25%`, or a list as `[1, 5, 100%]` whose last holds for the rest"},
			func(l *loader, p *Play, e source.Entry) { l.serial(p, e) }},
		keyword[Play]{Keyword{Name: "strategy", Form: Text, Enum: []string{string(Linear), string(Free)}, Default: string(Linear), Doc: "`linear`: each step ends on all targets before the next begins; `free`: each target goes as fast as it can"},
			func(l *loader, p *Play, e source.Entry) { l.strategy(p, e) }},
		keyword[Play]{Keyword{Name: "max_fail_percentage", Form: Percent, Doc: "the run ends when more targets than that have failed, in percent of the batch"},
			func(l *loader, p *Play, e source.Entry) { p.MaxFailPercentage = l.percentage(e) }},
		flag(Keyword{Name: "any_errors_fatal", Default: "false", Doc: "the run ends on all targets when one fails"}, func(p *Play) *bool { return &p.AnyErrorsFatal }),
		flag(Keyword{Name: "force_handlers", Default: "false", Doc: "run notified handlers on targets that failed, too"}, func(p *Play) *bool { return &p.ForceHandlers }),
	)
	stepWords = newKeywords(
		text(Keyword{Name: "name", Doc: "what the step is for, for people; part of its stable id"}, func(s *Step) *string { return &s.Name }),
		value(Keyword{Name: "when", Form: Condition, Doc: "do the step only where this holds; a list means \"and\""}, func(s *Step) **source.Node { return &s.when }),
		keyword[Step]{Keyword{Name: "loop", Form: Items, Doc: "do the step once for each item, which expressions read as `item`"},
			func(l *loader, s *Step, e source.Entry) { s.Loop = l.items(e) }},
		identifier(Keyword{Name: "loop_var", Default: "item", Needs: "loop", Doc: "what expressions call the item"}, "a loop variable", func(s *Step) *string { return &s.LoopVar }),
		value(Keyword{Name: "loop_label", Form: Value, Needs: "loop", Doc: "what reports call the item; left out: its name"}, func(s *Step) **source.Node { return &s.LoopLabel }),
		count(Keyword{Name: "parallel", Least: 1, Default: "1", Needs: "loop", Doc: "so many items side by side"}, func(s *Step) *int { return &s.Parallel }),
		identifier(Keyword{Name: "register", Doc: "keep the result under this name; its fields are known when the playbook is loaded"}, "a registered result", func(s *Step) *string { return &s.Register }),
		value(Keyword{Name: "until", Form: Condition, Doc: "do the step again until this holds; `result` is the step's own"}, func(s *Step) **source.Node { return &s.until }),
		count(Keyword{Name: "retries", Default: strconv.Itoa(defaultRetries), Needs: "until", Doc: "how often again"}, func(s *Step) *int { return &s.Retries }),
		duration(Keyword{Name: "delay", Default: defaultDelay.String(), Needs: "until", Doc: "how long between two attempts"}, func(s *Step) *time.Duration { return &s.Delay }),
		value(Keyword{Name: "changed_when", Form: Condition, Doc: "what counts as a change; `result` is the step's own"}, func(s *Step) **source.Node { return &s.changedWhen }),
		value(Keyword{Name: "failed_when", Form: Condition, Doc: "what counts as a failure; `result` is the step's own"}, func(s *Step) **source.Node { return &s.failedWhen }),
		flag(Keyword{Name: "ignore_errors", Default: "false", Doc: "go on after a failure"}, func(s *Step) *bool { return &s.IgnoreErrors }),
		texts(Keyword{Name: "tags", Doc: "for `--tags` and `--skip-tags`; `always` and `never` as in Ansible"}, func(s *Step) *[]string { return &s.Tags }),
		variables(Keyword{Name: "vars", Doc: "variables for this step"}, func(s *Step) *[]Var { return &s.Vars }),
		keyword[Step]{Keyword{Name: "environment", Form: Environment, Doc: "environment variables of the commands that the step runs; those of its `env` win"},
			func(l *loader, s *Step, e source.Entry) {
				if n := l.environment(e); n != nil {
					s.Environment = append(s.Environment, n)
				}
			}},
		duration(Keyword{Name: "timeout", Doc: "how long the step may take"}, func(s *Step) *time.Duration { return &s.Timeout }),
		flag(Keyword{Name: "no_log", Default: "false", Doc: "hide arguments and results"}, func(s *Step) *bool { return &s.NoLog }),
		flag(Keyword{Name: "verify", Default: "true", Doc: "prove after a change that it took, by a second look"}, func(s *Step) *bool { return &s.Verify }),
		keyword[Step]{Keyword{Name: "check_mode", Form: True, Doc: "`true`: only show what the step would do, also in a play"},
			func(l *loader, s *Step, e source.Entry) { s.CheckMode = l.checkMode(e) }},
		flag(Keyword{Name: "run_once", Default: "false", Doc: "do the step on the first target only, for all of them: they have its result, too"}, func(s *Step) *bool { return &s.RunOnce }),
		value(Keyword{Name: "delegate_to", Form: Value, Doc: "the target on which the step acts; its variables stay those of the target that it runs for"}, func(s *Step) **source.Node { return &s.DelegateTo }),
		count(Keyword{Name: "throttle", Least: 1, Doc: "at most so many targets side by side"}, func(s *Step) *int { return &s.Throttle }),
		keyword[Step]{Keyword{Name: "notify", Form: Texts, Doc: "handlers, by name or topic, that run when this step changed something"},
			func(l *loader, s *Step, e source.Entry) { s.notify = terms(e.Value) }},
		texts(Keyword{Name: "listen", Doc: "of a handler: topics that notify it, beside its name"}, func(s *Step) *[]string { return &s.listen }),
	)
	blockWords = newKeywords(slices.Concat([]keyword[Block]{
		{Keyword{Name: "block", Form: StepList, Required: true, Doc: "steps that stand or fall together"}, nil},
		{Keyword{Name: "rescue", Form: StepList, Doc: "steps that take over where one of the block fails; they read `failed_step` and `failed_result`"}, nil},
		{Keyword{Name: "always", Form: StepList, Doc: "steps that run in any case, at the end"}, nil},
	}, heading())...)
	includeWords = newKeywords(slices.Concat([]keyword[Block]{
		{Keyword{Name: "include", Form: Text, Required: true, Doc: "a file of steps, beside this file; its path is literal, so that every step is checked before the run"}, nil},
	}, heading())...)
	promptWords = newKeywords(
		keyword[Prompt]{Keyword{Name: "name", Form: Identifier, Required: true, Doc: "the variable"},
			func(l *loader, p *Prompt, e source.Entry) {
				p.Name = l.text(e)
				l.name(e.Value, p.Name, "a variable")
			}},
		text(Keyword{Name: "prompt", Doc: "the question; left out: the name"}, func(p *Prompt) *string { return &p.Text }),
		value(Keyword{Name: "default", Form: Value, Doc: "the value of an empty answer"}, func(p *Prompt) **source.Node { return &p.Default }),
		flag(Keyword{Name: "private", Default: "true", Doc: "the answer is not shown while it is typed, and masked afterwards"}, func(p *Prompt) *bool { return &p.Private }),
		flag(Keyword{Name: "confirm", Default: "false", Doc: "ask twice"}, func(p *Prompt) *bool { return &p.Confirm }),
	)
	roleWords = newKeywords(slices.Concat([]keyword[Block]{
		{Keyword{Name: "role", Form: Text, Required: true, Doc: "a role, by its folder in `roles/`"}, nil},
	}, heading())...)
	inputWords = newKeywords(
		text(Keyword{Name: "type", Enum: inputTypes, Doc: "string, integer, number, boolean, list, map, size or duration; left out: anything"}, func(in *Input) *string { return &in.Type }),
		text(Keyword{Name: "doc", Doc: "what it is for, for people"}, func(in *Input) *string { return &in.Doc }),
		value(Keyword{Name: "default", Form: Value, Doc: "the value where nothing else gives one"}, func(in *Input) **source.Node { return &in.Default }),
		keyword[Input]{Keyword{Name: "enum", Form: List, Doc: "the values that it can have"},
			func(l *loader, in *Input, e source.Entry) {
				if e.Value.Kind != source.List {
					l.errorf(e.Value.Range, "type", "enum: wanted a list of values, found %s", e.Value.Kind)
				}
				in.Enum = e.Value.Items
			}},
		text(Keyword{Name: "pattern", Doc: "a regular expression that the whole text has to match"}, func(in *Input) *string { return &in.Pattern }),
		flag(Keyword{Name: "required", Default: "false", Doc: "it has to be given: with `-e`, in `vars`, or by the inventory"}, func(in *Input) *bool { return &in.Required }),
		flag(Keyword{Name: "secret", Default: "false", Doc: "its value is never shown"}, func(in *Input) *bool { return &in.Secret }),
	)
	importWords = newKeywords(
		keyword[Play]{Keyword{Name: "import", Form: Text, Required: true, Doc: "a playbook, beside this file, whose plays stand here"}, nil},
		text(Keyword{Name: "name", Doc: "what the import is for, for people"}, func(p *Play) *string { return &p.Name }),
		texts(Keyword{Name: "tags", Doc: "tags of all its steps"}, func(p *Play) *[]string { return &p.Tags }),
	)
}

// heading are the keys by which a block or an include speaks for all its steps.
func heading() []keyword[Block] {
	return []keyword[Block]{
		text(Keyword{Name: "name", Doc: "what the steps are for, for people; part of their stable ids"}, func(b *Block) *string { return &b.Name }),
		keyword[Block]{Keyword{Name: "when", Form: Condition, Doc: "do the steps only where this holds; it is asked before each of them"},
			func(_ *loader, b *Block, e source.Entry) { b.when = append(b.when, terms(e.Value)...) }},
		keyword[Block]{Keyword{Name: "loop", Form: Items, Doc: "do all the steps once for each item, which expressions read as `item`"},
			func(l *loader, b *Block, e source.Entry) { b.Loop = l.items(e) }},
		identifier(Keyword{Name: "loop_var", Default: "item", Needs: "loop", Doc: "what expressions call the item"}, "a loop variable", func(b *Block) *string { return &b.LoopVar }),
		value(Keyword{Name: "loop_label", Form: Value, Needs: "loop", Doc: "what reports call the item; left out: its name"}, func(b *Block) **source.Node { return &b.LoopLabel }),
		keyword[Block]{Keyword{Name: "vars", Form: Variables, Doc: "variables for the steps; those of a step win"},
			func(l *loader, b *Block, e source.Entry) { b.vars = append(b.vars, l.vars(e.Value)...) }},
		keyword[Block]{Keyword{Name: "environment", Form: Environment, Doc: "environment variables of the commands that the steps run; those of a step win"},
			func(l *loader, b *Block, e source.Entry) {
				if n := l.environment(e); n != nil {
					b.environment = append(b.environment, n)
				}
			}},
		keyword[Block]{Keyword{Name: "tags", Form: Texts, Doc: "tags of all the steps"},
			func(l *loader, b *Block, e source.Entry) { b.tags = append(b.tags, l.texts(e)...) }},
		keyword[Block]{Keyword{Name: "ignore_errors", Form: Flag, Default: "false", Doc: "go on after a failure of any of the steps"},
			func(l *loader, b *Block, e source.Entry) { b.ignoreErrors = l.boolean(e) || b.ignoreErrors }},
		keyword[Block]{Keyword{Name: "no_log", Form: Flag, Default: "false", Doc: "hide arguments and results of the steps"},
			func(l *loader, b *Block, e source.Entry) { b.noLog = l.boolean(e) || b.noLog }},
		keyword[Block]{Keyword{Name: "check_mode", Form: True, Doc: "`true`: only show what the steps would do, also in a play"},
			func(l *loader, b *Block, e source.Entry) { b.checkMode = l.checkMode(e) || b.checkMode }},
	}
}
