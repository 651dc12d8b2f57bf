package bruteforce

import (
	"container/heap"
	"math/big"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/units"
)

// The classes of events at one instant, in their order: docs/model.md, "Time and order".
const (
	departures   = iota // of what an instance serves
	windowEnds          // of the record
	faultsChange        // begin or end
	traffic             // flows begin and stop
	orders              // rules and containers
	flowsEnd            // the orchestrator is told
	countersCome
	timersFire // the readings' before the autoscaler's
	steered    // flows that begin where there are no rules
	packets    // are sent, forwarded by the eSwitch or by the slow path
	packetIns  // first packets at the scheduler
	arrivals   // at the rings: from the slow path, then by rule
)

// event is one thing that happens. At one instant and in one class, the lower rank comes first, then what was scheduled
// earlier.
type event struct {
	at    units.Time
	class int
	rank  int
	seq   int
	do    func()
}

type events []*event

func (h events) Len() int      { return len(h) }
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)   { *h = append(*h, x.(*event)) }
func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
func (h events) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.class != b.class:
		return a.class < b.class
	case a.rank != b.rank:
		return a.rank < b.rank
	}
	return a.seq < b.seq
}

// plant is the whole testbed.
type plant struct {
	sc  *scenarios.Scenario
	now units.Time
	end units.Time

	heap events
	seq  int

	orch   *orchestrator.Orchestrator
	rec    *results.Memory
	timers [orchestrator.Timers]int // how often each was set
	faults map[string]int
	frozen []orchestrator.Counter
	stuck  []orchestrator.RuleCounter // what rules counted when the counters stalled
	rules  []reading                  // of the rules' counters, whenever the instances' were read

	flows     []*flowState
	instances []*instance // instance i is instances[i-1]
	most      int         // that were up at once

	link    line
	eswitch line
	staged  bool     // link and eSwitch take time now
	beyond  bool     // they did at any time
	pipe    []*frame // what they hold

	slow *slowPath

	ruleless bool // the switch sends every packet on without a rule
	grew     int  // flows that had sent enough for a rule

	taken      int        // rules in the table or on their way there
	writerFree units.Time // when the writer is

	stalled []func() // requests that a stalled container engine has not answered

	windowBegan units.Time
	sum, before counts
	totals      results.Totals
	delays      map[scope]map[string][]int64
}

// counts are packets since the run began.
type counts struct {
	offered, ingress, processed, slow, reordered         int
	bytes, processedBytes                                int
	lostLink, lostESwitch, lostSlow, lostInstance, unfit int
}

func (c *counts) lost() int {
	return c.lostLink + c.lostESwitch + c.lostSlow + c.lostInstance + c.unfit
}

// frame is one packet.
type frame struct {
	flow      *flowState
	sent      units.Time
	size      int
	leaves    units.Time // the eSwitch
	first     bool       // of its flow, or the first since its rule was taken away
	overtaken bool       // in the slow path
	arrived   units.Time // at the ring
	needs     units.Time // service that is left
	served    units.Time // its service began
	begun     bool
}

// flowState is a flow.
type flowState struct {
	id         flow.ID
	tuple      flow.FiveTuple
	truth      float64 // that an oracle is told
	tenant     string
	size       int
	begin, end units.Time
	next       func() (units.Time, bool) // its packets
	rate       float64                   // of the limits of link and eSwitch; 0 while it sends nothing
	random     bool
	rank       int // of its packets at one instant: those with times of their own, then those of constant rates

	live, announced, seen, ended, endDue bool

	target   flow.Instance // where the slow path sends it
	held     *frame        // its first, that waits with the scheduler
	asking   bool          // the scheduler is asked in this instant
	sending  bool          // its held packet, in this instant
	decided  bool          // the scheduler has named the target, or refused the flow
	hasRule  bool
	rule     flow.Instance
	from     flow.Instance // the rule was moved from there, and no packet has followed it yet
	writing  bool
	want     flow.Instance
	write    int
	assigned flow.Instance
	moves    int
	byRule   int // packets that its rule has forwarded to an instance
	hops     int // instances that hand its packets on
	served   int // packets that the slow path has served
	broken   bool
	counts   counts
}

