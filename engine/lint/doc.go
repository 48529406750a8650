// Package lint looks at loaded playbooks and an inventory for what is allowed and
// unwise, lets comments silence that, and writes findings in the formats that
// reviews read.
//
// It opens nothing but the files that were loaded. What stops a run is found by
// the loaders; their rules stand in the table here, too, so that every finding has
// its why.
package lint
