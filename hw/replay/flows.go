package replay

import (
	"slices"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// flows is what the control plane knows of the run's flows. A packet-in belongs to the flow of its five-tuple. If
// several flows of the traffic have the same five-tuple, one after the other, the time decides.
type flows struct {
	list    []flowState
	byTuple map[flow.FiveTuple][]flow.ID // in order of their start
	ends    []ending                     // in order of time
	ended   int                          // how many of ends are past
	active  int32

	installed, rejected, moves int64
	packetIns                  uint64 // first packets, and later ones that came before a rule was in force
	dropped                    uint64 // of those, how many found no instance
	foreign                    uint64 // packets that belong to no flow of the run
	drops                      int    // rules that drop, in force or asked for
	dropCounted                uint64 // packets that such rules had dropped when they were removed
}

type ending struct {
	at   units.Time
	flow flow.ID
}

// flowState is what is known of one flow. The switch answers requests in order, so the newest request is answered when
// sent equals answered. Answers to older requests no longer matter.
type flowState struct {
	has            bool          // a rule is in force
	rule           flow.Instance // where it leads
	want, last     flow.Instance // where the newest request leads; the last instance that got its packets
	at             flow.Instance // the instance that gets them now, by rule or by the slow path; 0 for none
	routed         bool          // want is known, so that the slow path may forward
	removing       bool          // the newest request removes the rule
	sent, answered uint32        // requests
	moves          int32
	came           int // packets without a rule
	seen, ended    bool
	forwarded      uint64 // packets that reached an instance by the slow path
	counted        uint64 // packets counted by rules that are gone
}

// early is how long before the flow's start its first packet may come, since two clocks drift apart.
const early = 100 * units.Millisecond

func (f *flows) init(w *traces.Workload) {
	f.list = make([]flowState, len(w.Flows))
	f.byTuple = make(map[flow.FiveTuple][]flow.ID, len(w.Flows))
	for i := range w.Flows {
		x := &w.Flows[i]
		f.byTuple[x.Tuple] = append(f.byTuple[x.Tuple], flow.ID(i))
		if n := len(x.Segments); n > 0 {
			f.ends = append(f.ends, ending{x.Segments[n-1].End + span(settle), flow.ID(i)})
		}
	}
	slices.SortStableFunc(f.ends, func(a, b ending) int { return int(max(-1, min(1, a.at-b.at))) })
}

func (f *flows) due() units.Time {
	if f.ended == len(f.ends) {
		return units.Never
	}
	return f.ends[f.ended].at
}

// fire ends the flows whose last packet has come through. The scenario says when a flow ends, as in simulation: a
// switch knows only that a flow has been idle.
func (f *flows) fire(p *plant) {
	for f.due() <= p.now() {
		id := f.ends[f.ended].flow
		f.ended++
		s := &f.list[id]
		s.ended = true
		if s.seen {
			p.close(id)
		}
	}
}

// find returns the flow that a packet belongs to: of the flows with its five-tuple, the last that has begun.
func (p *plant) find(t flow.FiveTuple) (flow.ID, bool) {
	ids := p.flows.byTuple[t]
	if len(ids) == 0 {
		return 0, false
	}
	id := ids[0]
	for _, next := range ids[1:] {
		if s := p.traffic.Flows[next].Segments; len(s) == 0 || s[0].Start > p.now()+early {
			break
		}
		id = next
	}
	return id, true
}

// arrived takes in a packet that matched no rule.
func (p *plant) arrived(e *hw.Event) {
	id, ours := p.find(e.Tuple)
	if !ours {
		p.flows.foreign++
		return
	}
	p.flows.packetIns++
	s := &p.flows.list[id]
	if s.ended {
		p.flows.dropped++
		return
	}
	if !s.seen {
		s.seen = true
		p.flows.active++
	}
	p.deliver(orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: id, Tuple: e.Tuple,
		Tenant: p.traffic.Tenant(id)})
	p.opts.Metrics.placed.Observe(time.Since(e.At).Seconds())
	if s.came++; s.came == p.sc.Scheduler.Offload.After && s.came > 1 {
		p.deliver(orchestrator.Event{Kind: orchestrator.FlowGrown, Flow: id})
	}
	if !s.routed || s.want == 0 {
		p.flows.dropped++
		return
	}
	if err := p.hw.Switch.Forward(e.Frame, s.want); err != nil {
		p.flows.dropped++
		return
	}
	s.forwarded++
}

