package contention

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Sample is a rate that was measured several times, in packets per second.
type Sample struct {
	Mean  float64 `json:"mean_pps"`
	Error float64 `json:"standard_error_pps"` // of the mean
	Count int     `json:"repetitions"`
}

// NewSample takes the repetitions: values of runs, or of batches of windows that are long enough to be independent.
func NewSample(values []float64) Sample {
	s := Sample{Count: len(values)}
	var deviation float64
	s.Mean, deviation = stat.MeanStdDev(values, nil)
	if len(values) > 1 {
		s.Error = stat.StdErr(deviation, float64(len(values)))
	}
	return s
}

// Interval is the 95 % confidence interval of the mean, by Student's t. Both ends are the mean if there is no spread.
func (s Sample) Interval() (low, high float64) {
	if s.Count < 2 || s.Error == 0 {
		return s.Mean, s.Mean
	}
	half := float64(s.Error * distuv.StudentsT{Sigma: 1, Nu: float64(s.Count - 1)}.Quantile(0.975))
	return s.Mean - half, s.Mean + half
}

// exact is the relative distance within which values without spread are the same. A simulated service time is a whole
// number of picoseconds, so a rate near 10 Mpps is exact to 1e-5.
const exact = 1e-4

// Exact says that the repetitions are equal, but for the rounding of a simulation.
func (s Sample) Exact() bool { return s.Error <= exact/10*s.Mean }

// Sharing is a situation in which the models of shares differ: of n contending instances, some were saturated, and the
// others were offered less than they could process.
type Sharing struct {
	Demands  []float64 `json:"offered_to_others_pps"` // what each of the others was offered
	Hungry   int       `json:"saturated"`             // number of saturated instances, at least 1
	Each     Sample    `json:"measured"`              // what each of the saturated ones processed
	Capacity Sample    `json:"capacity"`              // what each of n processes if all are saturated
	// Alone is what one instance processes alone, the most that a share can be; 0 if it was not measured.
	Alone float64 `json:"capacity_alone_pps,omitempty"`
}

// N is the number of instances.
func (s *Sharing) N() int { return s.Hungry + len(s.Demands) }

// Prediction is what a model of shares says of each saturated instance.
type Prediction struct {
	Share  string   `json:"share"` // as in a scenario: vnf.contention.share
	Rate   float64  `json:"predicted_pps"`
	Error  float64  `json:"standard_error_pps"`  // that of the capacity, carried on
	Errors *float64 `json:"distance_in_errors"`  // measured − predicted; nil without spread
	Off    float64  `json:"relative_distance"`   // measured − predicted, over predicted
	Beyond bool     `json:"farther_than_chance"` // at 99.9 %; without spread, by more than 1 in 10,000
	log    float64  // the logarithm of the likelihood
}

// Outcomes of a [Verdict].
const (
	Reserved = "reserved"
	Pooled   = "pooled"
	Neither  = "neither"
	Open     = "cannot tell"
)

// Verdict says which model of shares a measurement favours.
type Verdict struct {
	Sharing
	Predictions []Prediction `json:"predictions"` // reserved, pooled
	Position    float64      `json:"position"`    // of the measured value: 0 at reserved, 1 at pooled
	// Decibans is ten times the decimal logarithm of the likelihood of pooled over reserved; nil without spread.
	Decibans *float64 `json:"decibans"`
	Outcome  string   `json:"outcome"` // Reserved, Pooled, Neither or Open
	Nearer   string   `json:"nearer"`  // Reserved or Pooled
	Strength string   `json:"strength"`
	Notes    []string `json:"notes,omitempty"`
}

// grades are those of H. Jeffreys, "Theory of Probability", 3rd edition 1961, appendix B: powers of the root of 10,
// which are 5 decibans each (the unit is A. Turing's: I. J. Good, "Probability and the Weighing of Evidence", 1950).
var grades = []struct {
	below float64
	says  string
}{
	{5, "not worth more than a bare mention"}, {10, "substantial"}, {15, "strong"}, {20, "very strong"},
	{math.Inf(1), "decisive"},
}

// tenth is the part of the distance between the predictions within which a measured value is still at one of them, even
// if chance alone does not put it there: no plant follows a model to the last digit.
const tenth = 0.1

