package queue

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// world is a random scenario, made again for every simulator: kind 0 has constant rates and a constant service (all
// paths), 1 constant rates and a cost by the byte, 2 anything.
type world struct {
	seed uint64
	kind uint64
}

func (w world) rand() *rand.Rand { return rand.New(rand.NewPCG(w.seed, w.kind)) }

func service(r *rand.Rand, kind uint64) Service {
	s := units.Time(1 + r.Uint64N(200000))
	if r.IntN(8) == 0 {
		s = units.Time(1 + r.Uint64N(4))
	}
	if kind == 2 {
		switch r.IntN(3) {
		case 0:
			return Exponential(s)
		case 1:
			e, err := NewEmpirical([]units.Time{s / 2, s, 3 * s}, []uint64{2, 1, 1})
			if err == nil {
				return e
			}
		}
	}
	if kind == 1 {
		return Linear{s, units.Time(r.Uint64N(3000))}
	}
	return Deterministic(s)
}

func (w world) config(r *rand.Rand) Config {
	c := Config{Buffer: 1 + r.IntN(4), Service: service(r, w.kind), Seed: w.seed}
	switch r.IntN(4) {
	case 0:
		c.Buffer = 1 + r.IntN(40)
	case 1, 2:
		c.Buffer = 1 + r.IntN(600)
	}
	return c
}

// sources draws a set whose load is near one of a few, equal to one among them.
func (w world) sources(r *rand.Rand, s, now units.Time) (out []Source) {
	n := 1 + r.IntN(4)
	switch r.IntN(4) {
	case 0:
		n = 1 + r.IntN(80)
	case 1:
		n = 4
	}
	load := []float64{0.2, 0.7, 0.95, 0.999, 1, 1, 1.001, 1.1, 1.5, 4}[r.IntN(10)]
	for i := range n {
		p := max(1, units.Time(float64(s)*float64(n)/load))
		if r.IntN(3) > 0 && load != 1 {
			p = max(1, units.Time(float64(p)*(0.1+1.8*r.Float64())))
		}
		size := units.Bytes(64)
		if w.kind > 0 && r.IntN(2) == 0 {
			size = units.Bytes(64 + r.IntN(1436))
		}
		at := now + units.Time(r.Int64N(int64(p)))
		if r.IntN(10) == 0 {
			at += units.Time(r.Int64N(int64(p) * 200))
		}
		src := Source{Arrivals: &CBR{p, at, size}}
		if w.kind == 2 {
			switch r.IntN(4) {
			case 0:
				src.Arrivals = NewPoisson(p, at, size, w.seed, uint64(i))
			case 1:
				src.Arrivals = NewOnOff(p/2+1, 20*p, 20*p, at, size, w.seed, uint64(i))
			case 2:
				var l List
				for range r.IntN(200) {
					at += units.Time(r.Int64N(2*int64(p))) - p/16
					l = append(l, Packet{at, size + units.Bytes(r.IntN(100))})
				}
				src.Arrivals = &l
			}
		}
		if r.IntN(6) == 0 {
			src.End = at + units.Time(r.Int64N(int64(p)*100))
		}
		out = append(out, src)
	}
	return out
}

