package orchestrator

import (
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// A policy is shown the weight and the most flows of each instance that takes work, by the instance's number: also of
// instances that become ready out of order, and of those that come later than the list is long. It is shown the time of
// their slow start.
func TestTheViewShowsWeights(t *testing.T) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Max, c.Weights, c.MaxConn, c.SlowStart = 5, 8, []int{4, 0, 2}, []int{7}, units.Second
		c.MinConn, c.FullConn = c.Weights, 99
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	for _, step := range []struct {
		kind EventKind
		id   flow.Instance
		want []int32
	}{
		{InstanceReady, 3, []int32{2}}, {InstanceReady, 1, []int32{4, 2}}, {InstanceReady, 5, []int32{4, 2, 2}},
		{InstanceReady, 2, []int32{4, 0, 2, 2}}, {InstanceFailed, 1, []int32{0, 2, 2}},
		{InstanceFailed, 3, []int32{0, 2}},
	} {
		o.Handle(0, &Event{Kind: step.kind, Instance: step.id})
		most := slices.Repeat([]int32{7}, len(step.want))
		if v := &o.view; !slices.Equal(v.Weight, step.want) || !slices.Equal(v.MaxConn, most) ||
			!slices.Equal(v.MinConn, step.want) {
			t.Errorf("after %d: instances %v with weights %v, at most %v flows and %v, want %v, %v and %[5]v",
				step.id, v.IDs, v.Weight, v.MaxConn, v.MinConn, step.want, most)
		}
	}
	if v := &o.view; v.SlowStart != units.Second || v.FullConn != 99 {
		t.Errorf("slow start of %v, fullconn %d; want 1s, 99", v.SlowStart, v.FullConn)
	}
}

func TestWithoutAListWeightsAreOne(t *testing.T) {
	v := &steady(t, 3, "round-robin", nil).view
	if !slices.Equal(v.Weight, []int32{1, 1, 1}) || !slices.Equal(v.MaxConn, []int32{0, 0, 0}) || v.MinConn != nil {
		t.Errorf("weights %v, at most %v flows, %v", v.Weight, v.MaxConn, v.MinConn)
	}
}

func TestValidateChecksWeights(t *testing.T) {
	for want, edit := range map[string]func(*Config){
		"instances.weights.1: -1, want 0 to 65535":      func(c *Config) { c.Weights = []int{1, -1} },
		"instances.weights.0: 65536, want 0 to 65535":   func(c *Config) { c.Weights = []int{65536} },
		"instances.maxconn.0: -1, want 0 to 2147483647": func(c *Config) { c.MaxConn = []int{-1} },
		"instances.minconn.1: -2, want 0 to 2147483647": func(c *Config) { c.MinConn = []int{1, -2} },
		"instances.fullconn: -1, want 0 to 2147483647":  func(c *Config) { c.FullConn = -1 },
		"instances.slow_start: -1ns, want 0 or more":    func(c *Config) { c.SlowStart = -units.Nanosecond },
	} {
		if _, err := New(config(edit), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
