package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

const (
	retireTime   = time.Hour        // for the VMs of a host to leave it, where nobody says
	activateTime = 10 * time.Minute // for a host to come up, where nobody says
	// stuckAfter is how many looks at a host whose VMs do not move any more are
	// enough: some VMs wait for their turn, which no look shows.
	stuckAfter = 30
)

// hostLook is what those who wait for a host look at.
type hostLook struct {
	status            string
	active, migrating int64 // VMs
}

func convHostLook(h *ovirtsdk.Host) (hostLook, error) {
	l := hostLook{status: string(value(h.Status()))}
	if s, ok := h.Summary(); ok && s != nil {
		l.active, l.migrating = value(s.Active()), value(s.Migrating())
	}
	return l, nil
}

// guest is a VM on a host, as far as the host's maintenance goes.
type guest struct {
	id, name, host string // host is an id
	pinned         bool
}

func convGuest(v *ovirtsdk.Vm) (guest, error) {
	g := guest{id: value(v.Id()), name: value(v.Name()), host: idIn(v.Host())}
	if p, ok := v.PlacementPolicy(); ok && p != nil {
		// The engine's own VM is moved by its own agent.
		own := strings.Contains(value(v.Origin()), "hosted_engine")
		g.pinned = value(p.Affinity()) == ovirtsdk.VMAFFINITY_PINNED && !own
	}
	return g, nil
}

// guests gives the VMs that run on a host, by name.
func (e *Engine) guests(ctx context.Context, h hostInfo) ([]guest, error) {
	term, _ := equals("host", h.host.Name) // without it, all VMs are looked through
	all, err := list(ctx, e.Client, kindVM, "/vms", query{Search: term}, convGuest)
	all = slices.DeleteFunc(all, func(g guest) bool { return g.host != h.id })
	sortBy(all, func(g guest) string { return g.name })
	return all, explain("list its VMs", h.host.Ref(), err)
}

func namesOf(guests []guest) string {
	var names []string
	for _, g := range guests {
		names = append(names, g.name)
	}
	return strings.Join(names, ", ")
}

// checkMaintenance looks for what keeps a host's VMs from leaving it.
func (e *Engine) checkMaintenance(ctx context.Context, view virt.Reader, c virt.HostMaintenance) error {
	hosts, err := view.Hosts(ctx)
	if err != nil {
		return err
	}
	h, err := e.findHost(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	guests, err := e.guests(ctx, h)
	if err != nil || len(guests) == 0 {
		return err
	}
	var errs []error
	refused := func(summary, found, hint string) {
		errs = append(errs, &virt.Error{Kind: virt.ErrConflict, Object: c.Ref, Summary: "cannot be taken out of service: " + summary, Found: found, Hint: hint})
	}
	pinned := slices.DeleteFunc(slices.Clone(guests), func(g guest) bool { return !g.pinned })
	if len(pinned) > 0 {
		refused("VMs are pinned to it", namesOf(pinned), "stop them, or take their pinning away on the engine")
	}
	cluster := ""
	for _, o := range hosts {
		if o.Name == c.Ref.Name {
			cluster = o.Cluster
		}
	}
	if !slices.ContainsFunc(hosts, func(o *virt.Host) bool { return o.Cluster == cluster && o.Name != c.Ref.Name && o.State == "up" }) {
		refused("its VMs have nowhere to go", "no other host of cluster "+cluster+" is up; on this one run "+namesOf(guests), "bring another host up first, or stop the VMs")
	}
	if h.status == ovirtsdk.HOSTSTATUS_NON_RESPONSIVE {
		refused("it does not answer, and its VMs may run", namesOf(guests), "bring the host back, or confirm on the engine that it has been rebooted")
	}
	return errors.Join(errs...)
}

// hostMaintenance has the engine empty a host, and waits until it has. A host that
// prepares for it already is told again: the engine then tries at once what has
// not worked before.
func (e *Engine) hostMaintenance(ctx context.Context, c virt.HostMaintenance, d *edit) error {
	defer e.snap.forget() // VMs are elsewhere, whatever comes of it
	h, err := e.findHost(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	guests, err := e.guests(ctx, h)
	if err != nil {
		return err
	}
	body := &actionXML{}
	if c.Reason != "" {
		body.Reason = textOf(c.Reason)
	}
	q := url.Values{}
	if c.StopGluster {
		q.Set("stop_gluster_service", "true")
	}
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := actWith(ctx, e.Client, path("hosts", h.id, "deactivate"), q, body)
		return err
	})
	if err == nil || errors.Is(err, virt.ErrOutcomeUnknown) && e.retiring(ctx, h) {
		err = e.emptied(ctx, h, c.Timeout, int64(len(guests)))
	}
	if err != nil {
		return e.notRetired(ctx, h, err)
	}
	left, err := e.whereTo(ctx, guests)
	d.out.Result = left
	return err
}

