package virt

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestDo(t *testing.T) {
	gives := func(result any, err error) func(context.Context, Change) (Outcome, error) {
		return func(context.Context, Change) (Outcome, error) { return Outcome{Changed: true, Result: result}, err }
	}
	c := GuestExec{}
	if r, ok, err := Do[*CommandResult](t.Context(), gives(&CommandResult{RC: 3}, nil), c); err != nil || !ok || r.RC != 3 {
		t.Errorf("a result: %+v, %v, %v", r, ok, err)
	}
	if _, ok, err := Do[*CommandResult](t.Context(), gives(nil, nil), c); ok || err != nil {
		t.Errorf("a prediction: %v, %v", ok, err)
	}
	if _, ok, err := Do[*CommandResult](t.Context(), gives(&Moved{}, nil), c); ok || err == nil || !strings.Contains(err.Error(), "guest_exec gave a *virt.Moved") {
		t.Errorf("another result: %v, %v", ok, err)
	}
	bad := errors.New("no")
	if _, ok, err := Do[*CommandResult](t.Context(), gives(&CommandResult{}, bad), c); ok || !errors.Is(err, bad) {
		t.Errorf("an error: %v, %v", ok, err)
	}
}
