package kubernetes

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

const (
	minute = 60 * units.Second
	hour   = 60 * minute
)

func TestPercentilesOfAHistogram(t *testing.T) {
	for _, v := range policytest.Vectors(t, "vpa", "percentile of a histogram") {
		in := policytest.Decode[struct {
			First, Max, P float64
			Samples       [][2]float64
		}](t, &v.In)
		var starts []float64
		for x := 0.0; x <= in.Max; x += in.First {
			starts = append(starts, x)
		}
		h := NewHistogram(starts, 1e-4, 0)
		for _, s := range in.Samples {
			h.Add(s[0], s[1], 0)
		}
		if got, want := h.Percentile(in.P), policytest.Decode[float64](t, &v.Out); got != want {
			t.Errorf("%s: %v, want %v", v.ID, got, want)
		}
	}
}

func TestPercentilesOfADecayingHistogram(t *testing.T) {
	for _, v := range policytest.Vectors(t, "vpa", "percentile of a decaying histogram") {
		in := policytest.Decode[struct {
			P       float64
			Samples [][3]float64
		}](t, &v.In)
		h := NewHistogram([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 1e-4, hour)
		for _, s := range in.Samples {
			h.Add(s[0], s[1], 1000*hour-units.Time(s[2]*float64(hour)))
		}
		if got, want := h.Percentile(in.P), policytest.Decode[float64](t, &v.Out); got != want {
			t.Errorf("%s: %v, want %v", v.ID, got, want)
		}
	}
}

// Buckets as in the recommender's own tests (policies.md 6.1): 40 wide, each 1.5 times as wide as the last.
func TestExponentialBuckets(t *testing.T) {
	if got := Exponential(500, 40, 1.5)[:5]; !slices.Equal(got, []float64{0, 40, 100, 190, 325}) {
		t.Errorf("buckets begin at %v", got)
	}
	if n := len(cpuBuckets); n != 176 || cpuBuckets[n-2] > 1000 || cpuBuckets[n-1] < 1000 {
		t.Errorf("%d buckets of cores, the last from %v and %v", n, cpuBuckets[n-2], cpuBuckets[n-1])
	}
}

// A histogram is what it says: held against sorted samples with their weights as of now.
func TestAHistogramIsItsSamples(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		h := NewHistogram(cpuBuckets, leastWeight, hour)
		weights := make([]float64, len(cpuBuckets))
		now := units.Time(0)
		type sample struct {
			bucket int
			at     units.Time
		}
		var all []sample
		for range 1 + r.IntN(300) {
			now += units.Time(r.Int64N(int64(2 * hour)))
			x := math.Exp(3 * r.NormFloat64())
			h.Add(x, sampleWeight, now)
			k := 0
			for k+1 < len(cpuBuckets) && cpuBuckets[k+1] <= x {
				k++
			}
			all = append(all, sample{k, now})
		}
		total := 0.0
		for _, s := range all {
			w := math.Exp2(-float64(now-s.at) / float64(hour))
			weights[s.bucket] += w
			total += w
		}
		for _, p := range []float64{0.25, 0.5, 0.9, 0.95} {
			sum, low, high := 0.0, -1.0, -1.0 // ends of the buckets that reach a little less, and a little more
			for k, w := range weights {
				sum += w
				if low < 0 && sum >= (p-1e-3)*total {
					low = cpuBuckets[min(k+1, len(cpuBuckets)-1)]
				}
				if high < 0 && sum >= min(p+1e-3, 1-1e-9)*total {
					high = cpuBuckets[min(k+1, len(cpuBuckets)-1)]
				}
			}
			if got := h.Percentile(p); got < low || got > high {
				t.Errorf("seed %d, %v: %v, want %v to %v", seed, p, got, low, high)
			}
		}
	}
}

