package sim_test

import (
	"fmt"
	"slices"
	"strings"
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

// asker has the counters of the rules read just before the orchestrator has those of the instances read. Its record has
// the answers, but not the questions.
type asker struct {
	*results.Memory
	plant sim.Control
	rules []told                    // what the orchestrator was told of the rules
	reads []orchestrator.Event      // and of the instances
	on    map[flow.ID]flow.Instance // where a flow's rule sends it
}

// told is an event with its time.
type told struct {
	at units.Time
	orchestrator.Event
}

func (a *asker) Action(now units.Time, x *orchestrator.Action) {
	switch x.Kind {
	case orchestrator.ReadRules:
		return
	case orchestrator.ReadCounters:
		sim.Do(a.plant, &orchestrator.Action{Kind: orchestrator.ReadRules})
	}
	a.Memory.Action(now, x)
}

func (a *asker) Event(now units.Time, e *orchestrator.Event) {
	switch e.Kind {
	case orchestrator.RulesRead:
		a.rules = append(a.rules, told{now, orchestrator.Event{Sampled: e.Sampled, Rules: slices.Clone(e.Rules)}})
	case orchestrator.CountersRead:
		a.reads = append(a.reads, orchestrator.Event{Sampled: e.Sampled, Counters: slices.Clone(e.Counters)})
	case orchestrator.RuleInstalled:
		a.on[e.Flow] = e.Instance
	}
	a.Memory.Event(now, e)
}

// ask runs a scenario with an asker.
func ask(t *testing.T, engine sim.Engine, sc *scenarios.Scenario) *asker {
	t.Helper()
	a := &asker{Memory: results.NewMemory(), on: map[flow.ID]flow.Instance{}}
	simtest.Record(t, sc, simtest.Traffic(t, sc),
		func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
			a.plant = c
			return engine(sc, w, end, c)
		}, a)
	if len(a.rules) == 0 || len(a.rules) != len(a.reads) {
		t.Fatalf("the rules' counters were read %d times, the instances' %d times", len(a.rules), len(a.reads))
	}
	return a
}

// Between two readings the counter of an instance grows by as much as the counters of the rules that send to it,
// however the packets were simulated. There are six flows on three instances, and a seventh that has no place in the
// rule table.
func TestTheCountersOfRulesAddUpToTheirInstances(t *testing.T) {
	growth := func(of func(k int) uint64, k int) uint64 { return of(k) - of(k-1) }
	for _, c := range []struct {
		path, nic, arrivals, rest string
		fluid                     bool // there are no packets to step in it, and nothing at random
	}{
		{path: "jumped over (", rest: "vnf: {contention: {model: constant, rate: 4Mpps}}", fluid: true},
		{path: "jumped over in saturation", rest: "vnf: {contention: {model: constant, rate: 1Mpps}, buffer: 64}\n" +
			"measure: {flows: false}"},
		{path: "stepped without a ring", rest: "vnf: {buffer: 64, contention: {model: constant, rate: 1Mpps}}",
			fluid: true},
		{path: "stepped in queues apart",
			rest: "vnf: {service: exponential, contention: {model: constant, rate: 1Mpps}}"},
		{path: "stepped behind a saturated", nic: ", eswitch_limit: 5200kpps", fluid: true},
		{path: "stepped to the slow path", fluid: true},
		{path: "counted", rest: "faults: [{kind: link-down, at: 25ms, for: 7ms}]", fluid: true},
		{path: "with a time", arrivals: ", arrivals: poisson"},
		{path: "with a time", arrivals: ", arrivals: poisson", nic: ", eswitch_limit: 5200kpps"},
	} {
		for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
			if name == "fluid" && !c.fluid {
				continue
			}
			a := ask(t, engine, simtest.Parse(t, fmt.Sprintf(`
duration: 100ms
engine: %s
instances: {initial: 3, min: 3, max: 3}
autoscaler: {policy: none}
telemetry: {window: 10ms}
workload: [{cbr: {flows: 7, interval: 1ms, rate: 800kpps%s}}]
nic: {profile: ideal, rules: 6%s}
%s`, name, c.arrivals, c.nic, c.rest)))
			if ran := strings.Join(a.Run.Notes, "\n"); name == "packet" && !strings.Contains(ran, c.path) {
				t.Errorf("not %s: %s", c.path, ran)
			}
			if len(a.on) != 6 {
				t.Fatalf("%s, %s: %d rules, want 6", c.path, name, len(a.on))
			}
			for i := flow.Instance(1); i <= 3; i++ {
				counted := func(k int) uint64 { return a.reads[k].Counters[i-1].RxPackets }
				ruled := func(k int) (n uint64) {
					for _, r := range a.rules[k].Rules {
						if a.on[r.Flow] == i {
							n += r.Packets
						}
					}
					return n
				}
				for k := 1; k < len(a.rules); k++ {
					more := int64(growth(counted, k) - growth(ruled, k))
					switch {
					case i == 1 && more >= 0: // the slow path sends it what it has of the seventh flow
					case i > 1 && more == 0:
					case name == "fluid" && -2 <= more && more <= 2: // whole packets of fractions
					default:
						t.Errorf("%s, %s: until %v instance %d counts %d more than its rules", c.path, name,
							a.rules[k].Sampled, i, more)
					}
				}
			}
		}
	}
}

