package ovirt

import (
	"context"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// Engine is one engine as a platform.
//
// Names: VMs, templates and networks have names that are unique only within a
// data centre. A name that two of them have is an ErrConflict that lists them;
// it is then written with its data centre, as "dc1/web-1".
type Engine struct {
	*Client
	rules virt.Rules

	snap  snapshot
	dir   directory
	locks virt.Locks

	logins guestPool

	vms   *poller[vmLook]
	disks *poller[string] // status
	hosts *poller[hostLook]

	histories *poller[history]
}

var (
	_ virt.Platform = (*Engine)(nil)
	_ virt.Counter  = (*Engine)(nil)
	_ virt.Foreseer = (*Engine)(nil)
)

// vmLook is what those who wait for a VM look at.
type vmLook struct {
	status string
	host   string // id
}

// Open makes an engine. Nothing is sent until it is first used, so its only errors
// are those of the configuration.
func Open(_ context.Context, cfg Config) (*Engine, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	e := &Engine{Client: c}
	e.rules = virt.Rules{LiveCPU: liveCPU, LiveMemory: liveMemory, NextRun: nextRunOnly, Created: created, Attached: attached, Refuse: refuse}
	e.snap.init()
	e.dir.init()
	e.logins.init()
	e.vms = newPoller(c, kindVM, "/vms", nil, func(v *ovirtsdk.Vm) (vmLook, error) {
		return vmLook{status: string(value(v.Status())), host: idIn(v.Host())}, nil
	})
	e.disks = newPoller(c, kindDisk, "/disks", nil, func(d *ovirtsdk.Disk) (string, error) {
		return string(value(d.Status())), nil
	})
	e.histories = newPoller(c, kindVM, "/vms", []string{"snapshots"}, convHistory)
	e.hosts = newPoller(c, kindHost, "/hosts", nil, convHostLook)
	return e, nil
}

// Type is ovirt.
func (e *Engine) Type() string { return "ovirt" }

// Name is what the inventory calls the engine.
func (e *Engine) Name() string { return e.cfg.Name }

// closeTime is how long the engine has to take its token back.
const closeTime = 5 * time.Second

// Close logs out and ends all connections, to guests too.
func (e *Engine) Close() error {
	e.logins.close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return e.Client.Close(ctx)
}
