package envoy

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

var peakDefaults = peakOptions{10 * units.Second, 10 * units.Millisecond, 1e6}

func TestPeakCost(t *testing.T) {
	p := &peak{peakOptions: peakDefaults}
	for _, c := range policytest.Vectors(t, "envoy-peak-ewma", "cost") {
		x := policytest.Decode[[2]float64](t, &c.In)
		if got, want := p.costOf(x[0], x[1]), policytest.Decode[float64](t, &c.Out); got != want {
			t.Errorf("%s: cost %v, want %v", c.ID, got, want)
		}
	}
	if got := p.costOf(0, 0); got != 10 {
		t.Errorf("without a delay and flows: cost %v, want the default of 10 ms", got)
	}
}

// The hosts that Envoy takes of a random number: its remainder, that of what is 16 bits higher, or the next one if
// these are the same; equal costs are decided by its lowest bit.
func TestPeakDraws(t *testing.T) {
	for _, c := range []struct {
		weights []int32
		delays  []float64 // ms
		flows   []int32
		draw    uint64
		want    int
	}{
		{[]int32{1, 1, 1}, []float64{5, 1, 1}, []int32{0, 0, 0}, 1<<16 + 2, 1}, // 0 and 1
		{[]int32{1, 1, 1}, []float64{1, 5, 1}, []int32{0, 0, 0}, 1<<16 + 2, 0},
		{[]int32{1, 1, 1}, []float64{1, 1, 1}, []int32{0, 0, 0}, 1 << 16, 2},   // 1 and the next one; even
		{[]int32{1, 1, 1}, []float64{1, 1, 1}, []int32{0, 0, 0}, 1<<16 + 3, 1}, // the same; odd
		{[]int32{1, 1}, []float64{1, 2}, []int32{3, 0}, 1 << 16, 1},            // 4 against 2
		{[]int32{1, 1}, []float64{0, 2}, []int32{1, 9}, 1 << 16, 1},            // the penalty
		{[]int32{1, 1}, []float64{0, 2}, []int32{0, 9}, 1 << 16, 0},            // 10 against 20
		{[]int32{0, 1, 0}, []float64{0, 0, 0}, []int32{0, 7, 0}, 1 << 40, 1},   // one host
		{[]int32{0, 1, 1}, []float64{0, 9, 1}, []int32{0, 0, 0}, 1 << 16, 2},   // rows 1 and 2
	} {
		v := view(c.weights...)
		v.Flows = c.flows
		p := &peak{hosts: come, peakOptions: peakDefaults, draw: func() uint64 { return c.draw }}
		for _, d := range c.delays {
			p.delays = append(p.delays, average{of: d})
		}
		if got := p.Pick(&policy.Work{}, v, nil).Slot; got != c.want {
			t.Errorf("%+v: host %d, want %d", c, got, c.want)
		}
	}
}

// The first sample is the average; a later one counts 1 - e^(-t/decay_time), t since the one before. A report without
// packets says nothing, and the average of an instance that comes is its own.
func TestPeakAverage(t *testing.T) {
	p := &peak{peakOptions: peakDefaults, draw: func() uint64 { return 0 }}
	v := view(1)
	v.Delay = []float64{0}
	p.Observe(&policy.Event{Kind: policy.Joined}, v)
	report := func(second units.Time, seconds ...float64) {
		v.Delay = seconds
		p.Observe(&policy.Event{Kind: policy.Reported, Slot: -1, Until: second * units.Second}, v)
	}
	want := func(what string, slot int, ms float64) {
		t.Helper()
		if got := p.delays[slot].of; math.Abs(got-ms) > 1e-12 {
			t.Errorf("%s: %v ms, want %v", what, got, ms)
		}
	}
	report(1, 0)
	want("no packets", 0, 0)
	report(2, 0.003)
	want("the first sample", 0, 3)
	report(3, 0)
	report(7, 0.009)
	want("5 s later", 0, 3*math.Exp(-0.5)+9*(1-math.Exp(-0.5)))
	v.IDs, v.Weight, v.Flows = append(v.IDs, 2), append(v.Weight, 1), append(v.Flows, 0)
	v.Delay = append(v.Delay, 0)
	p.Observe(&policy.Event{Kind: policy.Joined, Slot: 1}, v)
	want("one that comes", 1, 0)
	before := p.delays[0].of
	report(8, 0, 0.001)
	want("the first of that", 1, 1)
	want("the other one", 0, before)
}
