package rack

import "github.com/smartinco/smartinco/units"

// leak is a piece whose packets are lost: at the dispatcher, or on the way to a node that is dead. Its times are those
// at which the packets would arrive, shift after the dispatcher has them.
type leak struct {
	from, to units.Time // to is Never until the flow is steered elsewhere
	shift    units.Time
	piece    int32
}

// tally is what leaks have lost.
type tally struct{ link, rejected, bytes float64 }

// leaksFrom has the packets of a piece lost from a time on.
func (r *rack) leaksFrom(i int32, from, shift units.Time) {
	r.pieces[i].leak = int32(len(r.leaks))
	r.leaks = append(r.leaks, leak{from, units.Never, shift, i})
}

// leak books what is lost in the window that ends at t. It looks at all leaks behind the first that is not over.
func (r *rack) leak(t units.Time) {
	d := (t - r.began).Seconds()
	for i := r.leaky; i < len(r.leaks); i++ {
		k := &r.leaks[i]
		if from, to := max(k.from, r.began), min(k.to, t); from < to {
			p := &r.pieces[k.piece]
			n, bytes := r.sent(p.flow, from-k.shift, to-k.shift)
			r.lost.bytes += bytes
			x := &r.fates[k.piece]
			x.offered += n
			x.dropped += n
			if p.life == 0 {
				r.lost.rejected += n
				r.sums[0].lose(n / d)
				continue
			}
			r.lost.link += n
			l := r.lives[p.life]
			l.leaked += n
		}
	}
	for r.leaky < len(r.leaks) && r.leaks[r.leaky].to <= t {
		r.leaky++
	}
}
