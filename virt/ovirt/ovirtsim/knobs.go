package ovirtsim

import (
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Request is one request that the engine got.
type Request struct {
	Method, Path, Query string
	Correlation         string
	Body                string // of an API call; never of a login
	Status              int    // of the reply, also of one that was lost
	Why                 string // why the body was not readable
	Time                time.Time
}

// Injection is a fault that the engine commits for the requests that match.
type Injection struct {
	// Match chooses the requests; nil is every API call (not the logins). It must
	// not call the engine.
	Match func(Request) bool
	After int           // let so many matching requests through first
	Times int           // 0 for as long as it is there
	For   time.Duration // engine time from now; 0 for ever

	Delay          time.Duration // engine time before anything else
	Drop           bool          // close the connection, execute nothing
	LoseReply      bool          // execute, then close the connection
	Status         int           // answer with it, execute nothing
	HTML           bool          // as a page of the proxy, not as a fault
	Reason, Detail string        // of the fault

	until time.Time
	seen  int
}

func (i *Injection) fault() *fault {
	if i.HTML {
		return &fault{status: i.Status, html: http.StatusText(i.Status)}
	}
	reason := i.Reason
	if reason == "" {
		reason = "Operation Failed"
	}
	return plain(i.Status, reason, i.Detail)
}

// On matches a method (empty: any) and a path pattern below /ovirt-engine/api,
// as "POST", "/vms/*/start"; a * stands for one segment.
func On(method, pattern string) func(Request) bool {
	return func(r Request) bool {
		ok, err := path.Match(base+pattern, r.Path)
		return err == nil && ok && (method == "" || method == r.Method)
	}
}

// Inject begins to commit a fault; the function returned ends it.
func (e *Engine) Inject(i Injection) (end func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i.Match == nil {
		i.Match = func(r Request) bool { return r.Path == base || strings.HasPrefix(r.Path, base+"/") }
	}
	if i.For > 0 {
		i.until = e.clock.now().Add(i.For)
	}
	p := &i
	e.faults = append(e.faults, p)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.faults = slices.DeleteFunc(e.faults, func(q *Injection) bool { return q == p })
	}
}

// Unavailable answers everything, logins too, with a 503 page for d.
func (e *Engine) Unavailable(d time.Duration) {
	e.Inject(Injection{Match: func(Request) bool { return true }, For: d, Status: 503, HTML: true})
}

// Restart is a restart of the engine that takes d: all sessions end.
func (e *Engine) Restart(d time.Duration) {
	e.ExpireTokens()
	e.Unavailable(d)
}

// Busy answers matching requests for d as when another operation held the lock.
func (e *Engine) Busy(d time.Duration, match func(Request) bool) {
	f := command{"run", "VM"}.refuse("ACTION_TYPE_FAILED_OBJECT_LOCKED")
	e.Inject(Injection{Match: match, For: d, Status: f.status, Detail: f.detail})
}

// ExpireTokens ends all sessions.
func (e *Engine) ExpireTokens() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.tokens)
}

// ExpirePassword makes right credentials be refused from now on.
func (e *Engine) ExpirePassword() { e.rule("expired") }

// FailHotPlug makes the guests of that VM refuse hot-plugs: of CPUs and memory
// in silence, of disks and NICs with an event.
func (e *Engine) FailHotPlug(vm string) { e.rule("hotplug " + vm) }

// IgnoreShutdown makes that VM's guest ignore a shutdown.
func (e *Engine) IgnoreShutdown(vm string) { e.rule("noshutdown " + vm) }

// FailMigration makes migrations of that VM fail when their time is over.
func (e *Engine) FailMigration(vm string) { e.rule("nomigrate " + vm) }

// FailStart makes that VM stop while it starts.
func (e *Engine) FailStart(vm string) { e.rule("nostart " + vm) }

// FailSnapshot makes what is done about the snapshots of that VM fail in the end.
func (e *Engine) FailSnapshot(vm string) { e.rule("nosnapshot " + vm) }

// FailCopy makes the copies of disks for a VM of that name end illegal.
func (e *Engine) FailCopy(vm string) { e.rule("nocopy " + vm) }

// FailSetup makes setupnetworks on that host fail on the host, with its words.
func (e *Engine) FailSetup(host string) { e.rule("nosetup " + host) }

