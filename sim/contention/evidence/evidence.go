// Package evidence reads from run records, simulated or measured, what instances processed in saturation, and holds it
// against the contention law and the models of shares.
//
// It looks for spells: windows in which the same instances are ready and keep their flows. The first window of a
// spell and its last are left out, since they may hold the change. In a spell, an instance is saturated if it was
// offered more than it processed in each window, and at least 2 % more in all of them together. A spell in which all
// are saturated measures the capacity C(n); one in which only some are measures how they share. An instance without
// flows does not contend, so windows with one are left out unless the scenario says idle_contend.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/contention"
)

const (
	// Windows is the least number of windows of a spell, without the first and the last.
	Windows = 6
	// Batches is the largest number of batches into which the windows of a spell are put: the mean of each is a
	// repetition. Windows that follow each other are alike, batches less so (Schmeiser, Operations Research 30, 1982,
	// who advises 10 to 30 batches).
	Batches = 10
	// Runs is the number of records of the same situation from which on the records are the repetitions. With fewer,
	// the spread from run to run is not known, and a note says so.
	Runs = 3
	// saturated is what an instance is offered, over what it processes, at least.
	saturated = 1.02
	// alike is how far the loads of two records of the same situation may be apart.
	alike = 0.05
)

// Capacity is what each of N instances processed when all were saturated.
type Capacity struct {
	N int `json:"n"`
	contention.Sample
	Low     float64 `json:"low_pps"` // of the 95 % confidence interval
	High    float64 `json:"high_pps"`
	Records int     `json:"records"`
}

// Evidence is what the records say.
type Evidence struct {
	Capacities []Capacity            `json:"capacities"`      // by N
	Law        *contention.Fitted    `json:"law"`             // nil with capacities of fewer than three N
	Shares     []*contention.Verdict `json:"shares"`          // one a situation
	Notes      []string              `json:"notes,omitempty"` // what was left out, and why
}

// ErrNone says, through errors.Is, that records are not of these experiments.
var ErrNone = errors.New("no experiment about contention")

// series is what each saturated instance processed in each window of a spell.
type series struct {
	record  int // its number
	hungry  int
	demands []float64 // of the others, ascending
	each    []float64
}

func (s *series) n() int { return s.hungry + len(s.demands) }

func (s *series) like(o *series) bool {
	return s.hungry == o.hungry && slices.EqualFunc(s.demands, o.demands, func(a, b float64) bool {
		return math.Abs(a-b) <= alike*max(a, b)
	})
}

// Read finds the experiments in the records and judges them. The error is [ErrNone] if there is nothing to judge: it
// says what is missing.
func Read(ctx context.Context, recs []*results.Record) (*Evidence, error) {
	var groups [][]*series
	e := &Evidence{Capacities: []Capacity{}, Shares: []*contention.Verdict{}}
	for k, rec := range recs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := spells(rec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rec.Dir, err)
		}
		if len(found) == 0 {
			e.Notes = append(e.Notes, fmt.Sprintf("%s: no %d windows in a row, the first and the last left out, in "+
				"which all instances are ready and keep their flows, each has flows or contends without, and "+
				"one is offered more than it processes", rec.Dir, Windows))
		}
		for _, s := range found {
			s.record = k
			i := slices.IndexFunc(groups, func(g []*series) bool { return g[0].like(s) })
			if i < 0 {
				i, groups = len(groups), append(groups, nil)
			}
			groups[i] = append(groups[i], s)
		}
	}
	return e, e.judge(groups)
}

func (e *Evidence) judge(groups [][]*series) error {
	slices.SortStableFunc(groups, func(a, b []*series) int { return a[0].n() - b[0].n() })
	capacity := map[int]Capacity{}
	var points []contention.Point
	for _, g := range groups {
		if len(g[0].demands) > 0 {
			continue
		}
		c := Capacity{N: g[0].n()}
		c.Sample, c.Records = sample(g)
		c.Low, c.High = c.Interval()
		capacity[c.N] = c
		if c.Records < Runs && !c.Exact() {
			e.Notes = append(e.Notes, fmt.Sprintf("the interval of %d saturated instances is too narrow: %s", c.N,
				within(c.Records)))
		}
		e.Capacities = append(e.Capacities, c)
		points = append(points, contention.Point{N: c.N, Rate: c.Mean, Weight: 1})
	}
	var missing []string
	if fit, err := contention.Fit(points); err == nil {
		e.Law = fit
	} else {
		missing = append(missing, fmt.Sprintf("for the law, the capacity of three different numbers of instances, all "+
			"saturated: there is that of %d (scenario fig7)", len(points)))
	}
	shared := false
	for _, g := range groups {
		if len(g[0].demands) == 0 {
			continue
		}
		shared = true
		each, records := sample(g)
		s := contention.Sharing{Hungry: g[0].hungry, Demands: demands(g), Each: each, Alone: capacity[1].Mean}
		all, ok := capacity[s.N()]
		if !ok {
			missing = append(missing, fmt.Sprintf("for the shares of %d instances of which %d are saturated, the "+
				"capacity of %d of which all are", s.N(), s.Hungry, s.N()))
			continue
		}
		s.Capacity = all.Sample
		v, err := contention.Judge(s)
		if err != nil {
			return err
		}
		if n := min(records, all.Records); n < Runs && v.Decibans != nil {
			v.Notes = append(v.Notes, "the evidence is weaker than it looks: "+within(n))
		}
		e.Shares = append(e.Shares, v)
	}
	if !shared {
		missing = append(missing, "for the shares, instances of which some are saturated and some not (scenario share)")
	}
	if e.Law == nil && len(e.Shares) == 0 {
		err := ErrNone
		for _, m := range append(e.Notes, missing...) {
			err = fmt.Errorf("%w\n  %s", err, m)
		}
		return err
	}
	for _, m := range missing {
		e.Notes = append(e.Notes, "missing "+m)
	}
	return nil
}

