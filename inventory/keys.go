package inventory

// Form is the notation of a key's value in an inventory.
type Form int

// The forms. Nothing (an empty value) is the same as leaving a key out.
const (
	Text       Form = iota // a scalar, taken as it is written
	Texts                  // a list of texts, or one
	Path                   // a path; a relative one starts at the inventory
	Paths                  // a list of paths, or one
	Integer                // between Low and High
	Boolean                // true or false
	Duration               // with its unit, above zero
	SecretText             // a text, or {secret: …}
	Variables              // a mapping of names to values
	Mapping                // a mapping of names to what Keys describe
	Record                 // a mapping of Keys, of which all may be left out
	Choice                 // a mapping of exactly one of Keys
)

// Key is a key of an inventory: what the loader takes, and what the schema and the
// documentation say of it.
type Key struct {
	Name      string
	Form      Form
	Doc       string // half a sentence in Markdown, without a full stop
	Required  bool
	Enum      []string // of a Text
	Low, High int      // of an Integer
	Pattern   string   // of a Text, a regular expression that ECMA 262 and RE2 read alike
	Keys      []Key    // of a Mapping, a Record and a Choice
	With      []Key    // of a Choice: keys that may stand beside the one that is chosen
	Beside    string   // of one of With: the key that it stands beside
}

func keyNames(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Name
	}
	return out
}

var varsKey = Key{Name: "vars", Form: Variables, Doc: "variables"}

var engineKeys = []Key{
	{Name: "url", Required: true, Pattern: "^https?://", Doc: "the API's address, as `https://engine.example/ovirt-engine/api`"},
	{Name: "username", Required: true, Doc: "an account with its profile, as `svc@internal`"},
	{Name: "password", Form: SecretText, Required: true, Doc: "its password: `{secret: {env: NAME}}`, `{secret: {file: PATH}}` or `{secret: {command: [PROGRAM]}}`"},
	{Name: "ca_file", Form: Path, Doc: "certificates to check the engine's against; left out: the system's authorities"},
	{Name: "insecure", Form: Boolean, Doc: "do not check the engine's certificate"},
	{Name: "timeout", Form: Duration, Doc: "how long one request may take"},
	{Name: "guests", Form: Record, Keys: guestKeys, Doc: "how to log in to its guests; goes before what `guests` says for all, key by key"},
	{Name: "hosts", Form: Record, Keys: guestKeys, Doc: "how to log in to its hosts over SSH, for host_exec; left out: nobody does"},
	varsKey,
}

var nodeKeys = []Key{
	{Name: "address", Doc: "where sshd listens: a host name, an address, or an alias of `~/.ssh/config`; left out: the node's name"},
	{Name: "port", Form: Integer, Low: 1, High: 65535, Doc: "sshd's port; left out: what ssh_config says, else 22"},
	{Name: "user", Doc: "the account to log in with"},
	{Name: "identity_file", Form: Paths, Doc: "private keys; left out: those of ssh_config, the agent and the usual files"},
	{Name: "identities_only", Form: Boolean, Doc: "offer no other keys of the agent than those of `identity_file`"},
	{Name: "agent", Doc: "the agent's socket, or `none`"},
	{Name: "known_hosts", Form: Paths, Doc: "files with host keys, which are checked strictly, always"},
	{Name: "host_key_alias", Doc: "the name by which known_hosts has the node"},
	{Name: "ssh_config", Doc: "the file to read instead of `~/.ssh/config`, or `none`"},
	{Name: "jump", Form: Texts, Doc: "machines to go through: nodes, or `[USER@]HOST[:PORT]`"},
	{Name: "become", Enum: []string{"sudo"}, Doc: "how commands on the node get root"},
	{Name: "uri", Pattern: "://", Doc: "libvirt's URI, as `qemu+ssh://root@host/system` or `qemu:///system`, instead of `address`, `port` and `user`"},
	{Name: "socket", Doc: "libvirt's socket on the node, where it is not at its usual place"},
	{Name: "accel", Enum: []string{"kvm", "qemu"}, Doc: "KVM or emulation; left out: KVM where the node offers it"},
	{Name: "migration_address", Doc: "where other nodes send VMs to; left out: what libvirt's `migration_host` or the host's name say"},
	{Name: "maintenance", Form: Boolean, Doc: "place no VM there"},
	{Name: "connect_timeout", Form: Duration, Doc: "how long a connection may take to come up"},
	{Name: "keepalive", Form: Duration, Doc: "how often a silent connection is probed"},
	{Name: "keepalive_count", Form: Integer, Low: 1, High: 1000, Doc: "after how many probes without an answer it is taken for dead"},
	varsKey,
}

var clusterKeys = []Key{
	{Name: "nodes", Form: Texts, Required: true, Doc: "its members: names, globs and ranges of nodes"},
	{Name: "placement", Enum: []string{PlaceMostFreeMemory}, Doc: "which member a new VM is made on"},
	{Name: "shared_pools", Form: Texts, Doc: "storage pools that hold the same volumes on every member"},
	varsKey,
}

