package sim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// resizer gives instances other shares whenever the orchestrator has the counters read.
type resizer struct {
	*results.Memory
	plant  sim.Control
	shares func(now units.Time) map[flow.Instance]float64
	events []orchestrator.Event // answers
	at     []units.Time
}

func (r *resizer) Action(now units.Time, a *orchestrator.Action) {
	if a.Kind == orchestrator.ReadCounters {
		for i := flow.Instance(1); i < 9; i++ {
			if share, ok := r.shares(now)[i]; ok {
				sim.Do(r.plant, &orchestrator.Action{Kind: orchestrator.ResizeInstance, Instance: i, Share: share})
			}
		}
	}
	if a.Kind != orchestrator.ResizeInstance {
		r.Memory.Action(now, a)
	}
}

func (r *resizer) Event(now units.Time, e *orchestrator.Event) {
	if e.Kind == orchestrator.InstanceResized {
		r.events, r.at = append(r.events, *e), append(r.at, now)
	}
	r.Memory.Event(now, e)
}

func resized(t *testing.T, engine sim.Engine, sc *scenarios.Scenario,
	shares func(units.Time) map[flow.Instance]float64) *resizer {
	t.Helper()
	r := &resizer{Memory: results.NewMemory(), shares: shares}
	simtest.Record(t, sc, simtest.Traffic(t, sc),
		func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
			r.plant = c
			return engine(sc, w, end, c)
		}, r)
	return r
}

// An instance of 1 Mpps is offered 800 kpps. After 2 s it has a quarter of a core, then two cores, then all of one
// again. It answers a latency of the engine later, but not while the engine fails.
func TestAShareIsAShareOfTheRate(t *testing.T) {
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		sc := simtest.Parse(t, fmt.Sprintf(`
duration: 8s
engine: %s
nic: {profile: ideal, engine_latency: 500ms}
vnf: {buffer: 1000, contention: {model: constant, rate: 1Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: {hpa: {cpu: reported}}}
telemetry: {report_period: 500ms}
workload: [{cbr: {flows: 2, rate: 400kpps}}]
faults: [{kind: engine-failure, at: 6500ms}]
`, name))
		shares := map[units.Time]float64{2: 0.25, 4: 2, 6: 1, 7: 0.5}
		r := resized(t, engine, sc, func(now units.Time) map[flow.Instance]float64 {
			if share, ok := shares[now/units.Second]; ok {
				return map[flow.Instance]float64{1: share}
			}
			return nil
		})
		for k, want := range []orchestrator.Event{{Share: 0.25}, {Share: 2}, {Share: 1},
			{Share: 1, Reason: "the container engine could not resize it"}} {
			want.Kind, want.Instance = orchestrator.InstanceResized, 1
			at := []units.Time{2500, 4500, 6500, 7500}[k] * units.Millisecond
			if k >= len(r.events) || fmt.Sprint(r.events[k]) != fmt.Sprint(want) || r.at[k] != at {
				t.Fatalf("%s: answers %v at %v, want %v at %v", name, r.events, r.at, want, at)
			}
		}
		// Half a second at 250 kpps takes 475,000 packets to lose, of which 1,000 wait and are then processed.
		for k, want := range []float64{800e3, 800e3, 525e3, 250e3, 525e3, 800e3, 800e3, 800e3} {
			if got := r.Windows[k].Processed; math.Abs(got-want) > 2000 {
				t.Errorf("%s: %v pps processed in second %d, want %v", name, got, k+1, want)
			}
		}
		// 0.8 of a core, then a quarter while all of it is busy, then 0.4 of two.
		rec, err := r.Record()
		if err != nil {
			t.Fatal(err)
		}
		last, k := 0.0, 0
		for e, err := range rec.Log() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Event == nil || e.Event.Kind != orchestrator.ReportsRead {
				continue
			}
			cpu := float64(e.Event.Reports[0].CPU) / 1e12
			want := 0.8
			if k >= 5 && k < 9 {
				want = 0.25
			}
			if got := (cpu - last) / 0.5; k > 0 && math.Abs(got-want) > 0.01 {
				t.Errorf("%s: %v of a core until %v, want %v", name, got, e.At, want)
			}
			last = cpu
			k++
		}
		if k < 14 {
			t.Errorf("%s: %d reports", name, k)
		}
	}
}

// However packets are simulated, resizing leaves the same record; and both engines the same totals, but for what may be
// in flight.
func TestResizingOnAllPaths(t *testing.T) {
	for seed := range uint64(8) {
		for _, rest := range []string{"", "measure: {delay: instances}", "measure: {flows: false}"} {
			shares := func(now units.Time) map[flow.Instance]float64 {
				r := rand.New(rand.NewPCG(seed, uint64(now)))
				m := map[flow.Instance]float64{}
				for i := flow.Instance(1); i <= 3; i++ {
					if r.IntN(2) == 0 {
						m[i] = 0.05 + 1.5*r.Float64()
					}
				}
				return m
			}
			text := fmt.Sprintf(`
duration: 500ms
engine: packet
nic: {profile: ideal, engine_latency: 3ms}
vnf: {buffer: 256, contention: {model: usl, lambda: 3Mpps}}
instances: {initial: 3, min: 3, max: 3}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 20ms}
workload: [{cbr: {flows: 6, interval: 10ms, rate: %dkpps}}]
%s`, 400+100*seed, rest)
			sc := simtest.Parse(t, text)
			fast := resized(t, packet.New, sc, shares)
			sc.Packet.Jump = false
			slow := resized(t, packet.New, sc, shares)
			for what, same := range map[string]bool{
				"windows":   fmt.Sprint(fast.Windows) == fmt.Sprint(slow.Windows),
				"instances": fmt.Sprint(fast.Instances) == fmt.Sprint(slow.Instances),
				"flows":     fmt.Sprint(fast.Flows) == fmt.Sprint(slow.Flows),
				"latencies": fmt.Sprint(fast.Latencies) == fmt.Sprint(slow.Latencies),
				"buckets":   fmt.Sprint(fast.Buckets) == fmt.Sprint(slow.Buckets),
			} {
				if !same {
					t.Errorf("seed %d, %s: other %s than with every packet stepped", seed, rest, what)
				}
			}
			if len(fast.events) < 20 {
				t.Fatalf("%d answers", len(fast.events))
			}
			if rest != "" {
				continue
			}
			sc.Engine = "fluid"
			rates := resized(t, fluid.New, sc, shares)
			a, b := &fast.Run.Totals, &rates.Run.Totals
			if d := math.Abs(a.Processed - b.Processed); d > 3*256 || a.Processed < 1e5 {
				t.Errorf("seed %d: %v packets processed, %v in the fluid engine", seed, a.Processed, b.Processed)
			}
		}
	}
}
