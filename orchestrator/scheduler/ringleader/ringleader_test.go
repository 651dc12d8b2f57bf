package ringleader

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func with(edit func(*options)) options {
	o := policytest.Options(&row).(options)
	edit(&o)
	return o
}

func TestContract(t *testing.T) {
	policytest.Run(t, row,
		with(func(o *options) { o.Bound, o.Pree = 5, 0 }),
		with(func(o *options) { o.Choose, o.Bound = "rss", 15 }),
		with(func(o *options) { o.Tenants, o.Bound = []tenant{{"a", []int{1, 2, 5}}, {"b", []int{2, 90}}}, 6 }))
}

func BenchmarkPick(b *testing.B) { policytest.Bench(b, row, policytest.Options(&row)) }

// card is a NIC with cores.
type card struct {
	*nic
	v policy.View
	n flow.ID // requests so far
}

func newCard(t *testing.T, o options, cores int) *card {
	c := &card{nic: policytest.New(t, &row, o, 1).(*nic)}
	for id := range cores {
		c.join(flow.Instance(id + 1))
	}
	return c
}

func (c *card) join(id flow.Instance) {
	slot, _ := c.v.Row(id)
	c.v.IDs, c.v.Flows = slices.Insert(c.v.IDs, slot, id), slices.Insert(c.v.Flows, slot, 0)
	c.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, &c.v)
}

func (c *card) leave(id flow.Instance) {
	slot, _ := c.v.Row(id)
	c.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &c.v)
	c.v.IDs, c.v.Flows = slices.Delete(c.v.IDs, slot, slot+1), slices.Delete(c.v.Flows, slot, slot+1)
}

// put has a core serve a request, whatever the policy would say.
func (c *card) put(w *policy.Work, at flow.Instance) *policy.Work {
	w.Flow, w.At = c.n, at
	c.n++
	slot, _ := c.v.Row(at)
	c.Observe(&policy.Event{Kind: policy.Placed, Slot: slot, Work: w}, &c.v)
	return w
}

// ask is what becomes of a request; one that is placed is carried out.
func (c *card) ask(w *policy.Work) policy.Answer {
	a := c.Pick(w, &c.v, nil)
	if a.Verdict == policy.Place {
		c.put(w, c.v.IDs[a.Slot])
	}
	return a
}

func (c *card) end(w *policy.Work) {
	slot, ok := c.v.Row(w.At)
	if !ok {
		slot = -1
	}
	c.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w}, &c.v)
}

// A core with one urgent request and three others has rank 8 for an urgent one and 20 for another, which is the bound;
// divided by 5 these are 1.6 and 4, as equation 2.2 has them with λ = 0.2. The vector is that of the executable
// specification of the policies.
func TestEquation(t *testing.T) {
	c := newCard(t, with(func(*options) {}), 1)
	for _, priority := range []uint8{1, 0, 0, 0} {
		c.put(&policy.Work{Priority: priority}, 1)
	}
	if got := c.ranks[1]; got[1] != 8 || got[0] != 20 {
		t.Fatalf("ranks %v, want 8 for priority 1 and 20 for 0", got)
	}
	if a := c.ask(&policy.Work{Priority: 0}); a != (policy.Answer{Verdict: policy.Hold, Why: bounded}) {
		t.Errorf("an ordinary request: %+v, want that it waits", a)
	}
	if a := c.ask(&policy.Work{Priority: 1}); a.Verdict != policy.Place {
		t.Errorf("an urgent request: %+v, want that it is placed", a)
	}
}

