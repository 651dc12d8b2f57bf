package autopilot

import (
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var vertical = policy.ScalerRow{Info: policy.Info{
	Name:   "autopilot-vertical",
	Rule:   "each instance the share of a core that a statistic of the use of all wants, older use counting less",
	Source: "Rzadca et al. (Autopilot), EuroSys 2020, section 3.2.2: the moving window recommenders",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  "two histograms of 400 buckets, and the windows of the maximum and of the hold",
	Cost:   "n; when a window ends, the buckets",
	Deviates: "a reconstruction: cpu alone; the bounds of the buckets, how many windows the maximum is of and the " +
		"margin's default are own choice; the recommender by an ensemble of models is not here, since its costs are " +
		"not published in full",
}, Asleep: true, Resizes: true, ScalerMaker: policy.MakeScaler(newVertical)}

// VerticalOptions are those of autopilot-vertical.
type VerticalOptions struct {
	Signal `yaml:",inline"`

	HalfLife   units.Time `yaml:"half_life" default:"12h" above:"0"`
	Statistic  string     `yaml:"statistic" enum:"max|avg|p90|p95" default:"p95"`
	Windows    int        `yaml:"windows" default:"12" min:"1" max:"65536"`
	Margin     float64    `yaml:"margin" default:"0.15" min:"0"`
	Hold       units.Time `yaml:"hold" default:"1h" min:"0"`
	MinAllowed float64    `yaml:"min_allowed" default:"0.025" min:"0.01" max:"64"`
	MaxAllowed float64    `yaml:"max_allowed" default:"1" min:"0.01" max:"64"`
	Apply      string     `yaml:"apply" enum:"in-place|recreate" default:"in-place"`
}

// Docs implements strictyaml.Documented.
func (VerticalOptions) Docs() string {
	return `
half_life: time in which use loses half of its weight
statistic: max: the most in the last windows; avg: the mean, for batch jobs; p90, p95: so much of the load, not of the
	time, was at most that, for servers
windows: of the maximum
margin: what is added, as a share of it
hold: the highest recommendation of this long holds
min_allowed: least share of a core
max_allowed: greatest share of a core, and the end of the last bucket
apply: in-place: as they run; recreate: one after the other is replaced, once the one before is there
`
}

// buckets are those of a histogram, equally wide.
const buckets = 400

type verticalScaler struct {
	o VerticalOptions
	readings
	width float64 // of a bucket, in cores

	now     [buckets]float64 // samples of the present window
	sum, n  float64          // of its uses
	decay   float64          // of what is older, a window on
	past    [buckets]float64 // samples, weighted
	mean    float64          // use, weighted, times weights
	weights float64
	most    last // end of the highest bucket with a sample
	held    last
	share   float64 // the recommendation; 0 before the first
	said    string
	reason  string
	resize  []policy.Resize
}

func newVertical(o VerticalOptions, _ policy.Env) (policy.Scaler, error) {
	if o.MinAllowed > o.MaxAllowed {
		return nil, fmt.Errorf("min_allowed: %v, want at most max_allowed, %v", o.MinAllowed, o.MaxAllowed)
	}
	return &verticalScaler{o: o, readings: readings{Signal: o.Signal}, width: o.MaxAllowed / buckets,
		decay: numeric.Exp(-math.Ln2 * float64(o.Window) / float64(o.HalfLife)),
		most:  last{values: make([]float64, o.Windows)}, held: newLast(o.Hold, o.Window)}, nil
}

func (p *verticalScaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	if p.next(s) {
		for _, use := range p.readings.uses {
			p.now[min(max(int(math.Ceil(use/p.width))-1, 0), buckets-1)]++
			p.sum += use
			p.n++
		}
	}
	if p.over(s.Now) && p.n > 0 {
		p.window()
	}
	n := min(max(s.Wanted, s.Min), s.Max)
	if p.share == 0 {
		return policy.Proposal{Desired: steps.Take(policy.Recommended, n, "no window has been measured")}
	}
	steps.Take(policy.Recommended, n, p.said)
	return policy.Proposal{Desired: n, Share: p.share, Resize: p.update(s)}
}

// window ends a window, and finds the recommendation.
func (p *verticalScaler) window() {
	p.weights = float64(p.weights*p.decay) + p.n
	p.mean = float64(p.mean*p.decay) + p.sum
	top := 0
	for k := range p.past {
		if p.now[k] > 0 {
			top = k + 1
		}
		p.past[k] = float64(p.past[k]*p.decay) + p.now[k]
		p.now[k] = 0
	}
	p.most.add(float64(top) * p.width)
	p.sum, p.n = 0, 0
	use := 0.0
	switch p.o.Statistic {
	case "max":
		use = slices.Max(p.most.all())
	case "avg":
		use = p.mean / p.weights
	case "p90":
		use = p.width * float64(loadAdjusted(p.past[:], 0.90))
	case "p95":
		use = p.width * float64(loadAdjusted(p.past[:], 0.95))
	}
	p.held.add(use * (1 + p.o.Margin))
	most := slices.Max(p.held.all())
	share := min(max(math.Ceil(float64(most*1000)-1e-9)/1000, p.o.MinAllowed), p.o.MaxAllowed)
	if share != p.share {
		p.share = share
		p.said = fmt.Sprintf("%.4g of a core each: %s and a margin", share, p.o.Statistic)
		p.reason = fmt.Sprintf("the recommendation is %.4g of a core", share)
	}
}

// loadAdjusted is up to which bucket, counted from 1, a share of the load lies: of the samples, each weighted with the
// use that its bucket stands for.
func loadAdjusted(samples []float64, share float64) int {
	load := 0.0
	for k, n := range samples {
		load += float64(n * float64(k+1))
	}
	sum := 0.0
	for k, n := range samples {
		if sum += float64(n * float64(k+1)); sum > 0 && sum >= float64(share*load)-1e-12 {
			return k + 1
		}
	}
	return len(samples)
}

// update lists the instances whose share is another.
func (p *verticalScaler) update(s *policy.Snapshot) []policy.Resize {
	p.resize = p.resize[:0]
	recreate := p.o.Apply == "recreate"
	away := false
	for k := range s.Instances {
		away = away || s.Instances[k].State != policy.Ready
	}
	for k := range s.Instances {
		i := &s.Instances[k]
		switch {
		case i.State == policy.Draining, i.Asked != i.Share, i.Cores() == p.share, i.Refused && !recreate:
			continue
		case recreate && away:
			return p.resize
		}
		p.resize = append(p.resize, policy.Resize{Instance: i.ID, Share: p.share, Recreate: recreate, Reason: p.reason})
		away = true
	}
	return p.resize
}
