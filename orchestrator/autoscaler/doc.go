// Package autoscaler decides how many instances there are, and which of them goes when there are too many.
//
// An evaluation runs through four stages, each a small function that is given the number so far and may change it:
//
//	recommend   the policy turns the load into a number of instances
//	stabilise   a scale-in goes no lower than the highest recommendation of the last while
//	rate-limit  cool-downs, and the most instances added or removed at once
//	clamp       never fewer than the least, nor more than the most: this one comes last and overrides all others
//
// Each stage says what it did, so that the decision log shows which of them held a number back.
package autoscaler
