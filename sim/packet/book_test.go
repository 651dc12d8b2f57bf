package packet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim/packet/queue"
	"github.com/smartinco/smartinco/units"
)

// slowServer is the obvious server that the book of delays is held to: it keeps the packets in the system, each with the
// work that it still needs, and goes from one departure to the next.
type slowServer struct {
	room   int
	now    int64
	fifo   []slowPacket // the first is in service
	done   []slowPacket
	lost   int64 // time in the system of packets that were lost there
	number int64 // time-integral of the number in the system
}

type slowPacket struct {
	parcel
	needs, served int64 // served is when its service began
	left          int64
}

func (s *slowServer) until(t int64) {
	for len(s.fifo) > 0 && s.now+s.fifo[0].needs <= t {
		p := s.fifo[0]
		s.work(s.now + p.needs)
		p.left = s.now
		s.done = append(s.done, p)
		if s.fifo = s.fifo[1:]; len(s.fifo) > 0 {
			s.fifo[0].served = s.now
		}
	}
	s.work(t)
}

// work goes on to t, with no departure in between.
func (s *slowServer) work(t int64) {
	s.number += int64(len(s.fifo)) * (t - s.now)
	if len(s.fifo) > 0 {
		s.fifo[0].needs -= t - s.now
	}
	s.now = t
}

func (s *slowServer) take(x parcel, service func() int64) {
	s.until(x.at)
	if len(s.fifo) < s.room {
		s.fifo = append(s.fifo, slowPacket{parcel: x, needs: service()})
		if len(s.fifo) == 1 {
			s.fifo[0].served = x.at
		}
	}
}

func (s *slowServer) speed(now, from, to int64) {
	s.until(now)
	for i := range s.fifo {
		s.fifo[i].needs = (s.fifo[i].needs*to + from - 1) / from
	}
}

func (s *slowServer) flush(now int64) {
	s.until(now)
	for _, p := range s.fifo {
		s.lost += now - p.at
	}
	s.fifo = nil
}

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
	slow, slowTime := &slowServer{room: room}, service()
	fastTime := service()
	fast := server{ring: make([]slot, room), clock: clock{base: mean}, draw: func(int64) int64 { return fastTime() },
		book: newBook(room, 0, make([]delays, flows))}
	now := int64(0)
	load := 1 + r.Int64N(3)
	for range r.IntN(300) {
		now += r.Int64N(4*mean/load + 1)
		switch r.IntN(40) {
		case 0:
			from, to := fast.base, 1+r.Int64N(2000)
			fast.speed(now, clock{base: to})
			slow.speed(now, from, to)
		case 1:
			fast.flush(now, func(*slot) {})
			slow.flush(now)
		default:
			x := parcel{at: now, sent: now - r.Int64N(2)*r.Int64N(100), f: flow.ID(r.IntN(flows)), size: 64}
			fast.take(x)
			slow.take(x, slowTime)
		}
	}
	now += r.Int64N(20 * mean)
	slow.until(now)
	b := fast.book
	b.depart(fast.ring, now)

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
	stays := slow.lost
	for _, p := range slow.done {
		stays += p.left - p.at
	}
	for _, p := range slow.fifo {
		stays += now - p.at
	}
	all := b.all.settle()
	sum := all[sojourn].sum
	sum.addWide(b.cut)
	sum.addWide(b.unfinished(now))
	for _, v := range []struct {
		what      string
		got, want int64
	}{
		{"time-integral of the number", int64(b.area.lo), slow.number},
		{"Little's law", slow.number, stays},
		{"times in the system", int64(sum.lo), stays},
		{"packets in the system", int64(b.n), int64(len(slow.fifo))},
		{"held", int64(fast.held(now)), int64(len(slow.fifo))},
	} {
		if v.got != v.want {
			t.Errorf("seed %d: %s: got %d, want %d", seed, v.what, v.got, v.want)
		}
	}
}

func same(t *testing.T, seed uint64, got *spans, want []int64) {
	t.Helper()
	var h, g queue.Histogram
	sum := int64(0)
	for _, v := range want {
		h[queue.Bucket(units.Time(v))]++
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
		t.Errorf("seed %d: %d spans, sum %d, longest %d; want %d, %d, %d, and the same buckets", seed, got.n(), got.sum.lo, got.longest, len(want), sum, longest)
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

// Sums of picoseconds beyond 64 bits keep every digit, and so does a mean what a float64 can hold.
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