func (p *plant) at(t units.Time, class, rank int, do func()) {
	p.seq++
	heap.Push(&p.heap, &event{t, class, rank, p.seq, do})
}

// simulate runs a scenario.
func simulate(t testing.TB, sc *scenarios.Scenario) *plant {
	t.Helper()
	p := &plant{sc: sc, rec: results.NewMemory(), faults: map[string]int{}, delays: map[scope]map[string][]int64{}}
	var err error
	if p.orch, err = orchestrator.New(sc.Orchestrator(), p.rec); err != nil {
		t.Fatal(err)
	}
	p.flows = flowsOf(t, sc)
	p.end = sc.Duration
	if p.end == 0 {
		for _, f := range p.flows {
			p.end = max(p.end, f.end+sc.Telemetry.Window)
		}
	}
	p.initStage()
	p.load()
	p.slow = newSlowPath(p)
	p.ruleless = sc.Scheduler.Ruleless()
	for i := range sc.Faults {
		f := &sc.Faults[i]
		p.at(f.At, faultsChange, 0, func() { p.fault(f, true) })
		if f.For > 0 {
			p.at(f.At+f.For, faultsChange, 0, func() { p.fault(f, false) })
		}
	}
	for _, f := range p.flows {
		p.at(f.begin, traffic, int(f.id), func() { p.begins(f) })
	}
	p.at(min(sc.Telemetry.Window, p.end), windowEnds, 0, p.window)
	p.tell(orchestrator.Event{Kind: orchestrator.Start})
	for {
		e := heap.Pop(&p.heap).(*event)
		if e.at == p.end && e.class > departures || e.at > p.end {
			break
		}
		p.now = e.at
		e.do()
	}
	p.now = p.end
	p.finish(t)
	return p
}

// flowsOf are the flows of a workload of rules, in order of their beginnings.
func flowsOf(t testing.TB, sc *scenarios.Scenario) (all []*flowState) {
	w := simtest.Traffic(t, sc)
	own, source := map[flow.ID][]units.Time{}, map[flow.ID]int{}
	for i, ps := range w.Packets {
		own[ps.Flows[0]], source[ps.Flows[0]] = timesOf(t, ps.Open()), i
	}
	type rule struct {
		begin, end units.Time
		n          func(k int64) units.Time // when packet k comes
		size       int
		mean       float64
	}
	var rules []rule
	for _, src := range sc.Workload {
		if c := src.CBR; c != nil {
			period := new(big.Rat) // between two packets, ps
			if c.Total != 0 {
				period.SetInt64(int64(c.PacketSize+sc.NIC.FrameOverhead) * 8 * int64(c.Flows))
				period.Quo(period, new(big.Rat).SetFloat64(float64(c.Total)))
			} else {
				period.Inv(new(big.Rat).SetFloat64(float64(c.Rate)))
			}
			period.Mul(period, big.NewRat(int64(units.Second), 1))
			for i := range c.Flows {
				begin := c.Start + units.Time(i)*c.Interval
				sends, size := every(begin, period), int(c.PacketSize)
				rules = append(rules, rule{begin, sc.Duration, sends, size, perSecond(period)})
			}
			continue
		}
		for _, f := range src.Flows {
			period := new(big.Rat).SetInt64(int64(f.Period))
			if f.Period == 0 {
				period.Inv(new(big.Rat).SetFloat64(float64(f.Rate)))
				period.Mul(period, big.NewRat(int64(units.Second), 1))
			}
			end := f.End
			if end == 0 {
				end = sc.Duration
			}
			rules = append(rules, rule{f.Phase, end, every(f.Phase, period), int(f.PacketSize), perSecond(period)})
		}
	}
	// They come in order of their beginnings, those of one instant as they are listed.
	for len(rules) > 0 {
		first := 0
		for i := range rules {
			if rules[i].begin < rules[first].begin {
				first = i
			}
		}
		r := rules[first]
		rules = append(rules[:first], rules[first+1:]...)
		if r.begin >= r.end {
			continue
		}
		f := &flowState{id: flow.ID(len(all)), size: r.size, begin: r.begin, end: r.end, rate: r.mean}
		f.rank = len(w.Packets) + len(all)
		k := int64(0)
		f.next = func() (units.Time, bool) {
			k++
			at := r.n(k - 1)
			return at, at < r.end
		}
		if times, random := own[f.id]; random {
			f.random, f.rank = true, source[f.id]
			f.next = func() (at units.Time, ok bool) {
				if len(times) == 0 {
					return 0, false
				}
				at, times = times[0], times[1:]
				return at, at < r.end
			}
		}
		all = append(all, f)
	}
	if len(all) != len(w.Flows) {
		t.Fatalf("%d flows, the workload has %d", len(all), len(w.Flows))
	}
	for i, f := range all {
		f.tuple, f.truth, f.tenant = w.Flows[i].Tuple, w.Flows[i].Rate(), w.Tenant(flow.ID(i))
		if s := w.Flows[i].Segments; f.begin != s[0].Start || f.end != s[0].End {
			t.Fatalf("flow %d from %v to %v, the workload has it from %v to %v",
				i, f.begin, f.end, s[0].Start, s[0].End)
		}
	}
	return all
}

