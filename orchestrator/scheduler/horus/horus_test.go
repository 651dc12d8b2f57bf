package horus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	for _, row := range Policies {
		if row.Name == leafRow.Name {
			policytest.Run(t, row, options{RNG: "asic"}, options{RNG: "uniform", Reset: true})
		} else {
			policytest.Run(t, row, spineOptions{RNG: "asic"}, spineOptions{RNG: "uniform", Update: "delayed"})
		}
	}
}

func BenchmarkPick(b *testing.B) {
	policytest.Bench(b, leafRow, options{RNG: "uniform"})
	policytest.Bench(b, leafRow, options{RNG: "asic"})
	policytest.Bench(b, spineRow, spineOptions{RNG: "uniform", Idle: 4, Update: "immediate"})
}

// rack is a leaf with instances that take work.
type rack struct {
	*leaf
	v policy.View
	n flow.ID // requests so far
}

func newRack(t *testing.T, o options, ids ...flow.Instance) *rack {
	r := &rack{leaf: policytest.New(t, &leafRow, o, 1).(*leaf)}
	for _, id := range ids {
		r.join(id, 0)
	}
	return r
}

func (r *rack) join(id flow.Instance, requests int32) {
	slot, _ := r.v.Row(id)
	r.v.IDs, r.v.Flows = slices.Insert(r.v.IDs, slot, id), slices.Insert(r.v.Flows, slot, requests)
	r.v.Queue = slices.Insert(r.v.Queue, slot, 0)
	r.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, &r.v)
}

func (r *rack) leave(id flow.Instance) {
	slot, _ := r.v.Row(id)
	r.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &r.v)
	r.v.IDs, r.v.Flows = slices.Delete(r.v.IDs, slot, slot+1), slices.Delete(r.v.Flows, slot, slot+1)
	r.v.Queue = slices.Delete(r.v.Queue, slot, slot+1)
}

// ask places a request.
func (r *rack) ask() (w *policy.Work, a policy.Answer) {
	w = &policy.Work{Flow: r.n}
	r.n++
	a = r.Pick(w, &r.v, nil)
	w.At = r.v.IDs[a.Slot]
	r.v.Flows[a.Slot]++
	r.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, &r.v)
	return w, a
}

// reply brings the reply of a request, with what the instance has left.
func (r *rack) reply(w *policy.Work, left int32) {
	slot, ok := r.v.Row(w.At)
	if !ok {
		slot = -1
	} else {
		r.v.Flows[slot]--
	}
	r.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w, Queue: left}, &r.v)
}

// Lengths and pairs that are given, and no replies. The cases are derived from the released program.
func TestVectors(t *testing.T) {
	type in struct {
		Lengths []int32 `yaml:"Q"`
		Pairs   [][2]int
	}
	type out struct {
		Picks         []int
		Drifts        int `yaml:"drift_writes"`
		Resubmissions int
		Lengths       []int32 `yaml:"Q"`
		Drift         []int32
	}
	for _, c := range policytest.Vectors(t, "horus", "leaf, no idle worker, given samples") {
		given, want := policytest.Decode[in](t, &c.In), policytest.Decode[out](t, &c.Out)
		l := newRack(t, options{}, 1, 2).leaf
		for i, q := range given.Lengths {
			l.workers[i].length = q
		}
		var picks []int
		passes := 0
		for _, pair := range given.Pairs {
			a := l.choose(pair[0], pair[1], nil)
			picks = append(picks, a.Slot)
			passes += int(a.Passes)
		}
		var q, drift []int32
		for _, w := range l.workers {
			q, drift = append(q, w.length), append(drift, w.drift)
		}
		if !slices.Equal(picks, want.Picks) || int(l.counts[drifts]) != want.Drifts || passes != want.Resubmissions ||
			!slices.Equal(q, want.Lengths) || !slices.Equal(drift, want.Drift) {
			t.Errorf("%s: picks %v, %d drifts written, %d second passes, lengths %v, drifts %v: want %+v", c.ID, picks,
				l.counts[drifts], passes, q, drift, want)
		}
	}
}

// registers is the leaf's second half as the released program does it: two copies of each register array, of which a
// packet reads or writes one cell once in a pass.
type registers struct{ length, length2, drift, drift2 []int }

