package packet

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// One loop that merges and serves up to four lanes comes out like merging them by the tree and serving what it gives,
// with the log and without: servers, clocks, books and what each lane has lost.
func TestFour(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(33, seed))
		room, perByte, booked := 1+r.IntN(40), r.Int64N(2)*r.Int64N(5), r.IntN(2) == 0
		clk := newClock(1e12 / (100 + 900*r.Float64()))
		if r.IntN(2) == 0 {
			clk.frac = 0
		}
		var lanes []lane
		for f := range 1 + r.IntN(4) {
			size := int32(64)
			if r.IntN(2) == 0 {
				size += r.Int32N(100)
			}
			lanes = append(lanes, lane{whose: whose{flow.ID(f), size}, next: 5000 + r.Int64N(1000),
				period: 1 + r.Int64N(1<<(5+r.IntN(10))), svc: clk.base + int64(size)*perByte})
		}
		run := func(serve func(*server, *merger, int64)) string {
			m := merger{base: 5000, lanes: append([]lane(nil), lanes...)}
			var b *book
			if booked {
				b = newBook(nil)
			}
			s := newServer(room, clk, perByte, nil, b)
			m.play()
			for h := int64(5000); h < 300_000; h += 1 + (h*7919)%50_000 {
				for m.next() < h {
					serve(&s, &m, h)
				}
			}
			if perByte == 0 {
				s.relog(s.clock)
			}
			text := fmt.Sprint(s.n, s.idle, s.work, s.acc, m.next())
			for k := range min(room, int(s.n)-room) {
				text += fmt.Sprint(" ", s.dep[s.back(k)])
			}
			for k := range m.lanes {
				text += fmt.Sprint(" ", m.lanes[k].lost)
			}
			if booked {
				text += fmt.Sprint(b.next, b.left, b.came, b.went, b.all)
			}
			return text
		}
		want := run(func(s *server, m *merger, h int64) {
			keys := m.keys[:m.fillAny(m.keys[:], m.end(h))]
			if perByte > 0 {
				s.ring(m, keys, true)
			} else {
				s.lindley(m, keys)
			}
		})
		got := run(func(s *server, m *merger, h int64) {
			if !m.four() {
				t.Fatalf("seed %d: not four", seed)
			}
			if perByte > 0 {
				s.ringOfFour(m, h)
			} else {
				s.lindleyOfFour(m, h)
			}
		})
		if got != want {
			t.Fatalf("seed %d: room %d, per byte %d, lanes %+v\ngot  %.300s\nwant %.300s", seed, room, perByte, lanes,
				got, want)
		}
	}
}
