package plots

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// scale relates a run to the experiment that it stands for (key scale of the scenario): its rates are rate times the
// experiment's, its times time times.
type scale struct{ rate, time float64 }

func scaleOf(s *scenarios.Scenario) scale {
	of := scale{1, 1}
	if s.Scale.Rate > 0 {
		of.rate = s.Scale.Rate
	}
	if s.Scale.Time > 0 {
		of.time = s.Scale.Time
	}
	return of
}

// window brings a window to the rates and times of the experiment, so that runs of several scales share axes. Counts of
// flows and instances stay as they are.
func (s scale) window(w *results.Window) window {
	return window{T: w.T / s.time, Offered: w.Offered / s.rate, Processed: w.Processed / s.rate,
		Dropped: w.Dropped / s.rate, DroppedInstance: w.DroppedInstance / s.rate,
		ProcessedBits: w.ProcessedBits / s.rate, Instances: w.Instances, Used: w.Used, Flows: w.Flows}
}

// instance does the same with what an instance did in a window.
func (s scale) instance(r *results.Instance) results.Instance {
	full := *r
	full.T /= s.time
	full.Offered /= s.rate
	full.Processed /= s.rate
	full.Dropped /= s.rate
	return full
}

// scaleNote says in the legend how much smaller the runs were than what the axes show.
func scaleNote(ds []data) string {
	for _, d := range ds {
		if d.scale != (scale{1, 1}) {
			note := "ran at " + fraction(d.scale.rate) + " of these rates"
			if d.scale.time != 1 {
				note += ", " + fraction(d.scale.time) + " of these times"
			}
			for _, e := range ds {
				if e.scale != d.scale {
					return "runs of several scales"
				}
			}
			return note
		}
	}
	return ""
}

// fraction writes a factor as people say it: 1/7500, 0.3 or 2.
func fraction(x float64) string {
	if n := math.Round(1 / x); n > 1 && math.Abs(n*x-1) < 0.005 {
		return fmt.Sprintf("1/%.0f", n)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
