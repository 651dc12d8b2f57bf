package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// evaluated writes the evaluations of a drawn series: one a digit, ten seconds apart, each of which leaves so many
// instances.
func evaluated(rec Recorder, series string, span units.Time) {
	current := int(series[0] - '0')
	for i, c := range series {
		desired := int(c - '0')
		rec.Decided(&orchestrator.Decision{At: units.Time(i) * span, Kind: orchestrator.Recommend, Policy: "hpa",
			Flow: -1, Current: current, Desired: desired, Reason: "wants"})
		current = desired
	}
}

func TestReversals(t *testing.T) {
	const ten = 10 * units.Second
	for _, c := range []struct {
		name              string
		series            string
		span              units.Time
		time              float64 // of the scale
		events, reversals int
	}{
		{"level", "3333333333", ten, 1, 0, 0},
		{"ramp", "3456788888", ten, 1, 5, 0},
		{"hump", "3344433333", ten, 1, 2, 1},
		{"plateau", "3344444444433", ten, 1, 2, 0},
		{"a minute", "33444444333", ten, 1, 2, 1},
		{"more than a minute", "33444444333", ten + 1, 1, 2, 0},
		{"bathtub", "4433334444", ten, 1, 2, 1},
		{"there and back in steps", "3456543", ten, 1, 6, 1},
		{"oscillation", "3434343434", ten, 1, 9, 8},
		{"slow oscillation", "34343", 61 * units.Second, 1, 4, 0},
		{"hump at a tenth of the time", "3344433333", units.Second, 0.1, 2, 1},
		{"plateau at a tenth of the time", "3344444444433", units.Second, 0.1, 2, 0},
	} {
		m := NewMemory()
		evaluated(m, c.series, c.span)
		run := fig9()
		run.Scenario.(map[string]any)["scale"] = map[string]any{"time": c.time}
		got := costsOf(t, m, run)
		if got.ScaleEvents != c.events || got.Reversals != c.reversals {
			t.Errorf("%s, %s: %d scale events and %d reversals, want %d and %d", c.name, c.series, got.ScaleEvents,
				got.Reversals, c.events, c.reversals)
		}
	}
}

