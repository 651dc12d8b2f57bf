package choices

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var powerOfD = policy.Row{
	Info: policy.Info{Name: "power-of-d", Rule: "the best of d instances drawn at random",
		Source: "Mitzenmacher, IEEE Trans. Parallel Distrib. Syst. 12 (2001) 1094",
		Score:  "flows, or packets a second with by: load", Sees: policy.T0 | policy.T1 | policy.T2,
		Cost:     "constant: d draws",
		Deviates: "a job is a flow; the paper's choices are by the length of queues, with replacement"},
	Unit:     policy.Either,
	Bursts:   true,
	Requests: policy.T0 | policy.T1,
	Reasons:  []string{"best of those drawn"},
	Maker:    policy.Make(newPower),
}

type powerOptions struct {
	D           int    `yaml:"d" default:"2" min:"1" max:"65536"`
	By          string `yaml:"by" enum:"flows|load" default:"flows"`
	Replacement bool   `yaml:"replacement" default:"true"`
}

// Docs implements strictyaml.Documented.
func (powerOptions) Docs() string {
	return `
d: instances drawn for each flow
by: what is least of the best: flows, those assigned and not ended, or requests not yet replied to; load, packets a
	second in the last window, of flows alone
replacement: whether one instance may be drawn twice. false: the d drawn are different ones, and all if there are no
	more
`
}

// power draws d instances and takes the one with the lowest score; of equals, that drawn first, whatever scheduler.ties
// says: the draw has decided between them.
type power struct {
	policy.Stateless
	rand    *rand.Rand
	d       int
	again   bool // with replacement
	score   func(v *policy.View, slot int) float64
	drawn   []int
	shuffle []int // all rows, in an order that earlier draws left
}

func newPower(o powerOptions, env policy.Env) (policy.Policy, error) {
	if env.Unit == policy.Requests && o.By == "load" {
		return nil, errors.New("by: load of requests, whose packets are not counted: want flows")
	}
	return &power{rand: env.Rand, d: o.D, again: o.Replacement, score: scores[o.By]}, nil
}

func (p *power) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	p.draw(len(v.IDs))
	best := p.drawn[0]
	for _, i := range p.drawn[1:] {
		if p.score(v, i) < p.score(v, best) {
			best = i
		}
	}
	if log != nil {
		slices.Sort(p.drawn)
		for _, i := range slices.Compact(p.drawn) {
			log.Add(i, p.score(v, i), true)
		}
	}
	return policy.Answer{Slot: best}
}

// draw fills drawn with rows of n, in the order of their drawing.
func (p *power) draw(n int) {
	p.drawn = p.drawn[:0]
	if p.again {
		for range p.d {
			p.drawn = append(p.drawn, p.rand.IntN(n))
		}
		return
	}
	if len(p.shuffle) != n {
		p.shuffle = p.shuffle[:0]
		for i := range n {
			p.shuffle = append(p.shuffle, i)
		}
	}
	for k := range min(p.d, n) { // the beginning of a shuffle, from whatever order there is
		j := k + p.rand.IntN(n-k)
		p.shuffle[k], p.shuffle[j] = p.shuffle[j], p.shuffle[k]
		p.drawn = append(p.drawn, p.shuffle[k])
	}
}
