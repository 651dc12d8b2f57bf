package packet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// check plays a random life of a server - packets, changes of its speed, its death - on both.
func check(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	const flows = 3
	room, mean := 1+r.IntN(40), int64(2+r.IntN(1000))
	service := func() func() int64 {
		r := rand.New(rand.NewPCG(seed, 6))
		return func() int64 { return r.Int64N(2 * mean) }
	}
	slowTime, fastTime := service(), service()
	slow := &Slow{Room: room, Service: func(int32) int64 { return slowTime() }}
	fast := newServer(room, clock{base: mean}, 0, func(int64) int64 { return fastTime() },
		newBook(make([]delays, flows)))
	now := int64(0)
	load := 1 + r.Int64N(3)
	for range r.IntN(1500) {
		now += r.Int64N(4*mean/load + 1)
		switch r.IntN(100) {
		case 0:
			from, to := fast.base, 1+r.Int64N(2000)
			fast.speed(now, clock{base: to})
			slow.speed(now, float64(from), float64(to), 0)
		case 1:
			fast.flush(now, func(whose) {})
			slow.flush(now)
		default:
			x := parcel{at: now, sent: now - r.Int64N(2)*r.Int64N(100), f: flow.ID(r.IntN(flows)), size: 64}
			if a, b := fast.take(x), slow.take(x); a != b {
				t.Fatalf("seed %d: at %d: accepted %v, want %v", seed, now, a, b)
			}
		}
	}
	now += r.Int64N(20 * mean)
	slow.until(now)
	b := fast.book
	area, stays := b.close(&fast, now)

	var want [1 + flows][delayKinds][]int64 // of all, then of each flow
	for _, p := range slow.done {
		for _, of := range []int{0, 1 + int(p.f)} {
			for kind, v := range []int64{p.served - p.at, p.left - p.at, p.left - p.sent} {
				want[of][kind] = append(want[of][kind], v)
			}
		}
	}
	for of, d := range append([]delays{b.all}, b.flows...) {
		d := d.settle()
		for kind := range delayKinds {
			same(t, seed, &d[kind], want[of][kind])
		}
	}
	times := slow.lost
	for _, p := range slow.done {
		times += p.left - p.at
	}
	for _, p := range slow.fifo {
		times += now - p.at
	}
	for _, v := range []struct {
		what      string
		got, want int64
	}{
		{"time-integral of the number", int64(area.lo), slow.number},
		{"Little's law", slow.number, times},
		{"times in the system", int64(stays.lo), times},
		{"packets in the system", int64(fast.n - b.next), int64(len(slow.fifo))},
		{"held", int64(fast.held(now)), int64(len(slow.fifo))},
	} {
		if v.got != v.want {
			t.Errorf("seed %d: %s: got %d, want %d", seed, v.what, v.got, v.want)
		}
	}
}

func same(t *testing.T, seed uint64, got *spans, want []int64) {
	t.Helper()
	var h, g [buckets]uint64
	sum := int64(0)
	for _, v := range want {
		h[Bucket(units.Time(v))]++
		sum += v
	}
	for i, c := range got.counts {
		g[got.first+i] = c
	}
	slices.SortFunc(want, cmp.Compare[int64])
	longest := int64(0)
	if len(want) > 0 {
		longest = want[len(want)-1]
	}
	if g != h || got.n() != uint64(len(want)) || int64(got.sum.lo) != sum || got.longest != longest {
		t.Errorf("seed %d: %d spans, sum %d, longest %d; want %d, %d, %d, and the same buckets", seed, got.n(),
			got.sum.lo, got.longest, len(want), sum, longest)
	}
}

// The delays of every packet and the integral of their number are those of the obvious server, whatever happens to it.
func TestBook(t *testing.T) {
	for seed := range uint64(1000) {
		if check(t, seed); t.Failed() {
			return
		}
	}
}

// FuzzBook searches for a life in which they differ.
func FuzzBook(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { check(t, seed) })
}

// Sums of picoseconds beyond 64 bits keep every digit, and means keep what a float64 can hold.
func TestWide(t *testing.T) {
	var w wide
	for range 5 {
		w.addProduct(1<<40, 1<<40)
	}
	w.add(1<<64 - 1)
	w.add(1)
	if w != (wide{5<<16 + 1, 0}) {
		t.Errorf("got %+v", w)
	}
	for _, c := range []struct {
		w    wide
		n    uint64
		want float64
	}{{wide{0, 10}, 4, 2.5}, {wide{1, 0}, 1 << 63, 2}, {wide{1 << 16, 0}, 1, 0x1p80}, {wide{0, 1}, 3, 1.0 / 3}} {
		if got := c.w.over(c.n); got != c.want {
			t.Errorf("%+v over %d: %g, want %g", c.w, c.n, got, c.want)
		}
	}
}

// A sum of spans lies between those of the lower and of the upper ends of their buckets, and 300 ps are in that of 300
// and 301 ps.
func TestASumFitsItsBuckets(t *testing.T) {
	for sum := range uint64(1000) {
		var s spans
		for _, v := range []int64{0, 7, 300, 300} {
			s.add(v)
		}
		s.sum = wide{lo: sum}
		if want := sum >= 607 && sum <= 609; s.possible() != want {
			t.Errorf("0, 7 and twice 300 or 301 ps add up to %d: %v, want %v", sum, s.possible(), want)
		}
		if s.sum.hi = 1; s.possible() {
			t.Errorf("2^64+%d: possible", sum)
		}
	}
}

// Waits whose sum cannot be are noticed, though Little's law is of sojourns.
func TestAWrongSumIsNoticed(t *testing.T) {
	w, _ := newWorld(1)
	e := w.engine(modes{}, true, true)
	e.advance(1, int64(units.Millisecond))
	for _, holds := range []bool{true, false} {
		l := e.Delays(units.Millisecond, results.NewMemory())
		if l.Holds != holds || !holds && l.Where != "instance 1" {
			t.Errorf("%+v, want %v", l, holds)
		}
		e.instances[1].book.all[wait].sum.add(uint64(units.Millisecond))
	}
}
