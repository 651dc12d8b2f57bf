package sim

import (
	"math/bits"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// ruleTable is the eSwitch's rule table: a capacity, one writer with a rate, and a latency from the write until packets
// follow the rule.
type ruleTable struct {
	nic     *scenarios.NIC
	flows   []flowRule
	inForce flowSet
	used    int        // rules in the table or on their way there
	free    units.Time // the writer is free from then on
	perRule units.Time

	installed, rejected, moves int64
	broken                     int64                // flows that reached another instance without having been moved
	handed                     map[flow.ID]*handing // flows whose packets instances hand on, or have
}

// flowRule is what the control plane knows of a flow.
type flowRule struct {
	want, last flow.Instance // of the rule being written; where its packets went last
	gen        uint32        // of the write under way
	moves      int32
	broken     bool // its packets have reached two instances without a move
	writing    bool // a rule is being written
	routed     bool // the scheduler has assigned or refused it
	seen       bool // the scheduler has seen its first packet
	ended      bool // it has sent its last packet
}

func (r *ruleTable) init(nic *scenarios.NIC, flows int) {
	r.nic = nic
	r.flows, r.inForce = make([]flowRule, flows), make(flowSet, (flows+63)/64)
	if nic.InstallRate > 0 {
		r.perRule = units.FromSeconds(1 / nic.InstallRate)
	}
}

// grow makes room for as many flows.
func (r *ruleTable) grow(flows int) {
	r.flows = append(r.flows, make([]flowRule, flows-len(r.flows))...)
	r.inForce = append(r.inForce, make(flowSet, (flows+63)/64-len(r.inForce))...)
}

// write begins to install or change the flow's rule.
func (r *ruleTable) write(p *plant, f flow.ID, i flow.Instance) {
	s := &r.flows[f]
	s.gen++
	s.want, s.routed = i, true
	r.free = max(r.free, p.now) + r.perRule
	has := r.inForce.has(f)
	if !has {
		p.data.Target(p.now, f, i)
		r.follow(s, i)
	}
	if !has && !s.writing {
		if r.nic.Rules > 0 && r.used >= r.nic.Rules {
			p.push(ClassPlant, Event{At: r.free, Kind: evRule, A: int32(f), Gen: s.gen})
			return
		}
		r.used++
	}
	s.writing = true
	p.push(ClassPlant, Event{At: r.free + r.nic.InstallLatency, Kind: evRule, A: int32(f), Gen: s.gen})
}

// take puts a written rule into force, or reports its refusal.
func (r *ruleTable) take(p *plant, f flow.ID, gen uint32) {
	s := &r.flows[f]
	if gen != s.gen {
		return
	}
	has, reason := r.inForce.has(f), ""
	switch {
	case !has && !s.writing:
		reason = "rule table full"
	case p.faults.rulesRejected():
		reason = "rule refused by the switch"
		if !has {
			r.used--
		}
	}
	s.writing = false
	if reason != "" {
		r.rejected++
		e := p.begin(orchestrator.RuleRejected)
		e.Flow, e.Instance, e.Reason = f, s.want, reason
		p.deliver()
		return
	}
	r.installed++
	r.inForce.add(f)
	r.follow(s, s.want)
	p.data.Rule(p.now, f, s.want)
	e := p.begin(orchestrator.RuleInstalled)
	e.Flow, e.Instance = f, s.want
	p.deliver()
}

// follow notes the instance to which the flow's packets go from now on, by rule or by the slow path.
func (r *ruleTable) follow(s *flowRule, i flow.Instance) {
	if i == 0 || i == s.last {
		return
	}
	if s.last != 0 {
		s.moves++
		r.moves++
	}
	s.last = i
}

// steer sends the flow's packets to the instance without a rule. A flow that comes from another instance is broken:
// nobody knows it there.
func (r *ruleTable) steer(p *plant, f flow.ID, i flow.Instance, hops uint8) {
	s := &r.flows[f]
	s.routed = true
	if !p.sc.Scheduler.Ruleless() { // no rule yet
		p.data.Target(p.now, f, i)
		r.follow(s, i)
		return
	}
	r.handOn(p, f, hops)
	if i != 0 && i != s.last {
		if s.last != 0 && !s.broken {
			s.broken = true
			r.broken++
		}
		s.last = i
	}
	p.data.Rule(p.now, f, i)
}

// handing is how the packets of a flow are handed on: by how many instances, and since it had sent how many packets.
type handing struct {
	hops uint8
	from uint64
	sum  uint64 // so far, each as often as it was handed on
}

// handOn begins to count, or to count otherwise, how often packets of the flow are handed on.
func (r *ruleTable) handOn(p *plant, f flow.ID, hops uint8) {
	h := r.handed[f]
	if h == nil {
		if hops == 0 {
			return
		}
		if r.handed == nil {
			r.handed = map[flow.ID]*handing{}
		}
		h = &handing{}
		r.handed[f] = h
	}
	h.count(p, f)
	h.hops = hops
}

func (h *handing) count(p *plant, f flow.ID) {
	c := [1]orchestrator.RuleCounter{{Flow: f}}
	p.data.RuleCounters(p.now, c[:])
	h.sum += (c[0].Packets - h.from) * uint64(h.hops)
	h.from = c[0].Packets
}

// handOns is how often packets have been handed on.
func (r *ruleTable) handOns(p *plant) (n int64) {
	for f, h := range r.handed {
		h.count(p, f)
		n += int64(h.sum)
	}
	return n
}

// remove takes the flow's rule out, whether it is in force or being written.
func (r *ruleTable) remove(p *plant, f flow.ID) {
	s := &r.flows[f]
	s.gen++
	if r.inForce.has(f) || s.writing {
		r.used--
	}
	p.data.Unrule(p.now, f) // also of a rule that the table will refuse
	r.inForce.remove(f)
	s.writing, s.routed = false, false
}

// flowSet is a set of flows with a bit for each, so that walking it is cheap even if most flows have ended.
type flowSet []uint64

func (s flowSet) has(f flow.ID) bool { return s[f/64]&(1<<(f%64)) != 0 }
func (s flowSet) add(f flow.ID)      { s[f/64] |= 1 << (f % 64) }
func (s flowSet) remove(f flow.ID)   { s[f/64] &^= 1 << (f % 64) }

// all yields the flows in order.
func (s flowSet) all(yield func(flow.ID) bool) {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(flow.ID(64*i + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}
