package study

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// work describes a run that is asked for. A record stands for it if it is a record of just that.
type work struct {
	plant, engine string // as in run.json
	version       string // of the program
	sc            *scenarios.Scenario
	inputs        []results.Input
}

// finished says whether dir holds a complete and correct record of this work: of the same scenario, input files and
// program version, complete, without an error, with packets conserved and Little's law holding, and with all its files
// as they were written. Anything else there is an earlier attempt.
func (w work) finished(ctx context.Context, dir string) bool {
	_, sound := w.record(ctx, dir)
	return sound
}

// record is the run of the record in dir if that is a complete and undamaged one of this work, and whether it is
// correct as well: a run that breaks a law has a record that says so.
func (w work) record(ctx context.Context, dir string) (run *results.Run, sound bool) {
	rec, err := results.OpenContext(ctx, dir)
	if err != nil {
		return nil, false
	}
	r := &rec.Run
	delays := w.plant == results.Simulated && w.sc.Measure.Delay != "none" // which hardware does not measure
	if !r.Complete || r.Error != "" || r.Log == nil ||                     // of a version that did not check so much
		delays && r.Little == nil ||
		r.Plant != w.plant || r.Engine != w.engine || r.Version != w.version || r.Name != w.sc.Name ||
		r.Seed != w.sc.Seed || !slices.Equal(r.Inputs, w.inputs) || !sameScenario(w.sc, r.Scenario) ||
		rec.Check() != nil {
		return nil, false
	}
	return r, r.Conservation.Holds && r.Conservation.Checked > 0 && (r.Little == nil || r.Little.Holds)
}

func sameScenario(sc *scenarios.Scenario, recorded any) bool {
	b, err := json.Marshal(sc.Resolved())
	if err != nil {
		return false
	}
	var resolved any
	return json.Unmarshal(b, &resolved) == nil && reflect.DeepEqual(resolved, recorded)
}
