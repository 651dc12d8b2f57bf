package policy_test

import (
	"fmt"
	"log"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// fewest is the instance that was given the fewest flows, each counting as many as the option says.
type fewest struct {
	step  int
	given policy.PerSlot[int]
}

type fewestOptions struct {
	Step int `yaml:"step" doc:"what a flow counts" default:"1" min:"1"`
}

// Observe has a count for each instance. One that joins begins at 0.
func (p *fewest) Observe(e *policy.Event, _ *policy.View) {
	p.given.Follow(e, 0)
	if e.Kind == policy.Placed {
		p.given[e.Slot] += p.step
	}
}

func (p *fewest) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	best := 0
	for slot := range v.IDs {
		log.Add(slot, float64(p.given[slot]), true)
		if p.given[slot] < p.given[best] {
			best = slot
		}
	}
	return policy.Answer{Slot: best}
}

// A policy is a row: what its users are told, what it may see, and how it is made from its options. The host tells it
// of each event, and asks it where a flow goes.
func ExampleMake() {
	row := policy.Row{
		Info: policy.Info{Name: "fewest", Rule: "the instance that was given the fewest flows", Source: "this example",
			Score: "flows given so far, times the step", Sees: policy.T0},
		Reasons: []string{"fewest so far"},
		Maker: policy.Make(func(o fewestOptions, _ policy.Env) (policy.Policy, error) {
			return &fewest{step: o.Step}, nil
		}),
	}
	p, err := row.New(fewestOptions{Step: 10}, policy.Env{})
	if err != nil {
		log.Fatal(err)
	}

	v := &policy.View{}
	join := func(id flow.Instance) {
		v.IDs = append(v.IDs, id)
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: len(v.IDs) - 1}, v)
	}
	join(1)
	join(2)
	for f := range flow.ID(5) {
		if f == 3 {
			join(3)
		}
		w, weighed := &policy.Work{Flow: f}, &policy.Weighed{}
		a := p.Pick(w, v, weighed)
		w.At = v.IDs[a.Slot]
		p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, v)
		fmt.Printf("flow %d to instance %d: %s, of %v\n", f, w.At, row.Reasons[a.Why], weighed.Ratings)
	}
	// Output:
	// flow 0 to instance 1: fewest so far, of [{0 0 true} {1 0 true}]
	// flow 1 to instance 2: fewest so far, of [{0 10 true} {1 0 true}]
	// flow 2 to instance 1: fewest so far, of [{0 10 true} {1 10 true}]
	// flow 3 to instance 3: fewest so far, of [{0 20 true} {1 10 true} {2 0 true}]
	// flow 4 to instance 2: fewest so far, of [{0 20 true} {1 10 true} {2 10 true}]
}
