// Package rss has the policies of receive-side scaling: a table from the flow's hash to its instance, which some of
// them rebalance, and one that rebalances single flows. What they call a core is an instance here, and an entry of the
// table is a bucket.
package rss

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{staticRow, maestroRow, rssppRow, orssRow}
