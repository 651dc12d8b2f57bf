package study

import (
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
)

// confidence is that of all intervals of a study.
const confidence = 0.95

// checkStudy refuses what a study cannot be run with.
func checkStudy(st *scenarios.Study) error {
	if st.Replicas == nil {
		return nil
	}
	if _, ok := metric(st.Replicas.Until.Metric); !ok {
		return refusef("sweep.replicas.until.metric is %s: want one of %s", results.Quote(st.Replicas.Until.Metric),
			strings.Join(metrics(), ", "))
	}
	return nil
}

// needed says whether a run is wanted, given the rows of the replicas before it: there are fewer than the least number,
// or their mean is not known well enough. The rows looked at are those of one combination in order, so the answer does
// not depend on what else has run. It is the rule of Law, Simulation Modeling and Analysis, 9.4.1, "sequential
// procedure": where it stops, the interval covers the mean somewhat less often than its confidence says.
func needed(st *scenarios.Study, rows []*results.Run, run int) bool {
	r := st.Replicas
	if r == nil {
		return true
	}
	value, ok := metric(r.Until.Metric)
	if !ok {
		return true
	}
	first := run - st.Runs[run].Replica
	var seen []float64
	for i := first; i < run; i++ {
		if rows[i] == nil {
			return true // nothing can be said
		}
		if seen = append(seen, value(rows[i])); len(seen) >= r.Min && enough(seen, r.Until.Relative) {
			return false
		}
	}
	return true
}

// enough says whether the interval of the mean is narrow enough. Values that are all equal have no interval, and one
// more tells nothing.
func enough(values []float64, relative float64) bool {
	in, err := stats.Mean(values, confidence)
	if err != nil {
		return stats.Constant(values)
	}
	mean := in.Value
	if mean < 0 {
		mean = -mean
	}
	return (in.High-in.Low)/2 <= relative*mean
}
