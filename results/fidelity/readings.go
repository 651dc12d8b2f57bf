package fidelity

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// namedReading is a row of the table of readings. Beyond the open questions it may override other keys.
type namedReading struct {
	name    string
	reading Reading
	extra   []string // overrides of Figures 9 and 10
	why     string
}

// before is the reading that this project had before it compared any others.
var before = read(nil)

// table are the readings that are compared one by one: on the way from the one before to the default, a question at a
// time, and then those that differ from the default in one point.
var table = []namedReading{
	{"default", Default, nil, "the default, which figures 6 to 10 have"},
	{"before", before, nil, "what this project took for the default before it compared readings"},
	{"pooled-constant-sum", before.with("share", "pooled").with("capacity", "constant sum"), nil,
		"pooled, and any two or more instances process 42 Mpps"},
	{"pooled", before.with("share", "pooled"), nil, "pooled"},
	{"pooled-zero", before.with("share", "pooled").with("demand", "zero"), nil,
		"pooled; Best-Fit fills an instance until it is measured at its limit"},
	{"pooled-throughput", before.with("share", "pooled").with("demand", "zero").with("metric", "processed"), nil,
		"the same, and Best-Fit looks at what was processed"},
	{"pooled-gain", Default.with("autoscaler", "target 50 %, offered"), nil, "the same, law through C(4) = 10.7"},
	{"share-reserved", Default.with("share", "reserved"), nil, "the default with reserved shares"},
	{"metric-offered", Default.with("metric", "offered"), nil, "Best-Fit and Worst-Fit look at what is sent"},
	{"demand-mean", Default.with("demand", "mean"), nil, "Best-Fit expects of a flow what the others bring"},
	{"nofit-reject", Default.with("nofit", "reject"), nil, "Best-Fit drops what fits nowhere"},
	{"nofit-queue", Default.with("nofit", "queue"), nil, "Best-Fit holds what fits nowhere"},
	{"idle-contend", Default.with("idle", "yes"), nil, "every running instance contends, as a polling driver does"},
	{"law-10.5", Default.with("capacity", "law, C(4) = 10.5"), nil, "the law through C(4) = 10.5"},
	{"lines", Default.with("capacity", "lines"), nil,
		"the three published points with straight lines between them, and no law"},
	{"constant-sum", Default.with("capacity", "constant sum"), nil, "any two or more instances process 42 Mpps"},
	{"49-mpps", Default.with("capacity", "49 Mpps"), nil,
		"eight instances process 49 Mpps (4.5), not 42 (4.4); no law with κ ≥ 0 passes through these points"},
	{"49-of-71-mpps", Default.with("capacity", "49 Mpps").with("eswitch", "71 Mpps"), nil,
		"the same, and the eSwitch forwards 49 + 22"},
	{"all-counted", Default.with("eswitch", "none"), nil, "nothing is lost before the rules' counters"},
	{"target-100", Default.with("autoscaler", "target 100 %, offered"), nil,
		"one instance more when the sum offered is above the sum of the limits"},
	{"hottest-12.5", Default.with("autoscaler", "hottest above 12.5 Mpps, offered"), nil,
		"one instance more when one is offered more than half of what it can do alone"},
	{"ties-random", Default.with("ties", "random"), nil, "of equal instances one at random"},
	{"demand-last", Default, []string{"scheduler.demand=last"},
		"Best-Fit expects of a flow what the newest one brings"},
	{"no-inflight", Default, []string{"scheduler.inflight=false"}, "no correction for flows in flight"},
}

// Outcome is what a reading gives. Lists of three are for Round-Robin, Best-Fit and Worst-Fit.
type Outcome struct {
	Name       string
	Why        string
	Sets       []string  // what is overridden of the default's scenarios
	Throughput []float64 // Mpps processed, in the mean from the ninth flow on
	Saturated  []float64 // the same, from the saturation of the eSwitch on
	Loss       []float64 // of the instances, Mpps, in the mean from the saturation of the eSwitch on
	Deviation  []float64 // its standard deviation
	Onset      []float64 // flows active when more than 1 % is lost; 0 if it never is
	Used       []float64 // instances that hold flows, in the mean of the run
	Rates      []float64 // Mpps that each that holds flows at the end processes, under Best-Fit
	Instances  []float64 // at the end of Figure 10, at 64, 512 and 1500 B
	Together   []float64 // Mpps that one to eight instances process, all saturated, as in Figure 7
	Score      Ranked
}

