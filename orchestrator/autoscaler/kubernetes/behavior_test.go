package kubernetes

import (
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

const now = 10_000 * units.Second

// condition is the one that a reason begins with.
func condition(reason string) string {
	name, _, _ := strings.Cut(reason, ":")
	return name
}

// policiesOf reads policies as [type, value, period].
func policiesOf(given [][]any) (all []ScalingPolicy) {
	for _, p := range given {
		all = append(all, ScalingPolicy{p[0].(string), p[1].(int), p[2].(int)})
	}
	return all
}

// before reads events as [age in s, number].
func before(given [][2]int) (all []event) {
	for _, e := range given {
		all = append(all, event{now - units.Time(e[0])*units.Second, e[1]})
	}
	return all
}

// recommended reads recommendations as [number, age in s].
func recommended(given [][2]int) (all []event) {
	for _, r := range given {
		all = append(all, event{now - units.Time(r[1])*units.Second, r[0]})
	}
	return all
}

// behaving is a completed behavior with these policies.
func behaving(up, down [][]any, selected string) *Behavior {
	s := Spec{Behavior: &Behavior{
		ScaleUp:   Rules{SelectPolicy: selected, Policies: policiesOf(up)},
		ScaleDown: Rules{SelectPolicy: selected, Policies: policiesOf(down)},
	}}
	s.complete()
	return s.Behavior
}

func TestRateLimits(t *testing.T) {
	type outcome struct {
		replicas  int
		condition string
	}
	for _, v := range policytest.Vectors(t, "hpa", "behaviour: rate limits") {
		in := policytest.Decode[struct {
			Current, Desired, Min, Max int
			Up, Down                   [][]any
			Ups, Downs                 [][2]int
		}](t, &v.In)
		out := policytest.Decode[[]any](t, &v.Out)
		c := changes{before(in.Ups), before(in.Downs)}
		n, reason := c.limit(behaving(in.Up, in.Down, ""), now, in.Current, in.Desired, in.Min, in.Max)
		got, want := outcome{n, condition(reason)}, outcome{out[0].(int), out[1].(string)}
		if got != want {
			t.Errorf("%s: %v, want %v", v.ID, got, want)
		}
	}
}

func TestLimitWithMin(t *testing.T) {
	for _, v := range policytest.Vectors(t, "hpa", "behaviour: limit with selectPolicy Min") {
		in := policytest.Decode[struct {
			Current   int
			Direction string
			Policies  [][]any
		}](t, &v.In)
		b, far := behaving(in.Policies, in.Policies, "Min"), map[string]int{"up": 1000, "down": 0}[in.Direction]
		var c changes
		got, _ := c.limit(b, now, in.Current, far, 0, 1000)
		if want := policytest.Decode[int](t, &v.Out); got != want {
			t.Errorf("%s: %d, want %d", v.ID, got, want)
		}
	}
}

func TestDisabled(t *testing.T) {
	var c changes
	b := behaving(nil, nil, "Disabled")
	for _, desired := range []int{1, 5, 100} {
		if n, reason := c.limit(b, now, 5, desired, 1, 100); n != 5 {
			t.Errorf("5 to %d: %d, %s, want 5", desired, n, reason)
		}
	}
}

// A change that is exactly as old as the period of a policy counts no more. Derived from the source.
func TestTheEndOfAPeriod(t *testing.T) {
	b := behaving([][]any{{"Pods", 4, 60}}, [][]any{{"Pods", 4, 60}}, "")
	for age, want := range map[units.Time]int{60*units.Second - 1: 12, 60 * units.Second: 14} {
		c := changes{ups: []event{{now - age, 2}}}
		if n, _ := c.limit(b, now, 10, 99, 1, 99); n != want {
			t.Errorf("after %v: %d, want %d", age, n, want)
		}
	}
}

// A change that is older than the longest period of its own direction gives its place to the next one, even where a
// policy of the other direction would still count it. Found with the running controller.
func TestWhichChangesAreForgotten(t *testing.T) {
	b := behaving([][]any{{"Pods", 4, 15}}, [][]any{{"Pods", 1, 60}}, "")
	for _, c := range []struct {
		ups  [][2]int // at second, by how many
		want int      // the least at 45 s, from 20: one fewer than what changes left at the begin of 60 s
	}{
		{[][2]int{{0, 4}}, 15},
		{[][2]int{{0, 4}, {15, 2}}, 13},
		{[][2]int{{0, 4}, {16, 2}}, 17},
		{[][2]int{{0, 4}, {10, 3}, {30, 2}}, 13}, // of two that are old, the later one is forgotten
		{[][2]int{{0, 4}, {10, 3}, {30, 2}, {32, 1}}, 16},
	} {
		var changed changes
		for _, up := range c.ups {
			changed.add(b, units.Time(up[0])*units.Second, 1, 1+up[1])
		}
		if n, _ := changed.limit(b, 45*units.Second, 20, 1, 1, 99); n != c.want {
			t.Errorf("after %v: %d, want %d", c.ups, n, c.want)
		}
	}
}

func TestLimitsWithoutBehavior(t *testing.T) {
	for _, v := range policytest.Vectors(t, "hpa", "without behaviour: limits") {
		in, out := policytest.Decode[[4]int](t, &v.In), policytest.Decode[[]any](t, &v.Out)
		n, reason := limitUp(in[0], in[1], in[2], in[3])
		if n != out[0].(int) || condition(reason) != out[1].(string) {
			t.Errorf("%s: %d, %s, want %v", v.ID, n, reason, out)
		}
	}
	for name, c := range map[string]struct {
		current, desired, least, most, want int
		reason                              string
	}{
		"of few, 4":        {1, 100, 1, 100, 4, scaleUpLimit},
		"the least":        {5, 1, 3, 100, 3, tooFewReplicas},
		"the most":         {5, 100, 1, 8, 8, tooManyReplicas},
		"the most is both": {5, 100, 1, 10, 10, tooManyReplicas},
	} {
		if n, reason := limitUp(c.current, c.desired, c.least, c.most); n != c.want || reason != c.reason {
			t.Errorf("%s: %d, %s, want %d, %s", name, n, reason, c.want, c.reason)
		}
	}
}

func TestStabilizationWithoutBehavior(t *testing.T) {
	for _, v := range policytest.Vectors(t, "hpa", "without behaviour: stabilisation of 300 s") {
		in := policytest.Decode[struct {
			Recommendations [][2]int
			Desired         int
		}](t, &v.In)
		n, reason := stabilizeDown(recommended(in.Recommendations), now, 300*units.Second, in.Desired)
		if want := policytest.Decode[int](t, &v.Out); n != want || (reason == readyForNewScale) != (n == in.Desired) {
			t.Errorf("%s: %d, %s, want %d", v.ID, n, reason, want)
		}
	}
}

func TestStabilizationWindows(t *testing.T) {
	for _, v := range policytest.Vectors(t, "hpa", "behaviour: stabilisation windows") {
		in := policytest.Decode[struct {
			Recommendations  [][2]int
			Current, Desired int
			Up               int `yaml:"up_window"`
			Down             int `yaml:"down_window"`
		}](t, &v.In)
		n, reason := stabilize(recommended(in.Recommendations), now, units.Time(in.Up)*units.Second,
			units.Time(in.Down)*units.Second, in.Current, in.Desired)
		want := policytest.Decode[int](t, &v.Out)
		if n != want || (reason == readyForNewScale) != (n == in.Desired) {
			t.Errorf("%s: %d, %s, want %d", v.ID, n, reason, want)
		}
	}
}

// The two paths differ in a recommendation that is exactly as old as the window.
func TestTheEndOfAWindow(t *testing.T) {
	const window = 300 * units.Second
	for _, c := range []struct {
		age            units.Time
		older, present int
	}{{window - 1, 9, 9}, {window, 9, 3}, {window + 1, 3, 3}} {
		past := []event{{now - c.age, 9}}
		older, _ := stabilizeDown(past, now, window, 3)
		present, _ := stabilize(past, now, 0, window, 9, 3)
		if older != c.older || present != c.present {
			t.Errorf("after %v: %d without and %d with a behavior, want %d and %d",
				c.age, older, present, c.older, c.present)
		}
	}
}