// every gives the time of packet k: begin + k·period, rounded.
func every(begin units.Time, period *big.Rat) func(int64) units.Time {
	return func(k int64) units.Time {
		n := new(big.Int).Mul(big.NewInt(2*k), period.Num())
		n.Add(n, period.Denom())
		n.Div(n, new(big.Int).Mul(big.NewInt(2), period.Denom()))
		return begin + units.Time(n.Int64())
	}
}

func perSecond(period *big.Rat) float64 {
	r, _ := new(big.Rat).Quo(big.NewRat(int64(units.Second), 1), period).Float64()
	return r
}

// begins starts a flow: its packets come one after the other, and it ends.
func (p *plant) begins(f *flowState) {
	f.live = true
	p.load()
	p.contend()
	if p.ruleless { // nothing misses; what has not been sent anywhere is dropped
		f.hasRule, f.rule = true, 0
		p.at(p.now, steered, 0, func() {
			f.seen = true
			p.tell(orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: f.id, Tuple: f.tuple})
		})
	}
	var come func(units.Time)
	come = func(at units.Time) {
		send := func() {
			p.send(&frame{flow: f, sent: p.now, size: f.size})
			if next, ok := f.next(); ok {
				come(next)
			}
		}
		p.at(at, packets, f.rank, send)
	}
	p.at(f.end, traffic, int(f.id), func() { p.stops(f) })
	if at, ok := f.next(); ok {
		come(at)
	}
}

// stops ends a flow.
func (p *plant) stops(f *flowState) {
	f.live = false
	p.load()
	p.contend()
	p.at(p.now, flowsEnd, 0, func() {
		f.ended = true
		if f.endDue = !f.seen; !f.endDue {
			p.close(f)
		}
	})
}

// close takes a flow off the switch and the orchestrator. What link and eSwitch still hold of it goes on to the
// instance of its rule, and without one to the slow path.
func (p *plant) close(f *flowState) {
	had := f.hasRule && f.rule != 0
	p.removeRule(f)
	f.hasRule = had
	p.tell(orchestrator.Event{Kind: orchestrator.FlowEnded, Flow: f.id})
	if f.target == 0 { // assigned nowhere, and never will be
		p.release(f)
	}
}

// firstSeen is a first packet at the scheduler.
func (p *plant) firstSeen(f *flowState) {
	f.seen = true
	f.asking = false
	p.at(p.now, packets, -5, p.slow.forward)
	if f.ended && !f.endDue { // and asked again after its rule was taken away
		p.release(f)
		return
	}
	e := orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: f.id, Tuple: f.tuple, Tenant: f.tenant}
	if p.orch.WantsRates() {
		e.Rate = f.truth
	}
	p.tell(e)
	if f.endDue {
		f.endDue = false
		p.close(f)
	}
}

// grown is a flow that has sent enough for a rule.
func (p *plant) grown(f *flowState) {
	if !f.ended {
		p.grew++
		p.tell(orchestrator.Event{Kind: orchestrator.FlowGrown, Flow: f.id})
	}
}

