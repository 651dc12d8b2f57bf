package orchestrator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// booked is a policy with books of what it is told: where each flow is, and which are held. It keeps the first thing
// that is wrong.
type booked struct {
	policy.Policy
	tuple bool // it is shown five-tuples
	at    map[flow.ID]flow.Instance
	held  map[flow.ID]bool
	wrong error
}

func (b *booked) fail(format string, args ...any) {
	if b.wrong == nil {
		b.wrong = fmt.Errorf(format, args...)
	}
}

func (b *booked) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		if b.at[e.Work.Flow] != 0 || e.Work.At == 0 || v.IDs[e.Slot] != e.Work.At {
			b.fail("flow %d is placed on %d, row %d of %v, while it is on %d",
				e.Work.Flow, e.Work.At, e.Slot, v.IDs, b.at[e.Work.Flow])
		}
		b.at[e.Work.Flow] = e.Work.At
	case policy.Ended:
		if at := b.at[e.Work.Flow]; at == 0 || at != e.Work.At || e.Slot >= 0 && v.IDs[e.Slot] != at {
			b.fail("flow %d ends on %d, row %d of %v, while it is on %d", e.Work.Flow, e.Work.At, e.Slot, v.IDs, at)
		}
		delete(b.at, e.Work.Flow)
	case policy.Queued:
		if b.held[e.Work.Flow] || b.at[e.Work.Flow] != 0 || e.Work.At != 0 {
			b.fail("flow %d is queued, while it is held: %v, or on %d", e.Work.Flow, b.held[e.Work.Flow], e.Work.At)
		}
		b.held[e.Work.Flow] = true
	case policy.Unqueued:
		if !b.held[e.Work.Flow] {
			b.fail("flow %d is taken from the queue, but is not held", e.Work.Flow)
		}
		delete(b.held, e.Work.Flow)
	}
	if e.Kind == policy.Placed && b.held[e.Work.Flow] {
		b.fail("flow %d is placed while it is held", e.Work.Flow)
	}
	b.Policy.Observe(e, v)
}

// The optional parts of a policy show through.
type (
	bookedMover struct {
		*booked
		policy.Mover
	}
	bookedEstimator struct {
		*booked
		policy.Estimator
	}
	bookedKeeper struct {
		*booked
		policy.Keeper
	}
	bookedRanker struct {
		bookedEstimator
		policy.Ranker
	}
)

func (b bookedMover) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	for i, c := range counted {
		w := &c.Work
		if len(v.IDs) == 0 || v.IDs[c.Slot] != w.At || b.at[w.Flow] != w.At || w.Tuple.Src.IsValid() != b.tuple ||
			i > 0 && counted[i-1].Work.Flow >= w.Flow {
			b.fail("counted %d is %+v, in a view of %v", i, c, v.IDs)
		}
	}
	return b.Mover.Moves(v, counted, to)
}

func (b bookedKeeper) Keeps(w *policy.Work, v *policy.View, lives func(flow.Instance) bool) (units.Time, int) {
	if w.At == 0 || b.at[w.Flow] != w.At || !lives(w.At) {
		b.fail("asks whether %+v stays, which is on %d", *w, b.at[w.Flow])
	}
	return b.Keeper.Keeps(w, v, lives)
}

// withBooks has the configuration's policy keep books.
func withBooks(c Config) (Config, *booked) {
	row := *scheduler.Policies.Find(c.Scheduler.Policy.Name)
	b := &booked{tuple: row.Tuple, at: map[flow.ID]flow.Instance{}, held: map[flow.ID]bool{}}
	made := row.New
	row.New = func(options any, env policy.Env) (policy.Policy, error) {
		p, err := made(options, env)
		b.Policy = p
		switch p := p.(type) {
		case policy.Mover:
			return bookedMover{b, p}, err
		case policy.Estimator:
			estimator := bookedEstimator{b, p}
			if r, ok := p.(policy.Ranker); ok {
				return bookedRanker{estimator, r}, err
			}
			return estimator, err
		case policy.Keeper:
			return bookedKeeper{b, p}, err
		}
		return b, err
	}
	c.Policy = &row
	return c, b
}

// moveLog keeps the decisions to move a flow.
type moveLog []Decision

func (l *moveLog) Decided(d *Decision) {
	if d.Kind == Move {
		*l = append(*l, *d)
	}
}

