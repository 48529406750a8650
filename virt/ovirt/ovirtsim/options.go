package ovirtsim

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options describe an engine. The zero value is usable: one data center with a
// cluster of two hosts, as [Small] makes it.
type Options struct {
	Name     string   // tells engines apart: their ids differ
	Hosts    []string // further names and addresses for the certificate
	Version  string   // full version; empty is 4.5.5-1.el9
	Product  string   // name in product_info; empty is oVirt Engine
	User     string   // with profile; empty is admin@internal
	Password string   // empty is secret
	Users    []User   // who are no administrators

	// Speed is how many engine seconds pass in a real second; 0 stands for a
	// clock that only [Engine.Advance] moves. Trials use 1, tests 100 or so.
	Speed float64
	// Start is the engine's time at the beginning; zero is 2026-01-01 UTC.
	Start time.Time
	// Session is how long a token lives without a request; zero is 30 minutes.
	Session time.Duration
	// Timing overrides how long things take.
	Timing Timing

	DataCenters []DataCenter // nil is Small().DataCenters
	Templates   []Template
	VMs         []VM
	// Recording is a folder of recorded replies to begin with instead of the
	// above: the bodies of GETs and an index.json, as in testdata.
	Recording string
	// Addr is what to listen on; empty is a free port of 127.0.0.1.
	Addr string
	// Control makes the engine take commands at ControlPath, from anybody who can
	// connect.
	Control bool
}

// Timing is how long the engine's work takes, in engine time. Zero fields mean
// the default.
type Timing struct {
	Launch    time.Duration // wait_for_launch; 2 s
	Boot      time.Duration // powering_up, until the guest agent reports; 10 s
	Down      time.Duration // powering_down after stop; 1 s
	Shutdown  time.Duration // powering_down after shutdown; 5 s
	Reboot    time.Duration // 8 s
	Suspend   time.Duration // saving and restoring; 5 s
	Migrate   time.Duration // 8 s
	DiskAdd   time.Duration // a new disk is locked; 3 s
	DiskThin  time.Duration // an image of a thin VM is locked; 2 s
	DiskCopy  time.Duration // an image of a cloned VM is locked; 15 s
	DiskGrow  time.Duration // 2 s
	DiskDrop  time.Duration // until a removed disk is gone; 2 s
	Snapshot  time.Duration // 4 s
	Merge     time.Duration // removal of a snapshot; 8 s
	SetupNets time.Duration // the call blocks so long; 3 s
	Host      time.Duration // activate, deactivate beside the migrations; 5 s
	Push      time.Duration // a changed network reaches the hosts; 3 s
	Attempt   time.Duration // a command waits so long for a host's lock; 20 s
}

func (t *Timing) defaults() {
	for _, d := range []struct {
		f *time.Duration
		v time.Duration
	}{
		{&t.Launch, 2}, {&t.Boot, 10}, {&t.Down, 1}, {&t.Shutdown, 5}, {&t.Reboot, 8}, {&t.Suspend, 5}, {&t.Migrate, 8},
		{&t.DiskAdd, 3}, {&t.DiskThin, 2}, {&t.DiskCopy, 15}, {&t.DiskGrow, 2}, {&t.DiskDrop, 2}, {&t.Snapshot, 4},
		{&t.Merge, 8}, {&t.SetupNets, 3}, {&t.Host, 5}, {&t.Push, 3}, {&t.Attempt, 20},
	} {
		if *d.f == 0 {
			*d.f = d.v * time.Second
		}
	}
}

// Engine is a simulated engine. Its methods may be called at any time from any
// goroutine.
type Engine struct {
	opts Options
	time Timing

	mu     sync.Mutex // guards everything below
	clock  *clock
	space  uuid.UUID
	ids    int
	cols   map[string]*collection
	events int
	macs   int
	leases int
	tokens map[string]*session
	failed int // logins in a row
	faults []*Injection
	logMu  sync.Mutex // guards log alone; taken after mu
	log    []Request
	admin  *object
	rules  map[string]bool          // knobs by name
	slow   map[string]time.Duration // setupnetworks by host

	transfers map[string]*transfer // by id
	tickets   map[string]*transfer // by ticket
	contents  map[string]*content  // of disks that hold something, by id

	toldMu sync.Mutex // guards told alone; never taken with mu
	told   []func()   // what heal ends

	srv *server
}

// New makes an engine; Start makes it answer.
func New(o Options) (*Engine, error) {
	if o.Version == "" {
		o.Version = "4.5.5-1.el9"
	}
	if o.Product == "" {
		o.Product = "oVirt Engine"
	}
	if o.User == "" {
		o.User = "admin@internal"
	}
	if o.Password == "" {
		o.Password = "secret"
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Session == 0 {
		o.Session = 30 * time.Minute
	}
	e := &Engine{
		opts: o, time: o.Timing, clock: newClock(o.Start, o.Speed),
		space:  uuid.NewSHA1(uuid.NameSpaceDNS, []byte(o.Name+"@"+o.User)),
		tokens: map[string]*session{}, cols: map[string]*collection{}, rules: map[string]bool{}, slow: map[string]time.Duration{},
		transfers: map[string]*transfer{}, tickets: map[string]*transfer{}, contents: map[string]*content{},
	}
	e.time.defaults()
	for _, k := range roots {
		e.cols[k.path] = &collection{kind: k, ids: map[string]*object{}}
	}
	e.admin = e.col("users").add(e.newObject(kindUser, el("user",
		tx("name", "admin"), tx("user_name", o.User), tx("principal", "admin"), tx("namespace", "*"))))
	if o.Recording != "" {
		return e, e.load(o.Recording)
	}
	if o.DataCenters == nil {
		s := Small()
		o.DataCenters, o.Templates, o.VMs = s.DataCenters, append(s.Templates, o.Templates...), append(s.VMs, o.VMs...)
	}
	return e, e.seed(o)
}

// Advance moves the engine's clock by d and runs what became due.
func (e *Engine) Advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.add(d)
	e.clock.settle()
}

// Now is the engine's time.
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clock.now()
}
