// Package nomad has Nomad's way of placing allocations on nodes, as a policy that places flows on instances.
//
// The thesis compares its schedulers with those of orchestrators, which place containers and not flows. So this is a
// reconstruction. Its scores, and how they are put together and compared, are Nomad's. What a flow and an instance are
// in them is this project's: an instance is a node and a flow is an allocation; the packet rate stands for the CPU, of
// which an instance has scheduler.limit, and the flows stand for the memory, of which it has instances.maxconn.
package nomad

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{
	row("nomad-binpack", "that packs packet rate and flows together", binpack),
	row("nomad-spread", "that spreads packet rate and flows out", spread),
}

func row(name, rule string, fit func(cpu, memory float64) float64) policy.Row {
	return policy.Row{
		Info: policy.Info{Name: name,
			Rule: "the best of some instances in a random order, by a score " + rule,
			Source: "Nomad aa026cc99cfb, nomad/structs/funcs.go; scheduler/feasible/rank.go, spread.go, select.go, " +
				"stack.go", Score: "mean of the scores; 0 for an instance that the flow does not fit on",
			Sees: policy.T0 | policy.T1 | policy.T2,
			State: "what new flows are expected to bring, as best-fit; with count, the flows of each source on each " +
				"instance",
			Cost: "log n; n with affinity or spread_block, and where few instances have room",
			Deviates: "a reconstruction: Nomad places allocations on nodes, by what they ask for and not by what is " +
				"measured. The packet rate stands for the CPU, the flows for the memory, which without maxconn is " +
				"endless; preemption, constraints, devices and penalties for nodes on which an allocation failed are " +
				"not there; the order is drawn as far as it is looked at"},
		Highest:  true,
		Tuple:    true,
		Reasons:  thesis.Reasons("highest score"),
		Counters: []string{"scored"},
		Maker: policy.Make(func(o options, env policy.Env) (policy.Policy, error) {
			return newPlacer(o, fit, env), nil
		}),
	}
}

type options struct {
	Ask      units.PPS `yaml:"ask" default:"0pps"`
	NoFit    string    `yaml:"nofit" enum:"least-loaded|reject|queue" default:"queue"`
	Count    int       `yaml:"count" default:"0" min:"0" max:"1000000000"`
	Affinity bool      `yaml:"affinity" default:"false"`
	Spread   string    `yaml:"spread_block" enum:"none|even|weights" default:"none"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
ask: the packet rate that a flow asks for; 0pps: the mean rate of the live flows, as it is measured
nofit: what to do with a flow that fits on no instance. queue: it waits until one has room, as in Nomad; reject: drop it;
	least-loaded: place it there all the same
count: how many allocations a job wants. Above 0, flows of one source address are a job, and instances that have some of
	it score lower (job anti-affinity); 0: each flow is a job of its own
affinity: whether instances.weights are affinities, which count beside the fit
spread_block: whether jobs spread over instances, by a score that counts beside the fit. even: evenly; weights: with
	instances.weights as the targets, in percent, of all flows
`
}

// placer is both policies.
type placer struct {
	thesis.Fit
	o      options
	env    policy.Env
	fit    func(cpu, memory float64) float64
	jobs   map[member]int32
	all    group
	order  []int // rows, in an order that earlier decisions left
	drawn  int   // of them, in this decision
	limit  limiter
	scores []float64
	seen   []policy.Rating
}

// member is a job's part on an instance.
type member struct {
	source netip.Addr
	at     flow.Instance
}

// group is what all instances are together, in one decision.
type group struct {
	flows       int32
	weights     int64
	least, most int32 // flows of the instances that have any
	targets     targets
}

func newPlacer(o options, fit func(cpu, memory float64) float64, env policy.Env) *placer {
	t := thesis.Options{Metric: "offered", Demand: "mean", DemandRate: o.Ask, NoFit: o.NoFit, InFlight: true}
	if o.Ask > 0 {
		t.Demand = "fixed"
	}
	return &placer{Fit: thesis.NewFit(t, env), o: o, env: env, fit: fit, jobs: map[member]int32{}}
}

// Observe keeps the loads, and the jobs.
func (p *placer) Observe(e *policy.Event, v *policy.View) {
	p.Fit.Observe(e, v)
	if p.o.Count == 0 || e.Kind != policy.Placed && e.Kind != policy.Ended {
		return
	}
	switch m := (member{e.Work.Tuple.Src, e.Work.At}); {
	case e.Kind == policy.Placed:
		p.jobs[m]++
	case p.jobs[m] == 1:
		delete(p.jobs, m)
	default:
		p.jobs[m]--
	}
}

