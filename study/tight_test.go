package study

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

func TestTight(t *testing.T) {
	var w traces.Workload
	for _, s := range [][2]units.Time{{0, 2}, {0, 1}, {1, 3}, {2, 3}, {9, 10}, {9, 10}, {9, 10}} { // seconds
		w.Flows = append(w.Flows, traces.Flow{Segments: []traces.Segment{{Start: s[0] * units.Second,
			End: s[1] * units.Second, Packets: 1}}})
	}
	const atOnce = "the scenario has up to 2 flows at once, and the switch holds 1 rules: the others stay on the " +
		"slow path"
	const inASecond = "the scenario has up to 3 new flows in a second, and the switch was measured to take 2 rules a " +
		"second: flows wait for theirs on the slow path"
	for _, c := range []struct {
		end  units.Time
		caps hw.Capabilities
		want []string
	}{
		{9 * units.Second, hw.Capabilities{}, nil},
		{9 * units.Second, hw.Capabilities{MaxRules: 2, InstallRate: 2}, nil},
		{9 * units.Second, hw.Capabilities{MaxRules: 1, InstallRate: 2}, []string{atOnce}},
		{10 * units.Second, hw.Capabilities{MaxRules: 3, InstallRate: 2}, []string{inASecond}},
	} {
		if got := tight(&w, c.end, c.caps); !slices.Equal(got, c.want) {
			t.Errorf("up to %v with %+v: got %q, want %q", c.end, c.caps, got, c.want)
		}
	}
}
