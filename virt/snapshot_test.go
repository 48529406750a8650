package virt

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFindSnapshot(t *testing.T) {
	at := func(minute int) Opt[time.Time] { return Some(time.Date(2024, 5, 31, 12, minute, 0, 0, time.UTC)) }
	all := []*Snapshot{
		{Name: "a", ID: Some("1"), Created: at(1)}, {Name: "twin", ID: Some("2"), Created: at(2)},
		{Name: "twin", ID: Some("3"), Created: at(3)}, {Name: "1", ID: Some("4"), Created: at(4)}, {Name: "planned", ID: Unknown[string]()},
	}
	for name, want := range map[string]struct {
		id   string
		kind error
		text string
	}{
		"a":       {id: "1"},
		"1":       {id: "4"}, // names come before ids
		"3":       {id: "3"},
		"planned": {},
		"none":    {kind: ErrNotFound, text: "a, twin, twin, 1, planned"},
		"twin":    {kind: ErrConflict, text: "2 of 2024-05-31 12:02:00 UTC, 3 of 2024-05-31 12:03:00 UTC"},
	} {
		s, err := FindSnapshot(all, "web", name)
		if want.kind == nil {
			if err != nil || s.ID.Or("") != want.id {
				t.Errorf("%s: %+v, %v; want %q", name, s, err, want.id)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != want.kind || e.Found != want.text || !strings.Contains(err.Error(), "of vm web") {
			t.Errorf("%s: %v, found %q; want %v, %q", name, err, e.Found, want.kind, want.text)
		}
	}
}

func TestPredictSnapshots(t *testing.T) {
	ref := SnapshotRef("web", "a")
	there := &Snapshot{VM: "web", Name: "a", ID: Some("1"), State: SnapshotOK, Memory: Some(false)}
	with := func(s SnapshotState) *Snapshot { c := *there; c.State = s; return &c }
	for name, c := range map[string]struct {
		before  Object
		change  Change
		changed bool
		fields  string
		warning string
		kind    error
	}{
		"new":                  {nil, CreateSnapshot{On: On{Ref: ref}}, true, "snapshot", "", nil},
		"there":                {there, CreateSnapshot{On: On{Ref: ref}}, false, "", "", nil},
		"there without memory": {there, CreateSnapshot{On: On{Ref: ref}, Memory: Some(true)}, false, "", "without memory", nil},
		"being made":           {with(SnapshotLocked), CreateSnapshot{On: On{Ref: ref}}, true, "state", "", nil},
		"there in preview":     {with(SnapshotInPreview), CreateSnapshot{On: On{Ref: ref}}, false, "", "", nil},
		"gone":                 {nil, DeleteSnapshot{On: On{Ref: ref}}, false, "", "", nil},
		"nil":                  {(*Snapshot)(nil), DeleteSnapshot{On: On{Ref: ref}}, false, "", "", nil},
		"to go":                {there, DeleteSnapshot{On: On{Ref: ref}}, true, "snapshot", "", nil},
		"to go in preview":     {with(SnapshotInPreview), DeleteSnapshot{On: On{Ref: ref}}, false, "", "", ErrConflict},
		"back without VM":      {nil, RevertSnapshot{On: On{Ref: VMRef("web")}, Snapshot: "a"}, false, "", "", ErrNotFound},
		"back":                 {&VM{Name: "web"}, RevertSnapshot{On: On{Ref: VMRef("web")}, Snapshot: "a"}, true, "", "", nil},
	} {
		_, out, err := Rules{}.Predict(c.before, c.change)
		var fields []string
		for _, f := range out.Fields {
			fields = append(fields, f.Path)
		}
		if !errors.Is(err, c.kind) || err != nil && c.kind == nil || out.Changed != c.changed || strings.Join(fields, " ") != c.fields ||
			!strings.Contains(strings.Join(out.Warnings, ""), c.warning) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
}

func TestNICIsOn(t *testing.T) {
	for _, c := range []struct {
		nic     NIC
		network string
		want    bool
	}{
		{NIC{Network: "lan"}, "lan", true},
		{NIC{Network: "lan"}, "lan/lan", false}, // nodes have no profiles
		{NIC{Network: "lan", Profile: "lan"}, "lan/lan", true},
		{NIC{Network: "lan", Profile: "only"}, "lan/only", true},
		{NIC{Network: "lan/other", Profile: "other"}, "lan/other", true},
		{NIC{Network: "lan/other", Profile: "other"}, "lan", false},
		{NIC{Network: "lan", Profile: "lan"}, "dmz/lan", false},
		{NIC{}, "", true},
	} {
		if got := c.nic.IsOn(c.network); got != c.want {
			t.Errorf("%+v on %q: %t", c.nic, c.network, got)
		}
	}
}
