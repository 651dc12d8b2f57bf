package traces

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func TestAStaircaseAddsAFlowEveryInterval(t *testing.T) {
	w := Staircase(StaircaseOptions{Flows: 32, Interval: 10 * units.Second, End: 330 * units.Second, Rate: 4.65e6,
		Size: 64, Offset: 5})
	check(t, w)
	seen := map[flow.FiveTuple]bool{}
	for i, f := range w.Flows {
		s := f.Segments[0]
		if s.Start != units.Time(i)*10*units.Second || s.End != 330*units.Second ||
			math.Abs(s.Rate()/4.65e6-1) > 1e-15 || s.Bytes != s.Packets*64 {
			t.Errorf("flow %d: %+v", i, s)
		}
		p := w.Constant[i]
		if n := math.Ceil(float64(p.End-p.Phase) / p.Period.Mean()); math.Abs(n-s.Packets) > 1 {
			t.Errorf("flow %d: %g packets one by one, %g as a rate", i, n, s.Packets)
		}
		seen[f.Tuple] = true
	}
	if len(w.Flows) != 32 || len(seen) != 32 || w.Flows[0].Tuple != SyntheticTuple(5) {
		t.Errorf("%d flows, %d five-tuples from %v", len(w.Flows), len(seen), w.Flows[0].Tuple)
	}
}

func TestAStaircaseStopsAtTheEndAndTakesNoNonsense(t *testing.T) {
	for want, o := range map[int]StaircaseOptions{
		3: {Flows: 32, Interval: 10, End: 30, Rate: 1e12},
		4: {Flows: 4, Start: 29, End: 30, Rate: 1e12},
		1: {Flows: 9, Interval: units.Never, End: units.Never, Rate: 1},
		0: {Flows: 9, End: 30, Rate: math.NaN()},
	} {
		w := Staircase(o)
		check(t, w)
		if len(w.Flows) != want {
			t.Errorf("%+v: %d flows, want %d", o, len(w.Flows), want)
		}
	}
	if w := Constant(ConstantOptions{End: 5}); len(w.Flows) != 0 {
		t.Error("no period makes a flow")
	}
}

func TestSyntheticFlowsAreDistinct(t *testing.T) {
	seen := map[flow.FiveTuple]bool{}
	for _, i := range []int{0, 1, 255, 256, 1<<24 - 3, 1<<24 - 2, 1 << 24, 1 << 25, math.MaxInt32} {
		tuple := SyntheticTuple(i)
		if seen[tuple] || tuple.Src.As4()[0] != 16 {
			t.Errorf("flow %d: %v is taken or outside 16.0.0.0/8", i, tuple)
		}
		seen[tuple] = true
	}
}

func TestMergeOrdersByFirstPacketAndKeepsTheOrderOfSources(t *testing.T) {
	a := Staircase(StaircaseOptions{Flows: 2, Interval: 10, End: 100, Rate: 1e12})
	b := &Workload{Flows: []Flow{{Tuple: SyntheticTuple(7), Segments: []Segment{{Start: 0, End: 5, Packets: 1}}}},
		Skipped: []Count{{"x", 2}}, Tenants: []string{"b"}}
	m := Merge(a, b, &Workload{Skipped: []Count{{"x", 1}, {"a", 1}}})
	check(t, m)
	var order []flow.FiveTuple
	for _, f := range m.Flows {
		order = append(order, f.Tuple)
	}
	if want := []flow.FiveTuple{SyntheticTuple(0), SyntheticTuple(7), SyntheticTuple(1)}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
	if want := []Periodic{{0, Every(1), 100}, {}, {10, Every(1), 100}}; !reflect.DeepEqual(m.Constant, want) {
		t.Errorf("got %v, want %v", m.Constant, want)
	}
	if want := []string{"", "b", ""}; !slices.Equal(m.Tenants, want) || m.Tenant(1) != "b" || a.Tenant(1) != "" {
		t.Errorf("tenants %q, want %q", m.Tenants, want)
	}
	if want := []Count{{"a", 1}, {"x", 3}}; !reflect.DeepEqual(m.Skipped, want) {
		t.Errorf("got %v, want %v", m.Skipped, want)
	}
}

