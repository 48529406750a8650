package event

import (
	"encoding/json"
	"testing"
)

func TestMoved(t *testing.T) {
	for _, tc := range []struct {
		result map[string]any
		want   string
	}{
		{map[string]any{"bytes": json.Number("268435456"), "elapsed": json.Number("1200000000"), "downtime": json.Number("84000000")}, "256 MiB in 1.2 s, down 84 ms"},
		{map[string]any{"bytes": json.Number("0"), "elapsed": json.Number("2000000000")}, "in 2.0 s"},
	} {
		if got := moved(Outcome{Kind: "migrate", Result: tc.result}); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.result, got, tc.want)
		}
	}
}
