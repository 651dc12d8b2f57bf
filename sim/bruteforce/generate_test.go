package bruteforce

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/smartinco/smartinco/sim/internal/simtest"
)

// generator draws scenarios of a few thousand packets with everything in them.
type generator struct {
	*rand.Rand
	strings.Builder
	round bool // times are multiples of 10 us: much happens at one instant
	exact bool // rates have whole periods
	dense bool // all is a million times as fast, so that packets come some picoseconds apart and often together

	pooled bool // shares are; drawn apart, so that all else of a seed is the same with either

	dispatch *rand.Rand // draws how packets find their instance, apart as well
	vertical *rand.Rand // where instances are resized, also drawn apart
}

func (g *generator) one(of ...string) string  { return of[g.IntN(len(of))] }
func (g *generator) often(percent int) bool   { return g.IntN(100) < percent }
func (g *generator) line(f string, xs ...any) { fmt.Fprintf(&g.Builder, f+"\n", xs...) }

// us draws a time of lo to hi microseconds, or picoseconds.
func (g *generator) us(lo, hi int) string {
	switch {
	case g.round:
		return g.time((lo + g.IntN(hi-lo+1) + 9) / 10 * 10)
	case g.dense:
		return g.time(lo + g.IntN(hi-lo+1))
	}
	return fmt.Sprintf("%dps", int64(lo)*1_000_000+g.Int64N(int64(hi-lo)*1_000_000+1))
}

// unit is that of times.
func (g *generator) unit() string {
	if g.dense {
		return "ps"
	}
	return "us"
}

func (g *generator) time(n int) string { return fmt.Sprintf("%d%s", n, g.unit()) }

// pps is a rate of k thousand packets a second, or k million of them a millisecond.
func (g *generator) pps(k int) string {
	if g.dense {
		return fmt.Sprintf("%dGpps", k)
	}
	return fmt.Sprintf("%dkpps", k)
}

// rate draws a packet rate of lo to hi of pps.
func (g *generator) rate(lo, hi int) string {
	k := lo + g.IntN(hi-lo+1)
	if g.exact {
		whole := 1_000_000
		if g.dense {
			whole = 1000
		}
		for whole%k != 0 {
			k--
		}
		return g.pps(k)
	}
	if g.dense {
		return fmt.Sprintf("%d%03dMpps", k, g.IntN(1000))
	}
	return fmt.Sprintf("%d%03dpps", k, g.IntN(1000))
}

// scenario is the YAML of a seed.
func scenario(seed uint64) string {
	return (&generator{Rand: rand.New(rand.NewPCG(seed, 0x0b5e55))}).scenario(seed)
}

// dense is the YAML of a seed with packets some picoseconds apart.
func dense(seed uint64) string {
	return (&generator{Rand: rand.New(rand.NewPCG(seed, 0xde25e)), dense: true}).scenario(seed)
}

