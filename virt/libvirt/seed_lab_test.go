//go:build cgo && lab

package libvirt

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nactl/nactl/virt"
)

// TestLabSeed proves the seed on a real cloud-init: users and keys, a static
// address, a disk that is formatted only because it is blank, and one that is not
// and keeps what is on it.
func TestLabSeed(t *testing.T) {
	n := labNode(t, "n1")
	const name = "l2-debian"
	labRemove(t, n, name)
	t.Cleanup(func() { labRemove(t, n, name) })
	img, err := n.Image(t.Context(), virt.ImageSource{Name: "debian-12", Storage: "shared", Volume: "debian-12.qcow2"})
	if err != nil {
		t.Fatal(err)
	}
	size := img.Size + virt.GiB
	c := virt.CreateVM{
		On: virt.On{Ref: virt.VMRef(name)}, Run: "run-1", Image: img, CPU: virt.CPU{Count: 2}, Memory: virt.Memory{Current: 512 * virt.MiB},
		Disks: []virt.DiskSpec{
			{Name: "root", Boot: true, Storage: "images", Size: size, Sparse: true, Format: "qcow2"},
			{Name: "blank", Storage: "images", Size: 64 * virt.MiB, Sparse: true, MountPoint: "/srv/blank"},
			{Name: "full", Storage: "images", Volume: "l2-debian-kept.raw", MountPoint: "/srv/full", Filesystem: "ext4"}},
		NICs: []virt.NICSpec{
			{Name: "nic1", Network: "lan", Address: "10.77.0.177/24", Gateway: "10.77.0.254", DNS: []string{"10.77.0.254"}, Search: []string{"lab.example"}},
			{Name: "nic2", Network: "default", GuestName: "back0"}},
		CloudInit: &virt.CloudInit{
			Hostname: "debian.lab.example", SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpPgQ1gOMTGXJ9Bk2zHGcEcCqPwAOB5WuKpBgcXm8Yl default"},
			Users: []virt.GuestUser{{Name: "ops", Groups: []string{"adm"}, Shell: "/bin/bash", Sudo: "ALL=(ALL) NOPASSWD:ALL",
				SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpPgQ1gOMTGXJ9Bk2zHGcEcCqPwAOB5WuKpBgcXm8Yl ops"}}},
			Files: []virt.SeedFile{{Path: "/home/ops/hello", Content: "hello: 'you'\n", Mode: "0640", Owner: "ops:ops"}},
			Run:   [][]string{{"touch", "/root/it's run"}},
		},
	}
	// A disk with data whose file system nobody here knows: its first MiB is not blank.
	data := make([]byte, 16*virt.MiB)
	copy(data[4096:], "these are somebody's data")
	pool := poolTarget{name: "images", typ: "dir", path: "/var/lib/libvirt/images"}
	kept := newVolume{pool: pool, name: "l2-debian-kept.raw", format: "raw", size: int64(len(data)), sparse: true, data: data}
	if err := n.makeVolume(t.Context(), kept, false); err != nil {
		t.Fatal(err)
	}
	mustApply(t, n, c)
	began := time.Now()
	mustApply(t, n, virt.Start{On: virt.OnVM(observed(t, n, name))})
	labAgent(t, n, name)
	t.Logf("the agent answers %s after the start", time.Since(began).Round(time.Second))
	for labShell(t, n, name, "test -f /run/cloud-init/result.json && echo over") != "over" {
		if time.Since(began) > 4*time.Minute {
			t.Fatalf("cloud-init is not over; it is at %s", labShell(t, n, name, "tail -3 /var/log/cloud-init.log"))
		}
		time.Sleep(time.Second)
	}
	t.Logf("cloud-init is over %s after the start", time.Since(began).Round(time.Second))
	for script, want := range map[string]string{
		"hostname; hostname -f":                                "debian\ndebian.lab.example",
		"id -nG ops; getent passwd ops | cut -d: -f7":          "ops adm\n/bin/bash",
		"sudo -u ops sudo -n id -u":                            "0",
		"cut -d' ' -f3 /home/ops/.ssh/authorized_keys":         "ops",
		"cat /home/ops/hello; stat -c '%a %U' /home/ops/hello": "hello: 'you'\n640 ops",
		"ls /root/it*": "/root/it's run",
		"ip -4 -o addr show dev eth0 | awk '{print $4}'":                                                      "10.77.0.177/24",
		"ip route show default dev eth0 | awk '{print $3}'":                                                   "10.77.0.254",
		"cat /sys/class/net/back0/address | cut -c1-8":                                                        "52:54:00",
		"findmnt -no FSTYPE,OPTIONS /srv/blank | cut -d, -f1":                                                 "ext4   rw",
		"findmnt -no SOURCE /srv/full || echo not mounted":                                                    "not mounted",
		"head -c 4121 /dev/disk/by-id/virtio-full | tail -c 25":                                               "these are somebody's data",
		"test $(df --output=size -B1 / | tail -1) -gt " + strconv.FormatInt(size*8/10, 10) + " && echo grown": "grown",
	} {
		if got := labShell(t, n, name, script); got != want {
			t.Errorf("%s\ngives %q, want %q", script, got, want)
		}
	}
	if t.Failed() {
		t.Log(labShell(t, n, name, "cloud-init status --long; grep -E 'WARN|ERROR|Traceback' /var/log/cloud-init.log | tail -20; cat /etc/fstab; ip -br a"))
	}
	if user := labShell(t, n, name, "grep -rl 'Yl default' /home/*/.ssh/authorized_keys /root/.ssh/authorized_keys 2>/dev/null"); !strings.Contains(user, "authorized_keys") {
		t.Errorf("the default user has no key: %q", user)
	}
}
