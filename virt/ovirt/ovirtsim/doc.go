// Package ovirtsim is an oVirt engine in process, for tests, the demo and trial
// runs: the REST API, single sign-on and the state behind them, with no
// hypervisor underneath.
//
// Its goal is to be refused by what a real engine would refuse and to answer
// what a real engine would answer, in the engine's words. It is an independent
// belief about the wire: it shares no code with the client that is tested
// against it, nor with an SDK.
//
// Objects are kept as the documents that the API shows ([elem] trees), which
// never change once published; a command replaces them. One lock guards the
// whole state. There are no background goroutines besides the HTTP server:
// every change in time (a disk gets unlocked, a VM comes up) is a task on the
// engine's own clock, run when a request or a test looks at the engine. The
// clock runs at a chosen speed or stands still until [Engine.Advance].
package ovirtsim
