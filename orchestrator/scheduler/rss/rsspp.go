package rss

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var rssppRow = policy.Row{
	Info: policy.Info{Name: "rss++",
		Rule: "the instance that a table has for the flow's hash; " +
			"buckets move from overloaded instances to others",
		Source: "Barbette et al., CoNEXT 2019, as released in fastclick 93ca5a6d037b",
		Score:  "the table's entry", Sees: policy.T0 | policy.T2,
		State: "the table, the load of each bucket, the instances that were given buckets last",
		Cost:  "log n; a tick: the flows, the buckets, and the instances for each bucket and run",
		Deviates: "a load is the rate of the instance's rules over the limit, for the share of useful cycles of a " +
			"core, so what the slow path forwards is not in it; an instance that leaves gives its buckets to the " +
			"others by the loads of the last tick; cores are neither added nor removed, and sockets not told apart"},
	Tuple:   true,
	Reasons: []string{"entry of the flow's hash"},
	Counters: []string{solverRuns: "runs of the solver", bucketsMoved: "buckets moved",
		undivided: "overloaded instances of one bucket"},
	Maker: policy.Make(newRSSPP),
}

const (
	solverRuns = iota
	bucketsMoved
	undivided
)

type rssppOptions struct {
	Table     int        `yaml:"table" default:"128" min:"1" max:"65536"`
	Tick      units.Time `yaml:"tick" default:"100ms" above:"0"`
	TickMin   units.Time `yaml:"tick_min" default:"10ms" above:"0"`
	TickMax   units.Time `yaml:"tick_max" default:"1s" above:"0"`
	Threshold float64    `yaml:"threshold" default:"0.02" min:"0" max:"1"`
	Keep      string     `yaml:"keep" enum:"last|best" default:"last"`
}

// Docs implements strictyaml.Documented.
func (rssppOptions) Docs() string {
	return `
table: entries of the table: buckets
tick: time between two rebalancings at first; it is halved where much imbalance is left, and doubled where nothing moves
tick_min: least time between two rebalancings
tick_max: most time between two rebalancings
threshold: share of the limit by which an instance's load must differ from the mean to be judged
keep: which of the solver's runs is carried out: last, as the released program does; best, as the paper says
`
}

// rsspp keeps a table from bucket to instance. At each tick it moves buckets from the instances whose load is above the
// mean to those below it. Its original takes the share of useful cycles of a core for its load; here that is the rate
// of the instance's rules over the limit, at most 1, since the original cannot see beyond either.
type rsspp struct {
	indirection
	threshold float32
	best      bool
	counts    []uint64

	tick, least, most units.Time

	since units.Time      // the last rebalancing
	load  []float32       // by bucket, at the last rebalancing
	fresh []flow.Instance // instances that were given buckets then: their load shows them only after the next
}

func newRSSPP(o rssppOptions, env policy.Env) (policy.Policy, error) {
	return &rsspp{
		indirection: tableOptions{o.Table, "5tuple"}.new(), load: make([]float32, o.Table), counts: env.Counts,
		threshold: float32(o.Threshold), best: o.Keep == "best",
		tick: min(max(o.Tick, o.TickMin), o.TickMax), least: o.TickMin, most: max(o.TickMax, o.TickMin),
	}, nil
}

// Observe keeps the table on instances that take work. Until the first unit is placed it is dealt out evenly; after
// that an instance that joins has no bucket until the next rebalancing, and one that leaves gives its own to the
// others, the greatest first, each to the one with the least load.
func (r *rsspp) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		r.begun = true
	case policy.Joined:
		for b := range r.table {
			if !r.begun {
				r.table[b] = v.IDs[b%len(v.IDs)]
			} else if r.table[b] == 0 {
				r.table[b] = v.IDs[e.Slot]
			}
		}
	case policy.Left:
		r.left(v.IDs[e.Slot], remain(e, v))
	}
}

