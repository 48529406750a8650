package inventory

import (
	"time"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

// Guests says how to log in to guests, or to hosts of an engine, over SSH.
type Guests struct {
	User           string
	Port           int
	IdentityFiles  []string
	IdentitiesOnly bool
	Agent          string
	KnownHosts     []string
	SSHConfig      string
	Jump           []string // as a node's
	Become         string   // "sudo", or "" where the user is root already
	// AcceptNew takes an unknown host key at first sight and records it.
	AcceptNew      bool
	ConnectTimeout time.Duration
	KeepAlive      time.Duration
	KeepAliveCount int
	Range          diag.Range
}

// guestsOver reads a section guests: what it says, and what base says of the rest.
func guestsOver(base Guests, f fields) Guests {
	g := base
	set := func(key string, read func()) {
		if f.get(key) != nil {
			read()
		}
	}
	set("user", func() { g.User = f.str("user") })
	set("port", func() { g.Port = f.integer("port") })
	set("identity_file", func() { g.IdentityFiles = f.paths("identity_file") })
	set("identities_only", func() { g.IdentitiesOnly = f.boolean("identities_only") })
	set("agent", func() { g.Agent = f.str("agent") })
	set("known_hosts", func() { g.KnownHosts = f.paths("known_hosts") })
	set("ssh_config", func() {
		if g.SSHConfig = f.str("ssh_config"); g.SSHConfig != "none" && g.SSHConfig != "" {
			g.SSHConfig = resolvePath(f.dir, g.SSHConfig)
		}
	})
	set("jump", func() { g.Jump = f.strs("jump") })
	set("become", func() {
		if g.Become = f.oneOf("become"); g.Become == "none" {
			g.Become = ""
		}
	})
	set("host_key", func() { g.AcceptNew = f.oneOf("host_key") == "accept_new" })
	set("connect_timeout", func() { g.ConnectTimeout = f.duration("connect_timeout") })
	set("keepalive", func() { g.KeepAlive = f.duration("keepalive") })
	set("keepalive_count", func() { g.KeepAliveCount = f.integer("keepalive_count") })
	return g
}

// guests reads the section for all engines.
func (l *loader) guests(key, v *source.Node, dir string) {
	if l.inv.Guests.Range.IsValid() {
		l.list.Errorf(key.Range, "duplicate-key", "guests stand at %s already", l.inv.Guests.Range.Pos)
		return
	}
	if f, ok := newFields(&l.list, v, "guests", dir, guestKeys); ok {
		l.checkJumps(f)
		l.inv.Guests = guestsOver(Guests{}, f)
	}
	l.inv.Guests.Range = key.Range
}

// ownGuests is an engine's own section.
type ownGuests struct {
	engine *Engine
	f      fields
	at     diag.Range
}

// engineGuests reads an engine's own section. What it leaves out is filled in once
// all files are read.
func (l *loader) engineGuests(f fields, e *Engine) {
	v := f.get("guests")
	if v == nil {
		return
	}
	own, ok := newFields(&l.list, v, "guests of "+f.what, f.dir, guestKeys)
	if !ok {
		return
	}
	l.checkJumps(own)
	guestsOver(Guests{}, own) // says what is wrong
	own.list = &diag.List{}
	l.ownGuests = append(l.ownGuests, ownGuests{engine: e, f: own, at: v.Range})
}

// engineHosts reads how an engine's hosts are logged in to: as a guest is, over SSH.
func (l *loader) engineHosts(f fields, e *Engine) {
	v := f.get("hosts")
	if v == nil {
		return
	}
	if own, ok := newFields(&l.list, v, "hosts of "+f.what, f.dir, guestKeys); ok {
		l.checkJumps(own)
		g := guestsOver(Guests{}, own)
		g.Range = v.Range
		e.Hosts = &g
	}
}

// finishGuests tells each engine how its guests are reached.
func (l *loader) finishGuests() {
	if l.inv.Guests.Range.IsValid() {
		for _, e := range l.inv.Engines {
			g := l.inv.Guests
			e.Guests = &g
		}
	}
	for _, own := range l.ownGuests {
		g := guestsOver(l.inv.Guests, own.f)
		g.Range = own.at
		own.engine.Guests = &g
	}
}
