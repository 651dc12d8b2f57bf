package traces

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Merge superposes workloads. Flows are ordered by first packet; if flows start together, those of an earlier argument
// come first. Provenance is concatenated and Skipped is summed by reason. The segments are shared with ws. A single
// workload that is in order is returned with everything shared.
func Merge(ws ...*Workload) *Workload {
	if len(ws) == 1 && ws[0].sorted() {
		m := *ws[0]
		return &m
	}
	m, flows, constant, tenants := &Workload{}, 0, false, false
	for _, w := range ws {
		flows += len(w.Flows)
		constant = constant || len(w.Constant) > 0
		tenants = tenants || len(w.Tenants) > 0
	}
	m.Flows = make([]Flow, 0, flows)
	if constant {
		m.Constant = make([]Periodic, flows)
	}
	if tenants {
		m.Tenants = make([]string, flows)
	}
	for i, w := range ws {
		if i == 0 {
			m.Layer = w.Layer
		}
		m.adopt(w.Packets, len(m.Flows))
		if constant {
			copy(m.Constant[len(m.Flows):], w.Constant)
		}
		if tenants {
			copy(m.Tenants[len(m.Flows):], w.Tenants)
		}
		m.Flows = append(m.Flows, w.Flows...)
		m.Provenance = append(m.Provenance, w.Provenance...)
		for _, s := range w.Skipped {
			m.skip(s.Reason, s.N)
		}
	}
	m.sort()
	return m
}

// adopt takes over the packets of a workload whose first flow has number first here.
func (w *Workload) adopt(ps []Packets, first int) {
	for _, p := range ps {
		p.Flows = slices.Clone(p.Flows)
		for i := range p.Flows {
			p.Flows[i] += flow.ID(first)
		}
		w.Packets = append(w.Packets, p)
	}
}

func (w *Workload) sorted() bool {
	return slices.IsSortedFunc(w.Flows, func(a, b Flow) int {
		return cmp.Compare(a.Segments[0].Start, b.Segments[0].Start)
	})
}

// sort orders the flows, which may be many, in place.
func (w *Workload) sort() {
	if w.sorted() {
		return
	}
	type key struct {
		start units.Time
		was   flow.ID
	}
	order := make([]key, len(w.Flows))
	for i, f := range w.Flows {
		order[i] = key{f.Segments[0].Start, flow.ID(i)}
	}
	slices.SortFunc(order, func(a, b key) int {
		if a.start != b.start {
			return cmp.Compare(a.start, b.start)
		}
		return cmp.Compare(a.was, b.was)
	})
	now := make([]flow.ID, len(order))
	for i, k := range order {
		now[k.was] = flow.ID(i)
	}
	for _, p := range w.Packets {
		for i, f := range p.Flows {
			p.Flows[i] = now[f]
		}
	}
	for i := range now { // round each cycle of the permutation
		for to := now[i]; to != flow.ID(i); to = now[i] {
			w.Flows[i], w.Flows[to] = w.Flows[to], w.Flows[i]
			if len(w.Constant) > 0 {
				w.Constant[i], w.Constant[to] = w.Constant[to], w.Constant[i]
			}
			if len(w.Tenants) > 0 {
				w.Tenants[i], w.Tenants[to] = w.Tenants[to], w.Tenants[i]
			}
			now[i], now[to] = now[to], to
		}
	}
}

func (w *Workload) skip(reason string, n int64) { w.Skipped = count(w.Skipped, reason, n) }

// count adds n to the count of reason, and keeps cs in the order of reasons.
func count(cs []Count, reason string, n int64) []Count {
	if n == 0 {
		return cs
	}
	i, found := slices.BinarySearchFunc(cs, reason, func(c Count, r string) int { return cmp.Compare(c.Reason, r) })
	if found {
		cs[i].N += n
		return cs
	}
	return slices.Insert(cs, i, Count{reason, n})
}