// task is a packet with two samples. It says where the packet goes, and whether that took a second pass.
func (r *registers) task(x, y int) (dst int, again bool) {
	lx, ly := r.length[x], r.length2[y]
	low, high := min(lx, ly), max(lx, ly)
	dst, other := y, x
	if low == lx {
		dst, other = x, y
	}
	if x == y {
		r.drift[dst]++
		r.drift2[dst]++
		return dst, false
	}
	if r.drift[dst] <= high-low {
		r.drift[dst]++
		r.drift2[dst]++
		return dst, false
	}
	of, ofOther := r.drift[dst]+low, r.drift2[other]+high
	if min(of, ofOther) != of {
		dst = other
	}
	r.length[dst]++
	r.length2[dst]++
	return dst, true
}

// The leaf does what the program's registers do, whatever is drawn and reported.
func TestLeafAgreesWithTheRegisters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		n := 2 + rnd.IntN(6)
		r := newRack(t, options{})
		reg := &registers{make([]int, n), make([]int, n), make([]int, n), make([]int, n)}
		for id := range n {
			r.join(flow.Instance(id+1), 1) // none is idle
			r.workers[id].length = 0
		}
		for range 100 {
			if rnd.IntN(3) == 0 {
				slot, left := rnd.IntN(n), rnd.IntN(9)
				e := &policy.Event{Kind: policy.Ended, Slot: slot, Work: &policy.Work{}, Queue: int32(left + 1)}
				r.Observe(e, &r.v)
				reg.length[slot], reg.length2[slot], reg.drift[slot], reg.drift2[slot] = left+1, left+1, 0, 0
				continue
			}
			x, y := rnd.IntN(n), rnd.IntN(n)
			a := r.choose(x, y, nil)
			if dst, again := reg.task(x, y); a.Slot != dst || a.Passes == 1 != again {
				t.Fatalf("samples %d and %d of %+v: %+v, and the registers say %d, %v", x, y, r.workers, a, dst, again)
			}
		}
	}
}

// While instances are known to be idle, none is drawn and no packet passes twice: the last one that became idle first.
func TestIdleFirst(t *testing.T) {
	r := newRack(t, options{}, 1, 2, 3, 4)
	var at []flow.Instance
	var first *policy.Work
	for range 4 {
		w, a := r.ask()
		if a.Why != idle || a.Passes != 0 {
			t.Errorf("answer %+v with idle instances", a)
		}
		if first == nil {
			first = w
		}
		at = append(at, w.At)
	}
	if want := []flow.Instance{4, 3, 2, 1}; !slices.Equal(at, want) {
		t.Errorf("to %v, want %v", at, want)
	}
	if a := r.Pick(&policy.Work{Flow: 99}, &r.v, nil); a.Why == idle {
		t.Errorf("answer %+v with none idle", a)
	}
	r.reply(first, 0)
	if w, a := r.ask(); a.Why != idle || w.At != 4 {
		t.Errorf("answer %+v after 4 has become idle", a)
	}
}

// An instance says that it is idle once, after a request that it got for being so. So a reply that overtakes such a
// request does not list it a second time.
func TestListedOnce(t *testing.T) {
	r := newRack(t, options{}, 1)
	a, _ := r.ask()      // takes it off the list
	b, _ := r.ask()      // drawn
	r.reply(a, 0)        // b is under way to it: it thinks that it is idle
	c, answer := r.ask() // for being idle, and under way too
	if answer.Why != idle {
		t.Fatalf("answer %+v, want the idle one", answer)
	}
	r.reply(b, 0) // from before c arrived there
	if _, answer := r.ask(); answer.Why == idle {
		t.Errorf("answer %+v: want that it is not listed while the request that took it off is under way", answer)
	}
	r.reply(c, 0)
	if _, answer := r.ask(); answer.Why != idle {
		t.Errorf("answer %+v: want that it is listed again", answer)
	}
	if len(r.idle) != 0 {
		t.Errorf("%v are listed", r.idle)
	}
}