func costsOf(t *testing.T, m *Memory, run *Run) *Costs {
	t.Helper()
	if err := m.Close(run); err != nil {
		t.Fatal(err)
	}
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Costs()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A run of four seconds with instances of 10 Mpps each, at least one and at most three.
//
//	second       1   2   3   4
//	Mpps        10  25  50   5
//	wanted       1   3   3   1
//	instance 1   r   r   r   r
//	instance 2       s   r   fails at 3.5 s
//	instance 3       s   r   d, gone at 3.25 s
//	instance 4               s from 3.9 s, gone after the end
func TestCosts(t *testing.T) {
	m := NewMemory()
	at := func(s float64) units.Time { return units.Time(s * float64(units.Second)) }
	act := func(s float64, k orchestrator.ActionKind, i flow.Instance) {
		m.Action(at(s), &orchestrator.Action{Kind: k, Instance: i})
	}
	event := func(s float64, k orchestrator.EventKind, i flow.Instance) {
		m.Event(at(s), &orchestrator.Event{Kind: k, Instance: i})
	}
	stage := func(s float64, kind string, current, desired int, reason string) {
		m.Decided(&orchestrator.Decision{At: at(s), Kind: kind, Flow: -1, Current: current, Desired: desired,
			Reason: reason})
	}
	window := func(t, mpps float64, lost float64, is ...Instance) {
		w := Window{T: t, Offered: mpps * 1e6, Processed: mpps*1e6 - lost, Dropped: lost, DroppedInstance: lost}
		for k := range is {
			is[k].T = t
			is[k].Processed = is[k].Offered
		}
		m.Window(&w, is)
	}
	act(0, orchestrator.CreateInstance, 1)
	event(0, orchestrator.InstanceReady, 1)
	window(1, 10, 0, Instance{Instance: 1, State: StateReady, Offered: 10e6})
	stage(1, orchestrator.Recommend, 1, 4, "25 Mpps at 6.5 Mpps each")
	stage(1, orchestrator.Clamp, 1, 3, "at most 3")
	m.Decided(&orchestrator.Decision{At: at(1), Kind: orchestrator.Create, Flow: -1, Instance: 2, Current: 2,
		Desired: 3})
	act(1, orchestrator.CreateInstance, 2)
	act(1, orchestrator.CreateInstance, 3)
	window(2, 25, 15e6, Instance{Instance: 1, State: StateReady, Offered: 10e6},
		Instance{Instance: 2, State: StateStarting}, Instance{Instance: 3, State: StateStarting})
	resized := func(s, share float64, reason string) {
		m.Event(at(s), &orchestrator.Event{Kind: orchestrator.InstanceResized, Instance: 1, Share: share,
			Reason: reason})
	}
	resized(1.5, 0.25, "")
	resized(1.75, 0.5, "refused")
	event(2, orchestrator.InstanceReady, 2)
	event(2, orchestrator.InstanceReady, 3)
	m.Decided(&orchestrator.Decision{At: at(2), Kind: orchestrator.Schedule, Flow: 0, Instance: 2, Reason: "next"})
	stage(2, orchestrator.Recommend, 3, 1, "5 Mpps at 6.5 Mpps each")
	stage(2, orchestrator.Stabilise, 3, 3, "no lower")
	window(3, 50, 0.4e6, Instance{Instance: 1, State: StateReady, Offered: 20e6},
		Instance{Instance: 2, State: StateReady, Offered: 20e6},
		Instance{Instance: 3, State: StateReady, Offered: 10e6})
	stage(3, orchestrator.Recommend, 3, 1, "5 Mpps at 6.5 Mpps each")
	event(3.25, orchestrator.InstanceGone, 3)
	event(3.5, orchestrator.InstanceFailed, 2)
	event(3.75, orchestrator.InstanceGone, 2) // what failed ended when it failed
	stage(3.8, "other", 1, 2, "no stage of the evaluation at 3 s")
	act(3.9, orchestrator.CreateInstance, 4)
	event(4.5, orchestrator.InstanceGone, 4) // after the end
	window(4, 5, 0, Instance{Instance: 1, State: StateReady, Offered: 5e6})
	for i, lost := range []float64{0, 1, 1.01} { // of 100 packets
		m.Flow(&Flow{Flow: int32(i), Offered: 100, Processed: 100 - lost, Dropped: lost})
	}
	m.Flow(&Flow{Flow: 3}) // without packets
	m.Latency(&Latency{Scope: "run", Kind: "wait", Count: 1000, P50: 1, P99: 2_000_000, P999: 3_000_000_000}, []Bucket{
		{Scope: "run", Kind: "wait", High: 1, Count: 895},
		{Scope: "run", Kind: "wait", Low: 2_000_000, High: 2_000_001, Count: 5},
		{Scope: "run", Kind: "wait", Low: 1_000_000, High: 2_000_000, Count: 90}, // no longer than the objective
		{Scope: "run", Kind: "wait", Low: 2_999_999_999, High: 3_000_000_000, Count: 10}})
	m.Latency(&Latency{Scope: "run", Kind: "sojourn", P50: 9},
		[]Bucket{{Scope: "run", Kind: "sojourn", High: 4_000_000_000, Count: 1000}})
	m.Latency(&Latency{Scope: "instance", Kind: "wait", P50: 8}, nil)

	run := fig9()
	run.Scenario.(map[string]any)["instances"] = map[string]int{"min": 1, "max": 3}
	run.Scenario.(map[string]any)["scheduler"] = map[string]any{"limit": "10Mpps"}
	run.Scenario.(map[string]any)["nic"] = map[string]any{"instance_watts": 5, "core_watts": 2, "cores": 3}
	run.Scenario.(map[string]any)["measure"] = map[string]any{"max_wait": "2us"}
	run.Totals = Totals{Offered: 90e6, Processed: 74.6e6, ProcessedBytes: 64 * 74.6e6, Dropped: Drops{Instance: 15.4e6},
		Moves: 7, Broken: 3}
	got := costsOf(t, m, run)
	want := &Costs{
		InstanceTime: 4 + 2.5 + 2.25 + 0.1, CoreTime: 1.5 + 2.5*0.25 + 2.5 + 2.25 + 0.1,
		Starts: 4, Resizes: 1, ScaleEvents: 2, Reversals: 1,
		Under:   1, // second 2: one takes packets, three are wanted
		Over:    0, // second 4: one is left
		Moves:   7,
		Broken:  3,
		Loss:    15.4 / 90,
		Goodput: 8 * 64 * 74.6e6 / 4,
		WaitP50: 1e-12, WaitP99: 2e-6, WaitP999: 3e-3,
		Jain:       (1 + 1 + 50.*50/(3*(20*20+20*20+10*10)) + 1) / 4,
		SLOWindows: 1. / 4, // 15 of 25; 0.4 of 50 is less than 1 %
		SLOPackets: 15. / 1000,
		Energy:     5*8.85 + 3*2*4, // three cores of 2 W for 4 s
		SLOFlows:   1. / 3,
		Reasons: []Reason{
			{orchestrator.Clamp, "at most #", 1},
			{orchestrator.Create, "", 1},
			{"other", "no stage of the evaluation at # s", 1},
			{orchestrator.Recommend, "# Mpps at # Mpps each", 3},
			{orchestrator.Stabilise, "no lower", 1},
		},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(near)); d != "" {
		t.Error(d)
	}

	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	es, err := r.Evaluations()
	if d := cmp.Diff([]Evaluation{
		{at(1), 1, 3, orchestrator.Clamp, "at most 3"},
		{at(2), 3, 3, orchestrator.Stabilise, "no lower"},
		{at(3), 3, 1, "", "5 Mpps at 6.5 Mpps each"},
	}, es); err != nil || d != "" {
		t.Error(err, d)
	}
}

func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-12*math.Abs(a) || math.IsNaN(a) && math.IsNaN(b)
}

