package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nactl/nactl/engine/source"
)

func TestSecrets(t *testing.T) {
	dir := unpack(t, `
-- pw --
from-a-file
-- latin1 --
x
-- count --
#!/bin/sh
echo x >> calls
echo "value $1"
-- fails --
#!/bin/sh
echo is not in the store >&2
exit 1
-- empty --
`)
	if err := os.WriteFile(filepath.Join(dir, "latin1"), []byte("\xe9\xe8"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NACTL_TEST_SECRET", "from-env")
	tests := []struct{ text, want, err string }{
		{"{secret: {env: NACTL_TEST_SECRET}}", "from-env", ""},
		{"{secret: {env: NACTL_TEST_UNSET}}", "", "f:1:1: the secret from environment variable NACTL_TEST_UNSET: it is not set: export NACTL_TEST_UNSET"},
		{"{secret: {file: pw}}", "from-a-file", ""},
		{"{secret: {file: nope}}", "", "f:1:1: the secret from file DIR/nope: no such file or directory"},
		{"{secret: {file: .}}", "", "f:1:1: the secret from file DIR: it must be a regular file of at most 1024 KiB"},
		{"{secret: {file: latin1}}", "", "f:1:1: the secret from file DIR/latin1: it is not UTF-8 text"},
		{"{secret: {file: empty}}", "", "f:1:1: the secret from file DIR/empty is empty"},
		{"{secret: {command: [./count, two words]}}", "value two words", ""},
		{"{secret: {command: [./fails]}}", "", "f:1:1: the secret from command ./fails: exit status 1: is not in the store"},
		{"{secret: {command: [./nope]}}", "", "f:1:1: the secret from command ./nope: fork/exec ./nope: no such file or directory"},
		{"plain", "plain", ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			n, list := source.Parse("f", []byte(tt.text))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			s, list := ParseSecret(n, dir)
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := s.Resolve(context.Background())
				if got != tt.want || (err == nil) != (tt.err == "") || (err != nil && strings.ReplaceAll(err.Error(), dir, "DIR") != tt.err) {
					t.Errorf("%q, %v", got, err)
				}
			}
			shown, _ := json.Marshal(s)
			if all := fmt.Sprintf("%v %+v %#v %s %q %s", s, s, s, s, s, shown); tt.want != "" && strings.Contains(all, tt.want) {
				t.Errorf("the value is shown: %s", all)
			}
		})
	}
	if calls, _ := os.ReadFile(filepath.Join(dir, "calls")); string(calls) != "x\n" {
		t.Errorf("the command ran %d times, want once", len(calls)/2)
	}
}

func TestResolveSecrets(t *testing.T) {
	t.Setenv("NACTL_TEST_LONG", "long enough")
	t.Setenv("NACTL_TEST_SHORT", "short")
	n, _ := source.Parse("f", []byte("a: [{secret: {env: NACTL_TEST_LONG}}, 1]\nb: {c: {secret: {env: NACTL_TEST_SHORT}}}\nd: 2\ne: {secret: {env: NACTL_TEST_UNSET}}"))
	out, list := ResolveSecrets(context.Background(), n)
	got := say(list, "")
	want := "[warning: f:2:8: the secret from environment variable NACTL_TEST_SHORT is shorter than 6 characters and will not be masked " +
		"f:4:4: the secret from environment variable NACTL_TEST_UNSET: it is not set: export NACTL_TEST_UNSET]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v", got)
	}
	if s := out.Get("a").Items[0]; s.Str != "long enough" || !s.Secret || s.Range.Column != 5 {
		t.Errorf("%+v", s)
	}
	if out.Get("b").Get("c").Str != "short" || out.Get("a").Items[1].Secret || out.Get("d") != n.Get("d") {
		t.Errorf("%v", out.Any())
	}
	if !isSecret(n.Get("a").Items[0]) {
		t.Error("the original was changed")
	}
}

func TestCommandThatPrintsTooMuch(t *testing.T) {
	out, err := runCommand(context.Background(), "", 1024, []string{"sh", "-c", "head -c 100000 /dev/zero; echo why >&2"})
	if out != nil || err == nil || err.Error() != "it printed more than 1 KiB: why" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
