package sim

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// readings are the counters on their way to the orchestrator.
type readings struct {
	pending []reading // in the order in which they arrive: all take the same time
	spare   values    // memory of the last reading, to be used again
	frozen  values    // what stalled counters show
}

// reading is what an event of its kind reports.
type reading struct {
	kind    orchestrator.EventKind
	sampled units.Time
	values
}

// values are counters of the switch, by instance and by rule.
type values struct {
	counters []orchestrator.Counter
	rules    []orchestrator.RuleCounter
}

// ask samples the counters that an event of this kind reports. The event arrives after the telemetry's delay.
func (r *readings) ask(p *plant, kind orchestrator.EventKind) {
	e := reading{kind: kind, sampled: p.now}
	stalled := p.faults.countersStalled()
	switch kind {
	case orchestrator.CountersRead:
		e.counters, r.spare.counters = r.spare.counters[:0], nil
		if stalled {
			e.counters = append(e.counters, r.frozen.counters...)
		} else {
			e.counters = p.containers.counters(p, e.counters)
		}
	case orchestrator.RulesRead:
		e.rules, r.spare.rules = r.spare.rules[:0], nil
		if stalled {
			e.rules = append(e.rules, r.frozen.rules...)
		} else {
			e.rules = p.rules.counters(p, e.rules)
		}
	}
	r.pending = append(r.pending, e)
	p.push(ClassCounters, Event{At: p.now + p.sc.Telemetry.Delay, Kind: evCounters})
}

// arrive hands the next reading to the orchestrator.
func (r *readings) arrive(p *plant) {
	x := r.pending[0]
	r.pending = r.pending[:copy(r.pending, r.pending[1:])]
	e := p.begin(x.kind)
	e.Sampled, e.Counters, e.Rules = x.sampled, x.counters, x.rules
	p.deliver()
	switch x.kind {
	case orchestrator.CountersRead:
		r.spare.counters = x.counters
	case orchestrator.RulesRead:
		r.spare.rules = x.rules
	}
}

// freeze keeps what the counters show now.
func (r *readings) freeze(p *plant) {
	r.frozen.counters = p.containers.counters(p, r.frozen.counters[:0])
	r.frozen.rules = p.rules.counters(p, r.frozen.rules[:0])
}

// counters appends the counters of the instances that have any.
func (c *containers) counters(p *plant, to []orchestrator.Counter) []orchestrator.Counter {
	for i := range c.list {
		if c.list[i].forwarding() {
			to = append(to, orchestrator.Counter{Instance: flow.Instance(i + 1)})
		}
	}
	p.data.Counters(p.now, to)
	return to
}

// counters appends the counters of the rules in force.
func (r *ruleTable) counters(p *plant, to []orchestrator.RuleCounter) []orchestrator.RuleCounter {
	for f := range r.inForce.all {
		to = append(to, orchestrator.RuleCounter{Flow: f})
	}
	p.data.RuleCounters(p.now, to)
	return to
}
