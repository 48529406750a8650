package expr

import "testing"

const benchText = `{{ default(vlan, 5) }}-{{ upper(vm.name) }}-{{ vm.cpu * 2 }}`

// BenchmarkCompile: three expressions, never seen before.
func BenchmarkCompile(b *testing.B) {
	n := str(benchText)
	base := testScope()
	b.ReportAllocs()
	for b.Loop() {
		scope := NewScope(base.names, Options{})
		if _, list := CompileNode(n, scope); list != nil {
			b.Fatal(list)
		}
	}
}

// BenchmarkCompileAgain: the same in a scope of its own, as for every step.
func BenchmarkCompileAgain(b *testing.B) {
	n := str(benchText)
	base := testScope()
	b.ReportAllocs()
	for b.Loop() {
		if _, list := CompileNode(n, base.With(map[string]Field{"step": {}})); list != nil {
			b.Fatal(list)
		}
	}
}

func BenchmarkEvalText(b *testing.B) { benchEval(b, benchText) }

func BenchmarkEvalValue(b *testing.B) { benchEval(b, `{{ vm.cpu }}`) }

func BenchmarkEvalClosure(b *testing.B) {
	benchEval(b, `{{ map(filter(vms, .cpu > 1), .name) }}`)
}

func benchEval(b *testing.B, text string) {
	tmpl, list := CompileNode(str(text), testScope())
	if list != nil {
		b.Fatal(list)
	}
	values := testValues()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Eval(b.Context(), values); err != nil {
			b.Fatal(err)
		}
	}
}
