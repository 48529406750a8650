package event

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the tests see to their golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// fixedClock gives the same moment always.
func fixedClock() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC) }

// view plays events to a terminal view and gives what stands on both streams.
func view(t *testing.T, o Options, events ...Event) (out, progress []byte) {
	t.Helper()
	var a, b bytes.Buffer
	o.Now = fixedClock
	show(t, NewTerminal(&a, &b, o), events...)
	return a.Bytes(), b.Bytes()
}

func show(t *testing.T, r Reader, events ...Event) {
	t.Helper()
	w := NewWriter("7f3a9c", nil, fixedClock, r)
	for _, e := range events {
		w.Emit(e)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
