package packet

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A server through which packets of a cycle pass lets the same ones go, at the same times, as one that takes them one
// by one, and ends in the same state. Periods and services are a few picoseconds, so that much happens at one.
func TestACyclePassesAServer(t *testing.T) {
	full, lossless := 0, 0
	for seed := range uint64(200_000) {
		r := rand.New(rand.NewPCG(seed, 3))
		y := &cycle{period: 1 + r.Int64N(60)}
		for range 1 + r.IntN(6) {
			y.at = append(y.at, r.Int64N(y.period))
			y.lane = append(y.lane, int32(len(y.lane)))
		}
		slices.Sort(y.at)
		y.sent = y.at
		m := int64(len(y.at))
		one := []int64{1, 1, 2, 3, 7, 16}[r.IntN(6)]
		l := lattice{one: one, service: one + r.Int64N(25*one), gap: r.Int64N(60 * one)}
		if r.IntN(2) == 0 {
			l.gap = l.service * r.Int64N(6)
		}
		idle, acc, n := r.Int64N(90)-20, r.Int64N(one), 1+r.Int64N(400)
		p := passage{lattice: l}
		out, passed := p.pass(y, n, 1000, idle, uint64(acc))
		if out == nil {
			continue
		}
		if p.over != nil {
			full++
		} else {
			lossless++
		}
		k, lost := int64(0), make([]uint64, m)
		for i := range n {
			at := y.nth(i)
			if floor(idle*one+acc-l.gap, one) > at {
				lost[i%m]++
				continue
			}
			acc += l.service
			idle = max(idle, at) + acc/one
			acc %= one
			if s := k % int64(len(out.at)); out.nth(k) != idle || int64(out.lane[s]) != i%m ||
				out.sent[s]+k/int64(len(out.at))*out.period != at {
				t.Fatalf("seed %d: packet %d, which came as number %d at %d, leaves at %d; want lane %d at %d", seed, k,
					i, at, out.nth(k), i%m, idle)
			}
			k++
		}
		got := make([]uint64, m)
		p.lose(func(lane int32, n uint64) { got[lane] += n })
		if at, part := p.left(0); passed != k || !slices.Equal(got, lost) || at != idle || part != uint64(acc) {
			t.Fatalf("seed %d: %d passed, lost %v, idle at %d and %d/%d; want %d, %v, %d and %d", seed, passed, got, at,
				part, one, k, lost, idle, acc)
		}
	}
	if t.Logf("%d servers were full, %d lost nothing", full, lossless); full < 1000 || lossless < 1000 {
		t.Error("too few to say anything")
	}
}
