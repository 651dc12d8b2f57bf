package optimize

import (
	"errors"
	"math"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

func TestExpressions(t *testing.T) {
	run := &results.Run{}
	run.Totals.Offered, run.Totals.Processed = 200, 150
	run.Totals.Flows = 8
	for text, want := range map[string]float64{
		"processed":                        150,
		"processed/offered":                0.75,
		"-processed + 2 * (flows - 0.5)":   -135,
		"(1e3 - processed) / -flows":       -106.25,
		"offered - processed - 25 - flows": 17,
		"processed / moves":                math.Inf(1),
	} {
		e, m := parseExpression(text)
		if m != nil {
			t.Errorf("%s: %v", text, m)
		} else if got := e.of(run); got != want {
			t.Errorf("%s is %g, want %g", text, got, want)
		}
	}
	c, m := parseConstraint("flows + 1 >= processed / 10")
	if m != nil || c.left(run) != 15 || c.right(run) != 9 {
		t.Errorf("%v: %g at most %g, want 15 at most 9", m, c.left(run), c.right(run))
	}
}

// A broken constraint counts as the share of what it asks for.
func TestViolations(t *testing.T) {
	l := &ledger{problem: problem{objectives: 1, constraints: 3}}
	s := l.scored([]float64{7, 15, 10, 0.5, 0, 1, 2})
	if s.values[0] != 7 || s.violation != 1 || s.feasible() {
		t.Errorf("%+v, want a violation of 0.5 and of 0.5", s)
	}
}

func TestPositionsAsText(t *testing.T) {
	for _, c := range []struct {
		span span
		at   float64
		want string
	}{
		{span{from: 2, to: 24, unit: "Mpps"}, 0, "2Mpps"},
		{span{from: 2, to: 24, unit: "Mpps"}, 1, "24Mpps"},
		{span{from: 2, to: 24, unit: "Mpps"}, 1.0 / 3, "9.33333Mpps"},
		{span{from: 0.01, to: 100, unit: "s", log: true}, 0.5, "1s"},
		{span{from: 1.23456789, to: 2}, 0, "1.23457"},
		{span{from: 1.23456, to: 1.23456789}, 1, "1.23456789"},
		{span{from: 1, to: 3, whole: true}, 0, "1"},
		{span{from: 1, to: 3, whole: true}, 0.3333, "1"},
		{span{from: 1, to: 3, whole: true}, 0.3334, "2"},
		{span{from: 1, to: 3, whole: true}, 1, "3"},
		{span{from: -3, to: -1, whole: true}, 0, "-3"},
		{span{from: -3, to: -1, whole: true}, 0.5, "-2"},
		{span{from: 64, to: 4096, unit: "B", whole: true, log: true}, 0.5, "512B"},
	} {
		if got := c.span.text(c.at); got != c.want {
			t.Errorf("%+v at %g: %s, want %s", c.span, c.at, got, c.want)
		}
	}
}

// Whatever a file holds, reading it gives a search or an error of the user's, and every point of a search has settings.
func FuzzParse(f *testing.F) {
	f.Add(one)
	f.Add(several)
	f.Add("name: x\nscenario: fig9-best-fit\nvary: {scheduler.policy: [all], vnf.buffer: {from: 1, to: 9}}\n" +
		"objectives: [{minimize: loss}]\nconstraints: ['loss <= -(1)']\nbudget: 100\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		s, err := parse("f.yaml", []byte(text), Overrides{})
		if err != nil {
			if !errors.Is(err, scenarios.ErrInvalid) {
				t.Errorf("%v, which is not the user's mistake", err)
			}
			return
		}
		for _, pick := range s.combinations()[:1] {
			p := point{pick: pick, at: make([]float64, len(s.ranges))}
			if len(s.settings(&p)) == 0 {
				t.Error("a point without settings")
			}
			for _, set := range s.settings(&p) {
				if set.Key == "" || set.Value == "" {
					t.Errorf("%+v", set)
				}
			}
		}
	})
}
