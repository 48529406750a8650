// Package ovirt makes oVirt engines platforms. A [Client] speaks with one: the
// transport, the token, the faults, the wire format, and the waiting. An [Engine]
// is the platform: reading in bulk, and one executor for each change.
//
// Design goal: what the engine did not say is never taken for the truth. A page
// of a proxy is no empty list, a list with an item that cannot be read is no
// list, a reply that was lost is neither success nor failure, and what XML cannot
// carry is refused before it is sent.
//
// The types of go-ovirt read the replies, one item at a time, and are converted at
// once; none leaves this package. Requests are written by small structs of our
// own, because go-ovirt's writer does not escape text.
//
// A Client is safe for concurrent use. The token is fetched by one caller while
// the others wait, each as long as its own context allows.
package ovirt
