package traces

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// These bits are the same on every architecture: a record made on arm64 is the record made on amd64.
func TestDurationsAreTheSameOnEveryMachine(t *testing.T) {
	r := rand.New(flowStreams.At(7, 3))
	var sum uint64
	for range 1000 {
		sum = sum*31 + uint64(Duration(r, 1+r.Int64N(9000)+1))
	}
	if want := uint64(0xf60c56353f438dd); sum != want {
		t.Errorf("the durations sum to %#x, want %#x", sum, want)
	}
}

// distance is the Kolmogorov-Smirnov distance between draws of a feature and a histogram, at the ends of its bins.
func distance(draws []int64, rows []aghRow) (worst float64, at int64) {
	slices.Sort(draws)
	total, sum := int64(0), int64(0)
	for _, r := range rows {
		total += r.flows
	}
	i := 0
	for _, r := range rows {
		sum += r.flows
		for i < len(draws) && draws[i] < r.hi {
			i++
		}
		if d := math.Abs(float64(i)/float64(len(draws)) - float64(sum)/float64(total)); d > worst {
			worst, at = d, r.hi-1
		}
	}
	return
}

// The distance of a sample of n to its own distribution exceeds 1.95/sqrt(n) once in a thousand times. The mixtures are
// fits: their distances are those that their authors' fit leaves.
func TestAGHDrawsFollowThePublishedHistograms(t *testing.T) {
	const n = 200_000
	sampled := 1.95 / math.Sqrt(n)
	for _, c := range []struct {
		AGHOptions
		most float64
	}{
		{AGHOptions{"all", "length", "histogram"}, sampled}, {AGHOptions{"tcp", "length", "histogram"}, sampled},
		{AGHOptions{"udp", "length", "histogram"}, sampled},
		{AGHOptions{"all", "size", "histogram"}, sampled}, {AGHOptions{"tcp", "size", "histogram"}, sampled},
		{AGHOptions{"udp", "size", "histogram"}, sampled},
		{AGHOptions{"all", "length", "mixture"}, 0.015}, {AGHOptions{"tcp", "length", "mixture"}, 0.02},
		{AGHOptions{"udp", "length", "mixture"}, 0.015},
		{AGHOptions{"all", "size", "mixture"}, 0.065}, {AGHOptions{"tcp", "size", "mixture"}, 0.085},
		{AGHOptions{"udp", "size", "mixture"}, 0.065},
	} {
		m, err := NewAGH(c.AGHOptions)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(flowStreams.At(1, 0))
		draws := make([]int64, n)
		var tcp, udp, packets, octets float64
		for i := range draws {
			h := m.Draw(r)
			if h.Packets < 1 || h.Bytes < 64 {
				t.Fatalf("%v: drew %+v", m, h)
			}
			if draws[i] = h.Packets; c.Feature == "size" {
				draws[i] = h.Bytes
			}
			packets += float64(h.Packets) / n
			octets += float64(h.Bytes) / n
			switch h.Proto {
			case flow.TCP:
				tcp++
			case flow.UDP:
				udp++
			}
		}
		d, at := distance(draws, aghHistogram(c.Protocol, c.Feature))
		t.Logf("%v: KS distance %.4f at %d (at most %.4f), mean %.1f packets, %.0f B, %.2f %% TCP, %.2f %% UDP", m, d,
			at, c.most, packets, octets, 100*tcp/n, 100*udp/n)
		if d > c.most {
			t.Errorf("%v: KS distance %.4f at %d, want at most %.4f", m, d, at, c.most)
		}
		share := map[string][2]float64{"all": {.5385, .4309}, "tcp": {1, 0}, "udp": {0, 1}}[c.Protocol]
		if math.Abs(tcp/n-share[0]) > 0.035 || math.Abs(udp/n-share[1]) > 0.035 {
			t.Errorf("%v: %.2f %% TCP and %.2f %% UDP, want %v", m, 100*tcp/n, 100*udp/n, share)
		}
		path, here := recording(t, "flowmodels/agh_2015/histograms/"+c.Protocol+"/"+c.Feature+".csv.gz")
		if !here {
			continue
		}
		t.Run("published/"+c.Protocol+"/"+c.Feature, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := parseHistogram(b)
			if err != nil {
				t.Fatal(err)
			}
			d, at := distance(draws, rows)
			t.Logf("%v: KS distance to all %d published bins %.4f at %d", m, len(rows), d, at)
			if d > c.most {
				t.Errorf("KS distance %.4f at %d, want at most %.4f", d, at, c.most)
			}
		})
	}
}

