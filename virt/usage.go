package virt

import (
	"context"
	"time"
)

// Usage is what a running VM uses at one moment. What its platform does not tell
// is absent.
type Usage struct {
	VM   string    `json:"vm"`
	Host string    `json:"host,omitempty"`
	At   time.Time `json:"at"`
	CPUs int       `json:"cpus"`
	// CPU is how much of all its CPUs it uses, in percent; CPUTime what it has used
	// since its start.
	CPU        Opt[float64]       `json:"cpu_percent,omitzero"`
	CPUTime    Opt[time.Duration] `json:"cpu_time,omitzero"`
	Memory     int64              `json:"memory"`               // that it has, in bytes
	MemoryUsed Opt[int64]         `json:"memory_used,omitzero"` // as its guest tells
	Disk       Traffic            `json:"disk"`                 // of all its disks: In is read
	Net        Traffic            `json:"net"`                  // of all its NICs: In is received
}

// Traffic is what went in and out: in bytes since the start of the VM, and in
// bytes a second.
type Traffic struct {
	In      Opt[int64]   `json:"in,omitzero"`
	Out     Opt[int64]   `json:"out,omitzero"`
	InRate  Opt[float64] `json:"in_rate,omitzero"`
	OutRate Opt[float64] `json:"out_rate,omitzero"`
}

// Metered is a Platform that tells what its VMs use.
type Metered interface {
	// Usage gives what these VMs use now; without names, all. A VM that does not run
	// is left out. One that is not there is an ErrNotFound.
	Usage(ctx context.Context, names ...string) ([]Usage, error)
}

// Since fills in the rates that the platform does not tell, from what the VM had
// used at an earlier moment. Counters that went back, as after a restart or a
// move, give none.
func (u Usage) Since(earlier Usage) Usage {
	elapsed := u.At.Sub(earlier.At)
	if elapsed <= 0 || u.VM != earlier.VM {
		return u
	}
	now, ok := u.CPUTime.Get()
	before, had := earlier.CPUTime.Get()
	if ok && had && now >= before && u.CPUs > 0 && !u.CPU.IsSet() {
		u.CPU = Some(100 * float64(now-before) / float64(elapsed) / float64(u.CPUs))
	}
	u.Disk, u.Net = u.Disk.since(earlier.Disk, elapsed), u.Net.since(earlier.Net, elapsed)
	return u
}

func (t Traffic) since(earlier Traffic, elapsed time.Duration) Traffic {
	rate := func(have Opt[float64], now, before Opt[int64]) Opt[float64] {
		n, ok := now.Get()
		b, had := before.Get()
		if have.IsSet() || !ok || !had || n < b {
			return have
		}
		return Some(float64(n-b) / elapsed.Seconds())
	}
	t.InRate, t.OutRate = rate(t.InRate, t.In, earlier.In), rate(t.OutRate, t.Out, earlier.Out)
	return t
}
