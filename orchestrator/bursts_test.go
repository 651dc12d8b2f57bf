package orchestrator

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// byBurst is round-robin for bursts, over instances that are ready, and that the autoscaler lets finish their flows.
func byBurst(t *testing.T, instances int) *Orchestrator {
	t.Helper()
	o := mustNew(t, config(func(c *Config) {
		c.Initial = instances
		c.Scheduler.Unit = "burst"
		c.Autoscaler.Drain, c.Autoscaler.Stabilization = "finish", 0
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	for i := range flow.Instance(instances) {
		o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
	}
	return o
}

// A flow is asked for with each burst once its rule is in force, and not before, nor once it has ended.
func TestDispatch(t *testing.T) {
	o := byBurst(t, 3)
	is := func(what string, to flow.Instance, moved bool, want Bursts) {
		t.Helper()
		gotTo, gotMoved := o.Dispatch(units.Second, 0)
		got := o.Bursts()
		if want.Digest = got.Digest; gotTo != to || gotMoved != moved || got != want {
			t.Errorf("%s: to %d, moved %v, %v; want to %d, moved %v, %v", what, gotTo, gotMoved, got, to, moved, want)
		}
	}
	is("a flow that has not come", 0, false, Bursts{Asked: 1})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
	is("its rule is on its way", 0, false, Bursts{Asked: 2})
	o.Handle(0, &Event{Kind: RuleInstalled, Flow: 0, Instance: 1})
	is("the second burst", 2, true, Bursts{Asked: 3, Decided: 1, Moved: 1})
	is("the third", 3, true, Bursts{Asked: 4, Decided: 2, Moved: 2})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 1})
	if got := o.flow(1).target; got != 1 {
		t.Errorf("another flow goes to %d, want 1: flows and bursts take turns together", got)
	}
	o.Handle(0, &Event{Kind: InstanceFailed, Instance: 3})
	is("it is moved off a dead instance", 0, false, Bursts{Asked: 5, Decided: 2, Moved: 2})
	o.Handle(0, &Event{Kind: RuleInstalled, Flow: 0, Instance: 2})
	is("and has been", 1, true, Bursts{Asked: 6, Decided: 3, Moved: 3})
	o.Handle(0, &Event{Kind: InstanceFailed, Instance: 1})
	o.Handle(0, &Event{Kind: RuleRejected, Flow: 0, Instance: 2, Reason: "full"})
	is("its move off another one is refused", 0, false, Bursts{Asked: 7, Decided: 3, Moved: 3})
	o.Handle(0, &Event{Kind: FlowEnded, Flow: 0})
	is("it has ended", 0, false, Bursts{Asked: 8, Decided: 3, Moved: 3})
}

// The digest tells calls apart by each of what it is of.
func TestDigestOfBursts(t *testing.T) {
	seen := map[uint64]bool{}
	note := func(notes ...[3]int64) {
		var b Bursts
		for _, n := range notes {
			b.note(units.Time(n[0]), flow.ID(n[1]), flow.Instance(n[2]))
		}
		if seen[b.Digest] {
			t.Errorf("%v has the digest of others", notes)
		}
		seen[b.Digest] = true
	}
	for i := range int64(6) {
		for j := range int64(6) {
			for k := range int64(6) {
				note([3]int64{i, j, k})
				note([3]int64{i, j, k}, [3]int64{0, 0, 0})
				note([3]int64{0, 0, 0}, [3]int64{i, j + 6, k})
			}
		}
	}
}

// spoken notes what it is told and shown of flow 0, and answers what the test says.
type spoken struct {
	said   []string
	answer policy.Answer
}

func (s *spoken) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		s.say("placed", e.Work, v)
	case policy.Ended:
		s.say("ended", e.Work, v)
	}
}

func (s *spoken) say(what string, w *policy.Work, v *policy.View) {
	s.said = append(s.said, what+string('0'+rune(w.At))+" "+string('0'+rune(v.Flows[0]))+string('0'+rune(v.Flows[1])))
}

func (s *spoken) Pick(w *policy.Work, v *policy.View, _ *policy.Weighed) policy.Answer {
	s.say("asked", w, v)
	return s.answer
}

// Before it is asked, a policy is told that the burst before has ended, so that the flow does not count against itself;
// and afterwards where it is, whether it was placed there or not.
func TestWhatAPolicyIsToldOfABurst(t *testing.T) {
	s := &spoken{}
	row := &policy.Row{Info: policy.Info{Name: "spoken", Sees: policy.T0 | policy.T1}, Bursts: true,
		Reasons: []string{"so"}, Maker: policy.Plain(func(policy.Env) policy.Policy { return s })}
	o := mustNew(t, config(func(c *Config) {
		c.Policy, c.Initial = row, 2
		c.Scheduler.Unit = "burst"
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 2})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
	o.Handle(0, &Event{Kind: RuleInstalled, Flow: 0, Instance: 1})
	for _, s.answer = range []policy.Answer{{Slot: 1}, {Verdict: policy.Hold}, {Verdict: policy.Drop}, {Slot: 1}, {}} {
		o.Dispatch(0, 0)
	}
	want := []string{"asked0 00", "placed1 10",
		"ended1 00", "asked1 00", "placed2 01",
		"ended2 00", "asked2 00", "placed2 01",
		"ended2 00", "asked2 00", "placed2 01",
		"ended2 00", "asked2 00", "placed2 01",
		"ended2 00", "asked2 00", "placed1 10"}
	if !slices.Equal(s.said, want) {
		t.Errorf("%q\nwant\n%q", s.said, want)
	}
	row.Bursts = false
	if _, err := New(config(func(c *Config) { c.Policy, c.Scheduler.Unit = row, "burst" }), nil); err == nil {
		t.Error("a policy that cannot decide on bursts was taken")
	}
}

// The last flow of a draining instance leaves it with its next burst. Dispatch, which takes no action, leaves the
// deletion to the event that follows.
func TestABurstEmptiesADrainingInstance(t *testing.T) {
	o := byBurst(t, 2)
	for f := range flow.ID(2) {
		a := o.Handle(0, &Event{Kind: FlowArrived, Flow: f})
		o.Handle(0, &Event{Kind: RuleInstalled, Flow: f, Instance: a[0].Instance})
	}
	o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 10), rx(2, 10)}})
	o.Handle(units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer})
	if !o.Draining(2) {
		t.Fatal("instance 2 does not drain")
	}
	if to, moved := o.Dispatch(units.Second, 0); to != 1 || moved || o.Emptied() {
		t.Errorf("a flow of the other: to %d, moved %v, emptied %v", to, moved, o.Emptied())
	}
	if to, moved := o.Dispatch(units.Second, 1); to != 1 || !moved || !o.Emptied() {
		t.Errorf("its flow: to %d, moved %v, emptied %v", to, moved, o.Emptied())
	}
	got := o.Handle(units.Second, &Event{Kind: BurstsDispatched, Bursts: o.Bursts()})
	if want := []Action{{Kind: DeleteInstance, Instance: 2}}; !slices.Equal(got, want) || o.Emptied() {
		t.Errorf("%v, want %v", got, want)
	}
}