// Grouping keeps the totals whatever the options, and each packet lies in a segment that covers it. This is checked
// packet by packet.
func TestGroupingAgreesWithCountingPacketByPacket(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		g := grouper{width: units.Time(1 + r.IntN(50)), timeout: units.Time(r.IntN(3) * 40)}
		var packets []Packet
		now := units.Time(0)
		for range r.IntN(200) {
			now += units.Time(r.IntN(30))
			p := Packet{Time: now, Tuple: SyntheticTuple(r.IntN(4)), Bytes: int32(60 + r.IntN(1459))}
			packets = append(packets, p)
			g.add(&p)
		}
		w := &Workload{Flows: g.flows}
		check(t, w)
		last, start := map[flow.FiveTuple]units.Time{}, map[flow.FiveTuple]units.Time{}
		want := map[flow.FiveTuple]map[units.Time]Segment{}
		for _, p := range packets {
			if at, ok := last[p.Tuple]; !ok || g.timeout > 0 && p.Time-at > g.timeout {
				start[p.Tuple] = p.Time
			}
			if want[p.Tuple] == nil {
				want[p.Tuple] = map[units.Time]Segment{}
			}
			last[p.Tuple] = p.Time
			bin := start[p.Tuple] + (p.Time-start[p.Tuple])/g.width*g.width
			s := want[p.Tuple][bin]
			want[p.Tuple][bin] = Segment{bin, bin + g.width, s.Packets + 1, s.Bytes + float64(p.Bytes)}
		}
		for _, f := range w.Flows {
			for _, s := range f.Segments {
				if want[f.Tuple][s.Start] != s {
					t.Fatalf("seed %d: %v: got %+v, want %+v", seed, f.Tuple, s, want[f.Tuple][s.Start])
				}
				delete(want[f.Tuple], s.Start)
			}
		}
		for tuple, rest := range want {
			if len(rest) > 0 {
				t.Fatalf("seed %d: %v: no segments for %v", seed, tuple, rest)
			}
		}
	}
}

