package packet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// The ways in which TestPaths runs an instance, so that each path is taken.
var trials = []struct {
	name string
	modes
	measure, fate bool // delays measured; each flow's fate asked for
}{
	{"stepped", modes{plain: true}, false, true},
	{"fastest", modes{}, false, true},
	{"leaping", modes{keen: true}, false, true},
	{"in saturation", modes{}, false, false},
	{"delays", modes{}, true, true},
	{"leaping with delays", modes{keen: true}, true, true},
}

// world is a random instance with its flows, made again for each simulator.
type world struct {
	room    int
	clock   clock
	perByte int64
	random  bool // service times
	flows   []SlowFlow
	seed    uint64
}

// service is what the obvious simulator takes for a packet's service time; c is the clock in force.
func (w *world) service(c *clock) func(int32) int64 {
	draw := w.draw()
	return func(size int32) int64 {
		if draw != nil {
			return draw(c.base) + w.perByte*int64(size)
		}
		return c.span() + w.perByte*int64(size)
	}
}

func (w *world) draw() func(int64) int64 {
	if !w.random {
		return nil
	}
	return exponential(rand.NewPCG(w.seed, 9))
}

func newWorld(seed uint64) (w world, r *rand.Rand) {
	r = rand.New(rand.NewPCG(seed, 8))
	w = world{seed: seed, room: 1 + r.IntN(4), random: r.IntN(4) == 0}
	if r.IntN(3) > 0 {
		w.room = 1 + r.IntN(600)
	}
	w.clock = randomClock(r)
	if r.IntN(3) == 0 {
		w.perByte = 1 + r.Int64N(1000)
	}
	n := 1 + r.IntN(6)
	if r.IntN(5) == 0 {
		n = 1 + r.IntN(90)
	}
	load := []float64{0.2, 0.7, 0.95, 0.999, 1, 1, 1.001, 1.1, 1.5, 4}[r.IntN(10)]
	// One period for all; periods with a short common one; periods that are no whole number of picoseconds.
	alike, together, odd := r.IntN(4) == 0, r.IntN(4) == 0, r.IntN(3) == 0
	mean := float64(w.clock.base+64*w.perByte) * float64(n) / load
	for range n {
		f := SlowFlow{Num: max(int64(mean), 1), Den: 1, End: int64(units.Never), Size: 64}
		switch {
		case together: // periods that have a short common one
			f.Num = max(int64(mean/12), 1) * []int64{6, 8, 12, 18, 24}[r.IntN(5)]
		case !alike && load != 1:
			f.Num = max(int64(mean*(0.1+1.8*r.Float64())), 1)
		}
		if f.First = r.Int64N(f.Num); r.IntN(10) == 0 {
			f.First += r.Int64N(200 * f.Num)
		}
		period := f.Num
		if odd && r.IntN(4) > 0 {
			f.Den = 2 + r.Int64N(1000)
			f.Num = f.Num*f.Den + r.Int64N(f.Den)
		}
		if w.perByte > 0 && r.IntN(2) == 0 {
			f.Size += r.Int32N(1400)
		}
		if r.IntN(6) == 0 {
			f.End = f.First + r.Int64N(100*period)
		}
		w.flows = append(w.flows, f)
	}
	return w, r
}

func randomClock(r *rand.Rand) clock {
	c := clock{base: 1 + r.Int64N(200_000)}
	if r.IntN(6) == 0 {
		c.base = 1 + r.Int64N(5)
	}
	if r.IntN(2) == 0 {
		c.frac = r.Uint64N(1 << fracBits)
	}
	return c
}

// engine is one whose instance 1 the world is.
func (w *world) engine(m modes, measure, fate bool) *Engine {
	e := &Engine{instances: make([]instance, 2), measure: measure}
	e.common = common{modes: m, fate: fate, stopped: func() bool { return false }}
	e.setCores(1)
	in := &e.instances[1]
	in.up = true
	for i, f := range w.flows {
		period, odd := split(traces.Spread(units.Time(f.Num), f.Den))
		e.odd = append(e.odd, odd)
		s := pace{next: f.First, stop: f.End, period: period, bytes: f.Size, size: float64(f.Size)}
		s.rate = float64(units.Second) / float64(f.Num) * float64(f.Den)
		in.rate += s.rate
		in.list.ids = append(in.list.ids, flow.ID(i))
		s.pos = int32(i)
		e.paces = append(e.paces, s)
		e.outcomes = append(e.outcomes, outcome{})
		e.flows = append(e.flows, flowState{route: ruled, rule: 1, target: 1, from: followed})
	}
	in.list.paces, in.list.loose = e.paces, true
	var b *book
	if measure {
		b = newBook(nil)
	}
	in.server = newServer(w.room, w.clock, w.perByte, w.draw(), b)
	return e
}