// What was not measured is not known, and is not 0.
func TestCostsThatAreNotKnown(t *testing.T) {
	m := NewMemory()
	m.Flow(&Flow{Offered: 5, Processed: math.NaN(), Dropped: math.NaN(), Queued: math.NaN()})
	run := fig9()
	run.Scenario.(map[string]any)["nic"] = "ideal" // which draws nothing that is known
	got := costsOf(t, m, run)
	for name, v := range map[string]float64{"loss": got.Loss, "goodput": got.Goodput, "wait": got.WaitP99,
		"Jain's index": got.Jain, "SLO of windows": got.SLOWindows, "SLO of flows": got.SLOFlows,
		"energy":         got.Energy,
		"SLO of packets": got.SLOPackets} {
		if !math.IsNaN(v) {
			t.Errorf("%s of a run without windows and delays is %g", name, v)
		}
	}
}

// A killed run costs what it did up to its last full window.
func TestCostsOfAKilledRun(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir, Options{})
	playOpen(t, w, 200) // windows are written every 64
	killed, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := killed.Costs()
	if err != nil {
		t.Fatal(err)
	}
	if !near(math.Round(got.Loss*100)/100, 0.25) || !(got.Goodput > 0) || got.Jain < 0.7 || !math.IsNaN(got.Moves) ||
		!math.IsNaN(got.Broken) {
		t.Errorf("%+v", got)
	}
}

func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		load        float64
		least, most int
		want        int
	}{
		{0, 0, 8, 0}, {0, 3, 8, 3}, {1, 0, 8, 1}, {30e6, 0, 8, 3}, {30e6 + 0.01, 0, 8, 3}, {30e6 + 1, 0, 8, 4},
		{148e6, 0, 8, 8}, {math.Inf(1), 0, 8, 8},
	} {
		if got := Needed(c.load, 10e6, c.least, c.most); got != c.want {
			t.Errorf("%g packets/s at 10 Mpps each, %d to %d: %d, want %d", c.load, c.least, c.most, got, c.want)
		}
	}
}

// The lines that are passed over are those that would have been parsed for nothing.
func TestTheScalingLogIsPartOfTheLog(t *testing.T) {
	m := NewMemory()
	play(t, m, 300)
	evaluated(m, "34543", units.Second)
	m.Action(1, &orchestrator.Action{Kind: orchestrator.CreateInstance, Instance: 1})
	m.Event(1, &orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: 1, Reason: `"event":"tick"`})
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for e, err := range r.Log() {
		if err != nil {
			t.Fatal(err)
		}
		if d := e.Decision; d != nil && d.Flow == -1 ||
			e.Action != nil && e.Action.Kind == orchestrator.CreateInstance || e.Event != nil &&
			e.Event.Kind == orchestrator.InstanceFailed {
			want = append(want, fmt.Sprint(e.At, e.Decision, e.Action, e.Event))
		}
	}
	for e, err := range r.scalingLog() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(e.At, e.Decision, e.Action, e.Event))
	}
	if d := cmp.Diff(want, got); d != "" || len(got) != 307 {
		t.Error(len(got), d)
	}
}

// The index of Jain, Chiu and Hawe lies between 1/n and 1, and does not depend on the unit.
func TestJain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		n := 1 + r.IntN(8)
		index := func(unit float64) float64 {
			m := NewMemory()
			x := rand.New(rand.NewPCG(7, uint64(n)))
			is := make([]Instance, n)
			for i := range is {
				is[i] = Instance{T: 1, Instance: int32(i + 1), State: StateReady,
					Offered: unit * (1 + float64(x.IntN(100)))}
			}
			m.Window(&Window{T: 1}, is)
			return costsOf(t, m, fig9()).Jain
		}
		if a, b := index(1), index(1000); a < 1/float64(n) || a > 1 || math.Abs(a-b) > 1e-9 {
			t.Errorf("%d instances: %g, and %g in another unit", n, a, b)
		}
	}
}
