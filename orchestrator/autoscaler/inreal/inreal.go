// Package inreal has a reconstruction of In-ReAl (Vogt et al., CoNEXT 2024), whose text could not be read.
//
// The thesis (2.5) says of it that a SmartNIC watches the time between packets, and the processor and the memory of
// network functions, and that it has the orchestrator create a container when a threshold is reached. It says neither
// which threshold, nor for how long, nor anything of a scale-in. What stands here for the time between packets is an
// own choice. The processor and the memory are left out, because the switch's counters do not show them.
package inreal

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "in-real",
	Rule:   "one more after short mean gaps between an instance's packets, readings in a row (a reconstruction)",
	Source: "a reconstruction of Vogt et al., CoNEXT 2024 (poster), from what thesis 2.5 says of it",
	Sees:   policy.T0 | policy.T2,
	State:  "for each instance, the newest reading, and how many in a row had short gaps", Cost: "n",
	Deviates: "a reconstruction, since the poster could not be read: threshold, number of readings and step are own " +
		"choices; the gap is the mean over a window, which is 1 / rate, where the NIC sees each gap; the processor " +
		"and the memory of instances are not known; nothing scales in",
}, ScalerMaker: policy.MakeScaler(newInReal)}}

// Options are those of in-real.
type Options struct {
	Gap      units.Time `yaml:"gap" default:"0s"`
	Readings int        `yaml:"readings" default:"3" min:"1"`
}

// Unscaled implements scenarios.Unscaled: a gap gets longer where a rate gets smaller.
func (o Options) Unscaled() string {
	if o.Gap == 0 {
		return ""
	}
	return "a gap"
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
gap: the mean time between packets to an instance, up to which it is short; 0s for that at 0.8 of scheduler.limit
readings: readings of the counters in a row with short gaps at one instance, of which the last brings an instance
`
}

// share is that of the limit whose gaps are short, where no gap is given.
const share = .8

type inReal struct {
	Options
	seen, next []watched // in order of the instances' numbers
}

// watched is what is remembered of an instance.
type watched struct {
	id      flow.Instance
	sampled units.Time
	short   int // readings in a row
}

func newInReal(o Options, _ policy.Env) (policy.Scaler, error) { return &inReal{Options: o}, nil }

// Evaluate implements policy.Scaler.
func (p *inReal) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	return policy.Proposal{Desired: steps.Clamp(s, signal.Recommend(s, steps, p.recommend))}
}

func (p *inReal) recommend(s *policy.Snapshot) (int, string) {
	gap := 1 / float64(share*s.Limit)
	if p.Gap > 0 {
		gap = p.Gap.Seconds()
	}
	starts := p.watch(s, gap)
	most := watched{}
	for _, w := range p.seen {
		if w.short > most.short {
			most = w
		}
	}
	if most.short == 0 {
		return s.Wanted, "no instance has gaps of " + nanoseconds(gap) + " or less"
	}
	reason := fmt.Sprintf("instance %d has gaps of %s or less: %d of %d readings in a row", most.id, nanoseconds(gap),
		most.short, p.Readings)
	switch {
	case most.short < p.Readings:
		return s.Wanted, reason
	case starts:
		return s.Wanted, reason + "; an instance starts"
	}
	for i := range p.seen {
		p.seen[i].short = 0
	}
	return s.Wanted + 1, reason
}

// watch takes the new readings of ready instances, and reports whether an instance starts.
func (p *inReal) watch(s *policy.Snapshot, gap float64) (starts bool) {
	p.next = p.next[:0]
	old := p.seen
	for k := range s.Instances {
		i := &s.Instances[k]
		starts = starts || i.State == policy.Starting
		if i.State != policy.Ready {
			continue
		}
		for len(old) > 0 && old[0].id < i.ID {
			old = old[1:]
		}
		w := watched{id: i.ID, sampled: -1}
		if len(old) > 0 && old[0].id == i.ID {
			w = old[0]
		}
		if r := &i.Rate; r.Known && !r.Stale && r.Sampled > w.sampled {
			w.sampled = r.Sampled
			w.short++
			if numeric.Exceeds(1, float64(r.Rx*gap)) { // the gap is longer
				w.short = 0
			}
		}
		p.next = append(p.next, w)
	}
	p.seen, p.next = p.next, p.seen
	return starts
}

func nanoseconds(seconds float64) string { return strconv.FormatFloat(seconds*1e9, 'g', 4, 64) + " ns" }
