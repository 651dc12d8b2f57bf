// Package choices has the policies that weigh instances by what is known of them, or draw among them.
package choices

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{firstFit, powerOfD}
