package source
import ("testing";"fmt";"strings")
func dump(n *Node, ind string){ if n==nil {fmt.Println(ind+"nil");return}
 fmt.Printf("%s%v@%d:%d+%d raw=%q", ind, n.Kind, n.Range.Line,n.Range.Column,n.Range.Width,n.Raw)
 if n.Kind==String { fmt.Printf(" %q", n.Str)
  rs:=[]rune(n.Str); var b strings.Builder
  for i:=range rs { p:=n.PosAt(i); fmt.Fprintf(&b," %c%d:%d",rs[i],p.Line,p.Column)}
  fmt.Print(" |", strings.ReplaceAll(b.String(),"\n","␤")) }
 if n.Kind==Int {fmt.Print(" ",n.Int)}
 fmt.Println()
 for _,e:=range n.Entries { fmt.Printf("%s %q@%d:%d:\n",ind,e.Key.Str,e.Key.Range.Line,e.Key.Range.Column); dump(e.Value,ind+"   ")}
 for _,e:=range n.Items { dump(e,ind+" - ")}
}
func TestZZ(t *testing.T){
 for _,s:=range []string{
 "a: hello world\nb:   x y  # c\n","a: foo\n  bar\n\n  baz\nb: 1\n","a:\tb\n","a: |\n  one\n   two\n\n  three\nb: 2\n","a: >-\n  one\n  two\n\n  three\n    more\n  x\n","a: |2-\n   x\n","a: \"x\\ty\\u00e9\\\n   q\n  z\"\n","a: 'it''s\n\n   b'\n",
 "targets: *\n","targets: !x\n","targets: *all\n","targets: !stage & prod\n","targets: *.x\n","a: &\n","name: {{ x }}\n","- name: {{ x }} y  # c\n  b: {{ z }}\n","a:\n\tb: 1\n","- \ta: 1\n","a: b\n\tc: d\n","{\n\t\"a\": 1,\n\t\"b\": [\n\t1]}\n","%YAML 1.2\n---\na: 1\n","---\n---\na: 1\n","a: 1\n...\n","a: 1\n---\n","a: b: c\n","a: @x\n","a: `x`\n","a: %x\n","a: 'it's'\n","a: \"unclosed\n","a: [1, 2\n","a: ]\n","a:\n  - b\n c: 1\n","a: 1\n  b: 2\n","a: 1\nfoo\nb: 2\n","<<: {a: 1}\na: 2\n","x: &b {y: 1, z: 2}\nd: {y: 3, <<: *b}\ne:\n  <<: [{z: 9},*b]\n  q: 1\n","a: &x {b: *x}\n","a: 1\nb: 2\na: 3\n","a: !!str 12\nb: 0644\n","key: - a\n","","# c\n","a: [52:54:00]\nb: {m: [52:54:00:11]}\n","a: when x == 'y: z'\n","a: \"\\xzz\"\n","? a\n: b\n","[1,2]: 3\n","a: x\ty\tz\n","a: |\n\tb\n","\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n","a: \x01\n","a: {b: 1\n","a: [1 2]\nb: [1, 2}\n","a: \n  - x\n  y: 1\n","a: #c\nb: ~\n","hosts: all, !x\n",
 } { fmt.Printf("=== %q\n",s); n,l:=Parse("t.yml",[]byte(s)); dump(n,"  "); for _,d:=range l { fmt.Println("  !",d.Error(), d.Range.Width)} }
}
