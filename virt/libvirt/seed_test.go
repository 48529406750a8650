//go:build cgo

package libvirt

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/cloudinit"
)

func seedCase() (virt.CreateVM, *virt.VM) {
	c := virt.CreateVM{On: virt.On{Ref: virt.VMRef("web-1")},
		CloudInit: &virt.CloudInit{
			Hostname: "web-1.example.org", SSHKeys: []string{"ssh-ed25519 AAAA me"},
			Users: []virt.GuestUser{
				{Name: "ops", Groups: []string{"adm", "sudo"}, Shell: "/bin/bash", Sudo: "ALL=(ALL) NOPASSWD:ALL", SSHKeys: []string{"ssh-ed25519 BBBB"}},
				{Name: "yes", PasswordHash: "$6$salt$hash"}},
			Run:   [][]string{{"systemctl", "enable", "--now", "nginx: yes"}, {"sh", "-c", "echo \"it's\" > /x\n"}},
			Files: []virt.SeedFile{{Path: "/etc/a", Content: "a: 'b'\n\tc\n", Mode: "0640", Owner: "ops:ops"}, {Path: "/etc/b", Content: "\x00\xff\x7f"}},
		},
		Disks: []virt.DiskSpec{{Name: "root", Boot: true}, {Name: "data", MountPoint: "/srv/a b", Filesystem: "xfs"}},
		NICs: []virt.NICSpec{
			{Network: "lan", Address: "10.0.0.5/24", Gateway: "10.0.0.1", DNS: []string{"10.0.0.2"}, Search: []string{"example.org"}},
			{Network: "dmz", GuestName: "dmz0", Address: "fd00::5/64", Gateway: "fd00::1"}, {Network: "free"}},
	}
	vm := &virt.VM{Name: "web-1", Disks: []virt.Disk{{Name: "root", Target: "vda", Bus: "virtio"}, {Name: "data", Target: "vdb", Bus: "virtio", Serial: "data"}},
		NICs: []virt.NIC{{Name: "nic1", MAC: virt.Some("52:54:00:AA:00:01")}, {Name: "nic2", MAC: virt.Some("52:54:00:aa:00:02")}, {Name: "nic3", MAC: virt.Some("52:54:00:aa:00:03")}}}
	return c, vm
}

