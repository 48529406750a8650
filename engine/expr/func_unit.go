package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unitFunctions read and write sizes and durations.
func unitFunctions() []function {
	return []function{
		{name: "size", form: "size(text)", doc: `the number of bytes: size("4GiB") is 4294967296`,
			types: []any{new(func(string) int)}, call: one("size", func(_ *run, s string) (any, error) { return parseSize(s) })},
		{name: "human_size", form: "human_size(bytes)", doc: `bytes in the largest unit: "4GiB", "1.5MiB"`,
			types: []any{new(func(int) string)}, call: func(_ *run, args []any) (any, error) {
				n, err := number(args, 0, "human_size")
				if err != nil {
					return nil, err
				}
				return formatSize(n), nil
			}},
		{name: "seconds", form: "seconds(text)", doc: `the number of seconds: seconds("10m") is 600`,
			types: []any{new(func(any) float64)}, call: func(_ *run, args []any) (any, error) {
				switch x := args[0].(type) {
				case time.Duration:
					return x.Seconds(), nil
				case string:
					d, err := time.ParseDuration(strings.TrimSpace(x))
					if err != nil {
						return nil, fmt.Errorf("seconds wants a duration with its unit, as 90s or 10m, not %q", x)
					}
					return d.Seconds(), nil
				}
				return nil, fmt.Errorf("seconds wants a duration, as \"90s\", not %s", article(args[0]))
			}},
		{name: "human_duration", form: "human_duration(seconds)", doc: `seconds in units: "1h30m"`,
			types: []any{new(func(float64) string)}, call: func(_ *run, args []any) (any, error) {
				var s float64
				switch x := args[0].(type) {
				case int:
					s = float64(x)
				case float64:
					s = x
				default:
					return nil, fmt.Errorf("human_duration wants a number of seconds, not %s", article(args[0]))
				}
				if math.IsNaN(s) || math.Abs(s) > math.MaxInt64/float64(time.Second) {
					return nil, fmt.Errorf("human_duration: %v seconds are too many", s)
				}
				return formatDuration(time.Duration(s * float64(time.Second))), nil
			}},
	}
}

// binaryUnits are the units of sizes from large to small; decimalUnits are those
// that makers of disks use.
var (
	binaryUnits = []struct {
		name  string
		bytes int
	}{{"EiB", 1 << 60}, {"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
	decimalUnits = map[string]int{"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15}
)

// parseSize reads a number with its unit and gives bytes.
func parseSize(s string) (any, error) {
	text := strings.TrimSpace(s)
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 && text != "" {
		return nil, fmt.Errorf("size %q has no unit: write %sGiB or %sMiB", s, text, text)
	}
	if i <= 0 {
		return nil, fmt.Errorf("size wants a number with its unit, as 4GiB, not %q", s)
	}
	value, err := strconv.ParseFloat(text[:i], 64)
	if err != nil {
		return nil, fmt.Errorf("size wants a number with its unit, as 4GiB, not %q", s)
	}
	unit := strings.ToLower(strings.TrimSpace(text[i:]))
	factor, ok := decimalUnits[unit]
	for _, u := range binaryUnits {
		if strings.ToLower(u.name) == unit {
			factor, ok = u.bytes, true
		}
	}
	if !ok {
		hint := "the units are B, KiB, MiB, GiB, TiB, PiB, EiB, and KB, MB, GB, TB, PB in powers of 1000"
		if len(unit) == 1 && strings.Contains("kmgtpe", unit) {
			hint = fmt.Sprintf("write %s%siB or %s%sB", text[:i], strings.ToUpper(unit), text[:i], strings.ToUpper(unit))
		}
		return nil, fmt.Errorf("size %q has an unknown unit: %s", s, hint)
	}
	bytes := value * float64(factor)
	if bytes >= math.MaxInt64 {
		return nil, fmt.Errorf("size %q is too large", s)
	}
	if whole, err := strconv.Atoi(text[:i]); err == nil {
		return whole * factor, nil
	}
	return int(math.Round(bytes)), nil
}

// formatSize writes bytes in the largest unit in which at most two decimals
// stand, so that nothing is rounded away for the sizes that people choose.
func formatSize(n int) string {
	for _, u := range binaryUnits {
		if n < u.bytes && -n < u.bytes {
			continue
		}
		text := strconv.FormatFloat(float64(n)/float64(u.bytes), 'f', 2, 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text + u.name
	}
	return "0B"
}

// formatDuration writes d without the zero units that Go's own form has.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
