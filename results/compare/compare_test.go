package compare

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

var scenario = map[string]any{"workload": []any{map[string]any{"cbr": map[string]any{"flows": 1, "rate": "1pps"}}}}

// record makes a record of windows of 1 s with these processed rates; say writes its log.
func record(t *testing.T, rates []float64, say func(*results.Memory)) *results.Record {
	t.Helper()
	m := results.NewMemory()
	m.Event(0, &orchestrator.Event{Kind: orchestrator.Start})
	if say != nil {
		say(m)
	}
	total := 0.0
	for i, r := range rates {
		total += r
		if err := m.Window(&results.Window{T: float64(i + 1), Offered: r, Ingress: r, Processed: r, Instances: 2},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	run := &results.Run{Format: 1, Name: "x", Plant: "sim", Engine: "fluid", Duration: float64(len(rates)), Window: 1,
		Complete: true, Scenario: scenario, Totals: results.Totals{Offered: total, Processed: total}}
	if err := m.Close(run); err != nil {
		t.Fatal(err)
	}
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// series finds a series of a comparison.
func series(t *testing.T, c *Comparison, name string) Series {
	t.Helper()
	i := slices.IndexFunc(c.Series, func(s Series) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no series %s", name)
	}
	return c.Series[i]
}

func TestErrorsOfASeries(t *testing.T) {
	c, err := Records(record(t, []float64{0, 10, 20, 40}, nil), record(t, []float64{5, 11, 18, 40}, nil))
	if err != nil {
		t.Fatal(err)
	}
	s := series(t, c, "processed")
	near := func(name string, got *float64, want float64) {
		if got == nil || math.Abs(*got-want) > 1e-12 {
			t.Errorf("%s is %v, want %g", name, got, want)
		}
	}
	near("mean of A", &s.MeanA, 17.5)
	near("mean of B", &s.MeanB, 18.5)
	near("MAE", &s.MAE, (5+1+2+0)/4.)
	near("WAPE", s.WAPE, 100*2/17.5)
	near("MAPE", s.MAPE, 100*(1/10.+2/20.+0)/3)
	// Pearson's, from the deviations.
	a, b := []float64{-17.5, -7.5, 2.5, 22.5}, []float64{-13.5, -7.5, -0.5, 21.5}
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	near("correlation", s.Correlation, ab/math.Sqrt(aa*bb))
	if s.Shares != 3 || s.Unit != "packets/s" || c.Windows != 4 || c.End != 4 || len(c.Notes) != 0 {
		t.Errorf("%+v of %+v", s, c)
	}
	if i := series(t, c, "instances"); i.Correlation != nil || *i.MAPE != 0 || i.MeanB != 2 {
		t.Errorf("a constant series is %+v, want no correlation", i)
	}
	if slices.ContainsFunc(c.Series, func(s Series) bool { return s.Name == "dropped" }) {
		t.Error("a series that is zero throughout is listed")
	}
	if got := c.Totals[0]; got.Name != "offered packets" || got.A != 70 || got.B != 74 ||
		math.Abs(*got.Percent-400/70.) > 1e-12 {
		t.Errorf("total %+v", got)
	}
}

func TestARecordIsItself(t *testing.T) {
	r := record(t, []float64{3, 1, 4, 1, 5}, nil)
	c, err := Records(r, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Series {
		if s.MAE != 0 || *s.MAPE != 0 || s.Correlation != nil && math.Abs(*s.Correlation-1) > 1e-12 {
			t.Errorf("%+v", s)
		}
	}
}

func windowsAt(kind string, t, v []float64) (ws []results.Window) {
	for i := range t {
		w := results.Window{T: t[i]}
		switch kind {
		case "processed":
			w.Processed = v[i]
		case "reordered":
			w.Reordered = v[i]
		case "flows":
			w.Flows = int32(v[i])
		}
		ws = append(ws, w)
	}
	return
}

func TestWindowsOfAnotherLengthAreSampled(t *testing.T) {
	by := map[string]column{}
	for _, c := range columns {
		by[c.name] = c
	}
	for _, c := range []struct {
		column           string
		at, values, ends []float64
		want             []float64
	}{
		{"processed", []float64{1, 2, 3}, []float64{10, 20, 30}, []float64{1.5, 3},
			[]float64{(10*1 + 20*.5) / 1.5, (20*.5 + 30*1) / 1.5}},
		{"processed", []float64{1, 2, 3}, []float64{10, 20, 30}, []float64{1, 2, 3}, []float64{10, 20, 30}},
		{"processed", []float64{1, 2, 3}, []float64{10, 20, 30}, []float64{2}, []float64{15}},
		{"processed", []float64{2, 4}, []float64{10, 20}, []float64{1, 2, 3, 4}, []float64{10, 10, 20, 20}},
		// packets in a window become a rate
		{"reordered", []float64{1, 2, 4}, []float64{10, 20, 60}, []float64{2, 4}, []float64{15, 30}},
		{"flows", []float64{1.01, 2.02, 3.01}, []float64{1, 2, 3}, []float64{1, 2, 3}, []float64{1, 2, 3}},
		{"flows", []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, []float64{2, 4}, []float64{2, 4}},
	} {
		got := sample(windowsAt(c.column, c.at, c.values), windowsAt("", c.ends, c.ends), by[c.column])
		for i := range c.want {
			if math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s %v at %v in windows to %v: %v, want %v", c.column, c.values, c.at, c.ends, got, c.want)
				break
			}
		}
	}
	// Whatever the windows, no packet is lost or made.
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		cuts := func(end float64) (at []float64) {
			for x := r.Float64(); x < end; x += 0.01 + r.Float64() {
				at = append(at, x)
			}
			return append(at, end)
		}
		at, ends := cuts(10), cuts(10)
		rates := make([]float64, len(at))
		sum, before := 0.0, 0.0
		for i := range at {
			rates[i] = r.Float64() * 100
			sum += rates[i] * (at[i] - before)
			before = at[i]
		}
		got, before := sample(windowsAt("processed", at, rates), windowsAt("", ends, ends), by["processed"]), 0.0
		for i := range ends {
			sum -= got[i] * (ends[i] - before)
			before = ends[i]
		}
		if math.Abs(sum) > 1e-6 {
			t.Fatalf("%g packets apart", sum)
		}
	}
}

func TestRecordsOfDifferentLengthSayHowFarTheyGo(t *testing.T) {
	c, err := Records(record(t, []float64{1, 2, 3, 4}, nil), record(t, []float64{1, 2}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Windows != 2 || c.End != 2 || len(c.Notes) != 1 ||
		c.Notes[0] != "A ends at 4 s and B at 2 s: compared up to 2 s" {
		t.Errorf("%d windows to %g: %q", c.Windows, c.End, c.Notes)
	}
	if _, err := Records(record(t, []float64{1}, nil), record(t, nil, nil)); err == nil ||
		!strings.Contains(err.Error(), "holds no window") {
		t.Errorf("got %v, want that there is no window", err)
	}
	long := record(t, []float64{1}, nil)
	short := results.NewMemory()
	if err := short.Window(&results.Window{T: 0.25}, nil); err != nil {
		t.Fatal(err)
	}
	if err := short.Close(&results.Run{Format: 1, Scenario: scenario, Window: 0.25, Duration: 0.25,
		Error: "interrupted"}); err != nil {
		t.Fatal(err)
	}
	r, err := short.Record()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Records(long, r); err == nil ||
		err.Error() != "nothing to compare: no window in common: A has windows of 1 s up to 1 s, B of 0.25 s up to "+
			"0.25 s" {
		t.Errorf("got %v", err)
	}
}

// placed writes what an orchestrator does with a flow that comes from 10.0.0.n.
func placed(m *results.Memory, at units.Time, id flow.ID, n byte, instance flow.Instance) {
	tuple := flow.FiveTuple{Src: netip.AddrFrom4([4]byte{10, 0, 0, n}), Dst: netip.AddrFrom4([4]byte{10, 0, 1, 0}),
		SrcPort: 1, DstPort: 2, Proto: flow.UDP}
	m.Event(at, &orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: id, Tuple: tuple})
	m.Decided(&orchestrator.Decision{At: at, Kind: orchestrator.Schedule, Policy: "round-robin", Flow: id,
		Instance: instance, Reason: "next"})
}

func scaled(m *results.Memory, at units.Time, kind string, instance flow.Instance) {
	m.Decided(&orchestrator.Decision{At: at, Kind: kind, Flow: -1, Instance: instance})
}

func TestDecisionsArePairedWithoutTheirTimes(t *testing.T) {
	s := units.Second
	a := record(t, []float64{1}, func(m *results.Memory) {
		scaled(m, 0, orchestrator.Create, 1)
		placed(m, 1*s, 0, 7, 1)
		placed(m, 1*s, 1, 8, 2)
		placed(m, 2*s, 2, 9, 1)
		placed(m, 3*s, 3, 7, 2) // the five-tuple again
		placed(m, 3*s, 1, 8, 1) // flow 1 again: not a new flow
		scaled(m, 4*s, orchestrator.Create, 2)
		scaled(m, 9*s, orchestrator.Drain, 2)
	})
	b := record(t, []float64{1}, func(m *results.Memory) {
		scaled(m, 0, orchestrator.Create, 1)
		placed(m, 1*s+7, 0, 8, 2) // came first here
		placed(m, 1*s+9, 1, 7, 1)
		scaled(m, 5*s, orchestrator.Create, 2)
		placed(m, 4*s, 2, 7, 3)
		placed(m, 5*s, 3, 6, 3)
	})
	c, err := Records(a, b)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Decisions.Flows
	if p.Both != 3 || p.Other != 1 || p.OnlyA != 1 || p.OnlyB != 1 || p.First == nil || p.First.A.Instance != 2 ||
		p.First.B.Instance != 3 || p.First.B.At != 4 {
		t.Errorf("%+v, first %+v", p, p.First)
	}
	g := c.Decisions.Scaling
	if g.StepsA != 3 || g.StepsB != 2 || g.Same != 2 || g.Shift != 0.5 || g.A == nil ||
		g.A.Kind != orchestrator.Drain || g.B != nil {
		t.Errorf("%+v", g)
	}
	var out bytes.Buffer
	if err := c.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"flows: 3 in both, 1 of them decided otherwise; 1 only in A, 1 only in B\n  first: udp 10.0.0.7:1 > " +
			"10.0.1.0:2\n    A at 3 s: schedule instance 2, round-robin (next)\n    B at 4 s: schedule instance 3",
		"scaling: 3 steps in A, 2 in B; the first 2 are the same, 0.5 s apart in the mean\n  then:\n    A at 9 s: " +
			"drain instance 2\n    B nothing more\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no\n%s\nin\n%s", want, out.String())
		}
	}
}

