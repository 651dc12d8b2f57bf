package sim_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// burstScenario has packets at any times, in a NIC whose stage is as the arguments say.
func burstScenario(t *testing.T, rate float64, queue int, latency string) *scenarios.Scenario {
	t.Helper()
	return simtest.Parse(t, fmt.Sprintf(`
duration: 10ms
engine: packet
nic: {profile: ideal, dispatch_rate: %g, dispatch_queue: %d, dispatch_latency: %s}
scheduler: {unit: burst, gap: 10us}
workload: [{flows: [{rate: 1kpps}]}]
`, rate, queue, latency))
}

// A stage that takes a microsecond for each burst and two for its way, with room for one to wait: of bursts at 100,
// 100, 100 and 101 us, the third finds it full. The last comes when the first is just done.
func TestBurstStage(t *testing.T) {
	const us = units.Microsecond
	w := ofTimes(0, 100, 200, 300)
	w.Flows = slices.Repeat(w.Flows, 4)
	w.Packets = nil
	for f, at := range []units.Time{100, 100, 100, 101} {
		p := ofTimes(0, at).Packets[0]
		p.Flows = []flow.ID{flow.ID(f)}
		w.Packets = append(w.Packets, p)
	}
	for _, c := range []struct {
		rate   float64
		queue  int
		want   []units.Time // us
		missed int64
	}{
		{1e6, 1, []units.Time{103, 104, 105}, 1},
		{1e6, 2, []units.Time{103, 104, 105, 106}, 0},
		{1e6, 0, []units.Time{103, 104}, 2},
		{0, 0, []units.Time{102, 102, 102, 103}, 0},
	} {
		all, missed, err := sim.BurstDecisions(burstScenario(t, c.rate, c.queue, "2us"), w)
		if err != nil {
			t.Fatal(err)
		}
		var got []units.Time
		for _, b := range all {
			got = append(got, b.At/us)
		}
		if !slices.Equal(got, c.want) || missed != c.missed {
			t.Errorf("rate %g, queue %d: decided at %v us, %d missed; want %v and %d", c.rate, c.queue, got, missed,
				c.want, c.missed)
		}
	}
}

// In random traffic the stage is a server with a list of those that it holds.
func TestBurstStageAgainstAList(t *testing.T) {
	decided, missed := 0, int64(0)
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		w := randomTraffic(r)
		service, queue := 1+upTo(r, 40), r.IntN(4)
		sc := burstScenario(t, 1/service.Seconds(), queue, fmt.Sprintf("%dps", r.IntN(50)))
		sc.Scheduler.Gap = 1 + upTo(r, 30)
		got, lost, err := sim.BurstDecisions(sc, w)
		if err != nil {
			t.Fatal(err)
		}
		var want []results.Burst
		var done []units.Time // of those that the server has, each when it is done
		full := int64(0)
		for _, b := range allBursts(t, w, sc.Scheduler.Gap) {
			done = slices.DeleteFunc(done, func(at units.Time) bool { return at <= b.At })
			if len(done) > queue {
				full++
				continue
			}
			at := b.At
			if len(done) > 0 {
				at = done[len(done)-1]
			}
			done = append(done, at+service)
			want = append(want, results.Burst{At: at + service + sc.NIC.DispatchLatency, Flow: b.Flow})
		}
		if !slices.Equal(got, want) || lost != full {
			t.Fatalf("seed %d, service %d ps, queue %d: %d missed, decided\n%v\nwant %d\n%v", seed, service, queue,
				lost, got, full, want)
		}
		decided, missed = decided+len(got), missed+lost
	}
	if decided < 1000 || missed < 1000 {
		t.Errorf("%d decided, %d missed", decided, missed)
	}
}

