package ipvs

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{rr, wrr, lc, wlc, sed, nq, sh, dh, mh, ovf, fo, twos, lblc}
