package traces

import (
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func TestGenomes(t *testing.T) {
	for text, want := range map[string]Genome{
		"aaafg":              {64, 64, 64, 1280, 1518}, // RFC 6985, section 3
		"abcdefghij":         {64, 128, 256, 512, 1024, 1280, 1518, 2112, 9000, 16000},
		"az z=9018":          {64, 9018},
		"AAAGG A=90 G=1400B": {90, 90, 90, 1400, 1400}, // section 4: letters with sizes of one's own
		"aB B=65":            {64, 65},
		"2(ab)3c2(2(d)e)":    {64, 128, 64, 128, 256, 256, 256, 512, 512, 1024, 512, 512, 1024},
		"imix":               {64, 594, 64, 64, 594, 64, 64, 594, 64, 1518, 64, 594},
	} {
		if got, err := ParseGenome(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	// section 5.1: 20 times abcd, 5 times ggga, 10 times dcba
	g, err := ParseGenome("20(abcd)5(ggga)10(dcba)")
	if err != nil || len(g) != 140 || !slices.Equal(g[78:82], Genome{256, 512, 1518, 1518}) || g[139] != 64 {
		t.Errorf("%v, %v", g, err)
	}
	g, _ = ParseGenome("imix")
	count := map[int32]int{}
	for _, size := range g {
		count[size]++
	}
	if len(g) != 12 || count[64] != 7 || count[594] != 4 || count[1518] != 1 ||
		math.Abs(g.Mean()-(7*64+4*594+1518)/12.) > 1e-12 {
		t.Errorf("imix: %v, mean %v", count, g.Mean())
	}
}

func TestWrongGenomes(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "letters",
		"  ":                     "letters",
		"k":                      `"k", want a to j`,
		"az":                     `"z", want a to j`,
		"aA":                     `"A", want a to j`,
		"A A=0":                  `"A=0", want the size`,
		"A A=65536":              "up to 65535",
		"A A=ten":                `"A=ten"`,
		"a b=90":                 `"b=90", want the size of a letter A to Z or z`,
		"A A=1 A=2":              "one size",
		"a A=90":                 "a size for A",
		"0a":                     "1 to 65536 repetitions",
		"3":                      "repetitions",
		"65537a":                 "repetitions",
		"2(ab":                   "closing parenthesis",
		"ab)":                    "parenthesis before it",
		"()a":                    "letters and a closing parenthesis",
		"65536(ab)":              "more than 65536 frames",
		"999999999999999999999a": "repetitions",
		strings.Repeat("(", 99):  "closing parenthesis",
	} {
		if g, err := ParseGenome(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %d frames, %v; want an error with %s", text, len(g), err, want)
		}
	}
}

func FuzzGenome(f *testing.F) {
	for _, text := range []string{"imix", "aaafg", "20(abcd)5(ggga)", "AAAGG A=90 G=1400", "z z=9018", "2(2(2(a)))"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGenome(text)
		if err == nil && (len(g) == 0 || len(g) > MostGenome || slices.Min(g) < 1 || slices.Max(g) > MostFrame) {
			t.Errorf("%q: %v", text, g)
		}
	})
}

// The packets of flows with a genome come when they come without one, whatever kind of flow it is, and their sizes
// follow the genome from each flow's first packet on.
func TestFramesFollowTheGenome(t *testing.T) {
	g, err := ParseGenome("aabgb")
	if err != nil {
		t.Fatal(err)
	}
	const end = 50 * units.Millisecond
	at := func(size float64) map[string]*Workload {
		stairs := StaircaseOptions{Flows: 5, Interval: units.Millisecond, End: end, Rate: 70e3, Size: size}
		random := stairs
		random.Process = Process{Kind: "poisson", Seed: 3}
		crowd := FlashCrowd{Base: 50e3, Factor: 3, Begin: 10 * units.Millisecond, Rise: 20 * units.Millisecond}
		turns := ShapeOptions{Step: units.Millisecond, End: end, Flows: 4, Lifetime: 7 * units.Millisecond, Size: size}
		together := turns
		together.Lifetime = 0
		return map[string]*Workload{"staircase": Staircase(stairs), "random": Staircase(random),
			"turns": shaped(t, crowd, turns), "together": shaped(t, crowd, together),
			"merged": Merge(Staircase(stairs), shaped(t, crowd, turns))}
	}
	without, with := at(g.Mean()), at(g.Mean())
	for name, w := range with {
		w.Resize(g)
		check(t, w)
		if len(w.Constant) > 0 {
			t.Errorf("%s: flows have a period beside packets of their own", name)
		}
		w = Merge(w, Constant(ConstantOptions{Period: Every(units.Millisecond), End: end, Size: 64})) // beside it
		frames := map[flow.ID]int{}
		var simulated []Arrival
		for _, a := range readOf(w) {
			if want := g[frames[a.Flow]%len(g)]; a.Bytes != want {
				t.Fatalf("%s: frame %d of flow %d has %d B, want %d", name, frames[a.Flow], a.Flow, a.Bytes, want)
			}
			frames[a.Flow]++
			simulated = append(simulated, a)
		}
		var played, want []units.Time
		for p, err := range packets(without[name].Stream().flows, 0) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, p.at)
		}
		octets, sum := int64(0), int64(0)
		for p, err := range packets(with[name].Stream().flows, 0) {
			if err != nil {
				t.Fatal(err)
			}
			played = append(played, p.at)
			octets += p.bytes
		}
		var times []units.Time
		for _, a := range simulated {
			times = append(times, a.At)
			sum += int64(a.Bytes)
		}
		if !slices.Equal(times, want) || !slices.Equal(played, want) || octets != sum || len(want) < 1000 {
			t.Errorf("%s: %d packets are simulated, %d played with %d B, want %d with %d", name, len(times),
				len(played), octets, len(want), sum)
		}
	}
}

// As many packets are held as flows send at once, however many flows there are.
func TestAGenomeNeedsAsManyReadersAsFlowsAtOnce(t *testing.T) {
	o := ShapeOptions{Step: units.Second, End: units.Second, Flows: 3, Lifetime: units.Millisecond, Size: 96}
	w := shaped(t, FlashCrowd{Base: 1e6, Factor: 1}, o)
	w.Resize(Genome{64, 128})
	if len(w.Packets) != 3 || len(w.Flows) < 3000 {
		t.Errorf("%d readers for %d flows", len(w.Packets), len(w.Flows))
	}
	var some [1]Arrival
	p := w.Packets[0].Open()
	for n := 0; ; n++ {
		if _, err := p.Read(some[:]); err == io.EOF {
			if _, err := p.Read(some[:]); err != io.EOF || n < 200_000 {
				t.Errorf("after %d packets and the end: %v", n, err)
			}
			break
		}
	}
	one := shaped(t, FlashCrowd{Base: 1e6, Factor: 1}, o)
	if one.Resize(Genome{64, 64}); len(one.Packets) > 0 {
		t.Error("frames of one size have packets of their own")
	}
}
