package orchestrator

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// config is a small configuration with the documented defaults, changed by edit.
func config(edit func(*Config)) Config {
	c := Config{Seed: 1, Initial: 3, Min: 1, Max: 8, Window: units.Second,
		Scheduler: scheduler.DefaultOptions(), Autoscaler: autoscaler.DefaultOptions()}
	if edit != nil {
		edit(&c)
	}
	return c
}

func mustNew(t testing.TB, c Config, log Logger) *Orchestrator {
	t.Helper()
	o, err := New(c, log)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// script turns bytes into a configuration and events: two bytes an event, its kind and its operand. The first byte
// chooses the configuration. Events need not make sense.
func script(b []byte) (Config, []Event, []units.Time) {
	var first byte
	if len(b) > 0 {
		first, b = b[0], b[1:]
	}
	pols := scheduler.On(policy.Flows).Infos()
	c := config(func(c *Config) {
		c.Scheduler.Policy = scheduler.Named(pols[int(first)%len(pols)].Name)
		if c.Scheduler.Policy.Name == "maglev" { // to fill the usual table takes most of the test's time
			small := reflect.New(reflect.TypeOf(c.Scheduler.Policy.Options)).Elem()
			small.FieldByName("Table").SetInt(251)
			c.Scheduler.Policy.Options = small.Interface()
		}
		if row := scheduler.Policies.Find(c.Scheduler.Policy.Name); row.Dispatch == policy.ByEither && first>>2&1 == 0 {
			c.Scheduler.Rules = "none"
		}
		if first>>1&1 == 0 && !c.Scheduler.Ruleless() {
			c.Scheduler.Offload.After = 2
		}
		c.Scheduler.Demand = []string{"zero", "mean", "last", "fixed"}[first>>2&3]
		c.Scheduler.DemandRate = 4e6
		c.Scheduler.Metric = []string{"offered", "processed"}[first>>1&1]
		c.Scheduler.NoFit = []string{"least-loaded", "reject", "queue", "queue"}[first>>4&3]
		c.Scheduler.NoInstance = []string{"hold", "drop"}[first>>6&1]
		c.Scheduler.Ties = []string{"first", "random"}[first>>7]
		c.Autoscaler.Drain = []string{"move", "finish"}[first>>5&1]
		c.Autoscaler.Victim = autoscaler.Victims[int(first>>3&3)].Name
		scalers := []string{"target-utilization", "hottest-instance", "none"}
		c.Autoscaler.Policy = autoscaler.Named(scalers[int(first)%3])
		c.Autoscaler.Above, c.Autoscaler.Below = 5e6, 2e6
		c.Autoscaler.Stabilization = 2 * units.Second
		c.Min, c.Max = int(first>>6&1), 5 // without a least number, a dropped flow would bring nothing back
	})
	kinds := []EventKind{FlowArrived, FlowEnded, CountersRead, InstanceReady, InstanceFailed, InstanceGone,
		RuleInstalled, RuleRejected, Tick, FlowArrived, InstanceReady, RuleInstalled, RulesRead, Tick,
		FlowGrown, 77}
	events, times := []Event{{Kind: Start}}, []units.Time{0}
	now := units.Time(0)
	for ; len(b) >= 2; b = b[2:] {
		now += units.Time(b[0]>>4) * 100 * units.Millisecond
		x := int(b[1])
		e := Event{Kind: kinds[b[0]&15], Flow: flow.ID(x&15) - 1, Instance: flow.Instance(x>>4) - 1,
			Timer: Timer(x & 3), Sampled: now - units.Time(x&1)*units.Second/2, Reason: "fuzz"}
		if e.Kind == CountersRead {
			for i := range x >> 4 {
				e.Counters = append(e.Counters, Counter{Instance: flow.Instance(i),
					RxPackets: uint64(now/units.Microsecond) * uint64(x&15), TxPackets: uint64(x)})
			}
		}
		switch e.Kind {
		case FlowArrived: // with one tuple and tenant, whenever it comes
			e.Tuple = flow.FiveTuple{Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(x & 15)}),
				Dst: netip.AddrFrom4([4]byte{10, 0, 1, 1}), Proto: flow.UDP}
			e.Tenant = []string{"", "a", "b"}[x&15%3]
		case RulesRead: // of flows that are there and others; what one has counted may be less than before
			for f := flow.ID(x >> 7); f < 17; f += 1 + flow.ID(x>>6&1) {
				n := uint64(now/units.Microsecond) * (uint64(x>>2) * uint64(f+1) % 17)
				e.Rules = append(e.Rules, RuleCounter{Flow: f, Packets: n})
			}
		}
		events, times = append(events, e), append(times, now)
	}
	return c, events, times
}