func TestConfidenceWidens(t *testing.T) {
	for _, v := range policytest.Vectors(t, "vpa", "confidence and margin") {
		in := policytest.Decode[struct {
			Base, Multiplier float64
			Exponent         int
			Samples          int
			Interval         int `yaml:"interval_min"`
		}](t, &v.In)
		r := recommender{uses: NewHistogram(cpuBuckets, leastWeight, 24*hour)}
		for k := range in.Samples {
			r.add(1, units.Time(k)*2*minute)
		}
		got := Widened(millicores(in.Base), in.Multiplier, r.confidence(units.Time(in.Interval)*minute), in.Exponent)
		if want := int64(policytest.Decode[float64](t, &v.Out) * 1000); got != want {
			t.Errorf("%s: %d m, want %d m", v.ID, got, want)
		}
	}
	// policies.md 6.1: what the bounds are multiplied by, with a sample a minute.
	for _, c := range []struct {
		after        units.Time
		upper, lower float64
	}{{12 * hour, 3, 0.996}, {24 * hour, 2, 0.998}, {7 * 24 * hour, 1.14, 0.9997}, {5 * minute, 289, 0.6},
		{30 * minute, 49, 0.91}, {60 * minute, 25, 0.95}} {
		confidence := float64(c.after) / float64(24*hour)
		for _, b := range []struct {
			multiplier, want float64
			exponent         int
		}{{1, c.upper, 1}, {0.001, c.lower, -2}} {
			got := float64(Widened(1e9, b.multiplier, confidence, b.exponent)) / 1e9
			if math.Abs(got/b.want-1) > 0.01 {
				t.Errorf("after %v: %v, want %v", c.after, got, b.want)
			}
		}
	}
}

// What the running recommender made of 48 samples, one an hour.
func TestTheRecommenderSaysTheSame(t *testing.T) {
	for _, v := range policytest.Observed[struct {
		ID         string
		Percentile float64
		Out        [3]float64
	}](t, "vpa", "percentiles of a decaying histogram and the CPU estimate") {
		bare := NewHistogram(Exponential(1000, 0.01, 1.05), 0.001, 24*hour)
		o := verticalOptions(t, "max_allowed: 64")
		p := recommender{uses: NewHistogram(cpuBuckets, leastWeight, 24*hour)}
		for k := range 48 {
			value := 0.1 + 0.02*float64(k%10)
			at := units.Time(k)*hour + 12345*minute
			bare.Add(value, 1, at)
			p.add(value, at)
		}
		if got := bare.Percentile(v.Percentile); math.Abs(got-v.Out[0]) > 1e-6 {
			t.Errorf("%s: %v of a core, want %v", v.ID, got, v.Out[0])
		}
		o.Target = v.Percentile
		for k, margin := range []float64{0, 0.15} {
			o.Margin = margin
			if got, want := p.recommend(&o).cpu.target, int64(v.Out[k+1]); got != want {
				t.Errorf("%s with a margin of %v: %d m, want %d m", v.ID, margin, got, want)
			}
		}
	}
}

func verticalOptions(t testing.TB, text string) VerticalOptions {
	t.Helper()
	var o VerticalOptions
	if err := strictyaml.Decode("vpa.yaml", []byte(text), &o, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestVerticalConformance(t *testing.T) {
	for _, text := range []string{"{}", "mode: off", "mode: initial", "{mode: in-place-or-recreate, half_life: 10s, " +
		"confidence_interval: 20s, lifetime: 5s}", "{mode: in-place, cpu: processed, eviction_tolerance: 1, " +
		"min_replicas: 1}", "{min_change: 0, lifetime: 0s, eviction_tolerance: 0}",
		"{controlled_resources: memory, memory_half_life: 9s, memory_interval: 4s, confidence_interval: 10s}",
		"{controlled_resources: cpu+memory, mode: in-place, memory_limit: 1.5, memory_request: 300MB, " +
			"memory_interval: 3s, evict_after_oom: 20s, min_replicas: 1, eviction_tolerance: 1}"} {
		scalingtest.Run(t, vertical, verticalOptions(t, text))
	}
	o := verticalOptions(t, "{}")
	o.MinAllowed = 2
	if _, err := newVertical(o, policy.Env{}); err == nil || !strings.Contains(err.Error(), "min_allowed: 2, want") {
		t.Errorf("error %v", err)
	}
}

// usage is ready instances, of which each uses and may use so much of a core, at a time.
func usage(at units.Time, uses, shares []float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: at, Current: len(uses), Wanted: len(uses), Min: 1, Max: 99, Limit: 1e6}
	for k, use := range uses {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Share: shares[k], Asked: shares[k], Usage: telemetry.Usage{CPU: use, Known: true, Sampled: at},
			Rate: telemetry.Rate{Tx: use * 1e6, Known: true, Sampled: at}})
	}
	return s
}