// FailActivate makes that host end install_failed when it is activated.
func (e *Engine) FailActivate(host string) { e.rule("noactivate " + host) }

// FailDisk makes new disks of that name end illegal.
func (e *Engine) FailDisk(name string) { e.rule("nodisk " + name) }

// NoAgent makes that VM's guest report nothing.
func (e *Engine) NoAgent(vm string) { e.rule("noagent " + vm) }

// SlowSetup makes setupnetworks on that host take d.
func (e *Engine) SlowSetup(host string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slow[host] = d
}

func (e *Engine) rule(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules[name] = true
}

// SetAddress makes the guest agent of a VM report these addresses for a NIC,
// from now on and for ever, so that a test can bind them to a server. False
// means there is no such VM or NIC.
func (e *Engine) SetAddress(vm, nic string, ips ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := named(e.vms(), vm)
	if v == nil {
		return false
	}
	n := named(v.sub("nics"), nic)
	if n == nil {
		return false
	}
	if v.addrs == nil {
		v.addrs = map[string][]string{}
	}
	v.addrs[n.get("mac/address")] = ips
	v.pinned = true
	return true
}

// UserData gives the custom script that cloud-init in a VM's guest was told at its
// last boot at which it was told anything: what the guest can read, and the API
// cannot. A test can act upon it, as by giving a server the host key in it.
func (e *Engine) UserData(vm string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	v := named(e.vms(), vm)
	if v == nil {
		return ""
	}
	return v.userData
}

// LockVM is somebody else's operation on a VM: commands on it fail until free is
// called. Without such a VM free does nothing.
func (e *Engine) LockVM(name string) (free func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock.settle()
	vm := named(e.vms(), name)
	if vm == nil {
		return func() {}
	}
	mine := &lock{key: "ACTION_TYPE_FAILED_OBJECT_LOCKED"}
	vm.lock = mine
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if vm.lock == mine {
			vm.lock = nil
		}
	}
}

// EndInjections ends all faults that Inject and what builds on it began.
func (e *Engine) EndInjections() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
}

// Heal ends all of the above but the injections.
func (e *Engine) Heal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.rules)
	clear(e.slow)
	e.failed = 0
}

// SetTiming changes how long things take from now on; zero fields mean the
// default.
func (e *Engine) SetTiming(t Timing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.defaults()
	e.time = t
}

// begin notes a request and returns the fault to commit, if any.
func (e *Engine) begin(c *call) *Injection {
	r := Request{Method: c.r.Method, Path: c.r.URL.Path, Query: c.r.URL.RawQuery, Correlation: c.r.Header.Get("Correlation-Id")}
	if strings.HasPrefix(r.Path, base) && (r.Method == http.MethodPost || r.Method == http.MethodPut) {
		if b, err := io.ReadAll(io.LimitReader(c.r.Body, 16<<20)); err == nil {
			r.Body = string(b)
			c.r.Body = io.NopCloser(strings.NewReader(r.Body))
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	r.Time = e.clock.now()
	c.log = &r
	for _, i := range e.faults {
		if (!i.until.IsZero() && r.Time.After(i.until)) || !i.Match(r) {
			continue
		}
		i.seen++
		if i.seen > i.After && (i.Times == 0 || i.seen <= i.After+i.Times) {
			return i
		}
	}
	return nil
}

// finish files a request as answered. It may be called with the lock held.
func (e *Engine) finish(c *call, status int) {
	c.log.Status, c.log.Why = status, c.why
	e.logMu.Lock()
	defer e.logMu.Unlock()
	e.log = append(e.log, *c.log)
}

// Requests returns the requests that were answered, oldest first.
func (e *Engine) Requests() []Request {
	e.logMu.Lock()
	defer e.logMu.Unlock()
	return slices.Clone(e.log)
}

// Count is the number of requests that match, of all with nil.
func (e *Engine) Count(match func(Request) bool) int {
	n := 0
	for _, r := range e.Requests() {
		if match == nil || match(r) {
			n++
		}
	}
	return n
}

// Forget empties the list of requests.
func (e *Engine) Forget() {
	e.logMu.Lock()
	defer e.logMu.Unlock()
	e.log = nil
}
