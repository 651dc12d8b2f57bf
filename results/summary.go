package results

import "math"

// Column is a number or a truth value of a whole run, as summaries of studies have it. Of gives a bool, an int64 or a
// float64.
type Column struct {
	Name, Unit string
	Of         func(*Run) any
}

// Columns are those of a summary, in their order: what became of the packets, the flows and the rules, and then what
// the controller cost (CostTable), which is NaN where it is not known, what became of requests, and
// the imbalance of a rack.
func Columns() []Column {
	cs := append([]Column(nil), fates...)
	for _, c := range CostTable {
		cs = append(cs, Column{c.Name, c.Unit, func(r *Run) any {
			if v, known := r.Costs[c.Name]; known {
				return v
			}
			return math.NaN()
		}})
	}
	for _, c := range ofRequests {
		cs = append(cs, Column{c.name, c.unit, func(r *Run) any {
			if r.Requests == nil {
				return math.NaN()
			}
			return c.of(r.Requests)
		}})
	}
	return append(cs, Column{"imbalance", "1", func(r *Run) any {
		if r.Rack == nil {
			return math.NaN()
		}
		return r.Rack.Imbalance
	}})
}

var fates = []Column{
	{"complete", "", func(r *Run) any { return r.Complete }},
	{"conserved", "", func(r *Run) any { return r.Conservation.Holds }},
	{"offered", "packets", func(r *Run) any { return r.Totals.Offered }},
	{"processed", "packets", func(r *Run) any { return r.Totals.Processed }},
	{"queued", "packets", func(r *Run) any { return r.Totals.Queued }},
	{"dropped", "packets", func(r *Run) any { return Round(r.Totals.Dropped.Sum()) }},
	{"dropped_link", "packets", func(r *Run) any { return r.Totals.Dropped.Link }},
	{"dropped_eswitch", "packets", func(r *Run) any { return r.Totals.Dropped.ESwitch }},
	{"dropped_slowpath", "packets", func(r *Run) any { return r.Totals.Dropped.SlowPath }},
	{"dropped_instance", "packets", func(r *Run) any { return r.Totals.Dropped.Instance }},
	{"dropped_rejected", "packets", func(r *Run) any { return r.Totals.Dropped.Rejected }},
	{"slowpath", "packets", func(r *Run) any { return r.Totals.SlowPath }},
	{"reordered", "packets", func(r *Run) any { return r.Totals.Reordered }},
	{"flows", "", func(r *Run) any { return r.Totals.Flows }},
	{"moves", "", func(r *Run) any { return r.Totals.Moves }},
	{"rules_installed", "", func(r *Run) any { return r.Totals.RulesInstalled }},
	{"rules_rejected", "", func(r *Run) any { return r.Totals.RulesRejected }},
}
