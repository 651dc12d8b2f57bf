package nomad

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var thresholdRow = policy.ScalerRow{Info: policy.Info{
	Name:   "nomad-threshold",
	Rule:   "the action of a check within whose bounds enough of the last readings of the mean utilisation are",
	Source: source + "threshold; policy/handler.go",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  state + "; one utilisation for each reading of the counters in the query window",
	Cost:   "n, and the readings",
	Deviates: deviates + "; a point of the series is a reading of the counters or reports, where Nomad has those of " +
		"its metrics store; a number of -1 is below 0 as any other, where Nomad takes it for a dry run and changes " +
		"nothing",
}, ScalerMaker: policy.MakeScaler(newThreshold)}

type thresholdOptions struct {
	signal.Metered `yaml:",inline"`
	Window         units.Time `yaml:"query_window" default:"1min"`
	Checks         []check    `yaml:"checks"`
	Pause          `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (thresholdOptions) Docs() string {
	return `
query_window: the readings of this long are looked at
checks: the checks, all of them in each evaluation; without any, the two of Nomad's documentation, in one group: one
	instance more from 0.7 on, one fewer below 0.3
`
}

// check is one check of a policy, with a metric of its own kind: the mean utilisation.
type check struct {
	Lower   float64 `yaml:"lower_bound" default:"0" min:"0"`
	Upper   float64 `yaml:"upper_bound" default:"0" min:"0"`
	Action  string  `yaml:"action" enum:"delta|percentage|value" default:"delta"`
	By      float64 `yaml:"by" default:"1"`
	Trigger int     `yaml:"within_bounds_trigger" default:"5" min:"0"`
	Group   string  `yaml:"group" default:""`
}

// Docs implements strictyaml.Documented.
func (check) Docs() string {
	return `
lower_bound: the mean utilisation of the instances' limit from which on a reading is within the bounds
upper_bound: the one from which on it is not any more; 0 for none
action: what by is: delta, a number to add; percentage, of the present number, to add; value, the new number
by: how much, negative to scale in; a whole number unless action is percentage
within_bounds_trigger: readings in the query window that must be within the bounds
group: in a group of checks, those that want no change count only if all do; checks without a group stand alone
`
}

// documented are the checks of the example in Nomad's documentation of the strategy, without its upper bound of 100 %:
// the load that is offered may be more than what the instances can process.
var documented = []check{
	{Lower: .7, Action: "delta", By: 1, Trigger: 5, Group: "utilisation"},
	{Upper: .3, Action: "delta", By: -1, Trigger: 5, Group: "utilisation"},
}

// run is what the check says of these points.
func (c *check) run(points []float64, count int) action {
	upper := c.Upper
	if upper == 0 {
		upper = math.Inf(1)
	}
	inside := 0
	for _, v := range points {
		if v >= c.Lower && v < upper {
			inside++
		}
	}
	reason := strconv.Itoa(inside) + " of " + strconv.Itoa(len(points)) + " readings are " + c.bounds()
	if len(points) == 0 || inside < c.Trigger {
		return action{count, reason + ": too few"}
	}
	to := 0.0
	switch c.Action {
	case "delta":
		to = float64(count) + c.By
	case "percentage":
		to = math.Ceil(float64(count) * (1 + c.By/100))
	case "value":
		to = c.By
	}
	return action{signal.Whole(to), reason}
}

func (c *check) bounds() string {
	if c.Upper == 0 {
		return "from " + signal.Percent(c.Lower) + " on"
	}
	if c.Lower == 0 {
		return "below " + signal.Percent(c.Upper)
	}
	return "from " + signal.Percent(c.Lower) + " to below " + signal.Percent(c.Upper)
}

// threshold keeps the readings of the query window, each once.
type threshold struct {
	thresholdOptions
	at     []units.Time
	points []float64
	groups []string // in order of their first check
}

func newThreshold(o thresholdOptions, _ policy.Env) (policy.Scaler, error) {
	if len(o.Checks) == 0 {
		o.Checks = documented
	}
	t := &threshold{thresholdOptions: o}
	seen := map[string]bool{}
	for i, c := range o.Checks {
		if c.Action != "percentage" && c.By != math.Trunc(c.By) {
			return nil, fmt.Errorf("checks: %d: by: %v: want a whole number with action: %s", i, c.By, c.Action)
		}
		if !seen[c.Group] {
			seen[c.Group] = true
			t.groups = append(t.groups, c.Group)
		}
	}
	return metered(o.Pause, o.Metered, t.check)
}

// check says what all checks together want: one that scales out beats one that wants no change, which beats one that
// scales in, and of two that go in one direction the greater number wins. That is the greatest number.
func (t *threshold) check(s *policy.Snapshot, r signal.Reading) (winner action) {
	t.note(s.Now, r)
	for i, group := range t.groups {
		if a := t.ofGroup(s, group); i == 0 || a.count > winner.count {
			winner = a
		}
	}
	return winner
}

// ofGroup is what the checks of a group want. In a group, one that wants no change is passed over unless all do.
func (t *threshold) ofGroup(s *policy.Snapshot, group string) (winner action) {
	found := false
	for i := range t.Checks {
		if t.Checks[i].Group != group {
			continue
		}
		a := t.Checks[i].run(t.points, s.Wanted)
		a.count = within(s, a.count)
		switch none := group != "" && a.count == s.Wanted; {
		case none && !found && winner.reason == "":
			winner = a
		case !none && (!found || a.count > winner.count):
			winner, found = a, true
		}
	}
	return winner
}

// note keeps the newest reading, and forgets those that have left the window.
func (t *threshold) note(now units.Time, r signal.Reading) {
	if n := len(t.at); n > 0 && t.at[n-1] == r.At {
		t.points[n-1] = r.Utilisation
	} else {
		t.at, t.points = append(t.at, r.At), append(t.points, r.Utilisation)
	}
	old := 0
	for old < len(t.at) && now-t.at[old] > t.Window {
		old++
	}
	t.at = append(t.at[:0], t.at[old:]...)
	t.points = append(t.points[:0], t.points[old:]...)
}
