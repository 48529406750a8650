package ovirt

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pager answers as a collection of n VMs does to searches by page; edit may
// change the rows before each answer.
func pager(t *testing.T, n int, asked *[]url.Values, edit func(page int, rows []int) []int) http.HandlerFunc {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		*asked = append(*asked, q)
		from, to := 0, len(rows)
		if _, p, ok := strings.Cut(q.Get("search"), "page "); ok {
			page, err := strconv.Atoi(p)
			size, err2 := strconv.Atoi(q.Get("max"))
			if err != nil || err2 != nil || !strings.Contains(q.Get("search"), "sortby name page ") {
				t.Errorf("the engine was asked for %v", q)
			}
			if edit != nil {
				rows = edit(page, rows)
			}
			from, to = min((page-1)*size, len(rows)), min(page*size, len(rows))
		}
		io.WriteString(w, "<vms>")
		for _, i := range rows[from:to] {
			fmt.Fprintf(w, `<vm id="%d"><name>vm%04d</name></vm>`, i, i)
		}
		io.WriteString(w, "</vms>")
	}
}

func TestPages(t *testing.T) {
	for _, tt := range []struct {
		name     string
		n, pages int
		q        query
		want     int
	}{
		{"all at once", 1000, 1, query{}, 1000},
		{"pages", 950, 5, query{PageSize: 200}, 950},
		{"the last page is full", 1000, 6, query{PageSize: 200}, 1000},
		{"none", 0, 1, query{PageSize: 200}, 0},
		{"a part", 1000, 2, query{PageSize: 200, Max: 300}, 300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []url.Values
			e := newEngine(t, pager(t, tt.n, &asked, nil))
			c := e.client(t)
			names, err := vmNames(t.Context(), c, tt.q)
			if err != nil || len(names) != tt.want || !slices.IsSorted(names) {
				t.Errorf("got %d VMs, %v", len(names), err)
			}
			s := c.Stats()
			if len(asked) != tt.pages || s.Procedures["GET /vms"] != tt.pages || s.Calls != tt.pages+1 || s.Connections != 1 {
				t.Errorf("%d pages, want %d; %+v", len(asked), tt.pages, s)
			}
		})
	}
	var asked []url.Values
	e := newEngine(t, pager(t, 3, &asked, nil))
	if _, err := vmNames(t.Context(), e.client(t), query{Search: "cluster=a", PageSize: 10, Follow: []string{"nics", "disk_attachments.disk"}}); err != nil {
		t.Fatal(err)
	}
	want := []url.Values{{"search": {"cluster=a sortby name page 1"}, "max": {"10"}, "follow": {"nics,disk_attachments.disk"}}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An object that comes in before those already read moves one to the next page:
// it is not delivered twice.
func TestPagesShift(t *testing.T) {
	var asked []url.Values
	e := newEngine(t, pager(t, 10, &asked, func(page int, rows []int) []int {
		if page == 2 {
			return append([]int{99}, rows...)
		}
		return rows
	}))
	names, err := vmNames(t.Context(), e.client(t), query{PageSize: 4})
	if err != nil || len(names) != 10 || len(slices.Compact(slices.Clone(names))) != 10 {
		t.Errorf("got %v, %v", names, err)
	}
}

// A list with what cannot be read is an error that brings the rest.
func TestIncompleteList(t *testing.T) {
	e := newEngine(t, says(200, `<vms><vm id="1"><name>a</name></vm><vm id="2"><memory>much</memory></vm><vm id="3"><name>c</name></vm></vms>`))
	for _, q := range []query{{}, {PageSize: 10}} {
		names, err := vmNames(t.Context(), e.client(t), q)
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || incomplete.Read != 2 || !slices.Equal(names, []string{"a", "c"}) {
			t.Errorf("got %v, %v", names, err)
		}
	}
}

func TestByName(t *testing.T) {
	var asked []string
	e := newEngine(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("search"))
		io.WriteString(w, `<vms><vm id="1"><name>web1</name></vm><vm id="2"><name>WEB1</name></vm><vm id="3"><name>web1</name></vm><vm id="4"><name>a"b*</name></vm></vms>`)
	})
	c := e.client(t)
	for _, tt := range []struct {
		name, scope, search string
		found               int
	}{
		{"web1", "", `name="web1"`, 2},
		{"web1", "datacenter=a or datacenter=b", `name="web1" and (datacenter=a or datacenter=b)`, 2},
		{"my vm", "", `name="my vm"`, 0},
		{`a"b*`, "", "", 1},
		{`a"b*`, "datacenter=a", "datacenter=a", 1},
	} {
		asked = nil
		got, err := byName(t.Context(), c, kindVM, "/vms", tt.name, tt.scope, query{}, nameOfVM)
		if err != nil || len(got) != tt.found || !slices.Equal(asked, []string{tt.search}) {
			t.Errorf("%s: got %v, %v, asked for %q", tt.name, got, err, asked)
		}
	}
	if s, ok := anyOf("name", "b", "a", "b"); !ok || s != `name="a" or name="b"` {
		t.Errorf("got %s", s)
	}
	if _, ok := anyOf("name", "a", "b*"); ok {
		t.Error("a wildcard passes for a name")
	}
}
