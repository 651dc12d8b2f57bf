package sim_test

import (
	"cmp"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// listed are packets from a list.
type listed struct{ rest []traces.Arrival }

func (l *listed) Read(p []traces.Arrival) (int, error) {
	n := copy(p, l.rest)
	if l.rest = l.rest[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// ofTimes is a flow with packets at these times, in microseconds.
func ofTimes(at ...units.Time) *traces.Workload {
	w := &traces.Workload{Flows: []traces.Flow{{Segments: []traces.Segment{
		{Start: at[0], End: at[len(at)-1] + 1, Packets: float64(len(at))}}}}}
	var all []traces.Arrival
	for _, t := range at {
		all = append(all, traces.Arrival{At: t * units.Microsecond})
	}
	w.Packets = []traces.Packets{{Flows: []flow.ID{0}, Open: func() traces.PacketReader { return &listed{all} }}}
	return w
}

// A burst is what follows a gap of at least that length. The first burst of the flow, which begins with its first
// packet, is not among those listed.
func TestBurstsOfAFlow(t *testing.T) {
	const us = units.Microsecond
	constant := &traces.Workload{
		Flows:    []traces.Flow{{Segments: []traces.Segment{{Start: 5 * us, End: 45 * us, Packets: 4}}}},
		Constant: []traces.Periodic{{Phase: 5 * us, Period: traces.Every(10 * us), End: 45 * us}},
	}
	// Four packets from 0 on, 10 us apart, silence until 100 us, and two that are 50 us apart.
	segments := &traces.Workload{Flows: []traces.Flow{{Segments: []traces.Segment{
		{Start: 0, End: 40 * us, Packets: 4}, {Start: 100 * us, End: 200 * us, Packets: 2}}}}}
	for _, c := range []struct {
		name string
		w    *traces.Workload
		gap  units.Time
		want []units.Time // us
	}{
		{"packets at 0, 10, 20, 100 us", ofTimes(0, 10, 20, 100), 50 * us, []units.Time{100}},
		{"exactly the gap", ofTimes(0, 10, 20, 100), 80 * us, []units.Time{100}},
		{"a gap longer than any", ofTimes(0, 10, 20, 100), 80*us + 1, nil},
		{"each packet", ofTimes(0, 10, 20, 100), 10 * us, []units.Time{10, 20, 100}},
		{"two at once are never apart", ofTimes(0, 10, 10, 100), 1, []units.Time{10, 100}},
		{"a constant rate within the gap", constant, 10*us + 1, nil},
		{"a constant rate beyond it", constant, 10 * us, []units.Time{15, 25, 35}},
		{"silence between segments", segments, 60 * us, []units.Time{100}},
		{"and the packets of the later one", segments, 50 * us, []units.Time{100, 150}},
		{"and of both", segments, 10 * us, []units.Time{10, 20, 30, 100, 150}},
	} {
		var got []units.Time
		for _, b := range sim.BurstStarts(c.w, c.gap) {
			got = append(got, b.At/us)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, gap %v: bursts at %v us, want %v", c.name, c.gap, got, c.want)
		}
	}
}

// In random traffic of all kinds, the bursts are those that are found by listing all packets.
func TestBurstsAgainstAllPackets(t *testing.T) {
	bursts := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := randomTraffic(r)
		for _, gap := range []units.Time{1, 1 + upTo(r, 40), 1 + upTo(r, 2000), 1 << 40} {
			got, want := sim.BurstStarts(w, gap), allBursts(t, w, gap)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, gap %d ps:\n%v\nwant\n%v", seed, gap, got, want)
			}
			bursts += len(want)
		}
	}
	if bursts < 10000 {
		t.Errorf("%d bursts", bursts)
	}
}

// randomTraffic is a few flows of picoseconds: of a constant rate, of segments, and of packets of their own, which one
// source may have of several flows.
func randomTraffic(r *rand.Rand) *traces.Workload {
	w := &traces.Workload{}
	at := units.Time(0)
	shared := traces.Packets{}
	var of []traces.Arrival
	for f := range flow.ID(1 + r.IntN(9)) {
		at += upTo(r, 300)
		var fl traces.Flow
		var constant traces.Periodic
		switch end := at + 1 + upTo(r, 1500); r.IntN(3) {
		case 0:
			constant = traces.Periodic{Phase: at, End: end,
				Period: traces.Spread(1+upTo(r, 200), 1+r.Int64N(3))}
			fl.Segments = []traces.Segment{{Start: at, End: end, Packets: 1}}
		case 1:
			for s := at; s < end; {
				g := traces.Segment{Start: s, End: s + 1 + upTo(r, 300), Packets: float64(r.IntN(12)) * r.Float64()}
				g.Packets = min(g.Packets, float64(g.End-g.Start))
				fl.Segments = append(fl.Segments, g)
				s = g.End + upTo(r, 2)*upTo(r, 200)
			}
		default:
			fl.Segments = []traces.Segment{{Start: at, End: end, Packets: 1}}
			var all []traces.Arrival
			for s := at; s < end; s += upTo(r, 2) * upTo(r, 90) {
				all = append(all, traces.Arrival{At: s})
			}
			if r.IntN(2) == 0 {
				w.Packets = append(w.Packets, traces.Packets{Flows: []flow.ID{f},
					Open: func() traces.PacketReader { return &listed{all} }})
				break
			}
			for i := range all {
				all[i].Flow = flow.ID(len(shared.Flows))
			}
			shared.Flows, of = append(shared.Flows, f), append(of, all...)
		}
		w.Flows, w.Constant = append(w.Flows, fl), append(w.Constant, constant)
	}
	if len(of) > 0 {
		slices.SortStableFunc(of, func(a, b traces.Arrival) int { return int(a.At - b.At) })
		shared.Open = func() traces.PacketReader { return &listed{of} }
		w.Packets = append(w.Packets, shared)
	}
	return w
}

func upTo(r *rand.Rand, n int64) units.Time { return units.Time(r.Int64N(n)) }

// allBursts lists all packets of each flow, and then the bursts in their order.
func allBursts(t *testing.T, w *traces.Workload, gap units.Time) (all []results.Burst) {
	t.Helper()
	type packet struct {
		at    units.Time
		order int // among packets of one instant
	}
	packets := make([][]packet, len(w.Flows))
	own := map[flow.ID]bool{}
	for _, p := range w.Packets {
		for _, f := range p.Flows {
			own[f] = true
		}
	}
	buf := make([]traces.Arrival, 1)
	s := traces.MergePackets(w.Packets)
	for order := -1 << 30; ; order++ { // before the others
		n, err := s.Read(buf)
		if n == 0 {
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		packets[buf[0].Flow] = append(packets[buf[0].Flow], packet{buf[0].At, order})
	}
	for i, f := range w.Flows {
		if own[flow.ID(i)] {
			continue
		}
		if c := w.Constant[i]; c.Period.Num > 0 {
			for n := int64(0); c.Phase+c.Period.At(n) < c.End; n++ {
				packets[i] = append(packets[i], packet{c.Phase + c.Period.At(n), i})
			}
			continue
		}
		sum := 0.0
		for _, g := range f.Segments {
			n := int64(math.Round(sum+g.Packets) - math.Round(sum))
			sum += g.Packets
			for k := range n {
				packets[i] = append(packets[i], packet{g.Start + traces.Spread(g.End-g.Start, n).At(k), i})
			}
		}
	}
	var orders []int
	for i, ps := range packets {
		for k := 1; k < len(ps); k++ {
			if ps[k].at-ps[k-1].at >= gap {
				all, orders = append(all, results.Burst{At: ps[k].at, Flow: flow.ID(i)}), append(orders, ps[k].order)
			}
		}
	}
	sort.Sort(byTime{all, orders})
	return all
}

type byTime struct {
	bursts []results.Burst
	orders []int
}

func (b byTime) Len() int { return len(b.bursts) }
func (b byTime) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(b.bursts[i].At, b.bursts[j].At), cmp.Compare(b.orders[i], b.orders[j])) < 0
}
func (b byTime) Swap(i, j int) {
	b.bursts[i], b.bursts[j] = b.bursts[j], b.bursts[i]
	b.orders[i], b.orders[j] = b.orders[j], b.orders[i]
}