// What the released hardware description did when it was simulated: whether a core is below the bound, which rank its
// core has, and that no other of the application's cores has less. Which of equal ones is taken is drawn, there and
// here.
func TestAgreesWithTheHardware(t *testing.T) {
	text, err := os.ReadFile("testdata/find_min.txt")
	if err != nil {
		t.Fatal(err)
	}
	o := with(func(o *options) {
		o.Tenants = []tenant{{"0", []int{1, 2, 3, 4}}, {"2", []int{3, 4, 5, 6, 7, 8}}}
	})
	c := newCard(t, o, 8)
	under := map[[2]int][]*policy.Work{} // by application and core
	lines := 0
	for line := range strings.Lines(string(text)) {
		var what string
		var app, core, rank int
		if n, _ := fmt.Sscan(line, &what, &app, &core, &rank); n < 2 || what == "#" {
			continue
		}
		lines++
		w := &policy.Work{Priority: uint8(app), Tenant: fmt.Sprint(app)}
		at := [2]int{app, core}
		switch what {
		case "done":
			c.end(under[at][0])
			under[at] = under[at][1:]
			continue
		case "wait":
			if a := c.Pick(w, &c.v, nil); a.Verdict != policy.Hold {
				t.Fatalf("line %d: %+v, want that a request of %d waits", lines, a, app)
			}
			continue
		}
		var log policy.Weighed
		a := c.Pick(w, &c.v, &log)
		if a.Verdict != policy.Place || c.ranks[c.v.IDs[a.Slot]][app] != int32(rank) {
			t.Fatalf("line %d: %+v with %+v, want a rank of %d", lines, a, log.Ratings, rank)
		}
		theirs := slices.IndexFunc(log.Ratings, func(r policy.Rating) bool { return r.Slot == core })
		if theirs < 0 || log.Ratings[theirs].Score != float64(rank) || !log.Ratings[theirs].Fits {
			t.Fatalf("line %d: core %d of %+v: want rank %d", lines, core, log.Ratings, rank)
		}
		under[at] = append(under[at], c.put(w, flow.Instance(core+1)))
	}
	if lines < 1000 {
		t.Errorf("only %d lines were read", lines)
	}
}

// The ranks are sums over what the cores have, whatever comes and goes; the lowest rank of the priority is taken, below
// the bound, and nothing else is.
func TestRanksAreSums(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 5))
	o := with(func(o *options) { o.Base, o.Pree, o.Bound = 7, 2, 40 })
	c := newCard(t, o, 4)
	next := flow.Instance(5)
	var all []*policy.Work
	rank := func(id flow.Instance, p int) (sum int32) {
		for _, w := range all {
			switch {
			case w.At != id:
			case int(min(w.Priority, 3)) >= p:
				sum += 7
			default:
				sum += 2
			}
		}
		return sum
	}
	for step := range 3000 {
		switch k := rnd.IntN(40); {
		case k == 0 && len(c.v.IDs) < 6:
			c.join(next)
			next++
		case k == 1 && len(c.v.IDs) > 1:
			c.leave(c.v.IDs[rnd.IntN(len(c.v.IDs))])
		case k == 2 && c.v.IDs[0] > 1: // one that drains is taken back, with what it has
			c.join(c.v.IDs[0] - 1)
		case k < 22 && len(all) > 0:
			i := rnd.IntN(len(all))
			c.end(all[i])
			all = slices.Delete(all, i, i+1)
		default:
			w := &policy.Work{Priority: uint8(rnd.IntN(6))}
			lowest := int32(1 << 30)
			for _, id := range c.v.IDs {
				lowest = min(lowest, rank(id, of(w)))
			}
			a := c.ask(w)
			if hold := lowest >= 40; hold != (a.Verdict == policy.Hold) {
				t.Fatalf("step %d: %+v with the lowest rank %d and the bound 40", step, a, lowest)
			}
			if a.Verdict == policy.Place {
				if got := rank(w.At, of(w)); got != lowest {
					t.Fatalf("step %d: to %d of rank %d, the lowest is %d", step, w.At, got, lowest)
				}
				all = append(all, w)
			}
		}
		for _, id := range c.v.IDs {
			for p := range levels {
				if got, want := c.ranks[id][p], rank(id, p); got != want {
					t.Fatalf("step %d: %d has rank %d for priority %d, want %d", step, id, got, p, want)
				}
			}
		}
	}
}

// Of equal cores each has the same chance.
func TestTies(t *testing.T) {
	c := newCard(t, with(func(*options) {}), 5)
	c.put(&policy.Work{}, 2)
	var count [5]int
	for range 8000 {
		count[c.Pick(&policy.Work{}, &c.v, nil).Slot]++
	}
	for slot, n := range count {
		if slot == 1 && n > 0 || slot != 1 && (n < 1800 || n > 2200) {
			t.Errorf("core %d was taken %d times of 8000", slot+1, n)
		}
	}
}

