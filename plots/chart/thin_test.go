package chart

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestThinning(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	n := 20 * denseAbove
	s := Series{Name: "s", Look: 2, Kind: Step, N: 3}
	for i := range n {
		v := r.Float64()
		s.X, s.Y = append(s.X, 0.25*float64(i)), append(s.Y, v)
		s.Lo, s.Hi = append(s.Lo, v-r.Float64()), append(s.Hi, v+r.Float64())
	}
	s.Y[n/3], s.Hi[n/2], s.Lo[n/2+7] = 50, 60, -70 // single points that stand out
	got := s.Thinned()
	if len(got.X) > 8*dots || len(got.X) < dots || got.Name != "s" || got.Look != 2 || got.Kind != Step || got.N != 3 {
		t.Fatalf("%d points of %d: %s, %d, %s, %d", len(got.X), n, got.Name, got.Look, got.Kind, got.N)
	}
	if !slices.IsSorted(got.X) || len(slices.Compact(slices.Clone(got.X))) != len(got.X) {
		t.Error("the points are not in order, or one is there twice")
	}
	type dot struct{ first, last, least, most float64 }
	on := func(s Series, v []float64) []dot {
		ds := make([]dot, dots)
		for i := range ds {
			ds[i] = dot{math.NaN(), 0, math.Inf(1), math.Inf(-1)}
		}
		for i, x := range s.X {
			d := &ds[min(dots-1, int(x/(0.25*float64(n-1))*dots))]
			if math.IsNaN(d.first) {
				d.first = v[i]
			}
			d.last, d.least, d.most = v[i], min(d.least, v[i]), max(d.most, v[i])
		}
		return ds
	}
	for what, v := range map[string][2][]float64{
		"line": {got.Y, s.Y}, "lower edge": {got.Lo, s.Lo}, "upper edge": {got.Hi, s.Hi},
	} {
		if !slices.Equal(on(got, v[0]), on(s, v[1])) {
			t.Errorf("the %s is not the same at each dot", what)
		}
	}
	s.X, s.Y, s.Lo, s.Hi = s.X[:denseAbove], s.Y[:denseAbove], nil, nil
	if got := s.Thinned(); len(got.X) != denseAbove || got.Lo != nil {
		t.Errorf("%d of %d points are left, which could all be seen", len(got.X), denseAbove)
	}
	still := Series{X: make([]float64, 2*denseAbove), Y: make([]float64, 2*denseAbove)}
	if got := still.Thinned(); len(got.X) != len(still.X) {
		t.Error("a line without a width has lost points")
	}
}
