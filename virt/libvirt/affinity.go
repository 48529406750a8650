//go:build cgo

package libvirt

import (
	"context"

	"github.com/nactl/nactl/virt"
)

// AffinityGroup implements virt.Reader: nodes have none.
func (n *Node) AffinityGroup(_ context.Context, cluster, name string) (*virt.AffinityGroup, error) {
	return noAffinity(cluster, name)
}

// AffinityGroup implements virt.Reader: clusters of nodes have none.
func (c *Cluster) AffinityGroup(_ context.Context, cluster, name string) (*virt.AffinityGroup, error) {
	return noAffinity(cluster, name)
}

func noAffinity(cluster, name string) (*virt.AffinityGroup, error) {
	return nil, &virt.Error{Kind: virt.ErrUnsupported, Object: virt.AffinityRef(cluster, name), Summary: "is nothing that libvirt nodes have",
		Hint: "say where VMs are to run with create_vm's host, or with migrate"}
}
