package fluid_test

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/units"
)

// byHand is a plant without an orchestrator: the test says what happens, and when.
type byHand struct {
	events []sim.Event
	data   sim.DataPlane
}

func (p *byHand) Schedule(_ sim.Class, e sim.Event) { p.events = append(p.events, e) }
func (p *byHand) Arrived(flow.ID)                   {}
func (p *byHand) Grown(flow.ID)                     {}
func (p *byHand) Ended(flow.ID)                     {}
func (p *byHand) Stopped() bool                     { return false }

// until lets the data plane do what it has scheduled up to then.
func (p *byHand) until(now units.Time) {
	for {
		next := -1
		for i, e := range p.events {
			if e.At <= now && (next < 0 || e.At < p.events[next].At) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		e := p.events[next]
		p.events = append(p.events[:next], p.events[next+1:]...)
		p.data.Fire(e.At, e)
	}
}

// What a flow loses with an instance, and what it overtakes there, is no more than it can have in the ring. Each of two
// instances processes 5 Mpps and has room for 10,000 packets. The run ends with the last step.
func TestNoFlowHasMoreInTheRingThanItHasSent(t *testing.T) {
	type step struct {
		at units.Time
		do func(d sim.DataPlane, now units.Time)
	}
	rule := func(at units.Time, f flow.ID, i flow.Instance) step {
		return step{at, func(d sim.DataPlane, now units.Time) { d.Rule(now, f, i) }}
	}
	target := func(at units.Time, f flow.ID, i flow.Instance) step {
		return step{at, func(d sim.DataPlane, now units.Time) { d.Target(now, f, i) }}
	}
	dies := func(at units.Time) step {
		return step{at, func(d sim.DataPlane, now units.Time) { d.Down(now, 1) }}
	}
	const us, ms = units.Microsecond, units.Millisecond
	for _, c := range []struct {
		what, flows        string
		steps              []step
		dropped, reordered [2]float64
	}{
		// The ring is full from 2.5 ms on, and 4 Mpps are lost; from 5 ms on, it is half of what either sends.
		{"a flow has only just begun",
			"{rate: 9Mpps, packet_size: 64B}, {rate: 1Mpps, packet_size: 64B, phase: 5ms}",
			[]step{rule(0, 0, 1), rule(5*ms, 1, 1), dies(5010 * us)},
			[2]float64{10_000 + 45 + 9_995, 10}, [2]float64{}},
		{"a flow has only just begun, and the other has ended",
			"{rate: 9Mpps, packet_size: 64B, end: 5ms}, {rate: 1Mpps, packet_size: 64B, phase: 5ms}",
			[]step{rule(0, 0, 1), rule(5*ms, 1, 1), dies(5010 * us)},
			[2]float64{10_000 + 9_950, 10}, [2]float64{}},
		{"a flow is moved that has only just begun",
			"{rate: 9Mpps, packet_size: 64B}, {rate: 1Mpps, packet_size: 64B, phase: 5ms}",
			[]step{rule(0, 0, 1), rule(5*ms, 1, 1), rule(5010*us, 1, 2)},
			[2]float64{10_000 + 45, 5}, [2]float64{0, 5}},
		// By the slow path. 20,000 of 17 Mpps are lost until 2.5 ms, then 3 Mpps of flow 1, whose packets come last.
		{"the last flow has moved away",
			"{rate: 9Mpps, packet_size: 64B, end: 2500us}, {rate: 8Mpps, packet_size: 64B}",
			[]step{target(0, 0, 1), target(0, 1, 1), target(3*ms, 1, 2), dies(3 * ms)},
			[2]float64{20_000 * 9 / 17., 20_000*8/17. + 1_500 + 10_000}, [2]float64{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			sc := simtest.Parse(t, `
name: by-hand
duration: 10ms
nic: ideal
vnf: {buffer: 10000, contention: {model: constant, rate: 5Mpps}}
workload:
  - flows: [`+c.flows+`]
`)
			p := &byHand{}
			var err error
			if p.data, err = fluid.New(sc, simtest.Traffic(t, sc), sc.Duration, p); err != nil {
				t.Fatal(err)
			}
			p.data.Up(0, 1)
			p.data.Up(0, 2)
			end := units.Time(0)
			for _, s := range c.steps {
				end = s.at
				p.until(end)
				s.do(p.data, end)
			}
			total, sum := p.data.End(end), 0.0
			for f := range c.dropped {
				var row results.Flow
				p.data.Flow(flow.ID(f), &row)
				within(t, fmt.Sprintf("flow %d: dropped", f), row.Dropped, c.dropped[f], 0.01)
				within(t, fmt.Sprintf("flow %d: reordered", f), row.Reordered, c.reordered[f], 0.01)
				sum += row.Dropped
			}
			within(t, "dropped by both", sum, total.Dropped.Sum(), 1e-6)
		})
	}
}

// Found by random scenarios: the last flow has been feeding the instance for some microseconds when that dies.
func TestADeathChargesNoFlowMoreThanItHasSent(t *testing.T) {
	m := simtest.Run(t, simtest.Parse(t, `
name: death
seed: 97
duration: 8809us
nic: {profile: ideal, slowpath_rate: 2318kpps, slowpath_queue: 550, install_latency: 379us}
vnf: {buffer: 1584, per_byte: 100ps, start_latency: 567us, contention: {model: constant, rate: 9Mpps}}
instances: {initial: 1, min: 1, max: 1}
scheduler: {policy: round-robin, limit: 10Mpps}
autoscaler: {policy: none}
telemetry: {window: 126us, delay: 88us}
workload:
  - cbr: {flows: 15, interval: 129us, total: 40Gbps, packet_size: 540B}
  - flows: [{rate: 3229kpps, phase: 5853us, end: 6814us, packet_size: 458B}]
faults: [{kind: instance-death, at: 6284us, instance: 1}]
`), fluid.New)
	if !m.Run.Conservation.Holds {
		t.Errorf("%+v", m.Run.Conservation)
	}
	sum := 0.0
	for _, f := range m.Flows {
		sum += f.Dropped
	}
	within(t, "dropped by the flows", sum, m.Run.Totals.Dropped.Sum(), 1e-3)
}