func (g *generator) scenario(seed uint64) string {
	g.round, g.exact = g.often(30), g.often(40)
	g.pooled = rand.New(rand.NewPCG(seed, 0x9001)).IntN(100) < 40
	g.dispatch = rand.New(rand.NewPCG(seed, 0x57ee8))
	if r := rand.New(rand.NewPCG(seed, 0x5ca1e)); r.IntN(100) < 30 && !g.pooled {
		g.vertical = r
	}
	ms := 3 + g.IntN(12)
	milli := "ms"
	if g.dense {
		milli = "ns"
	}
	g.line("name: brute-force-%d\nseed: %d\nduration: %d%s\nengine: packet", seed, 1+g.IntN(3), ms, milli)
	total := 40 + g.IntN(360) // thousand packets a second of all flows
	g.nic(total)
	g.vnf(total)
	lo, initial := 1+g.IntN(3), 0
	if initial = lo + g.IntN(2); g.often(12) {
		lo, initial = 0, g.IntN(2)
	}
	g.line("instances: {initial: %d, min: %d, max: %d}", initial, lo, max(initial, 1)+g.IntN(5))
	limit := 10 + g.IntN(total)
	g.line("scheduler: {policy: %s, limit: %s, demand: %s, nofit: %s, inflight: %v, ties: %s, no_instance: %s}",
		g.policy(), g.pps(limit),
		g.one("zero", "mean", "mean", "last", "fixed, demand_rate: "+g.pps(1+g.IntN(50))),
		g.one("least-loaded", "least-loaded", "reject", "queue"), g.often(70), g.one("first", "random"),
		g.holdOrDrop(lo))
	window := g.us(200, 1500)
	interval := window
	if g.often(50) {
		interval = g.us(200, 2500)
	}
	policy := "target-utilization"
	if lo > 0 && g.often(25) {
		policy = "none"
	}
	said := g.String()
	g.line("autoscaler: {policy: %s, target: %s, interval: %s, metric: %s, tolerance: %s, stabilization: %s, "+
		"scale_out_cooldown: %s, scale_in_cooldown: %s, max_step_out: %d, max_step_in: %d, victim: %s, drain: %s}",
		policy, g.one("0.3", "0.5", "0.7", "1"), interval, g.one("offered", "offered", "processed"),
		g.one("0", "0", "0.1"),
		g.one("0s", g.us(500, 4000)), g.one("0s", g.us(500, 3000)), g.one("0s", g.us(500, 3000)), g.IntN(3), g.IntN(3),
		g.one("newest", "oldest", "least-loaded", "fewest-flows"), g.one("move", "move", "finish"))
	if r := g.vertical; r != nil && initial > 0 {
		g.Reset()
		g.WriteString(said)
		pick := func(of ...string) string { return of[r.IntN(len(of))] }
		g.line("autoscaler: {policy: {vpa: {mode: %s, cpu: processed, half_life: %s, confidence_interval: %s, "+
			"lifetime: %s, min_change: 0.0%d, max_allowed: %s, min_allowed: 0.1, min_replicas: %d, "+
			"eviction_tolerance: 0.%d}}, interval: %s, drain: %s}",
			pick("recreate", "in-place", "in-place-or-recreate", "in-place-or-recreate"), g.time(200+r.IntN(9000)),
			g.time(1+r.IntN(3000)), g.time(r.IntN(4000)), r.IntN(10), pick("1", "1.5", "3"), 1+r.IntN(2), 2+r.IntN(8),
			interval, pick("move", "move", "finish"))
	}
	g.line("telemetry: {window: %s, delay: %s}", window, g.one("0s", "0s", g.us(10, 400), g.us(100, 3000)))
	g.line("measure: {delay: %s}", g.one("none", "none", "flows"))
	g.workload(total, ms*1000)
	g.faults(ms * 1000)
	return g.String()
}

// policy draws a value of scheduler.policy, with how packets find their instance. One in six is of those that can do
// without rules.
func (g *generator) policy() string {
	name := simtest.MovingPolicy(g.Rand, 400, g.unit())
	if g.dispatch.IntN(6) == 0 {
		all := []string{"hash", "hrw", "ring", "{maglev: {table: 251}}", "cheetah", "{beamer: {buckets: 64}}",
			fmt.Sprintf("{beamer: {buckets: 20, timeout: %s}}", g.time(1+g.dispatch.IntN(4000)))}
		name = all[g.dispatch.IntN(len(all))]
	}
	return name + simtest.Dispatch(g.String(), name)
}

func (g *generator) holdOrDrop(lo int) string {
	if lo == 0 {
		return "hold"
	}
	return g.one("hold", "hold", "drop")
}

