package orchestrator

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// created lists the instances that the actions create.
func created(actions []Action) (ids []flow.Instance) {
	for _, a := range actions {
		if a.Kind == CreateInstance {
			ids = append(ids, a.Instance)
		}
	}
	return ids
}

// reasons keeps the reasons of the decisions of one kind.
type reasons struct {
	kind string
	got  []string
}

func (r *reasons) Decided(d *Decision) {
	if d.Kind == r.kind {
		r.got = append(r.got, d.Reason)
	}
}

func TestHeldFlowsBringAnInstance(t *testing.T) {
	held := func(log Logger, edit func(*Config)) *Orchestrator {
		o := mustNew(t, config(func(c *Config) {
			c.Initial, c.Min = 0, 0
			if edit != nil {
				edit(c)
			}
		}), log)
		o.Handle(0, &Event{Kind: Start})
		for f := range flow.ID(3) {
			o.Handle(ms(100), &Event{Kind: FlowArrived, Flow: f})
		}
		return o
	}
	evaluate := func(o *Orchestrator) []flow.Instance {
		return created(o.Handle(units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer}))
	}
	read := func(o *Orchestrator) {
		o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second})
	}

	if got := evaluate(held(nil, nil)); !slices.Equal(got, []flow.Instance{1}) {
		t.Errorf("before anything is measured: %v created, want one", got)
	}
	log := reasons{kind: Recommend}
	o := held(&log, nil)
	read(o)
	if got := evaluate(o); !slices.Equal(got, []flow.Instance{1}) {
		t.Errorf("of unknown demand: %v created, want one", got)
	}
	if want := "held flows included: 3"; len(log.got) != 1 || !strings.Contains(log.got[0], want) {
		t.Errorf("the log says %q, want it to say %q", log.got, want)
	}
	// 3 flows of 4 Mpps at 5 Mpps each.
	o = held(nil, func(c *Config) { c.Scheduler.Demand, c.Scheduler.DemandRate = "fixed", 4e6 })
	read(o)
	if got := evaluate(o); !slices.Equal(got, []flow.Instance{1, 2, 3}) {
		t.Errorf("of 4 Mpps each: %v created, want three", got)
	}
	// None is held any more.
	o = held(nil, nil)
	for f := range flow.ID(3) {
		o.Handle(ms(200), &Event{Kind: FlowEnded, Flow: f})
	}
	read(o)
	if got := evaluate(o); got != nil {
		t.Errorf("none held: %v created", got)
	}
	// Held for want of room, beside an instance that is full.
	o = mustNew(t, config(func(c *Config) {
		c.Initial, c.Scheduler.Policy, c.Scheduler.NoFit = 1, scheduler.Named("best-fit"), "queue"
		c.Scheduler.Demand, c.Scheduler.DemandRate = "fixed", 7e6
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 1})
	o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 4e6)}})
	if got := evaluate(o); !slices.Equal(got, []flow.Instance{2, 3}) { // 4 + 7 Mpps at 5 each
		t.Errorf("held for want of room: %v created, want two", got)
	}
}

