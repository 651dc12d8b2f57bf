// Package hashing has the policies that choose by the flow's five-tuple, so that any number of load balancers without
// common state send a flow to the same instance. Bounded-load and spill-over look at more, and cheetah at no hash: it
// is here because it needs as little state as the others.
package hashing

import (
	"strconv"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{maglevRow, moduloRow, hrwRow, ringRow, boundedRow, spillRow, beamerRow, cheetahRow}

// keyOf names an instance where it is hashed: its number in decimal.
func keyOf(id flow.Instance) string { return strconv.Itoa(int(id)) }
