package event

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt"
)

func TestNewFailure(t *testing.T) {
	vm := virt.VMRef("web-1")
	busy := &virt.Error{Kind: virt.ErrBusy, Object: vm, Summary: "is locked", Wanted: "a free VM", Found: "image_locked", Hint: "wait", Err: errors.New("code 409")}
	for _, tt := range []struct {
		name string
		err  error
		want *Failure
	}{
		{"none", nil, nil},
		{"any", errors.New("broken"), &Failure{Summary: "broken"}},
		{"typed", busy, &Failure{Kind: "busy", Object: &vm, Summary: "is locked", Wanted: "a free VM", Found: "image_locked", Do: "wait", Cause: "code 409"}},
		{"kind alone", &virt.Error{Kind: virt.ErrTimeout}, &Failure{Kind: "timeout", Summary: "timed out"}},
		{"wrapped", fmt.Errorf("third try: %w", busy), &Failure{Kind: "busy", Object: &vm, Summary: "third try: vm web-1: is locked: code 409",
			Wanted: "a free VM", Found: "image_locked", Do: "wait"}},
		{"cancelled", fmt.Errorf("reading: %w", context.Canceled), &Failure{Kind: "cancelled", Summary: "reading: context canceled"}},
		{"joined alone", errors.Join(errors.Join(busy)), &Failure{Kind: "busy", Object: &vm, Summary: "is locked",
			Wanted: "a free VM", Found: "image_locked", Do: "wait", Cause: "code 409"}},
		{"joined", errors.Join(busy, errors.Join(errors.New("b"), errors.New("c"))), &Failure{Kind: "busy", Object: &vm, Summary: "is locked",
			Wanted: "a free VM", Found: "image_locked", Do: "wait", Cause: "code 409", More: []Failure{{Summary: "b"}, {Summary: "c"}}}},
		{"several in one text", fmt.Errorf("%w, and %w", errors.New("a"), errors.New("b")), &Failure{Summary: "a, and b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, NewFailure(tt.err)); d != "" {
				t.Errorf("failure (-want +got):\n%s", d)
			}
		})
	}
}
