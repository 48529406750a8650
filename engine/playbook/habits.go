package playbook

import (
	"slices"
	"strings"
)

// Habit is a keyword or a module of Ansible, and what says the same here: what the
// loader tells those who write it by habit, and what the documentation says.
type Habit struct {
	Name string
	On   string // where Ansible takes it: play, role, block, task; empty for a module
	Here string // the word here, in Markdown; empty where there is none
	Note string // in what it differs, or why there is none: half a sentence in Markdown
}

// AnsibleKeywords lists Ansible's keywords of playbooks.
func AnsibleKeywords() []Habit { return slices.Clone(ansibleKeywords) }

// AnsibleEntries lists what else stands in Ansible's playbooks where keywords do.
func AnsibleEntries() []Habit { return slices.Clone(ansibleEntries) }

// AnsibleModules lists modules of Ansible whose work is done here by other means.
func AnsibleModules() []Habit { return slices.Clone(ansibleModules) }

const (
	everywhere = "play, role, block, task"
	inPlays    = "play"
	inSteps    = "task"
	below      = "role, block, task"
)

const (
	noBecome     = "how one becomes root is the inventory's: `become` of a node, and of `guests`"
	noConnection = "how a target is reached is the inventory's"
)

var ansibleKeywords = []Habit{
	{"action", inSteps, "", "the step word itself is the key, as in `debug: hello`"},
	{"always", "block", "`always`", ""},
	{"any_errors_fatal", everywhere, "`any_errors_fatal`", ""},
	{"args", inSteps, "", "all arguments stand under the step word"},
	{"async", inSteps, "", "a step waits for what it does; `parallel` does items side by side, `timeout` bounds them, and `local_exec` can start what goes on by itself"},
	{"become", everywhere, "", noBecome},
	{"become_exe", everywhere, "", noBecome},
	{"become_flags", everywhere, "", noBecome},
	{"become_method", everywhere, "", noBecome},
	{"become_user", everywhere, "", noBecome},
	{"block", "block", "`block`", ""},
	{"changed_when", inSteps, "`changed_when`", "`result` is the step's own"},
	{"check_mode", everywhere, "`check_mode`", "only `true`: a step cannot write in a plan"},
	{"collections", everywhere, "", "all steps are built in, each under one name"},
	{"connection", everywhere, "", noConnection + ": a node by `address` or `uri`, an engine by `url`"},
	{"debugger", everywhere, "", "`--step` asks before each step, `--start-at` begins where you like"},
	{"delay", inSteps, "`delay`", "with its unit, as `5s`"},
	{"delegate_facts", below, "", "steps gather no facts by themselves; what `register` keeps belongs to the target that the step runs for"},
	{"delegate_to", below, "`delegate_to`", "a target of the inventory; what runs on nactl's own machine is `local_exec`"},
	{"diff", everywhere, "", "`--diff` shows all differences; `no_log` hides those of a step"},
	{"environment", everywhere, "`environment`", "of the commands that steps run; `env` is their own argument and wins"},
	{"fact_path", inPlays, "", "steps gather no facts by themselves; `vm_facts` reads what a VM is"},
	{"failed_when", inSteps, "`failed_when`", "`result` is the step's own"},
	{"force_handlers", inPlays, "`force_handlers`", ""},
	{"gather_facts", inPlays, "", "nothing is gathered, so there is nothing to switch off; `vm_facts` reads what a VM is, where it is needed"},
	{"gather_subset", inPlays, "", "nothing is gathered; `vm_facts` reads what a VM is"},
	{"gather_timeout", inPlays, "", "nothing is gathered; `timeout` bounds `vm_facts` as every step"},
	{"handlers", inPlays, "`handlers`", ""},
	{"hosts", inPlays, "`targets`", "nodes, clusters and engines, not machines to log in to"},
	{"ignore_errors", everywhere, "`ignore_errors`", ""},
	{"ignore_unreachable", everywhere, "", "a target that cannot be reached runs no further steps, and the others go on; exit code 4 says so in the end"},
	{"loop", inSteps, "`loop`", ""},
	{"loop_control", inSteps, "`loop_var`, `loop_label`", "keys of the step itself; `pause` is a step, `index_var` is `loop.index0`"},
	{"max_fail_percentage", inPlays, "`max_fail_percentage`", ""},
	{"module_defaults", everywhere, "", "a variable holds what several steps share: `create_vm: \"{{ combine(common, {name: item}) }}\"`"},
	{"name", everywhere, "`name`", "part of a step's stable id, which resuming and `--start-at` use"},
	{"no_log", everywhere, "`no_log`", "secrets are masked without it"},
	{"notify", "block, task", "`notify`", ""},
	{"order", inPlays, "", "targets come in the order of the pattern, within a group in that of the inventory"},
	{"poll", inSteps, "", "a step waits for what it does; `until`, `retries` and `delay` repeat one"},
	{"port", everywhere, "", noConnection + ": `port` of a node"},
	{"post_tasks", inPlays, "`steps`", "handlers run at the end of the play; `- flush_handlers:` runs them earlier"},
	{"pre_tasks", inPlays, "`steps`", "roles run before the steps; a `- role:` among the steps stands where you like"},
	{"register", inSteps, "`register`", "its fields are known at load: a misspelt one is an error before the run"},
	{"remote_user", everywhere, "", noConnection + ": `user` of a node, and of `guests`"},
	{"rescue", "block", "`rescue`", "it reads `failed_step` and `failed_result`"},
	{"retries", inSteps, "`retries`", "it needs `until`"},
	{"role", "role", "`role`", "among the steps, too, in place of include_role and import_role"},
	{"roles", inPlays, "`roles`", "`dependencies` of a role are roles among its steps"},
	{"run_once", everywhere, "`run_once`", ""},
	{"serial", inPlays, "`serial`", ""},
	{"strategy", inPlays, "`strategy`", "`linear` or `free`; `--step` in place of `debug`"},
	{"tags", everywhere, "`tags`", ""},
	{"tasks", inPlays, "`steps`", ""},
	{"throttle", everywhere, "`throttle`", "of a play it is `forks`"},
	{"timeout", everywhere, "`timeout`", "with its unit, as `90s`"},
	{"until", inSteps, "`until`", ""},
	{"vars", everywhere, "`vars`", ""},
	{"vars_files", inPlays, "`vars_files`", "a file that is not there is an error, and so is a list of alternatives"},
	{"vars_prompt", inPlays, "`vars_prompt`", "`encrypt` is `password_hash`; `unsafe` is not needed, for an answer is never taken for an expression"},
	{"when", below, "`when`", "a bare expression that gives true or false; nothing is taken for true by itself"},
}

