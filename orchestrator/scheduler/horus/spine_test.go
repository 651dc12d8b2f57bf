package horus

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

// racks is a spine with nodes.
type racks struct {
	*spine
	v policy.View
}

func newRacks(t *testing.T, o spineOptions, nodes int) *racks {
	r := &racks{spine: policytest.New(t, &spineRow, o, 1).(*spine)}
	for n := range nodes {
		r.v.IDs, r.v.Flows = append(r.v.IDs, flow.Instance(n+1)), append(r.v.Flows, 0)
		r.Observe(&policy.Event{Kind: policy.Joined, Slot: n}, &r.v)
	}
	return r
}

// reply brings one of a node: the requests that this has, its instances, and how many of them are idle.
func (r *racks) reply(slot int, queue, workers, idle int32) {
	r.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: &policy.Work{}, Queue: queue, Workers: workers,
		Idle: idle}, &r.v)
}

// picks are the nodes and the reasons of many requests.
func (r *racks) picks(n int) (slots []int, why []uint8) {
	for range n {
		a := r.Pick(&policy.Work{}, &r.v, nil)
		slots, why = append(slots, a.Slot), append(why, a.Why)
	}
	slices.Sort(slots)
	slices.Sort(why)
	return slices.Compact(slots), slices.Compact(why)
}

func (r *racks) want(t *testing.T, what string, slots []int, why uint8) {
	t.Helper()
	got, reasons := r.picks(60)
	if !slices.Equal(got, slots) || !slices.Equal(reasons, []uint8{why}) {
		t.Errorf("%s: nodes %v for the reasons %v, want %v for %d", what, got, reasons, slots, why)
	}
}

// A node is listed as one with idle instances while it has more than the threshold, from its joining on.
func TestNodesWithIdleInstances(t *testing.T) {
	r := newRacks(t, spineOptions{Idle: 2}, 3)
	r.want(t, "at first", []int{0, 1, 2}, withIdle)
	r.reply(1, 6, 8, 2)
	r.want(t, "2 idle are not more than 2", []int{0, 2}, withIdle)
	r.reply(0, 8, 8, 0)
	r.reply(2, 8, 8, 1)
	r.want(t, "all busy, and no load known", []int{0, 1, 2}, anyNode)
	r.reply(1, 5, 8, 3)
	r.reply(1, 5, 8, 3)
	r.want(t, "3 idle", []int{1}, withIdle)
	if r.counts[adds] != 1 || r.counts[removes] != 3 || r.Signals() != 4 {
		t.Errorf("counted %v", r.counts)
	}
	r.Observe(&policy.Event{Kind: policy.Left, Slot: 1}, &r.v)
	r.v.IDs, r.v.Flows = []flow.Instance{1, 3}, []int32{0, 0}
	r.want(t, "the idle one has left", []int{0, 1}, anyNode)
}

// A node signals its load once for as many replies as it has instances. Of two that are drawn, the one with the lower
// load for each of its instances is taken.
func TestLowerLoadOfTwo(t *testing.T) {
	r := newRacks(t, spineOptions{Update: "delayed"}, 3)
	for i, load := range []int32{6, 10, 9} { // of 2, 4 and 2 instances: 3, 2.5 and 4.5 each
		workers := []int32{2, 4, 2}[i]
		for range workers - 1 {
			r.reply(i, 0, workers, 0)
		}
		if r.nodes[i].workers != 0 {
			t.Errorf("node %d is known after %d replies", i, workers-1)
		}
		r.reply(i, load, workers, 0)
	}
	r.want(t, "loads of 3, 2.5 and 4.5", []int{0, 1}, lower)
	two := newRacks(t, spineOptions{}, 2)
	two.reply(0, 9, 1, 0)
	two.reply(1, 1, 1, 0)
	two.want(t, "two known loads are not compared", []int{0, 1}, anyNode)
	r.reply(2, 1, 2, 0)
	r.reply(2, 2, 2, 0)
	r.want(t, "the third has 1", []int{1, 2}, lower)
	if r.counts[loads] != 4 || r.Signals() != 7 { // and each was taken off the list
		t.Errorf("counted %v", r.counts)
	}
}

// What is sent counts at once, or with the next signal.
func TestWhatIsSentCounts(t *testing.T) {
	for _, c := range []struct {
		update string
		sum    int64
	}{{"immediate", 3 + 30}, {"delayed", 3}} {
		r := newRacks(t, spineOptions{Update: c.update}, 3)
		for i := range 3 {
			r.reply(i, 1, 1, 0)
		}
		r.picks(30)
		least, most, sum := r.nodes[0].load, r.nodes[0].load, int64(0)
		for _, n := range r.nodes {
			least, most, sum = min(least, n.load), max(most, n.load), sum+n.load
		}
		if sum != c.sum || most-least > 2 {
			t.Errorf("%s: loads %+v, want a sum of %d, evenly", c.update, r.nodes, c.sum)
		}
	}
}
