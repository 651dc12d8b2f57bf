package compare

import (
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
)

// Decisions says where two orchestrators decided differently. Times may differ, as they always do on hardware: flows
// are paired by their five-tuple, and scaling steps by their order.
type Decisions struct {
	Flows   Placements `json:"flows"`
	Scaling Scaling    `json:"scaling"`
}

// Placements compares what became of each flow when it came: the instance that it was given, or that it had to wait or
// was refused. A five-tuple that arrives several times is several flows.
type Placements struct {
	Both  int        `json:"both"` // flows in both records
	OnlyA int        `json:"only_a"`
	OnlyB int        `json:"only_b"`
	Other int        `json:"elsewhere"` // of Both, those decided otherwise
	First *Placement `json:"first,omitempty"`
}

// Placement is the first flow, in the order of A, that was decided differently.
type Placement struct {
	Tuple string   `json:"tuple"`
	A     Decision `json:"a"`
	B     Decision `json:"b"`
}

// Decision is one decision, without its candidates.
type Decision struct {
	At       float64       `json:"t_s"`
	Kind     string        `json:"decision"`
	Policy   string        `json:"policy,omitempty"`
	Instance flow.Instance `json:"instance"`
	Reason   string        `json:"reason"`
}

// Scaling compares the instances created, drained, taken back, deleted and lost, step by step.
type Scaling struct {
	StepsA int       `json:"steps_a"`
	StepsB int       `json:"steps_b"`
	Same   int       `json:"same"`              // steps before the first that differs
	Shift  float64   `json:"mean_time_apart_s"` // of those: the mean of the times between A's and B's
	A      *Decision `json:"first_a,omitempty"` // the first that differs; nil if A has no further step
	B      *Decision `json:"first_b,omitempty"`
}

// arrival is the nth flow of a five-tuple.
type arrival struct {
	tuple flow.FiveTuple
	nth   int
}

// decided is what a record's log says.
type decided struct {
	order []arrival
	first map[arrival]Decision
	steps []Decision
}

var scaling = []string{orchestrator.Create, orchestrator.Drain, orchestrator.TakeBack, orchestrator.Delete,
	orchestrator.Failed}

func readDecisions(r *results.Record) (*decided, error) {
	d := &decided{first: map[arrival]Decision{}}
	times := map[flow.FiveTuple]int{}
	of := map[flow.ID]arrival{}
	for e, err := range r.Log() {
		switch {
		case err != nil:
			return nil, err
		case e.Event != nil && e.Event.Kind == orchestrator.FlowArrived:
			if _, again := of[e.Event.Flow]; !again { // a flow whose rule was removed arrives again, as the same flow
				t := e.Event.Tuple
				of[e.Event.Flow] = arrival{t, times[t]}
				times[t]++
			}
		case e.Decision != nil:
			x := Decision{e.Decision.At.Seconds(), e.Decision.Kind, e.Decision.Policy, e.Decision.Instance,
				e.Decision.Reason}
			a, known := of[e.Decision.Flow]
			switch _, before := d.first[a]; {
			case e.Decision.Flow >= 0:
				if known && !before {
					d.first[a] = x
					d.order = append(d.order, a)
				}
			case slices.Contains(scaling, x.Kind):
				d.steps = append(d.steps, x)
			}
		}
	}
	return d, nil
}

func (x Decision) same(y Decision) bool { return x.Kind == y.Kind && x.Instance == y.Instance }

func (d *Decisions) compare(ra, rb *results.Record) error {
	a, err := readDecisions(ra)
	if err != nil {
		return err
	}
	b, err := readDecisions(rb)
	if err != nil {
		return err
	}
	p := &d.Flows
	for _, f := range a.order {
		x := a.first[f]
		y, ok := b.first[f]
		switch {
		case !ok:
			p.OnlyA++
			continue
		case !x.same(y):
			if p.Other++; p.First == nil {
				p.First = &Placement{f.tuple.String(), x, y}
			}
		}
		p.Both++
	}
	p.OnlyB = len(b.order) - p.Both
	s := &d.Scaling
	s.StepsA, s.StepsB = len(a.steps), len(b.steps)
	for s.Same < min(s.StepsA, s.StepsB) && a.steps[s.Same].same(b.steps[s.Same]) {
		s.Shift += math.Abs(b.steps[s.Same].At - a.steps[s.Same].At)
		s.Same++
	}
	if s.Same > 0 {
		s.Shift /= float64(s.Same)
	}
	if s.Same < s.StepsA {
		s.A = &a.steps[s.Same]
	}
	if s.Same < s.StepsB {
		s.B = &b.steps[s.Same]
	}
	return nil
}