// updated runs a policy for an hour, and gives what it changes in the end.
func updated(t *testing.T, options string, edit func(*policy.Snapshot), uses, shares []float64) (string, float64) {
	t.Helper()
	p, err := newVertical(verticalOptions(t, options), policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	var answer policy.Proposal
	for m := units.Time(1); m <= 60; m++ {
		s := usage(m*minute, uses, shares)
		if edit != nil {
			edit(s)
		}
		answer = p.Evaluate(s, new(policy.Steps))
	}
	var all []string
	for _, r := range answer.Resize {
		how := "changed"
		if r.Recreate {
			how = "replaced"
		}
		all = append(all, fmt.Sprintf("%d %s to %v", r.Instance, how, r.Share))
	}
	return strings.Join(all, ", "), answer.Share
}

// Use of 0.4 of a core lies in the bucket that ends at 0.4143: the target is 414 m and 15 %, 476 m. After an hour the
// bounds are 453 m, 5 % less, and 25 times as much, which is all that is allowed.
func TestUpdates(t *testing.T) {
	uses := []float64{0.4, 0.4, 0.4, 0.4}
	of := func(shares ...float64) []float64 { return shares }
	for _, c := range []struct {
		name, options string
		edit          func(*policy.Snapshot)
		shares        []float64
		want          string
		fresh         float64
	}{
		{"off", "mode: off", nil, of(0.1, 1, 1, 1), "", 0},
		{"initial", "mode: initial", nil, of(0.1, 1, 1, 1), "", 0.476},
		{"within the bounds", "", nil, of(0.46, 0.5, 1, 1), "", 0.476},
		{"half of them at once", "", nil, of(0.1, 0.2, 0.3, 0.4), "1 replaced to 0.476, 2 replaced to 0.476", 0.476},
		{"those that are furthest off", "", nil, of(0.4, 0.3, 0.2, 0.1),
			"3 replaced to 0.476, 4 replaced to 0.476", 0.476},
		{"those that need more before those that need less", "{confidence_interval: 1min, max_allowed: 64}", nil,
			of(60, 50, 0.4, 0.45), "3 replaced to 0.476, 4 replaced to 0.476", 0.476},
		{"one starts", "", func(s *policy.Snapshot) { s.Instances[3].State = policy.Starting }, of(0.1, 0.2, 0.3, 0.4),
			"1 replaced to 0.476", 0.476},
		{"one is wanted and not there", "", func(s *policy.Snapshot) { s.Wanted = 6 }, of(0.1, 0.2, 0.3, 0.4),
			"1 replaced to 0.476", 0.476},
		{"no more than may be away", "eviction_tolerance: 0.2", nil, of(0.1, 0.2, 0.3, 0.4),
			"1 replaced to 0.476", 0.476},
		{"too few", "min_replicas: 5", nil, of(0.1, 0.2, 0.3, 0.4), "", 0.476},
		{"old enough, and far enough off", "{lifetime: 1h, min_change: 0.1}", nil, of(0.5, 1, 0.9, 0.52),
			"2 replaced to 0.476, 3 replaced to 0.476", 0.476},
		{"within the bounds, one that is to grow before one that is to shrink",
			"{lifetime: 1h, min_change: 0.02, eviction_tolerance: 0.25}", nil, of(0.46, 0.9, 0.476, 0.476),
			"1 replaced to 0.476", 0.476},
		{"not old enough", "{lifetime: 61min, min_change: 0.1}", nil, of(0.5, 1, 0.9, 0.52), "", 0.476},
		{"in place", "mode: in-place", nil, of(0.1, 0.2, 0.3, 0.4), "1 changed to 0.476, 2 changed to 0.476", 0.476},
		{"in place, and one is under way", "mode: in-place", func(s *policy.Snapshot) { s.Instances[0].Asked = 0.476 },
			of(0.1, 0.2, 0.3, 0.4), "2 changed to 0.476", 0.476},
		{"in place, and refused", "mode: in-place", func(s *policy.Snapshot) { s.Instances[0].Refused = true },
			of(0.1, 0.2, 0.3, 0.4), "2 changed to 0.476, 3 changed to 0.476", 0.476},
		{"in place, or replaced where refused", "mode: in-place-or-recreate",
			func(s *policy.Snapshot) { s.Instances[0].Refused = true }, of(0.1, 0.2, 0.3, 0.4),
			"1 replaced to 0.476, 2 changed to 0.476", 0.476},
		{"what is processed over the limit", "{cpu: processed, mode: in-place}",
			func(s *policy.Snapshot) {
				for k := range s.Instances {
					s.Instances[k].Usage = telemetry.Usage{}
				}
			}, of(0.1, 0.2, 0.3, 0.4), "1 changed to 0.476, 2 changed to 0.476", 0.476},
		{"bounds of what is allowed", "{min_allowed: 0.6, mode: in-place}", nil, of(0.5, 0.6, 0.6, 0.6),
			"1 changed to 0.6", 0.6},
	} {
		options := c.options
		if options == "" {
			options = "{}"
		}
		if got, fresh := updated(t, options, c.edit, uses, c.shares); got != c.want || fresh != c.fresh {
			t.Errorf("%s: %q, and new ones %v; want %q and %v", c.name, got, fresh, c.want, c.fresh)
		}
	}
}

// Found with the running recommender: the margin is cut off by itself, and what is allowed is not cut off.
func TestThousandthsOfACore(t *testing.T) {
	uses, shares := []float64{0.78, 0.78}, []float64{0.92, 0.92} // the bucket ends at 0.8006
	for options, want := range map[string]float64{"{}": 0.92, "{min_allowed: 1.001, max_allowed: 2}": 1.001,
		"max_allowed: 0.57": 0.57} {
		if _, got := updated(t, options, nil, uses, shares); got != want {
			t.Errorf("%s: %v, want %v", options, got, want)
		}
	}
}

// A hundred half-lives may be longer than the range of time.
func TestALongHalfLife(t *testing.T) {
	h := NewHistogram(cpuBuckets, leastWeight, 48*hour)
	for at := units.Time(0); at < 1000*hour; at += 10 * hour {
		h.Add(1, sampleWeight, at)
	}
	if h.reference != 0 || h.total < 1 {
		t.Errorf("the reference is %v and the weight %v, want 0 and more", h.reference, h.total)
	}
}

func TestWithoutUseNothingIsRecommended(t *testing.T) {
	p, _ := newVertical(verticalOptions(t, "{}"), policy.Env{})
	var steps policy.Steps
	s := usage(minute, []float64{0}, []float64{1})
	s.Instances[0].Usage.Known = false
	got := p.Evaluate(s, &steps)
	if got.Share != 0 || got.Resize != nil || got.Desired != 1 || steps[0].Reason != "no use of a core was measured" {
		t.Errorf("%+v, %v", got, steps)
	}
}

// BenchmarkVertical is an evaluation of 1,000 instances of unlike use: without updates, and with all of them due, of
// which half may be changed.
func BenchmarkVertical(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	uses, shares := make([]float64, 1000), make([]float64, 1000)
	for k := range uses {
		uses[k], shares[k] = r.Float64(), 0.1+r.Float64()
	}
	s := usage(0, uses, shares)
	s.Max = 1000
	for name, text := range map[string]string{"recommended": "mode: initial",
		"changed": "{mode: in-place, confidence_interval: 1s}",
		"memory":  "{mode: recreate, controlled_resources: cpu+memory, memory_interval: 10min, memory_limit: 2}"} {
		p, err := newVertical(verticalOptions(b, text), policy.Env{})
		if err != nil {
			b.Fatal(err)
		}
		var steps policy.Steps
		b.Run(name, func(b *testing.B) {
			for range b.N {
				s.Now += minute
				for k := range s.Instances {
					s.Instances[k].Usage.Sampled = s.Now
					s.Instances[k].Usage.Memory = 1e9 * uses[k]
				}
				p.Evaluate(s, &steps)
				steps = steps[:0]
			}
		})
	}
}

// The first of those that are due are those of a whole order, and stand as they stood.
func TestTheFirstThatAreDue(t *testing.T) {
	var ranked []update
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		due := make([]update, 1+r.IntN(40))
		for k := range due {
			due[k] = update{id: flow.Instance(k + 1), grows: r.IntN(2) == 0, diff: float64(r.IntN(6))}
		}
		n := r.IntN(len(due) + 2)
		sorted := slices.Clone(due)
		slices.SortFunc(sorted, func(a, b update) int {
			if a.grows != b.grows {
				return map[bool]int{true: -1, false: 1}[a.grows]
			}
			return cmp.Or(cmp.Compare(b.diff, a.diff), cmp.Compare(a.id, b.id))
		})
		want := sorted[:min(n, len(sorted))]
		slices.SortFunc(want, func(a, b update) int { return cmp.Compare(a.id, b.id) })
		if got := firstOf(slices.Clone(due), n, &ranked); !slices.Equal(got, want) {
			t.Fatalf("seed %d: the first %d of %v: %v, want %v", seed, n, due, got, want)
		}
	}
}