// What an evaluation is told of the queue of held flows: how many waited at the evaluation before, how many flows left
// it or passed it since, and how many were there at once.
func TestBacklogOfHeldFlows(t *testing.T) {
	log := reasons{kind: Recommend}
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Scheduler.Policy, c.Scheduler.NoFit = 1, scheduler.Named("best-fit"), "queue"
		c.Scheduler.Demand, c.Scheduler.DemandRate = "fixed", 7e6
		c.Autoscaler.Policy = autoscaler.Named("ringleader")
	}), &log)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	evaluate := func(s units.Time, want ...flow.Instance) {
		t.Helper()
		backlog := o.held.backlog
		got := created(o.Handle(s*units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer}))
		if !slices.Equal(got, want) {
			t.Errorf("at %d s, of %+v: %v created, want %v", s, backlog, got, want)
		}
	}
	arrive := func(f flow.ID) { o.Handle(o.now, &Event{Kind: FlowArrived, Flow: f}) }
	arrive(0)
	arrive(1) // has no room, and nor have the next two
	arrive(2)
	arrive(3)
	o.Handle(o.now, &Event{Kind: FlowEnded, Flow: 3})
	evaluate(1) // nothing had waited at first
	if b := o.snapshot.Backlog; b != (policy.Backlog{Left: 2, Most: 3}) {
		t.Errorf("%+v, want that one passed, one of three that waited ended", b)
	}
	evaluate(2, 2)
	evaluate(3) // it starts
	o.Handle(o.now, &Event{Kind: InstanceReady, Instance: 2})
	evaluate(4, 3) // one of two has left
	o.Handle(o.now, &Event{Kind: InstanceReady, Instance: 3})
	evaluate(5) // the other one has
	want := []string{"2 left the queue, in which 0 had waited", "0 left the queue, in which 2 had waited",
		"0 left the queue, in which 2 had waited; an instance starts", "1 left the queue, in which 2 had waited",
		"1 left the queue, in which 1 had waited"}
	if !slices.Equal(log.got, want) {
		t.Errorf("the log says %q, want %q", log.got, want)
	}
	if b := o.held.backlog; b != (policy.Backlog{}) {
		t.Errorf("nothing waits: %+v", b)
	}
}

// A hot instance brings one more; while that starts, and until counters were read since it is ready, no second one, but
// then another if the heat is still there. One that fails meanwhile is replaced.
func TestOneMoreForTheSameHeat(t *testing.T) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Autoscaler.Policy = 1, autoscaler.Named("hottest-instance")
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	sent := uint64(0)
	second := func(s int, counted units.Time) []flow.Instance {
		sent += 20e6
		now := units.Time(s) * units.Second
		o.Handle(now, &Event{Kind: CountersRead, Sampled: counted, Counters: []Counter{rx(1, sent)}})
		return created(o.Handle(now, &Event{Kind: Tick, Timer: AutoscaleTimer}))
	}
	none := []flow.Instance(nil)
	for s, want := range [][]flow.Instance{1: {2}, 2: none, 3: none, 4: none, 5: {3}, 6: {4}} {
		if s == 0 {
			continue
		}
		now := units.Time(s) * units.Second
		counted := now
		switch s {
		case 4: // sampled before it was ready, and late
			o.Handle(now-ms(400), &Event{Kind: InstanceReady, Instance: 2})
			counted = now - ms(500)
		case 6:
			o.Handle(now-ms(200), &Event{Kind: InstanceFailed, Instance: 3, Reason: "died"})
		}
		if got := second(s, counted); !slices.Equal(got, want) {
			t.Errorf("%d s: %v created, want %v", s, got, want)
		}
	}
}

// A scale-in is not carried out on counters of which some are missing, and an instance that starts misses none.
func TestMissingCountersHoldAScaleInBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		counters []Counter
		want     int // instances wanted
	}{
		{"all there", []Counter{rx(1, 10), rx(2, 10), rx(3, 10)}, 1},
		{"one missing", []Counter{rx(1, 10), rx(3, 10)}, 3},
		{"all missing", nil, 3},
	} {
		log := reasons{kind: Recommend}
		o := mustNew(t, config(func(c *Config) { c.Autoscaler.Stabilization = 0 }), &log)
		o.Handle(0, &Event{Kind: Start})
		for i := range flow.Instance(3) {
			o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
		}
		before := []Counter{rx(1, 5), rx(2, 5), rx(3, 5)}
		o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: before})
		o.Handle(2*units.Second, &Event{Kind: CountersRead, Sampled: 2 * units.Second, Counters: c.counters})
		o.Handle(2*units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer})
		if o.desired != c.want {
			t.Errorf("%s: %d instances wanted (%s), want %d", c.name, o.desired, log.got, c.want)
		}
		n := 3 - len(c.counters)
		said := fmt.Sprintf("counters of %d instances are missing", n)
		if n > 0 && !strings.Contains(log.got[0], said) {
			t.Errorf("%s: the log says %q", c.name, log.got)
		}
	}
	// The second instance has never been read: it is being started.
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Autoscaler.Stabilization = 2, 0 }), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 5)}})
	o.Handle(units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer})
	if o.desired != 1 {
		t.Errorf("while one starts: %d wanted, want 1", o.desired)
	}
}

