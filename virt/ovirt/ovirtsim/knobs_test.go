package ovirtsim

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestInjections(t *testing.T) {
	c := start(t, Options{})
	const tag = "<tag><name>%</name></tag>"
	post := func(name string) int {
		r, _, err := c.raw("POST", "/tags", strings.Replace(tag, "%", name, 1))
		if err != nil {
			return 0
		}
		return r.StatusCode
	}
	has := func(name string) bool {
		for _, k := range c.get("/tags").kids {
			if k.get("name") == name {
				return true
			}
		}
		return false
	}

	c.e.Inject(Injection{Match: On("POST", "/tags"), Times: 1, LoseReply: true})
	if got := post("lost"); got != 0 || !has("lost") {
		t.Errorf("lost reply: status %d, executed: %v", got, has("lost"))
	}
	c.e.Inject(Injection{Match: On("POST", "/tags"), Times: 1, Drop: true})
	if got := post("dropped"); got != 0 || has("dropped") {
		t.Errorf("dropped: status %d, executed: %v", got, has("dropped"))
	}
	end := c.e.Inject(Injection{Match: On("", "/tags"), After: 1, Status: 500, HTML: true})
	if got := []int{post("one"), post("two")}; got[0] != 201 || got[1] != 500 {
		t.Error(got)
	}
	end()
	c.e.Busy(5*time.Second, On("POST", "/tags"))
	if got := post("busy"); got != 409 {
		t.Error(got)
	}
	c.e.Advance(6 * time.Second)
	if got := post("free"); got != 201 {
		t.Error(got)
	}
	c.e.Unavailable(5 * time.Second)
	r, body, err := c.raw("GET", "/vms", "")
	if err != nil || r.StatusCode != 503 || !strings.Contains(body, "Service Unavailable") || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Error(r, body, err)
	}
	c.e.Advance(6 * time.Second)
	c.get("/vms")
	c.e.Restart(time.Second)
	c.e.Advance(2 * time.Second)
	if r, _, _ := c.raw("GET", "/vms", ""); r.StatusCode != 401 {
		t.Error("the session survived a restart")
	}
}

func TestRequestLog(t *testing.T) {
	c := start(t, Options{})
	c.e.Forget()
	c.get("/vms")
	c.get("/hosts")
	_, _, _ = c.raw("POST", "/tags", "<tag><nonsense/></tag>", "Correlation-Id", "x")
	if n := c.e.Count(nil); n != 3 {
		t.Errorf("%d requests", n)
	}
	if n := c.e.Count(On("GET", "/*")); n != 2 {
		t.Errorf("%d lists", n)
	}
	last := c.e.Requests()[2]
	if last.Status != 400 || last.Why != "<tag> has no child <nonsense>" || last.Correlation != "x" || last.Body == "" {
		t.Errorf("%+v", last)
	}
}

func TestExpiredPassword(t *testing.T) {
	c := start(t, Options{})
	c.e.ExpirePassword()
	c.e.ExpireTokens()
	c.login()
	if c.token != "" {
		t.Error("logged in with an expired password")
	}
}

// TestLoad lists a large engine; BenchmarkList has one of 10 000 VMs.
func TestLoad(t *testing.T) {
	c := start(t, Load(2000, 20))
	_, text, err := c.raw("GET", "/vms", "")
	if n := strings.Count(text, "<vm "); err != nil || n != 2000 {
		t.Errorf("%d VMs, %v", n, err)
	}
	if got := c.get("/vms?search=name%3Dvm01999&max=1"); len(got.kids) != 1 {
		t.Error(got)
	}
}

func BenchmarkList(b *testing.B) {
	e, err := New(Load(10000, 20))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var buf bytes.Buffer
		p, _ := e.members(nil, "vms")
		for _, o := range p.item {
			x, err := view{e: e}.show(o, nil)
			if err != nil {
				b.Fatal(err)
			}
			x.xml(&buf)
		}
	}
}