// checkPaths runs a world in the obvious simulator and on every path side by side. Between intervals the speed changes
// or the instance loses what it holds, and all are compared after each. It returns how the packets were simulated.
func checkPaths(t *testing.T, seed uint64) (ran [paths]uint64) {
	t.Helper()
	w, r := newWorld(seed)
	c := w.clock
	slow := &Slow{Room: w.room, Service: w.service(&c), Flows: w.flows}
	engines := make([]*Engine, len(trials))
	for k, p := range trials {
		engines[k] = w.engine(p.modes, p.measure, p.fate)
	}
	packet := w.clock.base + 64*w.perByte
	end := packet * (1000 + r.Int64N(8000))
	for now := int64(0); now < end; {
		now += 1 + r.Int64N(packet*[]int64{1, 30, 1000, 6000}[r.IntN(4)])
		slow.Advance(now)
		for k, p := range trials {
			e := engines[k]
			e.advance(1, now)
			where := fmt.Sprintf("seed %d, %s, at %d", seed, p.name, now)
			compare(t, where, e, slow, now, p.fate)
			if p.measure && (now >= end || r.IntN(8) == 0) {
				compareDelays(t, where, &e.instances[1].server, slow, now)
			}
		}
		if t.Failed() {
			return ran
		}
		switch next := randomClock(r); r.IntN(6) {
		case 0:
			next.acc = c.acc
			slow.speed(now, float64(c.ticks())/(1<<fracBits), float64(next.ticks())/(1<<fracBits), w.perByte)
			c = next
			for _, e := range engines {
				e.instances[1].speed(now, next)
			}
		case 1:
			lost := slow.flush(now)
			for k, e := range engines {
				n := 0
				e.instances[1].flush(now, func(p whose) {
					n++
					if trials[k].fate {
						e.outcomes[p.f].lost++
					}
				})
				if e.instances[1].lost += uint64(n); n != lost {
					t.Errorf("seed %d, %s, at %d: a flush lost %d, want %d", seed, trials[k].name, now, n, lost)
				}
			}
		}
	}
	for k, n := range engines[1].cores[0].sum.by {
		ran[k] += n
	}
	ran[saturated] += engines[2].cores[0].sum.by[saturated]
	ran[full] += engines[3].cores[0].sum.by[full]
	return ran
}

func compare(t *testing.T, where string, e *Engine, slow *Slow, now int64, fate bool) {
	t.Helper()
	in := &e.instances[1]
	offered, lost := uint64(0), uint64(0)
	queued := make([]uint64, len(e.flows))
	for k := range in.held(now) {
		if f := in.who[in.back(k)].f; fate {
			queued[f]++
		}
	}
	for i := range slow.Flows {
		f, s := &slow.Flows[i], &e.flows[i]
		offered, lost = offered+f.Offered, lost+f.Lost
		if s.offered != f.Offered || fate && (e.outcomes[i].lost != f.Lost || queued[i] != slow.Queued()[i]) {
			t.Errorf("%s: flow %d sent %d, lost %d, %d are queued; want %d, %d, %d", where, i, s.offered,
				e.outcomes[i].lost, queued[i], f.Offered, f.Lost, slow.Queued()[i])
		}
	}
	if in.in != offered || in.lost != lost || in.held(now) != len(slow.fifo) || max(in.idle, now) != slow.idle() {
		t.Errorf("%s: %d came, %d lost, %d are there, idle at %d; want %d, %d, %d, %d", where, in.in, in.lost,
			in.held(now), max(in.idle, now), offered, lost, len(slow.fifo), slow.idle())
	}
}

func compareDelays(t *testing.T, where string, fast *server, slow *Slow, now int64) {
	t.Helper()
	b := fast.book
	area, stays := b.close(fast, now)
	var want [2]map[int]uint64
	for kind := range want {
		want[kind] = map[int]uint64{}
	}
	times := slow.lost
	for _, p := range slow.done {
		want[wait][Bucket(units.Time(p.served-p.at))]++
		want[sojourn][Bucket(units.Time(p.left-p.at))]++
		times += p.left - p.at
	}
	for _, p := range slow.fifo {
		times += now - p.at
	}
	for kind := range want {
		got := map[int]uint64{}
		for i, c := range b.all[kind].counts {
			if c > 0 {
				got[b.all[kind].first+i] = c
			}
		}
		if !maps.Equal(got, want[kind]) {
			t.Errorf("%s: %s: %v, want %v", where, delayNames[kind], got, want[kind])
		}
	}
	if int64(area.lo) != slow.number || int64(stays.lo) != times || slow.number != times {
		t.Errorf("%s: time-integral of the number %d, times in the system %d; want %d and %d", where, area.lo, stays.lo,
			slow.number, times)
	}
}

// Every path agrees with the obvious simulator to the packet and to the picosecond: what each flow sent, lost and has
// in the ring, when the server falls idle, delays, and the integral of the number in the system.
func TestPaths(t *testing.T) {
	n := 500
	if testing.Short() {
		n = 150
	}
	var ran [paths]uint64
	for seed := range uint64(n) {
		for k, c := range checkPaths(t, seed) {
			ran[k] += c
		}
		if t.Failed() {
			return
		}
	}
	for _, k := range []path{jump, full, saturated, bounded, apart} {
		t.Logf("%d packets %s", ran[k], told[k].how)
		if ran[k] == 0 {
			t.Errorf("no packet was %s", told[k].how)
		}
	}
}

// FuzzPaths searches for a world in which a path and the obvious simulator differ.
func FuzzPaths(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { checkPaths(t, seed) })
}
