package ovirtsim

import (
	"slices"
	"time"
)

// How long jobs stay in the list after they ended.
const (
	keepDone   = 10 * time.Minute
	keepFailed = time.Hour
)

// The codes of the events that the engine writes about VMs.
const (
	evStarted, evRebooted        = 153, 157
	evStartFailed, evDown        = 54, 61
	evMigrating, evMigrated      = 62, 63
	evMigrateFailed, evSuspended = 65, 503
	evHotPlugFailed              = 2000
	evCPUFailed, evMemFailed     = 2020, 2038
	evAdded, evAddFailed         = 53, 60
	evRemoved, evHostLost        = 113, 12
	evSetup, evSetupFailed       = 1146, 1147
	evTransferFailed             = 1033
	evSnapshot, evDiskAdded      = 68, 2021
	evSnapshotFailed             = 69
	evMerged, evMergeFailed      = 356, 357
	evRestored, evRestoreFailed  = 100, 101
	evMaintenance, evStuck       = 600, 602
	evNowhere                    = 1111
	evNonOperational             = 519
)

// begin opens the job of a call; further commands of the call belong to it.
func (e *Engine) job(c *call, what string) *object {
	if c.job == nil {
		c.job = e.col("jobs").add(e.newObject(kindJob, el("job", tx("description", what), tx("auto_cleared", "true"),
			tx("external", "false"), tx("correlation_id", c.corr), date("start_time", e.clock.now()),
			date("last_updated", e.clock.now()), tx("status", "started"), ref("owner", e.admin.id))))
	}
	return c.job
}

// later keeps the call's job open until end is called.
func (e *Engine) later(c *call, what string) (end func(ok bool)) {
	j := e.job(c, what)
	j.gen++
	return func(ok bool) {
		j.gen--
		if !ok {
			j.set("status", "failed")
		}
		e.finishJob(j)
	}
}

// endJob is called when the call's command was accepted.
func (e *Engine) endJob(c *call) {
	if c.job == nil {
		e.job(c, c.r.Method+" "+c.path)
	}
	e.finishJob(c.job)
}

func (e *Engine) finishJob(j *object) {
	if j.gen > 0 || !j.ends.IsZero() {
		return
	}
	j.ends = e.clock.now()
	if j.status() == "started" {
		j.set("status", "finished")
	}
	j.put(date("end_time", j.ends))
	j.put(date("last_updated", j.ends))
}

// failJob marks the job of an action that was refused while it executed;
// commands that fail their validation have none.
func (e *Engine) failJob(c *call, _ error) {
	if c.job != nil {
		c.job.set("status", "failed")
		c.job.gen = 0
		e.finishJob(c.job)
	}
}

// purgeJobs drops the jobs that ended long ago.
func (e *Engine) purgeJobs() {
	jobs := e.col("jobs")
	jobs.list = slices.DeleteFunc(jobs.list, func(j *object) bool {
		keep := keepDone
		if j.status() == "failed" {
			keep = keepFailed
		}
		old := !j.ends.IsZero() && e.age(j.ends) > keep
		if old {
			delete(jobs.ids, j.id)
		}
		return old
	})
}

// event writes one, about objects; corr is the correlation id of the call that
// caused it.
func (e *Engine) event(corr string, code int, severity, text string, about ...*object) {
	e.events++
	x := el("event", tx("description", text), num("code", code), tx("correlation_id", corr), tx("custom_id", "-1"),
		tx("flood_rate", "30"), num("index", e.events), tx("origin", "oVirt"), tx("severity", severity), date("time", e.clock.now()))
	for _, o := range about {
		if o != nil {
			x.kids = append(x.kids, ref(o.kind.name, o.id))
		}
	}
	c := e.col("events")
	c.add(&object{kind: kindEvent, id: num("", e.events).text, body: x})
}
