package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/engine/diag"
	"github.com/nactl/nactl/engine/source"
)

const patternInventory = `
engines: {e15: {url: "https://e/api", username: u, password: {secret: {env: X}}}}
nodes: {"node[01:04]": {}, web1: {}, web2: {}, db1: {}}
clusters: {kvm-a: {nodes: ["node[01:02]"]}}
groups:
  web: {members: ["web*"]}
  db: {members: [db1]}
  kvm: {members: [kvm-a, "node0*"]}
  inner: {members: [node01]}
  prod: {members: [e15], children: [web, kvm]}
  none: {}
`

func TestSelect(t *testing.T) {
	inv := load(t, patternInventory)
	tests := []struct{ pattern, want string }{
		{"all", "e15 node03 node04 web1 web2 db1 kvm-a"},
		{`"*"`, "e15 node03 node04 web1 web2 db1 kvm-a"},
		{"web1", "web1"},
		{"web", "web1 web2"},
		{"db, web1", "web1 db1"},
		{"db:web1", "web1 db1"},
		{"[db, web1]", "web1 db1"},
		{"web2, web1, web2", "web1 web2"},
		{"web*", "web1 web2"},
		{"web?", "web1 web2"},
		{"'?eb[12]'", "web1 web2"},
		{"'web[1:2]'", "web1 web2"},
		{"'node[03:04]:db1'", "node03 node04 db1"},
		{"kvm", "node03 node04 kvm-a"},
		{"prod", "e15 node03 node04 web1 web2 kvm-a"},
		{"prod & kvm", "node03 node04 kvm-a"},
		{"prod & kvm & !kvm-a", "node03 node04"},
		{"prod & !web", "e15 node03 node04 kvm-a"},
		{"'!web & prod'", "e15 node03 node04 kvm-a"},
		{"'!web'", "e15 node03 node04 db1 kvm-a"},
		{"'!web, !db'", "e15 node03 node04 kvm-a"},
		{"prod:&kvm", "node03 node04 kvm-a"},
		{"prod:!kvm", "e15 web1 web2"},
		{"'!web1:web'", "web2"},
		{"web:db:&prod", "web1 web2"},
		{"[prod, '!kvm', '&web', '!web1']", "web2"},
		{"(web, db) & !web1", "web2 db1"},
		{"web & (web1, db1)", "web1"},
		{"all & !(web, kvm)", "e15 db1"},
		{"kvm-a", "kvm-a"},
		{"kvm-a.members", "node01 node02"},
		{"node01", "node01"},
		{"'node[01:02]'", "node01 node02"},
		{"kvm-a.members & !node01", "node02"},
		{"node01, db1", "node01 db1"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			n, list := source.Parse("p", []byte(tt.pattern))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			got, list := inv.Select(n)
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			if names(got) != tt.want {
				t.Errorf("got %s, want %s", names(got), tt.want)
			}
		})
	}
}

