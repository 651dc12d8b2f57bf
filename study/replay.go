package study

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// ReplayOptions are the options of Replay.
type ReplayOptions struct {
	Options
	Say     func(string)    // called with what an operator should know; may be nil
	Metrics *replay.Metrics // may be nil
}

// Scaled is the scenario in the testbed's size.
func Scaled(sc *scenarios.Scenario, tb *testbed.File) (*scenarios.Scenario, error) {
	if tb.Scale.Rate == 1 && tb.Scale.Time == 1 {
		return sc, nil
	}
	return sc.Scaled(tb.Scale.Rate, tb.Scale.Time)
}

// Replay runs a scenario, as it is, on a testbed and writes its record to dir. The testbed is locked and open
// meanwhile. If the run cannot begin, dir is left as it was. If it ends early, through ctx or because of the hardware,
// the record says so.
func Replay(
	ctx context.Context, sc *scenarios.Scenario, tb *testbed.File, dir string, o ReplayOptions,
) (_ *results.Run, err error) {
	traffic, behind, err := o.load(ctx, sc)
	if err != nil {
		return nil, err
	}
	if err := replay.Check(sc, traffic, hw.Capabilities{}); err != nil { // which no testbed can do
		return nil, refusal{err}
	}
	unlock, err := tb.Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	h, err := tb.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; smartinco hw doctor says what is missing", err)
	}
	defer func() { err = errors.Join(err, testbed.Close(h)) }()
	caps := h.Switch.Capabilities()
	if err := replay.Check(sc, traffic, caps); err != nil {
		return nil, refusal{err}
	}
	if o.Say != nil {
		for _, s := range tight(traffic, sc.End(traffic), caps) {
			o.Say(s)
		}
	}
	run := replay.Header(sc, traffic, h.Name, o.Version)
	run.Inputs = behind.inputs()
	writer, err := results.Create(dir, *run, results.Options{Overwrite: o.Overwrite, Skew: replay.Skew(caps)})
	if err != nil {
		return nil, refusable(err)
	}
	rec := &kept{Writer: writer}
	err = replay.Run(ctx, sc, traffic, h, rec, replay.Options{Version: o.Version, Progress: o.Progress, Say: o.Say,
		Metrics: o.Metrics})
	return rec.run, err
}

// ReplayAll replays what is left of a study, in the testbed's size, one run after the other, and leaves in dir what All
// leaves of simulations. Each run keeps its record, whatever the study's Keep says. each is called before each run with
// its number, from 0, and its length.
func ReplayAll(
	ctx context.Context, st *scenarios.Study, tb *testbed.File, dir string, o ReplayOptions,
	each func(run int, end units.Time),
) (err error) {
	if err := checkStudy(st); err != nil {
		return err
	}
	lock, err := claim(dir, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Abandon()) }()
	o.known = &digests{}
	rows := make([]*results.Run, len(st.Runs))
	for i := range st.Runs {
		if !needed(st, rows, i) {
			continue
		}
		run := &st.Runs[i]
		sc, err := Scaled(run.Scenario, tb)
		if err != nil {
			return err
		}
		where := filepath.Join(dir, run.Name)
		behind, err := o.known.of(ctx, sc)
		var sound bool
		if err == nil {
			w := work{results.Hardware, tb.Name, o.Version, sc, behind.inputs()}
			rows[i], sound = w.record(ctx, where)
		}
		if sound {
			if err := results.Tidy(where); err != nil {
				return fmt.Errorf("run %s: %w", run.Name, refusable(err))
			}
			continue
		}
		each(i, sc.Duration)
		if rows[i], err = Replay(ctx, sc, tb, where, o); err != nil {
			return fmt.Errorf("run %s: %w", run.Name, err)
		}
	}
	return summarise(st, dir, rows)
}
