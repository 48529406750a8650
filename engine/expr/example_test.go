package expr_test

import (
	"context"
	"fmt"

	"github.com/nactl/nactl/engine/expr"
	"github.com/nactl/nactl/engine/source"
)

func ExampleCompileNode() {
	scope := expr.NewScope(map[string]expr.Field{
		"vm":   {Type: expr.ClosedMap(map[string]expr.Field{"name": {Type: expr.StringType}, "cpu": {Type: expr.IntType}})},
		"vlan": {Type: expr.IntType, Optional: true},
	}, expr.Options{})

	node, _ := source.Parse("play.yml", []byte(`{name: "{{ default(vlan, 1) }}-{{ vm.name }}", cpu: "{{ vm.cpu * 2 }}"}`))
	template, _ := expr.CompileNode(node, scope)
	result, _ := template.Eval(context.Background(), expr.Values{"vm": map[string]any{"name": "web", "cpu": 2}})
	fmt.Println(expr.FromNode(result))

	node, _ = source.Parse("play.yml", []byte(`{name: "{{ vm.nmae }}"}`))
	_, problems := expr.CompileNode(node, scope)
	fmt.Println(problems[0].Error())

	// Output:
	// map[cpu:4 name:1-web]
	// play.yml:1:15: vm has no member "nmae", did you mean "name"?
}

func ExampleCompileCondition() {
	scope := expr.NewScope(map[string]expr.Field{"nginx": {Type: expr.OpenMap}}, expr.Options{})
	node, _ := source.Parse("play.yml", []byte(`[nginx.rc == 0, nginx.stdout != ""]`))
	condition, _ := expr.CompileCondition(node, scope)

	fmt.Println(condition.Eval(context.Background(), expr.Values{"nginx": map[string]any{"rc": 0, "stdout": "ok"}}))
	fmt.Println(condition.Eval(context.Background(), expr.Values{"nginx": expr.Unknown{}}))

	// Output:
	// true false <nil>
	// false true <nil>
}