func TestSelectErrors(t *testing.T) {
	inv := load(t, patternInventory)
	tests := []struct {
		pattern string
		want    []string
	}{
		{"wbe", []string{`1:1~3: there is no target or group wbe, did you mean "web"?`}},
		{"web, dv, xyzzy", []string{`1:6~2: there is no target or group dv, did you mean "db"?`, "1:10~5: there is no target or group xyzzy"}},
		{"'web & ''!x'''", []string{`1:8~1: "'" cannot stand in a pattern`}},
		{"x*", []string{"1:1~2: no target or group matches x*"}},
		{"'node[03:05]'", []string{`1:2~11: there is no target or group node05, did you mean "node01"?`}},
		{"'node[5:3]'", []string{"1:2~9: the range [5:3] runs backwards"}},
		{"none", []string{"1:1~4: group none has no targets"}},
		{"inner", []string{"1:1~5: group inner has only members of clusters (node01): select kvm-a, kvm-a.members or a node by its name"}},
		{"node01*", []string{"1:1~7: node01* has only members of clusters (node01): select kvm-a, kvm-a.members or a node by its name"}},
		{"kvm-b.members", []string{`1:1~13: there is no cluster kvm-b, did you mean "kvm-a"?`}},
		{"web.members", []string{"1:1~11: there is no cluster web; there are: kvm-a"}},
		{"kvm-a, node02", []string{"1:1~13: cluster kvm-a and its member node02 cannot be targets of one play: select one or the other"}},
		{"prod & db", []string{"1:1~9: no target is left by this pattern: the terms with & and ! take away all that the others name"}},
		{"web db", []string{`1:5~1: "d" does not belong here: put , or & between two names`}},
		{"web,", []string{"1:5~1: a name is expected, not the end of the pattern"}},
		{"web & & db", []string{`1:7~1: a name is expected, not "&"`}},
		{"(web", []string{"1:1~1: this parenthesis is never closed: there is the end of the pattern"}},
		{"web)", []string{`1:4~1: ")" does not belong here: put , or & between two names`}},
		{"'web[1:'", []string{"1:5~1: this bracket is never closed"}},
		{"web; db", []string{`1:4~1: ";" cannot stand in a pattern`}},
		{"[web, [db]]", []string{"1:7~1: a pattern of targets is a text or a list of texts, not a list"}},
		{"[]", []string{`1:1~1: a pattern must name something; "all" means every target`}},
		{"''", []string{"1:2~1: a name is expected, not the end of the pattern"}},
		{strings.Repeat("(", 60) + "web" + strings.Repeat(")", 60), []string{"1:51~1: more than 50 parentheses inside each other"}},
		{">-\n  web,\n  dbx", []string{`3:3~3: there is no target or group dbx, did you mean "db1"?`}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			n, list := source.Parse("p", []byte(tt.pattern))
			if err := list.Err(); err != nil {
				t.Fatal(err)
			}
			_, list = inv.Select(n)
			var got []string
			for _, d := range list {
				d.Range.File = ""
				got = append(got, strings.TrimPrefix(d.Range.String(), ":")+"~"+string('0'+rune(d.Range.Width%10))+": "+d.Summary)
			}
			for i, w := range tt.want { // widths of two digits
				tt.want[i] = shortWidth(w)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// shortWidth keeps the last digit of the width in "1:2~13: …".
func shortWidth(s string) string {
	head, rest, _ := strings.Cut(s, "~")
	width, message, _ := strings.Cut(rest, ": ")
	return head + "~" + width[len(width)-1:] + ": " + message
}

func TestSelectText(t *testing.T) {
	inv := load(t, patternInventory)
	if _, list := inv.SelectText("wbe", "--limit"); len(list) != 1 || list[0].Error() != `--limit: there is no target or group wbe, did you mean "web"?` {
		t.Errorf("%v", list)
	}
}

func TestLimit(t *testing.T) {
	inv := load(t, patternInventory)
	text := func(s string) *source.Node { return source.FromAny(s, diag.Range{}) }
	prod, _ := inv.Select(text("prod"))
	for pattern, want := range map[string]string{"web": "web1 web2", "!web": "e15 node03 node04 kvm-a", "db1": "", "node01": ""} {
		got, list := inv.Limit(prod, text(pattern))
		if list.HasErrors() || names(got) != want {
			t.Errorf("%s: %s %v", pattern, names(got), list)
		}
	}
	if _, list := inv.Limit(prod, text("wbe")); !list.HasErrors() {
		t.Error("a term that matches nothing is an error in a limit, too")
	}
}

// FuzzSelect looks for patterns that crash, or select what is not there.
func FuzzSelect(f *testing.F) {
	for _, seed := range []string{"all", "web & !db", "a:&b:!c", "node[01:20], x*", "(a, b) & !(c)", "kvm-a.members", "[", "![", "&&", "((", "n[1:9999][1:9999]", "a\x00b", "é"} {
		f.Add(seed)
	}
	inv := &Inventory{byName: map[string]*entity{}, groups: map[string]*Group{}}
	for i, name := range []string{"a", "b", "node01"} {
		e := &entity{name: name, kind: KindNode, node: &Node{Name: name}, index: i}
		inv.targets, inv.byName[name] = append(inv.targets, e), e
	}
	c := &Cluster{Name: "kvm-a", Nodes: []*Node{inv.byName["node01"].node}}
	inv.byName["node01"].member = c
	inv.Clusters = append(inv.Clusters, c)
	e := &entity{name: "kvm-a", kind: KindCluster, cluster: c}
	inv.targets, inv.byName["kvm-a"] = append(inv.targets, e), e
	f.Fuzz(func(t *testing.T, pattern string) {
		got, list := inv.SelectText(pattern, "f")
		if (len(got) == 0) != list.HasErrors() {
			t.Fatalf("%d targets and %v", len(got), list)
		}
		for _, d := range list {
			if d.Summary == "" || strings.Contains(d.Summary, "\n") && !strings.Contains(pattern, "\n") {
				t.Fatalf("bad diagnostic: %+v", d)
			}
		}
	})
}