// check holds the moves of one event against what came of them.
func (l *moveLog) check(o *Orchestrator, e *Event, actions []Action) error {
	for _, d := range *l {
		f := o.flow(d.Flow)
		switch order := (Action{Kind: MoveRule, Flow: d.Flow, Instance: d.Instance}); {
		case e.Kind != RulesRead:
			return fmt.Errorf("flow %d moves, but no rules were read", d.Flow)
		case !slices.Contains(actions, order):
			return fmt.Errorf("flow %d moves to %d without an order", d.Flow, d.Instance)
		case f.phase != placed || o.insts[f.target].state != ready || o.insts[d.Instance].state != ready:
			return fmt.Errorf("flow %d moves to %d, which is not ready", d.Flow, d.Instance)
		}
	}
	return nil
}

// mover is a policy that places all flows on the first instance and moves what its test tells it to.
type mover struct {
	policy.Stateless
	counted []policy.Counted
	moves   []policy.Move
}

func (*mover) Pick(*policy.Work, *policy.View, *policy.Weighed) policy.Answer { return policy.Answer{} }
func (*mover) Every() units.Time                                              { return units.Second }

func (m *mover) Moves(_ *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	m.counted = slices.Clone(counted)
	return append(to, m.moves...)
}

// Only flows whose rule is in force are counted, and moved; a count is what has come since the last, also where a rule
// counts from zero again.
func TestMoves(t *testing.T) {
	m := &mover{}
	row := policy.Row{Info: policy.Info{Name: "mover", Sees: policy.T0 | policy.T1}, Reasons: []string{"the first"},
		Maker: policy.Plain(func(policy.Env) policy.Policy { return m })}
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Policy = 2, &row
		c.Autoscaler.Drain, c.Autoscaler.Stabilization = "finish", 0
	}), nil)
	at := func(s int, e Event) []Action { return slices.Clone(o.Handle(units.Time(s)*units.Second, &e)) }
	read := func(s int, counts ...uint64) []Action {
		e := Event{Kind: RulesRead, Sampled: units.Time(s) * units.Second}
		for f, n := range counts {
			e.Rules = append(e.Rules, RuleCounter{Flow: flow.ID(f), Packets: n})
		}
		return at(s, e)
	}
	packets := func() (n []uint64) {
		for _, c := range m.counted {
			n = append(n, c.Packets)
		}
		return n
	}
	at(0, Event{Kind: Start})
	if got := read(0, 7); len(got) > 0 || m.counted != nil {
		t.Errorf("no instance is ready, and %v follows of %v", got, m.counted)
	}
	at(0, Event{Kind: InstanceReady, Instance: 1})
	at(0, Event{Kind: InstanceReady, Instance: 2})
	for f := range flow.ID(3) {
		at(0, Event{Kind: FlowArrived, Flow: f})
	}
	at(0, Event{Kind: RuleInstalled, Flow: 0, Instance: 1})
	at(0, Event{Kind: RuleInstalled, Flow: 1, Instance: 1})

	want := []Action{{Kind: ReadRules}, {Kind: SetTimer, Timer: MoveTimer, At: 2 * units.Second}}
	if got := at(1, Event{Kind: Tick, Timer: MoveTimer}); !slices.Equal(got, want) {
		t.Errorf("the timer: %v, want %v", got, want)
	}
	m.moves = []policy.Move{{Flow: 0, Slot: 1}, {Flow: 1, Slot: 0}, {Flow: 2, Slot: 1}, {Flow: 9, Slot: 1}}
	if got, want := read(1, 10, 20, 30), []Action{{Kind: MoveRule, Flow: 0, Instance: 2}}; !slices.Equal(got, want) {
		t.Errorf("moves: %v, want %v: flow 1 is there, flow 2 has no rule in force, and 9 is none", got, want)
	}
	if got, want := packets(), []uint64{10, 20}; !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if want := []int32{2, 1}; !slices.Equal(o.view.Flows, want) {
		t.Errorf("flows %v, want %v", o.view.Flows, want)
	}
	m.moves = nil
	at(1, Event{Kind: RuleInstalled, Flow: 0, Instance: 2})
	read(2, 15, 5)
	if got, want := packets(), []uint64{5, 5}; !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v: a moved rule counts on, and one that counts less is new", got, want)
	}
	at(2, Event{Kind: CountersRead, Sampled: 2 * units.Second, Counters: []Counter{rx(1, 1), rx(2, 1)}})
	at(2, Event{Kind: Tick, Timer: AutoscaleTimer})
	read(3, 17, 9)
	if got, want := packets(), []uint64{4}; !o.Draining(2) || !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v: flow 0 is on an instance that drains", got, want)
	}
}

