package oracle

import (
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
)

func TestConformance(t *testing.T) {
	for _, target := range []float64{1, .5, 3} {
		scalingtest.Run(t, Scalers[0], Options{Target: target})
	}
}

func TestFewestThatCarryWhatIsAhead(t *testing.T) {
	for _, c := range []struct {
		target, ahead float64
		held, want    int
	}{
		{1, 0, 0, 0}, {1, 0, 3, 1}, {1, 1, 0, 1}, {1, 100, 0, 1}, {1, 101, 0, 2}, {1, 100 * (1 + 1e-12), 0, 1},
		{.5, 101, 0, 3}, {1, 1e300, 0, 9},
	} {
		p, _ := newOracle(Options{Target: c.target}, policy.Env{})
		s := &policy.Snapshot{Limit: 100, Max: 9, Ahead: c.ahead, Held: c.held}
		if got := p.Evaluate(s, new(policy.Steps)).Desired; got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
