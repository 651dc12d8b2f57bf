package scheduler

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/units"
)

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() Options {
	return Options{Policy: "round-robin", Limit: 10e6, Demand: "mean", NoFit: "least-loaded", InFlight: true, Ties: "first", NoInstance: "hold"}
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	if Policies.Find(o.Policy) == nil {
		return fmt.Errorf("scheduler.policy: %q is not known: want one of %s", o.Policy, strings.Join(Policies.Names(), ", "))
	}
	if !(o.Limit > 0) || math.IsInf(float64(o.Limit), 0) {
		return fmt.Errorf("scheduler.limit: %v, want a finite packet rate above 0", o.Limit)
	}
	if !(o.DemandRate >= 0) || math.IsInf(float64(o.DemandRate), 0) {
		return fmt.Errorf("scheduler.demand_rate: %v, want a finite packet rate of 0 or more", o.DemandRate)
	}
	if o.Demand == "fixed" && o.DemandRate == units.PPS(0) {
		return fmt.Errorf("scheduler.demand_rate: 0pps with demand: fixed, want a packet rate above 0")
	}
	for _, e := range []struct {
		key, value string
		known      []string
	}{
		{"demand", o.Demand, []string{"zero", "mean", "last", "fixed"}},
		{"nofit", o.NoFit, []string{"least-loaded", "reject", "queue"}},
		{"ties", o.Ties, []string{"first", "random"}},
		{"no_instance", o.NoInstance, []string{"hold", "drop"}},
	} {
		if !slices.Contains(e.known, e.value) {
			return fmt.Errorf("scheduler.%s: %q is not known: want one of %s", e.key, e.value, strings.Join(e.known, ", "))
		}
	}
	return nil
}

// of are the options of a row: its own, or for the policies that go by the thesis' rules those of the flat keys.
func (o *Options) of(row *policy.Row) any {
	if _, ok := row.Options.(thesis.Options); ok {
		return thesis.Options{Demand: o.Demand, DemandRate: o.DemandRate, NoFit: o.NoFit, InFlight: o.InFlight}
	}
	return row.Options
}
