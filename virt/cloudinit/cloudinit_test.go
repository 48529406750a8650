package cloudinit

import (
	"errors"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

func TestUserDataIsYAMLOfWhatWasAsked(t *testing.T) {
	c := virt.CreateVM{On: virt.On{Ref: virt.VMRef("web-1")},
		CloudInit: &virt.CloudInit{
			Users: []virt.GuestUser{{Name: "yes", Sudo: "ALL=(ALL) NOPASSWD:ALL"}},
			Files: []virt.SeedFile{{Path: "/etc/a", Content: "12:30 \"it's\"\n", Mode: "0640"}, {Path: "/etc/b", Content: "\x00\xff"}},
			Run:   [][]string{{"echo", "a: {b}, c"}},
		},
		Disks: []virt.DiskSpec{{Name: "root", Boot: true}, {Name: "data", MountPoint: "/srv"}},
	}
	sections, err := UserData(c, "", nil, func(k virt.DiskSpec) (string, string, error) { return "/dev/x", k.Name, nil })
	if err != nil {
		t.Fatal(err)
	}
	text, err := WriteYAML("", sections)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := map[string]any{
		"users": []any{"default", map[string]any{"name": "yes", "lock_passwd": true, "sudo": "ALL=(ALL) NOPASSWD:ALL"}},
		"write_files": []any{
			map[string]any{"path": "/etc/a", "content": "12:30 \"it's\"\n", "permissions": "0640"},
			map[string]any{"path": "/etc/b", "content": "AP8=", "encoding": "b64"}},
		"bootcmd": []any{[]any{"cloud-init-per", "instance", "nactl-format-data", "sh", "-c", FormatScript, "sh", "/dev/x", "ext4"}},
		"mounts":  []any{[]any{"/dev/x", "/srv", "ext4", "defaults,nofail", "0", "2"}},
		"runcmd":  []any{[]any{"echo", "a: {b}, c"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\n%s", d, text)
	}
	broken := errors.New("no such disk")
	if _, err := UserData(c, "", nil, func(virt.DiskSpec) (string, string, error) { return "", "", broken }); !errors.Is(err, broken) {
		t.Errorf("a disk without a device: %v", err)
	}
	c.Disks[1].Filesystem = "ext4; rm"
	if _, err := UserData(c, "", nil, func(virt.DiskSpec) (string, string, error) { return "/dev/x", "x", nil }); !errors.Is(err, virt.ErrInvalid) {
		t.Errorf("a strange file system: %v", err)
	}
}

func TestHostname(t *testing.T) {
	for _, c := range []struct{ vm, asked, want string }{
		{"web-1", "", "web-1"}, {"web-1", "a.example.org", "a.example.org"}, {"web 1", "", ""}, {"-x", "", ""},
	} {
		got, err := Hostname(virt.CreateVM{On: virt.On{Ref: virt.VMRef(c.vm)}, CloudInit: &virt.CloudInit{Hostname: c.asked}})
		if err != nil || got != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	if _, err := Hostname(virt.CreateVM{On: virt.On{Ref: virt.VMRef("x")}, CloudInit: &virt.CloudInit{Hostname: "a b"}}); !errors.Is(err, virt.ErrInvalid) {
		t.Errorf("a name with a space: %v", err)
	}
}
