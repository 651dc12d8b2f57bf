package sim

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// The queue gives events in order of time, then class, then insertion, as a stable sort does.
func TestQueueOrder(t *testing.T) {
	type entry struct {
		e Event
		c Class
	}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(1, seed))
		var q Queue
		var waiting []entry
		n := int32(0)
		for range 400 {
			if r.IntN(3) > 0 || len(waiting) == 0 {
				e, c := Event{At: units.Time(r.IntN(20)), A: n}, Class(r.IntN(4))
				n++
				q.Push(c, e)
				waiting = append(waiting, entry{e, c})
				continue
			}
			slices.SortStableFunc(waiting, func(a, b entry) int {
				if a.e.At != b.e.At {
					return int(a.e.At - b.e.At)
				}
				return int(a.c) - int(b.c)
			})
			got, ok := q.Pop()
			if want := waiting[0].e; !ok || got.A != want.A || got.At != want.At {
				t.Fatalf("seed %d: got event %d at %v, want %d at %v", seed, got.A, got.At, want.A, want.At)
			}
			waiting = waiting[1:]
		}
	}
	var q Queue
	if _, ok := q.Pop(); ok {
		t.Error("an empty queue gave an event")
	}
}

// Whatever is added and taken, no event is before its parent. An event rarely ends up below the wrong parent, and more
// rarely still does it then come late.
func TestQueueStaysAHeap(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(9, seed))
		var q Queue
		now := units.Time(0)
		for range 10 + r.IntN(3000) {
			q.Push(ClassTraffic, Event{At: units.Time(r.IntN(1_000_000))})
		}
		for range 1000 {
			for range r.IntN(3) {
				q.Push(Class(r.IntN(4)), Event{At: now + units.Time(r.IntN(1<<r.IntN(20)))})
			}
			e, ok := q.Pop()
			if !ok {
				break
			}
			now = e.At
			for i := top + 1; i < q.n+top; i++ {
				if parent := i/4 + 2; less(q.at(i), q.at(parent)) {
					t.Fatalf("seed %d: event %d of %d is before its parent", seed, i-top, q.n)
				}
			}
		}
	}
}
