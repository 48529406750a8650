package virt

import (
	"fmt"
	"strconv"
	"strings"
)

// Binary units, in bytes.
const (
	KiB int64 = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

var units = []struct {
	name string
	size int64
}{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}}

// FormatSize writes bytes for people: exact where a unit divides them, as
// "256 MiB", else with one decimal, as "1.5 GiB".
func FormatSize(n int64) string {
	for _, u := range units {
		switch {
		case n >= u.size && n%u.size == 0:
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		case n >= u.size:
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// ParseSize reads a size with its unit: "4GiB", "512 MiB", "10GB" (decimal).
// A number without a unit is an error, for half of its readers would be wrong.
func ParseSize(s string) (int64, error) {
	t := strings.TrimSpace(s)
	i := strings.IndexFunc(t, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i == 0 || t == "" {
		return 0, fmt.Errorf("%q is not a size; write for example 4GiB", s)
	}
	if i < 0 {
		return 0, fmt.Errorf("%q has no unit: write %sMiB or %sGiB", s, t, t)
	}
	factor, ok := sizeUnits[strings.TrimSpace(t[i:])]
	if !ok {
		return 0, fmt.Errorf("%q has no unit that nactl knows: use KiB, MiB, GiB, TiB, or the decimal kB, MB, GB, TB", s)
	}
	if n, err := strconv.ParseInt(t[:i], 10, 64); err == nil {
		if n > (1<<63-1)/factor {
			return 0, fmt.Errorf("%q is too large", s)
		}
		return n * factor, nil
	}
	f, err := strconv.ParseFloat(t[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size; write for example 4GiB", s)
	}
	bytes := f * float64(factor)
	switch {
	case bytes >= 1<<63:
		return 0, fmt.Errorf("%q is too large", s)
	case bytes != float64(int64(bytes)):
		return 0, fmt.Errorf("%q is not a whole number of bytes", s)
	}
	return int64(bytes), nil
}

var sizeUnits = map[string]int64{
	"B": 1, "KiB": KiB, "MiB": MiB, "GiB": GiB, "TiB": TiB,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}