// Whatever events and bursts come, a burst leads to an instance that takes work, a flow is in one place, the policy is
// told so, no instance goes that a flow may reach, and the same bursts have the same digest.
func TestRandomBursts(t *testing.T) {
	var all Bursts
	deleted := 0
	names := scheduler.On(policy.Bursts).Names()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := make([]byte, 801)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		c, events, times := script(b)
		c.Scheduler.Unit, c.Scheduler.Policy = "burst", scheduler.Named(names[r.IntN(len(names))])
		c.Scheduler.Rules, c.Scheduler.Offload.After = "flow", 1 // of no flow is a rule confirmed that was not ordered
		recorded, books := withBooks(c)
		o, again := mustNew(t, recorded, discard{}), mustNew(t, c, nil)
		w := witness{c: c, started: map[flow.Instance]string{}, rules: map[flow.ID]*rule{}}
		var answers []Event // of a switch and an engine that mostly answer at once
		handle := func(at units.Time, e *Event) {
			w.event(e)
			for _, a := range o.Handle(at, e) {
				if r.IntN(5) > 0 {
					switch a.Kind {
					case CreateInstance:
						answers = append(answers, Event{Kind: InstanceReady, Instance: a.Instance})
					case InstallRule, MoveRule:
						answers = append(answers, Event{Kind: RuleInstalled, Flow: a.Flow, Instance: a.Instance})
					}
				}
				if err := w.action(a); err != nil {
					t.Fatalf("seed %d, %+v: %v", seed, *e, err)
				}
				if a.Kind == DeleteInstance && e.Kind == BurstsDispatched {
					deleted++
				}
			}
			again.Handle(at, e)
		}
		for k := range events {
			handle(times[k], &events[k])
			for ; len(answers) > 0; answers = answers[1:] {
				if x := w.rules[answers[0].Flow]; answers[0].Kind == InstanceReady || x != nil &&
					x.newest == answers[0].Instance {
					handle(times[k], &answers[0])
				}
			}
			for range r.IntN(8) {
				f := flow.ID(r.IntN(18) - 1)
				to, moved := o.Dispatch(times[k], f)
				again.Dispatch(times[k], f)
				if moved {
					if s := w.started[to]; s != "ready" || w.rules[f] == nil {
						t.Fatalf("seed %d: flow %d, rule %+v, to instance %d, which is %q", seed, f, w.rules[f], to, s)
					}
					w.rules[f] = &rule{may: []flow.Instance{to}, newest: to, confirmed: true}
				}
				if o.Emptied() {
					handle(times[k], &Event{Kind: BurstsDispatched, Bursts: o.Bursts()})
				}
				for _, err := range []error{consistent(o), books.wrong} {
					if err != nil {
						t.Fatalf("seed %d, %s, flow %d: %v", seed, c.Scheduler.Policy.Name, f, err)
					}
				}
			}
		}
		if o.Bursts() != again.Bursts() {
			t.Fatalf("seed %d: %v, and %v", seed, o.Bursts(), again.Bursts())
		}
		all.Asked += o.Bursts().Asked
		all.Decided += o.Bursts().Decided
		all.Moved += o.Bursts().Moved
	}
	t.Logf("%v, %d instances deleted", all, deleted)
	if all.Moved < 500 || all.Decided < 2*all.Moved || deleted < 5 {
		t.Errorf("too little has happened: %v, %d deleted", all, deleted)
	}
}

func TestDispatchDoesNotAllocate(t *testing.T) {
	for _, name := range scheduler.On(policy.Bursts).Names() {
		o := mustNew(t, config(func(c *Config) {
			c.Scheduler.Policy, c.Scheduler.Unit = scheduler.Named(name), "burst"
		}), discard{})
		o.Handle(0, &Event{Kind: Start})
		for i := range flow.Instance(3) {
			o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
		}
		a := o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
		o.Handle(0, &Event{Kind: RuleInstalled, Flow: 0, Instance: a[0].Instance})
		now := units.Time(1)
		n := testing.AllocsPerRun(5000, func() {
			now++
			o.Dispatch(now, 0)
		})
		if n > 0 || o.Bursts().Decided < 5000 {
			t.Errorf("%s: %v allocations a burst, %v", name, n, o.Bursts())
		}
	}
}
