package sim

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// foresight is what all flows offer together over time. It is made when it is first asked for: for a scaling policy
// that is an oracle.
type foresight struct{ changes []change }

// change is what is offered from a time on.
type change struct {
	at   units.Time
	rate int64 // packets in a thousand seconds: a whole number, so that what comes and goes leaves nothing behind
}

func (f *foresight) make(w *traces.Workload) {
	for i := range w.Flows {
		for _, s := range w.Flows[i].Segments {
			rate := int64(math.Round(s.Rate() * 1000))
			f.changes = append(f.changes, change{s.Start, rate}, change{s.End, -rate})
		}
	}
	f.changes = append(f.changes, change{-1, 0})
	slices.SortFunc(f.changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	all, rate := f.changes, int64(0)
	f.changes = f.changes[:0]
	for i, c := range all {
		rate += c.rate
		if i+1 == len(all) || all[i+1].at > c.at {
			f.changes = append(f.changes, change{c.at, rate})
		}
	}
}

// most is the highest rate at any time from one to before another, in packets a second.
func (f *foresight) most(w *traces.Workload, from, to units.Time) float64 {
	if f.changes == nil {
		f.make(w)
	}
	i, found := slices.BinarySearchFunc(f.changes, from,
		func(c change, at units.Time) int { return cmp.Compare(c.at, at) })
	if !found {
		i-- // the one that is in force
	}
	var most int64
	for ; i < len(f.changes) && f.changes[i].at < to; i++ {
		most = max(most, f.changes[i].rate)
	}
	return float64(most) / 1000
}
