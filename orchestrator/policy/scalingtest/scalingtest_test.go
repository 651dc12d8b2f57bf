package scalingtest

import (
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// scaler is a policy that is a function, made anew for each run.
type scaler func(*policy.Snapshot, *policy.Steps) policy.Proposal

func (f scaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal { return f(s, steps) }

func row(sees policy.Class, make func() scaler) policy.ScalerRow {
	return policy.ScalerRow{
		Info: policy.Info{Name: "a-policy", Rule: "a rule", Source: "this test", Cost: "n", Sees: sees},
		ScalerMaker: policy.MakeScaler(func(struct{}, policy.Env) (policy.Scaler, error) {
			return make(), nil
		}),
	}
}

// proposing is a policy that proposes what a function says, within the bounds.
func proposing(sees policy.Class, number func(*policy.Snapshot) int) policy.ScalerRow {
	return row(sees, func() scaler {
		return func(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
			return policy.Proposal{Desired: steps.Clamp(s, steps.Take(policy.Recommended, number(s), "it says so"))}
		}
	})
}

// expect wants an error that says something, or none if that is empty.
func expect(t *testing.T, name string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want %q", name, err, want)
	}
}

func TestTheSuiteFindsWhatBreaksTheContract(t *testing.T) {
	shared := 0
	all := policy.T0 | policy.T1 | policy.T2
	good := proposing(policy.T0, func(s *policy.Snapshot) int { return s.Current })
	undocumented, free, described := good, good, good
	undocumented.Source, free.Cost = "", ""
	described.Name = "A policy"
	for _, c := range []struct {
		name string
		row  policy.ScalerRow
		want string // of the error; empty if there is none
	}{
		{"one that keeps to it", good, ""},
		{"one that never evaluates", policy.ScalerRow{Info: good.Info}, ""},
		{"no source", undocumented, "no source"},
		{"no cost", free, "no cost"},
		{"a name that no key can take", described, "no name"},
		{"out of bounds", row(all, func() scaler {
			return func(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
				return policy.Proposal{Desired: steps.Take(policy.Recommended, s.Current+1, "more is better")}
			}
		}), "instances proposed"},
		{"no step", row(all, func() scaler {
			return func(s *policy.Snapshot, _ *policy.Steps) policy.Proposal { return policy.Proposal{Desired: s.Min} }
		}), "want a recommendation first"},
		{"no reason", row(all, func() scaler {
			return func(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
				return policy.Proposal{Desired: steps.Take(policy.Recommended, s.Min, "")}
			}
		}), "want a reason"},
		{"a number that no step tells of", row(all, func() scaler {
			return func(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
				steps.Take(policy.Recommended, s.Min, "the least")
				return policy.Proposal{Desired: s.Max}
			}
		}), "want the last to leave"},
		{"a changed snapshot", proposing(all, func(s *policy.Snapshot) int {
			for i := range s.Instances {
				s.Instances[i].Flows++
			}
			return s.Min
		}), "changed it"},
		{"state of two runs in one place", proposing(all, func(s *policy.Snapshot) int {
			shared++
			return shared % (s.Max + 1)
		}), "told the same again"},
		{"the order of a map", proposing(all, func(s *policy.Snapshot) int {
			for n := range map[int]bool{s.Min: true, s.Max: true, s.Min + 1: true} {
				return n
			}
			return 0
		}), "told the same again"},
		{"more than it declares: flows", proposing(policy.T0|policy.T2, func(s *policy.Snapshot) (flows int) {
			for _, i := range s.Instances {
				flows += int(i.Flows)
			}
			return flows
		}), "when shown T0 T2 alone"},
		{"more than it declares: rates", proposing(policy.T0|policy.T1, func(s *policy.Snapshot) int {
			return int(min(100, s.Load(policy.Processed)/s.Limit))
		}), "when shown T0 T1 alone"},
		{"an average over no instance", proposing(all, func(s *policy.Snapshot) int {
			return s.Held / s.Current
		}), "panics"},
	} {
		expect(t, c.name, Check(c.row, struct{}{}), c.want)
	}
}

func TestTheSuiteFindsWhatBreaksAVictimsContract(t *testing.T) {
	shared := 0.0
	victim := func(sees policy.Class, score func(*policy.Instance) float64) policy.VictimRow {
		return policy.VictimRow{
			Info: policy.Info{Name: "a-victim", Rule: "a rule", Source: "this test", Cost: "n", Sees: sees},
			New:  func(policy.Env) policy.Victim { return policy.EachScored(score) },
		}
	}
	for _, c := range []struct {
		name string
		row  policy.VictimRow
		want string
	}{
		{"one that keeps to it", victim(policy.T1, func(i *policy.Instance) float64 { return float64(i.Flows) }), ""},
		{"no class", victim(0, func(i *policy.Instance) float64 { return 0 }), "no class"},
		{"no number", victim(policy.T0, func(i *policy.Instance) float64 { return math.NaN() }), "want numbers"},
		{"more than it declares", victim(policy.T0, func(i *policy.Instance) float64 {
			return i.Rate.Rx
		}), "when shown T0 alone"},
		{"state of two runs in one place", victim(policy.T0, func(i *policy.Instance) float64 {
			shared++
			return shared
		}), "told the same again"},
		{"a changed snapshot", victim(policy.T0, func(i *policy.Instance) float64 {
			i.Flows++
			return 0
		}), "changed it"},
	} {
		expect(t, c.name, CheckVictim(c.row), c.want)
	}
}

// What the random histories are meant to hold is there.
func TestHistoriesAreVaried(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(histories) {
		h := newHistory(seed, 0)
		for range evaluations {
			s := h.next()
			draining := len(s.Instances) - s.Current
			for what, there := range map[string]bool{
				"no instance":             len(s.Instances) == 0,
				"only draining instances": len(s.Instances) > 0 && s.Current == 0,
				"draining instances":      draining > 0 && s.Current > 0,
				"nothing measured":        !s.Measured,
				"missing counters":        s.Missing() > 0,
				"held flows, no instance": s.Held > 0 && s.Current == 0,
				"fewer than the least":    s.Current < s.Min,
				"the most":                s.Current == s.Max,
				"no load":                 s.Measured && s.Current > 0 && s.Load(policy.Offered) == 0,
				"far too much load":       s.Load(policy.Offered) > 1e6*s.Limit,
				"a scaling before":        s.LastScaling != units.Never,
				"twice at one time":       s.Now == s.LastScaling,
			} {
				seen[what] = seen[what] || there
			}
			h.carryOut(s.Min + h.rnd.IntN(s.Max-s.Min+1))
		}
	}
	for what, there := range seen {
		if !there {
			t.Errorf("no history has %s", what)
		}
	}
}
