package fidelity

import (
	"context"
	"fmt"
	"strconv"
)

// SpanPoint is what Best-Fit gains over Round-Robin and Worst-Fit, in Mpps from the saturation of the eSwitch on, under
// the default with a law of contention through another C(4).
type SpanPoint struct {
	C4       float64 // Mpps that each of four instances processes
	Five     float64 // Mpps that five process together
	Pooled   []float64
	Reserved []float64
}

// throughC4 are sigma and kappa of the law with 25 Mpps for one instance, c4 for each of four, and 42 for eight
// together: 1 + 3σ + 12κ = 25/c4 and 1 + 7σ + 56κ = 25·8/42.
func throughC4(c4 float64) (sigma, kappa float64) {
	a, b := 25/c4-1, 25*8/42.0-1
	kappa = (b - float64(7.0/3*a)) / 28
	return (a - float64(12*kappa)) / 3, kappa
}

// Span runs the default with laws through the values of C(4) that "slightly above 10 Mpps" may mean: 10.1 to 10.9.
func Span(ctx context.Context, plant Runner) ([]SpanPoint, error) {
	var points []SpanPoint
	for tenths := 101; tenths <= 109; tenths++ {
		p := SpanPoint{C4: float64(tenths) / 10}
		sigma, kappa := throughC4(p.C4)
		p.Five = 5 * 25 / (1 + float64(4*sigma) + float64(20*kappa))
		for _, s := range []struct {
			share string
			to    *[]float64
		}{{"pooled", &p.Pooled}, {"reserved", &p.Reserved}} {
			sets := append(Default.with("share", s.share).Sets("fig9"),
				"vnf.contention.sigma="+strconv.FormatFloat(sigma, 'g', -1, 64),
				"vnf.contention.kappa="+strconv.FormatFloat(kappa, 'g', -1, 64))
			recs, err := plant(ctx, "fig9", sets)
			if err != nil {
				return nil, fmt.Errorf("law through C(4) = %g: %w", p.C4, err)
			}
			m, err := measureAll(Records{"fig9": recs})
			if err != nil {
				return nil, err
			}
			v, err := m.each(func(x *run) float64 { return mean(x.overload(), processed) })
			if err != nil {
				return nil, err
			}
			*s.to = []float64{v[1] - v[0], v[1] - v[2]}
		}
		points = append(points, p)
	}
	return points, nil
}