// The totals that the data's authors publish, and the means, are still those after bins were joined.
func TestAGHHistogramsHoldThePublishedTotals(t *testing.T) {
	for _, c := range []struct {
		protocol               string
		flows, packets, octets int64
	}{
		{"all", 4032376751, 316857594090, 275858498994998}, {"tcp", 2171291495, 264608398768, 244338999568258},
		{"udp", 1737523167, 50730510162, 31098128445645},
	} {
		for _, feature := range []string{"length", "size"} {
			var got [3]int64
			mean := 0.0
			for _, r := range aghHistogram(c.protocol, feature) {
				got[0] += r.flows
				got[1] += r.packets
				got[2] += r.octets
				mean += float64(r.lo+r.hi-1) / 2 * float64(r.flows)
			}
			if got != [3]int64{c.flows, c.packets, c.octets} {
				t.Errorf("%s-%s: totals %d", c.protocol, feature, got)
			}
			want := float64(c.packets)
			if feature == "size" {
				want = float64(c.octets)
			}
			if d := mean/want - 1; math.Abs(d) > 1e-4 {
				t.Errorf("%s-%s: drawing uniformly in the bins shifts the mean by %.2g", c.protocol, feature, d)
			}
		}
	}
}

func TestDurationsFollowTheirFit(t *testing.T) {
	const n = 100_000
	for _, packets := range []int64{2, 5, 10, 100, 5000} {
		i := 0
		for packets >= durations[i].below {
			i++
		}
		d := distuv.LogNormal{Mu: durations[i].mean, Sigma: durations[i].sd}
		if packets == 2 && d.Sigma != 3.27 {
			t.Fatal("wrong class")
		}
		r := rand.New(flowStreams.At(1, uint64(packets)))
		draws := make([]float64, n)
		for i := range draws {
			draws[i] = Duration(r, packets).Seconds()
		}
		slices.Sort(draws)
		worst := 0.0
		for i, x := range draws {
			if x > 1.001*float64(packets)*leastGap.Seconds() && x < 299.9 {
				worst = max(worst, math.Abs(d.CDF(x)-(float64(i)+0.5)/n))
			}
		}
		t.Logf("%d packets: KS distance %.4f between the limits, median %.3g s", packets, worst, draws[n/2])
		if worst > 1.95/math.Sqrt(n) {
			t.Errorf("%d packets: KS distance %.4f", packets, worst)
		}
	}
}

func TestArrivalsHaveTheirRateAndSpread(t *testing.T) {
	const until, rate = 2000 * units.Second, 50.0
	for _, c := range []struct {
		a        Arrivals
		from, to float64 // squared coefficient of variation of the gaps
	}{
		{Arrivals{Rate: rate}, 0.95, 1.05},
		{Arrivals{Process: "constant", Rate: rate}, 0, 1e-9},
		// 1 + 2 λ a / (a+b)^2 = 23.5 with λ = 200/s, a = 1/on, b = 1/off
		{Arrivals{Process: "on-off", Rate: rate, On: 100 * units.Millisecond, Off: 300 * units.Millisecond}, 21, 26},
	} {
		ts, err := c.a.times(context.Background(), rand.New(arrivalStream.At(3, 0)), until)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(ts) || ts[len(ts)-1] >= until {
			t.Errorf("%v: not in order or too late", c.a)
		}
		if got := float64(len(ts)) / until.Seconds(); math.Abs(got/rate-1) > 0.05 {
			t.Errorf("%v: %g arrivals/s", c.a, got)
		}
		var sum, squares float64
		for i := 1; i < len(ts); i++ {
			gap := (ts[i] - ts[i-1]).Seconds()
			sum += gap
			squares += gap * gap
		}
		n := float64(len(ts) - 1)
		scv := squares/n/(sum/n*sum/n) - 1
		t.Logf("%v: %d arrivals, squared coefficient of variation %.3f", c.a, len(ts), scv)
		if scv < c.from || scv > c.to {
			t.Errorf("%v: squared coefficient of variation %g, want %g to %g", c.a, scv, c.from, c.to)
		}
	}
	// Poisson gaps are exponential.
	ts, _ := Arrivals{Rate: rate}.times(context.Background(), rand.New(arrivalStream.At(4, 0)), until)
	gaps := make([]float64, len(ts)-1)
	for i := range gaps {
		gaps[i] = (ts[i+1] - ts[i]).Seconds()
	}
	slices.Sort(gaps)
	worst := 0.0
	for i, x := range gaps {
		worst = max(worst, math.Abs(1-math.Exp(-rate*x)-(float64(i)+0.5)/float64(len(gaps))))
	}
	t.Logf("poisson gaps: KS distance %.4f", worst)
	if worst > 1.95/math.Sqrt(float64(len(gaps))) {
		t.Errorf("poisson gaps: KS distance %.4f", worst)
	}
}

