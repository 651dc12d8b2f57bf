package stats

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/numeric"
)

// Setting is what is ranked: the values of one column in the runs of one setting.
type Setting struct {
	Name   string
	Seeds  []string  // of the runs, each of them once
	Values []float64 // one for each seed
}

// Options of Rank.
type Options struct {
	Lower      bool    // the least value is the best
	Confidence float64 // of the intervals; what is not significant at 1 - Confidence is as good as the best
	Baseline   string  // a setting's name, from which the regret of each is measured; empty for none
	Bootstrap  bool    // intervals by Bootstrap instead of Student's and Welch's
}

// Ranked is a setting in its place.
type Ranked struct {
	Setting
	Mean   Interval
	Why    error      // why Mean has no bounds, or nil
	Behind Difference // what it lacks to the first, which is 0 or more but for a difference of pairs; P is Holm's
	Exact  bool       // Behind has no interval, because it is the same under every seed
	Tie    bool       // not significantly behind the first
	Regret Difference // what it lacks to the baseline; negative where it is better. P is not adjusted
}

// Ranking is settings from the best to the worst.
type Ranking struct {
	Metric  string
	Options Options
	Rows    []Ranked
	Notes   []string // what must be known to read it
}

// Rank orders settings by the mean of a column. Each is compared with the first: in pairs where the two have at least
// two seeds in common, or else as two samples. The p-values are adjusted for their number by
// Holm's procedure. The first is chosen by the same runs, which makes its lead look a little greater than it is.
func Rank(metric string, settings []Setting, o Options) (*Ranking, error) {
	if len(settings) < 2 {
		return nil, fmt.Errorf("settings to rank: %d: want at least two", len(settings))
	}
	base := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == o.Baseline })
	if o.Baseline != "" && base < 0 {
		return nil, fmt.Errorf("no setting %q: want one of those that are ranked", o.Baseline)
	}
	r := &Ranking{Metric: metric, Options: o}
	for _, s := range settings {
		row := Ranked{Setting: s}
		row.Mean, row.Why = o.mean(s)
		r.Rows = append(r.Rows, row)
	}
	slices.SortStableFunc(r.Rows, func(a, b Ranked) int {
		return cmp.Compare(0, o.lack(a.Mean.Value, b.Mean.Value))
	})
	ps := make([]float64, len(r.Rows))
	first := r.Rows[0].Setting
	for i := range r.Rows {
		row := &r.Rows[i]
		row.Behind.P, row.Regret.P = math.NaN(), math.NaN()
		if i > 0 {
			var err error
			if row.Behind, err = o.behind(row.Setting, first); errors.Is(err, ErrConstant) {
				row.Exact = true
			} else if err != nil && !errors.Is(err, ErrFew) {
				return nil, err
			}
		}
		ps[i] = row.Behind.P
		if o.Baseline != "" {
			var err error
			if row.Regret, err = o.behind(row.Setting, settings[base]); err != nil && !errors.Is(err, ErrConstant) &&
				!errors.Is(err, ErrFew) {
				return nil, err
			}
		}
	}
	for i, p := range Holm(ps) {
		row := &r.Rows[i]
		row.Behind.P = p
		row.Tie = i > 0 && (p >= 1-o.Confidence || math.IsNaN(p) && row.Behind.Value == 0)
	}
	r.note()
	return r, nil
}

// lack is what a value lacks to a better one.
func (o Options) lack(better, value float64) float64 {
	if o.Lower {
		return value - better
	}
	return better - value
}

func (o Options) mean(s Setting) (Interval, error) {
	if o.Bootstrap {
		return Bootstrap(s.Values, mean, o.Confidence, Resamples, numeric.Stream(1, "results/stats/mean/"+s.Name))
	}
	return Mean(s.Values, o.Confidence)
}

// behind compares a setting with one that it is measured by.
func (o Options) behind(s, by Setting) (d Difference, err error) {
	a, b, paired := pairs(by, s)
	if paired {
		d, err = Paired(a, b, o.Confidence)
	} else {
		d, err = Unpaired(by.Values, s.Values, o.Confidence)
	}
	if o.Lower {
		d.Value, d.Low, d.High = -d.Value, -d.High, -d.Low
	}
	if d.Value == 0 {
		d.Value = 0 // never -0
	}
	if o.Bootstrap && paired && err == nil {
		ds := make([]float64, len(a))
		for i := range a {
			ds[i] = o.lack(a[i], b[i])
		}
		in, err := Bootstrap(ds, mean, o.Confidence, Resamples,
			numeric.Stream(1, "results/stats/behind/"+(by.Name+"/"+s.Name)))
		d.Low, d.High = in.Low, in.High
		return d, err
	}
	return d, err
}

// pairs are the values of two settings under the seeds that both have. They are not paired where there are fewer than
// two such seeds and either has more.
func pairs(a, b Setting) (x, y []float64, paired bool) {
	at := make(map[string]float64, len(b.Seeds))
	for i, seed := range b.Seeds {
		at[seed] = b.Values[i]
	}
	for i, seed := range a.Seeds {
		if v, ok := at[seed]; ok {
			x, y = append(x, a.Values[i]), append(y, v)
		}
	}
	return x, y, len(x) >= 2 || len(x) == 1 && len(a.Seeds) == 1 && len(b.Seeds) == 1
}

// note says what must be known to read the ranking.
func (r *Ranking) note() {
	constant, single, unequal, unpaired := 0, 0, false, false
	for i := range r.Rows {
		row := &r.Rows[i]
		if errors.Is(row.Why, ErrConstant) {
			constant++
		} else if errors.Is(row.Why, ErrFew) {
			single++
		}
		unequal = unequal || len(row.Values) != len(r.Rows[0].Values)
		unpaired = unpaired || i > 0 && !row.Behind.Paired
	}
	add := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case constant == len(r.Rows):
		add("%v. Differences are exact.", ErrConstant)
	case constant > 0:
		add("Where an interval is missing, every seed gives the same value.")
	}
	if single > 0 {
		add("Where n is 1: %v.", ErrFew)
	}
	if constant+single == len(r.Rows) {
		return
	}
	kind, test := "Student's", "the paired t-test under equal seeds"
	if r.Options.Bootstrap {
		kind = "the bootstrap's (BCa)"
	}
	if unpaired {
		test = "Mann and Whitney's, since the settings have different seeds; intervals of differences are Welch's"
	}
	add("Intervals of %g %% are %s. The p-value is that of %s, adjusted for the number of comparisons (Holm). "+
		"~: not significantly behind the first.", 100*r.Options.Confidence, kind, test)
	if unequal {
		add("The numbers of runs differ. If that is because runs were added until the mean was known well enough, " +
			"intervals cover the true value somewhat less often than they say.")
	}
}
