package marathon

import (
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

func options(edit func(*Options)) (o Options) {
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, edit := range []func(*Options){
		nil,
		func(o *Options) { o.Mode, o.UpFactor, o.DownFactor, o.MinFlows, o.MaxFlows = "flows", 1, 1, 1, 2 },
		func(o *Options) { o.Mode, o.UpFactor, o.DownFactor, o.MinHeld, o.MaxHeld = "held", 1, 2, 1, 2 },
		func(o *Options) { o.Mode, o.UpFactor, o.DownFactor, o.Metric = "and", 1, 1, "processed" },
		func(o *Options) { o.Mode, o.Multiplier = "or", 1e12 },
		func(o *Options) { o.Mode, o.Bitwise, o.UpFactor = "or", false, 1 },
		func(o *Options) { o.Metric, o.UpFactor, o.DownFactor = "cpu", 1, 1 },
		func(o *Options) { o.Mode, o.MemoryLimit, o.UpFactor, o.DownFactor = "mem", 1<<30, 1, 2 },
		func(o *Options) { o.Mode, o.Metric, o.MemoryLimit, o.UpFactor = "or", "cpu", 1<<30, 1 },
	} {
		scalingtest.Run(t, Scalers[0], options(edit))
	}
}

// The source: modes/scalecpuandmem.py has one direction where both are equal and else 0, scalebycpuormem.py the bitwise
// or of both.
func TestDirectionsOfTwo(t *testing.T) {
	for _, c := range []struct{ a, b, and, or, sane direction }{
		{1, 1, 1, 1, 1}, {-1, -1, -1, -1, -1}, {0, 0, 0, 0, 0},
		{1, 0, 0, 1, 1}, {0, 1, 0, 1, 1}, {-1, 0, 0, -1, -1}, {0, -1, 0, -1, -1},
		{1, -1, 0, -1, 1}, {-1, 1, 0, -1, 1},
	} {
		if and, or, sane := both(c.a, c.b), either(c.a, c.b, true), either(c.a, c.b, false); and != c.and ||
			or != c.or || sane != c.sane {
			t.Errorf("%d and %d: %d, bitwise or %d, or %d, want %d, %d, %d",
				c.a, c.b, and, or, sane, c.and, c.or, c.sane)
		}
	}
}

// loaded is what is known of ready instances with these loads, of a limit of 100 packets a second.
func loaded(loads ...float64) *policy.Snapshot {
	s := &policy.Snapshot{Current: len(loads), Wanted: len(loads), Max: 20, Limit: 100, Measured: true,
		LastScaling: units.Never, LastScaleOut: units.Never}
	for k, l := range loads {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Flows: int32(l), Rate: telemetry.Rate{Rx: l, Tx: l / 2, Known: true}})
	}
	return s
}

func edited(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
	edit(s)
	return s
}

