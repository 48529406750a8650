package lint

import "slices"

// Rule is one kind of finding.
type Rule struct {
	ID      string
	Warning bool   // it can be a warning, which a comment can silence
	Why     string // one sentence or two
	Way     string // out of it
}

// Rules lists all rules, sorted by id. A rule of the loaders is an error unless it
// says otherwise.
func Rules() []Rule { return slices.Clone(rules) }

// Find gives a rule by its id.
func Find(id string) (Rule, bool) {
	for _, r := range rules {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}

func ids() []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.ID
	}
	return out
}

var rules = []Rule{
	{ID: "alias", Why: "An alias points nowhere, into itself, or makes a small file expand without end.", Way: "Write the value out, or name an anchor that stands before."},
	{ID: "argument", Why: "A step was given something that it does not take.", Way: "See `nactl doc STEP`."},
	{ID: "block", Why: "A block without steps, or rescue and always without a block, do nothing.", Way: "Put the steps that may fail under `block:`."},
	{ID: "check-mode", Why: "A plan that writes is no plan.", Way: "Declare with `unless` or `creates` what can be looked at, or read with `vm_facts`."},
	{ID: "cluster", Why: "A node that two clusters place VMs on would be counted twice.", Way: "Let a node be a member of one cluster."},
	{ID: "cluster-and-member", Why: "A cluster and its member as targets of one play would both work on the same VMs.", Way: "Select one or the other."},
	{ID: "colon", Why: "YAML reads `: ` inside plain text as a key.", Way: "Put the text in quotes."},
	{ID: "condition", Why: "A condition is a bare expression that is true or false; nothing is taken for true by itself.", Way: "Compare: `len(x) > 0`, `x != \"\"`."},
	{ID: "config", Why: "Settings that are not read, or that everybody can write, would decide without anybody knowing.", Way: "See docs/configuration.md; `nactl config dump` shows what holds."},
	{ID: "conflict", Why: "Two steps that set one field to different values undo each other in every run.", Way: "Keep one of them."},
	{ID: "control-character", Why: "What cannot be seen cannot be reviewed, and can steer a terminal.", Way: "Delete it, or write it as an escape in double quotes."},
	{ID: "cycle", Why: "A variable that needs itself has no value.", Way: "Give one of them another name or a value of its own."},
	{ID: "delegate", Why: "A step cannot act on what is no target.", Way: "Name one target of the inventory."},
	{ID: "depth", Why: "Nesting without end costs memory without end.", Way: "Flatten it, or take it from a file of variables."},
	{ID: "directive", Why: "YAML directives change how a file is read.", Way: "Delete the line that starts with %."},
	{ID: "documents", Why: "A second document in a file would be lost silently.", Way: "Make it a file of its own."},
	{ID: "duplicate-key", Why: "Of two equal keys one would be lost silently.", Way: "Delete one."},
	{ID: "dynamic-inventory", Why: "An executable inventory has to print one.", Way: "Run it by hand with `--list`."},
	{ID: "empty-document", Why: "A file without content does nothing.", Way: "Delete it, or write what it is for."},
	{ID: "empty-pattern", Why: "A play that runs nowhere is a mistake.", Way: "Look at the terms with & and !."},
	{ID: "encoding", Why: "Other encodings than UTF-8 are read differently everywhere.", Way: "Save the file as UTF-8."},
	{ID: "encrypted", Why: "An encrypted file needs its key.", Way: "Name an identity that can open it."},
	{ID: "environment", Why: "Shells know no variable of such a name.", Way: "Use letters, digits and _."},
	{ID: "expression", Why: "The expression cannot be compiled.", Way: "See the functions in docs/language.md."},
	{ID: "expression-empty", Why: "There is nothing between the braces.", Way: "Write an expression, or leave the braces out."},
	{ID: "expression-key", Why: "Keys are read before expressions are.", Way: "Build the mapping in an expression."},
	{ID: "expression-open", Why: "The {{ has no }}.", Way: "Close it, or write {{ \"{{\" }} for the braces themselves."},
	{ID: "expression-size", Why: "Very long or deep expressions cannot be bounded in time.", Way: "Split it with `vars`."},
	{ID: "expression-syntax", Why: "The expression is not well formed.", Way: "See docs/language.md, Expressions."},
	{ID: "expression-type", Why: "The operator or function does not fit the type of its value.", Way: "Convert: `int()`, `string()`, `len()`."},
	{ID: "extra-vars", Why: "-e was not understood.", Way: "Write NAME=VALUE, NAME=@FILE or @FILE."},
	{ID: "group-cycle", Why: "A group that contains itself has no members.", Way: "Take one of the children out."},
	{ID: "handlers", Why: "A notification that reaches nobody, or a handler that cannot run, is a mistake.", Way: "Name a handler of the play, or a topic that one listens to."},
	{ID: "include", Why: "A file that includes itself has no end.", Way: "Move the steps that both need into a third file."},
	{ID: "import", Why: "The path of an import must be known before the run.", Way: "Write it out."},
	{ID: "inputs", Why: "A role or play was not given what it declares, or something else.", Way: "See its `inputs`."},
	{ID: "inventory", Why: "The inventory cannot be read.", Way: "See docs/inventory.md."},
	{ID: "jinja", Why: "Expressions are expr-lang, not Jinja.", Way: "The message has the word for it."},
	{ID: "jump", Why: "Nodes that are reached through each other are never reached.", Way: "Take one of the jumps out."},
	{ID: "key", Why: "Keys are short texts.", Way: "Quote it, or shorten it."},
	{ID: "limit", Why: "--limit leaves nothing to do.", Way: "Look at the targets of the plays."},
	{ID: "maybe-unset", Why: "On some way to this place nothing gives the variable a value.", Way: "Give it one in `vars`, or write `default(x, …)`."},
	{ID: "merge", Why: "A merge key takes mappings.", Way: "Name anchors of mappings behind `<<:`."},
	{ID: "missing-key", Why: "What is required was left out.", Way: "Add it."},
	{ID: "name", Why: "Expressions could not use a variable of that name.", Way: "Use letters, digits and _, and none of nactl's own names."},
	{ID: "name-clash", Why: "Names of targets and groups share one space.", Way: "Rename one."},
	{ID: "number", Why: "The number is too large, or can be read in two ways.", Way: "Put it in quotes where it is a text."},
	{ID: "pattern", Why: "The pattern of targets is not well formed.", Way: "See docs/inventory.md, Which targets."},
	{ID: "play", Why: "A play needs targets and steps.", Way: "Add what is missing."},
	{ID: "playbook", Why: "A playbook is a list of plays.", Way: "Begin with `- name: …`."},
	{ID: "range", Why: "The range cannot be expanded.", Way: "Write it as [01:20], with as many values everywhere."},
	{ID: "read", Why: "The file cannot be read.", Way: "Check its path and its permissions."},
	{ID: "roles", Why: "There is no such role, or its folder is not one.", Way: "A role is a folder `roles/NAME` with steps, beside the playbook."},
	{ID: "serial", Why: "Batches are numbers or percentages above zero.", Way: "Write 2, 25% or a list of these."},
	{ID: "size", Why: "The file is larger than any playbook.", Way: "Split it."},
	{ID: "start-at", Why: "--start-at names no step, or several.", Way: "`nactl play --list-steps` has the names and ids."},
	{ID: "step", Why: "A step has one step word, and keys that make sense together.", Way: "Split it, or add what the key needs."},
	{ID: "steps", Why: "Steps are a list.", Way: "Begin each with `- `."},
	{ID: "strategy", Why: "There is no such strategy.", Way: "Write linear or free."},
	{ID: "syntax", Why: "This is not YAML.", Way: "The message has the place and the usual fix."},
	{ID: "tab", Why: "YAML forbids tabs in indentation.", Way: "Use blanks."},
	{ID: "tag", Why: "YAML tags make values of other types than they seem.", Way: "Delete it."},
	{ID: "template", Why: "A template is checked before the run, so its file must be known.", Way: "Name a file of the project, or of the role's templates/."},
	{ID: "type", Why: "The value is of another type than the key takes.", Way: "`true` and `false` for booleans; sizes and durations with their unit."},
	{ID: "undefined", Why: "The value has no such member.", Way: "Register it first, or write `default(x, …)`."},
	{ID: "unknown-group", Why: "The inventory has no such group.", Way: "Check its spelling."},
	{ID: "unknown-key", Why: "A key that nobody reads does nothing.", Way: "Check its spelling; Ansible's other words are named in the message."},
	{ID: "unknown-name", Why: "No variable of that name exists on every target.", Way: "Define it, or write `default(x, …)`."},
	{ID: "unknown-node", Why: "The inventory has no such node.", Way: "Check its spelling."},
	{ID: "unknown-step", Why: "There is no such step.", Way: "`nactl doc` lists them."},
	{ID: "unknown-target", Why: "The inventory has no such target.", Way: "Check its spelling."},
	{ID: "unquoted-expression", Why: "YAML takes {{ for a mapping.", Way: "Put the value in double quotes."},
	{ID: "uri", Why: "The libvirt URI cannot be used.", Way: "Write qemu+ssh://user@host/system or qemu:///system."},
	{ID: "url", Why: "The engine's address cannot be used.", Way: "Write https://engine.example/ovirt-engine/api."},
	{ID: "value", Why: "The value is not one that the key takes.", Way: "The message names them."},
	{ID: "vars", Why: "Variables are a mapping of names to values.", Way: "Write `vars: {name: value}`."},

	{ID: "insecure-engine", Warning: true, Why: "Without a check of its certificate anybody on the way can be the engine, and gets its password.", Way: "Name the engine's authority in `ca_file`: it is at https://ENGINE/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA."},
	{ID: "insecure-request", Warning: true, Why: "Without a check of its certificate anybody on the way can be the server, and gets what is sent.", Way: "Name the server's authority in `ca_file`."},
	{ID: "nolint", Warning: true, Why: "A `# nolint` that names no rule, or none that can be silenced, silences nothing.", Way: "Write `# nolint: RULE`; `nactl lint --list-rules` has the names."},
	{ID: "plain-password", Warning: true, Why: "A password in a file is in every copy, backup and review of it.", Way: "Write `{secret: {env: NAME}}`, `{secret: {file: PATH}}` or `{secret: {command: […]}}`."},
	{ID: "readable-key", Warning: true, Why: "A private key that others can read is theirs, too; ssh refuses it.", Way: "In a guest write `mode: \"0600\"`; on this machine `chmod 600`."},
	{ID: "secret", Warning: true, Why: "A secret has one source; one shorter than six characters cannot be masked without masking ordinary words.", Way: "Name env, file or command; use a longer secret."},
	{ID: "shell-without-guard", Warning: true, Why: "The command line runs in every run and counts as a change each time.", Way: "Say with `creates` or `unless` when there is nothing to do, or with `changed_when` what a change is."},
	{ID: "unnamed-step", Warning: true, Why: "A step without a name has its index for an id: journals and `--start-at` lose it when steps are added, and reports do not say what it is for.", Way: "Give it a `name`."},
	{ID: "unpinned-image", Warning: true, Why: "What is latest today is another image tomorrow, and what comes over plain http can be anybody's: two runs make different VMs.", Way: "Name a version, over https, and its sha256 beside the url."},
	{ID: "unused-nolint", Warning: true, Why: "The comment silences nothing: what it was for is gone, and it would hide the next finding.", Way: "Delete it."},
}

func init() {
	slices.SortFunc(rules, func(a, b Rule) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
}
