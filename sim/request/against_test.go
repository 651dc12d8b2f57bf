package request

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	Maker: policy.Plain(func(env policy.Env) policy.Policy { return &whims{rand: env.Rand} }),
}

type whims struct {
	rand  *rand.Rand
	heard float64
}

func (w *whims) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Probed:
		w.heard += float64(e.Queue) + e.Delay*1e6
	case policy.Ended:
		if w.heard += float64(e.Queue); e.Slot >= 0 {
			w.heard += float64(v.Queue[e.Slot])
		}
	}
}

func (w *whims) Probes(_ *policy.Work, v *policy.View, to []int) []int {
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

// randomScenario is one in which much happens at the same instants.
func randomScenario(t *testing.T, r *rand.Rand) (*scenarios.Scenario, *policy.Row) {
	t.Helper()
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	n := 1 + r.IntN(5)
	name := pick("random", "power-of-d", "least-connections", "round-robin", "jiq", "maglev", "whim", "whim", "whim")
	var row *policy.Row
	if name == "whim" {
		name, row = "random", &whim
	}
	var y strings.Builder
	fmt.Fprintf(&y, `
name: brute
seed: %d
engine: request
duration: %dus
nic: {profile: ideal, dispatch: %s, dispatch_rate: %s, dispatch_queue: %d, dispatch_latency: %s, dispatch_pass: %s,
  dispatch_held: %d, instance_delay: %s}
vnf: {buffer: %d, queue: %s}
instances: {initial: %d, min: 1, max: 8}
scheduler: {policy: %s, ties: %s}
autoscaler: {policy: none}
telemetry: {window: %s}
measure: {delay: %s}
workload:
`, r.Uint32(), 60+r.IntN(200), pick("arm", "pipeline"), pick("0", "0", "1000000", "500000", "333333"), r.IntN(4),
		pick("0s", "0s", "1us", "1500ns"), pick("0s", "1us", "300ns"), r.IntN(9), pick("0s", "0s", "1us", "777ns"),
		pick2(r, 1+r.IntN(6), 1000), pick("fifo", "priority"), n, name, pick("first", "random"),
		pick("17us", "50us", "1ms"), pick("none", "instances"))
	dir := t.TempDir()
	for s := range 1 + r.IntN(3) {
		rate := 1e6 / float64(2+r.IntN(8))
		arrivals := pick("poisson", "mmpp", "on-off", "file", "closed", "closed", "file")
		fmt.Fprintf(&y, "  - requests:\n      arrivals: %s\n", arrivals)
		switch arrivals {
		case "file":
			var lines []string
			at := 0
			for range 20 + r.IntN(100) {
				at += r.IntN(4)
				line := fmt.Sprintf("%dus", at)
				if r.IntN(3) == 0 {
					line += fmt.Sprintf(", %dus", r.IntN(5))
				}
				lines = append(lines, line)
			}
			file := filepath.Join(dir, fmt.Sprintf("arrivals%d.csv", s))
			if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&y, "      file: %s\n", file)
		case "closed":
			fmt.Fprintf(&y, "      clients: %d\n      think_time: %s\n", 1+r.IntN(8), pick("0s", "2us"))
		case "mmpp":
			fmt.Fprintf(&y, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n", rate)
		case "on-off":
			fmt.Fprintf(&y, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n      sources: %d\n", rate,
				1+r.IntN(20))
		default:
			fmt.Fprintf(&y, "      rate: %g\n", rate)
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "      tenants: %d\n      zipf: %s\n", 1+r.IntN(12), pick("0", "1"))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "      sessions: %d\n", 1+r.IntN(9))
		}
		fmt.Fprintf(&y, "      slo: 10us\n      classes:\n")
		for c := range 1 + r.IntN(3) {
			fmt.Fprintf(&y, "        - {name: c%d-%d, share: %d, priority: %d, %s}\n", s, c, 1+r.IntN(5), r.IntN(4),
				pick("service: deterministic, mean: 2us", "service: deterministic, mean: 5us", "mean: 4us",
					"service: empirical, service_times: [{time: 1us, weight: 9}, {time: 10us}]"))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "    tenant: t%d\n", s)
		}
	}
	st, err := scenarios.Parse("brute", []byte(y.String()), ".", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, y.String())
	}
	return st.Runs[0].Scenario, row
}

func pick2(r *rand.Rand, a, b int) int {
	if r.IntN(2) == 0 {
		return a
	}
	return b
}

// The engine and the slow, obvious one agree on everything that a record holds, in random scenarios.
func TestEngineIsTheObviousOne(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	seen := map[string]float64{}
	for i := range n {
		sc, row := randomScenario(t, rand.New(rand.NewPCG(7, uint64(i))))
		compareWithBrute(t, sc, row, seen)
		if t.Failed() {
			t.Fatalf("scenario %d:\n%s", i, sc.YAML())
		}
	}
	for _, what := range strings.Fields("stage rejected instance resubmissions probes held overflow late") {
		if seen[what] == 0 {
			t.Errorf("no scenario has any %s: %v", what, seen)
		}
	}
}

func compareWithBrute(t *testing.T, sc *scenarios.Scenario, row *policy.Row, seen map[string]float64) {
	t.Helper()
	cfg := sc.Dispatcher()
	cfg.Policy = row
	engine := func() *Engine {
		e, err := Hosted(sc, cfg)
		if err != nil {
			t.Fatal(err)
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
	b := newBrute(t, engine())
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
	same("windows", m.Windows, again.Windows)
	same("instances", m.Instances, again.Instances)

	want := b.latencies("run", 0, func(*bruteJob) bool { return true })
	if sc.Measure.Delay == "instances" {
		for k := range b.servers {
			want = append(want, b.latencies("instance", k+1, func(j *bruteJob) bool {
				return j.reached && j.fate != "instance" && int(j.instance) == k
			})...)
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
	for i := range want {
		again.Latency(&want[i], nil)
	}
	same("delays", m.Latencies, again.Latencies)
	same("counts", []int64{r.Placed, r.Resubmissions, r.Probes, r.Answers, r.Replies, r.Held},
		[]int64{b.placed, b.passes, b.probes, b.answers, b.replies, int64(b.mostHeld)})
	same("policy", m.Run.Policy, b.policies())
	whole, more := int64(0), int64(0)
	for k := range b.servers {
		if b.serves(k + 1) {
			b.changing(b.servers[k])
		}
	}
	b.sameFleet(t, m, seen)
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
