package replay

import (
	"context"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// faults carries out the faults of the scenario. An instance's death is real: its container is killed. The hardware
// cannot be told to fail in other ways, so the plant imitates them: requests to the container engine wait or fail,
// counters keep their values, and rules are refused without asking the switch.
type faults struct {
	list   []scenarios.Fault
	steps  []step // still to be done, in order of time
	active map[string]int
	held   []func()                   // requests that wait for a stalled container engine
	frozen []orchestrator.Counter     // what stalled counters show
	rules  []orchestrator.RuleCounter // what those of the rules show
}

type step struct {
	at    units.Time
	fault int
	over  bool
}

func (f *faults) schedule(p *plant) {
	f.list, f.active = p.sc.Faults, map[string]int{}
	for i, x := range f.list {
		f.add(step{x.At, i, false})
		if x.For > 0 {
			f.add(step{x.At + x.For, i, true})
		}
	}
}

func (f *faults) add(s step) {
	k := len(f.steps)
	for k > 0 && f.steps[k-1].at > s.at {
		k--
	}
	f.steps = append(f.steps[:k], append([]step{s}, f.steps[k:]...)...)
}

func (f *faults) due() units.Time {
	if len(f.steps) == 0 {
		return units.Never
	}
	return f.steps[0].at
}

func (f *faults) fire(p *plant) {
	for f.due() <= p.now() {
		s := f.steps[0]
		f.steps = f.steps[1:]
		x := &f.list[s.fault]
		if x.Kind == "instance-death" {
			i := flow.Instance(x.Instance)
			go func() {
				ctx, cancel := context.WithTimeout(p.ctx, readLimit)
				defer cancel()
				if err := p.hw.Containers.Kill(ctx, i); err != nil {
					p.post(func() { p.say("the scenario's fault: instance %d could not be killed: %v", i, err) })
				}
			}()
			continue
		}
		if !s.over {
			if f.active[x.Kind]++; f.active[x.Kind] == 1 && x.Kind == "counters-stall" {
				f.frozen, f.rules = p.meter.newest(p), p.rules.newest
			}
			p.say("the scenario's fault begins: %s", x.Kind)
			continue
		}
		p.say("the scenario's fault is over: %s", x.Kind)
		if f.active[x.Kind]--; f.active[x.Kind] == 0 && x.Kind == "engine-stall" {
			held := f.held
			f.held = nil
			for _, request := range held {
				request()
			}
		}
	}
}

func (f *faults) engineFails() bool     { return f.active["engine-failure"] > 0 }
func (f *faults) countersStalled() bool { return f.active["counters-stall"] > 0 }
func (f *faults) rulesRejected() bool   { return f.active["rule-reject"] > 0 }

// engine passes a request on to the container engine, or holds it while that is stalled.
func (f *faults) engine(request func()) {
	if f.active["engine-stall"] > 0 {
		f.held = append(f.held, request)
		return
	}
	request()
}
