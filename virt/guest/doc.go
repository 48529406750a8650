// Package guest holds what it takes to run a command and to write a file inside a
// guest in the same way on every platform: the scripts that a guest's shell runs,
// and the words in which failures are told. How they get there, through the guest
// agent or SSH, is the platform's.
package guest
