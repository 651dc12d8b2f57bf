package theory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// system is a scenario with what theory says of it. Run gives the same quantities, in the same order.
type system struct {
	name       string
	runs       int // 1: nothing in it is random, and the quantities must be equal
	quantities []quantity
	run        func(ctx context.Context, seed uint64) ([]float64, error)
}

type quantity struct {
	name  string
	value float64
}

// systems are all systems.
func systems(o Options) []system {
	// Half the packets of M/G/1 have 64 bytes and half 1500. Each costs 218 ns and 1 ns a byte: 1000 ns in the mean.
	twoSizes := mix{{0.282, 0.5}, {1.718, 0.5}}
	ofTwoSizes := func(load float64, _ int) (float64, float64, func(float64) float64) { return mg1(load, twoSizes) }
	var all []system
	for _, q := range []packetQueue{
		{name: "M/M/1", service: "exponential", load: 0.7, theory: mm1k},
		{name: "M/M/1/16", service: "exponential", load: 0.9, room: 16, theory: mm1k},
		{name: "M/M/1/4", service: "exponential", load: 1.5, room: 4, theory: mm1k},
		{name: "M/D/1", service: "deterministic", load: 0.7, theory: md1k},
		{name: "M/D/1/8", service: "deterministic", load: 0.9, room: 8, theory: md1k},
		{name: "M/D/1/16", service: "deterministic", load: 1.2, room: 16, theory: md1k},
		{name: "M/G/1", service: "deterministic", load: 0.6, sizes: []int{64, 1500}, perByte: 1, theory: ofTwoSizes},
	} {
		q.packets = o.Packets
		all = append(all, q.system(o.Runs))
	}
	for _, f := range []flowLoss{
		{load: 2, servers: 4, engine: "fluid"},
		{load: 8, servers: 8, engine: "fluid"},
		{load: 8, servers: 8, engine: "packet"},
		{load: 8, servers: 8, engine: "fluid", window: holding / 20},
	} {
		f.flows = o.Packets / 100
		all = append(all, f.system(o.Runs))
	}
	all = append(all, requestQueues(o)...)
	all = append(all, shares()...)
	return append(all, commonWork(o.Packets)...)
}

// service is the mean service time of every packet queue.
const service = units.Microsecond

// packetQueue is one instance behind an ideal NIC, with Poisson arrivals of packets.
type packetQueue struct {
	name, service string
	load          float64
	room          int   // 0 for none to speak of
	sizes         []int // in equal shares; 64 bytes without
	perByte       int   // ns
	theory        func(load float64, room int) (loss, wait float64, tail func(float64) float64)
	packets       int // of a run, in the mean
}

const queueScenario = `
name: %s
seed: %d
duration: %v
engine: packet
nic: ideal
vnf: {buffer: %d, service: %s, per_byte: %dns, contention: {model: constant, service_time: %v}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
telemetry: {window: 1s}
measure: {delay: instances}
workload:
  - flows:
%s`

func (p packetQueue) system(runs int) system {
	loss, wait, tail := p.theory(p.load, p.room)
	s := system{name: fmt.Sprintf("%s at %g", p.name, p.load), runs: runs, run: p.run}
	if p.room > 0 {
		s.quantities = append(s.quantities, quantity{"loss", loss})
	}
	bound := float64(p.bound()) / float64(service)
	s.quantities = append(s.quantities, quantity{"mean wait", wait},
		quantity{fmt.Sprintf("P(wait > %.3f); p99 is %.3f", bound, p99(tail)), tail(bound)})
	return s
}

// bound is the lower end of the histogram's bucket that holds the p99 of the wait: there, a record's counts are exact.
func (p packetQueue) bound() units.Time {
	_, _, tail := p.theory(p.load, p.room)
	return lowEnd(units.Time(p99(tail) * float64(service)))
}

// lowEnd is the lower end of the bucket that holds a delay.
func lowEnd(t units.Time) units.Time {
	low, _ := packet.Bounds(packet.Bucket(t))
	return low
}

func (p packetQueue) run(ctx context.Context, seed uint64) ([]float64, error) {
	sizes, room := p.sizes, p.room
	if sizes == nil {
		sizes = []int{64}
	}
	if room == 0 {
		room = 1 << 16
	}
	base := service
	for _, n := range sizes {
		base -= units.Time(n*p.perByte) * units.Nanosecond / units.Time(len(sizes))
	}
	var flows strings.Builder
	for _, n := range sizes {
		rate := p.load / service.Seconds() / float64(len(sizes)) // Poisson processes add up to one
		fmt.Fprintf(&flows, "      - {rate: %gpps, arrivals: poisson, packet_size: %dB}\n", rate, n)
	}
	sc, err := scenario(fmt.Sprintf(queueScenario, strings.ReplaceAll(p.name, "/", ""), seed,
		units.Time(float64(p.packets)/p.load*float64(service)), room, p.service, p.perByte, base, &flows))
	if err != nil {
		return nil, err
	}
	w, err := sc.Traffic()
	if err != nil {
		return nil, err
	}
	m, err := simulate(ctx, sc, w, packet.New)
	if err != nil {
		return nil, err
	}
	var out []float64
	if p.room > 0 {
		out = append(out, m.Run.Totals.Dropped.Instance/m.Run.Totals.Offered)
	}
	beyond, bound := int64(0), int64(p.bound())
	for _, b := range m.Buckets {
		if b.Scope == "run" && b.Kind == "wait" && b.Low >= bound {
			beyond += b.Count
		}
	}
	for _, l := range m.Latencies {
		if l.Scope == "run" && l.Kind == "wait" {
			return append(out, l.Mean/float64(service), float64(beyond)/float64(l.Count)), nil
		}
	}
	return nil, errors.New("the record has no waits")
}

