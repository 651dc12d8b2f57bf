package queue

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// TestExp: the draws follow the exponential distribution (Kolmogorov-Smirnov at the 0.1 % level, mean and second
// moment), and are the same on every machine.
func TestExp(t *testing.T) {
	const n, mean = 200_000, 1_000_000_000
	r := stream(7, 7)
	x := make([]float64, n)
	sum, square := 0.0, 0.0
	for i := range x {
		x[i] = float64(Exp(r, mean)) / mean
		sum += x[i]
		square += x[i] * x[i]
	}
	slices.Sort(x)
	ks := 0.0
	for i, v := range x {
		f := 1 - math.Exp(-v)
		ks = max(ks, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	if limit := 1.95 / math.Sqrt(n); ks > limit {
		t.Errorf("Kolmogorov-Smirnov distance %.5f, want at most %.5f", ks, limit)
	}
	if m := sum / n; math.Abs(m-1) > 4/math.Sqrt(n) {
		t.Errorf("mean %.5f, want 1", m)
	}
	if s := square / n; math.Abs(s-2) > 4*math.Sqrt(20.0/n) {
		t.Errorf("second moment %.5f, want 2", s)
	}
	t.Logf("KS distance %.5f", ks)

	r = stream(1, 0)
	var got []units.Time
	for range 6 {
		got = append(got, Exp(r, units.Microsecond))
	}
	if want := golden; !slices.Equal(got, want) {
		t.Errorf("draws %d, want %d", got, want)
	}
	if Exp(r, 0) != 0 || Exp(r, -5) != 0 {
		t.Error("a mean that is not positive must draw 0")
	}
}

// estimate runs a queue with several seeds and returns the loss, the mean wait and sojourn of accepted packets in
// services, with the standard errors of the means over the seeds.
func estimate(t *testing.T, buffer int, s Service, gap units.Time, packets int) (mean, se [2]float64) {
	const seeds = 12
	var x [2][]float64
	for seed := range uint64(seeds) {
		q, err := New(Config{Buffer: buffer, Service: s, Want: PerSource, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		// Two sources of half the rate are a Poisson process again.
		for i := range uint64(2) {
			if _, err := q.Add(Source{Arrivals: NewPoisson(2*gap, 0, 64, seed, i)}); err != nil {
				t.Fatal(err)
			}
		}
		warm := gap * units.Time(packets/10)
		if _, err := q.Advance(warm); err != nil {
			t.Fatal(err)
		}
		_, before, _ := q.WaitSum()
		r, err := q.Advance(warm + gap*units.Time(packets))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := q.WaitSum()
		x[0] = append(x[0], float64(r.Dropped)/float64(r.Offered))
		x[1] = append(x[1], float64(after-before)/float64(r.Accepted)/float64(s.Nominal()))
	}
	for k := range x {
		for _, v := range x[k] {
			mean[k] += v / seeds
		}
		for _, v := range x[k] {
			se[k] += (v - mean[k]) * (v - mean[k])
		}
		se[k] = math.Sqrt(se[k] / (seeds - 1) / seeds)
	}
	return
}

// mm1k is the loss and the mean wait in services of M/M/1/K at load a: a truncated geometric distribution.
func mm1k(a float64, k int) (loss, wait float64) {
	p, norm, ahead := 1.0, 0.0, 0.0
	for n := range k + 1 {
		norm += p
		if n < k {
			ahead += float64(n) * p
			p *= a
		}
	}
	loss = p / norm
	return loss, ahead / (norm - p)
}

// md1k is the loss and the mean wait of M/D/1/K: the chain embedded at departures (Gross and Harris, 5.1.8), Little's
// law for the wait.
func md1k(a float64, k int) (loss, wait float64) {
	arrivals := make([]float64, k+1)
	arrivals[0] = math.Exp(-a)
	for i := 1; i <= k; i++ {
		arrivals[i] = arrivals[i-1] * a / float64(i)
	}
	pi := make([]float64, k)
	pi[0] = 1
	for j := 0; j+1 < k; j++ {
		v := pi[j] - pi[0]*arrivals[j]
		for i := 1; i <= j; i++ {
			v -= pi[i] * arrivals[j-i+1]
		}
		pi[j+1] = v / arrivals[0]
	}
	sum := 0.0
	for _, p := range pi {
		sum += p
	}
	system := 0.0
	scale := 1 / (pi[0]/sum + a)
	for n, p := range pi {
		system += float64(n) * p / sum * scale
	}
	full := 1 - scale
	system += float64(k) * full
	return full, system/(a*(1-full)) - 1
}

// TestTheory: loss and mean wait of M/M/1/K, M/D/1/K and M/G/1 (Pollaczek-Khinchine) within four standard errors,
// taken over twelve seeds.
func TestTheory(t *testing.T) {
	packets := 200_000
	if testing.Short() {
		packets = 30_000
	}
	const s = units.Time(80_645)
	two, err := NewEmpirical([]units.Time{s / 5, s * 9 / 5}, []uint64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		buffer  int
		service Service
		load    float64
		theory  func() (loss, wait float64)
	}{
		{"M/M/1/16 at 0.9", 16, Exponential(s), 0.9, func() (float64, float64) { return mm1k(0.9, 16) }},
		{"M/M/1/4 at 1.5", 4, Exponential(s), 1.5, func() (float64, float64) { return mm1k(1.5, 4) }},
		{"M/D/1/8 at 0.9", 8, Deterministic(s), 0.9, func() (float64, float64) { return md1k(0.9, 8) }},
		{"M/D/1/16 at 1.2", 16, Deterministic(s), 1.2, func() (float64, float64) { return md1k(1.2, 16) }},
		{"M/M/1 at 0.7", 4096, Exponential(s), 0.7, func() (float64, float64) { return 0, 0.7 / 0.3 }},
		{"M/D/1 at 0.7", 4096, Deterministic(s), 0.7, func() (float64, float64) { return 0, 0.7 / 0.6 }},
		// E[S^2] = (0.2^2 + 1.8^2) / 2 = 1.64
		{"M/G/1 at 0.6", 4096, two, 0.6, func() (float64, float64) { return 0, 0.6 * 1.64 / (2 * 0.4) }},
	} {
		loss, wait := c.theory()
		got, se := estimate(t, c.buffer, c.service, units.Time(float64(s)/c.load), packets)
		t.Logf("%-16s loss %.5f ± %.5f, theory %.5f; wait %.4f ± %.4f, theory %.4f", c.name, got[0], se[0], loss, got[1], se[1], wait)
		for k, want := range []float64{loss, wait} {
			if math.Abs(got[k]-want) > 4*se[k]+1e-5 {
				t.Errorf("%s: %s %.5f ± %.5f, theory %.5f", c.name, []string{"loss", "wait"}[k], got[k], se[k], want)
			}
		}
	}
}

// TestHistogram: every span lies within the bounds of its bucket, bounds join without a gap, and quantiles are within
// a bucket of the exact ones.
func TestHistogram(t *testing.T) {
	top := units.Time(-1)
	for i := range 7296 {
		lo, hi := Bounds(i)
		if lo != top+1 || hi < lo || (lo >= 256 && (hi-lo+1)*128 > lo) {
			t.Fatalf("bucket %d is %d to %d, after %d", i, lo, hi, top)
		}
		if bucket(uint64(lo)) != uint64(i) || bucket(uint64(hi)) != uint64(i) {
			t.Fatalf("%d and %d fall into buckets %d and %d, want %d", lo, hi, bucket(uint64(lo)), bucket(uint64(hi)), i)
		}
		top = hi
	}
	if top != units.Never {
		t.Errorf("the last bucket ends at %d, want %d", top, units.Never)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var h Histogram
	var x []units.Time
	for range 10_000 {
		v := units.Time(r.Uint64() >> (1 + r.IntN(60)))
		h.Add(v)
		x = append(x, v)
	}
	slices.Sort(x)
	for _, p := range []uint64{1, 500, 900, 990, 999, 1000} {
		exact := x[(uint64(len(x))*p+999)/1000-1]
		if got := h.PerMille(p); got < exact || got-exact > exact/128 {
			t.Errorf("%d per mille: %d, exact %d", p, got, exact)
		}
	}
	if new(Histogram).PerMille(500) != 0 {
		t.Error("an empty histogram has no median")
	}
}

// TestBadInput: what cannot be simulated is an error, never a panic.
func TestBadInput(t *testing.T) {
	for name, c := range map[string]Config{
		"no buffer":     {Service: Deterministic(1)},
		"no service":    {Buffer: 1},
		"zero service":  {Buffer: 1, Service: Deterministic(0)},
		"huge service":  {Buffer: 1, Service: Deterministic(2 * units.Second)},
		"huge buffer":   {Buffer: 1 << 21, Service: Deterministic(1)},
		"negative byte": {Buffer: 1, Service: Linear{Packet: 100, Byte: -1}},
		"unknown path":  {Buffer: 1, Service: Deterministic(1), Path: 9},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	q, err := New(Config{Buffer: 2, Service: Deterministic(10)})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Source{
		"no arrivals": {}, "no period": {Arrivals: &CBR{}}, "negative end": {Arrivals: &CBR{Period: 1}, End: -1},
	} {
		if _, err := q.Add(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := q.Advance(100); err != nil {
		t.Error(err)
	}
	for _, to := range []units.Time{99, -1, units.Never} {
		if _, err := q.Advance(to); err == nil {
			t.Errorf("advance to %v: no error", to)
		}
	}
	if q.SetService(nil) == nil || q.Remove(3) != nil || q.Remove(-1) != nil {
		t.Error("a missing service or source went unnoticed")
	}
	if _, err := NewEmpirical([]units.Time{1}, []uint64{0}); err == nil {
		t.Error("weights of zero: no error")
	}
}

// TestMove: a source that moves to another queue loses no packet and sends none twice; a flush loses what was queued.
func TestMove(t *testing.T) {
	for name, arrivals := range map[string]Arrivals{"cbr": &CBR{Period: 7, Phase: 3}, "list": &List{{3, 0}, {10, 0}, {110, 0}, {120, 0}, {130, 0}}} {
		var q [2]*Queue
		for i := range q {
			q[i], _ = New(Config{Buffer: 4, Service: Deterministic(1000), Want: PerSource})
		}
		i, err := q[0].Add(Source{Arrivals: arrivals})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range q {
			if _, err := x.Advance(100); err != nil {
				t.Fatal(err)
			}
		}
		rest := q[0].Remove(i)
		if q[0].Remove(i) != nil {
			t.Error("removed twice")
		}
		if _, err := q[1].Add(Source{Arrivals: rest}); err != nil {
			t.Fatal(err)
		}
		for _, x := range q {
			if _, err := x.Advance(200); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]uint64{"cbr": 29, "list": 5}[name] // 3, 10, ..., 199
		if got := q[0].Total().Offered + q[1].Total().Offered; got != want {
			t.Errorf("%s: %d packets in both queues, want %d", name, got, want)
		}
		if n, lost := q[0].InSystem(), q[0].Flush(); n == 0 || lost != n || q[0].InSystem() != 0 || q[0].Idle() != 200 {
			t.Errorf("%s: flush of %d packets lost %d, %d remain", name, n, lost, q[0].InSystem())
		}
	}
}

// golden are the first six draws of stream 0, seed 1, with a mean of 1 us.
var golden = []units.Time{2584894, 2272569, 939384, 958698, 622289, 1409154}