// check runs a world in the slow simulator and in every path, side by side, and compares after each interval.
func (w world) check(t *testing.T) (jumped bool) {
	t.Helper()
	variants := []struct {
		want Want
		path Path
	}{{Totals, Auto}, {PerSource, Auto}, {SourceDelay, Auto}, {SourceDelay, General}, {QueueDelay, Constant}}
	cfg := w.config(w.rand())
	ref := newSlow(cfg)
	queues := make([]*Queue, len(variants))
	for i, v := range variants {
		c := cfg
		c.Want, c.Path = v.want, v.path
		q, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		queues[i] = q
	}
	shape := rand.New(rand.NewPCG(w.seed, 99))
	now, svc := units.Time(0), cfg.Service
	unit := svc.Nominal() // the rates of the sources follow it, so an interval has a few thousand packets
	const steps = 5
	for step := range steps {
		if step == 0 || shape.IntN(3) == 0 {
			seed := shape.Uint64()
			draw := func() []Source { return w.sources(rand.New(rand.NewPCG(seed, 5)), svc.Nominal(), now) }
			for _, s := range draw() {
				ref.add(s)
			}
			for _, q := range queues {
				for _, s := range draw() {
					if _, err := q.Add(s); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		span := unit * units.Time(shape.Int64N(2000))
		if shape.IntN(4) == 0 {
			span = units.Time(shape.Int64N(int64(unit) * 5))
		}
		now += span
		ref.advance(int64(now))
		for i, q := range queues {
			r, err := q.Advance(now)
			if err != nil {
				t.Fatal(err)
			}
			jumped = jumped || r.Steps[Jump] > 0
			v := variants[i]
			fail := func(what string, got, want any) {
				t.Errorf("%+v step %d %v to %v, want %v path %v (ran %v, %s), buffer %d service %v, %d sources: %s is %v, slow says %v",
					w, step, now-span, now, v.want, v.path, r.Path, r.Why, cfg.Buffer, svc, len(ref.sources), what, got, want)
			}
			if q.Total() != ref.total() {
				fail("total", q.Total(), ref.total())
			}
			if q.InSystem() != len(ref.fifo) {
				fail("in system", q.InSystem(), len(ref.fifo))
			}
			idle := ref.now + ref.ahead()
			if int64(q.Idle()) != idle {
				fail("idle", q.Idle(), idle)
			}
			hi, lo, ok := q.WaitSum()
			sum := new(big.Int).SetUint64(hi)
			sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(lo))
			if ok && sum.Cmp(ref.foreseenWaits()) != 0 {
				fail("sum of waits", sum, ref.foreseenWaits())
			}
			if v.want >= PerSource {
				queued := make([]uint64, len(ref.sources))
				if !ok || !q.Queued(queued) {
					fail("knows queued", false, true)
				}
				for _, j := range ref.fifo {
					queued[j.source]--
				}
				for i := range ref.sources {
					if q.Source(i) != ref.counts[i] {
						fail("source", q.Source(i), ref.counts[i])
					}
					if queued[i] != 0 {
						fail("queued", queued[i], 0)
					}
					// Counts only grow: what was wrong once is wrong in the end.
					if v.want == SourceDelay && step == steps-1 {
						if h := (*Histogram)(q.delays[i][:Buckets]); *h != *ref.waiting[i] {
							fail("histogram", h.Count(), ref.waiting[i].Count())
						}
					}
				}
			}
			if t.Failed() {
				return
			}
		}
		if shape.IntN(2) == 0 {
			seed := shape.Uint64()
			draw := func() Service { return service(rand.New(rand.NewPCG(seed, 6)), w.kind) }
			svc = draw()
			unit = min(unit, svc.Nominal())
			ref.setService(svc)
			for _, q := range queues {
				if err := q.SetService(draw()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return jumped
}

// TestPaths: on random scenarios every path agrees with the slow simulator to the packet: totals, counts by source,
// packets in the system and whose they are, when the server falls idle, sum of waits, and histograms.
func TestPaths(t *testing.T) {
	n, jumps := 500, 0
	if testing.Short() {
		n = 200
	}
	for seed := range uint64(n) {
		for kind := range uint64(3) {
			if (world{seed, kind}).check(t) {
				jumps++
			}
			if t.Failed() {
				return
			}
		}
	}
	if jumps < n/10 {
		t.Errorf("only %d of %d scenarios jumped", jumps, n)
	}
	t.Log(jumps, "of", n, "constant scenarios jumped")
}

// FuzzPaths searches for a scenario in which a path and the slow simulator differ.
func FuzzPaths(f *testing.F) {
	f.Add(uint64(1), uint64(0))
	f.Add(uint64(2), uint64(1))
	f.Add(uint64(3), uint64(2))
	f.Fuzz(func(t *testing.T, seed, kind uint64) { world{seed, kind % 3}.check(t) })
}
