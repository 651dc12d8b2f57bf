// Package rss has the policies of receive-side scaling: a table from hash to instance, which some of them rebalance.
package rss

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{}
