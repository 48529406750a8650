package ovirt

import (
	"cmp"
	"slices"
)

// sortBy sorts by a key; what has the same key stays in order.
func sortBy[T any](list []T, key func(T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}
