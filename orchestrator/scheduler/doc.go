// Package scheduler is the host of a scheduling policy: it makes the policy that the options name, shows it what its
// row declares and no more, and supplies what all policies share - what becomes of work while no instance is ready, how
// ties are broken, and the candidates of a decision for the log. The policies stand in a folder a family; their
// contract is package policy.
//
// Nothing here reads a clock, draws from a shared random source, or allocates once it has run a little.
package scheduler