// witness follows what an orchestrator does from outside and reports what it must never do.
type witness struct {
	c       Config
	started map[flow.Instance]string
	rules   map[flow.ID]*rule
	alive   int
}

// rule is where a flow's rule may lead, as far as its driver has answered: orders are carried out one after the other,
// and only the answer to the newest comes.
type rule struct {
	may       []flow.Instance
	newest    flow.Instance
	orders    int // since the last answer
	confirmed bool
}

func (w *witness) event(e *Event) {
	r := w.rules[e.Flow]
	switch e.Kind {
	case FlowEnded:
		delete(w.rules, e.Flow)
	case RuleInstalled:
		if r != nil && e.Instance == r.newest {
			*r = rule{may: []flow.Instance{r.newest}, newest: r.newest, confirmed: true}
		}
	case RuleRejected:
		if r != nil && e.Instance == r.newest && r.orders == 1 && !r.confirmed {
			delete(w.rules, e.Flow)
		}
	case InstanceReady:
		if w.started[e.Instance] == "starting" {
			w.started[e.Instance] = "ready"
		}
	case InstanceFailed, InstanceGone:
		if s := w.started[e.Instance]; s == "starting" || s == "ready" {
			w.alive--
		}
		if w.started[e.Instance] != "" {
			w.started[e.Instance] = "gone"
		}
	}
}

func (w *witness) action(a Action) error {
	switch a.Kind {
	case CreateInstance:
		if w.started[a.Instance] != "" {
			return fmt.Errorf("instance %d created twice", a.Instance)
		}
		w.started[a.Instance] = "starting"
		if w.alive++; w.alive > w.c.Max {
			return fmt.Errorf("%d instances alive, want at most %d", w.alive, w.c.Max)
		}
	case DeleteInstance:
		if s := w.started[a.Instance]; s != "starting" && s != "ready" {
			return fmt.Errorf("deletes instance %d, which is %q", a.Instance, s)
		}
		w.started[a.Instance] = "stopping"
		w.alive--
		for f, r := range w.rules {
			if slices.Contains(r.may, a.Instance) {
				return fmt.Errorf("deletes instance %d, to which a rule of flow %d may lead: %v", a.Instance, f, r.may)
			}
		}
	case RemoveRule:
		delete(w.rules, a.Flow)
	case Steer:
		w.rules[a.Flow] = &rule{may: []flow.Instance{a.Instance}, newest: -2}
		if s := w.started[a.Instance]; a.Instance != 0 && s != "ready" {
			return fmt.Errorf("flow %d steered to instance %d, which is %q", a.Flow, a.Instance, s)
		}
	case InstallRule, MoveRule:
		r := w.rules[a.Flow]
		if r == nil {
			r = new(rule)
			w.rules[a.Flow] = r
		}
		r.may, r.newest = append(r.may, a.Instance), a.Instance
		r.orders++
		if a.Instance == 0 && a.Kind == InstallRule {
			return nil
		}
		if s := w.started[a.Instance]; s != "ready" {
			return fmt.Errorf("rule of flow %d to instance %d, which is %q", a.Flow, a.Instance, s)
		}
	}
	return nil
}

