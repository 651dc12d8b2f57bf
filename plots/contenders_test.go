package plots

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// A name says in what a contender differs from the others.
func TestContendersAreNamedByWhatTellsThemApart(t *testing.T) {
	m := madeUp(t)
	stacks := slices.DeleteFunc(slices.Clone(controllers(t)), func(d data) bool { return d.autoscaling() != "hpa" })
	one := slices.DeleteFunc(slices.Clone(stacks), func(d data) bool { return d.stack != "kubernetes" })
	for _, c := range []struct {
		of   string
		ds   []data
		want string
	}{
		{"schedulers", m["compare"][:3], "best-fit; rss++; worst-fit"},
		{"options", m["compare"][3:5], "maglev, table 251; maglev, table 65537"},
		{"autoscalers", m["scaling"], "hpa; kpa"},
		{"stacks", stacks, "kubernetes; smartnic"},
		{"autoscalers and stacks", controllers(t), "hpa, kubernetes; hpa, smartnic; kpa, kubernetes; kpa, smartnic; " +
			"none, kubernetes; none, smartnic"},
		{"nothing", one, "hpa"},
	} {
		subject := (*data).autoscaling
		if c.of == "options" {
			subject = (*data).scheduling
		}
		got, _, err := contend(c.ds, subject)
		if err != nil {
			t.Fatal(err)
		}
		got.byName()
		var names []string
		for _, g := range got.all {
			names = append(names, g.name)
		}
		if all := strings.Join(names, "; "); all != c.want {
			t.Errorf("%s: %s, want %s", c.of, all, c.want)
		}
	}
}

// Stacks differ in much, but not in what is to be done.
func TestWhatStacksMayDifferIn(t *testing.T) {
	a := map[string]string{"workload.0.cbr.flows": "32", "nic.link": "100Gbps", "telemetry.window": "1s",
		"scheduler.policy": "hash"}
	for _, c := range []struct {
		key, value     string
		one, different string
	}{
		{"scheduler.policy", "rss", "", ""},
		{"scheduler.table", "5", "", ""},
		{"autoscaler.target", "0.5", "", ""},
		{"nic.link", "40Gbps", "nic.link", ""},
		{"telemetry.window", "15s", "telemetry.window", ""},
		{"vnf.start_latency", "3s", "vnf.start_latency", ""},
		{"workload.0.cbr.flows", "31", "workload.0.cbr.flows", "workload.0.cbr.flows"},
		{"instances.max", "9", "instances.max", "instances.max"},
		{"duration", "9s", "duration", "duration"},
	} {
		b := map[string]string{}
		for k, v := range a {
			b[k] = v
		}
		b[c.key] = c.value
		if one, different := unlike(a, b, false), unlike(a, b, true); one != c.one || different != c.different {
			t.Errorf("%s: %q in one stack, %q in two, want %q and %q", c.key, one, different, c.one, c.different)
		}
	}
}

// The measures of autoscalers stand there where these differ, and the costs are asked for.
func TestAutoscalersSideBySide(t *testing.T) {
	got := table(t, drawn(t, "compare", controllers(t), Options{}))
	for _, want := range []string{
		"(c) Instances,dots,\"none, smartnic\",3,",
		"(b) Loss,dots,\"kpa, smartnic\",",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestPareto(t *testing.T) {
	for _, c := range []struct{ x, y, fx, fy []float64 }{
		{[]float64{3}, []float64{1}, []float64{3}, []float64{1}},
		{[]float64{3, 1, 2}, []float64{1, 3, 2}, []float64{1, 2, 3}, []float64{3, 2, 1}},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}, []float64{1}, []float64{1}},             // the first is better in both
		{[]float64{1, 1, 2}, []float64{5, 4, 4}, []float64{1}, []float64{4}},             // equal in one
		{[]float64{1, 1, 2, 3}, []float64{4, 4, 5, 0}, []float64{1, 3}, []float64{4, 0}}, // equal in both
	} {
		fx, fy := pareto(c.x, c.y, true, true)
		if !slices.Equal(fx, c.fx) || !slices.Equal(fy, c.fy) {
			t.Errorf("of %v, %v: %v, %v, want %v, %v", c.x, c.y, fx, fy, c.fx, c.fy)
		}
		for i := range c.x { // a point is on the front unless another is as good in both and better in one
			beaten := false
			for k := range c.x {
				beaten = beaten || c.x[k] <= c.x[i] && c.y[k] <= c.y[i] && (c.x[k] < c.x[i] || c.y[k] < c.y[i])
			}
			at := slices.IndexFunc(fx, func(x float64) bool { return x == c.x[i] })
			if on := at >= 0 && fy[at] == c.y[i]; on == beaten {
				t.Errorf("(%g, %g) on the front: %v", c.x[i], c.y[i], on)
			}
		}
	}
}

// Each evaluation that changed the number, or in which a stage held it, has its dot, and no other has.
func TestReasonsOverTime(t *testing.T) {
	got := table(t, drawn(t, "scaling", madeUp(t)["scaling"], Options{}))
	for want, n := range map[string]int{
		"(a) hpa,dots,out,": 3, "(a) hpa,dots,in,": 0, "(a) hpa,dots,stabilise,": 19, "(a) hpa,dots,clamp,": 0,
		"(b) kpa,dots,out,": 6, "(b) kpa,dots,in,": 1, "(b) kpa,dots,stabilise,": 0,
		"(a) hpa,step,ready,100,6,6,6,2,": 1, "(b) kpa,step,wanted,22,4,": 1,
		"(b) kpa,step,needed by the load,22,3,":  1,
		"(b) kpa,line,lost,100,20.05,20,20.1,2,": 1,
		"Load,line,offered,100,100,":             1,
	} {
		if found := strings.Count(got, want); found != n {
			t.Errorf("%d of %q, want %d", found, want, n)
		}
	}
}

// Sums that differ by their rounding save nothing, so that a study without such policies has no column for it.
func TestSavedCores(t *testing.T) {
	for _, c := range []struct{ cores, instances, want float64 }{
		{10, 10, 0}, {0.30000000000000004, 0.3, 0}, {7.5, 10, 25}, {12, 10, -20},
	} {
		got := savedCores(&results.Costs{CoreTime: c.cores, InstanceTime: c.instances})
		if math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%g core-seconds in %g instance-seconds save %g %%, want %g", c.cores, c.instances, got, c.want)
		} else if c.want == 0 && got != 0 {
			t.Errorf("%g core-seconds in %g instance-seconds save %g %%, want none at all", c.cores, c.instances, got)
		}
	}
}
