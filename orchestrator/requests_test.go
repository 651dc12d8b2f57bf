package orchestrator

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// served is an orchestrator of instances that serve requests.
type served struct {
	*Orchestrator
	t    *testing.T
	host *dispatch.Host
	n    flow.ID
}

func serving(t *testing.T, initial int, scaler string, log Logger) *served {
	t.Helper()
	options := scheduler.DefaultOptions()
	options.Policy = scheduler.Named("jbsq")
	host, err := dispatch.New(dispatch.Config{Scheduler: options, Held: 100})
	if err != nil {
		t.Fatal(err)
	}
	o := mustNew(t, config(func(c *Config) {
		c.Requests, c.Initial, c.Min = host, initial, 0
		c.Autoscaler.Policy = autoscaler.Named(scaler)
	}), log)
	s := &served{Orchestrator: o, t: t, host: host}
	s.Handle(0, &Event{Kind: Start})
	for i := range initial {
		s.Handle(0, &Event{Kind: InstanceReady, Instance: flow.Instance(i + 1)})
	}
	return s
}

// come has a request come, and says where it is now; nowhere if it is held.
func (s *served) come() *policy.Work {
	w := &policy.Work{Flow: s.n}
	s.n++
	if s.host.Dispatch(s.now, w).Verdict == policy.Hold {
		s.host.Hold(s.now, w, 0)
	}
	return w
}

// evaluate has the autoscaler be asked at a second, and returns what is to be done but for the timer.
func (s *served) evaluate(second units.Time) string {
	actions := s.Handle(second*units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer})
	return said(actions)
}

func said(actions []Action) string {
	var all []string
	for _, a := range actions {
		switch a.Kind {
		case CreateInstance:
			all = append(all, fmt.Sprint("create ", a.Instance))
		case DeleteInstance:
			all = append(all, fmt.Sprint("delete ", a.Instance))
		}
	}
	return fmt.Sprint(all)
}

// Instances join and leave the host of requests as they do the scheduler of flows. One that drains is deleted when it
// has replied to the last of its requests, and is taken back with those that it has.
func TestInstancesOfRequests(t *testing.T) {
	s := serving(t, 2, "ringleader", nil)
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	ids := func() string { return fmt.Sprint(s.host.Instances()) }
	want("at first", ids(), "[1 2]")
	var at [3][]*policy.Work
	come := func() {
		w := s.come()
		at[w.At] = append(at[w.At], w)
	}
	come()
	come() // one each
	for second := range units.Time(15) {
		want("too soon", s.evaluate(second+1), "[]")
	}
	want("nothing has waited for 16 epochs", s.evaluate(16), "[]")
	want("it drains", ids(), "[1]")
	if !s.Draining(2) || s.host.Placed(2) != 1 {
		t.Errorf("instance 2 drains: %v, and has %d requests", s.Draining(2), s.host.Placed(2))
	}
	for len(at[0]) == 0 {
		come() // until one is held
	}
	want("nothing had waited at the start", s.evaluate(17), "[]")
	want("it is taken back", s.evaluate(18), "[]")
	want("it is taken back", ids(), "[1 2]")
	if s.snapshot.Backlog != (policy.Backlog{Start: 1, Most: 1}) || s.snapshot.Held != 1 ||
		s.snapshot.Instances[1].Flows != 1 || s.host.Placed(2) != 1 {
		t.Errorf("%+v, and instance 2 has %d requests", s.snapshot, s.host.Placed(2))
	}
	if _, _, _, ok := s.host.Next(s.now); !ok {
		t.Error("the held request has no room there")
	}
	s.drain(1)
	s.Handle(s.now, &Event{Kind: InstanceIdle, Instance: 1}) // is not true
	for k, w := range at[1] {
		s.host.Ended(s.now, w, 0)
		got := said(s.Handle(s.now, &Event{Kind: InstanceIdle, Instance: 1}))
		want("after a reply", got, []string{"[]", "[delete 1]"}[max(0, k-len(at[1])+2)])
	}
	want("it failed", said(s.Handle(s.now, &Event{Kind: InstanceFailed, Instance: 2}))+ids(), "[create 3][]")
}

// Requests that are held where no instance is want one.
func TestHeldRequestsBringAnInstance(t *testing.T) {
	for _, c := range []struct {
		scaler string
		want   string
	}{{"ringleader", "[][create 1][]"}, {"target-utilization", "[create 1][][]"}} {
		s := serving(t, 0, c.scaler, nil)
		for range 50 {
			s.come()
		}
		s.Handle(s.now, &Event{Kind: CountersRead, Sampled: units.Second})
		if got := s.evaluate(1) + s.evaluate(2) + s.evaluate(3); got != c.want {
			t.Errorf("%s: %s, want %s", c.scaler, got, c.want)
		}
		if b := s.snapshot; b.Held != 50 || b.HeldLoad > 1 {
			t.Errorf("%s: %+v", c.scaler, b)
		}
	}
}
