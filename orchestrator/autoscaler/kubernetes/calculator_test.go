package kubernetes

import (
	"errors"
	"maps"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// podsOf reads pods as [class, usage, request], of which the last two may be left out.
func podsOf(t *testing.T, pods [][]any, classes map[string]Class) []Pod {
	t.Helper()
	var all []Pod
	for _, p := range pods {
		class, known := classes[p[0].(string)]
		if !known {
			t.Fatalf("a pod of class %v", p[0])
		}
		pod := Pod{Class: class}
		if len(p) > 1 && p[1] != nil {
			pod.Usage = int64(p[1].(int))
		}
		if len(p) > 2 {
			pod.Request = int64(p[2].(int))
		}
		all = append(all, pod)
	}
	return all
}

// tolerances reads [down, up], 0.1 where nothing is given.
func tolerances(given []float64) Tolerances {
	if given == nil {
		return Tolerances{.1, .1}
	}
	return Tolerances{given[0], given[1]}
}

func TestUtilization(t *testing.T) {
	classes := map[string]Class{"ready": Ready, "unready": Unready, "missing": Missing, "ignored": Ignored}
	for _, v := range policytest.Vectors(t, "hpa", "CPU utilisation to replicas") {
		in := policytest.Decode[struct {
			Current   int
			Target    int64
			Pods      [][]any
			Tolerance []float64
		}](t, &v.In)
		want := policytest.Decode[[2]int64](t, &v.Out)
		n, percent, err := Utilization(in.Current, in.Target, tolerances(in.Tolerance), podsOf(t, in.Pods, classes))
		if err != nil || int64(n) != want[0] || percent != want[1] {
			t.Errorf("%s: %d at %d %%, %v, want %v", v.ID, n, percent, err, want)
		}
	}
}

func TestOtherKindsOfMetric(t *testing.T) {
	for _, v := range policytest.Vectors(t, "hpa", "other kinds of metric to replicas") {
		in := policytest.Decode[struct {
			Kind                    string
			Current, Ready, Missing int
			Target, Usage           int64
			Levels                  []int64
			Tolerance               []float64
		}](t, &v.In)
		want := policytest.Decode[[2]int64](t, &v.Out)
		tol := tolerances(in.Tolerance)
		var n int
		var usage int64
		var err error
		switch in.Kind {
		case "pods":
			pods := make([]Pod, in.Missing)
			for i := range pods {
				pods[i].Class = Missing
			}
			for _, l := range in.Levels {
				pods = append(pods, Pod{Usage: l})
			}
			n, usage, err = Average(in.Current, in.Target, tol, pods)
		case "value":
			n, err = Value(in.Current, in.Current, in.Ready, in.Target, in.Usage, tol)
			usage = in.Usage
		case "average":
			n, usage = AverageValue(in.Current, in.Target, in.Usage, tol)
		default:
			t.Fatalf("%s: kind %s", v.ID, in.Kind)
		}
		if err != nil || int64(n) != want[0] || usage != want[1] {
			t.Errorf("%s: %d at %d, %v, want %v", v.ID, n, usage, err, want)
		}
	}
}

func TestGroupingOfAPod(t *testing.T) {
	const now = 2_000_000 * units.Second
	ago := func(seconds float64) units.Time { return now - units.FromSeconds(min(seconds, 1e6)) }
	classes := map[string]Class{"ready": Ready, "unready": Unready, "missing": Missing, "ignored": Ignored}
	for _, v := range policytest.Vectors(t, "hpa", "grouping of a pod for CPU") {
		in := policytest.Decode[struct {
			Metric, Phase             string
			Deleting                  bool
			Ready                     *bool
			Start, Transition, Window float64
			Sample                    *float64
		}](t, &v.In)
		s := Status{Gone: in.Deleting, Pending: in.Phase == "Pending", Measured: in.Sample != nil,
			Started: ago(in.Start), Since: ago(in.Transition), Window: units.FromSeconds(in.Window)}
		if in.Sample != nil {
			s.Sampled = ago(*in.Sample)
		}
		if in.Ready != nil {
			s.Condition = map[bool]Condition{false: False, true: True}[*in.Ready]
		}
		got := s.Class(now, in.Metric == "", Delays{Initialization: 120 * units.Second, Readiness: 10 * units.Second})
		if want := policytest.Decode[string](t, &v.Out); got != classes[want] {
			t.Errorf("%s: class %d, want %s", v.ID, got, want)
		}
	}
}

// At the ends of the times that the grouping compares, and what it does without a condition. Derived from the source:
// no vector has them.
func TestGroupingAtTheEdges(t *testing.T) {
	const second = units.Second
	d := Delays{Initialization: 120 * second, Readiness: 10 * second}
	young := Status{Measured: true, Condition: True, Started: 0, Since: 50 * second, Window: 30 * second}
	edited := func(edit func(*Status)) Status {
		s := young
		edit(&s)
		return s
	}
	for name, c := range map[string]struct {
		now  units.Time
		s    Status
		want Class
	}{
		"a window after readiness": {119 * second, edited(func(s *Status) { s.Sampled = 80 * second }), Ready},
		"a bit less":               {119 * second, edited(func(s *Status) { s.Sampled = 80*second - 1 }), Unready},
		"initialised":              {120 * second, edited(func(s *Status) { s.Sampled = 80*second - 1 }), Ready},
		"not ready, and young":     {119 * second, edited(func(s *Status) { s.Condition = False }), Unready},
		"not ready, later":         {120 * second, edited(func(s *Status) { s.Condition = False }), Ready},
		"no condition":             {500 * second, edited(func(s *Status) { s.Condition = Unknown }), Unready},
		"no start":                 {500 * second, edited(func(s *Status) { s.Started = units.Never }), Unready},
		"no metric":                {500 * second, edited(func(s *Status) { s.Measured = false }), Missing},
		"pending":                  {500 * second, Status{Pending: true}, Unready},
		"pending and deleted":      {500 * second, Status{Pending: true, Gone: true}, Ignored},
	} {
		if got := c.s.Class(c.now, true, d); got != c.want {
			t.Errorf("%s: class %d, want %d", name, got, c.want)
		}
	}
}

// observed is a case of the running calculator.
type observed struct {
	ID        string
	Kind      string
	Current   int
	Target    int64
	Tolerance []float64
	Pods      [][]any
	External  int64
	Out       yaml.Node
}

func TestTheRunningCalculator(t *testing.T) {
	cpu := map[string]Class{
		"ready": Ready, "unready": Unready, "pending": Unready, "missing": Missing, "failed": Ignored,
	}
	readinessIgnored := maps.Clone(cpu)
	readinessIgnored["unready"] = Ready
	cases := policytest.Observed[observed](t, "hpa", "replica calculator, 150 random cases")
	if len(cases) != 150 {
		t.Errorf("%d cases, want 150", len(cases))
	}
	for _, c := range cases {
		tol := tolerances(c.Tolerance)
		var n int
		var usage int64
		var err error
		switch c.Kind {
		case "cpu":
			n, usage, err = Utilization(c.Current, c.Target, tol, podsOf(t, c.Pods, cpu))
		case "raw":
			n, usage, err = Average(c.Current, c.Target, tol, podsOf(t, c.Pods, cpu))
		case "pods":
			n, usage, err = Average(c.Current, c.Target, tol, podsOf(t, c.Pods, readinessIgnored))
		case "external":
			ready := 0
			for _, p := range c.Pods {
				if p[0] == "ready" || p[0] == "missing" { // they run, and are ready
					ready++
				}
			}
			n, err = Value(c.Current, len(c.Pods), ready, c.Target, c.External, tol)
			usage = c.External
		case "external-average":
			n, usage = AverageValue(c.Current, c.Target, c.External, tol)
		default:
			t.Fatalf("%s: kind %s", c.ID, c.Kind)
		}
		if c.Out.Value == "error" {
			if !errors.Is(err, ErrNoMetrics) {
				t.Errorf("%s: %d at %d, want an error", c.ID, n, usage)
			}
			continue
		}
		if want := policytest.Decode[[2]int64](t, &c.Out); err != nil || int64(n) != want[0] || usage != want[1] {
			t.Errorf("%s, %s: %d at %d, %v, want %v", c.ID, c.Kind, n, usage, err, want)
		}
	}
}

// Numbers that are too large stop at the largest that there is.
func TestLargeNumbers(t *testing.T) {
	const most = 1<<63 - 1
	large := []Pod{{Usage: most, Request: 1}, {Usage: most, Request: 1}}
	for name, got := range map[string]func() (int, int64, error){
		"utilisation": func() (int, int64, error) { return Utilization(1, 1, Tolerances{}, large) },
		"average":     func() (int, int64, error) { return Average(1, 1, Tolerances{}, large) },
	} {
		if n, found, err := got(); n != MostReplicas || found <= 0 || err != nil {
			t.Errorf("%s: %d at %d, %v, want %d", name, n, found, err, MostReplicas)
		}
	}
	exact := []Pod{{Usage: most / 2, Request: most / 2}, {Usage: most / 2, Request: most / 2}}
	if n, percent, _ := Utilization(2, 50, Tolerances{}, exact); n != 4 || percent != 100 {
		t.Errorf("%d at %d %%, want 4 at 100 %%", n, percent)
	}
	if n, err := Value(0, 0, 0, 1, most, Tolerances{}); n != MostReplicas || err != nil {
		t.Errorf("from 0 to %d, want %d", n, MostReplicas)
	}
	for _, usage := range []int64{0, 5} {
		n, average := AverageValue(0, 2, usage, Tolerances{})
		if n != int(usage+1)/2 || (average > 0) != (usage > 0) {
			t.Errorf("%d of no pod: %d at %d", usage, n, average)
		}
	}
}

// Derived from the source, where no vector has it.
func TestTheCalculatorAtTheEdges(t *testing.T) {
	tol := Tolerances{.1, .1}
	t.Run("a ratio at the end of the tolerance is within it", func(t *testing.T) {
		for usage, want := range map[int64]int{899: 9, 900: 10, 1100: 10, 1101: 12} {
			if n, err := Value(10, 10, 10, 1000, usage, tol); n != want || err != nil {
				t.Errorf("%d of 1000: %d, %v, want %d", usage, n, err, want)
			}
		}
	})
	t.Run("what has no metric is taken to use a target above 100 %", func(t *testing.T) {
		pods := []Pod{{Usage: 1000, Request: 1000}, {Class: Missing, Request: 1000}, {Class: Missing, Request: 1000}}
		if n, percent, err := Utilization(3, 200, tol, pods); n != 3 || percent != 100 || err != nil {
			t.Errorf("%d at %d %%, %v, want 3 at 100 %%", n, percent, err) // 166 of 200 %; with 100 % it were 2
		}
	})
	t.Run("from none there is no tolerance", func(t *testing.T) {
		for usage, want := range map[int64]int{0: 0, 1: 1, 1000: 1, 1050: 2} {
			if n, err := Value(0, 0, 0, 1000, usage, tol); n != want || err != nil {
				t.Errorf("%d of 1000: %d, %v, want %d", usage, n, err, want)
			}
		}
	})
	t.Run("no pod, no request", func(t *testing.T) {
		for usage, fails := range map[int64]bool{3600: true, 3300: false, 2700: false, 0: true} {
			if n, err := Value(3, 0, 0, 1000, usage/3, tol); (err != nil) != fails || !fails && n != 3 {
				t.Errorf("%d of 1000 without a pod: %d, %v, want an error: %v", usage/3, n, err, fails)
			}
		}
		if n, _, err := Average(3, 1, tol, nil); err == nil {
			t.Errorf("%d without a pod, want an error", n)
		}
		if n, _, err := Utilization(3, 1, tol, []Pod{{Usage: 5}}); err == nil {
			t.Errorf("%d without a request, want an error", n)
		}
	})
}
