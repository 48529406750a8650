package virt

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestOptJSON(t *testing.T) {
	type form struct {
		N Opt[int]      `json:"n,omitzero"`
		L Opt[[]string] `json:"l,omitzero"`
	}
	for text, in := range map[string]form{
		`{}`:                       {},
		`{"n":3}`:                  {N: Some(3)},
		`{"n":0,"l":["a"]}`:        {N: Some(0), L: Some([]string{"a"})},
		`{"n":{"unknown":true}}`:   {N: Unknown[int]()},
		`{"l":{"unknown":true}}`:   {L: Unknown[[]string]()},
		`{"n":1,"l":[]}`:           {N: Some(1), L: Some([]string{})},
		`{"n":-7,"l":["x","y z"]}`: {N: Some(-7), L: Some([]string{"x", "y z"})},
	} {
		b, err := json.Marshal(in)
		if err != nil || string(b) != text {
			t.Errorf("%+v is written %s, %v; want %s", in, b, err, text)
		}
		var wide []byte
		if wide, err = json.MarshalIndent(in, "", "  "); err != nil {
			t.Fatal(err)
		}
		for _, form2 := range [][]byte{b, wide} {
			var out form
			if err := json.Unmarshal(form2, &out); err != nil {
				t.Errorf("%s: %v", form2, err)
			}
			if out.N != in.N || out.L.IsSet() != in.L.IsSet() || out.L.IsUnknown() != in.L.IsUnknown() || !slices.Equal(out.L.Or(nil), in.L.Or(nil)) {
				t.Errorf("%s is read as %+v", form2, out)
			}
		}
	}
	var o Opt[int]
	if err := json.Unmarshal([]byte(`"three"`), &o); err == nil || o.IsSet() {
		t.Errorf("a text is taken for a number: %v, %v", o, err)
	}
	o = Some(4)
	if err := json.Unmarshal([]byte(`null`), &o); err != nil || o.IsSet() {
		t.Errorf("null leaves %v, %v; want it absent", o, err)
	}
}

func TestOpt(t *testing.T) {
	for name, tc := range map[string]struct {
		o                 Opt[string]
		set, unknown, has bool
		any               any
		text              string
	}{
		"absent":  {},
		"unknown": {o: Unknown[string](), set: true, unknown: true, any: UnknownValue, text: "(known afterwards)"},
		"value":   {o: Some("x"), set: true, has: true, any: "x", text: "x"},
		"empty":   {o: Some(""), set: true, has: true, any: ""},
	} {
		_, has := tc.o.Get()
		if tc.o.IsSet() != tc.set || tc.o.IsZero() == tc.set || tc.o.IsUnknown() != tc.unknown || has != tc.has || tc.o.Any() != tc.any || tc.o.String() != tc.text {
			t.Errorf("%s: set %v, unknown %v, has %v, any %v, text %q", name, tc.o.IsSet(), tc.o.IsUnknown(), has, tc.o.Any(), tc.o)
		}
	}
	if got := Unknown[int]().Or(7); got != 7 {
		t.Errorf("an unknown value gives %d where 7 was the fallback", got)
	}
}

func TestKindOf(t *testing.T) {
	for want, c := range map[string]Change{
		"set_cpu": SetCPU{}, "attach_nic": AttachNIC{}, "create_vm": CreateVM{}, "power_off": &PowerOff{}, "finish_vm": FinishVM{},
		"change_nic": ChangeNIC{}, "guest_write": GuestWrite{}, "local_exec": LocalExec{},
	} {
		if got := KindOf(c); got != want {
			t.Errorf("%T is called %q, want %q", c, got, want)
		}
	}
}
