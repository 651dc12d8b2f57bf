package request

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
)

// whim is a policy that does all that a policy may, at random.
var whim = policy.Row{
	Info: policy.Info{Name: "whim", Rule: "anything", Source: "this test", Sees: policy.T0 | policy.T1 | policy.T3},
	Unit: policy.Requests, Reasons: []string{"whim", "full"},
	Maker: policy.Plain(func(env policy.Env) policy.Policy { return probingWhims{&whims{rand: env.Rand}} }),
}

// whimsical is the same without probes.
var whimsical = policy.Row{Info: whim.Info, Unit: whim.Unit, Reasons: whim.Reasons,
	Maker: policy.Plain(func(env policy.Env) policy.Policy { return &whims{rand: env.Rand} })}

type whims struct {
	rand  *rand.Rand
	heard float64
}

func (w *whims) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Probed:
		w.heard += float64(e.Queue) + e.Delay*1e6
	case policy.Ended:
		w.heard += float64(e.Queue + 3*e.Workers + 5*e.Idle)
		if e.Slot >= 0 {
			w.heard += float64(v.Queue[e.Slot])
		}
	}
}

type probingWhims struct{ *whims }

func (w probingWhims) Probes(_ *policy.Work, v *policy.View, to []int) []int {
	for range w.rand.IntN(3) {
		to = append(to, w.rand.IntN(len(v.IDs)))
	}
	return to
}

func (w *whims) Pick(of *policy.Work, v *policy.View, _ *policy.Weighed) policy.Answer {
	slot := (w.rand.IntN(len(v.IDs)) + int(w.heard)) % len(v.IDs)
	if v.Flows[slot] >= 2+int32(of.Priority) {
		return policy.Answer{Verdict: policy.Hold, Why: 1}
	}
	if w.rand.IntN(20) == 0 {
		return policy.Answer{Verdict: policy.Drop}
	}
	return policy.Answer{Slot: slot, Passes: uint8(max(0, w.rand.IntN(5)-2))}
}

func (w *whims) Queue(of *policy.Work) int { return int(of.Priority) }
func (w *whims) Before(a, b int) bool      { return a > b }

// The engine and the slow, obvious one agree on everything that a record holds, in random scenarios.
func TestEngineIsTheObviousOne(t *testing.T) {
	n := 4000
	if testing.Short() {
		n = 400
	}
	seen := map[string]float64{}
	for i := range n {
		sc, rows := randomScenario(t, rand.New(rand.NewPCG(7, uint64(i))))
		compareWithBrute(t, sc, rows, seen)
		if t.Failed() {
			t.Fatalf("scenario %d:\n%s", i, sc.YAML())
		}
	}
	for _, what := range strings.Fields("stage rejected instance link resubmissions probes held overflow late " +
		"services handed signals in-front lost-in-front deaths") {
		if seen[what] == 0 {
			t.Errorf("no scenario has any %s: %v", what, seen)
		}
	}
}

