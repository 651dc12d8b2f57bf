package study

import (
	"context"
	"fmt"
	"iter"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
)

// Bursts makes the bursts of a record's run again, for results.VerifyDir. The traffic is made again for it, from files
// that must be those of the run; another file is an error.
func Bursts(ctx context.Context) results.Remake {
	return func(sc *scenarios.Scenario, inputs []results.Input) iter.Seq2[results.Burst, error] {
		return func(yield func(results.Burst, error) bool) {
			err := sameInputs(ctx, sc, inputs)
			if err != nil {
				yield(results.Burst{}, fmt.Errorf("the traffic, for the bursts of the record: %w", err))
				return
			}
			w, err := sc.TrafficContext(ctx)
			if err != nil {
				yield(results.Burst{}, fmt.Errorf("the traffic, for the bursts of the record: %w", err))
				return
			}
			sim.Bursts(sc, w)(yield)
		}
	}
}

// sameInputs returns an error if a scenario's files are not those of a record.
func sameInputs(ctx context.Context, sc *scenarios.Scenario, inputs []results.Input) error {
	behind, err := (&digests{}).of(ctx, sc)
	if err != nil {
		return err
	}
	for i, in := range behind.inputs() {
		if i >= len(inputs) || in.Key != inputs[i].Key || in.SHA256 != inputs[i].SHA256 {
			return fmt.Errorf("%s: %s: want the file of the run, with its sha256 in run.json", in.Key, in.File)
		}
	}
	return nil
}
