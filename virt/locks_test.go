package virt_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/nactl/nactl/virt"
)

func TestLocks(t *testing.T) {
	var l virt.Locks
	a := virt.Ref{Kind: virt.KindVM, Name: "a", ID: "1"}
	unlock, err := l.Lock(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	// Another object is free, the same one by another hint is not.
	other, err := l.Lock(t.Context(), virt.VMRef("b"))
	if err != nil {
		t.Fatal(err)
	}
	other()
	ended, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := l.Lock(ended, virt.VMRef("a")); !errors.Is(err, cause) {
		t.Errorf("while it is held: %v, want the context's cause", err)
	}
	unlock()

	// One at a time, and none is lost.
	var wg sync.WaitGroup
	n, most, count := 0, 0, 0
	for range 50 {
		wg.Go(func() {
			unlock, err := l.Lock(t.Context(), a)
			if err != nil {
				t.Error(err)
				return
			}
			n++
			most = max(most, n)
			count++
			n--
			unlock()
		})
	}
	wg.Wait()
	if most != 1 || count != 50 {
		t.Errorf("%d at once, %d in all", most, count)
	}
}
