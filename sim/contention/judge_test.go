package contention

import (
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/numeric"
)

// Five instances, four saturated and one at 2 Mpps: what each verdict takes.
func TestJudge(t *testing.T) {
	usl := USL{25 * mpps, 0.38, 0.019}
	c := usl.Capacity(5)
	pool := (usl.Total(5) - 2*mpps) / 4
	for _, k := range []struct {
		what      string
		truth     float64
		deviation float64
		demand    float64
		want      string
	}{
		{"reserved, exactly", c, 0, 2 * mpps, Reserved},
		{"pooled, exactly", pool, 0, 2 * mpps, Pooled},
		{"between, exactly", (c + pool) / 2, 0, 2 * mpps, Neither},
		{"reserved, with noise", c, 0.02, 2 * mpps, Reserved},
		{"pooled, with noise", pool, 0.02, 2 * mpps, Pooled},
		{"between, with little noise", (c + pool) / 2, 0.002, 2 * mpps, Neither},
		{"between, with much noise", (c + pool) / 2, 0.4, 2 * mpps, Open},
		{"the same prediction", c, 0.02, c, Open},
	} {
		r := numeric.Stream(1, k.what)
		draw := func(mean float64) Sample {
			values := make([]float64, 10)
			for i := range values {
				values[i] = mean * (1 + k.deviation*r.NormFloat64())
			}
			return NewSample(values)
		}
		s := Sharing{Demands: []float64{k.demand}, Hungry: 4, Each: draw(k.truth), Capacity: draw(c), Alone: usl.Lambda}
		if k.demand == c {
			s.Demands[0] = s.Capacity.Mean
		}
		v, err := Judge(s)
		if err != nil || v.Outcome != k.want {
			t.Errorf("%s: %+v (%v), want %s", k.what, v, err, k.want)
		}
		if err == nil && v.Decibans != nil && math.IsNaN(*v.Decibans) {
			t.Errorf("%s: not a number", k.what)
		}
	}
}

func TestJudgeRefuses(t *testing.T) {
	ok := NewSample([]float64{1, 2})
	for want, s := range map[string]Sharing{
		"want at least one of each": {Hungry: 2, Each: ok, Capacity: ok},
		"want at least 2":           {Hungry: 1, Demands: []float64{1}, Each: NewSample([]float64{1}), Capacity: ok},
		"positive, finite":          {Hungry: 1, Demands: []float64{1}, Each: ok},
	} {
		if _, err := Judge(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