// bursty is a random scenario that decides on bursts of at least the gap.
func bursty(r *rand.Rand, gap string) string {
	names := scheduler.On(policy.Bursts).Names()
	var b strings.Builder
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	fmt.Fprintf(&b, `
seed: %d
duration: 6ms
engine: packet
nic: {profile: %s, eswitch_limit: %s, install_latency: %s, rules: %s, engine_latency: 100us,
  dispatch_rate: %s, dispatch_queue: %d, dispatch_latency: %s}
vnf: {buffer: %d, start_latency: 200us, stop_latency: 50us, service: %s, contention: {model: constant, rate: 1Mpps}}
instances: {initial: %d, min: 1, max: 5}
scheduler: {policy: %s, unit: burst, gap: %s, limit: 1Mpps, offload: {after: %d}, ties: %s}
telemetry: {window: 1ms, delay: %s}
measure: {delay: %s}
`, r.IntN(1e6), pick("programmable", "bluefield2", "ideal"), pick("0pps", "3Mpps", "64Mpps"),
		pick("0s", "10us", "300us"), pick("0", "3"), pick("0", "1e5", "1e6", "2e8"), r.IntN(5),
		pick("0s", "400ns", "5us"), 4+r.IntN(200), pick("deterministic", "exponential"), 1+r.IntN(4),
		names[r.IntN(len(names))], gap,
		1+r.IntN(2)*r.IntN(20), pick("first", "random"), pick("0s", "20us"), pick("none", "instances", "flows"))
	b.WriteString(pick("autoscaler: {policy: none}\n",
		"autoscaler: {policy: hottest-instance, above: 600kpps, interval: 1ms}\n",
		"autoscaler: {policy: hpa, interval: 500us, stabilization: 0s}\n"))
	b.WriteString("workload:\n")
	for range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "  - cbr: {flows: %d, interval: %dus, rate: %dkpps, arrivals: %s}\n", 1+r.IntN(5), r.IntN(500),
			1+r.IntN(700), pick("constant", "poisson", "on-off, on_time: 100us, off_time: 100us"))
	}
	if r.IntN(2) == 0 {
		b.WriteString("  - model: {name: agh-2015, rate: 3000, flow_rate: 200kpps}\n")
	}
	if r.IntN(2) == 0 {
		b.WriteString("faults:\n")
		for range 1 + r.IntN(3) {
			fmt.Fprintf(&b, "  - {kind: %s, at: %dus}\n",
				pick("instance-death", "link-down, for: 300us", "rule-reject, for: 1ms", "counters-stall, for: 2ms"),
				r.IntN(5000))
		}
	}
	return b.String()
}

// What each run of a random scenario must hold: packets are conserved, the decisions are taken again from the record
// alone, stepped or jumped and however often it is run the record is the same, and each burst has become of something.
func TestRandomBursts(t *testing.T) {
	n := uint64(150)
	if testing.Short() {
		n = 50
	}
	var sum results.Totals
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 3))
		text := bursty(r, fmt.Sprintf("%dns", int(math.Exp(r.Float64()*12))))
		sc := simtest.Parse(t, text)
		m := simtest.Run(t, sc, packet.New)
		if c := m.Run.Conservation; !c.Holds {
			t.Fatalf("seed %d: %+v\n%s", seed, c, text)
		}
		simtest.Verify(t, m)
		stepped := *sc
		stepped.Packet.Jump = false
		sameRows(t, fmt.Sprintf("seed %d, stepped", seed), m, simtest.Run(t, &stepped, packet.New))
		x := &m.Run.Totals
		if n := begun(t, sc); n != x.Bursts {
			t.Fatalf("seed %d: %d bursts, want %d\n%s", seed, x.Bursts, n, text)
		}
		if x.BurstsDecided+x.BurstsMissed > x.Bursts || x.BurstsMoved > x.BurstsDecided || x.BurstsMoved > x.Moves {
			t.Fatalf("seed %d: %+v\n%s", seed, x, text)
		}
		sum.Bursts += x.Bursts
		sum.BurstsDecided += x.BurstsDecided
		sum.BurstsMoved += x.BurstsMoved
		sum.BurstsMissed += x.BurstsMissed
		sum.Reordered += x.Reordered
	}
	if sum.BurstsMoved < 1000 || sum.BurstsMissed < 1000 || sum.Reordered < 1000 ||
		sum.Bursts-sum.BurstsDecided-sum.BurstsMissed < 1000 {
		t.Errorf("too little has happened: %+v", sum)
	}
}