func (p *plant) close(id flow.ID) {
	s := &p.flows.list[id]
	s.seen = false
	p.flows.active--
	p.unrule(id)
	p.deliver(orchestrator.Event{Kind: orchestrator.FlowEnded, Flow: id})
}

// write asks the switch for a flow's rule, or for another target of the rule that the flow has.
func (p *plant) write(id flow.ID, to flow.Instance) {
	s := &p.flows.list[id]
	p.assign(s, to)
	if !s.has {
		p.follow(s, to)
	}
	if p.faults.rulesRejected() {
		p.flows.rejected++
		p.deliver(orchestrator.Event{Kind: orchestrator.RuleRejected, Flow: id, Instance: to,
			Reason: "rule refused by the scenario's fault"})
		return
	}
	var err error
	if s.ruled() {
		err = p.hw.Switch.Move(hw.Move{Flow: id, Instance: to})
	} else {
		err = p.hw.Switch.Install(hw.Rule{Flow: id, Tuple: p.traffic.Flows[id].Tuple, Instance: to})
	}
	if err != nil {
		p.flows.rejected++
		p.deliver(orchestrator.Event{Kind: orchestrator.RuleRejected, Flow: id, Instance: to, Reason: err.Error()})
		return
	}
	s.sent++
	s.removing = false
}

// steer has the slow path send the flow's packets to the instance. It has no rule yet.
func (p *plant) steer(id flow.ID, to flow.Instance) {
	s := &p.flows.list[id]
	p.assign(s, to)
	p.follow(s, to)
}

// ruled says whether a rule is in force, or will be once all requests are answered.
func (s *flowState) ruled() bool {
	if s.sent == s.answered {
		return s.has
	}
	return !s.removing
}

// assign notes where the flow is to go.
func (p *plant) assign(s *flowState, to flow.Instance) {
	p.unassign(s)
	s.want, s.routed = to, true
	if to == 0 {
		p.flows.drops++
	}
}

func (p *plant) unassign(s *flowState) {
	if s.routed && s.want == 0 {
		p.flows.drops--
	}
	s.routed = false
}

// follow notes to which instance the flow's packets go from now on, by rule or by the slow path.
func (p *plant) follow(s *flowState, to flow.Instance) {
	p.leave(s)
	if s.at = to; to == 0 {
		return
	}
	p.instance(to).flows++
	if s.last != 0 && s.last != to {
		s.moves++
		p.flows.moves++
	}
	s.last = to
}

// leave notes that the flow's packets go nowhere.
func (p *plant) leave(s *flowState) {
	if s.at != 0 {
		p.instance(s.at).flows--
	}
	s.at = 0
}

// unrule removes the flow's rule, whether it is in force or under way.
func (p *plant) unrule(id flow.ID) {
	s := &p.flows.list[id]
	p.unassign(s)
	p.leave(s)
	if !s.ruled() {
		return
	}
	if err := p.hw.Switch.Remove(id); err != nil {
		p.say("could not remove the rule of flow %d: %v", id, err)
		return
	}
	s.sent++
	s.removing = true
}

