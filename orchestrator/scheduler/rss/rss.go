// Package rss has the policies of receive-side scaling: a table from the flow's hash to its instance, which some of
// them rebalance. What they call a core is an instance here, and an entry of the table is a bucket.
package rss

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{
	{
		Info: policy.Info{Name: "rss++",
			Rule: "the instance that a table has for the flow's hash; " +
				"buckets move from overloaded instances to others",
			Source: "Barbette et al., CoNEXT 2019, as released in fastclick 93ca5a6d037b",
			Score:  "the table's entry", Sees: policy.T0 | policy.T2},
		Tuple:   true,
		Reasons: []string{"entry of the flow's hash"},
		Maker:   policy.Make(newRSSPP),
	},
}
