package scenarios

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// asOverrides are a stack's values as those of --set.
func (s *Stack) asOverrides() (sets []string) {
	for _, v := range s.Sets {
		sets = append(sets, v.Set)
	}
	return sets
}

// A stack is what its values are as overrides of a scenario that gives none of them.
func TestAStackIsItsValues(t *testing.T) {
	for _, s := range Stacks() {
		got := one(t, "stack: "+s.Name+"\n"+minimal)
		want := one(t, minimal, s.asOverrides()...)
		want.Stack, want.Telemetry.stacked, want.dir = s.Name, true, got.dir
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", s.Name, got.YAML(), want.YAML())
		}
	}
}

// Of two stacks, what one says and the other leaves open would differ by accident.
func TestAllStacksSetTheSameKeys(t *testing.T) {
	var first []string
	for _, s := range Stacks() {
		var keys []string
		for _, v := range s.Sets {
			keys = append(keys, v.Key())
		}
		if first == nil {
			first = keys
		}
		if !slices.Equal(keys, first) {
			t.Errorf("%s sets %v, and %s %v", s.Name, keys, Stacks()[0].Name, first)
		}
	}
}

// The defaults are the thesis' stack, and records without a stack do not change.
func TestTheDefaultsAreTheStackOfTheThesis(t *testing.T) {
	without, with := one(t, minimal), one(t, "stack: smartnic\n"+minimal)
	if strings.Contains(string(without.YAML()), "stack") {
		t.Errorf("without a stack:\n%s", without.YAML())
	}
	with.Stack, with.Telemetry.stacked, with.dir = "", false, without.dir
	if !reflect.DeepEqual(with, without) {
		t.Errorf("got\n%s\nwant\n%s", with.YAML(), without.YAML())
	}
}

func TestWhatIsGivenWinsOverTheStack(t *testing.T) {
	type values struct {
		profile  string
		link     units.BPS
		interval units.Time
		policy   string
	}
	kube := values{"x86-kernel", 100e9, 15 * units.Second, "hpa"}
	for _, c := range []struct {
		text string
		sets []string
		edit func(*values)
	}{
		{"", nil, func(*values) {}},
		{"", []string{"autoscaler.interval=2s"}, func(v *values) { v.interval = 2 * units.Second }},
		{"autoscaler: {interval: 2s}", nil, func(v *values) { v.interval = 2 * units.Second }},
		{"autoscaler: {policy: {kpa: {target: 0.6}}}", nil, func(v *values) { v.policy = "kpa" }},
		{"", []string{"autoscaler.policy.kpa.target=0.6"}, func(v *values) { v.policy = "kpa" }},
		{"autoscaler: {policy: {hpa: {tolerance: 0.2}}}", nil, func(*values) {}},
		{"nic: {link: 25Gbps}", nil, func(v *values) { v.link = 25e9 }},
		{"", []string{"nic.link=25Gbps"}, func(v *values) { v.link = 25e9 }},
		{"nic: bluefield2", nil, func(v *values) { v.profile = "bluefield2" }},
		{"nic: {profile: bluefield3, link: 25Gbps}", nil, func(v *values) { v.profile, v.link = "bluefield3", 25e9 }},
	} {
		want := kube
		c.edit(&want)
		s := one(t, "stack: kubernetes\n"+c.text+"\n"+minimal, c.sets...)
		got := values{s.NIC.Profile, s.NIC.Link, s.Autoscaler.Interval, s.Autoscaler.Policy.Name}
		if got != want {
			t.Errorf("%s %v: got %+v, want %+v", c.text, c.sets, got, want)
		}
	}
}

// Each run of a sweep has the stack of its own coordinate, below what the file and other coordinates give.
func TestAStackCanBeSwept(t *testing.T) {
	study := parse(t, minimal+`
name: s
autoscaler: {interval: 3s}
sweep:
  matrix:
    autoscaler.policy: [kpa, none]
    stack: [smartnic, kubernetes]
`)
	var got []string
	for _, r := range study.Runs {
		s := r.Scenario
		got = append(got, fmt.Sprintln(r.Name, s.Stack, s.Autoscaler.Policy.Name, s.Autoscaler.Interval,
			s.Telemetry.Window, s.NIC.Profile))
	}
	want := []string{
		"s-policy=kpa-stack=smartnic smartnic kpa 3s 1s bluefield2\n",
		"s-policy=kpa-stack=kubernetes kubernetes kpa 3s 15s x86-kernel\n",
		"s-policy=none-stack=smartnic smartnic none 3s 1s bluefield2\n",
		"s-policy=none-stack=kubernetes kubernetes none 3s 15s x86-kernel\n",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := len(parse(t, minimal+"sweep: {matrix: {stack: [all]}}").Runs); n != len(Stacks()) {
		t.Errorf("%d runs of all stacks, want %d", n, len(Stacks()))
	}
}

// A record states all that its stack set, so that it reads back the same, even if its stack had other values by then.
func TestARecordKeepsTheValuesOfItsStack(t *testing.T) {
	for _, s := range Stacks() {
		want := one(t, "stack: "+s.Name+"\n"+minimal)
		for _, other := range stackNames() {
			var resolved map[string]any
			if err := json.Unmarshal(want.Resolved(), &resolved); err != nil {
				t.Fatal(err)
			}
			resolved["stack"] = other
			back, err := FromRecord("run.json", resolved, want.Seed)
			if err != nil {
				t.Fatal(err)
			}
			if back.Stack, back.dir = s.Name, want.dir; !reflect.DeepEqual(back, want) {
				t.Errorf("%s over %s: read back as\n%s", s.Name, other, back.YAML())
			}
		}
	}
}

// The comparison of scaling policies has Figure 9's load, and leaves all to its stack that a stack sets.
func TestTheComparisonOfScalingIsOfStacks(t *testing.T) {
	fig9, err := Load("fig9-round-robin", nil)
	if err != nil {
		t.Fatal(err)
	}
	study, err := Load("compare/scaling.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range study.Runs {
		s, load := r.Scenario, fig9.Runs[0].Scenario
		stack := one(t, "stack: "+s.Stack+"\n"+minimal)
		stack.Autoscaler.Policy, stack.Name, stack.Seed, stack.dir = s.Autoscaler.Policy, s.Name, s.Seed, s.dir
		stack.Duration, stack.VNF.Contention, stack.Instances = load.Duration, load.VNF.Contention, load.Instances
		stack.Scheduler.Limit, stack.Workload = load.Scheduler.Limit, load.Workload
		if !reflect.DeepEqual(s, stack) {
			t.Errorf("%s: got\n%s\nwant\n%s", r.Name, s.YAML(), stack.YAML())
		}
	}
}
