package flow

import (
	"math/rand/v2"
	"testing"
)

// Flows that come and go keep their values where they are, and others have none. The memory is that of the flows that
// live at a time.
func TestLiving(t *testing.T) {
	const flows, most = 100_000, 3 * livingSize
	var l Living[int]
	r := rand.New(rand.NewPCG(1, 2))
	lives := map[ID]*int{}
	begin := func(id ID) {
		p := l.Begin(id)
		if *p != 0 {
			t.Fatalf("flow %d begins with %d", id, *p)
		}
		*p, lives[id] = int(id)+1, p
	}
	end := func(id ID) {
		l.End(id)
		delete(lives, id)
	}
	oldest := ID(0)
	for id := range ID(flows) {
		begin(id)
		for r.IntN(3) == 0 || id-oldest >= most-livingSize { // in about the order of their numbers
			if _, ok := lives[oldest]; ok {
				end(oldest)
			}
			if oldest++; oldest > id {
				break
			}
		}
		if k := oldest + ID(r.IntN(livingSize)); lives[k] != nil && r.IntN(2) == 0 {
			if end(k); r.IntN(2) == 0 {
				begin(k) // again
			}
		}
		for k := max(0, id-most); k <= id; k += 1 + ID(r.IntN(20)) {
			switch p, near := lives[k], l.Near(k); {
			case p != nil && (l.At(k) != p || near != p || *p != int(k)+1):
				t.Fatalf("flow %d has %d at %p, was at %p", k, *l.At(k), l.At(k), p)
			case p == nil && near != nil && *near != 0:
				t.Fatalf("flow %d has ended, and has %d", k, *near)
			}
		}
	}
	blocks := len(l.spare)
	for _, b := range l.blocks {
		if b != nil {
			blocks++
		}
	}
	if l.Len() != flows || blocks > most/livingSize+1 {
		t.Errorf("%d blocks for %d flows, want %d at most", blocks, l.Len(), most/livingSize+1)
	}
	if n := testing.AllocsPerRun(100, func() { l.Begin(flows + livingSize); l.End(flows + livingSize) }); n > 0 {
		t.Errorf("%v allocations for a flow that comes and goes, want the memory of those before", n)
	}
}