func TestSeedSaysWhatWasAsked(t *testing.T) {
	c, vm := seedCase()
	s, err := makeSeed(c, vm, "1b4e28ba-2fa1-11d2-883f-0016d3cca427")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(s[seedMetaData]), "instance-id: 1b4e28ba-2fa1-11d2-883f-0016d3cca427\nlocal-hostname: web-1.example.org\n"; got != want {
		t.Errorf("meta-data\n%s\nwant\n%s", got, want)
	}
	if !bytes.HasPrefix(s[seedUserData], []byte("#cloud-config\n")) {
		t.Errorf("user-data begins with %.20q", s[seedUserData])
	}
	var user, network map[string]any
	if err := yaml.Unmarshal(s[seedUserData], &user); err != nil {
		t.Fatalf("%v\n%s", err, s[seedUserData])
	}
	if err := yaml.Unmarshal(s[seedNetworkConfig], &network); err != nil {
		t.Fatalf("%v\n%s", err, s[seedNetworkConfig])
	}
	device := "/dev/disk/by-id/virtio-data"
	wantUser := map[string]any{
		"hostname": "web-1", "fqdn": "web-1.example.org", "manage_etc_hosts": "localhost",
		"ssh_authorized_keys": []any{"ssh-ed25519 AAAA me"},
		"users": []any{"default",
			map[string]any{"name": "ops", "groups": "adm, sudo", "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "lock_passwd": true, "ssh_authorized_keys": []any{"ssh-ed25519 BBBB"}},
			map[string]any{"name": "yes", "lock_passwd": false, "hashed_passwd": "$6$salt$hash"}},
		"write_files": []any{
			map[string]any{"path": "/var/lib/cloud/nactl/0", "content": "a: 'b'\n\tc\n", "permissions": "0600"},
			map[string]any{"path": "/etc/b", "content": "AP9/", "encoding": "b64"}},
		"bootcmd": []any{[]any{"cloud-init-per", "instance", "nactl-format-data", "sh", "-c", cloudinit.FormatScript, "sh", device, "xfs"}},
		"mounts":  []any{[]any{device, "/srv/a b", "xfs", "defaults,nofail", "0", "2"}},
		"runcmd": []any{[]any{"install", "-D", "-m", "0640", "-o", "ops", "-g", "ops", "/var/lib/cloud/nactl/0", "/etc/a"}, []any{"rm", "-r", "/var/lib/cloud/nactl"},
			[]any{"systemctl", "enable", "--now", "nginx: yes"}, []any{"sh", "-c", "echo \"it's\" > /x\n"}},
	}
	if d := cmp.Diff(wantUser, user); d != "" {
		t.Errorf("user-data (-want +got):\n%s", d)
	}
	wantNetwork := map[string]any{"version": uint64(2), "ethernets": map[string]any{
		"eth0": map[string]any{"match": map[string]any{"macaddress": "52:54:00:aa:00:01"}, "set-name": "eth0", "addresses": []any{"10.0.0.5/24"},
			"routes": []any{map[string]any{"to": "0.0.0.0/0", "via": "10.0.0.1"}}, "nameservers": map[string]any{"addresses": []any{"10.0.0.2"}, "search": []any{"example.org"}}},
		"dmz0": map[string]any{"match": map[string]any{"macaddress": "52:54:00:aa:00:02"}, "set-name": "dmz0", "addresses": []any{"fd00::5/64"},
			"routes": []any{map[string]any{"to": "::/0", "via": "fd00::1"}}},
		"eth2": map[string]any{"match": map[string]any{"macaddress": "52:54:00:aa:00:03"}, "set-name": "eth2", "dhcp4": true, "optional": true},
	}}
	if d := cmp.Diff(wantNetwork, network); d != "" {
		t.Errorf("network-config (-want +got):\n%s", d)
	}
}

func TestSeedOnlyWhereTheGuestIsTold(t *testing.T) {
	plain := virt.CreateVM{Disks: []virt.DiskSpec{{Name: "root"}}, NICs: []virt.NICSpec{{Network: "lan"}}}
	if needsSeed(plain) {
		t.Error("a VM with nothing to say to its guest needs a seed")
	}
	if b, err := networkConfig(plain, &virt.VM{NICs: []virt.NIC{{}}}); b != nil || err != nil {
		t.Errorf("one NIC by DHCP: %s, %v", b, err)
	}
	for name, c := range map[string]virt.CreateVM{
		"cloud-init": {CloudInit: &virt.CloudInit{}},
		"mount":      {Disks: []virt.DiskSpec{{MountPoint: "/srv"}}},
		"dns":        {NICs: []virt.NICSpec{{DNS: []string{"10.0.0.2"}}}},
	} {
		if !needsSeed(c) {
			t.Errorf("%s: needs no seed", name)
		}
	}
}

func TestSeedRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*virt.CreateVM, *virt.VM)
		want  string
	}{
		"hostname":   {func(c *virt.CreateVM, _ *virt.VM) { c.CloudInit.Hostname = "a b\nruncmd: x" }, "hostname"},
		"address":    {func(c *virt.CreateVM, _ *virt.VM) { c.NICs[0].Address = "10.0.0.5" }, "prefix length"},
		"gateway":    {func(c *virt.CreateVM, _ *virt.VM) { c.NICs[0].Gateway = "gw" }, "gateway"},
		"dns":        {func(c *virt.CreateVM, _ *virt.VM) { c.NICs[0].DNS = []string{"ns.example"} }, "dns"},
		"guest name": {func(c *virt.CreateVM, _ *virt.VM) { c.NICs[0].GuestName = "dmz0" }, "another NIC"},
		"serial":     {func(_ *virt.CreateVM, vm *virt.VM) { vm.Disks[1].Serial = "a.b" }, "serial"},
		"bus":        {func(_ *virt.CreateVM, vm *virt.VM) { vm.Disks[1].Bus = "usb" }, "bus"},
		"filesystem": {func(c *virt.CreateVM, _ *virt.VM) { c.Disks[1].Filesystem = "ext4; rm" }, "file system"},
	} {
		c, vm := seedCase()
		tc.spoil(&c, vm)
		if _, err := makeSeed(c, vm, "i"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tc.want)
		}
	}
}

func TestSeedISO(t *testing.T) {
	c, vm := seedCase()
	s, err := makeSeed(c, vm, "i-1")
	if err != nil {
		t.Fatal(err)
	}
	image, err := s.iso()
	if err != nil {
		t.Fatal(err)
	}
	// The primary volume descriptor's label, where blkid and the kernel look for it.
	if got := strings.TrimRight(string(image[0x8000+40:0x8000+72]), " \x00"); got != seedLabel {
		t.Errorf("label %q, want %q", got, seedLabel)
	}
	path := filepath.Join(t.TempDir(), "seed.iso")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := file.OpenFromPath(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fs, err := iso9660.Read(b, int64(len(image)), 0, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range s {
		f, err := fs.OpenFile("/"+name, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s reads as %q (%v)", name, got, err)
		}
	}
}
