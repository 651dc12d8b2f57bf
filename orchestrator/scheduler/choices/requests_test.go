package choices

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/units"
)

func BenchmarkRequests(b *testing.B) {
	for _, row := range []policy.Row{randomRow, powerOfD, leastConnections, jiqRow, jbsqRow, sparseRow} {
		policytest.Bench(b, row, policytest.Options(&row))
	}
}

// requests is instances, each with one server and a queue, behind links without delay. Service takes as long for each
// request.
type requests struct {
	*world
	service, now int
	queues       [][]int // of instances by row: when each of its requests is done, the first one first
	held         int
	log          [][2]int // of those dispatched: when, and to which row
}

func newRequests(t *testing.T, row *policy.Row, options any, n, service int) *requests {
	return &requests{world: newWorld(t, row, options, n), service: service, queues: make([][]int, n)}
}

// try dispatches a request, if the policy lets it.
func (r *requests) try() bool {
	a := r.p.Pick(&policy.Work{}, &r.v, nil)
	if a.Verdict != policy.Place {
		return false
	}
	r.v.Flows[a.Slot]++
	placed := &policy.Work{At: r.v.IDs[a.Slot]}
	r.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: placed}, &r.v)
	begin := r.now
	if q := r.queues[a.Slot]; len(q) > 0 {
		begin = q[len(q)-1]
	}
	r.queues[a.Slot] = append(r.queues[a.Slot], begin+r.service)
	r.log = append(r.log, [2]int{r.now, a.Slot})
	return true
}

// until passes time: requests are done, and those that are held are tried again.
func (r *requests) until(now int) {
	for {
		next := -1
		for slot, q := range r.queues {
			if len(q) > 0 && q[0] <= now && (next < 0 || q[0] < r.queues[next][0]) {
				next = slot
			}
		}
		if next < 0 {
			r.now = now
			return
		}
		r.now = r.queues[next][0]
		r.queues[next] = r.queues[next][1:]
		r.end(r.v.IDs[next])
		for r.held > 0 && r.try() {
			r.held--
		}
	}
}

// Six requests at once on two instances, with a service time of 1 and a bound of 2: four are dispatched, two held. The
// vector is that of the executable specification of the policies.
func TestJBSQDispatch(t *testing.T) {
	r := newRequests(t, &jbsqRow, boundOptions{N: 2}, 2, 1)
	for range 6 {
		if !r.try() {
			r.held++
		}
	}
	r.until(5)
	if want := [][2]int{{0, 0}, {0, 1}, {0, 0}, {0, 1}, {1, 0}, {1, 1}}; !slices.Equal(r.log, want) {
		t.Errorf("dispatched at and to %v, want %v", r.log, want)
	}
}

// No instance ever has more than its bound, and none has less while a request is held.
func TestJBSQBound(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 3))
	for _, n := range []int{1, 2, 3} {
		r := newRequests(t, &jbsqRow, boundOptions{N: n}, 5, 4)
		for range 3000 {
			r.until(r.now + rnd.IntN(2))
			if r.held > 0 || !r.try() {
				r.held++
			}
			low, high := slices.Min(r.v.Flows), slices.Max(r.v.Flows)
			if int(high) > n || r.held > 0 && int(low) < n {
				t.Fatalf("with n %d: %v requests on the instances, and %d held", n, r.v.Flows, r.held)
			}
		}
		if r.held == 0 {
			t.Errorf("with n %d nothing was held: the test says nothing", n)
		}
	}
}

// The estimate is the last report and what was sent since; with every: 3, two replies of three say nothing.
func TestSparseFeedback(t *testing.T) {
	w := newWorld(t, &sparseRow, sparseOptions{Every: 3}, 3)
	if got, want := w.arrivals(7), []flow.Instance{1, 2, 3, 1, 2, 3, 1}; !slices.Equal(got, want) {
		t.Fatalf("to %v, want %v", got, want)
	}
	reply := func(id flow.Instance, left int32) {
		slot := w.row(id)
		w.v.Flows[slot]--
		w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: &policy.Work{At: id}, Queue: left}, &w.v)
	}
	estimates := func() (all []int32) {
		for _, e := range w.p.(*sparse).estimates {
			all = append(all, e.requests)
		}
		return all
	}
	reply(1, 2)
	reply(1, 1)
	if got, want := estimates(), []int32{3, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("after two replies %v, want %v", got, want)
	}
	reply(1, 0)
	reply(2, 1)
	if got, want := estimates(), []int32{0, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("after the third of 1 and one of 2: %v, want %v", got, want)
	}
	if got, want := w.arrivals(3), []flow.Instance{1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("to %v, want %v", got, want)
	}
}

// JSQ with sparse feedback is Worst-Fit with the correction for what is in flight, where a flow is a request, a reading
// of the counters is a report of all, and each flow brings the same rate: both add what they sent since to what they
// were told, and take the lowest sum. They differ in one thing only: Worst-Fit takes flows off its sum that end before
// a counter has shown them, since it knows of their end, and an estimate falls with a report alone.
func TestSparseIsWorstFitInFlight(t *testing.T) {
	const rate = 1e6 // of each flow
	worstFit := policy.Table[policy.Row](thesis.Policies).Find("worst-fit")
	fit := thesis.Options{Metric: "offered", Demand: "fixed", DemandRate: units.PPS(rate), NoFit: "least-loaded",
		InFlight: true}
	for _, early := range []bool{false, true} { // whether flows end that no counter has shown
		rnd := rand.New(rand.NewPCG(1, 4))
		differ, decisions := 0, 0
		a := newWorld(t, &sparseRow, sparseOptions{Every: 1 << 30}, 6)
		b := newWorld(t, worstFit, fit, 6)
		var shown, fresh []*policy.Work // flows that a counter has shown, or not
		for id := range flow.ID(4000) {
			fewest, worst := a.p.Pick(&policy.Work{}, &a.v, nil).Slot, b.p.Pick(&policy.Work{Flow: id}, &b.v, nil).Slot
			decisions++
			if fewest != worst {
				differ++
			}
			for _, w := range []*world{a, b} { // both follow Worst-Fit, so that each decision is of like things
				w.v.Flows[worst]++
				work := &policy.Work{Flow: id, At: w.v.IDs[worst]}
				w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: worst, Work: work}, &w.v)
				if w == b {
					fresh = append(fresh, work)
				}
			}
			b.v.Now, a.v.Now = b.v.Now+units.Millisecond, a.v.Now+units.Millisecond
			end := func(list *[]*policy.Work) {
				i := rnd.IntN(len(*list))
				for _, w := range []*world{a, b} {
					slot := w.row((*list)[i].At)
					w.v.Flows[slot]--
					w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: (*list)[i]}, &w.v)
				}
				*list = slices.Delete(*list, i, i+1)
			}
			if len(shown) > 0 && rnd.IntN(2) == 0 {
				end(&shown)
			}
			if early && rnd.IntN(4) == 0 {
				end(&fresh)
			}
			if rnd.IntN(10) == 0 { // a reading, and a report of each instance
				loads := make([]float64, 6)
				for slot, n := range b.v.Flows {
					loads[slot] = float64(n)
					a.p.(*sparse).estimates[slot] = estimate{requests: n}
				}
				b.measure(loads...)
				a.v.Now = b.v.Now
				shown, fresh = append(shown, fresh...), nil
			}
		}
		if !early && differ > 0 {
			t.Errorf("%d of %d decisions differ, want none", differ, decisions)
		}
		if early && differ == 0 {
			t.Errorf("no decision differs although flows end that no counter has shown")
		}
	}
}