// Rules' counters come telemetry.delay after they were sampled, of the rules in force and in order. While counters
// stall they show what they showed when that began. The record says so and can be verified.
func TestTheCountersOfRulesAreReadAsThoseOfInstances(t *testing.T) {
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		sc := simtest.Parse(t, `
duration: 10ms
engine: `+name+`
nic: ideal
instances: {initial: 2, min: 2, max: 2}
autoscaler: {policy: none}
telemetry: {window: 1ms, delay: 200us}
faults: [{kind: counters-stall, at: 4500us, for: 3ms}]
workload: [{flows: [{period: 10us}, {period: 20us, phase: 2500us, end: 8500us}, {period: 100us, phase: 3500us}]}]
`)
		a := ask(t, engine, sc)
		for k, r := range a.rules {
			asked := units.Time(k+1) * units.Millisecond
			if r.Sampled != asked || r.at != asked+200*units.Microsecond {
				t.Errorf("%s: reading %d is of %v and comes at %v", name, k, r.Sampled, r.at)
			}
			shown := asked
			if asked > 4500*units.Microsecond && asked < 7500*units.Microsecond {
				shown = 4500 * units.Microsecond
			}
			var want []orchestrator.RuleCounter
			for f, x := range []struct{ begin, end, period units.Time }{{0, 10_000, 10}, {2500, 8500, 20},
				{3500, 10_000, 100}} {
				if us := shown / units.Microsecond; x.begin < us && us < x.end {
					want = append(want, orchestrator.RuleCounter{Flow: flow.ID(f),
						Packets: uint64((us - x.begin) / x.period)})
				}
			}
			for i := range want {
				if name == "packet" { // in the fluid engine nothing goes by a slow path that takes no time
					want[i].Packets--
				}
			}
			if !slices.Equal(r.Rules, want) {
				t.Errorf("%s: at %v: %v, want %v", name, asked, r.Rules, want)
			}
		}
		rec, err := a.Record()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for l, err := range rec.Log() {
			if err != nil {
				t.Fatal(err)
			}
			if e := l.Event; e != nil && e.Kind == orchestrator.RulesRead {
				if r := a.rules[n]; l.At != r.at || e.Sampled != r.Sampled || !slices.Equal(e.Rules, r.Rules) {
					t.Errorf("%s: the log has %v, want %v", name, e, r)
				}
				n++
			}
		}
		v, err := rec.Verify(sc.Orchestrator())
		if err != nil || v.Difference != nil || n != len(a.rules) {
			t.Errorf("%s: %d of %d readings in the log; %+v, %v", name, n, len(a.rules), v, err)
		}
	}
}