// retiring tells whether a host is on its way into maintenance.
func (e *Engine) retiring(ctx context.Context, h hostInfo) bool {
	now, err := get(ctx, e.Client, kindHost, path("hosts", h.id), query{}, convHostLook)
	return err == nil && (now.status == "preparing_for_maintenance" || now.status == "maintenance")
}

// emptied waits until a host is in maintenance.
func (e *Engine) emptied(ctx context.Context, h hostInfo, limit time.Duration, total int64) error {
	if limit <= 0 {
		limit = retireTime
	}
	ctx, cancel := e.cfg.Limit(ctx, limit, nil)
	defer cancel()
	idle, least := 0, total
	g := &goal{want: []string{"maintenance"}, back: map[string]string{"up": "it is up again, as if somebody had activated it"},
		fail: map[string]string{"non_responsive": "it does not answer any more", "error": "it failed", "kdumping": "it crashed"}}
	g.begin(string(h.status))
	return e.hosts.wait(ctx, h.id, func(now *hostLook) (bool, error) {
		if now == nil {
			return g.look("", false)
		}
		if now.status == "preparing_for_maintenance" {
			virt.Report(ctx, virt.Progress{What: "VMs leave the host", Done: max(total-now.active, 0), Total: total})
			if idle++; now.migrating > 0 || now.active < least || now.active == 0 {
				idle, least = 0, now.active
			}
			if idle >= stuckAfter {
				return false, &stateError{now.status, "the VMs on it do not move any more"}
			}
		}
		return g.look(now.status, true)
	})
}

// begin makes the state that something is in now one that it has to leave.
func (g *goal) begin(status string) {
	if why, ok := g.fail[status]; ok {
		delete(g.fail, status)
		g.back[status] = why
	}
}