// answered takes in the switch's answer to a request.
func (p *plant) answered(e *hw.Event) {
	if int(e.Flow) >= len(p.flows.list) || e.Flow < 0 {
		return
	}
	s := &p.flows.list[e.Flow]
	if s.answered == s.sent { // to a request of an earlier run
		return
	}
	s.answered++
	newest := s.answered == s.sent
	if e.Kind == hw.Rejected {
		p.opts.Metrics.rejected.Inc()
		if e.Op == hw.OpRemove {
			s.has = false
			return
		}
		p.flows.rejected++
		if e.Op == hw.OpMove && !s.has || e.Op == hw.OpInstall {
			s.has = false
		}
		if newest && !s.removing {
			if s.has { // and stays
				p.follow(s, s.rule)
			}
			p.deliver(orchestrator.Event{Kind: orchestrator.RuleRejected, Flow: e.Flow, Instance: e.Instance,
				Reason: e.Reason})
		}
		return
	}
	p.opts.Metrics.confirmed.Observe(e.Latency.Seconds())
	switch e.Op {
	case hw.OpRemove:
		p.gone(s, e.Packets)
	case hw.OpInstall, hw.OpMove:
		p.latencies.rules = append(p.latencies.rules, e.Latency)
		p.flows.installed++
		s.has, s.rule = true, e.Instance
		if newest {
			p.follow(s, e.Instance)
			p.deliver(orchestrator.Event{Kind: orchestrator.RuleInstalled, Flow: e.Flow, Instance: e.Instance})
		}
	}
}

// gone takes in the last counters of a rule.
func (p *plant) gone(s *flowState, packets uint64) {
	s.counted += packets
	if s.has && s.rule == 0 {
		p.flows.dropCounted += packets
	}
	s.has = false
}

// ruleEnded takes in that somebody else has removed a rule. For the orchestrator the flow has ended, and its next
// packet begins a new one.
func (p *plant) ruleEnded(e *hw.Event) {
	if int(e.Flow) >= len(p.flows.list) || e.Flow < 0 {
		return
	}
	s := &p.flows.list[e.Flow]
	if !s.has {
		return
	}
	p.gone(s, e.Packets)
	p.say("the rule of flow %d was removed, not by us: %s", e.Flow, e.Reason)
	if s.seen {
		p.close(e.Flow)
	}
}

// write writes a row for each flow that has begun.
func (f *flows) write(p *plant, rules hw.RuleReading) {
	at := p.meter.t
	counted := make(map[flow.ID]uint64, len(rules.Rules))
	for _, r := range rules.Rules {
		counted[r.Flow] = r.Packets
	}
	sent := make(map[flow.ID]*hw.FlowCounts, len(p.meter.traffic.Flows))
	for i := range p.meter.traffic.Flows {
		c := &p.meter.traffic.Flows[i]
		sent[c.Flow] = c
	}
	for i := range p.traffic.Flows {
		w, s, id := &p.traffic.Flows[i], &f.list[i], flow.ID(i)
		if len(w.Segments) == 0 || w.Segments[0].Start >= at {
			continue
		}
		row := results.Flow{Flow: int32(i), Src: w.Tuple.Src.String(), Dst: w.Tuple.Dst.String(),
			SrcPort: int32(w.Tuple.SrcPort), DstPort: int32(w.Tuple.DstPort), Proto: int32(w.Tuple.Proto),
			Start: w.Segments[0].Start.Seconds(), End: min(w.Segments[len(w.Segments)-1].End, at).Seconds(),
			Instance: int32(s.last), Moves: s.moves}
		if c := sent[id]; c != nil {
			row.Offered, row.Processed, row.Reordered = float64(c.Sent), float64(c.Received), float64(c.Reordered)
			row.Dropped = max(0, row.Offered-row.Processed)
		} else {
			row.Offered = float64(s.counted + counted[id] + s.forwarded)
			row.Queued = row.Offered
		}
		p.rec.Flow(&row)
	}
	if p.meter.traffic.Flows == nil {
		p.note("the generator does not tell flows apart: a flow's offered packets are those that the switch counted, " +
			"and what became of them is not known, so that they stand under queued")
	}
}
