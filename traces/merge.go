package traces

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
)

// Merge superposes workloads. Flows are ordered by first packet; of flows that start together, those of an earlier
// argument come first. Provenance is concatenated and Skipped is summed by reason. The segments are shared with ws.
func Merge(ws ...*Workload) *Workload {
	m := &Workload{}
	if len(ws) == 1 {
		*m = *ws[0]
		m.Flows, m.Constant, m.Packets = slices.Clone(m.Flows), slices.Clone(m.Constant), nil
		m.adopt(ws[0].Packets, 0)
	} else if len(ws) > 1 {
		m.Layer = ws[0].Layer
		for _, w := range ws {
			if len(w.Constant) > 0 && m.Constant == nil {
				m.Constant = make([]Periodic, len(m.Flows))
			}
			m.adopt(w.Packets, len(m.Flows))
			m.Flows = append(m.Flows, w.Flows...)
			if m.Constant != nil {
				m.Constant = append(append(m.Constant, w.Constant...), make([]Periodic, len(w.Flows)-len(w.Constant))...)
			}
			m.Provenance = append(m.Provenance, w.Provenance...)
			for _, s := range w.Skipped {
				m.skip(s.Reason, s.N)
			}
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

func (w *Workload) sort() {
	order := make([]int, len(w.Flows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(w.Flows[a].Segments[0].Start, w.Flows[b].Segments[0].Start)
	})
	flows := make([]Flow, len(order))
	for i, j := range order {
		flows[i] = w.Flows[j]
	}
	w.Flows = flows
	if len(w.Constant) > 0 {
		constant := make([]Periodic, len(order))
		for i, j := range order {
			constant[i] = w.Constant[j]
		}
		w.Constant = constant
	}
	if len(w.Packets) > 0 {
		now := make([]flow.ID, len(order))
		for i, j := range order {
			now[j] = flow.ID(i)
		}
		for _, p := range w.Packets {
			for i, f := range p.Flows {
				p.Flows[i] = now[f]
			}
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