// flowLoss is M/M/c/c through the orchestrator: flows are the customers and instances the servers. Flows come as a
// Poisson process and last for exponential times; each brings as much as an instance is trusted with, and one that fits
// nowhere is rejected. In a window that does not end, the orchestrator goes by the flows that it has placed. Otherwise
// it goes by the counters, and an instance counts as loaded until they have shown a whole window without a packet: its
// server is held, in the mean, for 1.5 windows more than its flow lasts. The loss depends only on the mean of that
// time, not on its distribution.
type flowLoss struct {
	load    float64
	servers int
	engine  string
	window  units.Time // 0: it does not end
	flows   int        // of a run, in the mean
}

const flowScenario = `
name: erlang-b
seed: %d
duration: %v
engine: %s
nic: ideal
vnf: {contention: {model: constant, rate: 1Mpps}}
instances: {initial: %d, min: %[4]d, max: %[4]d}
scheduler: {policy: best-fit, limit: 1kpps, demand: fixed, demand_rate: 1kpps, nofit: reject}
autoscaler: {policy: none}
telemetry: {window: %[5]v}
workload:
  - flows: [{rate: 1kpps}]
`

// holding is how long a flow lasts in the mean.
const holding = units.Second

func (e flowLoss) system(runs int) system {
	held := e.load * (1 + 1.5*e.window.Seconds()/holding.Seconds())
	name := fmt.Sprintf("M/M/%d/%[1]d of flows at %g, %s", e.servers, e.load, e.engine)
	if e.window > 0 {
		name += fmt.Sprintf(", counters every %v", e.window)
	}
	return system{
		name:       name,
		runs:       runs,
		quantities: []quantity{{"loss", erlangB(held, e.servers)}},
		run:        e.run,
	}
}

func (e flowLoss) run(ctx context.Context, seed uint64) ([]float64, error) {
	duration := units.Time(float64(e.flows) / e.load * float64(holding))
	window := e.window
	if window == 0 {
		window = duration
	}
	sc, err := scenario(fmt.Sprintf(flowScenario, seed, duration, e.engine, e.servers, window))
	if err != nil {
		return nil, err
	}
	w, err := traces.Generate(traces.Paced{Holdings: exponential{}, Rate: 1000},
		traces.GenerateOptions{Arrivals: traces.Arrivals{Rate: e.load / holding.Seconds()}, Until: sc.Duration,
			Seed: sc.Seed})
	if err != nil {
		return nil, err
	}
	m, err := simulate(ctx, sc, w, map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New}[e.engine])
	if err != nil {
		return nil, err
	}
	lost := 0
	for i := range m.Flows {
		if m.Flows[i].Instance == 0 {
			lost++
		}
	}
	return []float64{float64(lost) / float64(len(m.Flows))}, nil
}

// exponential are flows of exponentially distributed length.
type exponential struct{}

func (exponential) Draw(r *rand.Rand) traces.Holding {
	n := 1 + int64(r.ExpFloat64()*1000*holding.Seconds())
	return traces.Holding{Proto: 17, Packets: n, Bytes: 64 * n}
}

func (exponential) String() string { return "exponential" }

func scenario(text string) (*scenarios.Scenario, error) {
	st, err := scenarios.Parse("theory", []byte(text), ".", nil)
	if err != nil {
		return nil, err
	}
	return st.Runs[0].Scenario, nil
}

// simulate runs a scenario in memory. It is an error if packets are not conserved or Little's law does not hold.
func simulate(
	ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, engine sim.Engine,
) (*results.Memory, error) {
	m := results.NewMemory()
	if err := sim.Run(ctx, sc, w, engine, m, sim.Options{}); err != nil {
		return nil, err
	}
	return m, lawful(m)
}

// lawful is an error if packets are not conserved in a run, or Little's law does not hold.
func lawful(m *results.Memory) error {
	if c := &m.Run.Conservation; !c.Holds {
		return fmt.Errorf("packets are not conserved: %g packets at %s", c.Worst, c.Where)
	}
	if l := m.Run.Little; l != nil && !l.Holds {
		return fmt.Errorf("number in system and rate times time (Little's law) differ at %s", l.Where)
	}
	return nil
}
