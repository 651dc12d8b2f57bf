// Package envoy has the load balancing policies of Envoy, made again from its rules and held against its tests.
//
// A host is an instance, and a request is a flow. Envoy has no weight 0, so an instance of weight 0 is no host. A flow
// that comes when there is no host is refused. Weights that are all equal count as no weights, as in Envoy, where a
// policy then takes a shorter way. Envoy decides between equals by itself, whatever scheduler.ties says.
package envoy

import (
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{roundRobinRow, leastRow, randomRow, ringRow, maglevRow, peakRow}

const source = "Envoy, source/extensions/load_balancing_policies/"

// refused is the reason of a flow that comes when there is no host: the second one of each row.
const refused = "no instance has a weight: refused"

var none = policy.Answer{Verdict: policy.Drop, Why: 1}

const (
	lacks = "priorities, localities, panic mode and retries are not there; "
	zero  = "a weight of 0, which Envoy does not have, makes an instance no host"
)

// hosts are the rows of the instances that are hosts.
type hosts struct {
	changed bool
	when    units.Time // they changed last
	rows    []int32
	sum     int64 // of their weights
	equal   bool  // they have the same weight
}

// Observe notes that hosts have come or gone.
func (h *hosts) Observe(e *policy.Event, v *policy.View) {
	if e.Kind == policy.Joined || e.Kind == policy.Left {
		h.changed, h.when = true, v.Now
	}
}

// refresh brings the rows up to date, and reports whether hosts have come or gone since it was last called.
func (h *hosts) refresh(v *policy.View) (changed bool) {
	if !h.changed {
		return false
	}
	h.changed, h.rows, h.sum, h.equal = false, h.rows[:0], 0, true
	for slot, w := range v.Weight {
		if w > 0 {
			h.rows, h.sum = append(h.rows, int32(slot)), h.sum+int64(w)
			h.equal = h.equal && w == v.Weight[h.rows[0]]
		}
	}
	return true
}

// share is the weight of a row over the sum of all.
func (h *hosts) share(v *policy.View, slot int) float64 {
	return float64(v.Weight[slot]) / float64(h.sum)
}

// host is what the hashing policies make their tables of.
type host struct {
	key   string
	share float64
	row   int32
}

// keyed are the hosts with their keys: an instance's is its number in decimal.
func (h *hosts) keyed(v *policy.View) []host {
	all := make([]host, len(h.rows))
	for i, row := range h.rows {
		all[i] = host{strconv.Itoa(int(v.IDs[row])), h.share(v, int(row)), row}
	}
	return all
}
