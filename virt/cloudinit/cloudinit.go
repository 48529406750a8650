// Package cloudinit writes what a new guest is told to do at its first boot, in
// the terms of cloud-init: accounts, files, commands, and the disks to format and
// mount. How it gets to the guest is the platform's: a seed on a CD, or an
// engine's initialization.
package cloudinit

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nactl/nactl/virt"
)

// Section is one top-level key of a cloud-config document.
type Section struct {
	Key   string
	Value any // a list is written one item a line
}

// WriteYAML writes the sections as YAML whose values are JSON. cloud-init reads
// YAML 1.1, in which an unquoted yes, 12:30 or 0644 is no string; JSON's quoted
// strings leave nothing to guess.
func WriteYAML(head string, sections []Section) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	for _, s := range sections {
		if items, ok := s.Value.([]any); ok {
			fmt.Fprintf(&b, "%s:\n", s.Key)
			for _, item := range items {
				text, err := OneLine(item)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", s.Key, err)
				}
				fmt.Fprintf(&b, "  - %s\n", text)
			}
			continue
		}
		text, err := OneLine(s.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Key, err)
		}
		fmt.Fprintf(&b, "%s: %s\n", s.Key, text)
	}
	return b.Bytes(), nil
}

// OneLine writes JSON with a space after each comma and colon, without which
// YAML 1.1 readers take {"a":1} for one string.
func OneLine(v any) (string, error) {
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

// Device tells where a Linux guest finds a disk, and by what that disk is known
// for good: letters, digits, hyphens and underscores.
type Device func(k virt.DiskSpec) (path, label string, err error)

// Needed tells whether a new VM is told anything beside its addresses.
func Needed(c virt.CreateVM) bool {
	return c.CloudInit != nil || slices.ContainsFunc(c.Disks, func(k virt.DiskSpec) bool { return k.MountPoint != "" })
}

// UserData gives the sections of a VM's user data. Without a host name the
// image's stays, or what the platform sets by its own means; with keys the image's
// default user gets them.
func UserData(c virt.CreateVM, hostname string, keys []string, device Device) ([]Section, error) {
	ci := c.CloudInit
	if ci == nil {
		ci = &virt.CloudInit{}
	}
	var s []Section
	if hostname != "" {
		short, _, isFull := strings.Cut(hostname, ".")
		s = append(s, Section{Key: "hostname", Value: short})
		if isFull {
			s = append(s, Section{Key: "fqdn", Value: hostname})
		}
		// sudo and others look the own name up.
		s = append(s, Section{Key: "manage_etc_hosts", Value: "localhost"})
	}
	if len(keys) > 0 {
		s = append(s, Section{Key: "ssh_authorized_keys", Value: list(keys)})
	}
	if len(ci.Users) > 0 {
		users := []any{"default"} // without it the image's own user would be gone
		for _, u := range ci.Users {
			users = append(users, seedUser(u))
		}
		s = append(s, Section{Key: "users", Value: users})
	}
	files, run := seedFiles(ci.Files)
	if len(files) > 0 {
		s = append(s, Section{Key: "write_files", Value: files})
	}
	boot, mounts, err := seedMounts(c, device)
	if err != nil {
		return nil, err
	}
	if len(mounts) > 0 {
		s = append(s, Section{Key: "bootcmd", Value: boot}, Section{Key: "mounts", Value: mounts})
	}
	for _, argv := range ci.Run {
		run = append(run, argv)
	}
	if len(run) > 0 {
		s = append(s, Section{Key: "runcmd", Value: run})
	}
	return s, nil
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

// FormatScript makes a file system on $1 of type $2, only if the device is blank:
// its first MiB zeros, and no signature that blkid knows anywhere. cloud-init's
// own fs_setup formats whatever has another type or label, in spite of
// overwrite: false.
const FormatScript = `d=$1
i=0
while [ ! -b "$d" ] && [ $i -lt 30 ]; do sleep 1; i=$((i + 1)); done
[ -b "$d" ] || exit 1
[ "$(head -c 1048576 "$d" | tr -d '\0' | head -c 1 | wc -c)" -eq 0 ] || exit 0
blkid -p "$d" >/dev/null 2>&1
[ $? -eq 2 ] || exit 0
exec "mkfs.$2" "$d"`

// seedMounts gives the boot commands and fstab lines of the disks with a mount
// point. The commands run before cloud-init mounts anything.
func seedMounts(c virt.CreateVM, at Device) (boot, mounts []any, err error) {
	for _, spec := range c.Disks {
		if spec.MountPoint == "" {
			continue
		}
		device, label, err := at(spec)
		if err != nil {
			return nil, nil, err
		}
		filesystem := spec.Filesystem
		if filesystem == "" {
			filesystem = "ext4"
		}
		if !filesystemPattern.MatchString(filesystem) {
			return nil, nil, &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref,
				Summary: fmt.Sprintf("disk %q cannot have the file system %q", spec.Name, filesystem), Hint: "write for example ext4 or xfs"}
		}
		boot = append(boot, []string{"cloud-init-per", "instance", "nactl-format-" + label, "sh", "-c", FormatScript, "sh", device, filesystem})
		// nofail: a guest without its data disk still boots, and can say so.
		mounts = append(mounts, []string{device, spec.MountPoint, filesystem, "defaults,nofail", "0", "2"})
	}
	return boot, mounts, nil
}

var filesystemPattern = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)

// Hostname gives a new guest's host name: the one that was asked for, else the
// VM's name; empty where that is none.
func Hostname(c virt.CreateVM) (string, error) {
	if c.CloudInit != nil && c.CloudInit.Hostname != "" {
		name := c.CloudInit.Hostname
		if !hostnamePattern.MatchString(name) {
			return "", &virt.Error{Kind: virt.ErrInvalid, Object: c.Ref, Summary: fmt.Sprintf("hostname %q is not one", name),
				Hint: "use letters, digits, hyphens, underscores and dots"}
		}
		return name, nil
	}
	if !hostnamePattern.MatchString(c.Ref.Name) {
		return "", nil
	}
	return c.Ref.Name, nil
}

// The underscore is no part of DNS host names, but people have hosts that are
// called so, and cloud-init sets them.
var hostnamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62})*$`)
