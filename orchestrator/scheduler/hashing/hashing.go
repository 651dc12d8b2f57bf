// Package hashing has the policies that choose by the flow's five-tuple, so that any number of load balancers without
// common state send a flow to the same instance. Only bounded-load looks at more.
package hashing

import (
	"strconv"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{maglevRow, moduloRow, hrwRow, ringRow, boundedRow}

// keyOf names an instance where it is hashed: its number in decimal.
func keyOf(id flow.Instance) string { return strconv.Itoa(int(id)) }