// Judge holds a situation against both models of shares. Reserved predicts that each saturated instance processes
// C(n), what each does if all are saturated; pooled that it processes what [Pool] says, which is
// (n·C(n) − Σ demands) / saturated, at most the capacity alone.
//
// The distance of the measured value from a prediction is measured in its standard error: the root of the sum of the
// squares of that of the measured value and that of the prediction, which comes from the measured capacity. Its degrees
// of freedom are those of Welch and Satterthwaite, and its likelihood is the density of Student's t. Evidence is the
// ratio of the likelihoods in decibans, with Jeffreys' words.
//
//   - Cannot tell: the predictions are the same, or the evidence is below 5 decibans.
//   - Neither: both are farther than chance explains (99.9 %), and the value is not within a tenth of the distance
//     between the predictions from one of them.
//   - Otherwise the more likely one. If even that is farther than chance explains, a note says so.
//
// Without spread, as in a simulation without randomness, there is no likelihood: a model is right if its prediction is
// the measured value, to 1 in 10,000.
func Judge(s Sharing) (*Verdict, error) {
	if s.Hungry < 1 || len(s.Demands) < 1 {
		return nil, fmt.Errorf("contention: %d instances saturated and %d not: want at least one of each", s.Hungry,
			len(s.Demands))
	}
	for _, r := range []struct {
		name string
		of   Sample
	}{{"the measured rate", s.Each}, {"the capacity", s.Capacity}} {
		if err := positive(r.name, r.of.Mean); err != nil {
			return nil, err
		}
		if r.of.Count < 2 {
			return nil, fmt.Errorf("contention: %s was measured %d times: want at least 2", r.name, r.of.Count)
		}
	}
	v := &Verdict{Sharing: s}
	pooled, slope, err := s.pooled()
	if err != nil {
		return nil, err
	}
	v.Predictions = []Prediction{
		{Share: Reserved, Rate: s.Capacity.Mean, Error: s.Capacity.Error},
		{Share: Pooled, Rate: pooled, Error: slope * s.Capacity.Error},
	}
	if s.Alone == 0 {
		v.Notes = append(v.Notes, "the capacity of one instance alone was not measured: the pooled share has no limit")
	}
	gap := pooled - s.Capacity.Mean
	if math.Abs(gap) <= exact*pooled {
		v.Outcome, v.Nearer, v.Strength = Open, Reserved, "both predict the same"
		return v, nil
	}
	v.Position = (s.Each.Mean - s.Capacity.Mean) / gap
	v.Nearer = Reserved
	if v.Position > 0.5 {
		v.Nearer = Pooled
	}
	if s.Each.Exact() && s.Capacity.Exact() {
		v.exactly()
	} else {
		v.byChance()
	}
	return v, nil
}

// pooled is the prediction, and by how much it grows with the capacity of each.
func (s *Sharing) pooled() (rate, slope float64, err error) {
	n, alone := s.N(), s.Alone
	if alone == 0 {
		alone = float64(n) * s.Capacity.Mean
	}
	law, err := NewTable(map[int]float64{1: alone, n: s.Capacity.Mean})
	if err != nil {
		return 0, 0, err
	}
	members := make([]Member, n)
	for i := range members {
		members[i] = Member{Contends: true, Demand: float64(n) * alone}
		if i < len(s.Demands) {
			members[i].Demand = s.Demands[i]
		}
	}
	p := Pool{Law: law}
	p.Share(members)
	hungry := members[n-1].Share
	if hungry >= alone {
		return hungry, 0, nil
	}
	return hungry, float64(n) / float64(s.Hungry), nil
}

func (v *Verdict) exactly() {
	v.Outcome = Neither
	for i := range v.Predictions {
		p := &v.Predictions[i]
		p.Off = v.Each.Mean/p.Rate - 1
		if p.Beyond = math.Abs(p.Off) > exact; !p.Beyond {
			v.Outcome = p.Share
		}
	}
	v.Strength = "exact: the repetitions have no spread"
	if v.Outcome == Neither {
		v.Strength = "neither prediction is met, and the repetitions have no spread"
	}
}

func (v *Verdict) byChance() {
	for i := range v.Predictions {
		p := &v.Predictions[i]
		p.Off = v.Each.Mean/p.Rate - 1
		sigma := max(math.Hypot(v.Each.Error, p.Error), exact/10*p.Rate)
		t := distuv.StudentsT{Sigma: 1, Nu: freedom(v.Each, Sample{Error: p.Error, Count: v.Capacity.Count})}
		z := (v.Each.Mean - p.Rate) / sigma
		p.Errors, p.log = &z, t.LogProb(z)-math.Log(sigma)
		p.Beyond = math.Abs(z) > t.Quantile(0.9995)
	}
	reserved, pooled := &v.Predictions[0], &v.Predictions[1]
	db := 10 * (pooled.log - reserved.log) / math.Ln10
	v.Decibans = &db
	likelier := reserved
	if db > 0 {
		likelier = pooled
	}
	for _, g := range grades {
		if math.Abs(db) < g.below {
			v.Strength = g.says
			break
		}
	}
	off := min(math.Abs(v.Position), math.Abs(v.Position-1))
	switch {
	case reserved.Beyond && pooled.Beyond && off > tenth:
		v.Outcome, v.Strength = Neither, "both are farther than chance explains"
	case math.Abs(db) < grades[0].below:
		v.Outcome = Open
	default:
		v.Outcome = likelier.Share
		if likelier.Beyond {
			v.Notes = append(v.Notes, fmt.Sprintf("the measured value is %+.2f %% from what %s predicts, which is "+
				"more than chance explains", 100*likelier.Off, likelier.Share))
		}
	}
}

// freedom is that of the sum of two independent errors (Welch 1947, Satterthwaite 1946).
func freedom(a, b Sample) float64 {
	x, y := float64(a.Error*a.Error), float64(b.Error*b.Error)
	if x+y == 0 {
		return float64(a.Count - 1)
	}
	return (x + y) * (x + y) / (float64(x*x)/float64(a.Count-1) + float64(y*y)/float64(b.Count-1))
}
