// Package reference is what nactl says of its own language: JSON Schemas for
// editors and the pages of the steps, made from what the loader itself reads by.
//
// Nothing in it is written twice: arguments come from the steps' structs, keywords
// from the loader's tables. It does no I/O but through the writers it is given.
package reference
