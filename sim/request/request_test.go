package request

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// scenario parses one with the given keys, and defaults for the rest that suits requests.
func scenario(t testing.TB, keys string) *scenarios.Scenario {
	t.Helper()
	text := keys
	for _, d := range []string{
		"engine: request", "duration: 1ms", "nic: ideal", "autoscaler: {policy: none}",
		"scheduler: {policy: round-robin}", "instances: {initial: 1, min: 1, max: 64}",
	} {
		key, _, _ := strings.Cut(d, ":")
		if chain := strings.Contains(keys, "services:"); !strings.Contains("\n"+keys, "\n"+key+":") &&
			!(chain && key == "instances") {
			text += "\n" + d
		}
	}
	st, err := scenarios.Parse("t.yaml", []byte(text+"\n"), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return st.Runs[0].Scenario
}

// under runs a scenario, under a policy that is not in the table if there is one.
func under(t testing.TB, sc *scenarios.Scenario, row *policy.Row) *results.Memory {
	t.Helper()
	e, err := Under(sc, row, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := results.NewMemory()
	if err := e.Run(context.Background(), m, sim.Options{}); err != nil {
		t.Fatal(err)
	}
	if !m.Run.Conservation.Holds || !m.Run.Little.Holds {
		t.Errorf("%+v, %+v", m.Run.Conservation, m.Run.Little)
	}
	return m
}

func arrivals(t testing.TB, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "arrivals.csv")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(lines, " ", "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("workload: [{requests: {arrivals: file, file: %s, classes: [{mean: 1us}]}}]", file)
}

// delay is the mean of a kind, us.
func delay(t testing.TB, m *results.Memory, scope, kind string) float64 {
	t.Helper()
	for _, l := range m.Latencies {
		if l.Scope == scope && l.Kind == kind {
			return math.Round(l.Mean) / 1e6
		}
	}
	t.Fatalf("no %s of %s", kind, scope)
	return 0
}

// What each part on the way adds, in a few requests that can be followed by hand.
func TestTheWayOfARequest(t *testing.T) {
	twice := policy.Row{Info: policy.Info{Name: "twice", Rule: "r", Source: "s", Sees: policy.T0},
		Unit: policy.Requests, Reasons: []string{"r"},
		Maker: policy.Plain(func(policy.Env) policy.Policy { return passing{} })}
	for _, c := range []struct {
		name, keys, arrivals    string
		row                     *policy.Row
		wait, sojourn, endToEnd float64 // means, us
	}{
		{"alone", "", "10us,5us", nil, 0, 5, 5},
		{"one behind the other", "", "10us,4us 11us,4us", nil, 1.5, 5.5, 5.5},
		{"side by side", "instances: {initial: 2, min: 1, max: 2}", "10us,4us 11us,4us", nil, 0, 4, 4},
		{"the links", "nic: {profile: ideal, instance_delay: 1us}", "10us,5us", nil, 0, 5, 7},
		{"the stage's latency", "nic: {profile: ideal, dispatch_latency: 3us}", "10us,5us", nil, 0, 5, 8},
		{"the stage's rate, 2 us each", "nic: {profile: ideal, dispatch_rate: 500000}", "10us,1us 10us,1us",
			nil, 0, 1, 4},
		{"two more passes of 3 us", "nic: {profile: ideal, dispatch_pass: 3us}", "10us,5us", &twice, 0, 5, 11},
		{"two more passes take the stage for 2 us each, which the next request waits for",
			"nic: {profile: ideal, dispatch_rate: 500000}", "10us,1us 10us,1us", &twice, 0, 1, 6},
	} {
		m := under(t, scenario(t, c.keys+"\n"+arrivals(t, c.arrivals)), c.row)
		got := fmt.Sprint(delay(t, m, "run", "wait"), delay(t, m, "run", "sojourn"), delay(t, m, "run", "end-to-end"))
		if want := fmt.Sprint(c.wait, c.sojourn, c.endToEnd); got != want {
			t.Errorf("%s: wait, sojourn and end-to-end are %s us, want %s", c.name, got, want)
		}
	}
}

// passing goes through the pipeline three times.
type passing struct{ policy.Stateless }

func (passing) Pick(*policy.Work, *policy.View, *policy.Weighed) policy.Answer {
	return policy.Answer{Passes: 2}
}

// The most urgent of those that wait is next; a service that has begun goes on.
func TestPriority(t *testing.T) {
	const text = `
vnf: {queue: %s}
workload:
  - requests: {arrivals: file, file: %s, classes: [{name: low, mean: 1us}]}
  - requests: {arrivals: file, file: %s, classes: [{name: high, mean: 1us, priority: 3}]}
`
	file := func(lines string) string {
		name := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(name, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	low, high := file("0,10us\n1us,10us\n"), file("2us,10us\n")
	for _, c := range []struct {
		queue string
		high  float64
	}{{"fifo", 28}, {"priority", 18}} {
		m := under(t, scenario(t, fmt.Sprintf(text, c.queue, low, high)), nil)
		r := m.Run.Requests
		if r.Classes[1].Name != "high" || r.Classes[1].Priority != 3 {
			t.Fatalf("%+v", r.Classes)
		}
		for _, l := range m.Latencies {
			if l.Scope == "class" && l.Number == 2 && l.Kind == "end-to-end" && l.Max != int64(c.high*1e6) {
				t.Errorf("%s: the urgent request took %v, want %g us", c.queue, units.Time(l.Max), c.high)
			}
		}
	}
}

// Each source offers the rate that its keys say, and bursts as they say. The index of dispersion of the counts in
// windows is 1 of Poisson arrivals and more of those in bursts. Of clients whose cycles are short beside a window it
// is the squared coefficient of variation of a cycle, here (38/40)^2 or 0.90, and 1000 windows tell it to some 4 %.
func TestSourcesOfferTheirRate(t *testing.T) {
	for _, c := range []struct {
		keys       string
		rate       float64
		low, high  float64 // index of dispersion
		violations float64 // most, of the rate, as a share
	}{
		{"rate: 1e6", 1e6, 0.7, 1.4, 0.01},
		{"load: 0.5", 4e5, 0.7, 1.4, 0.02},
		{"arrivals: mmpp, rate: 1e6, burst: 20, on_time: 50us, off_time: 450us", 1e6, 3, 1e3, 0.05},
		{"arrivals: on-off, rate: 1e6, sources: 50, on_time: 100us, off_time: 300us", 1e6, 3, 1e3, 0.15},
		{"arrivals: closed, clients: 40, think_time: 38us", 1e6, 0.75, 1.05, 0.02},
	} {
		sc := scenario(t, `
duration: 500ms
instances: {initial: 40, min: 1, max: 40}
scheduler: {policy: least-connections}
telemetry: {window: 500us}
vnf: {buffer: 1000000}
workload: [{requests: {`+c.keys+`, classes: [{service: deterministic, mean: 2us}]}}]`)
		want := c.rate
		if strings.Contains(c.keys, "load") {
			want = 0.5 * 40 / 2e-6
		}
		m := under(t, sc, nil)
		got := m.Run.Totals.Offered / m.Run.Duration
		if math.Abs(got/want-1) > c.violations {
			t.Errorf("%s: %g requests a second, want %g", c.keys, got, want)
		}
		mean, square := 0.0, 0.0
		for i := range m.Windows {
			n := m.Windows[i].Offered * 500e-6
			mean += n / float64(len(m.Windows))
			square += n * n / float64(len(m.Windows))
		}
		if d := (square - mean*mean) / mean; d < c.low || d > c.high {
			t.Errorf("%s: the index of dispersion is %g, want %g to %g", c.keys, d, c.low, c.high)
		}
	}
}

// Shares are those of the scenario: of classes, and of tenants by Zipf.
func TestShares(t *testing.T) {
	m := under(t, scenario(t, `
duration: 100ms
workload:
  - tenant: team
    requests:
      rate: 1e6
      tenants: 20
      zipf: 1
      classes: [{name: a, share: 3, mean: 100ns}, {name: b, share: 1, mean: 200ns}]`), nil)
	r := m.Run.Requests
	if got := float64(r.Classes[0].Offered) / m.Run.Totals.Offered; math.Abs(got-0.75) > 0.01 {
		t.Errorf("class a has %g of the requests, want 0.75", got)
	}
	if r.Tenants[0].Name != "team-1" || r.Tenants[19].Name != "team-20" {
		t.Errorf("tenants %+v", r.Tenants)
	}
	for i, want := range []float64{1, 2, 3, 4} {
		if got := float64(r.Tenants[0].Offered) / float64(r.Tenants[i].Offered); math.Abs(got/want-1) > 0.05 {
			t.Errorf("tenant 1 has %g times the requests of tenant %d, want %g", got, i+1, want)
		}
	}
}

// The same requests come whatever the policy, in an open loop.
func TestPoliciesDecideOnTheSameRequests(t *testing.T) {
	var first *results.Requests
	for _, name := range []string{"random", "least-connections", "maglev"} {
		m := under(t, scenario(t, `
duration: 10ms
instances: {initial: 4, min: 4, max: 4}
scheduler: {policy: `+name+`}
workload:
  - requests: {rate: 1e6, tenants: 3, sessions: 9, classes: [{name: a, mean: 1us}, {name: b, mean: 2us}]}`), nil)
		r := m.Run.Requests
		if first == nil {
			first = r
		}
		for i := range r.Classes {
			if r.Classes[i].Offered != first.Classes[i].Offered {
				t.Errorf("%s: class %d has %d requests, and %d under random", name, i, r.Classes[i].Offered,
					first.Classes[i].Offered)
			}
		}
	}
}

// A session is what a policy that hashes goes by: its requests reach one instance.
func TestSessionsHash(t *testing.T) {
	m := under(t, scenario(t, `
duration: 10ms
instances: {initial: 16, min: 16, max: 16}
scheduler: {policy: maglev}
workload: [{requests: {rate: 1e6, sessions: 2, classes: [{mean: 10ns}]}}]`), nil)
	used := 0
	for _, i := range m.Instances[len(m.Instances)-16:] {
		if i.Processed > 0 {
			used++
		}
	}
	if used == 0 || used > 2 {
		t.Errorf("%d instances served two sessions", used)
	}
}

// A run that is stopped says so, and what it wrote is conserved.
func TestStopped(t *testing.T) {
	sc := scenario(t, `
duration: 1000s
telemetry: {window: 1ms}
workload: [{requests: {rate: 1e6, classes: [{mean: 900ns}]}}]`)
	e, err := New(sc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := results.NewMemory()
	err = e.Run(ctx, m, sim.Options{Progress: func(now, _ units.Time) {
		if now >= 5*units.Millisecond {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || m.Run.Complete || !m.Run.Conservation.Holds || m.Run.Totals.Offered == 0 {
		t.Errorf("error %v, complete %v, %+v", err, m.Run.Complete, m.Run.Conservation)
	}
}

func TestArrivalsInAFile(t *testing.T) {
	const time = "want a time from that of the line before it on, in picoseconds without a unit"
	for _, c := range []struct{ text, want string }{
		{"", ": no request, want at least one line with a time"},
		{"# nothing\n\n", ": no request, want at least one line with a time"},
		{"time\n5us\n4us\n", `:3: found "4us", ` + time},
		{"5us\nx\n", `:2: found "x", ` + time},
		{"5us, 2s\n", `:1: found " 2s", want a service time from 0 to 1s, in picoseconds without a unit`},
		{"-1\n", `:1: found "-1", ` + time},
	} {
		if _, err := readArrivals(strings.NewReader(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
	all, err := readArrivals(strings.NewReader("time,service\n1000\n2ns, 3ns\n"))
	if err != nil || len(all) != 2 || all[0] != (arrival{1000, -1}) || all[1] != (arrival{2000, 3000}) {
		t.Errorf("%v, %v", all, err)
	}
}

func FuzzArrivals(f *testing.F) {
	f.Add("1us\n2us,3us\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readArrivals(strings.NewReader(text))
		if (err == nil) == (len(all) == 0) {
			t.Errorf("%d arrivals, error %v", len(all), err)
		}
		for i := 1; i < len(all); i++ {
			if all[i].at < all[i-1].at {
				t.Errorf("arrival %d is before the one before it", i)
			}
		}
	})
}

// The tournament finds what a search finds.
func TestTournament(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 40; n++ {
		e, err := newTournament(n, 1000)
		if err != nil {
			t.Fatal(err)
		}
		times := make([]int64, n)
		for i := range times {
			times[i] = never
		}
		for range 500 {
			i := r.IntN(n)
			times[i] = int64(r.IntN(20))
			if r.IntN(3) == 0 {
				times[i] = never
			}
			e.set(i, times[i])
			best := 0
			for k := range times {
				if times[k] < times[best] {
					best = k
				}
			}
			if at, first := e.first(); at < 1000 && at != times[best] || at >= 1000 && times[best] < never ||
				at < 1000 && first != best {
				t.Fatalf("%v: instance %d at %d", times, first, at)
			}
		}
	}
}

// The draws are exponential: of mean 1, by moments and tails, in the body, near the edges of layers and in the tail.
func TestExponential(t *testing.T) {
	const n = 4_000_000
	r := rand.NewPCG(5, 6)
	sum, squares, beyond := 0.0, 0.0, map[float64]float64{0.01: 0, 0.5: 0, 1: 0, 3: 0, 7: 0, tail: 0, 9: 0}
	for range n {
		x := exponential(r)
		sum += x
		squares += x * x
		for at := range beyond {
			if x > at {
				beyond[at]++
			}
		}
	}
	if mean, second := sum/n, squares/n; math.Abs(mean-1) > 4/math.Sqrt(n) || math.Abs(second-2) > 4*math.Sqrt(20.0/n) {
		t.Errorf("mean %g and second moment %g, want 1 and 2", mean, second)
	}
	for at, got := range beyond {
		want := n * math.Exp(-at)
		if math.Abs(got-want) > 4.5*math.Sqrt(want) {
			t.Errorf("%g draws beyond %g, want %g", got, at, want)
		}
	}
	for i := 1; i < layers; i++ { // the layers are of one area, and the last reaches to the top
		z, e := &ziggurat[i], &edges[i]
		if got := z.place * places * (e.high - e.low); math.Abs(got/layerArea-1) > 1e-9 {
			t.Errorf("layer %d has the area %g, want %g", i, got, layerArea)
		}
		far := z.place * places
		for k := range 33 { // the density lies between tangent and chord
			x := e.near + float64(float64(k)/32*(far-e.near))
			chord, tangent := e.high+float64((x-e.near)*e.slope), e.at+float64((e.middle-x)*e.at)
			if f := numeric.Exp(-x); f > chord+doubt/2 || f < tangent-doubt/2 || tangent > chord+doubt/2 {
				t.Errorf("layer %d at %g: tangent %g, density %g, chord %g", i, x, tangent, f, chord)
			}
		}
	}
	first, first3 := rand.NewPCG(1, 2), [3]float64{3.446955158874372, 1.1929771797798308, 1.2332065090414228}
	if got := [3]float64{exponential(first), exponential(first), exponential(first)}; got != first3 {
		t.Errorf("the first draws are %v", got)
	}
}

// A clock gives its ticks in order of time, then of number.
func TestClock(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var c clock
	last := tick{-1, -1}
	for range 300 {
		c.push(int64(r.IntN(30)), int32(r.IntN(1000)))
	}
	for len(c.heap) > 0 {
		now := tick{c.first(), c.id()}
		if now.before(last) || c.pop() != now.id {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
	if c.first() != never || c.id() != -1 {
		t.Error("an empty clock ticks")
	}
}

// Nothing is allocated once a run has reached its size.
func TestNoAllocations(t *testing.T) {
	e, err := New(scenario(t, `
duration: 1s
telemetry: {window: 1s}
instances: {initial: 16, min: 16, max: 16}
nic: {profile: ideal, instance_delay: 1us, dispatch_rate: 10000000}
workload: [{requests: {load: 0.8, classes: [{mean: 10us}]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	steps := func(until units.Time) {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		e.due[evWindow] = int64(until)
		_ = e.run(ctx, stopping{results.NewMemory(), stop}, nil)
		e.due[evWindow] = e.end
	}
	steps(100 * units.Millisecond)
	before := e.tally.offered
	n := testing.AllocsPerRun(1, func() { steps(units.Time(e.now) + 100*units.Millisecond) })
	if requests := e.tally.offered - before; n > 200 || requests < 100_000 {
		t.Errorf("%g allocations in %d requests", n, requests)
	}
}

// stopping ends a run at the end of a window.
type stopping struct {
	*results.Memory
	stop func()
}

func (s stopping) Window(*results.Window, []results.Instance) error { s.stop(); return nil }
