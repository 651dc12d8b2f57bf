package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// rows are a record's rows of one kind.
func rows[T any](all []T) func(func(*T) error) error {
	return func(each func(*T) error) error {
		for i := range all {
			if err := each(&all[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

// usl is what n instances process in all, in Mpps: the shape that the published results suggest.
func usl(n float64) float64 { return 25 * n / (1 + 0.38*(n-1) + 0.019*n*(n-1)) }

// spec is a made-up run. Figures are tested on made-up rows so that nothing of a simulator can hide a fault of theirs.
type spec struct {
	scheduler string
	size      int
	initial   int
	max       int
	flows     int
	interval  float64 // s between two flows
	total     float64 // Mpps of all flows together
	seed      uint64
	fixed     bool
}

// published is like the runs of the published figures 8 and 9.
var published = spec{scheduler: "round-robin", size: 64, initial: 3, max: 8, flows: 32, interval: 3, total: 148,
	seed: 1}

// there are the instances while n flows are active: one more for every three of the smallest frames.
func (s spec) there(n int) int {
	if s.size > 64 {
		return s.initial
	}
	return min(s.max, max(s.initial, n/3+1))
}

func (s spec) make(t testing.TB) data {
	t.Helper()
	r := rand.New(rand.NewPCG(s.seed, 1))
	duration := s.interval*float64(s.flows) + 10
	policy := "target-utilization"
	if s.fixed {
		policy = "none"
	}
	run := results.Run{Format: 1, Name: "made-up", Plant: "sim", Seed: s.seed, Duration: duration, Window: 1,
		Complete: true,
		Scenario: map[string]any{
			"scheduler":  map[string]any{"policy": s.scheduler, "limit": "10Mpps"},
			"autoscaler": map[string]any{"policy": policy},
			"instances":  map[string]any{"initial": s.initial, "min": s.initial, "max": s.max},
			"nic":        map[string]any{"link": "100Gbps", "frame_overhead": "20B"},
			"workload": []any{map[string]any{"cbr": map[string]any{
				"flows": s.flows, "rate": "1Mpps", "packet_size": fmt.Sprintf("%dB", s.size)}}},
		}}
	gain := map[string]float64{"best-fit": 1.2}[s.scheduler]
	var ws []results.Window
	var is []results.Instance
	per := s.total / float64(s.flows)
	held := make([]int, s.max+1)
	for f := range s.flows {
		there := s.there(f)
		at := 1 + f%there
		switch s.scheduler {
		case "best-fit":
			at = 1 + int(float64(there)*math.Pow(float64(f%there)/float64(there), 2))
		case "worst-fit":
			at = 1
			for k := 1; k <= there; k++ {
				if held[k] < held[at] {
					at = k
				}
			}
		}
		held[at]++
	}
	for i := range int(duration) {
		at := float64(i + 1)
		n := 0
		if s.interval > 0 {
			n = min(s.flows, int(float64(i)/s.interval)+1)
		} else {
			n = s.flows
		}
		offered := per * float64(n)
		there := s.there(n)
		used := min(there, n)
		ingress := math.Min(offered, 64)
		capacity := usl(float64(used))
		if s.size > 64 {
			capacity = 1e9
		}
		noise := 0.3 * r.Float64()
		done := math.Min(ingress, capacity-1+gain-noise)
		ws = append(ws, results.Window{T: at, Offered: offered * 1e6, Ingress: ingress * 1e6, Processed: done * 1e6,
			Dropped: (offered - done) * 1e6, DroppedInstance: (ingress - done) * 1e6,
			DroppedESwitch: (offered - ingress) * 1e6, ProcessedBits: done * 1e6 * 8 * float64(s.size),
			Instances: int32(there), Used: int32(used), Flows: int32(n)})
		for k := 1; k <= there; k++ {
			w := float64(held[k]) / float64(s.flows)
			is = append(is, results.Instance{T: at, Instance: int32(k), State: "ready", Flows: int32(held[k]),
				Processed: done * 1e6 * w})
		}
	}
	d, err := newData(run, rows(ws), rows(is))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// madeUp are records for each figure, shaped like the published results.
func madeUp(t testing.TB) map[string][]data {
	m := map[string][]data{}
	alone := published
	alone.initial, alone.max, alone.flows, alone.total = 1, 1, 16, 60
	m["fig6"] = []data{alone.make(t)}
	for n := 1; n <= 8; n++ {
		for seed := range uint64(3) {
			fixed := published
			fixed.initial, fixed.max, fixed.fixed, fixed.flows, fixed.interval, fixed.seed = n, n, true, 16, 0, seed+1
			m["fig7"] = append(m["fig7"], fixed.make(t))
		}
	}
	for _, s := range known {
		for seed := range uint64(2) {
			under := published
			under.scheduler, under.seed = s.policy, seed+1
			d := under.make(t)
			m["fig9"] = append(m["fig9"], d)
			if seed == 0 {
				m["fig8"] = append(m["fig8"], d)
			}
		}
	}
	for _, z := range []struct {
		size  int
		total float64
	}{{64, 148}, {512, 23}, {1500, 8}} {
		of := published
		of.size, of.total = z.size, z.total
		m["fig10"] = append(m["fig10"], of.make(t))
	}
	for _, engine := range []string{"packet", "fluid"} {
		for _, latency := range []float64{100, 1000} {
			for _, rate := range []float64{0.5, 1, 2, 5, 20} {
				m["slowpath"] = append(m["slowpath"], aNewFlow(t, engine, latency, rate))
			}
		}
	}
	for seed := range uint64(2) {
		m["delay"] = append(m["delay"], aDelay(t, 512, 900, seed), aDelay(t, 16, 300, seed))
	}
	plain := func(name string) any { return name }
	with := func(name string, options map[string]any) any { return map[string]any{name: options} }
	for seed := range uint64(3) {
		noise := float64(seed) // of the traffic, which all share
		m["compare"] = append(m["compare"],
			aContender(t, plain("best-fit"), seed, 40+noise, 0, 90),
			aContender(t, plain("worst-fit"), seed, 40.1+noise-float64(seed%2)/10, 0, 80), // now more, now as much
			aContender(t, plain("rss++"), seed, 39+noise, 1000, 40),
			aContender(t, with("maglev", map[string]any{"table": 251}), seed, 30+noise, 0, 2000),
			aContender(t, with("maglev", map[string]any{"table": 65537}), seed, 38+noise, 0, 100))
	}
	grid := aGrid(t)
	for _, id := range []string{"heat", "lines", "pareto", "box", "violin", "cdf", "ccdf", "parallel"} {
		m[id] = slices.Clone(grid)
	}
	for k, policy := range []any{plain("horus"), with("jbsq", map[string]any{"n": 1}),
		with("jbsq", map[string]any{"n": 4})} {
		for i, load := range []float64{0.2, 0.5, 0.8} {
			for seed := range uint64(2) {
				m["tail"] = append(m["tail"], aTail(t, policy, load, seed, float64(10+10*i+4*k)+float64(seed)))
			}
		}
	}
	for seed := range uint64(2) {
		m["scaling"] = append(m["scaling"], aController(t, "hpa", "", seed), aController(t, "kpa", "", seed))
	}
	return m
}

// controllers are runs of three autoscalers in two stacks under two seeds.
func controllers(t testing.TB) (ds []data) {
	for _, stack := range []string{"smartnic", "kubernetes"} {
		for seed := range uint64(2) {
			for _, policy := range []string{"hpa", "kpa", "none"} {
				ds = append(ds, aController(t, policy, stack, seed))
			}
		}
	}
	return ds
}

// aController is a run of 100 s. The load rises by 1 Mpps each second, and an instance is trusted with 10 Mpps. Of the
// policies, kpa wants what the load needs, and once one more for 5 s, and hpa does too, but 10 s late and no more than
// six; none has three. In the stack of Kubernetes ten times as much is lost, and more with each seed.
func aController(t testing.TB, policy, stack string, seed uint64) data {
	t.Helper()
	s := published
	s.seed = seed
	run := s.make(t).run
	sc := run.Scenario.(map[string]any)
	sc["autoscaler"] = map[string]any{"policy": policy}
	if stack != "" {
		sc["stack"] = stack
	}
	run.Duration = 100
	wanted := func(second int) int {
		load := results.Needed(float64(second)*1e6, 10e6, 3, 8)
		switch {
		case policy == "none":
			return 3
		case policy == "hpa":
			return min(results.Needed(float64(second-10)*1e6, 10e6, 3, 8), 6)
		case second >= 20 && second < 25:
			return load + 1
		}
		return load
	}
	var ws []results.Window
	var is []results.Instance
	var es []results.Evaluation
	cost := &results.Costs{}
	there := 3
	for i := range 100 {
		offered := float64(i+1) * 1e6
		lost := math.Max(0, offered-float64(there)*10e6+float64(seed)*1e5)
		if stack == "kubernetes" {
			lost = math.Min(10*lost, offered)
		}
		run.Totals.Offered += offered
		run.Totals.Dropped.Instance += lost
		ws = append(ws, results.Window{T: float64(i + 1), Offered: offered, Processed: offered - lost, Dropped: lost,
			Instances: int32(there)})
		for k := range there {
			is = append(is, results.Instance{T: float64(i + 1), Instance: int32(k + 1), State: results.StateReady})
		}
		is = append(is, results.Instance{T: float64(i + 1), Instance: 99, State: results.StateStarting})
		cost.InstanceTime += float64(there)
		cost.CoreTime = cost.InstanceTime
		e := results.Evaluation{At: units.Time(i+1) * units.Second, Current: there, Desired: wanted(i + 1)}
		switch {
		case policy == "none":
			continue
		case policy == "hpa" && i > 80:
			e.Stage = "stabilise"
		case e.Desired == 8:
			e.Stage = "clamp"
		}
		es = append(es, e)
		there = e.Desired
	}
	run.Totals.Processed = run.Totals.Offered - run.Totals.Dropped.Instance
	d, err := newData(run, rows(ws), rows(is))
	if err != nil {
		t.Fatal(err)
	}
	d.evaluations = func() ([]results.Evaluation, error) { return es, nil }
	d.costs = func() (*results.Costs, error) { return cost, nil }
	return d
}

// aContender is a run of 100 s in which 50 Mpps come and some of them are processed, with so many moves, and a wait, in
// ms, that 99 % of packets do not exceed.
func aContender(t testing.TB, policy any, seed uint64, mpps float64, moves, wait int64) data {
	t.Helper()
	run := spec{scheduler: "round-robin", size: 64, initial: 2, max: 2, flows: 1, total: 1, seed: seed}.make(t).run
	run.Scenario.(map[string]any)["scheduler"] = map[string]any{"policy": policy}
	run.Duration = 100
	run.Totals = results.Totals{Offered: 50e8, Processed: mpps * 1e8,
		Dropped: results.Drops{Instance: 50e8 - mpps*1e8}, Moves: moves, RulesInstalled: 32 + moves}
	d, err := newData(run, rows([]results.Window{{T: 100}}), rows[results.Instance](nil))
	if err != nil {
		t.Fatal(err)
	}
	d.delays = []results.Bucket{{Scope: "run", Kind: "wait", Count: 990, High: wait * 1e9},
		{Scope: "run", Kind: "wait", Count: 10, Low: 1e15, High: 2e15}}
	return d
}

// aDelay is a run of 65535 packets: half of them do not wait, a quarter waits for the first span of picoseconds, an
// eighth for the next, which is twice as long, and so on. Service takes 80 ns, and with the larger buffer it takes 1 µs
// to get to the instance.
func aDelay(t testing.TB, buffer int, span int64, seed uint64) data {
	t.Helper()
	d := spec{scheduler: "round-robin", size: 64, initial: 1, max: 1, flows: 1, total: 1, seed: seed}.make(t)
	d.scenario.VNF.Buffer = buffer
	before := int64(0)
	if buffer == 512 {
		before = 1_000_000
	}
	for _, k := range []struct {
		kind  string
		shift int64
	}{{"wait", 0}, {"sojourn", 80_000}, {"end-to-end", 80_000 + before}} {
		low, width := int64(0), int64(1)
		for n := int64(1 << 15); n > 0; n /= 2 {
			d.delays = append(d.delays, results.Bucket{Scope: "run", Kind: k.kind, Count: n,
				Low: low + k.shift, High: low + width - 1 + k.shift})
			low += width
			width = max(2*width, span*int64(10+seed)/10)
		}
	}
	return d
}

// aNewFlow is a run of one flow of rate Mpps whose rule comes into force after latency microseconds: what a slow path
// of 1 Mpps has not served by then, up to 1000 packets, is overtaken, and the rest is lost. Packets are whole, fluid is
// not.
func aNewFlow(t testing.TB, engine string, latency, rate float64) data {
	t.Helper()
	backlog := max(0, (rate-1)*(latency+1.5))
	if engine == "packet" {
		backlog = math.Ceil(backlog)
	}
	run := results.Run{Format: 1, Name: "made-up", Plant: "sim", Engine: engine, Seed: 1, Duration: 0.01, Window: 0.01,
		Complete: true,
		Scenario: map[string]any{
			"nic": map[string]any{
				"install_latency": fmt.Sprintf("%gus", latency), "slowpath_rate": "1Mpps", "slowpath_queue": 1000},
			"workload": []any{map[string]any{"flows": []any{map[string]any{"rate": fmt.Sprintf("%gMpps", rate)}}}},
		},
		Totals: results.Totals{Flows: 1, RulesInstalled: 1, Reordered: min(backlog, 1000),
			Dropped: results.Drops{SlowPath: max(0, backlog-1000)}}}
	d, err := newData(run, rows([]results.Window{{T: 0.01}}), rows[results.Instance](nil))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// aSetting is a run under a scheduler with a limit in Mpps that loses a share of 4e9 packets in so many
// instance-seconds.
func aSetting(t testing.TB, policy string, limit int, seed uint64, loss, instanceTime float64) data {
	t.Helper()
	run := spec{scheduler: policy, size: 64, initial: 2, max: 2, flows: 1, total: 1, seed: seed}.make(t).run
	run.Scenario.(map[string]any)["scheduler"].(map[string]any)["limit"] = fmt.Sprintf("%dMpps", limit)
	run.Duration = 100
	run.Conservation.Holds = true
	run.Totals = results.Totals{Offered: 4e9, Processed: 4e9 * (1 - loss), Dropped: results.Drops{Instance: 4e9 * loss}}
	d, err := newData(run, rows([]results.Window{{T: 100}}), rows[results.Instance](nil))
	if err != nil {
		t.Fatal(err)
	}
	none := math.NaN()
	d.costs = func() (*results.Costs, error) {
		return &results.Costs{InstanceTime: instanceTime, Loss: loss, ScaleEvents: limit, Goodput: 2e10 * (1 - loss),
			WaitP50: none, WaitP99: none, WaitP999: none, Jain: 0.9, Under: none, Over: none}, nil
	}
	return d
}

// aGrid are settings of three schedulers and three limits, one of them missing, under six seeds each. The loss is least
// at 10 Mpps, and grows by a tenth of a percent with each seed but the last, which is far from the others.
func aGrid(t testing.TB) (ds []data) {
	for i, policy := range []string{"best-fit", "round-robin", "worst-fit"} {
		for _, limit := range []int{6, 10, 14} {
			if policy == "worst-fit" && limit == 14 {
				continue
			}
			for seed := range uint64(6) {
				loss := 0.2 + 0.02*float64(i) + 0.01*math.Abs(float64(limit-10)) + 0.001*float64(seed)
				if seed == 5 {
					loss += 0.02
				}
				ds = append(ds, aSetting(t, policy, limit, seed, loss,
					float64(600-20*limit)+10*float64(i)+float64(seed)))
			}
		}
	}
	return ds
}

// aTail is a run of requests of two classes, the urgent one with an objective, from two tenants, at a load of so much
// from the first source and a tenth from the second. In all, 99 % take up to p99 µs, half of that in the urgent class,
// and twice that for the second tenant.
func aTail(t testing.TB, policy any, load float64, seed uint64, p99 float64) data {
	t.Helper()
	run := spec{scheduler: "round-robin", size: 64, initial: 2, max: 2, flows: 1, total: 1, seed: seed}.make(t).run
	sc := run.Scenario.(map[string]any)
	sc["scheduler"] = map[string]any{"policy": policy}
	sc["autoscaler"] = map[string]any{"policy": "none"}
	sc["engine"], sc["duration"] = "request", "2s"
	source := func(load float64, name string) map[string]any {
		return map[string]any{"tenant": name, "requests": map[string]any{"load": load, "classes": []any{
			map[string]any{"name": name, "mean": "1us"}}}}
	}
	sc["workload"] = []any{source(load, "urgent"), source(0.1, "batch")}
	run.Duration = 2
	run.Totals = results.Totals{Offered: 4e6, Processed: 4e6}
	group := func(n int32, name string, slo float64, offered int64) results.RequestGroup {
		return results.RequestGroup{Number: n, Name: name, SLO: slo, Offered: offered, Replied: offered}
	}
	run.Requests = &results.Requests{Delay: results.RequestDelay{P99: p99 / 1e6},
		Classes: []results.RequestGroup{group(1, "urgent", 20e-6, 1e6), group(2, "batch", 0, 3e6)},
		Tenants: []results.RequestGroup{group(1, "red", 0, 2e6), group(2, "blue", 0, 2e6)}}
	d, err := newData(run, rows([]results.Window{{T: 2}}), rows[results.Instance](nil))
	if err != nil {
		t.Fatal(err)
	}
	row := func(scope string, n int32, p99 float64) results.Latency {
		return results.Latency{Scope: scope, Number: n, Kind: "end-to-end", P99: int64(p99 * 1e6)}
	}
	d.latencies = func() ([]results.Latency, error) {
		return []results.Latency{row("class", 1, p99/2), row("class", 2, p99), row("tenant", 1, p99),
			row("tenant", 2, 2*p99)}, nil
	}
	return d
}