// Named is how many readings Outcomes runs.
func Named() int { return len(table) }

// Outcomes runs the table of readings. Progress is called with how many are done; it may be nil.
func Outcomes(ctx context.Context, plant Runner, progress func(done float64)) ([]Outcome, error) {
	outcomes := make([]Outcome, len(table))
	for i, t := range table {
		o, err := t.outcome(ctx, plant)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", t.name, err)
		}
		if outcomes[i] = *o; progress != nil {
			progress(float64(i + 1))
		}
	}
	return outcomes, nil
}

func (t *namedReading) outcome(ctx context.Context, plant Runner) (*Outcome, error) {
	recs := Records{}
	for _, study := range Studies {
		sets := t.reading.Sets(study)
		sets = append(sets, t.extra...)
		var err error
		if recs[study], err = plant(ctx, study, sets); err != nil {
			return nil, err
		}
	}
	m, err := measureAll(recs)
	if err != nil {
		return nil, err
	}
	o := &Outcome{Name: t.name, Why: t.why, Sets: append(t.reading.beyond(Default), t.extra...)}
	for _, c := range []struct {
		to *[]float64
		of func(*run) float64
	}{
		{&o.Throughput, func(x *run) float64 { return mean(x.contested(), processed) }},
		{&o.Saturated, func(x *run) float64 { return mean(x.overload(), processed) }},
		{&o.Loss, func(x *run) float64 { return mean(x.overload(), lost) }},
		{&o.Deviation, func(x *run) float64 { d, _ := spread(x.overload(), lost); return d }},
		{&o.Onset, func(x *run) float64 { return float64(x.onset(sharp)) }},
		{&o.Used, func(x *run) float64 { return mean(x.windows, used) }},
	} {
		if *c.to, err = m.each(c.of); err != nil {
			return nil, err
		}
	}
	bestFit, err := m.policy("best-fit")
	if err != nil {
		return nil, err
	}
	o.Rates = bestFit.ratesAt(bestFit.windows[len(bestFit.windows)-1].T)
	for _, size := range []string{"64B", "512B", "1500B"} {
		x, err := m.packetSize("fig10", size)
		if err != nil {
			return nil, err
		}
		o.Instances = append(o.Instances, there(&x.windows[len(x.windows)-1]))
	}
	for n := 1; n <= 8; n++ {
		o.Together = append(o.Together, m.together(n))
	}
	o.Score = Ranked{Reading: t.reading}
	if o.Score.Rows, err = Compare(recs); err != nil {
		return nil, err
	}
	o.Score.count()
	return o, nil
}

// WriteReadingsCSV writes outcomes as a table, a line for each scheduler.
func WriteReadingsCSV(w io.Writer, outcomes []Outcome) error {
	c := csv.NewWriter(w)
	c.Write([]string{"reading", "set", "policy", "throughput_mpps", "saturated_mpps", "loss_mpps", "loss_sd_mpps",
		"onset_flows", "instances_used", "agree", "fitted", "score"})
	for i := range outcomes {
		o := &outcomes[i]
		for k, p := range policies {
			c.Write([]string{o.Name, strings.Join(o.Sets, " "), p.name, decimal(o.Throughput[k], 6),
				decimal(o.Saturated[k], 6), decimal(o.Loss[k], 6), decimal(o.Deviation[k], 6), decimal(o.Onset[k], 0),
				decimal(o.Used[k], 6), strconv.Itoa(o.Score.Agree), strconv.Itoa(o.Score.Parameters),
				strconv.Itoa(o.Score.Score())})
		}
	}
	c.Flush()
	return c.Error()
}