// ansibleEntries are what else begins or stands in entries of Ansible's playbooks.
var ansibleEntries = []Habit{
	{"with_items", inSteps, "`loop`", "an expression in place of a lookup plugin: `flatten(x)`, `toPairs(x)`, `0..9`"},
	{"local_action", inSteps, "`local_exec`", "it runs a command on nactl's own machine"},
	{"listen", inSteps, "`listen`", ""},
	{"user", inPlays, "", noConnection + ": `user` of a node"},
	{"dependencies", "role", "`role`", "among the steps of the role"},
	{"import_playbook", inPlays, "`import`", ""},
	{"include_tasks", inSteps, "`include`", "its path is literal, so that every step is known, and checked, before the run; `when` and `vars` stand beside it"},
	{"import_tasks", inSteps, "`include`", ""},
	{"include_role", inSteps, "`role`", ""},
	{"import_role", inSteps, "`role`", ""},
	{"include_vars", inSteps, "`vars_files`", "of the play; `from_yaml(file(\"x.yml\"))` reads one in an expression"},
	{"meta", inSteps, "`flush_handlers`", "`- flush_handlers:`; `end_play` and `end_host` are `when` on a block, `fail` where it is an error"},
}

var ansibleModules = []Habit{
	{"add_host", "", "", "targets are those of the inventory, which a program can print; what a play makes is reached as a VM of its target"},
	{"apt", "", "`guest_exec`", "with `creates` or `unless`; `run` of `create_vm` at the first start"},
	{"blockinfile", "", "`guest_file`", "it writes whole files"},
	{"command", "", "`guest_exec`, `host_exec`, `local_exec`", "in a VM, on a node, or on nactl's own machine"},
	{"copy", "", "`guest_file`, `local_file`", ""},
	{"fetch", "", "`guest_fetch`", "with `dest`"},
	{"slurp", "", "`guest_fetch`", "registers `content` and `base64`"},
	{"file", "", "`guest_exec`, `guest_file`", ""},
	{"get_url", "", "`images`", "of the inventory, for images; else `local_exec`"},
	{"group_by", "", "`when`", "groups are those of the inventory; `target.groups` names a target's"},
	{"lineinfile", "", "`guest_file`", "it writes whole files"},
	{"package", "", "`guest_exec`", "with `creates` or `unless`; `run` of `create_vm` at the first start"},
	{"ping", "", "`wait_for`", "targets are reached before their first step"},
	{"raw", "", "`guest_exec`", ""},
	{"reboot", "", "`power`", "then `wait_for`"},
	{"authorized_key", "", "`ssh_keys`", "`exclusive` as there; a key of another comment or other options is replaced"},
	{"script", "", "`guest_file`, `guest_exec`", "write it, then run it"},
	{"service", "", "`guest_exec`", "with `unless: [systemctl, is-active, NAME]`"},
	{"set_fact", "", "`set_vars`", ""},
	{"setup", "", "`vm_facts`, `host_facts`", "of a VM, of a node"},
	{"shell", "", "`guest_exec`, `host_exec`, `local_exec`", "with `shell` in place of `command`"},
	{"systemd", "", "`guest_exec`", "with `unless: [systemctl, is-active, NAME]`"},
	{"template", "", "`guest_file`, `local_file`", "with `template`"},
	{"uri", "", "`http`", "a GET or HEAD is made in a plan, too"},
	{"wait_for_connection", "", "`wait_for`", ""},
	{"yum", "", "`guest_exec`", "with `creates` or `unless`; `run` of `create_vm` at the first start"},
	{"dnf", "", "`guest_exec`", "with `creates` or `unless`; `run` of `create_vm` at the first start"},
	{"virt", "", "`create_vm`, `power`, `delete_vm`", "XML is not written: `set_vm`, `set_cpu` and `set_memory` change what is there"},
	{"virt_install", "", "`create_vm`", ""},
	{"virt_net", "", "`create_vlan`, `delete_vlan`", ""},
	{"virt_pool", "", "`create_pool`, `start_pool`, `stop_pool`, `delete_pool`", ""},
	{"virt_volume", "", "`create_volume`, `clone_volume`, `resize_volume`, `upload_volume`, `delete_volume`", "a disk of a VM is `attach_disk`"},
	{"ovirt_vm", "", "`create_vm`, `power`, `set_vm`, `rename_vm`, `delete_vm`", ""},
	{"ovirt_disk", "", "`attach_disk`, `resize_disk`, `detach_disk`", "`create_volume`, `upload_volume`, `download_volume` for disks of no VM"},
	{"ovirt_nic", "", "`attach_nic`, `change_nic`, `detach_nic`", ""},
	{"ovirt_network", "", "`create_vlan`, `delete_vlan`", ""},
	{"ovirt_snapshot", "", "`create_snapshot`, `revert_snapshot`, `delete_snapshot`", ""},
	{"ovirt_host", "", "`host_maintenance`, `host_activate`", ""},
	{"ovirt_affinity_group", "", "`set_affinity`, `delete_affinity`", ""},
	{"ovirt_vm_info", "", "`vm_facts`", "`nactl list vms` shows all of them"},
	{"ovirt_auth", "", "`engines`", "of the inventory, with the password as a secret"},
}

