// Package scheduler decides which instance takes a new flow.
//
// A policy is a few lines in a file of its own and a row in the table of policies.go. It is shown a View: the ready
// instances, and of what is known about them only the classes of telemetry that its row declares. The Scheduler around
// it supplies what all policies share: what happens to a flow that fits nowhere, how ties are broken, and the scores of
// all candidates for the decision log.
//
// Nothing here reads a clock, draws from a shared random source, or allocates once it has run a little.
package scheduler
