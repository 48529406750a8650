// Package event is what a run tells about itself: a stream of typed events, the
// one writer that numbers, dates and masks them, and the readers that show or
// keep them.
//
// Nothing else of nactl prints. The terminal view, NDJSON and whatever is added
// later see the same values, after every secret was taken out, so none of them
// can leak what another hides. An event is data: what a reader shows can be made
// again from the stored JSON.
//
// Emit is safe for concurrent use. Readers are called one record at a time, in
// the order of the sequence numbers, and never see an event whose predecessor
// they have not seen.
package event
