//go:build cgo

package libvirt

import (
	"sync"
	"testing"
)

// TestPoolsAreReadOnce has many ask for the pools at once, as the first VMs of a
// run do: one reads them, the others wait for that.
func TestPoolsAreReadOnce(t *testing.T) {
	n := storageNode(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			x, err := n.pools(t.Context())
			if err != nil || len(x.pools) != 1 {
				t.Errorf("%v: %+v", err, x)
			}
		})
	}
	wg.Wait()
	if got := n.Stats().Procedures["read the storage pools"]; got != 1 {
		t.Errorf("the pools were read %d times: %v", got, n.Stats().Procedures)
	}
}
