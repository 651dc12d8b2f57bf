package plots

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// Frames have one size where all sources state the same. Recorded traffic has several, whatever else says so.
func TestPacketSize(t *testing.T) {
	type sources = []scenarios.Source
	cbr := func(size units.Bytes) scenarios.Source {
		return scenarios.Source{CBR: &scenarios.CBR{PacketSize: size}}
	}
	flows := func(sizes ...units.Bytes) (s scenarios.Source) {
		for _, n := range sizes {
			s.Flows = append(s.Flows, scenarios.OneFlow{PacketSize: n})
		}
		return s
	}
	recorded := &scenarios.Trace{File: "x"}
	for _, c := range []struct {
		name    string
		sources sources
		want    int64
	}{
		{"one", sources{cbr(64)}, 64},
		{"several sources, one size", sources{cbr(512), {Load: &scenarios.LoadCurve{PacketSize: 512}}}, 512},
		{"several sizes", sources{cbr(64), cbr(1500)}, 0},
		{"flows", sources{flows(64, 64)}, 64},
		{"flows of several sizes", sources{flows(64, 65)}, 0},
		{"a size that comes back", sources{flows(64, 65, 64)}, 0},
		{"beside a capture", sources{cbr(64), {PCAP: recorded}}, 0},
		{"beside a Zeek log", sources{cbr(64), {Zeek: recorded}}, 0},
		{"beside records", sources{cbr(64), {Records: recorded}}, 0},
		{"beside a model", sources{{Model: &scenarios.Model{Name: "agh-2015"}}, cbr(64)}, 0},
		{"a model of one size", sources{{Model: &scenarios.Model{Name: "sizes", PacketSize: 1500}}}, 0},
		{"none", nil, 0},
	} {
		if got := packetSize(c.sources); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Figures 8 and 9 are drawn of the smallest frames, and figure 10 has a column for each size, from the smallest on.
func TestSizesAreToldApart(t *testing.T) {
	ds := madeUp(t)["fig10"]
	ds[0], ds[1] = ds[1], ds[0] // 512, 64, 1500
	in, notes, err := autoscaled(slices.Clone(ds))
	if err != nil || len(in) != 1 || in[0].size != 64 || len(notes) != 1 {
		t.Errorf("of sizes 512, 64 and 1500 figure 9 takes %d runs, the first of %d B, with the notes %q: %v",
			len(in), in[0].size, notes, err)
	}
	f := drawn(t, "fig10", append(ds, ds[2]), Options{})
	var titles []string
	for _, p := range f.page.Rows[0] {
		titles = append(titles, p.Title)
	}
	if want := []string{"(a) 64 B", "(b) 512 B", "(c) 1500 B"}; !slices.Equal(titles, want) {
		t.Errorf("columns are %q, want %q", titles, want)
	}
	if n := f.page.Rows[0][2].Series[1].N; n != 2 {
		t.Errorf("the line of 1500 B is the mean of %d runs, want 2", n)
	}
}

// A setting is written with its unit, and with the digits that a reader can use.
func TestSettingsAreReadable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"9997524.993812485pps", "9.998 Mpps"}, {"300us", "300 µs"}, {"10Mpps", "10 Mpps"},
		{"1333.4567kpps", "1.333 Mpps"},
		{"worst-fit", "worst-fit"}, {"512", "512"}, {"0.3333333333333333", "0.3333"}, {"123456", "123456"},
		{"true", "true"}, {"64B", "64 B"},
	} {
		if got := printed(c.in); got != c.want {
			t.Errorf("the value %s is written %s, want %s", c.in, got, c.want)
		}
	}
}