func TestASeriesGivesItsArrivals(t *testing.T) {
	path := write(t, "s.csv", []byte("second,flows\n10,3\n11,0\n12,2.5\n13,1.5\n"))
	a := Arrivals{Process: "series", Series: path, Load: LoadOptions{Column: "flows", Time: "second"}}
	ts, err := a.times(context.Background(), rand.New(arrivalStream.At(1, 0)), 0)
	if err != nil {
		t.Fatal(err)
	}
	var per [4]int
	for _, x := range ts {
		per[x/units.Second]++
	}
	if len(ts) != 7 || per != [4]int{3, 0, 3, 1} || !slices.IsSorted(ts) {
		t.Errorf("got %v: %v", per, ts)
	}
	if ts, _ := a.times(context.Background(), rand.New(arrivalStream.At(1, 0)), units.Second); len(ts) != 3 {
		t.Errorf("%d arrivals in the first second, want 3", len(ts))
	}
}

func TestBadArrivalsSayWhatIsWrong(t *testing.T) {
	for _, a := range []Arrivals{
		{}, {Rate: -1}, {Rate: math.NaN()}, {Rate: 1e13}, {Rate: 1e11}, {Process: "bursts", Rate: 1},
		{Process: "on-off", Rate: 1},
		{Process: "series"}, {Process: "series", Series: "missing.csv", Load: LoadOptions{Column: "x"}},
		{Process: "constant", Rate: 1e9},
		{Process: "constant", Rate: 0.9e-6},
	} {
		if ts, err := a.times(context.Background(), rand.New(arrivalStream.At(1, 0)), units.Second); err == nil {
			t.Errorf("%+v: %d arrivals, want an error", a, len(ts))
		}
	}
	for _, until := range []units.Time{-1, 0, maxSpan + 1} {
		if _, err := (Arrivals{Rate: 1}).times(context.Background(), rand.New(arrivalStream.At(1, 0)),
			until); err == nil {
			t.Errorf("until %v: no error", until)
		}
	}
	// The slowest arrivals end too.
	if ts, err := (Arrivals{Process: "on-off", Rate: 1e-300, On: maxSpan, Off: 1}).times(context.Background(),
		rand.New(arrivalStream.At(1, 0)), maxSpan); err != nil || len(ts) != 0 {
		t.Error(ts, err)
	}
}

// pings are holdings of ICMP.
type pings struct{}

func (pings) Draw(*rand.Rand) Holding { return Holding{Proto: flow.ICMP, Packets: 1, Bytes: 84} }
func (pings) String() string          { return "pings" }

func TestICMPOfAModelIsAnEchoRequest(t *testing.T) {
	for _, f := range (Paced{Holdings: pings{}}).Session(nil, 0, 0) {
		if f.Tuple.SrcPort != echoRequest || f.Tuple.DstPort != 0 {
			t.Errorf("got %v, want type %d and code 0", f.Tuple, echoRequest)
		}
	}
}

func TestAModelDependsOnTheSeedAndNotOnTheCores(t *testing.T) {
	m, err := NewAGH(AGHOptions{})
	if err != nil {
		t.Fatal(err)
	}
	generate := func(seed uint64, cores int) *Workload {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		w, err := Generate(Paced{Holdings: m}, GenerateOptions{Arrivals: Arrivals{Rate: 2000},
			Until: 3 * units.Second, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		check(t, w)
		return w
	}
	one, four, other := generate(1, 1), generate(1, 4), generate(2, 4)
	if !reflect.DeepEqual(one, four) {
		t.Error("the number of cores changes the traffic")
	}
	if reflect.DeepEqual(one.Flows, other.Flows) {
		t.Error("the seed does not change the traffic")
	}
	seen := map[flow.FiveTuple]bool{}
	for _, f := range one.Flows {
		seen[f.Tuple] = true
	}
	if len(seen) != len(one.Flows) {
		t.Errorf("%d five-tuples of %d flows", len(seen), len(one.Flows))
	}
	t.Log(one.Provenance)
}

func BenchmarkGenerate(b *testing.B) {
	m, err := NewAGH(AGHOptions{})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		w, err := Generate(Paced{Holdings: m}, GenerateOptions{Arrivals: Arrivals{Rate: 1e5},
			Until: 3 * units.Second, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		n += len(w.Flows)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "flows/s")
}