// tell hands an event to the orchestrator and does what it wants.
func (p *plant) tell(e orchestrator.Event) {
	p.rec.Event(p.now, &e)
	actions := append([]orchestrator.Action(nil), p.orch.Handle(p.now, &e)...)
	for k := range actions {
		a := &actions[k]
		p.rec.Action(p.now, a)
		switch a.Kind {
		case orchestrator.InstallRule, orchestrator.MoveRule:
			p.writeRule(p.flows[a.Flow], a.Instance)
		case orchestrator.RemoveRule:
			f := p.flows[a.Flow]
			p.removeRule(f)
			f.target, f.decided, f.announced = 0, false, false // its next packet is a first again
			p.contend()
		case orchestrator.Steer:
			p.steer(p.flows[a.Flow], a.Instance, int(a.Hops))
		case orchestrator.CreateInstance:
			p.create(a.Share, e.Kind == orchestrator.Start)
		case orchestrator.ResizeInstance:
			p.resize(p.instances[a.Instance-1], a.Share)
		case orchestrator.DeleteInstance:
			p.delete(p.instances[a.Instance-1])
		case orchestrator.ReadCounters:
			p.read()
		case orchestrator.ReadRules:
			p.readRules()
		case orchestrator.SetTimer:
			which := a.Timer
			p.timers[which]++
			set := p.timers[which]
			rank := 0
			if which == orchestrator.AutoscaleTimer {
				rank = 1
			}
			p.at(max(a.At, p.now), timersFire, rank, func() {
				if set == p.timers[which] {
					p.tell(orchestrator.Event{Kind: orchestrator.Tick, Timer: which})
				}
			})
		}
	}
}

// read samples the counters; they arrive after the telemetry's delay.
func (p *plant) read() {
	sampled, c := p.now, p.frozen
	if p.faults["counters-stall"] == 0 {
		c = p.counters()
	}
	p.at(p.now+p.sc.Telemetry.Delay, countersCome, 0, func() {
		p.tell(orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: sampled, Counters: c})
	})
}

// readRules samples the counters of the rules in the same way.
func (p *plant) readRules() {
	sampled, c := p.now, p.stuck
	if p.faults["counters-stall"] == 0 {
		c = p.ruleCounters()
	}
	p.at(p.now+p.sc.Telemetry.Delay, countersCome, 0, func() {
		p.tell(orchestrator.Event{Kind: orchestrator.RulesRead, Sampled: sampled, Rules: c})
	})
}

func (p *plant) counters() (c []orchestrator.Counter) {
	p.rules = append(p.rules, reading{p.now, p.ruleCounters()})
	for _, i := range p.instances {
		if i.state == ready || i.state == stopping {
			c = append(c, orchestrator.Counter{Instance: i.id, RxPackets: uint64(i.offered),
				TxPackets: uint64(i.processed), RxBytes: uint64(i.bytes)})
		}
	}
	return c
}

func (p *plant) ruleCounters() (c []orchestrator.RuleCounter) {
	for _, f := range p.flows {
		if f.hasRule && f.decided && !f.ended {
			c = append(c, orchestrator.RuleCounter{Flow: f.id, Packets: uint64(f.byRule)})
		}
	}
	return c
}

// fault begins or ends one.
func (p *plant) fault(f *scenarios.Fault, begins bool) {
	if f.Kind == "instance-death" {
		if begins && f.Instance <= len(p.instances) {
			p.fail(p.instances[f.Instance-1], "it died")
		}
		return
	}
	if begins {
		p.faults[f.Kind]++
		if f.Kind == "counters-stall" && p.faults[f.Kind] == 1 {
			p.frozen, p.stuck = p.counters(), p.ruleCounters()
		}
		p.contend() // what instances are offered ends with the link
		return
	}
	p.faults[f.Kind]--
	p.contend()
	if f.Kind == "engine-stall" && p.faults[f.Kind] == 0 {
		answers := p.stalled
		p.stalled = nil
		for _, a := range answers {
			a()
		}
	}
}