// The sources of an image.
var (
	templateKey = Key{Name: "template", Doc: "a template of the engine"}
	volumeKeys  = []Key{
		{Name: "volume", Pattern: "^[^/]+/.+$", Doc: "a volume of the node, as `POOL/NAME`"},
		{Name: "url", Pattern: "^https?://", Doc: "an address to fetch it from, once"},
		{Name: "file", Form: Path, Doc: "a file on this machine"},
	}
)

// engineImageKeys are those of an image on an engine: VMs are made from templates,
// and the others are for upload_image.
var engineImageKeys = append([]Key{templateKey}, volumeKeys[1:]...)

// beside is what may stand beside the url of an image.
var beside = []Key{{Name: "sha256", Beside: "url", Pattern: "^[0-9A-Fa-f]{64}$", Doc: "the checksum of what `url` gives, in hex: anything else is refused"}}

var imageKeys = []Key{
	{Name: "engines", Form: Choice, Keys: engineImageKeys, With: beside, Doc: "what it is on engines"},
	{Name: "nodes", Form: Choice, Keys: volumeKeys, With: beside, Doc: "what it is on nodes and clusters"},
	{Name: "targets", Form: Mapping, Keys: []Key{{Form: Choice, Keys: append([]Key{templateKey}, volumeKeys...), With: beside}}, Doc: "what it is for a target or group, by its name"},
}

// guestKeys say how to log in to guests, or to the hosts of an engine.
var guestKeys = []Key{
	{Name: "user", Doc: "the account to log in with; left out: what ssh_config says, else your own"},
	{Name: "port", Form: Integer, Low: 1, High: 65535, Doc: "sshd's port; left out: what ssh_config says, else 22"},
	{Name: "identity_file", Form: Paths, Doc: "private keys; left out: those of ssh_config, the agent and the usual files"},
	{Name: "identities_only", Form: Boolean, Doc: "offer no other keys of the agent than those of `identity_file`"},
	{Name: "agent", Doc: "the agent's socket, or `none`"},
	{Name: "known_hosts", Form: Paths, Doc: "files with host keys, for guests those of VMs that have none from nactl; left out: `~/.ssh/known_hosts`"},
	{Name: "ssh_config", Doc: "the file to read instead of `~/.ssh/config`, or `none`"},
	{Name: "jump", Form: Texts, Doc: "machines to go through: nodes, or `[USER@]HOST[:PORT]`"},
	{Name: "become", Enum: []string{"sudo", "none"}, Doc: "how commands there get root; `none`: the account is root"},
	{Name: "host_key", Enum: []string{"accept_new", "strict"}, Doc: "what to do with a host key that nobody knows: record it at first sight, or refuse it"},
	{Name: "connect_timeout", Form: Duration, Doc: "how long a connection may take to come up"},
	{Name: "keepalive", Form: Duration, Doc: "how often a silent connection is probed"},
	{Name: "keepalive_count", Form: Integer, Low: 1, High: 1000, Doc: "after how many probes without an answer it is taken for dead"},
}

var groupKeys = []Key{
	{Name: "members", Form: Texts, Doc: "targets: names, globs and ranges"},
	{Name: "children", Form: Texts, Doc: "groups whose targets belong to it, too"},
	varsKey,
}

var secretKeys = []Key{
	{Name: "env", Doc: "the environment variable that has it"},
	{Name: "file", Form: Path, Doc: "the file that holds it"},
	{Name: "command", Form: Texts, Doc: "a program that prints it, with its arguments"},
}

// sectionKeys are the keys of an inventory file.
var sectionKeys = []Key{
	{Name: "engines", Form: Mapping, Keys: []Key{{Form: Record, Keys: engineKeys}}, Doc: "oVirt engines by name; ranges as `e[1:3]` expand"},
	{Name: "nodes", Form: Mapping, Keys: []Key{{Form: Record, Keys: nodeKeys}}, Doc: "libvirt nodes by name; ranges as `node[01:20]` expand, side by side with those in their values"},
	{Name: "clusters", Form: Mapping, Keys: []Key{{Form: Record, Keys: clusterKeys}}, Doc: "several nodes as one target, by name"},
	{Name: "images", Form: Mapping, Keys: []Key{{Form: Record, Keys: imageKeys}}, Doc: "what VMs are made from, by the name that playbooks use"},
	{Name: "guests", Form: Record, Keys: guestKeys, Doc: "how to log in to the guests of engines"},
	{Name: "groups", Form: Mapping, Keys: []Key{{Form: Record, Keys: groupKeys}}, Doc: "named sets of targets with variables; `all` has variables only"},
}

// Keys lists the keys of an inventory, with all that stands below them.
func Keys() []Key { return sectionKeys }
