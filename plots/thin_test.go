package plots

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Of a long line the points that can be seen stay: at each dot of the paper the line has the same ends, the same least and the
// same greatest value, and so has its band. A line that is not too long is drawn as it is.
func TestThinning(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	n := 20 * denseAbove
	s := series{name: "s", look: 2, kind: step, n: 3}
	for i := range n {
		v := r.Float64()
		s.x, s.y, s.lo, s.hi = append(s.x, 0.25*float64(i)), append(s.y, v), append(s.lo, v-r.Float64()), append(s.hi, v+r.Float64())
	}
	s.y[n/3], s.hi[n/2], s.lo[n/2+7] = 50, 60, -70 // single points that stand out
	got := s.thinned()
	if len(got.x) > 8*dots || len(got.x) < dots || got.name != "s" || got.look != 2 || got.kind != step || got.n != 3 {
		t.Fatalf("%d points of %d: %+v", len(got.x), n, series{name: got.name, look: got.look, kind: got.kind, n: got.n})
	}
	if !slices.IsSorted(got.x) || len(slices.Compact(slices.Clone(got.x))) != len(got.x) {
		t.Error("the points are not in order, or one is there twice")
	}
	type dot struct{ first, last, least, most float64 }
	on := func(s series, v []float64) []dot {
		ds := make([]dot, dots)
		for i := range ds {
			ds[i] = dot{math.NaN(), 0, math.Inf(1), math.Inf(-1)}
		}
		for i, x := range s.x {
			d := &ds[min(dots-1, int(x/(0.25*float64(n-1))*dots))]
			if math.IsNaN(d.first) {
				d.first = v[i]
			}
			d.last, d.least, d.most = v[i], min(d.least, v[i]), max(d.most, v[i])
		}
		return ds
	}
	for what, v := range map[string][2][]float64{"line": {got.y, s.y}, "lower edge": {got.lo, s.lo}, "upper edge": {got.hi, s.hi}} {
		if !slices.Equal(on(got, v[0]), on(s, v[1])) {
			t.Errorf("the %s is not the same at each dot", what)
		}
	}
	s.x, s.y, s.lo, s.hi = s.x[:denseAbove], s.y[:denseAbove], nil, nil
	if got := s.thinned(); len(got.x) != denseAbove || got.lo != nil {
		t.Errorf("%d of %d points are left, which could all be seen", len(got.x), denseAbove)
	}
	still := series{x: make([]float64, 2*denseAbove), y: make([]float64, 2*denseAbove)}
	if got := still.thinned(); len(got.x) != len(still.x) {
		t.Error("a line without a width has lost points")
	}
}

// Every line over time is thinned, whatever draws it.
func TestLongRunsAreThinned(t *testing.T) {
	d := madeUp(t)["fig9"][0]
	d.size = 64
	d.windows = nil
	for i := range 3 * denseAbove {
		d.windows = append(d.windows, window{T: float64(i+1) / 1000, Offered: 2e6, Processed: float64(i%7) * 1e5, Instances: 3, Used: 3, Flows: 5})
	}
	x := make([]float64, 3*denseAbove)
	for i := range x {
		x[i] = float64(i)
	}
	ts, err := TimeSeries("", "Time (s)", "Load", Options{}, Series{Name: "s", X: x, Y: x, Step: true})
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range map[string]*Figure{"fig9": drawn(t, "fig9", []data{d}, Options{}), "fig10": drawn(t, "fig10", []data{d}, Options{}),
		"compare": overlaid(t, d, d), "timeseries": ts} {
		points := 0
		for _, row := range f.page.rows {
			for _, p := range row {
				for _, s := range p.series {
					points = max(points, len(s.x))
				}
			}
		}
		if points < dots || points > denseAbove {
			t.Errorf("%s draws %d points of a line, want %d to %d", id, points, dots, denseAbove)
		}
	}
}

func TestNumbersInLabels(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{9.997524993812485, "9.998"}, {10, "10"}, {12.25, "12.25"}, {148.80952380952382, "148.8"}, {1e6, "1000000"}, {0.000123456, "0.0001235"}, {0, "0"}} {
		if got := short(c.v); got != c.want {
			t.Errorf("%v is written %s, want %s", c.v, got, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"9997524.993812485pps", "9.998 Mpps"}, {"300us", "300 µs"}, {"10Mpps", "10 Mpps"}, {"1333.4567kpps", "1.333 Mpps"},
		{"worst-fit", "worst-fit"}, {"512", "512"}, {"0.3333333333333333", "0.3333"}, {"123456", "123456"}, {"true", "true"}, {"64B", "64 B"},
	} {
		if got := setting(c.in); got != c.want {
			t.Errorf("the value %s is written %s, want %s", c.in, got, c.want)
		}
	}
}