// Two orchestrators that differ in their seed draw other ties; with the same seed they draw the same.
func TestTheSeedDrawsTies(t *testing.T) {
	placed := func(seed uint64) (to []flow.Instance) {
		o := mustNew(t, config(func(c *Config) {
			c.Seed, c.Initial = seed, 8
			c.Scheduler.Policy, c.Scheduler.Ties, c.Scheduler.InFlight = scheduler.Named("worst-fit"), "random", false
		}), nil)
		o.Handle(0, &Event{Kind: Start})
		for i := range flow.Instance(8) {
			o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
		}
		for f := range flow.ID(64) {
			to = append(to, o.Handle(0, &Event{Kind: FlowArrived, Flow: f})[0].Instance)
		}
		return to
	}
	seeds := map[string]uint64{}
	for seed := range uint64(20) {
		got := placed(seed)
		if again := placed(seed); !slices.Equal(got, again) {
			t.Errorf("seed %d: %v, and then %v", seed, got, again)
		}
		text := ""
		for _, i := range got {
			text += string('0' + rune(i))
		}
		if other, twice := seeds[text]; twice {
			t.Errorf("seeds %d and %d draw the same", seed, other)
		}
		seeds[text] = seed
	}
}

// A plant that is late, as one on hardware always is, does not shift the timers: they fall on whole multiples from the
// start, so that a window and an interval that are due together stay so.
func TestTimersDoNotDrift(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Autoscaler.Interval = 2 * units.Second }), nil)
	o.Handle(ms(3), &Event{Kind: Start})
	due := func(now units.Time, timer Timer) units.Time {
		for _, a := range o.Handle(now, &Event{Kind: Tick, Timer: timer}) {
			if a.Kind == SetTimer && a.Timer == timer {
				return a.At
			}
		}
		t.Fatalf("timer %d is not set again", timer)
		return 0
	}
	for _, c := range []struct {
		now   int
		timer Timer
		want  int
	}{
		{1004, TelemetryTimer, 2000}, {2001, TelemetryTimer, 3000}, {2050, AutoscaleTimer, 4000},
		{3000, TelemetryTimer, 4000},
		{7300, TelemetryTimer, 8000}, {8000, AutoscaleTimer, 10000}, // some were missed
	} {
		if got := due(ms(c.now), c.timer); got != ms(c.want) {
			t.Errorf("timer %d at %d ms is due at %v next, want %d ms", c.timer, c.now, got, c.want)
		}
	}
}

// The flows of a victim are tried in the order in which they came to it, until one finds no place. The rest are tried
// when counters have come, of several draining instances the lowest number first.
func TestWhichFlowsOfADrainAreTriedWhen(t *testing.T) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Autoscaler.Stabilization = 3, 0
		c.Scheduler = scheduler.DefaultOptions()
		c.Scheduler.Policy, c.Scheduler.NoFit = scheduler.Named("best-fit"), "queue"
		c.Scheduler.Demand, c.Scheduler.DemandRate = "fixed", 3e6
		c.Scheduler.Limit, c.Autoscaler.Target = 10e6, 1
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	for i := range flow.Instance(3) {
		o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
	}
	for f := range flow.ID(8) { // three on 1, three on 2, two on 3
		a := o.Handle(ms(int(f)), &Event{Kind: FlowArrived, Flow: f})
		if want := flow.Instance(f/3 + 1); a[0].Instance != want {
			t.Fatalf("flow %d goes to %d, want %d", f, a[0].Instance, want)
		}
		o.Handle(ms(int(f)), &Event{Kind: RuleInstalled, Flow: f, Instance: a[0].Instance})
	}
	moves := func(actions []Action) (of []flow.ID) {
		for _, a := range actions {
			if a.Kind == MoveRule {
				of = append(of, a.Flow)
			}
		}
		return of
	}
	read := func(s int, packets ...uint64) []Action {
		now := units.Time(s) * units.Second
		var c []Counter
		for i, n := range packets {
			c = append(c, rx(flow.Instance(i+1), n))
		}
		return o.Handle(now, &Event{Kind: CountersRead, Sampled: now, Counters: c})
	}
	// 3 Mpps on the first, nothing on the others: one instance is enough, and 3 and 2 go. On 1 there is room for two
	// flows.
	read(1, 3e6, 0, 0)
	got := moves(o.Handle(units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer}))
	if !slices.Equal(got, []flow.ID{6, 7}) {
		t.Errorf("at the scale-in flows %v move, want 6 and 7 of instance 3, the first victim", got)
	}
	if got := moves(read(2, 8e6, 0, 0)); !slices.Equal(got, []flow.ID{3}) { // 5 Mpps leave room for one
		t.Errorf("after a window flows %v move, want 3, the first of instance 2", got)
	}
	if got := moves(read(3, 8e6, 0, 0)); !slices.Equal(got, []flow.ID{4, 5}) {
		t.Errorf("after another flows %v move, want 4 and 5", got)
	}
}

