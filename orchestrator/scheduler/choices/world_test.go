package choices

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// world is instances that take work, with weight 1, and one policy that is told what happens to them.
type world struct {
	p policy.Policy
	v policy.View
}

// newWorld has instances 1 to n.
func newWorld(t *testing.T, row *policy.Row, options any, n int) *world {
	w := &world{p: policytest.New(t, row, options, 1), v: policy.View{Limit: 10e6}}
	for id := range n {
		w.join(flow.Instance(id + 1))
	}
	return w
}

func (w *world) row(id flow.Instance) int {
	slot, _ := slices.BinarySearch(w.v.IDs, id)
	return slot
}

func (w *world) join(id flow.Instance) {
	v, slot := &w.v, w.row(id)
	v.IDs, v.Weight = slices.Insert(v.IDs, slot, id), slices.Insert(v.Weight, slot, 1)
	v.Flows, v.Load = slices.Insert(v.Flows, slot, 0), slices.Insert(v.Load, slot, 0)
	v.Back = slices.Insert(v.Back, slot, 0)
	w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
}

func (w *world) leave(id flow.Instance) {
	v, slot := &w.v, w.row(id)
	w.p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, v)
	v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
	v.Flows, v.Load = slices.Delete(v.Flows, slot, slot+1), slices.Delete(v.Load, slot, slot+1)
	v.Back = slices.Delete(v.Back, slot, slot+1)
}

// arrive is where a new flow is placed.
func (w *world) arrive() flow.Instance {
	a := w.p.Pick(&policy.Work{}, &w.v, nil)
	w.v.Flows[a.Slot]++
	at := w.v.IDs[a.Slot]
	w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: &policy.Work{At: at}}, &w.v)
	return at
}

func (w *world) arrivals(n int) (at []flow.Instance) {
	for range n {
		at = append(at, w.arrive())
	}
	return at
}

// end ends a flow of an instance.
func (w *world) end(id flow.Instance) {
	slot := w.row(id)
	w.v.Flows[slot]--
	w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: &policy.Work{At: id}}, &w.v)
}

// measure brings a reading with these Mpps.
func (w *world) measure(loads ...float64) {
	w.p.Observe(&policy.Event{Kind: policy.Asked}, &w.v)
	since := w.v.Now
	w.v.Now += units.Second
	for slot, l := range loads {
		w.v.Load[slot] = l * 1e6
	}
	w.v.Live, w.v.LiveLoad = w.v.IDs, w.v.Load
	w.p.Observe(&policy.Event{Kind: policy.Measured, Since: since, Until: w.v.Now}, &w.v)
}