// consistent compares the lists and counts that Handle keeps with what a walk over all flows finds.
func consistent(o *Orchestrator) error {
	flows, rules := map[flow.Instance]int32{}, map[flow.Instance]int32{}
	held := 0
	for id := range flow.ID(o.flows.Len()) {
		f := o.flow(id)
		if (f.phase == placed) != (f.target != 0) {
			return fmt.Errorf("flow %d in phase %d has target %d", id, f.phase, f.target)
		}
		if f.target != 0 {
			flows[f.target]++
			if s := o.insts[f.target].state; s != ready && s != draining && s != starting {
				return fmt.Errorf("flow %d is assigned to instance %d in state %d", id, f.target, s)
			}
		}
		if f.origin != 0 {
			rules[f.origin]++
		}
		for _, i := range o.astray[id] {
			rules[i]++
		}
		if f.phase == waits {
			held++
		}
	}
	listed := 0
	for _, l := range o.held.queues {
		listed += int(l.n)
	}
	if o.held.n != held || listed != held {
		return fmt.Errorf("%d flows count as held, %d are listed, a walk finds %d", o.held.n, listed, held)
	}
	serving := 0
	for id := 1; id < len(o.insts); id++ {
		i, n := &o.insts[id], flow.Instance(id)
		if i.state == starting || i.state == ready {
			serving++
		}
		if i.flows.n != flows[n] || i.rules != rules[n] {
			return fmt.Errorf("instance %d counts %d flows, %d rules; a walk finds %d, %d",
				id, i.flows.n, i.rules, flows[n], rules[n])
		}
		if v := &o.view; i.state == ready && (v.IDs[i.slot] != n ||
			o.sees.Has(policy.T1) && v.Flows[i.slot] != i.flows.n ||
			o.sees.Has(policy.T2) && (v.Load[i.slot] != o.meter.Rate(n).Rx || v.Back[i.slot] != o.meter.Rate(n).Tx)) {
			return fmt.Errorf("row %d of the view is not instance %d with %d flows and %+v",
				i.slot, id, i.flows.n, o.meter.Rate(n))
		}
		seen := int32(0)
		for f, prev := i.flows.head, flow.ID(-1); i.flows.n > 0 && f >= 0; prev, f = f, o.flow(f).next {
			if seen++; o.flow(f).target != n || o.flows.At(f).prev != prev || seen > i.flows.n {
				return fmt.Errorf("list of instance %d is broken at flow %d", id, f)
			}
		}
		if seen != i.flows.n {
			return fmt.Errorf("list of instance %d has %d flows, want %d", id, seen, i.flows.n)
		}
	}
	if serving != o.serving {
		return fmt.Errorf("serving is %d, a walk finds %d", o.serving, serving)
	}
	if !slices.IsSorted(o.view.IDs) || !slices.IsSorted(o.alive) {
		return fmt.Errorf("instances out of order: %v, %v", o.view.IDs, o.alive)
	}
	return nil
}

type discard struct{}

func (discard) Decided(*Decision) {}

// check returns how many flows the policy has moved.
func check(t *testing.T, b []byte) (moved int) {
	c, events, times := script(b)
	recorded, books := withBooks(c)
	var moves moveLog
	told := &tally{moves: &moves, kinds: map[string]uint64{}, reasons: map[string]uint64{}}
	o, silent := mustNew(t, recorded, told), mustNew(t, c, nil)
	w := witness{c: c, started: map[flow.Instance]string{}, rules: map[flow.ID]*rule{}}
	for k := range events {
		w.event(&events[k])
		moves = moves[:0]
		actions := o.Handle(times[k], &events[k])
		for _, a := range actions {
			if err := w.action(a); err != nil {
				t.Fatalf("event %d %+v: %v", k, events[k], err)
			}
		}
		for _, err := range []error{consistent(o), moves.check(o, &events[k], actions), books.wrong} {
			if err != nil {
				t.Fatalf("%s, after event %d %+v: %v", c.Scheduler.Policy.Name, k, events[k], err)
			}
		}
		if len(books.held) != o.held.n {
			t.Fatalf("%s: the policy knows of %d held flows, there are %d",
				c.Scheduler.Policy.Name, len(books.held), o.held.n)
		}
		moved += len(moves)
		if again := silent.Handle(times[k], &events[k]); !slices.Equal(actions, again) {
			t.Fatalf("event %d %+v: actions %v, and %v without a log", k, events[k], actions, again)
		}
	}
	if err := told.check(o.Counts()); err != nil {
		t.Fatalf("%s: %v", c.Scheduler.Policy.Name, err)
	}
	if with, without := o.Counts(), silent.Counts(); !reflect.DeepEqual(with, without) {
		t.Fatalf("%s: counts %+v, and %+v without a log", c.Scheduler.Policy.Name, with, without)
	}
	return moved
}

// FuzzHandle: whatever the events, Handle does not panic, rules lead to ready instances only, no more than Max
// instances live, every flow is assigned once and its policy told so, moves lead from one ready instance to another,
// and the same events give the same actions.
func FuzzHandle(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 401)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

func TestRandomEvents(t *testing.T) {
	moved := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 801)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		moved += check(t, b)
	}
	t.Logf("%d flows moved by their policy", moved)
	if moved == 0 {
		t.Error("no flow was moved by its policy")
	}
}
