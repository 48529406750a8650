package virt

// HostExec runs a command on a host and gives a CommandResult.
type HostExec struct {
	On
	action
	Command Command `json:"command"`
	// Become runs it as root, by what the inventory says of becoming root there;
	// where it says nothing, as whoever is logged in.
	Become bool `json:"become"`
}

// OnHost is the head of a change to a host that nobody has looked at: a command
// needs no platform that answers, only a way to its host.
func OnHost(name string) On { return On{Ref: Ref{Kind: KindHost, Name: name}} }
