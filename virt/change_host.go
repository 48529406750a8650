package virt

import "time"

// HostMaintenance takes a host out of service: its VMs move to other hosts and no
// VM starts there any more. It gives an Evacuated.
type HostMaintenance struct {
	On
	converge
	Reason  string        `json:"reason,omitempty"`  // for those who see it on the platform
	Timeout time.Duration `json:"timeout,omitempty"` // until its VMs are gone; 0 = the platform's
	// StopGluster also stops the host's Gluster services; of engines only.
	StopGluster bool `json:"stop_gluster,omitempty"`
}

// HostActivate brings a host back into service.
type HostActivate struct {
	On
	converge
	Timeout time.Duration `json:"timeout,omitempty"` // until it is up; 0 = the platform's
}

// Evacuated is the result of HostMaintenance: the VMs that left the host.
type Evacuated struct {
	Moved []MovedVM `json:"moved"` // sorted by name
}

// MovedVM is a VM that left a host.
type MovedVM struct {
	VM string `json:"vm"`
	To string `json:"to"` // empty = it does not run any more
}