// Ticks have no exponent, and no more digits than they need.
func TestTicks(t *testing.T) {
	var got []string
	for _, x := range roundTicks(0, 5e6, 5) {
		got = append(got, x.label)
	}
	if want := []string{"0", "1000000", "2000000", "3000000", "4000000", "5000000"}; !slices.Equal(got, want) {
		t.Errorf("ticks are %v, want %v", got, want)
	}
	got = nil
	for _, x := range roundTicks(0, 0.3, 3) {
		got = append(got, x.label)
	}
	if want := []string{"0", "0.1", "0.2", "0.3"}; !slices.Equal(got, want) {
		t.Errorf("ticks are %v, want %v", got, want)
	}
}

// Frames have one size where all sources state the same. Recorded traffic has several, whatever else says so.
func TestPacketSize(t *testing.T) {
	cbr := func(size string) any { return map[string]any{"cbr": map[string]any{"packet_size": size}} }
	for _, c := range []struct {
		name    string
		sources []any
		want    int64
	}{
		{"one", []any{cbr("64B")}, 64},
		{"several sources, one size", []any{cbr("512B"), map[string]any{"load": map[string]any{"packet_size": "512B"}}}, 512},
		{"several sizes", []any{cbr("64B"), cbr("1500B")}, 0},
		{"flows", []any{map[string]any{"flows": []any{map[string]any{"packet_size": "64B"}, map[string]any{"packet_size": "64B"}}}}, 64},
		{"flows of several sizes", []any{map[string]any{"flows": []any{map[string]any{"packet_size": "64B"}, map[string]any{"packet_size": "65B"}}}}, 0},
		{"beside a capture", []any{cbr("64B"), map[string]any{"pcap": map[string]any{"file": "x"}}}, 0},
		{"beside a Zeek log", []any{cbr("64B"), map[string]any{"zeek": map[string]any{"file": "x"}}}, 0},
		{"beside records", []any{cbr("64B"), map[string]any{"records": map[string]any{"file": "x"}}}, 0},
		{"beside a model", []any{cbr("64B"), map[string]any{"model": map[string]any{"name": "agh-2015"}}}, 0},
		{"a model of one size", []any{map[string]any{"model": map[string]any{"name": "sizes", "packet_size": "1500B"}}}, 0},
		{"none", nil, 0},
	} {
		if got := packetSize(map[string]any{"workload": c.sources}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Figures 8 and 9 are drawn of the smallest frames, and figure 10 has a column for each size, from the smallest on.
func TestSizesAreToldApart(t *testing.T) {
	ds := madeUp(t)["fig10"]
	ds[0], ds[1], ds[2] = ds[1], ds[0], ds[2] // 512, 64, 1500
	in, notes, err := autoscaled(slices.Clone(ds))
	if err != nil || len(in) != 1 || in[0].size != 64 || len(notes) != 1 {
		t.Errorf("of sizes 512, 64 and 1500 figure 9 takes %d runs, the first of %d B, with the notes %q: %v", len(in), in[0].size, notes, err)
	}
	f := drawn(t, "fig10", append(ds, ds[2]), Options{})
	var titles []string
	for _, p := range f.page.rows[0] {
		titles = append(titles, p.title)
	}
	if want := []string{"(a) 64 B", "(b) 512 B", "(c) 1500 B"}; !slices.Equal(titles, want) {
		t.Errorf("columns are %q, want %q", titles, want)
	}
	if n := f.page.rows[0][2].series[1].n; n != 2 {
		t.Errorf("the line of 1500 B is the mean of %d runs, want 2", n)
	}
}

// A figure of runs of different scales says so, and none of their scales.
func TestSeveralScales(t *testing.T) {
	a, b, full := data{scale: scale{0.5, 1}}, data{scale: scale{0.5, 0.25}}, data{scale: scale{1, 1}}
	for _, c := range []struct {
		ds   []data
		want string
	}{
		{[]data{a, a}, "ran at 1/2 of these rates"}, {[]data{b}, "ran at 1/2 of these rates, 1/4 of these times"},
		{[]data{a, b}, "runs of several scales"}, {[]data{full, a}, "runs of several scales"}, {[]data{full, full}, ""},
	} {
		if got := scaleNote(c.ds); got != c.want {
			t.Errorf("%v: %q, want %q", c.ds, got, c.want)
		}
	}
}