// nic draws the switch, its slow path and its container engine.
func (g *generator) nic(total int) {
	profile := g.one("ideal", "ideal", "bluefield2")
	if g.dense {
		profile = "ideal"
	}
	keys := []string{"profile: " + profile}
	add := func(percent int, f string, xs ...any) {
		if g.often(percent) {
			keys = append(keys, fmt.Sprintf(f, xs...))
		}
	}
	add(60, "slowpath_rate: %s", g.rate(5, 500))
	add(70, "slowpath_queue: %d", g.IntN(30))
	add(70, "install_latency: %s", g.us(0, 1500))
	if rate := 1000 + g.IntN(30000); g.dense {
		add(60, "install_rate: %d000000", rate)
	} else {
		add(60, "install_rate: %d", rate)
	}
	add(30, "rules: %d", 1+g.IntN(8))
	keys = append(keys, "engine_latency: "+g.us(0, 300))
	if g.often(40) {
		add(60, "eswitch_limit: %s", g.rate(max(total/3, 1), total))
		add(60, "eswitch_queue: %d", g.IntN(20))
		if mbps := 8 * (1 + g.IntN(total/10+1)); !g.dense {
			add(40, "link: %dMbps", mbps)
		}
	}
	g.line("nic: {%s}", strings.Join(keys, ", "))
}

// vnf draws instances that together are somewhat too slow or fast enough.
func (g *generator) vnf(total int) {
	c := 2 + g.IntN(total)
	contention := fmt.Sprintf("{model: constant, rate: %s}", g.rate(c, c))
	switch g.IntN(4) {
	case 0:
		contention = fmt.Sprintf("{model: table, points: {1: %s, %d: %s}}",
			g.rate(c, c), 2+g.IntN(4), g.rate(max(c/4, 1), max(c/2, 1)))
	case 1:
		contention = fmt.Sprintf("{model: usl, lambda: %s, sigma: 0.%d, kappa: 0.0%d}",
			g.rate(c, c), g.IntN(9), g.IntN(9))
	}
	if g.pooled {
		contention = strings.TrimSuffix(contention, "}") + ", share: pooled}"
	}
	g.line("vnf: {buffer: %d, per_byte: %dps, idle_contend: %v, start_latency: %s, stop_latency: %s, contention: %s}",
		1+g.IntN(40), g.perByte(), g.often(40), g.us(0, 1500), g.us(0, 800), contention)
}

func (g *generator) perByte() int {
	if g.dense {
		return max(g.IntN(10)-8, 0)
	}
	return g.IntN(2) * g.IntN(20000)
}

// workload draws flows that come and go.
func (g *generator) workload(total, us int) {
	g.line("workload:")
	n := 1 + g.IntN(14)
	if g.often(20) {
		g.line("  - cbr: {flows: %d, interval: %s, rate: %s, packet_size: %dB}",
			1+g.IntN(4), g.us(0, us/5), g.rate(1, max(total/8, 1)), 64+g.IntN(1400))
	}
	g.line("  - flows:")
	randomly := g.often(40)
	for range n {
		rate := "rate: " + g.rate(1, max(2*total/n, 2))
		switch g.IntN(4) {
		case 0:
			rate = "period: " + g.us(max(1000*n/(2*total), 3), max(4000*n/total, 10))
		}
		size, end, arrivals := 64, "", ""
		if g.often(60) {
			size += g.IntN(1400)
		}
		phase := g.IntN(us * 3 / 4)
		if g.often(60) {
			end = ", end: " + g.us(phase+20, phase+20+g.IntN(us))
		}
		if randomly && g.often(30) {
			arrivals = ", arrivals: poisson"
		}
		g.line("      - {%s, phase: %s%s, packet_size: %dB%s}", rate, g.us(phase, phase+10), end, size, arrivals)
	}
}

// faults draws what goes wrong.
func (g *generator) faults(us int) {
	head := "faults:\n"
	for _, kind := range []string{"instance-death", "instance-death", "engine-stall", "engine-failure",
		"counters-stall", "rule-reject", "link-down"} {
		if !g.often(20) {
			continue
		}
		more := ""
		switch {
		case kind == "instance-death":
			more = fmt.Sprintf(", instance: %d", 1+g.IntN(4))
		case g.often(85):
			more = ", for: " + g.us(10, us/2)
		}
		g.line("%s  - {kind: %s, at: %s%s}", head, kind, g.us(0, us), more)
		head = ""
	}
}