// within says what a situation of so few records does not show.
func within(records int) string {
	of := "1 record shows"
	if records > 1 {
		of = fmt.Sprintf("%d records show", records)
	}
	return fmt.Sprintf("%s the spread within a run, and not that from run to run; %d or more do", of, Runs)
}

// sample takes the records as repetitions if they are enough, and batches of their windows if not. A record may have
// several spells of a situation; these follow each other.
func sample(g []*series) (s contention.Sample, records int) {
	var runs, batches, windows []float64
	for k, s := range g {
		b := min(Batches, len(s.each)/2)
		for i := range b {
			batches = append(batches, stat.Mean(s.each[i*len(s.each)/b:(i+1)*len(s.each)/b], nil))
		}
		windows = append(windows, s.each...)
		if k+1 == len(g) || g[k+1].record != s.record {
			runs = append(runs, stat.Mean(windows, nil))
			windows = windows[:0]
		}
	}
	if len(runs) >= Runs {
		return contention.NewSample(runs), len(runs)
	}
	return contention.NewSample(batches), len(runs)
}

// demands are the means over the spells.
func demands(g []*series) []float64 {
	all := make([]float64, len(g[0].demands))
	for _, s := range g {
		for i, d := range s.demands {
			all[i] += d / float64(len(g))
		}
	}
	return all
}

// spells returns those of a record in which at least one instance is saturated.
func spells(rec *results.Record) ([]*series, error) {
	idle := false // instances without flows contend
	if sc, ok := rec.Run.Scenario.(map[string]any); ok {
		vnf, _ := sc["vnf"].(map[string]any)
		idle, _ = vnf["idle_contend"].(bool)
	}
	var found []*series
	var spell [][]results.Instance
	end := func() {
		if s := saturation(spell); s != nil {
			found = append(found, s)
		}
		spell = nil
	}
	var window []results.Instance
	next := func() {
		if len(spell) > 0 && !same(spell[0], window) || !steady(window, idle) {
			end()
		}
		if steady(window, idle) {
			spell = append(spell, window)
		}
		window = nil
	}
	err := rec.EachInstance(func(i *results.Instance) error {
		if len(window) > 0 && window[0].T != i.T {
			next()
		}
		if i.State != results.StateGone && i.State != results.StateFailed {
			window = append(window, *i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(window) > 0 {
		next()
	}
	end()
	return found, nil
}

func steady(window []results.Instance, idle bool) bool {
	return len(window) > 0 && !slices.ContainsFunc(window, func(i results.Instance) bool {
		return i.State != results.StateReady || i.Flows == 0 && !idle
	})
}

func same(a, b []results.Instance) bool {
	return slices.EqualFunc(a, b, func(a, b results.Instance) bool {
		return a.Instance == b.Instance && a.Flows == b.Flows
	})
}

// saturation is what a spell says; nil if it is too short or nobody is saturated.
func saturation(spell [][]results.Instance) *series {
	if len(spell) < Windows+2 {
		return nil
	}
	spell = spell[1 : len(spell)-1]
	s := &series{each: make([]float64, len(spell))}
	for i := range spell[0] {
		offered, processed, always := 0.0, 0.0, true
		for _, w := range spell {
			offered += w[i].Offered / float64(len(spell))
			processed += w[i].Processed / float64(len(spell))
			always = always && w[i].Offered > w[i].Processed
		}
		if !always || offered < saturated*processed || processed == 0 {
			s.demands = append(s.demands, offered)
			continue
		}
		s.hungry++
		for k, w := range spell {
			s.each[k] += w[i].Processed
		}
	}
	if s.hungry == 0 {
		return nil
	}
	for k := range s.each {
		s.each[k] /= float64(s.hungry)
	}
	slices.Sort(s.demands)
	return s
}
