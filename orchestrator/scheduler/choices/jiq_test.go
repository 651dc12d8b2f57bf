package choices

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Idle instances get flows in the order in which they became idle, whatever their numbers.
func TestJIQTakesTheLongestIdle(t *testing.T) {
	w := newWorld(t, &jiqRow, nil, 3)
	if got, want := w.arrivals(3), []flow.Instance{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("at first %v, want %v", got, want)
	}
	for _, id := range []flow.Instance{3, 1, 2} {
		w.end(id)
	}
	if got, want := w.arrivals(3), []flow.Instance{3, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("then %v, want %v", got, want)
	}
	w.join(4)
	w.end(1)
	w.join(5)
	w.leave(1)
	if got, want := w.arrivals(2), []flow.Instance{4, 5}; !slices.Equal(got, want) {
		t.Errorf("after 4 joined, 1 became idle, 5 joined, 1 left: %v, want %v", got, want)
	}
}

// An instance is idle with its last flow, not with each that ends.
func TestJIQIsIdleWithoutFlows(t *testing.T) {
	w := newWorld(t, &jiqRow, nil, 1)
	w.arrivals(2)
	w.join(2)
	w.arrive()
	w.end(1)
	if a := w.p.Pick(&policy.Work{}, &w.v, nil); a.Why != 1 {
		t.Errorf("answer %+v with a flow on each instance: want one that is drawn", a)
	}
	w.end(1)
	if a := w.p.Pick(&policy.Work{}, &w.v, nil); a != (policy.Answer{}) {
		t.Errorf("answer %+v with the first instance idle: want that", a)
	}
}

// One that is taken back while it drains has its flows still.
func TestJIQDoesNotTakeOneThatIsBackForIdle(t *testing.T) {
	w := newWorld(t, &jiqRow, nil, 1)
	w.arrive()
	w.v.IDs, w.v.Flows = append(w.v.IDs, 2), append(w.v.Flows, 1)
	w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: 1}, &w.v)
	if a := w.p.Pick(&policy.Work{}, &w.v, nil); a.Why != 1 {
		t.Errorf("answer %+v: want one that is drawn", a)
	}
}

// Where none is idle, each instance has the same chance, and no idle one is passed over in 2,000 flows.
func TestJIQDrawsWhereNoneIsIdle(t *testing.T) {
	w := newWorld(t, &jiqRow, nil, 4)
	w.arrivals(4)
	count := make([]int, 4)
	for range 8000 {
		count[w.p.Pick(&policy.Work{}, &w.v, nil).Slot]++
	}
	for slot, n := range count {
		if n < 1800 || n > 2200 {
			t.Errorf("row %d was drawn %d times of 8000, want about 2000", slot, n)
		}
	}
	for range 2000 {
		id := w.arrive()
		idle := slices.Index(w.v.Flows, 0)
		if idle >= 0 && w.v.Flows[w.row(id)] > 1 {
			t.Fatalf("a flow went to instance %d, and row %d was idle", id, idle)
		}
		for slot, n := range w.v.Flows {
			if n > 2 {
				w.end(w.v.IDs[slot])
			}
		}
		w.end(id)
	}
}