// By hand from marathon_autoscaler.py.
func TestCycles(t *testing.T) {
	hot, high, fair, low := loaded(81, 81), loaded(80, 80), loaded(60, 60), loaded(54, 54)
	starts := edited(loaded(101, 101), func(s *policy.Snapshot) {
		s.Instances = append(s.Instances, policy.Instance{ID: 9, State: policy.Starting})
		s.Current, s.Wanted = 3, 3
	})
	held := func(n int) *policy.Snapshot { return edited(loaded(60, 60), func(s *policy.Snapshot) { s.Held = n }) }
	once := func(o *Options) { o.UpFactor, o.DownFactor = 1, 1 }
	mode := func(m string) func(*Options) {
		return func(o *Options) {
			once(o)
			o.Mode = m
		}
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		s    []*policy.Snapshot
		want []int
	}{
		{"the third in a row scales out", nil, []*policy.Snapshot{hot, hot, hot, hot}, []int{2, 2, 3, 2}},
		{"the fourth in a row scales in", nil, []*policy.Snapshot{low, low, low, low, low}, []int{2, 2, 2, 1, 2}},
		{"one within the range begins anew", nil, []*policy.Snapshot{hot, hot, fair, hot, hot, hot},
			[]int{2, 2, 2, 2, 2, 3}},
		{"one on the other side begins anew", nil, []*policy.Snapshot{hot, hot, low, hot, hot, hot},
			[]int{2, 2, 2, 2, 2, 3}},
		{"also one of the others", nil, []*policy.Snapshot{low, low, low, hot, low, low, low, low},
			[]int{2, 2, 2, 2, 2, 2, 2, 1}},
		{"nor does one of each", func(o *Options) { o.UpFactor = 2 },
			[]*policy.Snapshot{hot, low, hot, low, hot, hot}, []int{2, 2, 2, 2, 2, 3}},
		{"one that cannot be read does not", nil, []*policy.Snapshot{hot, hot, starts, hot}, []int{2, 2, 3, 3}},
		{"the edges are within", once, []*policy.Snapshot{high, loaded(55, 55)}, []int{2, 2}},
		{"rounded up", once, []*policy.Snapshot{loaded(90, 90, 90)}, []int{5}},
		{"rounded down", once, []*policy.Snapshot{loaded(9, 9, 9, 9)}, []int{2}},
		{"the bounds", once, []*policy.Snapshot{edited(loaded(90, 90), func(s *policy.Snapshot) { s.Max = 2 }),
			edited(loaded(9, 9), func(s *policy.Snapshot) { s.Min = 2 })}, []int{2, 2}},
		{"one that failed is in the number", once, []*policy.Snapshot{
			edited(loaded(60, 60), func(s *policy.Snapshot) { s.Wanted = 3 }),
			edited(loaded(90, 90), func(s *policy.Snapshot) { s.Wanted = 4 })}, []int{3, 6}},
		{"by what came back", func(o *Options) {
			once(o)
			o.Metric = "processed"
		}, []*policy.Snapshot{loaded(120, 120)}, []int{2}},
		{"held flows, as a queue", mode("held"), []*policy.Snapshot{held(11), held(10), held(3), held(2)},
			[]int{3, 2, 2, 1}},
		{"no instance", mode("rate"), []*policy.Snapshot{
			loaded(), edited(loaded(), func(s *policy.Snapshot) { s.Held = 1 })}, []int{0, 1}},
		{"flows", mode("flows"), []*policy.Snapshot{loaded(101, 101), loaded(100, 50), loaded(49, 49)},
			[]int{3, 2, 1}},
		{"flows: one that starts has none", mode("flows"), []*policy.Snapshot{starts}, []int{3}},
		{"both", mode("and"), []*policy.Snapshot{loaded(101, 101), loaded(90, 90), loaded(45, 45)}, []int{3, 2, 1}},
		{"either", mode("or"), []*policy.Snapshot{loaded(90, 90), loaded(60, 60), loaded(52, 52)}, []int{3, 2, 1}},
	} {
		p, _ := newMarathon(options(c.edit), policy.Env{})
		var got []int
		for _, s := range c.s {
			got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// using are ready instances that use so much of a processor and of a memory of 100 bytes.
func using(cpu, memory float64, n int) *policy.Snapshot {
	s := loaded(make([]float64, n)...)
	s.Measured = false // no counter is asked for
	for k := range s.Instances {
		s.Instances[k].Rate.Known = false
		s.Instances[k].Usage = telemetry.Usage{CPU: cpu, Memory: memory, Known: true}
	}
	return s
}

// By hand from autoscaler/modes: of a task without statistics, scalecpu.py makes an error, which ends the cycle and
// leaves its counters alone, and scalemem.py makes no memory in use.
func TestWhatAgentsReport(t *testing.T) {
	twice := func(o *Options) { o.Metric, o.UpFactor, o.DownFactor = "cpu", 2, 2 }
	mem := func(o *Options) { o.Mode, o.MemoryLimit, o.UpFactor, o.DownFactor = "mem", 100, 1, 1 }
	of := func(mode string) func(*Options) {
		return func(o *Options) {
			mem(o)
			o.Mode, o.Metric = mode, "cpu"
		}
	}
	stale := func(s *policy.Snapshot) { s.Instances[0].Usage.Stale = true }
	fresh := func(s *policy.Snapshot) { s.Instances[0].Usage.Known = false }
	for _, c := range []struct {
		name string
		edit func(*Options)
		s    []*policy.Snapshot
		want []int
	}{
		{"processors", twice, []*policy.Snapshot{using(.9, 0, 2), using(.9, 0, 2), using(.5, 0, 2), using(.5, 0, 2)},
			[]int{2, 3, 2, 1}},
		{"a report is missing", twice, []*policy.Snapshot{using(.9, 0, 2), edited(using(.1, 0, 2), stale),
			using(.9, 0, 2)}, []int{2, 2, 3}},
		{"none was made yet", twice, []*policy.Snapshot{using(.9, 0, 2), edited(using(.9, 0, 2), fresh),
			using(.9, 0, 2)}, []int{2, 2, 3}},
		{"half of a processor that is half a core", twice, []*policy.Snapshot{
			edited(using(.4, 0, 1), func(s *policy.Snapshot) { s.Instances[0].Share = .5 }),
			edited(using(.45, 0, 1), func(s *policy.Snapshot) { s.Instances[0].Share = .5 }),
			edited(using(.45, 0, 1), func(s *policy.Snapshot) { s.Instances[0].Share = .5 })}, []int{1, 1, 2}},
		{"memory", mem, []*policy.Snapshot{using(0, 81, 2), using(0, 80, 2), using(0, 44, 2)}, []int{3, 2, 1}},
		{"one whose report is missing uses no memory", mem, []*policy.Snapshot{edited(using(0, 85, 2), stale)},
			[]int{1}},
		{"one that has not reported yet", mem, []*policy.Snapshot{edited(using(0, 85, 2), fresh)}, []int{2}},
		{"both", of("and"), []*policy.Snapshot{using(.9, 90, 2), using(.9, 50, 2), using(.5, 40, 2)}, []int{3, 2, 1}},
		{"either", of("or"), []*policy.Snapshot{using(.9, 50, 2), using(.6, 60, 2), using(.9, 40, 2)}, []int{3, 2, 1}},
	} {
		p, err := newMarathon(options(c.edit), policy.Env{})
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, s := range c.s {
			got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := newMarathon(options(func(o *Options) { o.Mode = "mem" }), policy.Env{}); err == nil ||
		!strings.Contains(err.Error(), "memory_limit: 0B: want the memory that an instance may use") {
		t.Errorf("error %v", err)
	}
}

// What is measured is what the mode goes by.
func TestMeasures(t *testing.T) {
	for want, edit := range map[policy.MetricSet]func(*Options){
		0:                                       nil,
		policy.SetOf(policy.CPU):                func(o *Options) { o.Metric = "cpu" },
		policy.SetOf(policy.Memory):             func(o *Options) { o.Mode, o.Metric = "mem", "cpu" },
		policy.SetOf(policy.CPU, policy.Memory): func(o *Options) { o.Mode, o.Metric = "and", "cpu" },
	} {
		if got := options(edit).Measures(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