// With one instance there is nothing to draw, and no second pass.
func TestOneInstance(t *testing.T) {
	r := newRack(t, options{}, 7)
	before := *policytest.New(t, &leafRow, options{}, 1).(*leaf).rand
	r.ask()
	for range 5 {
		if w, a := r.ask(); w.At != 7 || a.Why != only || a.Passes != 0 {
			t.Errorf("answer %+v", a)
		}
	}
	if got, want := r.rand.Uint64(), before.Uint64(); got != want {
		t.Error("a random number was drawn")
	}
}

// An instance that joins idle is listed; one that comes back with requests is not, until it has said so. One that
// leaves is listed no more.
func TestComingAndGoing(t *testing.T) {
	r := newRack(t, options{}, 1, 2)
	r.join(3, 2)
	if want := []flow.Instance{1, 2}; !slices.Equal(r.idle, want) {
		t.Errorf("idle are %v, want %v", r.idle, want)
	}
	r.reply(&policy.Work{Flow: 50, At: 3}, 1)
	r.reply(&policy.Work{Flow: 51, At: 3}, 0)
	r.join(4, 0)
	r.leave(1)
	if want := []flow.Instance{2, 3, 4}; !slices.Equal(r.idle, want) {
		t.Errorf("idle are %v, want %v", r.idle, want)
	}
	r.reply(&policy.Work{Flow: 52, At: 1}, 0) // of one that has left
	if want := []flow.Instance{2, 3, 4}; !slices.Equal(r.idle, want) {
		t.Errorf("idle are %v, want %v", r.idle, want)
	}
}

// A reply replaces the length and forgets the drift; with reset, so does a second pass.
func TestDriftEnds(t *testing.T) {
	for _, reset := range []bool{false, true} {
		r := newRack(t, options{Reset: reset}, 1, 2)
		r.workers[0], r.workers[1] = worker{length: 5}, worker{length: 3, drift: 3}
		if a := r.choose(0, 1, nil); a.Slot != 0 || a.Passes != 1 { // 5 against 6
			t.Fatalf("answer %+v", a)
		}
		r.workers[1].drift = 9
		r.workers[0] = worker{length: 20}
		a := r.choose(0, 1, nil) // trusted: 9 is not above 17
		r.workers[1].drift = 18
		r.workers[0].length, r.workers[0].drift = 20, 8
		b := r.choose(0, 1, nil) // 28 against 21
		want := worker{length: 4, drift: 18}
		if reset {
			want = worker{length: 22}
		}
		if a.Passes != 0 || b.Passes != 1 || b.Slot != 1 || r.workers[1] != want {
			t.Errorf("reset %v: answers %+v and %+v, then %+v, want %+v", reset, a, b, r.workers[1], want)
		}
		r.v.Flows[1] = 1
		r.reply(&policy.Work{At: 2, Flow: 9}, 7)
		if w := r.workers[1]; w.length != 7 || w.drift != 0 {
			t.Errorf("after a reply with 7: %+v", w)
		}
	}
}

// The first of each pair is any row, with the same chance. That is so with asic too where the rows are no power of two:
// the second try and the turns prefer none.
func TestDraws(t *testing.T) {
	const draws = 60000
	for _, c := range []struct {
		rng string
		n   int
	}{
		{"uniform", 2}, {"uniform", 5}, {"uniform", 16},
		{"asic", 2}, {"asic", 4}, {"asic", 16}, {"asic", 5}, {"asic", 24},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			r := newRack(t, options{RNG: c.rng})
			for id := range c.n {
				r.join(flow.Instance(id+1), 1)
			}
			first := make([]float64, c.n)
			for range draws {
				x, y := r.draw()
				if x == y || x < 0 || y < 0 || x >= c.n || y >= c.n {
					t.Fatalf("drew %d and %d of %d", x, y, c.n)
				}
				first[x]++
			}
			for row, got := range first {
				want := float64(draws) / float64(c.n)
				if math.Abs(got-want) > 5*math.Sqrt(want) {
					t.Errorf("row %d was the first of %v pairs, want about %v", row, got, want)
				}
			}
		})
	}
}

// A spine would be told the load once for as many replies as there are instances.
func TestLoadSignals(t *testing.T) {
	r := newRack(t, options{}, 1, 2, 3)
	for range 10 {
		w, _ := r.ask()
		r.reply(w, 0)
	}
	if got := r.counts[signals]; got != 3 {
		t.Errorf("%d load signals with 10 replies of 3 instances, want 3", got)
	}
}
