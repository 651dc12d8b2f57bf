package traces

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Arrivals is when the sessions of a model begin.
type Arrivals struct {
	Process string  // poisson, constant, on-off or series; empty is poisson
	Rate    float64 // sessions per second, mean; not with a series

	On, Off units.Time // on-off: mean lengths of the two phases

	Series string      // series: CSV file of new sessions over time, see ReadLoad
	Load   LoadOptions // series: its columns; a row's load times Scale is sessions per second
}

// String describes the arrivals for the provenance.
func (a Arrivals) String() string {
	switch a.Process {
	case "series":
		return fmt.Sprintf("arrivals of the series %s, column %s", filepath.Base(a.Series), a.Load.Column)
	case "on-off":
		return fmt.Sprintf("%g arrivals/s, on-off, on %v and off %v in the mean", a.Rate, a.On, a.Off)
	}
	return fmt.Sprintf("%g arrivals/s, %s", a.Rate, a.process())
}

func (a Arrivals) process() string {
	if a.Process == "" {
		return "poisson"
	}
	return a.Process
}

// arrivalProcesses are the kinds of arrivals. Each calls add in order of time until add returns false.
var arrivalProcesses = map[string]func(a Arrivals, r *rand.Rand, until units.Time, add func(units.Time) bool) error{
	"poisson":  poisson,
	"constant": evenly,
	"on-off":   onOff,
	"series":   series,
}

var errFlows = fmt.Errorf("more than %d sessions, want fewer or a shorter time", maxFlows)

// times returns the beginnings of the sessions, in order. ctx may be nil.
func (a Arrivals) times(ctx context.Context, r *rand.Rand, until units.Time) (ts []units.Time, err error) {
	if err := a.check(until); err != nil {
		return nil, err
	}
	if a.Process != "series" && a.Rate*until.Seconds() > 2*maxFlows {
		return nil, errFlows
	}
	full := false
	err = a.each(r, until, func(t units.Time) bool {
		if full = full || len(ts) == maxFlows; full || len(ts)%block == 0 && stopped(ctx) != nil {
			return false
		}
		ts = append(ts, t)
		return true
	})
	if full && err == nil {
		err = errFlows
	}
	if err == nil {
		err = stopped(ctx)
	}
	return ts, err
}

// each calls add with the beginning of each session, in order, until add returns false. The arrivals have been checked.
func (a Arrivals) each(r *rand.Rand, until units.Time, add func(units.Time) bool) error {
	return arrivalProcesses[a.process()](a, r, until, add)
}

func (a Arrivals) check(until units.Time) error {
	switch {
	case arrivalProcesses[a.process()] == nil:
		return fmt.Errorf("arrivals %q, want poisson, constant, on-off or series", a.Process)
	case until < 0 || until > maxSpan:
		return fmt.Errorf("arrivals until %v, want a time from 0 to %v", until, maxSpan)
	case a.Process == "series" && a.Series == "":
		return errors.New("arrivals from a series without a file")
	case a.Process != "series" && until == 0:
		return errors.New("arrivals without an end")
	case a.Process != "series" && !(a.Rate > 0 && a.Rate <= 1e12):
		return fmt.Errorf("%g arrivals/s, want more than 0 and at most 1e12", a.Rate)
	case a.Process == "constant" && a.Rate < LeastRate:
		return fmt.Errorf("%g constant arrivals/s, want %g to 1e12", a.Rate, float64(LeastRate))
	case a.Process == "on-off" && (a.On <= 0 || a.Off <= 0 || a.On > maxSpan || a.Off > maxSpan):
		return fmt.Errorf("on for %v and off for %v, want times above 0", a.On, a.Off)
	case a.Process == "on-off" && until/(a.On+a.Off) > maxFlows:
		return fmt.Errorf("on for %v and off for %v are more than %d phases in %v, want longer ones", a.On, a.Off,
			maxFlows, until)
	}
	return nil
}

// after is the time x picoseconds after t, to the nearest one, or until if that is earlier. If times were rounded down,
// each gap would be half a picosecond too short in the mean. The conversion of x keeps its last multiplication apart
// from the addition.
func after(t units.Time, x float64, until units.Time) units.Time {
	if !(x < float64(until-t)) {
		return until
	}
	return t + units.Time(float64(x)+0.5)
}

func poisson(a Arrivals, r *rand.Rand, until units.Time, add func(units.Time) bool) error {
	mean := float64(units.Second) / a.Rate
	next := func(t units.Time) units.Time { return after(t, mean*numeric.Exponential(r), until) }
	for t := next(0); t < until && add(t); t = next(t) {
	}
	return nil
}

func evenly(a Arrivals, _ *rand.Rand, until units.Time, add func(units.Time) bool) error {
	period, err := PeriodOf(a.Rate)
	for i := int64(0); err == nil; i++ {
		if t := period.At(i); t >= until || !add(t) {
			return nil
		}
	}
	return err
}

// onOff is an interrupted Poisson process. Its phases are exponential and alternate; sessions arrive in the first kind
// alone, at the rate that makes Rate their mean. It begins as if it had run for ever.
func onOff(a Arrivals, r *rand.Rand, until units.Time, add func(units.Time) bool) error {
	on, off := float64(a.On), float64(a.Off)
	mean := float64(units.Second) / a.Rate * (on / (on + off))
	active := numeric.Uniform(r)*(on+off) < on
	for start := units.Time(0); start < until; active = !active {
		if !active {
			start = after(start, off*numeric.Exponential(r), until)
			continue
		}
		end := after(start, on*numeric.Exponential(r), until)
		next := func(t units.Time) units.Time { return after(t, mean*numeric.Exponential(r), end) }
		for t := next(start); t < end; t = next(t) {
			if !add(t) {
				return nil
			}
		}
		start = min(end+1, until) // time passes even in a phase shorter than a picosecond
	}
	return nil
}

// series puts as many arrivals into each row as the row says, at uniform times. A fraction of an arrival is carried to
// the next row. Neighbouring rows of equal load count as one.
func series(a Arrivals, r *rand.Rand, until units.Time, add func(units.Time) bool) error {
	o := a.Load
	o.Flows, o.Size, o.Offset = 1, 0, 0
	w, err := ReadLoad(a.Series, o)
	if err != nil {
		return err
	}
	var sum, done float64
	var ts []units.Time
	for _, s := range w.Flows[0].Segments {
		if until > 0 && s.Start >= until {
			break
		}
		sum += s.Packets
		n := math.Floor(sum+0.5) - done
		if n > maxFlows {
			return errFlows
		}
		done += n
		ts = ts[:0]
		for range int(n) {
			ts = append(ts, s.Start+units.Time(r.Int64N(int64(s.End-s.Start))))
		}
		slices.Sort(ts)
		for _, t := range ts {
			if until > 0 && t >= until {
				break
			}
			if !add(t) {
				return nil
			}
		}
	}
	return nil
}
