// Package local is the controller as a platform: what a playbook does on the
// machine that runs nactl is a change like any other, applied here.
//
// So a dry run, the journal and the check that nothing writes stand around a
// local command just as around a libvirt call. The package knows no target; what
// it starts, it ends. All methods are safe for concurrent use.
package local