func compareWithBrute(t *testing.T, sc *scenarios.Scenario, rows [2]*policy.Row, seen map[string]float64) {
	t.Helper()
	engine := func() *Engine {
		e, err := Under(sc, rows[0], rows[1])
		if err != nil {
			t.Fatalf("%v\n%s", err, sc.YAML())
		}
		return e
	}
	m := results.NewMemory()
	e := engine()
	if err := e.Run(context.Background(), m, sim.Options{}); err != nil {
		t.Fatal(err)
	}
	if c, l := m.Run.Conservation, m.Run.Little; !c.Holds || !l.Holds {
		t.Errorf("%+v, %+v", c, l)
	}
	b := newBrute(engine())
	b.run()
	again := results.NewMemory() // rounds
	for k := range b.windows {
		w := b.windows[k]
		w.Ingress = 0
		from := 0
		if k > 0 {
			from = b.listed[k-1]
		}
		if err := again.Window(&w, b.rows[from:b.listed[k]]); err != nil {
			t.Fatal(err)
		}
	}
	for k := range m.Windows {
		m.Windows[k].Ingress = 0
	}
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", what, got, want)
		}
	}
	again.Nodes(b.nodeRows)
	same("nodes", m.NodeRows, again.NodeRows)
	same("windows", m.Windows, again.Windows)
	same("instances", m.Instances, again.Instances)

	want := b.latencies("run", 0, func(*bruteJob) bool { return true })
	if sc.Measure.Delay == "instances" {
		for k, s := range b.servers {
			want = append(want, s.spans.rows("instance", k+1)...)
		}
	}
	r := m.Run.Requests
	groups := func(scope string, rows []results.RequestGroup, of func(*bruteJob) int) {
		for i := range rows {
			has := func(j *bruteJob) bool { return of(j) == i }
			want = append(want, b.latencies(scope, i+1, has)...)
			g := rows[i]
			g.Offered, g.Replied, g.Dropped, g.Queued, g.Late = 0, 0, 0, 0, 0
			for _, j := range b.jobs {
				if !has(j) {
					continue
				}
				g.Offered++
				switch j.fate {
				case "":
					g.Queued++
				case "replied":
					g.Replied++
					if j.when-j.came > b.e.classes[j.class].slo {
						g.Late++
						seen["late"]++
					}
				default:
					g.Dropped++
				}
				seen[j.fate]++
				if j.fate == "instance" && j.at > 0 { // it was at an instance
					seen["buried"]++
				}
			}
			same(scope, rows[i], g)
		}
	}
	groups("class", r.Classes, func(j *bruteJob) int { return int(j.class) })
	groups("tenant", r.Tenants, func(j *bruteJob) int { return int(j.tenant) })
	for i := range b.services {
		want = append(want, b.services[i].rows("service", i+1)...)
		g := r.Services[i].RequestGroup
		g.Offered, g.Replied, g.Dropped, g.Queued, g.Late = 0, 0, 0, 0, 0
		for _, j := range b.jobs {
			g.Offered += int64(occurrences(j.wanted, i))
			g.Replied += int64(occurrences(j.visited, i))
			if j.lostAt == i {
				g.Dropped++
			}
		}
		g.Queued = g.Offered - g.Replied - g.Dropped
		same("service", r.Services[i].RequestGroup, g)
		seen["services"] += float64(g.Replied)
	}
	for i := range want {
		again.Latency(&want[i], nil)
	}
	same("delays", m.Latencies, again.Latencies)
	same("counts", []int64{r.Placed, r.Resubmissions, r.Probes, r.Answers, r.Replies, r.Held},
		[]int64{b.seen["placed"], b.seen["passes"], b.seen["probes"], b.seen["answers"], b.seen["replies"],
			b.seen["held"]})
	same("policy", m.Run.Policy, b.policies())
	b.sameFleet(t, m, seen)
	if d := r.Dispatcher; d != nil {
		same("dispatcher", []int64{d.Sent, d.Held, d.Resubmissions, d.Returns},
			[]int64{b.seen["sent"], b.seen["held in front"], b.seen["passes in front"], b.seen["returns"]})
		for s := range b.e.dispatchers {
			same("policy of the dispatcher", d.Policies[s], b.e.dispatchers[s].host.Counts())
		}
		seen["handed"] += float64(d.Sent) - m.Run.Totals.Processed
		seen["signals"] += float64(d.Signals)
		seen["in-front"] += float64(d.Held)
		seen["lost-in-front"] += float64(d.Overflow)
	}
	seen["deaths"] += float64(len(sc.Faults))
	whole, more := int64(0), int64(0)
	for _, s := range b.servers {
		if b.serves(s) {
			b.changing(s)
		}
	}
	for _, x := range b.histogram {
		whole += x
	}
	for k := occupancies - 1; k > 0; k-- {
		if more += b.histogram[k]; k <= len(r.AtLeast) {
			same(fmt.Sprint("at least ", k), r.AtLeast[k-1], results.Round(float64(more)/float64(whole)))
		} else if more > 0 {
			t.Errorf("instances had %d requests, and the record says at most %d", k, len(r.AtLeast))
		}
	}
	seen["resubmissions"] += float64(r.Resubmissions)
	seen["probes"] += float64(r.Answers)
	seen["held"] += float64(r.Held)
	seen["overflow"] += float64(r.Overflow)
}

func occurrences(list []int, x int) (n int) {
	for _, y := range list {
		if x == y {
			n++
		}
	}
	return n
}
