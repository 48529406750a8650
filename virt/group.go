package virt

import "context"

// Cluster is a group of hosts among which VMs can move.
type Cluster struct {
	Name        string `json:"name"`
	ID          string `json:"id,omitempty"` // engines only
	Description string `json:"description,omitempty"`
	Comment     string `json:"comment,omitempty"`
	DataCentre  string `json:"data_centre,omitempty"`
}

// DataCentre is a group of clusters that share storage and networks.
type DataCentre struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Comment string `json:"comment,omitempty"`
	State   string `json:"state"`
}

// Grouped is a Reader of a target whose hosts stand in clusters: an engine, or a
// cluster of nodes.
type Grouped interface {
	Clusters(ctx context.Context) ([]*Cluster, error)
	DataCentres(ctx context.Context) ([]*DataCentre, error)
}
