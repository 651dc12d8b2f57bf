package scheduler

import (
	"fmt"
	"reflect"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() (o Options) {
	strictyaml.Defaults(&o)
	return o
}

// Names lists what may stand at a key whose values are the names in a table; nil for the other keys.
func (Options) Names(key string) []string {
	if key == "policy" {
		return Policies.Names()
	}
	return nil
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	if err := strictyaml.Check(&o); err != nil {
		return fmt.Errorf("scheduler.%w", err)
	}
	if o.Demand == "fixed" && o.DemandRate == 0 {
		return fmt.Errorf("scheduler.demand_rate: 0pps with demand: fixed: want a packet rate above 0")
	}
	return nil
}

// of are the options of a row: its own, or for the policies that go by the thesis' rules those of the flat keys.
func (o *Options) of(row *policy.Row) any {
	switch row.Options.(type) {
	case nil:
		return nil
	case thesis.Options:
		return thesis.Options{Demand: o.Demand, DemandRate: o.DemandRate, NoFit: o.NoFit, InFlight: o.InFlight}
	}
	own := reflect.New(reflect.TypeOf(row.Options))
	strictyaml.Defaults(own.Interface())
	return own.Elem().Interface()
}
