//go:build cgo

package libvirt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/beevik/etree"
	"golang.org/x/sync/errgroup"
	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// Networks reads all libvirt networks, by name.
func (n *Node) Networks(ctx context.Context) ([]*virt.Network, error) {
	var out []*virt.Network
	err := n.read(ctx, "read the networks", func(c *lv.Connect) error {
		list, err := c.ListAllNetworks(0)
		if err != nil {
			return ignoreUnsupported(err)
		}
		out = make([]*virt.Network, len(list))
		var g errgroup.Group
		g.SetLimit(readsInFlight)
		for i := range list {
			g.Go(func() (err error) {
				defer list[i].Free()
				out[i], err = n.readNetwork(&list[i])
				return err
			})
		}
		return g.Wait()
	})
	slices.SortFunc(out, func(a, b *virt.Network) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// Network reads one libvirt network.
func (n *Node) Network(ctx context.Context, name string) (*virt.Network, error) {
	var out *virt.Network
	err := n.read(ctx, "read the network", func(c *lv.Connect) error {
		return lookUpNetwork(c, name, func(net *lv.Network) (err error) {
			out, err = n.readNetwork(net)
			return err
		})
	})
	return out, aboutNetwork(err, name)
}

// lookUpNetwork finds a network, hands it to fn, and frees it.
func lookUpNetwork(c *lv.Connect, name string, fn func(net *lv.Network) error) error {
	net, err := c.LookupNetworkByName(name)
	if err != nil {
		return err
	}
	defer net.Free()
	return fn(net)
}

// aboutNetwork makes an error about the node one about a network.
func aboutNetwork(err error, name string) error {
	ref := virt.NetworkRef(name)
	if isCode(err, lv.ERR_NO_NETWORK) {
		return virt.NotFound(ref, "make it with create_network or create_vlan, or check its name")
	}
	return about(err, ref)
}

func (n *Node) readNetwork(net *lv.Network) (*virt.Network, error) {
	var (
		xml string
		out virt.Network
		g   errgroup.Group
	)
	g.Go(func() (err error) { xml, err = net.GetXMLDesc(0); return })
	g.Go(func() (err error) { out.Active, err = net.IsActive(); return })
	g.Go(func() (err error) {
		out.Autostart, err = net.GetAutostart()
		if isCode(err, lv.ERR_INTERNAL_ERROR) { // a transient network has none
			err = nil
		}
		return
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := parseNetwork(xml, &out); err != nil {
		return nil, err
	}
	out.Hosts = []string{n.cfg.Name}
	return &out, nil
}

// parseNetwork reads a network's XML into out.
func parseNetwork(xml string, out *virt.Network) error {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(xml); err != nil {
		return fmt.Errorf("network XML from libvirt: %w", err)
	}
	root := doc.Root()
	if root == nil || root.Tag != "network" {
		return fmt.Errorf("network XML from libvirt: there is no <network> in it")
	}
	out.Name, out.Native = text(root, "name"), xml
	out.Bridge = attr(root, "bridge", "name")
	out.MTU = number(attr(root, "mtu", "size"))
	out.Type = "isolated"
	if f := root.SelectElement("forward"); f != nil {
		out.Type = f.SelectAttrValue("mode", "nat")
	}
	if attr(root, "virtualport", "type") == "openvswitch" {
		out.Type = "openvswitch"
	}
	if servedTypes[out.Type] {
		out.IP = parseServed(root)
	}
	if tag := root.FindElement("./vlan/tag"); tag != nil {
		out.VLAN = number(tag.SelectAttrValue("id", ""))
	}
	return nil
}
