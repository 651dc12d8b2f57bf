package packet_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// crowded draws flows with a short common period that may be too many for the link, the eSwitch and the instances, all
// with round rates, and everything that can happen to them meanwhile.
func crowded(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	maybe := func(percent int, f string, xs ...any) string {
		if r.IntN(100) < percent {
			return fmt.Sprintf(f, xs...)
		}
		return ""
	}
	// Periods are these parts of 2.4 us, and rates are in units of 1/2.4 us = 1.25/3 Mpps.
	unit := 1_200_000 * (1 + r.IntN(3))
	flows, sum := 1+r.IntN(12), 0.0
	size := 64 + 4*r.IntN(100)*r.IntN(2)
	alike := r.IntN(2) == 0
	text := ""
	for i := range flows {
		part := []int{1, 2, 3, 4, 6}[r.IntN(5)]
		if alike {
			part = 4
		}
		phase, end, bytes := 0, "", size
		if r.IntN(2) == 0 {
			phase = r.IntN(3_000) * 1_000_000
		}
		phase += []int{0, 100_000 * r.IntN(20), r.IntN(unit)}[r.IntN(3)]
		if r.IntN(4) == 0 {
			end = fmt.Sprintf(", end: %dps", phase+r.IntN(4_000_000_000)+1)
		}
		if r.IntN(30) == 0 {
			bytes += 8
		}
		period := fmt.Sprintf("%dps", unit/part)
		if i%7 == 6 && r.IntN(4) == 0 {
			period = fmt.Sprintf("%dps", unit/part+r.IntN(1000))
		}
		text += fmt.Sprintf("      - {period: %s, phase: %dps%s, packet_size: %dB}\n", period, phase, end, bytes)
		sum += float64(part)
	}
	pps := sum / float64(unit) * 1e12 // of all
	round := func(rate float64, to int) int { return max(int(rate)/to, 1) * to }
	limit := ""
	if r.IntN(4) > 0 {
		limit = fmt.Sprintf(", eswitch_limit: %dpps", round(pps*(0.4+0.8*r.Float64()), []int{100_000, 250_000, 60_000,
			7_000}[r.IntN(4)]))
	}
	if r.IntN(4) == 0 {
		limit += fmt.Sprintf(", link: %dMbps", round(pps*float64(8*(size+20))/1e6*(0.5+0.7*r.Float64()), 100))
	}
	instances := 1 + r.IntN(3)
	rate := round(pps*(0.3+1.2*r.Float64())/float64(instances), []int{1, 100, 50_000}[r.IntN(3)])
	contention := fmt.Sprintf("{model: constant, rate: %dpps}", rate)
	if r.IntN(2) == 0 {
		contention = fmt.Sprintf("{model: usl, lambda: %dpps, sigma: 0.2, kappa: 0.01}", rate)
	}
	if r.IntN(4) == 0 { // whole picoseconds, and a load of 2/3 to 2, often of exactly one
		contention = fmt.Sprintf("{model: constant, service_time: %dps}",
			unit*instances*[]int{2, 3, 4, 4, 4, 5, 6}[r.IntN(7)]/(4*int(sum)))
	}
	window := []string{fmt.Sprintf("%dps", unit*(50+r.IntN(900))), fmt.Sprintf("%dus", 100+r.IntN(2000)),
		fmt.Sprintf("%dps", 100_000_000+r.IntN(2_000_000_000))}[r.IntN(3)]
	head := fmt.Sprintf("name: crowded\nseed: %d\nengine: packet\nduration: %dus\n"+
		"nic: {profile: ideal, eswitch_queue: %d, slowpath_rate: %dkpps, slowpath_queue: %d, install_latency: %dus, "+
		"engine_latency: 20us%s}\n"+
		"vnf: {buffer: %d, start_latency: %dus, stop_latency: 30us, contention: %s%s%s}\n"+
		"instances: {initial: %d, min: %d, max: %d}\n"+
		"scheduler: {policy: %s, limit: %dkpps}\n"+
		"autoscaler: {policy: %s, interval: %dus, stabilization: 1ms, drain: %s}\n"+
		"telemetry: {window: %s}\nmeasure: {flows: %v}\n",
		1+r.IntN(9), 2000+r.IntN(4000), []int{0, r.IntN(8), r.IntN(300)}[r.IntN(3)], 500+r.IntN(4000), 1+r.IntN(200),
		r.IntN(100), limit, []int{1, 2, 1 + r.IntN(20), 1 + r.IntN(300)}[r.IntN(4)], r.IntN(500), contention,
		maybe(25, ", per_byte: %dps", 100+r.IntN(800)), maybe(5, ", service: exponential"),
		instances, min(instances, 1+r.IntN(2)), instances+r.IntN(4),
		dispatched(contention+window, simtest.MovingPolicy(r, 500, "us")),
		round(pps/1000, 1)/instances+1, pick("none", "none", "target-utilization"), 300+r.IntN(1500),
		pick("move", "finish"), window, r.IntN(8) > 0)
	faults := ""
	for range r.IntN(4) * r.IntN(2) {
		kind := pick("instance-death", "instance-death", "engine-stall", "rule-reject", "link-down")
		more := fmt.Sprintf("for: %dus", 1+r.IntN(800))
		if kind == "instance-death" {
			more = fmt.Sprintf("instance: %d", 1+r.IntN(3))
		}
		faults += fmt.Sprintf("  - {kind: %s, at: %dus, %s}\n", kind, r.IntN(4000), more)
	}
	if faults != "" {
		faults = "faults:\n" + faults
	}
	return head + faults + "workload:\n  - flows:\n" + text
}

