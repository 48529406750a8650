// Package engine is the runner: it takes loaded playbooks, runs their steps on
// targets in parallel, and tells everything as events.
//
// It knows no platform: targets, images, secrets and platforms come through
// World, which the command line fills. A plan is the same run over virt/dryrun.
// After a change the runner proves that it took, by running the step once more
// over a dry run that has to stay empty. Each target's state belongs to one
// goroutine at a time; what targets share is locked.
package engine
