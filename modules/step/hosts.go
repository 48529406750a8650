package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Hosts names the hosts that a host-level step works on: the one that is named,
// else the node, every member of the cluster, every host of the engine.
func (e *Env) Hosts(ctx context.Context, named string) ([]string, error) {
	switch {
	case named != "":
		return []string{named}, nil
	case e.Target.Kind == "node":
		return []string{e.Target.Name}, nil // whether its libvirt answers is not asked
	}
	hosts, err := e.Platform.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return names, nil
}

// OnEach calls fn for several hosts side by side; the results are in their order.
// What failed on some does not stop the others, and the error tells of each.
func OnEach[T any](ctx context.Context, hosts []string, fn func(ctx context.Context, host string) (T, error)) ([]T, error) {
	out := make([]T, len(hosts))
	errs := make([]error, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() { out[i], errs[i] = fn(ctx, host) })
	}
	wg.Wait()
	if len(hosts) == 1 {
		return out, errs[0]
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("on %s: %w", hosts[i], err)
		}
	}
	return out, errors.Join(errs...)
}