// By hash, a request goes to its core, and is dropped where that has reached the bound, though others are free.
func TestRSSDrops(t *testing.T) {
	c := newCard(t, with(func(o *options) { o.Choose, o.Bound = "rss", 10 }), 4)
	w := policy.Work{}
	w.Tuple.SrcPort = 77
	home := int(w.Hash() % 4)
	for n := range 4 {
		one := w
		a := c.ask(&one)
		if want := n < 2; want != (a == policy.Answer{Slot: home, Why: hashed}) ||
			!want && a != (policy.Answer{Verdict: policy.Drop, Why: full}) {
			t.Errorf("request %d: %+v, its core is %d", n, a, home)
		}
	}
}

// Requests use the instances of their tenant; those of a tenant that is not listed use all, and so do those whose
// instances are not there.
func TestMasks(t *testing.T) {
	o := with(func(o *options) { o.Tenants = []tenant{{"a", []int{3, 1, 3}}, {"b", []int{7}}}; o.Bound = 6 })
	c := newCard(t, o, 4)
	var at [4]int
	for range 8 {
		if a := c.ask(&policy.Work{Tenant: "a"}); a.Verdict == policy.Place {
			at[a.Slot]++
		}
	}
	if at != [4]int{2, 0, 2, 0} {
		t.Errorf("requests of a by core: %v, want two each on 1 and 3, and the others wait", at)
	}
	for _, name := range []string{"c", "b"} {
		a := c.ask(&policy.Work{Tenant: name})
		if a.Verdict != policy.Place || a.Slot != 1 && a.Slot != 3 {
			t.Errorf("a request of %s: %+v, want core 2 or 4", name, a)
		}
	}
	if got := c.counts[unmasked]; got != 1 {
		t.Errorf("%d decisions without an instance of the tenant, want 1", got)
	}
	c.join(7)
	if a := c.ask(&policy.Work{Tenant: "b"}); c.v.IDs[a.Slot] != 7 {
		t.Errorf("a request of b: %+v, want instance 7", a)
	}
}

// What waits is tried by priority, and then by age, over all queues.
func TestOrderOfWaiting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 6))
	o := with(func(o *options) { o.Tenants = []tenant{{"a", []int{1}}, {"b", []int{1}}} })
	c := newCard(t, o, 1)
	var waiting []*policy.Work // in order of arrival
	drop := func(i int) {
		c.Observe(&policy.Event{Kind: policy.Unqueued, Slot: -1, Work: waiting[i]}, &c.v)
		waiting = slices.Delete(waiting, i, i+1)
	}
	for id := range flow.ID(5000) {
		w := &policy.Work{Flow: id % 1000, Priority: uint8(rnd.IntN(5)), Tenant: []string{"a", "b", "c"}[rnd.IntN(3)]}
		c.Observe(&policy.Event{Kind: policy.Queued, Slot: -1, Work: w}, &c.v)
		waiting = append(waiting, w)
		for len(waiting) > rnd.IntN(60) {
			if rnd.IntN(8) == 0 { // gives up
				drop(rnd.IntN(len(waiting)))
				continue
			}
			want := 0
			for i, x := range waiting {
				if of(x) > of(waiting[want]) {
					want = i
				}
			}
			first := c.Queue(waiting[want])
			for _, x := range waiting {
				if q := c.Queue(x); q != first && !c.Before(first, q) {
					t.Fatalf("queue %d is not before %d, and %+v is the first", first, q, *waiting[want])
				}
			}
			drop(want)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for want, o := range map[string]options{
		"pree: above base":           with(func(o *options) { o.Pree = 6 }),
		"tenants.1.name: \"a\"":      with(func(o *options) { o.Tenants = []tenant{{"a", []int{1}}, {"a", []int{2}}} }),
		"tenants.0.instances: none:": with(func(o *options) { o.Tenants = []tenant{{"a", nil}} }),
		"tenants.0.instances: 0:":    with(func(o *options) { o.Tenants = []tenant{{"a", []int{4, 0}}} }),
	} {
		_, err := row.New(o, policy.Env{Counts: make([]uint64, 1)})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
