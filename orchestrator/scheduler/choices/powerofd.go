package choices

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/numeric"
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
	source  *rand.PCG
	d       int
	again   bool // with replacement
	twice   bool // two draws with replacement, by flows: most often
	score   func(v *policy.View, slot int) float64
	drawn   []int
	shuffle []int // all rows, in an order that earlier draws left
}

func newPower(o powerOptions, env policy.Env) (policy.Policy, error) {
	if env.Unit == policy.Requests && o.By == "load" {
		return nil, errors.New("by: load of requests, whose packets are not counted: want flows")
	}
	return &power{source: env.Source, d: o.D, again: o.Replacement, twice: o.D == 2 && o.Replacement && o.By == "flows",
		score: scores[o.By]}, nil
}

func (p *power) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if p.twice && log == nil {
		return policy.Answer{Slot: fewer(v.Flows, numeric.Below(p.source, len(v.Flows)),
			numeric.Below(p.source, len(v.Flows)))}
	}
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

// fewer is the row of two that has fewer flows, the first of equals. A branch would be a coin's toss.
func fewer(flows []int32, first, second int) int {
	less := int((flows[second] - flows[first]) >> 31) // -1 if it has fewer, else 0
	return first ^ (first^second)&less
}

// draw fills drawn with rows of n, in the order of their drawing.
func (p *power) draw(n int) {
	p.drawn = p.drawn[:0]
	if p.again {
		for range p.d {
			p.drawn = append(p.drawn, numeric.Below(p.source, n))
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
		j := k + numeric.Below(p.source, n-k)
		p.shuffle[k], p.shuffle[j] = p.shuffle[j], p.shuffle[k]
		p.drawn = append(p.drawn, p.shuffle[k])
	}
}