// A budget bounds the moves of each second of the run, whatever the number of readings in it. What would not move
// costs nothing; what is refused stays where it is, and is counted.
func TestMoveBudget(t *testing.T) {
	for budget, c := range []struct {
		moved   []int
		unmoved uint64
	}{
		{[]int{1, 2, 2}, 0}, // no budget
		{[]int{1, 0, 1}, 3},
		{[]int{1, 1, 2}, 1},
		{[]int{1, 2, 2}, 0},
	} {
		m := &mover{}
		row := policy.Row{Info: policy.Info{Name: "mover", Sees: policy.T0 | policy.T1}, Reasons: []string{"the first"},
			Maker: policy.Plain(func(policy.Env) policy.Policy { return m })}
		o := mustNew(t, config(func(c *Config) { c.Initial, c.Policy, c.Scheduler.MoveBudget = 2, &row, budget }), nil)
		at := func(ms int, e Event) []Action {
			return slices.Clone(o.Handle(units.Time(ms)*units.Millisecond, &e))
		}
		at(0, Event{Kind: Start})
		at(0, Event{Kind: InstanceReady, Instance: 1})
		at(0, Event{Kind: InstanceReady, Instance: 2})
		read := Event{Kind: RulesRead}
		for f := range flow.ID(5) {
			at(0, Event{Kind: FlowArrived, Flow: f})
			at(0, Event{Kind: RuleInstalled, Flow: f, Instance: 1})
			read.Rules = append(read.Rules, RuleCounter{Flow: f})
		}
		moved := func(ms int, moves ...policy.Move) int {
			m.moves = moves
			return len(placedBy(at(ms, read)))
		}
		got := []int{moved(100, policy.Move{Flow: 0, Slot: 0}, policy.Move{Flow: 9}, policy.Move{Flow: 1, Slot: 1}),
			moved(999, policy.Move{Flow: 0, Slot: 1}, policy.Move{Flow: 2, Slot: 1}),
			moved(1000, policy.Move{Flow: 3, Slot: 1}, policy.Move{Flow: 4, Slot: 1})}
		if !slices.Equal(got, c.moved) {
			t.Errorf("budget %d: moves %v, want %v", budget, got, c.moved)
		}
		if n := o.Counts(); n.Unmoved != c.unmoved || n.Moved+n.Unmoved != 5 ||
			o.view.Flows[1] != int32(n.Moved) {
			t.Errorf("budget %d: %+v, and flows %v", budget, n, o.view.Flows)
		}
	}
}

// lanes is a policy with so many places for each rank of flows on each instance. A flow's rank is its port.
type lanes struct {
	places int
	taken  map[[2]int]int // by instance and rank
	asked  []flow.ID
}

func (*lanes) Queue(w *policy.Work) int { return int(w.Tuple.DstPort) }
func (*lanes) Before(a, b int) bool     { return a > b }

func (l *lanes) Observe(e *policy.Event, _ *policy.View) {
	switch e.Kind {
	case policy.Placed:
		l.taken[[2]int{int(e.Work.At), l.Queue(e.Work)}]++
	case policy.Ended:
		l.taken[[2]int{int(e.Work.At), l.Queue(e.Work)}]--
	}
}

func (l *lanes) Pick(w *policy.Work, v *policy.View, _ *policy.Weighed) policy.Answer {
	l.asked = append(l.asked, w.Flow)
	for slot, id := range v.IDs {
		if l.taken[[2]int{int(id), l.Queue(w)}] < l.places {
			return policy.Answer{Slot: slot}
		}
	}
	return policy.Answer{Verdict: policy.Hold, Why: 1}
}

// ranked has so many ready instances under lanes, and flows of these ranks, that have arrived in this order.
func ranked(t *testing.T, instances, places int, ranks ...uint16) (*Orchestrator, *lanes, func(int, Event) []Action) {
	l := &lanes{places: places, taken: map[[2]int]int{}}
	o, at := rankedBy(t, l, instances, ranks...)
	return o, l, at
}

func rankedBy(t *testing.T, l policy.Policy, instances int, ranks ...uint16) (*Orchestrator,
	func(int, Event) []Action) {
	row := policy.Row{Info: policy.Info{Name: "lanes", Sees: policy.T0}, Tuple: true,
		Reasons: []string{"has a place", "has none"},
		Maker:   policy.Plain(func(policy.Env) policy.Policy { return l })}
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Policy = instances, &row
		c.Autoscaler.Stabilization = 0
	}), nil)
	at := func(s int, e Event) []Action { return slices.Clone(o.Handle(units.Time(s)*units.Second, &e)) }
	at(0, Event{Kind: Start})
	for i := range instances {
		at(0, Event{Kind: InstanceReady, Instance: flow.Instance(i + 1)})
	}
	for f, rank := range ranks {
		for _, a := range at(0, Event{Kind: FlowArrived, Flow: flow.ID(f), Tuple: flow.FiveTuple{DstPort: rank}}) {
			at(0, Event{Kind: RuleInstalled, Flow: a.Flow, Instance: a.Instance})
		}
	}
	return o, at
}

