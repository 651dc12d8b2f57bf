package orchestrator

import (
	"reflect"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/units"
)

// A policy that goes by what instances report has it read in its own period. What it saw is in its decision.
func TestReportsAreReadForThePolicyThatAsks(t *testing.T) {
	const s = units.Second
	log := reasons{kind: Recommend}
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Min, c.Max, c.Reports = 2, 1, 5, 3*s
		c.Autoscaler.Policy = autoscaler.Named("hpa")
		options := c.Autoscaler.Policy.Options.(kubernetes.Options)
		options.CPU = "reported"
		c.Autoscaler.Policy.Options = options
	}), &log)
	timer := func(actions []Action) (set []Action) {
		for _, a := range actions {
			if a.Timer == ReportTimer || a.Kind == ReadReports {
				set = append(set, a)
			}
		}
		return set
	}
	want := []Action{{Kind: SetTimer, Timer: ReportTimer, At: 3 * s}}
	if got := timer(o.Handle(0, &Event{Kind: Start})); !reflect.DeepEqual(got, want) {
		t.Errorf("at the start %v, want %v", got, want)
	}
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 2})
	for k := units.Time(1); k <= 2; k++ {
		at := 3 * k * s
		want := []Action{{Kind: ReadReports}, {Kind: SetTimer, Timer: ReportTimer, At: at + 3*s}}
		if got := timer(o.Handle(at, &Event{Kind: Tick, Timer: ReportTimer})); !reflect.DeepEqual(got, want) {
			t.Errorf("at %v %v, want %v", at, got, want)
		}
		o.Handle(at, &Event{Kind: ReportsRead, Sampled: at, Reports: []Report{
			{Instance: 1, CPU: int64(k * s)}, {Instance: 2, CPU: int64(2 * k * s)}}})
	}
	o.Handle(7*s, &Event{Kind: Tick, Timer: AutoscaleTimer}) // a third and two thirds of a core
	if want := "ValidMetricFound: Resource cpu at 50 % of 80 % wants 2"; len(log.got) != 1 || log.got[0] != want {
		t.Errorf("the policy says %q, want %q", log.got, want)
	}

	o = mustNew(t, config(nil), nil)
	if got := timer(o.Handle(0, &Event{Kind: Start})); len(got) > 0 {
		t.Errorf("of a policy that asks for nothing: %v", got)
	}
	if got := timer(o.Handle(s, &Event{Kind: Tick, Timer: ReportTimer})); len(got) > 0 {
		t.Errorf("and when the timer fires all the same: %v", got)
	}
}
