// Package thesis has the autoscalers that the thesis can be read to describe.
package thesis

import (
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is the table of this family.
var Scalers = []policy.ScalerRow{
	{Info: policy.Info{
		Name:   "target-utilization",
		Rule:   "as many instances as bring the load to a given share of their limit",
		Source: "thesis 3.2, eq. 2.1",
		Sees:   policy.T0 | policy.T2,
		State:  "the recommendations of the last `stabilization`",
		Cost:   "n, and the recommendations kept",
		Deviates: "a reconstruction: the thesis speaks of an internal heuristic, and equation 2.1, Kubernetes', is " +
			"the closest that it states; held flows count as load; stabilisation is Kubernetes', over 10 s and not 300",
	}, ScalerMaker: policy.MakeScaler(newTargetUtilization)},
	{Info: policy.Info{
		Name:   "hottest-instance",
		Rule:   "one more while any instance is above a rate",
		Source: "a reading of thesis 3.2, under which its Figure 10 has 8, 3 and 3 instances",
		Sees:   policy.T0 | policy.T2,
		State:  "the recommendations of the last `stabilization`",
		Cost:   "n, and the recommendations kept",
		Deviates: "a reconstruction: the thesis speaks of an internal heuristic; that the hottest instance decides, " +
			"that the same heat counts once, and the scale-in by `below` are choices here",
	}, ScalerMaker: policy.MakeScaler(newHottestInstance)},
}

// Options are those of target-utilization.
type Options struct {
	Target        float64       // utilisation of the instances' limit to hold, above 0
	Metric        policy.Metric // the load that is compared with the target
	Tolerance     float64       // relative distance from the target within which nothing changes, 0 or more
	Stabilization units.Time    // a scale-in goes no lower than the highest recommendation of this long
	Pace          policy.Pace
}

// targetUtilization asks for ceil(load / (limit · target)) instances. The thesis calls its rule an internal heuristic.
// This is its equation 2.1, ceil(current · utilisation / target), with utilisation = load / (current · limit), in which
// the current number cancels out. Within the tolerance the current number stands, as in Kubernetes.
type targetUtilization struct {
	Options
	history policy.History
	said    saying
}

// saying is the reason that was given last, and what it was composed of. While the load stays, so does the text, and
// often where the load differs in digits that are not shown.
type saying struct {
	load, share float64
	held        int
	reason      string
	buf         []byte
}

func newTargetUtilization(o Options, _ policy.Env) (policy.Scaler, error) {
	return &targetUtilization{Options: o, history: policy.History{Span: o.Stabilization}}, nil
}

func (p *targetUtilization) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	n := steps.Recommend(s, p.recommend)
	n = steps.Stabilise(s, n, &p.history)
	n = steps.RateLimit(s, n, &p.Pace)
	return policy.Proposal{Desired: steps.Clamp(s, n)}
}

func (p *targetUtilization) recommend(s *policy.Snapshot) (int, string) {
	load := s.Load(p.Metric)
	share := float64(p.Target * s.Limit) // packets a second that one instance shall carry
	if s.Current > 0 {
		target := float64(float64(s.Current) * share)
		off := float64(target * p.Tolerance)
		if !numeric.Exceeds(load, target+off) && !numeric.Exceeds(target, load+off) {
			return s.Current, "within the tolerance of the target"
		}
	}
	return numeric.Ceil(load/share, most), p.said.of(load, share, s.Held)
}

func (y *saying) of(load, share float64, held int) string {
	if y.reason != "" && y.load == load && y.share == share && y.held == held {
		return y.reason
	}
	y.load, y.share, y.held = load, share, held
	b := appendMpps(y.buf[:0], load)
	b = append(b, " at "...)
	b = append(appendMpps(b, share), " each"...)
	if held > 0 {
		b = strconv.AppendInt(append(b, ", held flows included: "...), int64(held), 10)
	}
	if y.buf = b; string(b) != y.reason {
		y.reason = string(b)
	}
	return y.reason
}

// most is the largest number of instances that is ever recommended.
const most = 1e9

// mpps is a rate that is shown again and again, and its text.
type mpps struct {
	rate float64
	text []byte
}

func (m *mpps) append(b []byte, rate float64) []byte {
	if rate != m.rate || len(m.text) == 0 {
		m.rate, m.text = rate, appendMpps(m.text[:0], rate)
	}
	return append(b, m.text...)
}

func appendMpps(b []byte, rate float64) []byte {
	return append(strconv.AppendFloat(b, rate/1e6, 'g', 6, 64), " Mpps"...)
}
