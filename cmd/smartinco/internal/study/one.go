// Package study runs scenarios and keeps their records: one, or all of a study on all cores, so that a study that was
// interrupted goes on where it stopped and its records do not depend on how many ran at a time.
package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// The engines by the scenario's name for them.
var engines = map[string]sim.Engine{
	"fluid":  fluid.New,
	"packet": packet.New,
}

// ErrRefused is, in the sense of errors.Is, a request that cannot be carried out as it stands: an engine that is not
// there, a directory that holds something else.
var ErrRefused = errors.New("refused")

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

type refusal struct{ error }

func (refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error      { return r.error }

// Options of One.
type Options struct {
	Version   string                    // of the program, for the record
	Overwrite bool                      // replace the record that the directory holds
	Progress  func(now, end units.Time) // called at the end of each window; may be nil
}

// One runs a scenario and writes its record to dir. Where the run cannot begin, dir is left as it was. A run that is
// interrupted through ctx leaves a record that says so and an error that wraps the context's.
func One(ctx context.Context, sc *scenarios.Scenario, dir string, o Options) (*results.Run, error) {
	engine, ok := engines[sc.Engine]
	if !ok {
		return nil, refusef("scenario %s: no engine %q in this program: want %s", sc.Name, sc.Engine, strings.Join(slices.Sorted(maps.Keys(engines)), " or "))
	}
	traffic, err := sc.Traffic()
	if err != nil {
		return nil, refusal{err} // a file that is not there, or is not what the scenario takes it for
	}
	_, err = os.Stat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	writer, err := results.Create(dir, *sim.Header(sc, traffic, o.Version), results.Options{Overwrite: o.Overwrite})
	if err != nil {
		var path *fs.PathError
		if !errors.As(err, &path) {
			err = refusal{err}
		}
		return nil, err
	}
	rec := &kept{Writer: writer}
	err = sim.Run(ctx, sc, traffic, engine, rec, sim.Options{Version: o.Version, Progress: o.Progress})
	if rec.run == nil && err != nil { // the scenario is not one that the engine or the orchestrator can run
		if fresh {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return nil, refusal{err}
	}
	if err == nil && !rec.run.Conservation.Holds {
		err = fmt.Errorf("%s: packets are not conserved: %g packets at %s", dir, rec.run.Conservation.Worst, rec.run.Conservation.Where)
	}
	if l := rec.run; err == nil && l.Little != nil && !l.Little.Holds {
		err = fmt.Errorf("%s: Little's law does not hold: %s", dir, l.Little.Where)
	}
	return rec.run, err
}

// kept keeps what the record was closed with.
type kept struct {
	*results.Writer
	run *results.Run
}

func (k *kept) Close(r *results.Run) error {
	k.run = r
	return k.Writer.Close(r)
}

// finished says whether dir holds the complete record of this very scenario by this very version of the program.
func finished(dir string, sc *scenarios.Scenario, version string) bool {
	rec, err := results.Open(dir)
	if err != nil || !rec.Run.Complete || rec.Run.Version != version {
		return false
	}
	b, err := json.Marshal(sc.Resolved())
	if err != nil {
		return false
	}
	var resolved any
	return json.Unmarshal(b, &resolved) == nil && reflect.DeepEqual(resolved, rec.Run.Scenario)
}
