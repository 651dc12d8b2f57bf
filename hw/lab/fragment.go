package lab

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/units"
)

// Contention returns the measurement as the contention law takes it: for each run, the rate of one instance when n
// process, in order of n.
func (m *Measurement) Contention() []contention.Point {
	var points []contention.Point
	for _, p := range m.Points {
		points = append(points, contention.Point{N: p.N, Rate: p.Processed / float64(p.N)})
	}
	slices.SortStableFunc(points, func(a, b contention.Point) int { return a.N - b.N })
	return points
}

// Shares says whether what an instance leaves unused is there for the others, by the rounds in which all but the last
// instance were under load, held against those in which all of so many were. It is nil with fewer than two such rounds.
func (m *Measurement) Shares() (*contention.Verdict, error) {
	if len(m.Shared) < 2 {
		return nil, nil
	}
	n := m.Shared[0].N
	var alone, capacity, each, demand []float64
	for _, p := range m.Points {
		switch p.N {
		case 1:
			alone = append(alone, p.Each[0])
		case n:
			capacity = append(capacity, stat.Mean(p.Each, nil))
		}
	}
	for _, p := range m.Shared {
		each = append(each, stat.Mean(p.Each[:n-1], nil))
		demand = append(demand, p.Each[n-1]) // it is far from saturated, so it processes what it is offered
	}
	s := contention.Sharing{Hungry: n - 1, Demands: []float64{stat.Mean(demand, nil)},
		Each: contention.NewSample(each), Capacity: contention.NewSample(capacity)}
	if len(alone) > 0 {
		s.Alone = stat.Mean(alone, nil)
	}
	v, err := contention.Judge(s)
	if err != nil {
		return nil, fmt.Errorf("lab: shares: %w", err)
	}
	return v, nil
}

// Fragment returns the part of a scenario that describes the measured testbed, nic and vnf, in YAML. With it, the
// simulator predicts what the testbed does. The contention is the table of the medians, so that what the simulation
// adds is prediction and not the residual of a law. A ring of 0 slots leaves vnf.buffer unchanged.
func (m *Measurement) Fragment(testbed string, ring int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured by smartinco lab calibrate on testbed %s (%s):\n", testbed, m.Switch)
	fmt.Fprintf(&b, "# %d rounds of %v, packets of %v, %s offered to all instances together.\n", m.Plan.Rounds,
		m.Plan.Measure, m.Plan.Frame, rate(float64(m.Plan.Offered)))
	fmt.Fprintf(&b, "# smartinco run SCENARIO --set @THIS-FILE simulates on it.\n")
	fmt.Fprintf(&b, "nic:\n  profile: ideal # no limit of the switch was met\n  frame_overhead: 20B # of Ethernet, "+
		"which traffic given in bit/s includes\n")
	fmt.Fprintf(&b, "  install_latency: %v # median of %d rules; 99 %% within %v\n", span(quantile(m.Rule, 0.5)),
		len(m.Rule), span(quantile(m.Rule, 0.99)))
	fmt.Fprintf(&b, "  engine_latency: %v # median of %d containers, started beside others under load: from the "+
		"request until it ran\n", span(quantile(m.Start, 0.5)), len(m.Start))
	fmt.Fprintf(&b, "vnf:\n")
	if ring > 0 {
		fmt.Fprintf(&b, "  buffer: %d\n", ring)
	}
	fmt.Fprintf(&b, "  start_latency: %v # median: from then until it took packets\n", span(quantile(m.Ready, 0.5)))
	fmt.Fprintf(&b, "  stop_latency: %v # median\n", span(quantile(m.Stop, 0.5)))
	fmt.Fprintf(&b, "  contention:\n    model: table\n")
	if v, err := m.Shares(); err == nil && v != nil {
		share := contention.Reserved // the default, where the measurement does not say
		if v.Outcome == contention.Pooled {
			share = v.Outcome
		}
		fmt.Fprintf(&b, "    share: %s # %s; %s (%d rounds)\n", share, v.Outcome, v.Strength, len(m.Shared))
	}
	fmt.Fprintf(&b, "    points: # of each instance; all together, and how far the "+
		"rounds were from their median\n")
	for _, p := range m.middles() {
		fmt.Fprintf(&b, "      %d: %s # %s, ±%.1f %%\n", p.n, rate(p.median/float64(p.n)), rate(p.median), 100*p.spread)
	}
	return []byte(b.String())
}

// middle returns what n instances processed together, as the median of the rounds, and the largest relative distance of
// a round from it. A round that something else disturbed shows in the distance and not in the median.
type middle struct {
	n              int
	median, spread float64
}

func (m *Measurement) middles() []middle {
	of := map[int][]float64{}
	for _, p := range m.Points {
		of[p.N] = append(of[p.N], p.Processed)
	}
	var out []middle
	for n, all := range of {
		slices.Sort(all)
		x := middle{n: n, median: (all[(len(all)-1)/2] + all[len(all)/2]) / 2}
		for _, v := range all {
			x.spread = max(x.spread, math.Abs(v/x.median-1))
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b middle) int { return a.n - b.n })
	return out
}

// Disturbed returns the numbers of instances of which a round differs from the median by more than a tenth. The machine
// had something else to do then, and it is better to measure again.
func (m *Measurement) Disturbed() []int {
	var out []int
	for _, p := range m.middles() {
		if p.spread > 0.1 {
			out = append(out, p.n)
		}
	}
	return out
}

// quantile returns the smallest value that at least the share q of the values do not exceed; 0 if there are no values.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

// span prints a time to the microsecond, in the notation of scenarios.
func span(d time.Duration) units.Time {
	return units.Time(d.Round(time.Microsecond)) * units.Nanosecond
}

// short rounds a time to three or four digits, for people.
func short(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(10 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

// rate prints packets per second to four digits.
func rate(pps float64) string {
	v, err := strconv.ParseFloat(strconv.FormatFloat(pps, 'g', 4, 64), 64)
	if err != nil {
		v = pps
	}
	return units.PPS(v).String()
}

// Summary says in a few lines what was measured besides the contention.
func (m *Measurement) Summary() string {
	var b strings.Builder
	for _, x := range []struct {
		what string
		all  []time.Duration
	}{
		{"a rule is in force after", m.Rule}, {"a container runs after", m.Start},
		{"and takes packets after another", m.Ready}, {"and is gone after", m.Stop},
	} {
		fmt.Fprintf(&b, "%s %v (median of %d; %v to %v)\n", x.what, short(quantile(x.all, 0.5)), len(x.all),
			short(quantile(x.all, 0)), short(quantile(x.all, 1)))
	}
	return b.String()
}