func TestSpeedCopiesAndCut(t *testing.T) {
	path := filepath.Join("data", "tls2.pcap.gz")
	whole, err := ReadCapture(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	packets, bytes := whole.Totals()
	fast, err := ReadCapture(path, Options{Speedup: 10, Copies: 5, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	check(t, fast)
	p, b := fast.Totals()
	if p != 5*packets || b != 5*bytes || len(fast.Flows) != 5*len(whole.Flows) {
		t.Errorf("5 copies: %v packets, %v bytes, %d flows; want 5 times %v, %v, %d", p, b, len(fast.Flows),
			packets, bytes, len(whole.Flows))
	}
	tuples := map[flow.FiveTuple]bool{}
	for _, f := range fast.Flows {
		tuples[f.Tuple] = true
	}
	if len(tuples) != len(fast.Flows) {
		t.Errorf("%d five-tuples in %d flows: copies collide", len(tuples), len(fast.Flows))
	}
	if end, most := fast.End(), whole.End()/10*2; end > most || end < whole.End()/10 {
		t.Errorf("ends at %v, want up to %v", end, most)
	}
	again, _ := ReadCapture(path, Options{Speedup: 10, Copies: 5, Seed: 3})
	if !reflect.DeepEqual(fast, again) {
		t.Error("the same seed gave another workload")
	}
	if want := "pcap tls2.pcap.gz: 7451 packets, 2734637 bytes, 665 flows, 10 times as fast, 5 copies with shifted " +
		"addresses and random phases"; fast.Provenance[0] != want {
		t.Errorf("provenance is %q, want %q", fast.Provenance[0], want)
	}
	sum := 0.0
	for _, cut := range [][2]units.Time{{0, 50 * units.Second}, {50 * units.Second, 100 * units.Second},
		{100 * units.Second, 0}} {
		w, err := ReadCapture(path, Options{From: cut[0], To: cut[1]})
		if err != nil {
			t.Fatal(err)
		}
		check(t, w)
		p, _ := w.Totals()
		sum += p
		if w.Skipped[0].Reason != outsideCut || float64(w.Skipped[0].N) != packets-p {
			t.Errorf("cut %v: %v left out, want %v", cut, w.Skipped, packets-p)
		}
	}
	if sum != packets {
		t.Errorf("three cuts hold %v packets, want %v", sum, packets)
	}
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"speedup is NaN":           {Speedup: math.NaN()},
		"speedup is -1":            {Speedup: -1},
		"at speedup 1e-300":        {Speedup: 1e-300},
		"copies is -1":             {Copies: -1},
		"want at most 16777216 fl": {Copies: math.MaxInt32},
		"25230 copies of 665":      {Copies: 25230},
		"resolution is -1ps":       {Resolution: -1},
		"timeout is -1ps":          {Timeout: -1},
		"mtu is 100 bytes":         {MTU: 100},
		"cut is from 2ps":          {From: 2, To: 1},
		"no packets, cut from 2h":  {From: 2 * units.Hour},
	} {
		if _, err := ReadCapture(filepath.Join("data", "tls2.pcap.gz"), o); err == nil ||
			!strings.Contains(err.Error(), strings.Replace(want, "2h", "7200s", 1)) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
}

func TestInspectMeasuresTheShippedCaptures(t *testing.T) {
	for _, c := range []struct {
		file  string
		uni   int
		bi    int
		open  int
		peaks [3]float64
	}{
		{"echo-connections.pcap.gz", 1000, 500, 917, [3]float64{24559, 43800, 211000}},
		{"tls2.pcap.gz", 665, 334, 126, [3]float64{690, 5700, 38000}},
	} {
		s, err := Inspect(filepath.Join("data", c.file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.FlowsUni != c.uni || s.FlowsBi != c.bi || s.Concurrent != c.open {
			t.Errorf("%s: flows %d, %d, at once %d; want %d, %d, %d", c.file, s.FlowsUni, s.FlowsBi, s.Concurrent,
				c.uni, c.bi, c.open)
		}
		for i, p := range s.Peaks {
			if p.PPS != c.peaks[i] {
				t.Errorf("%s: peak over %v is %v, want %v", c.file, p.Window, p.PPS, c.peaks[i])
			}
		}
		packets, bits := 0.0, 0.0
		for i := range s.Series.PPS {
			packets += s.Series.PPS[i] * s.Series.Bin.Seconds()
			bits += s.Series.BPS[i] * s.Series.Bin.Seconds()
		}
		if math.Abs(packets-float64(s.Packets)) > 1e-6 || math.Abs(bits/8-float64(s.Bytes)) > 1e-3 {
			t.Errorf("%s: the series holds %v packets and %v bytes, want %d and %d", c.file, packets, bits/8, s.Packets,
				s.Bytes)
		}
	}
}

func TestInspectPrintsATable(t *testing.T) {
	s, err := Inspect(filepath.Join("data", "tls2.pcap.gz"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "tls2.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A flow's rate is its mean from the first packet to the end, with the silence between; a constant flow has its own.
func TestFlowRate(t *testing.T) {
	second := units.Second
	for _, c := range []struct {
		what     string
		segments []Segment
		want     float64
	}{
		{"none", nil, 0},
		{"constant", []Segment{{Start: 3 * second, End: 5 * second, Packets: 8}}, 4},
		{"silence between",
			[]Segment{{Start: 0, End: second, Packets: 6}, {Start: 2 * second, End: 4 * second, Packets: 2}}, 2},
	} {
		if got := (&Flow{Segments: c.segments}).Rate(); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
