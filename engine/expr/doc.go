// Package expr gives playbooks their expressions: `{{ … }}` inside strings, and
// the bare conditions of when, until, changed_when and failed_when.
//
// The language is expr-lang. Everything that can be known at load is known at
// load: each distinct text is compiled once against a Scope, and a misspelt
// name, a wrong type or a Jinja habit is a diagnostic at its file, line and
// column. At run time an expression is given Values, in which a value may be
// Unknown (a dry run cannot know it yet) or Secret. Before a program runs, every
// member chain that it reads is resolved: an unknown among them makes the result
// unknown and nothing is evaluated, a secret among them makes the result secret.
//
// A playbook is not trusted with the controller's memory or time: length,
// nesting, evaluation steps, produced bytes and wall time are all bounded, and
// what reaches outside (env, file) goes through Options.Host.
//
// Scope, Template, Condition and Values that are not written to are safe for
// concurrent use.
package expr
