package traces

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// listed yields packets from memory, at most so many at a time, and then an error.
type listed struct {
	all  []Arrival
	most int
	err  error
}

func (l *listed) Read(p []Arrival) (int, error) {
	if len(l.all) == 0 {
		return 0, l.err
	}
	n := copy(p[:min(len(p), l.most)], l.all)
	l.all = l.all[n:]
	return n, nil
}

// recorded is a lane of packets, and where a merge reads them: in memory, from a file, or from another reader that may
// fail at the end.
func recorded(t *testing.T, r *rand.Rand, all []Arrival, flows []flow.ID) (Packets, error) {
	if kind := r.IntN(3); kind > 0 {
		sp := &spool{most: []int{0, len(all) / 2, len(all)}[r.IntN(3)]}
		phase := units.Time(r.IntN(1000))
		for _, x := range all {
			x.At -= phase
			if err := sp.add(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := sp.end(1); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sp.close)
		return sp.packets(phase, flows), nil
	}
	l := listed{all, 1 + r.IntN(100)*r.IntN(100), io.EOF}
	var failure error
	if r.IntN(10) == 0 {
		failure = fmt.Errorf("lane of flow %d", flows[0])
		l.err = failure
	}
	return Packets{Flows: flows, Open: func() PacketReader { l := l; return &l }}, failure
}

// The merge is a stable sort, whatever the lanes look like: in bursts, at the same instants, empty, late, further apart
// than a key can tell, or failing. It sorts or plays tournaments, as it pays.
func TestMergedPacketsAreInOrderOfTimeAndThenOfLanes(t *testing.T) {
	sorted, played := 0, 0
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			var ps []Packets
			var want []Arrival
			var failures []error
			gap, jump := 1+r.Int64N(1<<r.IntN(30)), int64(1)<<r.IntN(59)
			burst, most := 1+r.IntN(3)*r.IntN(100), 1+r.IntN(3000)
			for i := range r.IntN(4) * r.IntN(30) {
				var all []Arrival
				at := units.Time(r.IntN(2) * r.IntN(2) * int(gap) * r.IntN(1000))
				jumps := 0
				for k := range r.IntN(2) * r.IntN(most) {
					if k%burst == 0 {
						at += units.Time(r.Int64N(gap+1) * int64(burst))
					}
					if jumps < 3 && r.IntN(1000) == 0 {
						jumps++
						at += units.Time(jump)
					}
					all = append(all, Arrival{at, flow.ID(r.IntN(2)), int32(r.IntN(1000))})
				}
				flows := []flow.ID{flow.ID(2*i + 1), flow.ID(2 * i)}
				for _, x := range all {
					x.Flow = flows[x.Flow]
					want = append(want, x)
				}
				p, failure := recorded(t, r, all, flows)
				if ps = append(ps, p); failure != nil {
					failures = append(failures, failure)
				}
			}
			for range r.IntN(2) * r.IntN(2) * 1000 { // the more lanes, the less is read ahead
				ps = append(ps, Packets{Open: func() PacketReader { return &listed{err: io.EOF} }})
			}
			slices.SortStableFunc(want, func(a, b Arrival) int { return cmp.Compare(a.At, b.At) })
			s := MergePackets(ps)
			var got []Arrival
			for {
				buf := make([]Arrival, []int{1 + r.IntN(100), 1000, 4096, 10_000}[r.IntN(4)])
				n, err := s.Read(buf)
				got = append(got, buf[:n]...)
				if n == 0 {
					if len(failures) == 0 && err != io.EOF || len(failures) > 0 && !slices.Contains(failures, err) {
						t.Fatalf("error %v, want one of %v", err, failures)
					}
					if n, again := s.Read(buf); n > 0 || !errors.Is(again, err) {
						t.Fatalf("%d packets and error %v after %v", n, again, err)
					}
					break
				}
				if err != nil {
					t.Fatalf("%d packets with an error: %v", n, err)
				}
				if len(ps) > 1 && s.stale {
					sorted++
				} else {
					played++
				}
			}
			if !slices.Equal(got, want) {
				k := 0
				for k < min(len(got), len(want)) && got[k] == want[k] {
					k++
				}
				t.Fatalf("%d packets of %d lanes, want %d; the first %d are right", len(got), len(ps),
					len(want), k)
			}
		})
	}
	if t.Logf("%d sorted, %d played", sorted, played); sorted < 500 || played < 500 {
		t.Errorf("%d Reads were sorted and %d played, want many of both", sorted, played)
	}
}
