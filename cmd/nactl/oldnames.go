package main

// oldName is a name of the old agent's programs that this one was called by.
type oldName struct {
	name string
	uri  string // of libvirt, from the old configuration; empty: the usual one
}