// begun is how many bursts begin in a run, the first of each flow left out.
func begun(t *testing.T, sc *scenarios.Scenario) (n int64) {
	w := simtest.Traffic(t, sc)
	for _, b := range sim.BurstStarts(w, sc.Scheduler.Gap) {
		if b.At < sc.End(w) {
			n++
		}
	}
	return n
}

// A burst whose first packet finds the link down does not reach the stage.
func TestBurstsOnALinkThatIsDown(t *testing.T) {
	const us = units.Microsecond
	sc := burstScenario(t, 0, 0, "0s")
	sc.Faults = []scenarios.Fault{{Kind: "link-down", At: 100 * us, For: 100 * us}, {Kind: "link-down", At: 500 * us},
		{Kind: "rule-reject", At: 300 * us}}
	all, missed, err := sim.BurstDecisions(sc, ofTimes(0, 99, 130, 199, 230, 300, 499, 510, 9999))
	if err != nil {
		t.Fatal(err)
	}
	var got []units.Time
	for _, b := range all {
		got = append(got, b.At/us)
	}
	if want := []units.Time{99, 230, 300, 499}; !slices.Equal(got, want) || missed != 0 {
		t.Errorf("decided at %v us, %d missed; want %v", got, missed, want)
	}
}

// sameRows compares the rows and the logs of two records, and their totals.
func sameRows(t *testing.T, what string, a, b *results.Memory) {
	t.Helper()
	if fmt.Sprintf("%+v", a.Run.Totals) != fmt.Sprintf("%+v", b.Run.Totals) {
		t.Fatalf("%s: %+v\nwant %+v", what, b.Run.Totals, a.Run.Totals)
	}
	x, y := rows(t, a), rows(t, b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			t.Fatalf("%s: %s\nwant %s", what, y[i], x[i])
		}
	}
	if len(x) != len(y) {
		t.Fatalf("%s: %d rows, want %d", what, len(y), len(x))
	}
}

func rows(t *testing.T, m *results.Memory) (all []string) {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	add := func(v any) { all = append(all, fmt.Sprintf("%+v", v)) }
	windows, err1 := rec.Windows()
	instances, err2 := rec.Instances()
	flows, err3 := rec.Flows()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for i := range windows {
		add(windows[i])
	}
	for i := range instances {
		add(instances[i])
	}
	for i := range flows {
		add(flows[i])
	}
	for e, err := range rec.Log() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.String())
	}
	return all
}

// With a gap longer than the run, what is decided on are the flows.
func TestAGapLongerThanTheRun(t *testing.T) {
	for seed := range uint64(60) {
		text := bursty(rand.New(rand.NewPCG(seed, 4)), "1s")
		flows := strings.Replace(text, "unit: burst, gap: 1s", "unit: flow", 1)
		sameRows(t, fmt.Sprintf("seed %d", seed), simtest.Run(t, simtest.Parse(t, flows), packet.New),
			simtest.Run(t, simtest.Parse(t, text), packet.New))
	}
}

// With a gap of a picosecond, each packet is a burst, and round-robin is what it is for packets: each instance gets as
// many as any other, but for one.
func TestEveryPacketIsABurst(t *testing.T) {
	for _, arrivals := range []string{"constant", "poisson"} {
		m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(`
duration: 10ms
engine: packet
nic: ideal
vnf: {contention: {model: constant, rate: 10Mpps}}
instances: {initial: 4, min: 4, max: 4}
scheduler: {policy: round-robin, unit: burst, gap: 1ps}
autoscaler: {policy: none}
telemetry: {window: 10ms}
workload: [{flows: [{rate: 1Mpps, arrivals: %s}]}]
`, arrivals)), packet.New)
		x := &m.Run.Totals
		if x.Bursts != int64(x.Offered)-1 || x.BurstsDecided != x.Bursts || x.BurstsMoved != x.Bursts {
			t.Errorf("%s: %+v: want a burst for each packet but the first", arrivals, x)
		}
		rec, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		instances, err := rec.Instances()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range instances {
			if n := i.Offered / 100; math.Abs(n-x.Offered/4) > 1 {
				t.Errorf("%s: instance %d was sent %g packets of %g", arrivals, i.Instance, n, x.Offered)
			}
		}
	}
}

