package ovirt

import (
	"context"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

var _ virt.Grouped = (*Engine)(nil)

// Clusters implements virt.Grouped.
func (e *Engine) Clusters(ctx context.Context) ([]*virt.Cluster, error) {
	byID, err := e.clusterMap(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []*virt.Cluster
	for _, c := range byID {
		out = append(out, &virt.Cluster{Name: c.name, ID: c.id, Description: c.description, Comment: c.comment, DataCentre: c.centreName})
	}
	sortBy(out, func(c *virt.Cluster) string { return c.Name })
	return out, nil
}

// DataCentres implements virt.Grouped.
func (e *Engine) DataCentres(ctx context.Context) ([]*virt.DataCentre, error) {
	out, err := list(ctx, e.Client, kindDataCenter, "/datacenters", query{}, func(dc *ovirtsdk.DataCenter) (*virt.DataCentre, error) {
		return &virt.DataCentre{Name: value(dc.Name()), ID: value(dc.Id()), Comment: value(dc.Comment()), State: string(value(dc.Status()))}, nil
	})
	if err != nil {
		return nil, explain("read its data centres", e.Ref(), err)
	}
	sortBy(out, func(dc *virt.DataCentre) string { return dc.Name })
	return out, nil
}