// What model/container_test.go of the recommender expects, with its ratio of 1.2 and at least 100 MiB more:
// TestRecordOOM and those that follow, TestAggregateContainerUsageSamples, TestMemoryPeakUpdateWithinCustomInterval.
func TestPeaks(t *testing.T) {
	const mb, interval = 1024 * 1024, 24 * hour
	bump := Bump{1.2, 100 * mb}
	type event struct {
		at    units.Time
		bytes int64 // used; requested where that is a kill
		kill  bool
	}
	for _, c := range []struct {
		name   string
		events []event
		want   []int64 // peaks that count, in ascending order
	}{
		{"a ratio more", []event{{0, 1000 * mb, true}}, []int64{1200 * mb}},
		{"a least more", []event{{0, 100 * mb, true}}, []int64{200 * mb}},
		{"kills in a row do not run away", []event{{0, 1000 * mb, true}, {hour, 1000 * mb, true},
			{2 * hour, 1000 * mb, true}}, []int64{1200 * mb}},
		{"more than was used", []event{{0, 3000 * mb, false}, {hour, 1000 * mb, true}}, []int64{3600 * mb}},
		{"one that is too old", []event{{0, 1000 * mb, false}, {interval - 1, 1000 * mb, false},
			{2 * interval, 1000 * mb, false}, {interval, 9000 * mb, true}}, []int64{1000 * mb, 1000 * mb}},
		{"the highest of an interval", []event{{0, 5, false}, {hour, 9, false}, {2 * hour, 7, false}}, []int64{9}},
		{"one of each interval", []event{{0, 5e8, false}, {interval - 1, 9e8, false}, {interval, 2e8, false}},
			[]int64{2e8, 9e8}},
		{"a late sample", []event{{hour, 5e8, false}, {0, 9e8, false}}, []int64{5e8}},
		{"kills in two new intervals, the first after much use", []event{{0, 3e9, false}, {interval, 1e9, true},
			{2 * interval, 1e9, true}}, []int64{1.2e9, 3e9, 3.6e9}},
		{"a kill in a new interval", []event{{0, 5e8, false}, {interval, 1e9, true}}, []int64{5e8, 1.2e9}},
	} {
		h := NewHistogram(MemoryBuckets, leastWeight, 0)
		var p Peaks
		for _, e := range c.events {
			if e.kill {
				p.Killed(h, e.bytes, bump, e.at, interval)
			} else {
				p.Sample(h, e.bytes, e.at, interval)
			}
		}
		want := NewHistogram(MemoryBuckets, leastWeight, 0)
		for _, bytes := range c.want {
			want.Add(float64(bytes), peakWeight, 0)
		}
		if !slices.Equal(h.weights, want.weights) || h.total != want.total {
			t.Errorf("%s: %v in all, at the most %v; want %v", c.name, h.total, h.Percentile(1), c.want)
		}
	}
}

