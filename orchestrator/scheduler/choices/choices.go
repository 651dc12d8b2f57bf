// Package choices has the policies that weigh instances by what is known of them, or draw among them.
package choices

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{firstFit, powerOfD, randomRow, leastConnections, leastLoad, jiqRow, rebalanceRow, scoreRow,
	jbsqRow, sparseRow}

// scores are what an instance is compared by; the lowest is the best.
var scores = map[string]func(v *policy.View, slot int) float64{
	"flows": func(v *policy.View, slot int) float64 { return float64(v.Flows[slot]) },
	"load":  func(v *policy.View, slot int) float64 { return v.Load[slot] },
}