func (p *placer) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	p.begin(v)
	source := func() (candidate, bool) { return p.draw(w, v, log != nil) }
	best := candidate{slot: -1}
	for c, ok := p.limit.next(source); ok; c, ok = p.limit.next(source) {
		if log != nil {
			p.seen[slices.IndexFunc(p.seen, func(r policy.Rating) bool { return r.Slot == c.slot })].Fits = true
		}
		if best.slot < 0 || c.score > best.score {
			best = c
		}
	}
	if log != nil {
		slices.SortFunc(p.seen, func(a, b policy.Rating) int { return a.Slot - b.Slot })
		for _, r := range p.seen {
			log.Add(r.Slot, r.Score, r.Fits)
		}
	}
	if best.slot < 0 {
		return p.NoFit()
	}
	return policy.Answer{Slot: best.slot}
}

// The limits of a search: how many candidates are looked at, at least, where weights or a spread block count; and how
// many of those that score 0 or less may be put back.
const (
	fewest  = 100
	putBack = 3
)

// begin prepares a decision: the order of the instances is open, and none is scored.
func (p *placer) begin(v *policy.View) {
	n := len(v.IDs)
	if len(p.order) != n {
		p.order = p.order[:0]
		for slot := range n {
			p.order = append(p.order, slot)
		}
	}
	p.drawn, p.seen = 0, p.seen[:0]
	p.limit = limiter{limit: max(2, bits.Len(uint(n-1))), most: putBack, skipped: p.limit.skipped[:0]}
	if !p.o.Affinity && p.o.Spread == "none" {
		return
	}
	all := group{targets: targets{lowest: -1}}
	for slot, flows := range v.Flows {
		all.flows += flows
		all.weights += int64(v.Weight[slot])
		if flows > 0 && (all.least == 0 || flows < all.least) {
			all.least = flows
		}
		all.most = max(all.most, flows)
	}
	p.all, p.limit.limit = all, max(fewest, int(all.flows)+1)
}

// draw is the next instance, in a random order, that the flow fits on.
func (p *placer) draw(w *policy.Work, v *policy.View, log bool) (candidate, bool) {
	for p.drawn < len(p.order) {
		i := p.drawn + p.env.Rand.IntN(len(p.order)-p.drawn)
		p.order[p.drawn], p.order[i] = p.order[i], p.order[p.drawn]
		slot := p.order[p.drawn]
		p.drawn++
		c := candidate{slot: slot}
		fits := p.Fits(v, p.Load(slot)) && (v.MaxConn[slot] == 0 || v.Flows[slot] < v.MaxConn[slot])
		if fits {
			p.env.Counts[0]++
			c.score = p.score(w, v, slot)
		}
		if log {
			p.seen = append(p.seen, policy.Rating{Slot: slot, Score: c.score})
		}
		if fits {
			return c, true
		}
	}
	return candidate{}, false
}

// score is the mean of the scores that have something to say of an instance with the flow on it.
func (p *placer) score(w *policy.Work, v *policy.View, slot int) float64 {
	cpu, memory := (p.Load(slot)+p.Demand())/v.Limit, 0.0
	if most := v.MaxConn[slot]; most > 0 {
		memory = float64(v.Flows[slot]+1) / float64(most)
	}
	p.scores = append(p.scores[:0], p.fit(cpu, memory)/mostFit)
	if p.o.Count > 0 {
		if k := p.jobs[member{w.Tuple.Src, v.IDs[slot]}]; k > 0 {
			p.scores = append(p.scores, antiAffinity(int(k), p.o.Count))
		}
	}
	weight, weights := float64(v.Weight[slot]), float64(max(1, p.all.weights))
	if p.o.Affinity {
		p.scores = append(p.scores, affinity(weight, weights))
	}
	block := 0.0
	switch p.o.Spread {
	case "even":
		block = evenSpread(v.Flows[slot], p.all.least, p.all.most)
	case "weights":
		block = p.all.targets.boost(float64(weight/weights*float64(p.all.flows+1)), int(v.Flows[slot]))
	}
	if block != 0 {
		p.scores = append(p.scores, block)
	}
	return mean(p.scores)
}