// memory is what instances use of it, in bytes; their cores are as they should be.
func memory(s *policy.Snapshot, bytes ...float64) {
	for k := range s.Instances {
		i := &s.Instances[k]
		i.Share, i.Asked = 0.476, 0.476
		i.Usage.Memory = bytes[k%len(bytes)]
	}
}

// Use of 500 MB lies in the bucket that ends at 511.13 MB: the target is 587.80 MB. The lower bound is 560.13 MB.
func TestMemoryUpdates(t *testing.T) {
	uses, shares := []float64{0.4, 0.4, 0.4, 0.4}, []float64{1, 1, 1, 1}
	killed := func(ready units.Time) func(*policy.Snapshot) { // after an hour, with so much since it was ready
		return func(s *policy.Snapshot) {
			if i := &s.Instances[2]; s.Now == hour {
				i.Ready, i.Usage.Memory = ready, 6.1e8
			}
		}
	}
	for _, c := range []struct {
		name, options string
		edit          func(*policy.Snapshot)
		want          string // who is changed in the end
		asked         []int64
	}{
		{"in the log alone", "mode: off, memory_request: 100MB", nil, "", []int64{1e8, 1e8, 1e8, 1e8}},
		{"for new ones", "mode: initial, memory_request: 100MB", nil, "", []int64{1e8, 1e8, 1e8, 1e8}},
		{"half of them at once, while they request nothing", "memory_request: 0B", nil,
			"1 replaced to 0.476, 2 replaced to 0.476", []int64{0, 0, 0, 0}},
		{"those that request too little", "memory_request: 400MB", nil, "1 replaced to 0.476, 2 replaced to 0.476",
			[]int64{4e8, 4e8, 4e8, 4e8}},
		{"within the bounds", "memory_request: 600MB", nil, "", []int64{6e8, 6e8, 6e8, 6e8}},
		{"in place, with nothing for the plant to do", "mode: in-place, memory_request: 400MB, eviction_tolerance: 1",
			nil, "", []int64{587804717, 587804717, 587804717, 587804717}},
		{"with cores, memory changes when they do", "mode: in-place, controlled_resources: cpu+memory, " +
			"memory_request: 600MB, lifetime: 0s, min_change: 0.5, eviction_tolerance: 1", func(s *policy.Snapshot) {
			s.Instances[1].Share, s.Instances[1].Asked = 0.2, 0.2
		}, "2 changed to 0.476", []int64{6e8, 587804717, 6e8, 6e8}},
		{"one that was killed, soon and lately", "memory_request: 600MB, memory_limit: 1", killed(55 * minute),
			"3 replaced to 0.476", []int64{6e8, 6e8, 6e8, 6e8}},
		{"not so soon", "memory_request: 600MB, memory_limit: 1", killed(50 * minute), "", []int64{6e8, 6e8, 6e8, 6e8}},
		{"killed once, however often it reports that it has too little",
			"memory_request: 600MB, memory_limit: 1, evict_after_oom: 3min", func(s *policy.Snapshot) {
				if i := &s.Instances[2]; s.Now >= 58*minute {
					i.Ready, i.Usage.Memory = 56*minute, 6.1e8
				}
			}, "3 replaced to 0.476", []int64{6e8, 6e8, 6e8, 6e8}},
		{"without a limit", "memory_request: 600MB", killed(55 * minute), "", []int64{6e8, 6e8, 6e8, 6e8}},
		{"at least", "memory_request: 600MB, min_allowed_memory: 700MB, mode: in-place, eviction_tolerance: 1", nil, "",
			[]int64{7e8, 7e8, 7e8, 7e8}},
	} {
		text := c.options
		if !strings.Contains(text, "controlled_resources") {
			text += ", controlled_resources: memory"
		}
		s, err := newVertical(verticalOptions(t, "{"+text+"}"), policy.Env{})
		if err != nil {
			t.Fatal(err)
		}
		p := s.(*verticalScaler)
		var all []string
		var steps policy.Steps
		logged := false
		for m := units.Time(1); m <= 60; m++ {
			s := usage(m*minute, uses, shares)
			memory(s, 5e8)
			if c.edit != nil {
				c.edit(s)
			}
			steps, all = steps[:0], nil
			answer := p.Evaluate(s, &steps)
			logged = logged || strings.HasSuffix(steps[0].Reason, "; 4 now request it, in place")
			for _, r := range answer.Resize {
				how := "changed"
				if r.Recreate {
					how = "replaced"
				}
				all = append(all, fmt.Sprintf("%d %s to %v", r.Instance, how, r.Share))
			}
		}
		var asked []int64
		for _, k := range p.containers {
			asked = append(asked, k.request)
		}
		if alone := strings.Contains(text, "mode: in-place") && !strings.Contains(text, "cpu+"); alone != logged {
			t.Errorf("%s: that they request it is in the log: %v", c.name, logged)
		}
		if got := strings.Join(all, ", "); got != c.want || !slices.Equal(asked, c.asked) {
			t.Errorf("%s: %q, requests %v (%s); want %q, %v", c.name, got, asked, steps[0].Reason, c.want, c.asked)
		}
	}
}

