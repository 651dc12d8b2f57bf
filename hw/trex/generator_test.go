package trex

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/units"
)

// What the plant wants of a generator, as streams of TRex.
func TestPlan(t *testing.T) {
	v4, v6 := tuple("16.0.0.1", "48.0.0.1", flow.UDP), tuple("fd00::1", "fd00::2", flow.UDP)
	stream := func(id flow.ID, tt flow.FiveTuple, start, end time.Duration) hw.Stream {
		return hw.Stream{Flow: id, Tuple: tt, Start: start, End: end, Rate: 1000, FrameSize: 128}
	}
	s := time.Second
	two := []hw.Stream{stream(7, v4, 0, s), stream(3, v4, 10*s, 330*s), stream(7, v4, 2*s, 3*s)}
	for _, c := range []struct {
		name     string
		streams  []hw.Stream
		counters int
		ordered  bool
		groups   []uint32 // of each stream
		owners   map[uint32]flow.ID
	}{
		{"a flow's streams share its counter", two, 2, false, []uint32{1, 2, 1}, map[uint32]flow.ID{1: 7, 2: 3}},
		{"numbered, each stream has its own", two, 3, true, []uint32{1, 2, 3}, map[uint32]flow.ID{1: 7, 2: 3, 3: 7}},
		{"too few counters: flows are not told apart", two, 1, false, []uint32{0, 0, 0}, nil},
		{"nor where one of them is IPv6", []hw.Stream{two[0], stream(4, v6, 0, s)}, 9, false, []uint32{0, 0}, nil},
		{"less than a packet is left out", []hw.Stream{stream(1, v4, 0, 100*time.Microsecond), stream(2, v4, 0, s)}, 9,
			false, []uint32{1}, map[uint32]flow.ID{1: 2}},
	} {
		g := &Generator{options: GeneratorOptions{Ordered: c.ordered}}
		flows, owners, err := g.plan(c.streams, c.counters)
		if err != nil || len(flows) != len(c.groups) || len(owners) != len(c.owners) {
			t.Errorf("%s: %d streams, owners %v, %v", c.name, len(flows), owners, err)
			continue
		}
		for i, f := range flows {
			if f.Group != c.groups[i] || f.Latency != c.ordered {
				t.Errorf("%s: stream %d has group %d, want %d", c.name, i, f.Group, c.groups[i])
			}
		}
		for group, id := range c.owners {
			if owners[group] != id {
				t.Errorf("%s: group %d counts flow %d, want %d", c.name, group, owners[group], id)
			}
		}
	}

	flows, _, err := (&Generator{}).plan(two, 9)
	if f := flows[1]; err != nil || f.Start != 10*units.Second || f.Total != 320_000 || f.Rate != 1000 ||
		f.Frame != 128 {
		t.Errorf("from 10 s to 330 s at 1000 pps: %+v, %v", f, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	good := hw.Stream{Flow: 9, Tuple: tuple("16.0.0.1", "48.0.0.1", flow.UDP), End: time.Second, Rate: 1000,
		FrameSize: 64}
	for _, c := range []struct {
		change  func(*hw.Stream)
		ordered bool
		want    string
	}{
		{func(s *hw.Stream) { s.End = 0 }, false, "stream 1, flow 9: it runs from 0s to 0s"},
		{func(s *hw.Stream) { s.Start = -1 }, false, "want an end after its start"},
		{func(s *hw.Stream) { s.Rate = 0 }, false, "rate is 0pps"},
		{func(s *hw.Stream) { s.Rate = units.PPS(math.NaN()) }, false, "rate is"},
		{func(s *hw.Stream) { s.Rate = 1e10 }, false, "TRex counts a stream up to 4294967295"},
		{func(s *hw.Stream) { s.Tuple = tuple("fd00::1", "fd00::2", flow.UDP) }, true, "cannot be told apart"},
	} {
		bad := good
		c.change(&bad)
		_, _, err := (&Generator{options: GeneratorOptions{Ordered: c.ordered}}).plan([]hw.Stream{good, bad}, 9)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", bad, err, c.want)
		}
	}
	if _, _, err := (&Generator{}).plan(nil, 9); err == nil {
		t.Error("no streams are loaded without an error")
	}
}