// collections are those of the modules, with which their full names begin.
var collections = []string{"ansible.builtin.", "ansible.legacy.", "community.libvirt.", "ovirt.ovirt.", "community.general."}

func habit(list []Habit, name string) *Habit {
	if i := slices.IndexFunc(list, func(h Habit) bool { return h.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// keywordHabit finds the keyword of Ansible that somebody wrote; nil where it is
// none.
func keywordHabit(name string) *Habit {
	name = shortName(name)
	if strings.HasPrefix(name, "with_") {
		name = "with_items"
	}
	if h := habit(ansibleKeywords, name); h != nil {
		return h
	}
	return habit(ansibleEntries, name)
}

// moduleHabit finds a module by its short or full name.
func moduleHabit(name string) *Habit {
	return habit(ansibleModules, shortName(name))
}

// shortName gives the name of a module without its collection.
func shortName(name string) string {
	for _, c := range collections {
		if short, ok := strings.CutPrefix(name, c); ok {
			return short
		}
	}
	return name
}

// Where says which entries of a playbook take a key: "plays and steps"; nothing for
// what is no key.
func Where(key string) string {
	var in []string
	for _, level := range []struct {
		name string
		has  bool
	}{
		{"plays", playWords.find(key) != nil}, {"steps", stepWords.find(key) != nil}, {"blocks", blockWords.find(key) != nil},
		{"included files", includeWords.find(key) != nil}, {"roles", roleWords.find(key) != nil}, {"imports", importWords.find(key) != nil},
	} {
		if level.has {
			in = append(in, level.name)
		}
	}
	if len(in) < 2 {
		return strings.Join(in, "")
	}
	return strings.Join(in[:len(in)-1], ", ") + " and " + in[len(in)-1]
}

// instead says what to write, for an error.
func (h *Habit) instead() string {
	plain := strings.NewReplacer("`", "").Replace
	switch {
	case h.Here == "":
		return plain(h.Note)
	case plain(h.Here) == h.Name:
		return "it is a key of " + Where(h.Name)
	case h.Note == "":
		return "here it is " + plain(h.Here)
	default:
		return "here it is " + plain(h.Here) + "; " + plain(h.Note)
	}
}