// A kill raises the target, by the ratio over the request; the report that is above the limit counts once.
func TestKillsForLackOfMemory(t *testing.T) {
	s, _ := newVertical(verticalOptions(t, "{controlled_resources: memory, mode: initial, memory_request: 1000MB, "+
		"memory_limit: 1, margin: 0, oom_min_bump_up: 1B, oom_bump_up_ratio: 2}"), policy.Env{})
	p := s.(*verticalScaler)
	var said []string
	for m, bytes := range []float64{9e8, 1.1e9, 1.1e9} {
		s := usage(units.Time(m+1)*minute, []float64{0.4}, []float64{1})
		memory(s, bytes)
		var steps policy.Steps
		p.Evaluate(s, &steps)
		word, _, _ := strings.Cut(steps[0].Reason, " of memory")
		said = append(said, word)
	}
	end := func(bytes float64) string {
		h := NewHistogram(MemoryBuckets, leastWeight, 0)
		h.Add(bytes, 1, 0)
		return "target " + megabytes(int64(h.Percentile(1)))
	}
	if want := []string{end(9e8), end(2.2e9), end(2.2e9)}; !slices.Equal(said, want) {
		t.Errorf("%v, want %v", said, want)
	}
	for text, want := range map[string]string{"{memory_limit: 0.5}": "memory_limit: 0.5, want 1",
		"{min_allowed_memory: 2GB, max_allowed_memory: 1GB}": "min_allowed_memory: 2000000000B, want at most"} {
		_, err := newVertical(verticalOptions(t, text), policy.Env{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Every number is in the bucket that begins last of those that do not begin after it.
func TestBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, starts := range [][]float64{cpuBuckets, MemoryBuckets, {0}, {0, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		Exponential(500, 40, 1.5)} {
		h := NewHistogram(starts, leastWeight, 0)
		try := append(slices.Clone(starts), 1e300, 1e-300)
		for _, x := range starts {
			try = append(try, math.Nextafter(x, 0), math.Nextafter(x, 1e9))
		}
		for range 2000 {
			try = append(try, 1.1*starts[len(starts)-1]*r.Float64(), starts[len(starts)/2]*r.Float64())
		}
		for _, x := range try {
			want := len(starts) - 1
			for starts[want] > x {
				want--
			}
			if got := h.bucketOf(x); got != want {
				t.Errorf("%v of %d buckets: %d, want %d", x, len(starts), got, want)
			}
		}
	}
}
