package contention

import (
	"cmp"
	"math"
	"slices"
)

// Member is an instance whose capacity depends on what the others are offered.
type Member struct {
	Contends bool    // counts in n
	Demand   float64 // packets a second that it is offered; 0 if it does not contend
	Share    float64 // packets a second that it can process, set by [Pool.Share]
}

// Pool is a capacity that all instances share: the n that contend have A(n) = n·capacity(n) together, and what one of
// them does not need is there for the others.
//
// The share of an instance is what it would get if it always had packets, while each of the others took what it is
// offered, all of them max-min fair (water-filling; Bertsekas and Gallager, "Data Networks", 2nd edition 1992, 6.5.2).
// It is the x for which
//
//	x + Σ min(demand of j, x) = m·capacity(n)
//
// with the sum over the other instances j that contend, and m their number plus one. It is never less than capacity(n),
// which is the share of all if the others are saturated, and at most capacity(1), or capacity(n) where that is more.
//
// Demands and capacity(n) are rounded, as by [Round], before they are added, so that the order does not matter.
type Pool struct {
	Law   Law
	order []int32 // the members that contend, least demand first
}

// Round is the rate to the nearest multiple of 2⁻²⁰ packets a second. Such rates have an exact sum below 2³³ packets a
// second.
func Round(rate float64) float64 { return float64(math.Round(rate*(1<<20)) / (1 << 20)) }

// Share sets the share of each member. It allocates nothing if there were as many before.
func (p *Pool) Share(members []Member) {
	p.order = p.order[:0]
	for i := range members {
		m := &members[i]
		if m.Demand = Round(m.Demand); m.Contends {
			p.order = append(p.order, int32(i))
		}
	}
	slices.SortFunc(p.order, func(a, b int32) int { return cmp.Compare(members[a].Demand, members[b].Demand) })
	n := len(p.order)
	each := p.Law.Capacity(n)
	most, base := max(p.Law.Capacity(1), each), Round(each)
	w := water{members: members, order: p.order, pool: float64(base * float64(n))}
	spare := w
	idle := within(spare.level(base), each, base, most)
	for i := range members {
		members[i].Share = idle
	}
	for k, i := range p.order {
		d := members[i].Demand
		x := w.level(d)
		if x < d { // it is saturated, and so are those after it
			x = w.saturated()
			for _, i := range p.order[k:] {
				members[i].Share = within(x, each, base, most)
			}
			return
		}
		members[i].Share = within(x, each, base, most)
	}
}

// within holds a level between what all have in saturation and what one alone can do.
func within(x, each, base, most float64) float64 {
	if x <= base {
		return each
	}
	return min(max(x, each), most)
}

// water finds levels in a pool. They must be asked for in ascending order.
type water struct {
	members []Member
	order   []int32
	pool    float64
	k       int     // demands that are below the last level
	below   float64 // their sum
}

// level is the x at which x and what all take who are served at x at most are the pool and what is brought to it. If
// that is a member's own demand, the member is left out of those who take.
func (w *water) level(brought float64) float64 {
	for {
		x := (w.pool + brought - w.below) / float64(len(w.order)-w.k+1)
		if w.k == len(w.order) || w.members[w.order[w.k]].Demand >= x {
			return x
		}
		w.below += w.members[w.order[w.k]].Demand
		w.k++
	}
}

// saturated is the level at which the pool is used up. All with less demand are below the last level.
func (w *water) saturated() float64 { return (w.pool - w.below) / float64(len(w.order)-w.k) }
