package sim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// short has 20,000 flows of a campus, most of which are short, and more of them than the writer has time for.
const short = `
duration: 400ms
vnf: {buffer: 512}
instances: {initial: 4, min: 4, max: 4}
scheduler: {policy: round-robin, offload: {after: %d}}
autoscaler: {policy: none}
workload:
  - model: {name: agh-2015, rate: 50000}
`

// The more packets a flow must have sent for a rule, the fewer rules are written, and the more packets take the slow
// path, unless the writer has too much to do. No packet is lost there. Both engines write the same rules but for a few,
// and differ by no more than a packet or two of each flow.
func TestFewerRules(t *testing.T) {
	var rules, slow []float64
	for _, after := range []int{1, 2, 10, 100} {
		var by [2]float64
		for k, engine := range []sim.Engine{packet.New, fluid.New} {
			m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(short, after)), engine)
			if after == 100 {
				simtest.Verify(t, m)
			}
			x := &m.Run.Totals
			by[k] = float64(x.RulesInstalled)
			if k == 0 {
				rules, slow = append(rules, by[0]), append(slow, x.SlowPath)
			} else if off := slow[len(slow)-1] - x.SlowPath; math.Abs(off) > 2*float64(x.Flows) {
				t.Errorf("after %d packets: %.0f packets on the slow path, and %.0f in the fluid engine", after,
					slow[len(slow)-1], x.SlowPath)
			}
			if x.Dropped.Sum() > 0 || x.RulesRejected > 0 {
				t.Errorf("after %d packets, engine %d: %+v", after, k, *x)
			}
		}
		if off := math.Abs(by[0] - by[1]); off > 0.01*by[0]+5 {
			t.Errorf("after %d packets: %.0f rules, and %.0f in the fluid engine", after, by[0], by[1])
		}
	}
	t.Logf("rules %.0f, packets on the slow path %.0f", rules, slow)
	if rules[1] < 5*rules[2] || rules[2] < 5*rules[3] {
		t.Errorf("%.0f rules: want a fifth or less of them at each step from 2 packets on", rules)
	}
	if slow[1] > slow[0] || slow[2] < slow[1] || slow[3] < slow[2] {
		t.Errorf("%.0f packets on the slow path: want the fewest after 2", slow)
	}
}

// A flow of 4.65 Mpps waits for N packets to be served at 1 Mpps, in N us, and then 330 us for its rule. It has sent
// 4.65 times as many packets by then. All that find the queue full are lost, and all that it holds are overtaken.
func TestWhatLargeFlowsPayForAThreshold(t *testing.T) {
	const large = `
duration: 40ms
instances: {initial: 4, min: 4, max: 4}
scheduler: {policy: round-robin, offload: {after: %d}}
autoscaler: {policy: none}
workload:
  - cbr: {flows: 1, interval: 0s, rate: 4.65Mpps, packet_size: 64B}
`
	for _, n := range []float64{1, 10, 1000, 10000} {
		for k, engine := range []sim.Engine{packet.New, fluid.New} {
			x := &simtest.Run(t, simtest.Parse(t, fmt.Sprintf(large, int(n))), engine).Run.Totals
			micros := n + 330
			sent, left := 4.65*micros, 1024.
			for _, c := range []struct {
				what      string
				got, want float64
			}{
				{"on the slow path", x.SlowPath, sent}, {"overtaken", x.Reordered, left},
				{"lost", x.Dropped.SlowPath, sent - micros - left},
			} {
				if math.Abs(c.got-c.want) > 3 {
					t.Errorf("engine %d, after %.0f packets: %.0f %s, want %.0f", k, n, c.got, c.what, c.want)
				}
			}
		}
	}
}

// A flow sends four packets in 10 ms, is silent for 10 ms, and sends eight in 10 ms. The slow path takes 1 us a packet.
func TestWhenAFlowHasSentEnough(t *testing.T) {
	const ms = units.Millisecond
	w := &traces.Workload{Flows: []traces.Flow{{Segments: []traces.Segment{
		{Start: ms, End: 11 * ms, Packets: 4, Bytes: 256}, {Start: 21 * ms, End: 31 * ms, Packets: 8, Bytes: 512}}}}}
	for after, want := range map[int]units.Time{2: 3500 * units.Microsecond, 4: 8500 * units.Microsecond, 5: 21 * ms,
		6: 22250 * units.Microsecond, 12: 29750 * units.Microsecond, 13: 0} {
		sc := simtest.Parse(t, fmt.Sprintf("duration: 40ms\nscheduler: {offload: {after: %d}}\n"+
			"workload:\n  - cbr: {flows: 1, rate: 1kpps}\n", after))
		for k, engine := range []sim.Engine{packet.New, fluid.New} {
			m := results.NewMemory()
			simtest.Record(t, sc, w, engine, m)
			r, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			var got units.Time
			for l, err := range r.Log() {
				if err != nil {
					t.Fatal(err)
				}
				if l.Event != nil && l.Event.Kind == orchestrator.FlowGrown {
					got = l.At - units.Microsecond
				}
			}
			// In the fluid engine it comes a thousandth of a packet late.
			if off := got - want; off < 0 || off > 3*units.Microsecond {
				t.Errorf("engine %d, after %d packets: %v, want %v", k, after, got, want)
			}
		}
	}
}