// The autoscaler is shown each instance that starts, is ready or drains, with its own times and counters.
func TestASnapshotHasARowForEachLivingInstance(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Max, c.Autoscaler.Drain = 5, 5, "finish" }), nil)
	at := func(ms int, e Event) { o.Handle(units.Time(ms)*units.Millisecond, &e) }
	at(0, Event{Kind: Start})
	for i := range flow.Instance(4) { // the fifth never is
		at(100*int(i+1), Event{Kind: InstanceReady, Instance: i + 1})
		at(100*int(i+1), Event{Kind: FlowArrived, Flow: flow.ID(i)})
	}
	at(600, Event{Kind: InstanceReady, Instance: 2}) // it was already
	at(1000, Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{
		{Instance: 1, RxPackets: 90, TxPackets: 45, RxBytes: 900}, rx(2, 80), rx(3, 70), rx(4, 60),
	}})
	at(1500, Event{Kind: InstanceFailed, Instance: 3})
	o.drain(4)
	at(2000, Event{Kind: CountersRead, Sampled: 2 * units.Second, Counters: []Counter{rx(2, 180), rx(4, 60)}})

	var s policy.Snapshot
	o.observe(&s)
	want := policy.Snapshot{
		Now: 2 * units.Second, Current: 4, Wanted: 5, Min: 1, Max: 5, Limit: 10e6, Window: units.Second, Measured: true,
		Held: 0, Instances: []policy.Instance{
			{ID: 1, State: policy.Ready, Ready: ms(100), Flows: 2,
				Rate: telemetry.Rate{Rx: 90, Tx: 45, RxBits: 7200, Known: true, Stale: true, Sampled: units.Second}},
			{ID: 2, State: policy.Ready, Ready: ms(200), Flows: 1,
				Rate: telemetry.Rate{Rx: 100, Known: true, Sampled: 2 * units.Second}},
			{ID: 4, State: policy.Draining, Ready: ms(400), Flows: 1,
				Rate: telemetry.Rate{Known: true, Sampled: 2 * units.Second}},
			{ID: 5, Ready: units.Never, Rate: telemetry.Rate{Stale: true}},
			{ID: 6, Created: ms(1500), Ready: units.Never, Rate: telemetry.Rate{Stale: true, Sampled: units.Second}},
		},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("the snapshot is\n%+v, want\n%+v", s, want)
	}
}

// An evaluation of 1,000 instances that changes nothing.
func BenchmarkEvaluate1000(b *testing.B) {
	for _, log := range []Logger{nil, discard{}} {
		b.Run(fmt.Sprintf("log=%v", log != nil), func(b *testing.B) {
			const n = 1000
			o := mustNew(b, config(func(c *Config) { c.Initial, c.Min, c.Max = n, n, n }), log)
			o.Handle(0, &Event{Kind: Start})
			counters := make([]Counter, n)
			for i := range counters {
				counters[i] = rx(flow.Instance(i+1), 1e6)
				o.Handle(0, &Event{Kind: InstanceReady, Instance: flow.Instance(i + 1)})
			}
			o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: counters})
			e := Event{Kind: Tick, Timer: AutoscaleTimer}
			b.ReportAllocs()
			for now := units.Second; b.Loop(); now += units.Second {
				o.Handle(now, &e)
			}
		})
	}
}