// placedBy lists the flows that the actions place or move, in order.
func placedBy(actions []Action) (ids []flow.ID) {
	for _, a := range actions {
		if a.Kind == InstallRule || a.Kind == MoveRule {
			ids = append(ids, a.Flow)
		}
	}
	return ids
}

// Held flows are tried by rank, those of one rank as they came, and where one rank stops the next does not.
func TestHeldFlowsOfRanks(t *testing.T) {
	o, l, at := ranked(t, 1, 1, 1, 2, 1, 2, 2, 1) // 0 and 1 have places
	if o.held.n != 4 {
		t.Fatalf("%d flows held, want 4", o.held.n)
	}
	for _, c := range []struct {
		what          string
		events        []Event
		placed, asked []flow.ID
	}{
		{"a place of rank 1", []Event{{Kind: FlowEnded, Flow: 0}, {Kind: CountersRead, Sampled: units.Second}},
			[]flow.ID{2}, []flow.ID{3, 2, 5}},
		{"a place of either", []Event{{Kind: FlowEnded, Flow: 1}, {Kind: FlowEnded, Flow: 2},
			{Kind: CountersRead, Sampled: 2 * units.Second}},
			[]flow.ID{3, 5}, []flow.ID{3, 4, 5}},
	} {
		l.asked = nil
		var got []flow.ID
		for _, e := range c.events {
			got = append(got, placedBy(at(int(max(1, e.Sampled/units.Second)), e))...)
		}
		if !slices.Equal(got, c.placed) || !slices.Equal(l.asked, c.asked) {
			t.Errorf("%s: %v placed, %v asked for; want %v, %v", c.what, got, l.asked, c.placed, c.asked)
		}
	}
}

// fair is lanes with so many places in all, where the queue that has had the fewest is the first.
type fair struct {
	lanes
	had map[int]int
}

func (f *fair) Before(a, b int) bool { return f.had[a] < f.had[b] }

func (f *fair) Observe(e *policy.Event, _ *policy.View) {
	if e.Kind == policy.Placed {
		f.had[f.Queue(e.Work)]++
		f.places--
	}
}

// Which queue is tried next is asked anew after each flow that was placed.
func TestOrderOfQueuesChanges(t *testing.T) {
	l := &fair{lanes{}, map[int]int{}}
	_, at := rankedBy(t, l, 1, 1, 1, 1, 1, 2, 2, 2)
	l.places, l.asked = 4, nil
	placed := placedBy(at(1, Event{Kind: CountersRead, Sampled: units.Second}))
	if want := []flow.ID{0, 4, 1, 5}; !slices.Equal(placed, want) {
		t.Errorf("flows %v are placed, want %v", placed, want)
	}
	if want := []flow.ID{0, 4, 1, 5, 2, 6}; !slices.Equal(l.asked, want) {
		t.Errorf("flows %v are asked for, want %v: each queue until it is stuck", l.asked, want)
	}
}

// The flows of an instance that drains are tried by rank too, in the order in which they were assigned.
func TestMovesAwayByRanks(t *testing.T) {
	_, l, at := ranked(t, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1) // 0 to 3 are on instance 1, 4 to 7 on instance 2
	at(1, Event{Kind: FlowEnded, Flow: 3})
	at(1, Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 10), rx(2, 10)}})
	try := func(what string, e Event, placed, asked []flow.ID) {
		t.Helper()
		l.asked = nil
		if got := placedBy(at(2, e)); !slices.Equal(got, placed) || !slices.Equal(l.asked, asked) {
			t.Errorf("%s: %v moved, %v asked for; want %v, %v", what, got, l.asked, placed, asked)
		}
	}
	try("the drain begins", Event{Kind: Tick, Timer: AutoscaleTimer}, []flow.ID{6}, []flow.ID{4, 6, 7})
	at(2, Event{Kind: FlowEnded, Flow: 0})
	counters := []Counter{rx(1, 20), rx(2, 20)}
	try("counters come", Event{Kind: CountersRead, Sampled: 2 * units.Second, Counters: counters},
		[]flow.ID{4}, []flow.ID{4, 5, 7})
}
