//go:build cgo

package libvirt

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nactl/nactl/virt"
)

// seed is what a NoCloud data source says to cloud-init: file name to content.
type seed map[string][]byte

// The files of a NoCloud seed.
const (
	seedMetaData      = "meta-data"
	seedUserData      = "user-data"
	seedNetworkConfig = "network-config"
)

// needsSeed tells whether a new VM is told anything that only its guest can do.
func needsSeed(c virt.CreateVM) bool {
	return c.CloudInit != nil ||
		slices.ContainsFunc(c.Disks, func(k virt.DiskSpec) bool { return k.MountPoint != "" }) ||
		slices.ContainsFunc(c.NICs, nicSaysGuest)
}

// nicSaysGuest tells whether a NIC is to be set up in some way that a guest does
// not choose by itself.
func nicSaysGuest(n virt.NICSpec) bool {
	return n.Address != "" || n.Gateway != "" || n.GuestName != "" || len(n.DNS) > 0 || len(n.Search) > 0
}

// makeSeed writes the seed of a VM. instance identifies this creation of the VM:
// a guest that sees another one sets itself up anew. vm holds the names, serials
// and MAC addresses that the VM was given.
func makeSeed(c virt.CreateVM, vm *virt.VM, instance string) (seed, error) {
	ci := c.CloudInit
	if ci == nil {
		ci = &virt.CloudInit{}
	}
	hostname := ci.Hostname
	if hostname == "" {
		hostname = c.Ref.Name
	}
	if !hostnamePattern.MatchString(hostname) {
		if ci.Hostname != "" {
			return nil, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("hostname %q is not one", hostname),
				Hint: "use letters, digits, hyphens and dots"}
		}
		hostname = "" // the VM's name is no host name: the image's stays
	}
	user, err := userData(c, ci, vm, hostname)
	if err != nil {
		return nil, err
	}
	s := seed{seedUserData: user}
	meta := "instance-id: " + instance + "\n"
	if hostname != "" {
		meta += "local-hostname: " + hostname + "\n"
	}
	s[seedMetaData] = []byte(meta)
	network, err := networkConfig(c, vm)
	if err != nil {
		return nil, err
	}
	if network != nil {
		s[seedNetworkConfig] = network
	}
	return s, nil
}

var hostnamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*$`)

// section is one top-level key of a cloud-config document.
type section struct {
	key   string
	value any // a list is written one item a line
}

// writeYAML writes the sections as YAML whose values are JSON. cloud-init reads
// YAML 1.1, in which an unquoted yes, 12:30 or 0644 is no string; JSON's quoted
// strings leave nothing to guess.
func writeYAML(head string, sections []section) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	for _, s := range sections {
		if items, ok := s.value.([]any); ok {
			fmt.Fprintf(&b, "%s:\n", s.key)
			for _, item := range items {
				text, err := oneLine(item)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", s.key, err)
				}
				fmt.Fprintf(&b, "  - %s\n", text)
			}
			continue
		}
		text, err := oneLine(s.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.key, err)
		}
		fmt.Fprintf(&b, "%s: %s\n", s.key, text)
	}
	return b.Bytes(), nil
}

// oneLine writes JSON with a space after each comma and colon, without which
// YAML 1.1 readers take {"a":1} for one string.
func oneLine(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	var out strings.Builder
	quoted, escaped := false, false
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case quoted && r == 0x7f:
			out.WriteString(`\u007f`) // legal in JSON, not in YAML
		default:
			out.WriteRune(r)
		}
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ',' || r == ':'):
			out.WriteByte(' ')
		}
	}
	return out.String(), nil
}

func userData(c virt.CreateVM, ci *virt.CloudInit, vm *virt.VM, hostname string) ([]byte, error) {
	var s []section
	if hostname != "" {
		short, _, isFull := strings.Cut(hostname, ".")
		s = append(s, section{"hostname", short})
		if isFull {
			s = append(s, section{"fqdn", hostname})
		}
		// sudo and others look the own name up.
		s = append(s, section{"manage_etc_hosts", "localhost"})
	}
	if len(ci.SSHKeys) > 0 {
		s = append(s, section{"ssh_authorized_keys", list(ci.SSHKeys)})
	}
	if len(ci.Users) > 0 {
		users := []any{"default"} // without it the image's own user would be gone
		for _, u := range ci.Users {
			users = append(users, seedUser(u))
		}
		s = append(s, section{"users", users})
	}
	files, run := seedFiles(ci.Files)
	if len(files) > 0 {
		s = append(s, section{"write_files", files})
	}
	boot, mounts, err := seedMounts(c, vm)
	if err != nil {
		return nil, err
	}
	if len(mounts) > 0 {
		s = append(s, section{"bootcmd", boot}, section{"mounts", mounts})
	}
	for _, argv := range ci.Run {
		run = append(run, argv)
	}
	if len(run) > 0 {
		s = append(s, section{"runcmd", run})
	}
	return writeYAML("#cloud-config\n", s)
}

func list(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

func seedUser(u virt.GuestUser) map[string]any {
	m := map[string]any{"name": u.Name, "lock_passwd": u.PasswordHash == ""}
	if len(u.Groups) > 0 {
		m["groups"] = strings.Join(u.Groups, ", ")
	}
	if u.Shell != "" {
		m["shell"] = u.Shell
	}
	if u.Sudo != "" {
		m["sudo"] = u.Sudo
	}
	if len(u.SSHKeys) > 0 {
		m["ssh_authorized_keys"] = u.SSHKeys
	}
	if u.PasswordHash != "" {
		m["hashed_passwd"] = u.PasswordHash // unlike passwd, also for a user whom the image has
	}
	return m
}

// seedStage is where files wait for their owners.
const seedStage = "/var/lib/cloud/nactl"

// seedFiles gives the files for write_files, and the commands that bring those
// with an owner to their place. cloud-init writes files before it makes users,
// and not every cloud-init that is about can defer a file.
func seedFiles(list []virt.SeedFile) (files, run []any) {
	for i, f := range list {
		if f.Owner == "" {
			files = append(files, seedFile(f.Path, f.Content, f.Mode))
			continue
		}
		stage := fmt.Sprintf("%s/%d", seedStage, i)
		files = append(files, seedFile(stage, f.Content, "0600"))
		user, group, _ := strings.Cut(f.Owner, ":")
		argv := []string{"install", "-D", "-m", cmp.Or(f.Mode, "0644"), "-o", user}
		if group != "" {
			argv = append(argv, "-g", group)
		}
		run = append(run, append(argv, stage, f.Path))
	}
	if len(run) > 0 {
		run = append(run, []string{"rm", "-r", seedStage})
	}
	return files, run
}

func seedFile(path, content, mode string) map[string]any {
	m := map[string]any{"path": path}
	if plainText(content) {
		m["content"] = content
	} else {
		m["content"], m["encoding"] = base64.StdEncoding.EncodeToString([]byte(content)), "b64"
	}
	if mode != "" {
		m["permissions"] = mode
	}
	return m
}

// plainText tells whether YAML can carry s as it is.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || r == 0xfeff || r == 0xfffe || r == 0xffff)
	})
}

// formatScript makes a file system on $1 of type $2, only if the device is blank:
// its first MiB zeros, and no signature that blkid knows anywhere. cloud-init's
// own fs_setup formats whatever has another type or label, in spite of
// overwrite: false.
const formatScript = `d=$1
i=0
while [ ! -b "$d" ] && [ $i -lt 30 ]; do sleep 1; i=$((i + 1)); done
[ -b "$d" ] || exit 1
[ "$(head -c 1048576 "$d" | tr -d '\0' | head -c 1 | wc -c)" -eq 0 ] || exit 0
blkid -p "$d" >/dev/null 2>&1
[ $? -eq 2 ] || exit 0
exec "mkfs.$2" "$d"`

// seedMounts gives the boot commands and fstab lines of the disks with a mount
// point. The commands run before cloud-init mounts anything.
func seedMounts(c virt.CreateVM, vm *virt.VM) (boot, mounts []any, err error) {
	for _, spec := range c.Disks {
		if spec.MountPoint == "" {
			continue
		}
		k := vm.Disk(spec.Name)
		if k == nil {
			return nil, nil, fmt.Errorf("disk %q of %s has no device", spec.Name, c.Ref)
		}
		device, err := guestDevice(c.Ref, k)
		if err != nil {
			return nil, nil, err
		}
		filesystem := spec.Filesystem
		if filesystem == "" {
			filesystem = "ext4"
		}
		if !filesystemPattern.MatchString(filesystem) {
			return nil, nil, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref,
				Summary: fmt.Sprintf("disk %q cannot have the file system %q", k.Name, filesystem), Hint: "write for example ext4 or xfs"}
		}
		boot = append(boot, []string{"cloud-init-per", "instance", "nactl-format-" + k.Serial, "sh", "-c", formatScript, "sh", device, filesystem})
		// nofail: a guest without its data disk still boots, and can say so.
		mounts = append(mounts, []string{device, spec.MountPoint, filesystem, "defaults,nofail", "0", "2"})
	}
	return boot, mounts, nil
}

var filesystemPattern = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)

// guestDevice is the path under which a Linux guest finds a disk by its serial,
// whatever order it sees its disks in.
func guestDevice(vm virt.Ref, k *virt.Disk) (string, error) {
	if k.Serial == "" || !serialPattern.MatchString(k.Serial) {
		return "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q cannot be mounted by serial %q", k.Name, k.Serial),
			Hint: "use up to 20 letters, digits, hyphens and underscores, or leave serial out"}
	}
	switch k.Bus {
	case "virtio":
		return "/dev/disk/by-id/virtio-" + k.Serial, nil
	case "scsi":
		return "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_" + k.Serial, nil
	case "sata":
		return "/dev/disk/by-id/ata-QEMU_HARDDISK_" + k.Serial, nil
	}
	return "", &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("disk %q on bus %s cannot have a mount point", k.Name, k.Bus),
		Hint: "use bus virtio, scsi or sata"}
}

// serialPattern is what a guest sees whole (20 characters on virtio) and what
// cloud-init does not take apart: it reads a dot as the beginning of a partition.
var serialPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)

// networkConfig writes network-config version 2; nil when the guest's own way,
// DHCP on its only interface, is what is wanted.
func networkConfig(c virt.CreateVM, vm *virt.VM) ([]byte, error) {
	if len(c.NICs) < 2 && !slices.ContainsFunc(c.NICs, nicSaysGuest) {
		return nil, nil
	}
	ethernets := map[string]any{}
	for i, spec := range c.NICs {
		mac, ok := vm.NICs[i].MAC.Get()
		if !ok {
			return nil, fmt.Errorf("NIC %q of %s has no MAC address yet", vm.NICs[i].Name, c.Ref)
		}
		// Not every renderer of cloud-init matches by address alone: some write the
		// section's key as the interface's name. So the interface is given that name.
		name := spec.GuestName
		if name == "" {
			name = fmt.Sprintf("eth%d", i)
		}
		if !guestNamePattern.MatchString(name) {
			return nil, nicInvalid(c.Ref, vm.NICs[i].Name, "guest_name %q is not an interface name", name)
		}
		if _, taken := ethernets[name]; taken {
			return nil, nicInvalid(c.Ref, vm.NICs[i].Name, "guest_name %q is another NIC's too", name)
		}
		e, err := ethernet(c.Ref, vm.NICs[i].Name, spec, i == 0)
		if err != nil {
			return nil, err
		}
		e["match"], e["set-name"] = map[string]any{"macaddress": strings.ToLower(mac)}, name
		ethernets[name] = e
	}
	out := []section{{"version", 2}}
	var b bytes.Buffer
	head, err := writeYAML("", out)
	if err != nil {
		return nil, err
	}
	b.Write(head)
	b.WriteString("ethernets:\n")
	for _, name := range slices.Sorted(maps.Keys(ethernets)) {
		text, err := oneLine(ethernets[name])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "  %s: %s\n", name, text)
	}
	return b.Bytes(), nil
}

var guestNamePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)

func nicInvalid(vm virt.Ref, nic, format string, args ...any) error {
	return &virt.Error{Kind: virt.ErrInvalid, Object: vm, Summary: fmt.Sprintf("NIC %q: ", nic) + fmt.Sprintf(format, args...)}
}

func ethernet(vm virt.Ref, nic string, spec virt.NICSpec, first bool) (map[string]any, error) {
	e := map[string]any{}
	if spec.Address == "" {
		e["dhcp4"] = true
		if !first {
			e["optional"] = true // no boot waits for it
		}
	} else {
		prefix, err := netip.ParsePrefix(spec.Address)
		if err != nil {
			return nil, nicInvalid(vm, nic, "address %q is not one with a prefix length, as 10.0.0.5/24", spec.Address)
		}
		e["addresses"] = []string{prefix.String()}
	}
	if spec.Gateway != "" {
		gateway, err := netip.ParseAddr(spec.Gateway)
		if err != nil {
			return nil, nicInvalid(vm, nic, "gateway %q is not an address", spec.Gateway)
		}
		// Written out, for older renderers do not know "default".
		to := "0.0.0.0/0"
		if gateway.Is6() {
			to = "::/0"
		}
		e["routes"] = []any{map[string]any{"to": to, "via": gateway.String()}}
	}
	names := map[string]any{}
	if len(spec.DNS) > 0 {
		for _, s := range spec.DNS {
			if _, err := netip.ParseAddr(s); err != nil {
				return nil, nicInvalid(vm, nic, "dns %q is not an address", s)
			}
		}
		names["addresses"] = spec.DNS
	}
	if len(spec.Search) > 0 {
		names["search"] = spec.Search
	}
	if len(names) > 0 {
		e["nameservers"] = names
	}
	return e, nil
}