// notRetired says why a host did not get into maintenance, how it was left, and
// which VMs are still there. A caller who has gone is not kept waiting.
func (e *Engine) notRetired(ctx context.Context, h hostInfo, err error) error {
	ref := h.host.Ref()
	if ctx.Err() != nil {
		return &virt.Error{Object: ref, Summary: "was not waited for: the engine goes on moving its VMs", Err: err,
			Hint: "run the step again to wait for it, or host_activate to take it back"}
	}
	words := e.words(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	now, lookErr := get(ctx, e.Client, kindHost, path("hosts", h.id), query{}, convHostLook)
	guests, listErr := e.guests(ctx, h)
	if lookErr != nil || listErr != nil || now.status == string(h.status) && now.status != "preparing_for_maintenance" {
		return explain("take it out of service", ref, err) // it was refused, and nothing has happened
	}
	out := &virt.Error{Object: ref, Summary: "is not in maintenance", Wanted: "maintenance", Found: "it was left " + strings.ReplaceAll(now.status, "_", " "),
		Hint: "look at the VMs and run the step again, or take the host back with host_activate"}
	if len(guests) > 0 {
		out.Found += ", and on it still run " + namesOf(guests)
	}
	var state *stateError
	var known *virt.Error
	var fault *Fault
	switch {
	case errors.As(err, &state):
		out.Summary, out.Err = out.Summary+": "+state.why, words
	case errors.As(err, &fault):
		out.Kind, out.Err = fault.Unwrap(), fault
	case errors.As(err, &known):
		out.Kind, out.Summary, out.Err = known.Kind, out.Summary+": "+known.Summary, words
	default:
		out.Err = err
	}
	return out
}

// whereTo tells where VMs are now.
func (e *Engine) whereTo(ctx context.Context, guests []guest) (*virt.Evacuated, error) {
	to := map[string]string{}
	for some := range slices.Chunk(guests, idsPerPoll) {
		var ids []string
		for _, g := range some {
			ids = append(ids, g.id)
		}
		now, err := list(ctx, e.Client, kindVM, "/vms", query{Search: anyID(ids)}, convGuest)
		if err != nil {
			return nil, explain("see where its VMs are", e.Ref(), err)
		}
		for _, g := range now {
			if g.host == "" {
				continue
			}
			hosts, err := e.hostMap(ctx, g.host)
			if err != nil {
				return nil, err
			}
			to[g.id] = hosts[g.host].host.Name
		}
	}
	out := &virt.Evacuated{Moved: []virt.MovedVM{}}
	for _, g := range guests {
		out.Moved = append(out.Moved, virt.MovedVM{VM: g.name, To: to[g.id]})
	}
	return out, nil
}

// hostFailures are the states that a host does not come up from.
var hostFailures = map[string]string{
	"non_operational":  "it came up and does not fit its cluster",
	"install_failed":   "its installation failed",
	"error":            "it failed",
	"non_responsive":   "it does not answer",
	"down":             "it is down",
	"kdumping":         "it crashed",
	"pending_approval": "it waits to be approved on the engine",
	"maintenance":      "it is in maintenance again",
}

// hostActivate brings a host back, and waits until it is up.
func (e *Engine) hostActivate(ctx context.Context, c virt.HostActivate, _ *edit) error {
	h, err := e.findHost(ctx, c.Ref.Name)
	if err != nil {
		return err
	}
	last, err := e.lastEvent(ctx)
	if err != nil {
		return err
	}
	err = e.whileBusy(ctx, func(ctx context.Context) error {
		_, err := act(ctx, e.Client, path("hosts", h.id, "activate"), nil)
		return err
	})
	if err != nil && !errors.Is(err, virt.ErrOutcomeUnknown) {
		return err
	}
	limit := c.Timeout
	if limit <= 0 {
		limit = activateTime
	}
	g := &goal{want: []string{"up"}, fail: map[string]string{}, back: map[string]string{}}
	for status, why := range hostFailures {
		g.fail[status] = why
	}
	g.begin(string(h.status))
	waiting, cancel := e.cfg.Limit(ctx, limit, nil)
	defer cancel()
	waitErr := e.hosts.wait(waiting, h.id, func(now *hostLook) (bool, error) {
		if now == nil {
			return g.look("", false)
		}
		virt.Report(ctx, virt.Progress{What: "waiting for the engine, the host is " + strings.ReplaceAll(now.status, "_", " ")})
		return g.look(now.status, true)
	})
	var state *stateError
	switch {
	case errors.As(waitErr, &state) && err != nil:
		return err // it may never have been told to come up
	case errors.As(waitErr, &state):
		return &virt.Error{Object: c.Ref, Summary: "did not come up: " + state.why, Wanted: "up", Found: "it is " + strings.ReplaceAll(state.status, "_", " "),
			Err: e.hostWords(ctx, h, last), Hint: activationHint(state.status)}
	}
	return waitErr
}

func activationHint(status string) string {
	switch status {
	case "non_operational":
		return "give it the networks and storage that its cluster requires, then activate it again"
	case "install_failed":
		return "reinstall it on the engine"
	case "non_responsive", "down", "kdumping":
		return "look at the host itself: its power, its network, and vdsmd"
	}
	return "look at the engine's events"
}

// lastEvent gives the index of the engine's newest event.
func (e *Engine) lastEvent(ctx context.Context) (int64, error) {
	newest, err := list(ctx, e.Client, kindEvent, "/events", query{Max: 1}, func(v *ovirtsdk.Event) (int64, error) { return value(v.Index()), nil })
	if err != nil || len(newest) == 0 {
		return 0, explain("read its events", e.Ref(), err)
	}
	return newest[0], nil
}

// hostWords gives what the engine has said of a host since an event: what becomes
// of a host is told without the correlation id of who asked for it.
func (e *Engine) hostWords(ctx context.Context, h hostInfo, since int64) error {
	term, ok := equals("host.name", h.host.Name)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	texts, err := list(ctx, e.Client, kindEvent, "/events", query{Search: term, Max: maxEvents}, func(v *ovirtsdk.Event) (string, error) {
		if value(v.Index()) <= since || value(v.Severity()) == ovirtsdk.LOGSEVERITY_NORMAL {
			return "", nil
		}
		return value(v.Description()), nil
	})
	if err != nil {
		return nil // it would have explained another error
	}
	slices.Reverse(texts)
	texts = slices.Compact(slices.DeleteFunc(texts, func(s string) bool { return s == "" }))
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("the engine says: %s", strings.Join(texts, " "))
}
