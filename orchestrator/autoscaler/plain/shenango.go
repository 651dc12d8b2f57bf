package plain

import (
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var queueRule = policy.ScalerRow{Info: policy.Info{
	Name:   "shenango",
	Rule:   "one more when the newest packet of an instance's queue will wait too long, one fewer when none waits",
	Source: "Ousterhout et al. (Shenango), NSDI 2019, 4.1; the opposite is RingLeader's hint: Lin et al., NSDI 2023",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  "the newest report that was judged, and how many in a row were idle", Cost: "n",
	Deviates: "Shenango looks at each queue every 5 µs, and finds it congested when a packet that was in it before " +
		"still is; here a queue is judged when it is reported, by its length over the rate of the last window; " +
		"an idle core gives itself back there, and here a controller takes an instance away",
}, Counters: []string{congested: "reports with congestion", idle: "reports without a queue"},
	ScalerMaker: policy.MakeScaler(newShenango)}

const (
	congested = iota
	idle
)

// ShenangoOptions are those of shenango.
type ShenangoOptions struct {
	Wait     units.Time `yaml:"wait" default:"5us" above:"0"`
	Low      int        `yaml:"low" default:"0" min:"0"`
	Readings int        `yaml:"idle_readings" default:"10" min:"0"`
}

// Measures implements policy.Measurer.
func (ShenangoOptions) Measures() policy.MetricSet { return policy.SetOf(policy.Queue) }

// Docs implements strictyaml.Documented.
func (ShenangoOptions) Docs() string {
	return `
wait: how long the newest packet of a queue may have to wait: the length over what the instance processes. Beyond it
	there is one instance more, unless one starts
low: packets up to which a queue is none
idle_readings: reports in a row in which no instance has a queue, of which the last takes one away; 0 for never
`
}

type shenango struct {
	ShenangoOptions
	counts []uint64
	judged units.Time // end of the period of the newest report
	idle   int
}

func newShenango(o ShenangoOptions, env policy.Env) (policy.Scaler, error) {
	return &shenango{ShenangoOptions: o, counts: env.Counts, judged: -1}, nil
}

// Evaluate implements policy.Scaler.
func (p *shenango) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	return policy.Proposal{Desired: steps.Clamp(s, signal.Recommend(s, steps, p.recommend))}
}

func (p *shenango) recommend(s *policy.Snapshot) (int, string) {
	starts, missing, newest := false, false, p.judged
	var longest *policy.Instance // wait
	most := 0.0                  // packets in a queue
	for k := range s.Instances {
		i := &s.Instances[k]
		starts = starts || i.State == policy.Starting
		if i.State != policy.Ready || policy.Queue.Fresh(i) && i.Usage.Sampled <= p.judged {
			continue
		}
		if !policy.Queue.Fresh(i) {
			missing = true
			continue
		}
		newest, most = max(newest, i.Usage.Sampled), max(most, i.Usage.Queue)
		// waits are compared without a division: one of q packets at a rate r is longer than another if q r' > q' r
		if longest == nil || float64(i.Usage.Queue*longest.Rate.Tx) > float64(longest.Usage.Queue*i.Rate.Tx) {
			longest = i
		}
	}
	if longest == nil {
		return s.Wanted, "no report that is new"
	}
	p.judged = newest
	reason := "instance " + strconv.Itoa(int(longest.ID)) + " has " +
		strconv.FormatFloat(longest.Usage.Queue, 'g', 6, 64) + " packets waiting at " + signal.Mpps(longest.Rate.Tx)
	if numeric.Exceeds(longest.Usage.Queue, float64(longest.Rate.Tx*p.Wait.Seconds())) && most > float64(p.Low) {
		p.idle = 0
		p.counts[congested]++
		if starts {
			return s.Wanted, reason + "; an instance starts"
		}
		return s.Wanted + 1, reason + ": longer than " + p.Wait.String()
	}
	if missing || most > float64(p.Low) {
		p.idle = 0
		return s.Wanted, reason
	}
	p.idle++
	p.counts[idle]++
	reason = "no queue in " + strconv.Itoa(p.idle) + " reports in a row"
	if p.idle != p.Readings || s.Wanted == 0 {
		return s.Wanted, reason
	}
	p.idle = 0
	return s.Wanted - 1, reason
}
