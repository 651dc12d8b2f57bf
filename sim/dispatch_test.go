package sim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
)

// stairs has 2000 flows that last, and more load for some time: the instances become 3 to 7, one after the other, and
// then 3 again. In the end one dies.
const stairs = `
name: stairs
seed: 1
duration: 20s
nic: ideal
vnf: {contention: {model: constant, rate: 10Mpps}}
instances: {initial: 3, min: 3, max: 7}
scheduler: {policy: %s, rules: none, limit: 1Mpps}
autoscaler: {target: 1, interval: 1s, stabilization: 0s, max_step_out: 1, max_step_in: 1, drain: %s}
workload:
  - cbr: {flows: 2000, interval: 0s, rate: 1kpps, packet_size: 64B}
  - flows: [{rate: 6Mpps, phase: 10us, end: 8500ms, packet_size: 64B}]
faults:
  - {kind: instance-death, at: 19500ms, instance: 2}
`

// change is one in which instances take work, and to which flows it gave another instance.
type change struct {
	event orchestrator.EventKind
	now   int // instances that take work from then on
	flows int
}

// changes are those of a record, and the flows whose packets went to two instances.
func changes(t *testing.T, m *results.Memory) (all []change, broken int) {
	t.Helper()
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	at, more := map[flow.ID]flow.Instance{}, map[flow.ID]bool{}
	var event orchestrator.EventKind
	ready := 0
	for l, err := range r.Log() {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Event != nil:
			if event = l.Event.Kind; event == orchestrator.InstanceReady {
				ready++
				all = append(all, change{event, ready, 0})
			}
		case l.Decision != nil && (l.Decision.Kind == orchestrator.Drain || l.Decision.Kind == orchestrator.Failed):
			ready--
			all = append(all, change{event, ready, 0})
		case l.Action != nil && l.Action.Kind == orchestrator.Steer:
			a := l.Action
			if was := at[a.Flow]; was != 0 && was != a.Instance {
				all[len(all)-1].flows++
				more[a.Flow] = true
			}
			at[a.Flow] = a.Instance
		case l.Action != nil && l.Action.Kind <= orchestrator.RemoveRule:
			t.Fatalf("a rule is asked for: %+v", *l.Action)
		}
	}
	return all, len(more)
}

// What breaks of 2000 flows as instances come and go: with a hash modulo their number all but one in the greater number
// (x mod n = x mod n+1 for n of every n(n+1) hashes), with Maglev's table and rendezvous one in that number, and a few
// more with the table, which is not minimal. Cheetah breaks nothing, as long as instances that drain live, and with
// either kind of drain, since a flow without a rule cannot be moved. Nor does Beamer, until a bucket comes back to an
// instance, which then forgets from whom it had it first.
func TestWhatBreaks(t *testing.T) {
	for _, c := range []struct {
		policy string
		part   func(n float64) float64 // of the flows, where n is the greater number of instances
		more   float64                 // of the flows, for what the policy does beyond that
		back   float64                 // the same as an instance drains
	}{
		{"hash", func(n float64) float64 { return 1 - 1/n }, 0, 0},
		{"maglev", func(n float64) float64 { return 1 / n }, 0.02, 0.02},
		{"hrw", func(n float64) float64 { return 1 / n }, 0, 0},
		{"beamer", func(float64) float64 { return 0 }, 0, 0.1},
		{"cheetah", func(float64) float64 { return 0 }, 0, 0},
	} {
		for _, drain := range []string{"move", "finish"} {
			m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(stairs, c.policy, drain)), fluid.New)
			simtest.Verify(t, m)
			all, broken := changes(t, m)
			up, down := 0, 0
			for k, x := range all {
				before := 0
				if k > 0 {
					before = all[k-1].now
				}
				if x.event == orchestrator.InstanceFailed || before < 3 {
					continue
				}
				more := c.more
				if x.now > before {
					up++
				} else {
					down++
					more = c.back
				}
				const n = 2000
				p := c.part(float64(max(x.now, before)))
				sigma := 5 * math.Sqrt(float64(n)*p*(1-p))
				if got := float64(x.flows); got < n*p-sigma-1 || got > n*p+sigma+1+more*n {
					t.Errorf("%s, %d to %d instances: %d flows broken, want %.0f ± %.0f, and at most %.0f more",
						c.policy, before, x.now, x.flows, n*p, sigma, more*n)
				}
			}
			if up != 4 || down < 3 {
				t.Fatalf("%s: %d instances came and %d drained, want 4 and 3 or more", c.policy, up, down)
			}
			totals := &m.Run.Totals
			if int(totals.Broken) != broken || totals.Moves != 0 || totals.RulesInstalled != 0 || totals.SlowPath != 0 {
				t.Errorf("%s: totals %+v, want %d broken, and no rules", c.policy, *totals, broken)
			}
			if last := all[len(all)-1]; last.event != orchestrator.InstanceFailed || last.flows == 0 {
				t.Errorf("%s: nothing breaks as an instance dies: %+v", c.policy, last)
			}
			if handed := totals.HandedOn > 0; handed != (c.policy == "beamer") {
				t.Errorf("%s: %d packets handed on", c.policy, totals.HandedOn)
			}
		}
	}
}