func (r *rsspp) left(id flow.Instance, others []flow.Instance) {
	loads := make([]float32, len(others))
	var moving []int
	for b, at := range r.table {
		if i, ok := slices.BinarySearch(others, at); ok {
			loads[i] += r.load[b]
		} else if at == id {
			moving = append(moving, b)
		}
	}
	slices.SortStableFunc(moving, func(a, b int) int { return cmp.Compare(r.load[b], r.load[a]) })
	for n, b := range moving {
		if len(others) == 0 {
			r.table[b] = 0
			continue
		}
		to := least(loads, n)
		r.table[b] = others[to]
		loads[to] += r.load[b]
	}
}

// least is the lowest load; of equal ones, that which comes next in turn.
func least(loads []float32, turn int) int {
	best := turn % len(loads)
	for i := range loads {
		if k := (turn + i) % len(loads); loads[k] < loads[best] {
			best = k
		}
	}
	return best
}

// Every is the present tick.
func (r *rsspp) Every() units.Time { return r.tick }

// Moves rebalances the table, and moves all flows to where it has them then.
func (r *rsspp) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	span := v.Now - r.since
	r.since = v.Now
	if span <= 0 {
		return to
	}
	packets := make([]uint64, len(r.table))
	for i := range counted {
		packets[r.bucket(&counted[i].Work.Tuple)] += counted[i].Packets
	}
	r.rebalance(v, packets, span)
	return r.follow(v, counted, to)
}

// core is an instance with its share of the limit.
type core struct {
	packets   uint64
	busy      int // buckets with packets
	load      float32
	imbalance float32 // above 0: it has room
}

func (r *rsspp) rebalance(v *policy.View, packets []uint64, span units.Time) {
	cores := make([]core, len(v.IDs))
	slots := make([]int, len(r.table))
	for b, id := range r.table {
		slots[b], _ = slices.BinarySearch(v.IDs, id)
		c := &cores[slots[b]]
		c.packets += packets[b]
		if packets[b] > 0 {
			c.busy++
		}
	}
	var mean float32
	for i := range cores {
		cores[i].load = float32(min(1, float64(cores[i].packets)/span.Seconds()/v.Limit))
		mean += cores[i].load
	}
	mean /= float32(len(cores))
	for b, n := range packets {
		r.load[b] = 0
		if c := &cores[slots[b]]; c.packets > 0 {
			r.load[b] = float32(float64(n) / float64(c.packets) * float64(c.load))
		}
	}

	var p problem
	var over, under, moving []int // slots, slots and buckets of the problem
	number := map[int]int{}       // of an overloaded slot in the problem
	for i := range cores {
		c := &cores[i]
		if slices.Contains(r.fresh, v.IDs[i]) {
			continue
		}
		switch c.imbalance = mean - c.load; {
		case c.imbalance > r.threshold:
			p.under, under = append(p.under, c.imbalance), append(under, i)
		case c.imbalance < -r.threshold && c.busy <= 1:
			r.counts[undivided]++
		case c.imbalance < -r.threshold:
			number[i] = len(over)
			p.over, over = append(p.over, -c.imbalance), append(over, i)
		}
	}
	r.fresh = r.fresh[:0]
	moved := false
	if len(over) > 0 && len(under) > 0 {
		for b, slot := range slots {
			if k, ok := number[slot]; ok && packets[b] > 0 {
				p.buckets, moving = append(p.buckets, bucket{k, r.load[b]}), append(moving, b)
			}
		}
		to, _, runs := p.solve(r.best)
		r.counts[solverRuns] += uint64(runs)
		for i, k := range to {
			if k < 0 {
				continue
			}
			b := moving[i]
			cores[slots[b]].imbalance += r.load[b]
			cores[under[k]].imbalance -= r.load[b]
			r.table[b] = v.IDs[under[k]]
			r.counts[bucketsMoved]++
			if !slices.Contains(r.fresh, r.table[b]) {
				r.fresh = append(r.fresh, r.table[b])
			}
			moved = true
		}
	}
	r.adapt(cores, moved)
}

// adapt sets the next tick by the imbalance that is left.
func (r *rsspp) adapt(cores []core, moved bool) {
	var left float32
	for i := range cores {
		left += max(cores[i].imbalance, -cores[i].imbalance)
	}
	switch {
	case left > 0.4:
		r.tick = r.least
	case left > 0.2:
		r.tick /= 2
	case !moved:
		r.tick *= 2
	}
	r.tick = min(max(r.tick, r.least), r.most)
}
