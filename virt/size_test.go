package virt

import (
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"4GiB": 4 * GiB, "512 MiB": 512 * MiB, " 1TiB ": TiB, "1.5GiB": 3 * GiB / 2, "10GB": 10e9, "1kB": 1000, "0B": 0, "7B": 7,
		"8191PiB": -1, "8388608TiB": -1, "8388607TiB": 8388607 * TiB,
		"99999999999999999999GiB": -1, "": -1, "GiB": -1, "-1GiB": -1, "4": -1, "4gib": -1, "4 G": -1, "1.3B": -1, "1.2.3GiB": -1, ".": -1, "4e3MiB": -1, "0.3kB": 300,
	} {
		got, err := ParseSize(text)
		switch {
		case want < 0 && err == nil:
			t.Errorf("%q is taken for %d bytes, want an error", text, got)
		case want >= 0 && (err != nil || got != want):
			t.Errorf("%q gives %d, %v; want %d", text, got, err, want)
		}
	}
	if _, err := ParseSize("512"); err == nil || !strings.Contains(err.Error(), "512MiB or 512GiB") {
		t.Errorf("a number without a unit: %v, want both readings", err)
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", KiB: "1 KiB", 256 * MiB: "256 MiB", 3 * GiB / 2: "1.5 GiB", 2 * TiB: "2 TiB", GiB + 1: "1.0 GiB", -1: "-1 B",
	} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d bytes read %q, want %q", n, got, want)
		}
	}
}

// FuzzParseSize: no text panics, no size is negative, and what was understood is
// understood again when it is written out in bytes.
func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"4GiB", "1.5 GiB", "9223372036854775807B", "9223372036854775808B", "1e3B", ".5kB", "٣GiB", "1GiB2", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSize(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("%q gives %d", s, n)
		}
		if n%KiB == 0 {
			if again, err := ParseSize(FormatSize(n)); !strings.Contains(FormatSize(n), ".") && (err != nil || again != n) {
				t.Fatalf("%q is %d bytes, which are written %q and read %d, %v", s, n, FormatSize(n), again, err)
			}
		}
	})
}
