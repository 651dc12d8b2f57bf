package rss

import (
	"math"
	"math/rand/v2"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var orssRow = policy.Row{
	Info: policy.Info{Name: "orss",
		Rule: "a first or a random instance; " +
			"the largest flow moves from the most loaded instance to the least loaded",
		Source: "Delzotti (oRSS-NIC), master's thesis, code 3a92c5ad072b, src/balancer.c",
		Score:  "the instance's number", Sees: policy.T0 | policy.T2,
		Cost: "constant; a round: the flows and the instances for each move",
		Deviates: "of the 16 samples that the program keeps of each flow, its balancer uses the last one, which " +
			"alone is known here; a flow that would move more than once in a round moves once, to where it " +
			"would end; of flows with equally many packets that with the lowest number moves; a flow without " +
			"packets is forgotten when its rule's idle time is over, and not as in the program"},
	Reasons:  []string{"the first instance", "drawn"},
	Counters: []string{moving: "rounds that moved flows", cut: "rounds that ended at the most moves"},
	Maker:    policy.Make(newORSS),
}

const (
	moving = iota
	cut
)

type orssOptions struct {
	Tick      units.Time `yaml:"tick" default:"1s" above:"0"`
	Threshold float64    `yaml:"threshold" default:"0.1" above:"0" max:"1"`
	Most      int        `yaml:"most" default:"10" min:"1" max:"65536"`
	New       string     `yaml:"new" enum:"first|random" default:"first"`
}

// Docs implements strictyaml.Documented.
func (orssOptions) Docs() string {
	return `
tick: time between two rounds
threshold: part of the mean by which the most or the least loaded instance may differ from it
most: most moves in a round
new: where new flows go. first: to the first instance, as the released program has them; random: as a line in it that is
	commented out
`
}

// orss moves flows so that the instances have equal rates.
type orss struct {
	orssOptions
	rand   *rand.Rand // nil: new flows go to the first instance
	counts []uint64
	policy.Stateless
	loads []uint64
	at    []int // the slots of the flows counted
}

func newORSS(o orssOptions, env policy.Env) (policy.Policy, error) {
	p := &orss{orssOptions: o, counts: env.Counts}
	if o.New == "random" {
		p.rand = env.Rand
	}
	return p, nil
}

func (o *orss) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	a := policy.Answer{}
	if o.rand != nil {
		a = policy.Answer{Slot: o.rand.IntN(len(v.IDs)), Why: 1}
	}
	log.Add(a.Slot, float64(v.IDs[a.Slot]), true)
	return a
}

// Every is the tick.
func (o *orss) Every() units.Time { return o.Tick }

// Moves is one round: balancer_balance of the source, and what comes of it for each flow.
func (o *orss) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	o.loads, o.at = append(o.loads[:0], make([]uint64, len(v.IDs))...), o.at[:0]
	for i := range counted {
		o.loads[counted[i].Slot] += counted[i].Packets
		o.at = append(o.at, counted[i].Slot)
	}
	n := 0
	for ; n < o.Most; n++ {
		most, fewest, sum := 0, 0, uint64(0)
		for slot, load := range o.loads {
			sum += load
			if load > o.loads[most] {
				most = slot
			}
			if load < o.loads[fewest] {
				fewest = slot
			}
		}
		if mean := sum / uint64(len(o.loads)); !o.uneven(o.loads[most], o.loads[fewest], mean) {
			break
		}
		largest := -1
		for i := range counted {
			if o.at[i] == most && (largest < 0 || counted[i].Packets > counted[largest].Packets) {
				largest = i
			}
		}
		o.at[largest] = fewest
		o.loads[most] -= counted[largest].Packets
		o.loads[fewest] += counted[largest].Packets
	}
	if n > 0 {
		o.counts[moving]++
	}
	if n == o.Most {
		o.counts[cut]++
	}
	for i := range counted {
		if o.at[i] != counted[i].Slot {
			to = append(to, policy.Move{Flow: counted[i].Work.Flow, Slot: o.at[i]})
		}
	}
	return to
}

// uneven compares the loads with the mean, which the source rounds down. It divides with more precision than a float64
// has, so that 9 is less than 0.9 times 10: the nearest number to 0.9 is above nine tenths. The sums here are exact.
func (o *orss) uneven(most, fewest, mean uint64) bool {
	return math.FMA(-(1+o.Threshold), float64(mean), float64(most)) > 0 ||
		math.FMA(1-o.Threshold, float64(mean), -float64(fewest)) > 0
}
