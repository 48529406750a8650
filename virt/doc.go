// Package virt is the one vocabulary of nactl: the things that exist on a
// virtualization platform, and the changes that can be made to them.
//
// A change is data. A step reads nouns through a Reader, builds a Change, and
// hands it to Apply; it never calls libvirt or an engine itself. So a dry run,
// a retry, a trace or a lock is one decorator around Apply, and a playbook that
// was written for one platform runs on the other.
//
// The package holds no I/O and imports nothing of nactl's. Sizes are bytes,
// durations time.Duration, unless a name says otherwise. Nouns that a Platform
// returned belong to the caller, who may keep and change them.
package virt
