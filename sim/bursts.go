package sim

import (
	"fmt"
	"iter"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// burstStage is the stage of the NIC that decides on bursts: one server with a finite queue, and a table of where each
// flow goes. Each flow's first burst is decided on by the slow path, as that of any flow, since before that the table
// does not know it. The first packet of every other burst asks the stage. Packets do not wait for it: until it has
// decided, they follow the decision before. So the stage depends on the traffic alone, and not on what is decided.
type burstStage struct {
	starts   *burstStarts
	service  units.Time
	patience units.Time // the services of as many bursts as may wait
	latency  units.Time // from the service to packets that follow the decision
	idle     units.Time // from when on the server has nothing to do
	end      units.Time // of the run
	down     []scenarios.Fault

	begun, missed int64
}

func newBurstStage(sc *scenarios.Scenario, w *traces.Workload, end units.Time, stopped func() bool) (*burstStage,
	error) {
	nic := &sc.NIC
	switch {
	case sc.Engine == "fluid":
		return nil, fmt.Errorf("scheduler.unit: burst: want flow with engine: fluid, which has no gaps")
	case nic.Dispatch == "none":
		return nil, fmt.Errorf("scheduler.unit: burst: want flow with nic %s, which has no stage that dispatches "+
			"bursts (dispatch: none)", nic.Profile)
	}
	s := &burstStage{starts: newBurstStarts(w, sc.Scheduler.Gap, stopped), latency: nic.DispatchLatency, end: end}
	if nic.DispatchRate > 0 {
		s.service = units.FromSeconds(1 / nic.DispatchRate)
		s.patience = units.Time(nic.DispatchQueue) * s.service
	}
	for _, f := range sc.Faults {
		if f.Kind == faultNames[linkDown] {
			s.down = append(s.down, f)
		}
	}
	return s, nil
}

// next is when the next burst is decided on, and of which flow it is. A burst that finds the queue full, or whose first
// packet finds the link down, is not.
func (s *burstStage) next() (b burst, ok bool) {
	for {
		b, ok = s.starts.next()
		if !ok || b.at >= s.end {
			return b, false
		}
		s.begun++
		if s.linkDown(b.at) {
			continue
		}
		if s.idle-b.at > s.patience {
			s.missed++
			continue
		}
		s.idle = max(s.idle, b.at) + s.service
		b.at = s.idle + s.latency
		return b, true
	}
}

func (s *burstStage) linkDown(at units.Time) bool {
	for _, f := range s.down {
		if f.At <= at && (f.For == 0 || at < f.At+f.For) {
			return true
		}
	}
	return false
}

// awaitBurst queues the next decision on a burst.
func (p *plant) awaitBurst() {
	if p.bursts == nil {
		return
	}
	if b, ok := p.bursts.next(); ok {
		p.push(ClassPlant, Event{At: b.at, Kind: evBurst, A: int32(b.f)})
	}
}

// dispatch has the orchestrator decide on a burst, and sends the flow where it says.
func (p *plant) dispatch(f flow.ID) {
	if to, moved := p.orch.Dispatch(p.now, f); moved {
		p.rules.divert(p, f, to)
	}
	if p.orch.Emptied() {
		p.tellBursts()
	}
	p.awaitBurst()
}

// divert sends the flow's packets to another instance. The stage's table does it: the rule, which leads the flow to the
// stage, stays.
func (r *ruleTable) divert(p *plant, f flow.ID, i flow.Instance) {
	s := &r.flows[f]
	s.want = i
	r.follow(s, i)
	p.data.Rule(p.now, f, i)
}

// tellBursts tells the orchestrator and the log what bursts were decided on since it was told last, if any were.
func (p *plant) tellBursts() {
	if b := p.orch.Bursts(); b.Asked > p.burstsTold {
		p.burstsTold = b.Asked
		p.begin(orchestrator.BurstsDispatched).Bursts = b
		p.deliver()
	}
}

// countBursts fills in what became of all bursts of the run.
func (p *plant) countBursts(t *results.Totals) {
	if p.bursts == nil {
		return
	}
	for _, ok := p.bursts.next(); ok; _, ok = p.bursts.next() { // those that the stage still has at the end
	}
	b := p.orch.Bursts()
	t.Bursts, t.BurstsMissed = p.bursts.begun, p.bursts.missed
	t.BurstsDecided, t.BurstsMoved = int64(b.Decided), int64(b.Moved)
}

// Bursts are the decisions on bursts of a scenario's run, in their order: those for which a plant calls
// Orchestrator.Dispatch. They follow from the traffic and the NIC alone, so that a record can be verified without them.
// The error is that of reading the traffic, or the scenario's.
func Bursts(sc *scenarios.Scenario, w *traces.Workload) iter.Seq2[results.Burst, error] {
	return func(yield func(results.Burst, error) bool) {
		s, err := newBurstStage(sc, w, sc.End(w), func() bool { return false })
		if err != nil {
			yield(results.Burst{}, err)
			return
		}
		for b, ok := s.next(); ok; b, ok = s.next() {
			if !yield(results.Burst{At: b.at, Flow: b.f}, nil) {
				return
			}
		}
		if s.starts.own.err != nil {
			yield(results.Burst{}, s.starts.own.err)
		}
	}
}
