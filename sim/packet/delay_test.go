package packet_test

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// scope is whose delays a histogram counts; number -1 is all of the scope.
type scope struct {
	scope  string
	number int32
	kind   string
}

// histograms are a run's: packets by the lower ends of the buckets.
func histograms(m *results.Memory) map[scope]map[int64]int64 {
	hs := map[scope]map[int64]int64{}
	for _, b := range m.Buckets {
		for _, s := range []scope{{b.Scope, b.Number, b.Kind}, {b.Scope, -1, b.Kind}} {
			if hs[s] == nil {
				hs[s] = map[int64]int64{}
			}
			hs[s][b.Low] += b.Count
		}
	}
	return hs
}

// On random scenarios with everything in them: measuring delays changes nothing else; Little's law holds to the
// picosecond; delays do not depend on the path; there are as many delays as packets processed, in the run and of each
// flow; the run's histograms are the sums of the instances' and of the flows'; and a packet waits no longer than it
// stays and stays no longer than it took.
func TestDelays(t *testing.T) {
	n := 25
	if testing.Short() {
		n = 10
	}
	slow := 0
	for i := range n {
		text := scenario(rand.New(rand.NewPCG(3, uint64(i))))
		plain := simtest.Run(t, simtest.Parse(t, text), packet.New)
		sc := simtest.Parse(t, text+"engine: packet\nmeasure: {delay: flows}\n")
		m, stepped := simtest.Run(t, sc, packet.New), simtest.Run(t, sc, packet.Step)
		if !reflect.DeepEqual(m.Windows, plain.Windows) || !reflect.DeepEqual(m.Flows, plain.Flows) ||
			!reflect.DeepEqual(m.Instances, plain.Instances) {
			t.Error("the run is another one when delays are measured")
		}
		if !reflect.DeepEqual(m.Latencies, stepped.Latencies) || !reflect.DeepEqual(m.Buckets, stepped.Buckets) ||
			!reflect.DeepEqual(m.Run.Little, stepped.Run.Little) {
			t.Error("delays are others when every packet is stepped")
		}
		if plain.Run.Little != nil || len(plain.Latencies) > 0 {
			t.Error("delays were measured unasked")
		}
		if l := m.Run.Little; l == nil || !l.Holds || l.Checked == 0 {
			t.Errorf("Little's law: %+v", l)
		}
		if !m.Run.Conservation.Holds {
			t.Errorf("conservation: %+v", m.Run.Conservation)
		}
		processed := map[int32]float64{}
		for _, f := range m.Flows {
			processed[f.Flow] = f.Processed
		}
		hs := histograms(m)
		for k, l := range m.Latencies {
			sum := int64(0)
			for _, c := range hs[scope{l.Scope, l.Number, l.Kind}] {
				sum += c
			}
			if l.Scope == "flow" && float64(l.Count) != processed[l.Number] || sum != l.Count || l.Count == 0 {
				t.Errorf("%+v: %d packets in its buckets, %g processed", l, sum, processed[l.Number])
			}
			if l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max || l.Mean > float64(l.Max) {
				t.Errorf("%+v is not in order", l)
			}
			if k%3 > 0 && (l.Mean < m.Latencies[k-1].Mean || l.Max < m.Latencies[k-1].Max ||
				l.P99 < m.Latencies[k-1].P99) {
				t.Errorf("%+v is less than %+v", l, m.Latencies[k-1])
			}
			if l.Scope == "run" && l.Kind == "end-to-end" && l.Mean > m.Latencies[k-1].Mean {
				slow++
			}
		}
		for _, kind := range []string{"wait", "sojourn", "end-to-end"} {
			for _, of := range []string{"instance", "flow"} {
				if !reflect.DeepEqual(hs[scope{"run", 0, kind}], hs[scope{of, -1, kind}]) {
					t.Errorf("%s: the sum over each %s is not the run's", kind, of)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("case %d:\n%s", i, text)
		}
	}
	if slow == 0 {
		t.Error("no packet was delayed before it reached an instance")
	}
}

// An instance's delays are those of the obvious queue, flow by flow and bucket by bucket.
func TestDelaysOfAQueue(t *testing.T) {
	for i := range 50 {
		text, slow := aQueue(rand.New(rand.NewPCG(4, uint64(i))), "2900us", "1s")
		m := simtest.Run(t, simtest.Parse(t, text), packet.New)
		slow.Advance(int64(3 * units.Millisecond))
		hs := histograms(m)
		for k, f := range slow.Flows {
			kinds := map[string][]int64{"wait": f.Waits, "sojourn": f.Sojourns, "end-to-end": f.Sojourns}
			for kind, delays := range kinds {
				h := map[int64]int64{}
				for _, d := range delays {
					lo, _ := packet.Bounds(packet.Bucket(units.Time(d)))
					h[int64(lo)]++
				}
				if got := hs[scope{"flow", int32(k), kind}]; !maps.Equal(got, h) {
					t.Fatalf("case %d flow %d %s: %v, want %v\n%s", i, k, kind, got, h, text)
				}
			}
		}
	}
}

// A packet alone takes its service time, and end-to-end what the slow path and the eSwitch add.
func TestDelayOfOnePacket(t *testing.T) {
	const text = `
name: one
engine: packet
duration: 10ms
nic: {profile: ideal, slowpath_rate: 1Mpps, install_latency: 1ms, install_rate: 0}
vnf: {per_byte: 10ps, contention: {model: constant, service_time: 100ns}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
measure: {delay: flows}
workload:
  - flows: [{period: 5ms, phase: 1ms, packet_size: 1000B}]
`
	m := simtest.Run(t, simtest.Parse(t, text), packet.New)
	// The first goes through the ARM cores, 1 us; the second, 5 ms later, follows the rule.
	for _, c := range []struct {
		kind   string
		max    int64
		mean   float64
		number int64
	}{{"wait", 0, 0, 2}, {"sojourn", 110_000, 110_000, 2}, {"end-to-end", 1_110_000, 610_000, 2}} {
		for _, l := range m.Latencies {
			if l.Kind == c.kind && (l.Max != c.max || l.Mean != c.mean || l.Count != c.number) {
				t.Errorf("%+v, want %+v", l, c)
			}
		}
	}
	if len(m.Latencies) != 9 {
		t.Errorf("%d rows, want 3 kinds of the run, the instance and the flow", len(m.Latencies))
	}
	sc := simtest.Parse(t, strings.Replace(text, "flows}", "instances}", 1))
	for _, l := range simtest.Run(t, sc, packet.New).Latencies {
		if l.Scope == "flow" {
			t.Errorf("%+v: flows were not asked for", l)
		}
	}
}

func TestDelayNeedsThePacketEngine(t *testing.T) {
	_, err := scenarios.Parse("t.yaml", []byte("duration: 1s\nmeasure: {delay: flows}\n"+
		"workload: [{cbr: {flows: 1, rate: 1Mpps}}]"), "", nil)
	const want = "t.yaml:2:18: measure.delay: found \"flows\", expected engine: packet with this key"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

// The conformance work, 1.5e7 packets an operation, in the whole engine shows what measuring delays costs.
func BenchmarkDelays(b *testing.B) {
	for _, measure := range []string{"none", "instances", "flows"} {
		b.Run(measure, func(b *testing.B) {
			sc := simtest.Parse(b, conformance("100ms")+"measure: {delay: "+measure+"}\n")
			packets, began := 0.0, cpuTime(b)
			for b.Loop() {
				packets += simtest.Run(b, sc, packet.New).Run.Totals.Offered
			}
			b.ReportMetric(packets/(cpuTime(b)-began)/1e6, "Mpkt/CPU-s")
		})
	}
}
