package orchestrator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// delayed is a policy that notes what it is told of delays.
type delayed struct{ seen []string }

func (d *delayed) Observe(e *policy.Event, v *policy.View) {
	if e.Kind == policy.Reported {
		d.seen = append(d.seen, fmt.Sprint(e.Until, v.IDs, v.Delay))
	}
	want := len(v.IDs)
	if len(v.Delay) != want {
		d.seen = append(d.seen, fmt.Sprintf("event %d: %d delays of %d instances", e.Kind, len(v.Delay), want))
	}
}

func (*delayed) Pick(*policy.Work, *policy.View, *policy.Weighed) policy.Answer {
	return policy.Answer{}
}

// A policy that goes by delays has reports read, and sees the median of each instance that takes work: from the second
// report of an instance on, and of the newest reading alone.
func TestASchedulingPolicySeesDelays(t *testing.T) {
	d := &delayed{}
	row := policy.Row{Info: policy.Info{Name: "delayed", Sees: policy.T0 | policy.T3},
		Measures: policy.SetOf(policy.DelayP50), Reasons: []string{"the first"},
		Maker: policy.Plain(func(policy.Env) policy.Policy { return d })}
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Policy, c.Reports = 3, &row, 2*units.Second
	}), nil)
	at := func(s int, e Event) []Action { return slices.Clone(o.Handle(units.Time(s)*units.Second, &e)) }
	if got := at(0, Event{Kind: Start}); !slices.Contains(got,
		Action{Kind: SetTimer, Timer: ReportTimer, At: 2 * units.Second}) {
		t.Errorf("no timer for reports in %v", got)
	}
	if got := o.Measures(); got != row.Measures {
		t.Errorf("measures %v, want %v", got, row.Measures)
	}
	report := func(s int, ms ...int64) {
		e := Event{Kind: ReportsRead, Sampled: units.Time(s) * units.Second}
		for i, d := range ms {
			if d >= 0 {
				e.Reports = append(e.Reports, Report{Instance: flow.Instance(i + 1),
					Delay: [4]int64{d * int64(units.Millisecond), 7, 7, 7}})
			}
		}
		at(s, e)
	}
	at(0, Event{Kind: InstanceReady, Instance: 1})
	at(0, Event{Kind: InstanceReady, Instance: 3})
	if got := at(2, Event{Kind: Tick, Timer: ReportTimer}); !slices.Contains(got, Action{Kind: ReadReports}) {
		t.Errorf("no reports are read: %v", got)
	}
	report(2, 5, -1, 6)
	report(3, 1, -1, 2)
	at(3, Event{Kind: InstanceReady, Instance: 2})
	report(4, 3, 4, -1)
	report(4, 9, 9, 9) // no newer
	at(4, Event{Kind: InstanceFailed, Instance: 1})
	report(5, -1, 8, 9)
	want := []string{"2s [1 3] [0 0]", "3s [1 3] [0.001 0.002]", "4s [1 2 3] [0.003 0 0]", "5s [2 3] [0.008 0.009]"}
	if !slices.Equal(d.seen, want) {
		t.Errorf("seen %q, want %q", d.seen, want)
	}
}