func TestNumbersAreWrittenWithoutNegativeZeros(t *testing.T) {
	x := -1e-9
	if got := fmt.Sprint(optional(&x, 2, " %"), " ", optional(nil, 2, " %")); got != "0.00 % -" {
		t.Error(got)
	}
}

// The costs that both records know stand side by side; what is 0 in both, or known to one alone, is left out.
func TestCostsSideBySide(t *testing.T) {
	scales := func(desired ...int) func(*results.Memory) {
		return func(m *results.Memory) {
			current := 2
			for i, n := range desired {
				m.Decided(&orchestrator.Decision{At: units.Time(i) * units.Second, Kind: orchestrator.Recommend,
					Policy: "hpa", Flow: -1, Current: current, Desired: n})
				current = n
			}
		}
	}
	a, b := record(t, []float64{1, 2}, scales(3, 4)), record(t, []float64{1, 2}, scales(3, 2, 3, 2))
	c, err := Records(a, b)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Total{}
	for _, total := range c.Costs {
		got[total.Name] = total
	}
	if s := got["scale_events"]; s.A != 2 || s.B != 4 || s.Percent == nil || *s.Percent != 100 {
		t.Errorf("scale events: %+v", s)
	}
	if s := got["reversals"]; s.A != 0 || s.B != 3 || s.Percent != nil {
		t.Errorf("reversals: %+v", s)
	}
	for _, name := range []string{"flows_moved", "wait_p99_s"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s is listed", name)
		}
	}
	var text bytes.Buffer
	err = c.WriteText(&text)
	if want := "  scale_events  2  4     +2  100.00 %\n"; err != nil || !strings.Contains(text.String(), want) {
		t.Error(err, text.String())
	}
}
