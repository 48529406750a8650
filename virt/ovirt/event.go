package ovirt

import (
	"context"
	"slices"
	"strings"
	"time"

	ovirtsdk "github.com/ovirt/go-ovirt"
)

// event is an entry of the engine's log.
type event struct {
	Index    int64 // counts up
	Code     int64 // as 54 for a VM that did not start
	Severity string
	Time     time.Time
	Text     string
	VM       string // id of the VM that it is about; empty = of none
}

func toEvent(e *ovirtsdk.Event) (event, error) {
	var out event
	out.Index, _ = e.Index()
	out.Code, _ = e.Code()
	if s, ok := e.Severity(); ok {
		out.Severity = string(s)
	}
	out.Time, _ = e.Time()
	out.Text, _ = e.Description()
	out.VM = idIn(e.Vm())
	return out, nil
}

// maxEvents bounds what is read of one correlation id.
const maxEvents = 50

// events gives the engine's events of the requests with a correlation id, the
// oldest first. The engine forgets them after weeks.
func (c *Client) events(ctx context.Context, correlation string) ([]event, error) {
	list, err := list(ctx, c, kindEvent, "/events", query{Search: "correlation_id=" + correlation, Max: maxEvents}, toEvent)
	slices.Reverse(list)
	return list, err
}

// why gives the engine's words on what went wrong with the requests of the
// context's correlation id; empty when it has none.
func (c *Client) why(ctx context.Context) string {
	id := CorrelationOf(ctx)
	if id == "" {
		return ""
	}
	list, err := c.events(ctx, id)
	if err != nil {
		return "" // it would have explained another error
	}
	var texts []string
	for _, e := range list {
		if e.Severity != "normal" && e.Text != "" && !slices.Contains(texts, e.Text) {
			texts = append(texts, e.Text)
		}
	}
	return strings.Join(texts, " ")
}

// job is a long operation of the engine. One that succeeded is forgotten after
// about ten minutes, one that failed after an hour: that there is none says
// nothing.
type job struct {
	ID     string
	Status string // started, finished, failed, aborted, unknown
	Text   string
}

func (j job) ended() bool  { return j.Status != "started" && j.Status != "unknown" }
func (j job) failed() bool { return j.Status == "failed" || j.Status == "aborted" }

func toJob(j *ovirtsdk.Job) (job, error) {
	var out job
	out.ID, _ = j.Id()
	if s, ok := j.Status(); ok {
		out.Status = string(s)
	}
	out.Text, _ = j.Description()
	return out, nil
}

// jobs gives the engine's jobs of the requests with a correlation id.
func (c *Client) jobs(ctx context.Context, correlation string) ([]job, error) {
	return list(ctx, c, kindJob, "/jobs", query{Search: "correlation_id=" + correlation}, toJob)
}

// engineInfo is what an engine says of itself.
type engineInfo struct {
	Name    string
	Version string
	Major   int64
	Minor   int64
}

// info asks the engine for its version. It is the cheapest request that shows
// whether an engine can be used.
func (c *Client) info(ctx context.Context) (engineInfo, error) {
	return get(ctx, c, kindAPI, "", query{}, func(a *ovirtsdk.Api) (engineInfo, error) {
		var out engineInfo
		if p, ok := a.ProductInfo(); ok {
			out.Name, _ = p.Name()
			if v, ok := p.Version(); ok {
				out.Version, _ = v.FullVersion()
				out.Major, _ = v.Major()
				out.Minor, _ = v.Minor()
			}
		}
		return out, nil
	})
}

// Version gives an engine's product and its version, as RHV and 4.4.10 (GET /api).
func (e *Engine) Version(ctx context.Context) (product, version string, err error) {
	i, err := e.info(ctx)
	return i.Name, i.Version, err
}