// Flows of a draining instance leave it with their next bursts, where the autoscaler leaves them alone, and it is
// deleted at once.
func TestBurstsLeaveADrainingInstance(t *testing.T) {
	const text = `
duration: 60ms
engine: packet
nic: ideal
vnf: {start_latency: 1ms, contention: {model: constant, rate: 1Mpps}}
instances: {initial: 2, min: 1, max: 2}
scheduler: {policy: round-robin, %s}
autoscaler: {policy: hottest-instance, above: 800kpps, below: 400kpps, interval: 10ms, stabilization: 0s, drain: finish}
telemetry: {window: 10ms}
workload: [{cbr: {flows: 4, rate: 50kpps, arrivals: on-off, on_time: 100us, off_time: 100us}}]
`
	deleted := func(unit string) (at units.Time) {
		m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(text, unit)), packet.New)
		rec, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range rec.Log() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Action != nil && e.Action.Kind == orchestrator.DeleteInstance {
				at = e.At
			}
		}
		return at
	}
	if at := deleted("unit: flow"); at != 0 {
		t.Errorf("by flow: deleted at %v, want never: the flows last", at)
	}
	if at := deleted("unit: burst"); at <= 10*units.Millisecond || at >= 12*units.Millisecond {
		t.Errorf("by burst: deleted at %v, want between two windows, with the last flow's next burst after 10ms", at)
	}
}

// A record that says otherwise of its bursts than they were is found out, as is one whose bursts nobody makes again.
func TestBurstsAreVerified(t *testing.T) {
	text := bursty(rand.New(rand.NewPCG(8, 3)), "5us")
	sc := simtest.Parse(t, text)
	m := simtest.Run(t, sc, packet.New)
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	if m.Run.Totals.BurstsMoved == 0 {
		t.Fatalf("no burst was moved:\n%s", text)
	}
	if _, err := rec.Verify(sc.Orchestrator()); !errors.Is(err, results.ErrNoBursts) {
		t.Errorf("without bursts: %v, want %v", err, results.ErrNoBursts)
	}
	for _, edit := range []func(*scenarios.Scenario){
		func(sc *scenarios.Scenario) { sc.Scheduler.Gap += units.Microsecond },
		func(sc *scenarios.Scenario) { sc.Workload[0].CBR.Rate *= 1.5 },
		func(sc *scenarios.Scenario) { sc.NIC.DispatchLatency += 1 },
	} {
		other := *simtest.Parse(t, text)
		edit(&other)
		v, err := rec.VerifyBursts(sc.Orchestrator(), sim.Bursts(&other, simtest.Traffic(t, &other)))
		if err != nil || v.Difference == nil || !strings.Contains(v.Difference.Recorded[0], "digest") {
			t.Errorf("other bursts: %+v, %v: want a difference of digests", v, err)
		}
	}
	m.Run.Totals.BurstsMoved++
	if rec, err = m.Record(); err != nil {
		t.Fatal(err)
	}
	v, err := rec.VerifyBursts(sc.Orchestrator(), sim.Bursts(sc, simtest.Traffic(t, sc)))
	if err != nil || !strings.Contains(v.Miscounted, "bursts decided") {
		t.Errorf("%+v, %v: want bursts that are miscounted", v, err)
	}
}

// The fluid engine has no gaps, and says so before anything is written.
func TestTheFluidEngineHasNoBursts(t *testing.T) {
	sc := burstScenario(t, 0, 0, "0s")
	sc.Engine = "fluid"
	err := sim.Run(t.Context(), sc, simtest.Traffic(t, sc), fluid.New, results.NewMemory(), sim.Options{})
	if err == nil || !strings.Contains(err.Error(), "scheduler.unit: burst: want flow with engine: fluid") {
		t.Errorf("%v", err)
	}
}