// withDelays is the scenario with delays and flows' fates asked for.
func withDelays(text string) string {
	return strings.NewReplacer("measure: {", "measure: {delay: instances, ", "flows: false", "flows: true").
		Replace(text)
}

// differ says in what two records differ, host and notes apart.
func differ(t *testing.T, got, want *results.Memory) (what []string) {
	t.Helper()
	for _, v := range []struct {
		what      string
		got, want any
	}{
		{"windows", got.Windows, want.Windows},
		{"instances", got.Instances, want.Instances},
		{"flows", fmt.Sprintf("%+v", got.Flows), fmt.Sprintf("%+v", want.Flows)}, // NaN where fates are unknown
		{"totals", got.Run.Totals, want.Run.Totals},
		{"delays", got.Latencies, want.Latencies},
		{"histograms", got.Buckets, want.Buckets},
		{"Little's law", got.Run.Little, want.Run.Little},
		{"decisions", simtest.Decisions(t, got), simtest.Decisions(t, want)},
	} {
		if !reflect.DeepEqual(v.got, v.want) {
			what = append(what, v.what)
		}
	}
	return what
}

// A run comes out the same whether packets are leaped over wherever that is possible, where it is worth while, nowhere
// by the scenario's key, or stepped one by one and apart.
func TestLeapsComeOutTheSame(t *testing.T) {
	n := 400
	if testing.Short() {
		n = 100
	}
	leaped, offered, staged, measured := 0.0, 0.0, 0, 0
	for i := range n {
		r := rand.New(rand.NewPCG(11, uint64(i)))
		text := crowded(r)
		if r.IntN(3) == 0 {
			text = withDelays(text)
			measured++
		}
		sc := simtest.Parse(t, text)
		want := simtest.Run(t, sc, packet.Step)
		still := *sc
		still.Packet.Jump = false
		for _, way := range []struct {
			name   string
			sc     *scenarios.Scenario
			engine sim.Engine
		}{{"leaping", sc, packet.Leap}, {"at best", sc, packet.New}, {"with jump: false", &still, packet.New}} {
			got := simtest.Run(t, way.sc, way.engine)
			if what := differ(t, got, want); what != nil {
				t.Fatalf("case %d, %s: %v differ\n%s", i, way.name, what, text)
			}
			over := 0.0
			for _, note := range got.Run.Notes {
				var k float64
				if strings.Contains(note, "with their fates") {
					if _, err := fmt.Sscanf(note, "packet engine: %f packets", &k); err != nil {
						t.Fatal(err)
					}
				}
				over += k
				if way.name == "with jump: false" && strings.Contains(note, "jumped") {
					t.Errorf("case %d: with jump: false, %s", i, note)
				}
			}
			if way.name == "leaping" {
				leaped, offered = leaped+over, offered+got.Run.Totals.Offered
				if over > 0 && got.Run.Totals.Dropped.ESwitch+got.Run.Totals.Dropped.Link > 0 {
					staged++
				}
			}
		}
	}
	t.Logf("%.0f of %.0f packets leaped over; %d of %d scenarios with losses at link or eSwitch, %d with delays",
		leaped, offered, staged, n, measured)
	if leaped < offered/8 || staged < n/10 {
		t.Error("too few to say anything")
	}
}

// The records of leaped and of stepped runs are the same to the byte: every file but host.json, which has times, and of
// run.json all but the notes and the key that forbids leaps.
func TestRecordsAreTheSameToTheByte(t *testing.T) {
	n, over := 24, 0
	if testing.Short() {
		n = 14
	}
	for i := range n {
		text := crowded(rand.New(rand.NewPCG(12, uint64(i))))
		if i%2 == 0 {
			text = withDelays(text)
		}
		sc := simtest.Parse(t, text)
		still := *sc
		still.Packet.Jump = false
		leaped, leaps := written(t, sc, packet.Leap)
		stepped, _ := written(t, &still, packet.New)
		if leaps {
			over++
		}
		for name := range leaped {
			if leaped[name] != stepped[name] {
				t.Errorf("case %d: %s differs\n%s", i, name, text)
			}
		}
		if len(leaped) < 5 || len(stepped) != len(leaped) {
			t.Errorf("case %d: %d and %d files\n%s", i, len(leaped), len(stepped), text)
		}
	}
	if over < n/2 {
		t.Errorf("there were leaps in %d of %d runs: too few to say anything", over, n)
	}
}

// written is the files of a record by their names, without what may differ, and whether packets were leaped over.
func written(t *testing.T, sc *scenarios.Scenario, engine sim.Engine) (files map[string]string, leaps bool) {
	t.Helper()
	dir, w := t.TempDir(), simtest.Traffic(t, sc)
	rec, err := results.Create(dir, *sim.Header(sc, w, "test"), results.Options{})
	if err != nil {
		t.Fatal(err)
	}
	simtest.Record(t, sc, w, engine, rec)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, entry := range entries {
		b, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(b)
	}
	delete(files, "host.json")
	leaps = strings.Contains(files["run.json"], "with their fates")
	for _, may := range []string{`(?s)\n  "notes": \[.*?\n  \],?`, `(?s)\n    "packet": \{.*?\n    \},?`} {
		was := files["run.json"]
		if files["run.json"] = regexp.MustCompile(may).ReplaceAllString(was, ""); files["run.json"] == was {
			t.Errorf("run.json has nothing like %s:\n%s", may, was)
		}
	}
	return files, leaps
}
