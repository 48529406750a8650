//go:build cgo && lab

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// labNode opens a node of the lab whose inventory NACTL_LAB names.
func labNode(t *testing.T, name string) *Node {
	t.Helper()
	return labNodeCalling(t, name, nil)
}

// labNodeCalling is labNode with a look at every call that goes out.
func labNodeCalling(t *testing.T, name string, onCall func(program, procedure uint32)) *Node {
	t.Helper()
	cfg := labConfig(t, name)
	cfg.OnCall = onCall
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	})
	return n
}

// labConfig reads how a node of the lab is reached.
func labConfig(t testing.TB, name string) Config {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("NACTL_LAB"))
	if err != nil {
		t.Fatalf("NACTL_LAB has to name the lab's inventory (lab/lab up; lab/lab env): %v", err)
	}
	var inventory struct {
		Nodes map[string]struct {
			Address      string `yaml:"address"`
			User         string `yaml:"user"`
			IdentityFile string `yaml:"identity_file"`
			KnownHosts   string `yaml:"known_hosts"`
		} `yaml:"nodes"`
	}
	if err := yaml.Unmarshal(text, &inventory); err != nil {
		t.Fatal(err)
	}
	node, ok := inventory.Nodes[name]
	if !ok {
		t.Fatalf("the lab has no node %s", name)
	}
	return Config{Name: name, SSH: &ssh.Config{Name: name, Address: node.Address, User: node.User, SSHConfig: "none",
		IdentityFiles: []string{node.IdentityFile}, IdentitiesOnly: true, KnownHosts: []string{node.KnownHosts}}}
}

const labDomain = `<domain type='%s'><name>%s</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><features><acpi/><apic/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='lan'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><serial type='pty'/></devices></domain>`

// labGuest defines a tiny guest whose disk is in a pool of the node, starts it,
// and waits for its agent. In the pool images, which each node has for itself,
// the disk rests on an image beside it. The test's end removes all from all
// nodes.
func labGuest(t *testing.T, name, pool string, n *Node, others ...*Node) {
	t.Helper()
	volume := name + "-disk.qcow2"
	remove := func() {
		for _, n := range append(others, n) {
			removeLabGuest(t, n, name, volume)
		}
	}
	remove()
	t.Cleanup(remove)
	accel := "qemu"
	if os.Getenv("LAB_KVM") == "1" {
		accel = "kvm"
	}
	err := n.long(t.Context(), "make a guest", func(c *lv.Connect) error {
		return withVolume(c, "shared", "tiny.qcow2", func(_ *lv.StoragePool, image *lv.StorageVol) error {
			return withPool(c, pool, func(p *lv.StoragePool) error {
				path, err := labDisk(p, name, pool == "images", image)
				if err != nil {
					return err
				}
				d, err := c.DomainDefineXML(fmt.Sprintf(labDomain, accel, name, path))
				if err != nil {
					return err
				}
				defer d.Free()
				return d.Create()
			})
		})
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Forget()
	labAgent(t, n, name)
}

// labDisk makes a guest's disk from an image, or on top of a copy of it.
func labDisk(p *lv.StoragePool, name string, backed bool, image *lv.StorageVol) (path string, err error) {
	volume := name + "-disk.qcow2"
	first := volume
	if backed {
		first = labBase(name)
	}
	v, err := p.StorageVolCreateXMLFrom(fmt.Sprintf("<volume><name>%s</name><capacity>0</capacity><target><format type='qcow2'/></target></volume>", first), image, 0)
	if err != nil {
		return "", err
	}
	defer v.Free()
	if path, err = v.GetPath(); err != nil || !backed {
		return path, err
	}
	top, err := p.StorageVolCreateXML(fmt.Sprintf("<volume><name>%s</name><capacity unit='MiB'>96</capacity><target><format type='qcow2'/></target>"+
		"<backingStore><path>%s</path><format type='qcow2'/></backingStore></volume>", volume, path), 0)
	if err != nil {
		return "", err
	}
	defer top.Free()
	return top.GetPath()
}

// labBase is the image that a guest's disk rests on.
func labBase(name string) string { return name + "-base.qcow2" }

// labAgent waits for a guest's agent.
func labAgent(t *testing.T, n *Node, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		info, err := n.GuestInfo(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Agent == virt.AgentConnected {
			return
		}
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			t.Fatalf("no agent in %s after five minutes", name)
		}
	}
}

func removeLabGuest(t *testing.T, n *Node, name, volume string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := n.withDomain(ctx, "remove a guest", name, func(_ *lv.Connect, d *lv.Domain) error {
		_ = d.Destroy() // it may not run
		return d.UndefineFlags(lv.DOMAIN_UNDEFINE_MANAGED_SAVE)
	})
	if err != nil && !errors.Is(err, virt.ErrNotFound) {
		t.Errorf("remove %s: %v", name, err)
	}
	for _, pool := range []string{"shared", "images"} {
		for _, v := range []string{volume, volume + partSuffix, labBase(name)} {
			if err := n.deleteVolume(ctx, pool, v); err != nil {
				t.Errorf("remove %s/%s: %v", pool, v, err)
			}
		}
	}
}
