package study

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// tight says where a run up to end asks for more rules than a switch is known to hold, or to take in a second. That is
// not a mistake: what does not fit stays on the slow path.
func tight(w *traces.Workload, end units.Time, c hw.Capabilities) (said []string) {
	var begins, ends []units.Time
	for i := range w.Flows {
		if s := w.Flows[i].Segments; len(s) > 0 && s[0].Start < end {
			begins, ends = append(begins, s[0].Start), append(ends, s[len(s)-1].End)
		}
	}
	slices.Sort(begins)
	slices.Sort(ends)
	atOnce, inASecond := 0, 0 // at most
	gone, old := 0, 0
	for i, t := range begins {
		for ends[gone] <= t {
			gone++
		}
		for begins[old] <= t-units.Second {
			old++
		}
		atOnce, inASecond = max(atOnce, i+1-gone), max(inASecond, i+1-old)
	}
	if c.MaxRules > 0 && atOnce > c.MaxRules {
		said = append(said, fmt.Sprintf("the scenario has up to %d flows at once, and the switch holds %d rules: the "+
			"others stay on the slow path", atOnce, c.MaxRules))
	}
	if c.InstallRate > 0 && float64(inASecond) > c.InstallRate {
		said = append(said, fmt.Sprintf("the scenario has up to %d new flows in a second, and the switch was "+
			"measured to take %.0f rules a second: flows wait for theirs on the slow path", inASecond, c.InstallRate))
	}
	return said
}
