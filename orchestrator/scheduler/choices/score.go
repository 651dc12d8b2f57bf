package choices

import (
	"errors"
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/units"
)

var scoreRow = policy.Row{
	Info: policy.Info{Name: "score",
		Rule:   "the highest weighted sum of scores by load, flows, free capacity, affinity to the flow's hash, age",
		Source: "this project, after the weighted scores of Kubernetes' scheduling framework, KEP 624",
		Score:  "the weighted sum; each score is from 0 to 1", Sees: policy.T0 | policy.T1 | policy.T2,
		State: "since when each instance takes work", Cost: "n",
		Deviates: "scores are from 0 to 1, and not whole numbers from 0 to 100; the scorers are others"},
	Highest: true,
	Tuple:   true,
	Reasons: []string{"highest sum"},
	Maker:   policy.Make(newScore),
}

type scoreOptions struct {
	Load     float64    `yaml:"load" default:"1" min:"0" max:"1000"`
	Flows    float64    `yaml:"flows" default:"0" min:"0" max:"1000"`
	Free     float64    `yaml:"free" default:"0" min:"0" max:"1000"`
	Affinity float64    `yaml:"affinity" default:"0" min:"0" max:"1000"`
	Age      float64    `yaml:"age" default:"0" min:"0" max:"1000"`
	Grown    units.Time `yaml:"grown" default:"10s" above:"0"`
}

// Docs implements strictyaml.Documented.
func (scoreOptions) Docs() string {
	return `
load: weight of 1 - L/Lmax, with the instance's packets a second in the last window, L, and the most that any has, but
	1pps at least
flows: weight of 1 - a/amax, with the flows assigned to the instance, a, and the most that any has, but 1 at least
free: weight of 1 - L/limit, with scheduler.limit; 0 where L is above the limit
affinity: weight of 1 on the instance to which the policy hrw would send the flow, and 0 on all others
age: weight of t/grown, with the time t since the instance takes work; 1 where that is longer
grown: the age at which an instance counts as old
`
}

// scorers add what they say of the instances, from 0 to 1 and times their weight, to the sums; 1 is the best.
var scorers = []struct {
	weight func(o *scoreOptions) float64
	add    func(s *scored, w *policy.Work, v *policy.View, weight float64)
}{
	{func(o *scoreOptions) float64 { return o.Load }, (*scored).load},
	{func(o *scoreOptions) float64 { return o.Flows }, (*scored).flows},
	{func(o *scoreOptions) float64 { return o.Free }, (*scored).free},
	{func(o *scoreOptions) float64 { return o.Affinity }, (*scored).affinity},
	{func(o *scoreOptions) float64 { return o.Age }, (*scored).age},
}

// scored takes the instance with the highest weighted sum of what the scorers say.
type scored struct {
	options scoreOptions
	ties    policy.Ties
	hrw     hashing.Rendezvous
	since   policy.PerSlot[units.Time]
	sums    []float64 // by row, of the present decision
}

func newScore(o scoreOptions, env policy.Env) (policy.Policy, error) {
	if o.Load+o.Flows+o.Free+o.Affinity+o.Age == 0 {
		return nil, errors.New("load: 0, as all others: want one weight above 0 at least")
	}
	return &scored{options: o, ties: env.Ties}, nil
}

// Observe follows the instances that join and leave.
func (s *scored) Observe(e *policy.Event, v *policy.View) {
	s.since.Follow(e, v.Now)
	s.hrw.Observe(e, v)
}

func (s *scored) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	s.sums = slices.Grow(s.sums[:0], len(v.IDs))[:len(v.IDs)]
	clear(s.sums)
	for i := range scorers {
		if weight := scorers[i].weight(&s.options); weight > 0 {
			scorers[i].add(s, w, v, weight)
		}
	}
	best, highest, ties := -1, 0.0, 0
	for slot, sum := range s.sums {
		log.Add(slot, sum, true)
		switch {
		case best < 0 || sum > highest:
			best, highest, ties = slot, sum, 1
		case sum == highest:
			ties++
			if s.ties.Wins(ties) {
				best = slot
			}
		}
	}
	return policy.Answer{Slot: best}
}

func (s *scored) load(_ *policy.Work, v *policy.View, weight float64) {
	most := max(slices.Max(v.Load), 1) // where there is no load, each is 1 - 0/1
	for slot, l := range v.Load {
		s.sums[slot] += float64(weight * (1 - l/most))
	}
}

func (s *scored) flows(_ *policy.Work, v *policy.View, weight float64) {
	most := float64(max(slices.Max(v.Flows), 1))
	for slot, n := range v.Flows {
		s.sums[slot] += float64(weight * (1 - float64(n)/most))
	}
}

func (s *scored) free(_ *policy.Work, v *policy.View, weight float64) {
	for slot, l := range v.Load {
		s.sums[slot] += float64(weight * max(0, 1-l/v.Limit))
	}
}

func (s *scored) affinity(w *policy.Work, v *policy.View, weight float64) {
	if slot := s.hrw.Best(w, v, nil); slot >= 0 {
		s.sums[slot] += weight
	}
}

func (s *scored) age(_ *policy.Work, v *policy.View, weight float64) {
	grown := float64(s.options.Grown)
	for slot, since := range s.since {
		s.sums[slot] += float64(weight * min(1, float64(v.Now-since)/grown))
	}
}
