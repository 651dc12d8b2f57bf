// Package autoscaler is the host of the policies that decide how many instances there are, and of those that choose
// which instance goes when there are too many. A scaling policy is told nothing but a policy.Snapshot an interval.
//
// An evaluation runs through stages, each a function that is given the number so far and may change it. Those that
// policies share are methods of policy.Steps:
//
//	recommend   the policy's rule turns the load into a number of instances
//	stabilise   a scale-in goes no lower than the highest recommendation of the last while
//	rate-limit  cool-downs, and the most instances added or removed at once
//	clamp       never fewer than the least, nor more than the most: this one comes last and overrides all others
//
// Each stage says what it did, so that the decision log shows which of them held a number back.
//
// The policies are in folders by family. A family has a table, which policies.go puts together.
package autoscaler
