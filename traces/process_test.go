package traces

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func randomFlow(p Process, period, end units.Time) []Arrival {
	return readOf(Constant(ConstantOptions{Period: Every(period), End: end, Size: 64, Process: p}))
}

func readOf(w *Workload) (all []Arrival) {
	m := MergePackets(w.Packets)
	buf := make([]Arrival, 777)
	for {
		n, err := m.Read(buf)
		if all = append(all, buf[:n]...); err != nil {
			return all
		}
	}
}

// Gaps of a Poisson process are exponential (Kolmogorov and Smirnov's distance) and independent (the correlation of
// neighbours). The bounds are exceeded by chance once in 10,000 times; the seed is fixed.
func TestPoissonArrivals(t *testing.T) {
	const mean = 100 * units.Nanosecond
	all := randomFlow(Process{Kind: "poisson", Seed: 1}, mean, 20*units.Millisecond)
	var gaps []float64
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, float64(all[i].At-all[i-1].At)/float64(mean))
	}
	n := float64(len(gaps))
	product := 0.0
	for i := 1; i < len(gaps); i++ {
		product += (gaps[i] - 1) * (gaps[i-1] - 1)
	}
	slices.Sort(gaps)
	distance := 0.0
	for i, g := range gaps {
		f := 1 - math.Exp(-g)
		distance = max(distance, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	t.Logf("%g gaps: distance %.5f, correlation %.5f", n, distance, product/n)
	if math.Abs(n-200_000) > 4*math.Sqrt(200_000) || distance > 2.23/math.Sqrt(n) ||
		math.Abs(product/n) > 4/math.Sqrt(n) {
		t.Errorf("%g gaps, distance %.5f, correlation %.5f", n, distance, product/n)
	}
}

// Bursts have the mean rate, whether a burst holds a thousand packets or one in the mean, and packets in a burst are
// evenly spaced.
func TestBurstsHaveTheMeanRate(t *testing.T) {
	for _, c := range []struct {
		period, on, off units.Time
	}{
		{units.Microsecond, 100 * units.Microsecond, 900 * units.Microsecond},
		{units.Microsecond, units.Millisecond, units.Microsecond},
		{units.Microsecond, 300 * units.Nanosecond, 700 * units.Nanosecond},
	} {
		p := Process{Kind: "on-off", On: c.on, Off: c.off, Seed: 6}
		end := 2000 * (c.on + c.off)
		all := randomFlow(p, c.period, end)
		want := float64(end) / float64(c.period)
		// The time on in 2000 cycles has a variance of less than 2 on² + 2 off² a cycle.
		sd := math.Sqrt(2000*2*(float64(c.on)*float64(c.on)+float64(c.off)*float64(c.off))) / float64(c.period)
		if math.Abs(float64(len(all))-want) > 4*sd+1 {
			t.Errorf("%+v: %d packets, want %.0f give or take %.0f", c, len(all), want, sd)
		}
		gap := c.period * c.on / (c.on + c.off)
		odd := c.period * c.on % (c.on + c.off) // of a gap, carried
		even := 0
		for i := 1; i < len(all); i++ {
			switch g := all[i].At - all[i-1].At; {
			case g < gap:
				t.Fatalf("%+v: a gap of %v in a burst of one packet every %v", c, g, gap)
			case g == gap || g == gap+1 && odd > 0:
				even++
			}
		}
		// A gap has the length of one in a burst unless the burst ends in it.
		share := math.Exp(-float64(gap) / float64(c.on))
		n := float64(len(all))
		if got := float64(even) / n; math.Abs(got-share) > 4*math.Sqrt(share*(1-share)/n)+1e-3 {
			t.Errorf("%+v: %.4f of the gaps are %v, want %.4f", c, got, gap, share)
		}
	}
}

func TestProcessesAreChecked(t *testing.T) {
	for _, p := range []Process{{Kind: "self-similar"}, {Kind: "on-off"}, {Kind: "on-off", On: 1, Off: 10}} {
		if err := p.Check(Every(100)); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
	for _, p := range []Process{{}, {Kind: "constant"}, {Kind: "poisson"}, {Kind: "on-off", On: 40, Off: 60}} {
		if err := p.Check(Every(100)); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// Each flow has a stream of its own, the same on every machine and beside any other flows.
func TestRandomFlowsDependOnTheSeedAndTheirNumberAlone(t *testing.T) {
	of := func(flows int, p Process) (w *Workload) {
		return Staircase(StaircaseOptions{Flows: flows, Interval: units.Microsecond, End: units.Millisecond, Rate: 1e6,
			Size: 64, Process: p})
	}
	for kind, want := range map[string]string{"poisson": "fc488738941eaf8b", "on-off": "acee67399dab2721"} {
		p := Process{Kind: kind, On: 10 * units.Microsecond, Off: 10 * units.Microsecond, Seed: 7}
		h := sha256.New()
		three := map[flow.ID][]Arrival{}
		for _, a := range readOf(of(3, p)) {
			binary.Write(h, binary.LittleEndian, a)
			three[a.Flow] = append(three[a.Flow], a)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
			t.Errorf("%s: the packets of three flows hash to %s, want %s", kind, got, want)
		}
		two := map[flow.ID][]Arrival{}
		for _, a := range readOf(Merge(of(2, p))) {
			two[a.Flow] = append(two[a.Flow], a)
		}
		for f, packets := range two {
			if !slices.Equal(packets, three[f]) || len(packets) == 0 {
				t.Errorf("%s: flow %d differs with the number of flows", kind, f)
			}
		}
		if slices.Equal(three[0], three[1]) {
			t.Errorf("%s: two flows are the same", kind)
		}
	}
}

// What is played to a file is what is simulated.
func TestRandomFlowsArePlayed(t *testing.T) {
	w := Staircase(StaircaseOptions{Flows: 3, Interval: units.Microsecond, End: units.Millisecond, Rate: 1e6, Size: 64,
		Process: Process{Kind: "poisson", Seed: 7}})
	done, err := w.Stream().WriteCapture(context.Background(), io.Discard, PCAPNG, nil)
	if err != nil {
		t.Fatal(err)
	}
	var played, simulated []units.Time
	for p, err := range packets(w.Stream().flows, 0) {
		if err != nil {
			t.Fatal(err)
		}
		played = append(played, p.at)
	}
	for _, a := range readOf(w) {
		simulated = append(simulated, a.At)
	}
	if int(done.Packets) != len(simulated) || !slices.Equal(played, simulated) {
		t.Errorf("%d packets are played, %d simulated", done.Packets, len(simulated))
	}
}
