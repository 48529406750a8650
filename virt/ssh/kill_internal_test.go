package ssh

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// However stderr is cut into packets, only the announcement is taken out.
func TestLeaderFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{leaderMark[:5], "\x01\x01", "a line\n"}))
		before, after := text.Draw(t, "before"), text.Draw(t, "after")
		announced := rapid.Bool().Draw(t, "announced")
		all, want, pid := before+after, before+after, 0
		if announced && !strings.Contains(all, leaderMark) {
			all, pid = before+leaderMark+"4711\n"+after, 4711
		}
		f := newLeaderFilter(&capped{max: 1 << 20})
		for rest := []byte(all); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if w, err := f.Write(rest[:n]); w != n || err != nil {
				t.Fatalf("Write: %d, %v", w, err)
			}
			rest = rest[n:]
		}
		f.flush()
		if got := f.next.buf.Bytes(); !bytes.Equal(got, []byte(want)) || f.leader() != pid {
			t.Fatalf("got %q and leader %d, want %q and %d", got, f.leader(), want, pid)
		}
	})
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a": "a", "a b": "'a b'", "it's": `'it'\''s'`, "~": "'~'", "a~": "a~", "$x": "'$x'", "\n": "'\n'"} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}
