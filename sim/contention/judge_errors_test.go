package contention

import (
	"fmt"
	"math"
	"testing"

	"github.com/smartinco/smartinco/numeric"
)

// How often a verdict errs, over many experiments with noise from little to more than the models differ by, under each
// of them. What is right is farther than chance explains in 1 of 1000. Evidence for what is wrong that is k times as
// likely under it comes in at most 1 of k experiments, whatever the noise (Markov's inequality for the likelihood
// ratio; R. Royall, "Statistical Evidence", 1997, 1.4).
func TestJudgeErrsAsRarelyAsItSays(t *testing.T) {
	usl := USL{25 * mpps, 0.38, 0.019}
	c := usl.Capacity(5)
	const trials, demand = 4000, 2 * mpps
	for k, truth := range []struct {
		share string
		rate  float64
	}{{Reserved, c}, {Pooled, (usl.Total(5) - demand) / 4}} {
		for _, repetitions := range []int{3, 10} {
			for _, deviation := range []float64{0.005, 0.08, 0.2, 0.4} {
				what := fmt.Sprintf("%s, %d repetitions, deviation %g", truth.share, repetitions, deviation)
				r := numeric.Stream(1, what)
				draw := func(mean float64) Sample {
					values := make([]float64, repetitions)
					for i := range values {
						values[i] = max(1, mean*(1+float64(deviation*numeric.Normal(r))))
					}
					return NewSample(values)
				}
				beyond, wrong := 0, 0
				misled := map[float64]int{5: 0, 10: 0, 15: 0, 20: 0} // by decibans
				for range trials {
					v, err := Judge(Sharing{Demands: []float64{demand}, Hungry: 4, Each: draw(truth.rate),
						Capacity: draw(c), Alone: usl.Lambda})
					if err != nil {
						t.Fatal(err)
					}
					if v.Predictions[k].Beyond {
						beyond++
					}
					if v.Outcome != truth.share && v.Outcome != Open {
						wrong++
					}
					if v.Decibans == nil {
						continue
					}
					db := *v.Decibans
					if truth.share == Pooled {
						db = -db
					}
					for limit := range misled {
						if db >= limit {
							misled[limit]++
						}
					}
				}
				if beyond > trials*4/1000 {
					t.Errorf("%s: %d of %d are farther than chance explains", what, beyond, trials)
				}
				for limit, n := range misled {
					if most := trials / math.Pow(10, limit/10); float64(n) > most {
						t.Errorf("%s: %d of %d are misled by %g decibans, want at most %g", what, n, trials, limit,
							most)
					}
				}
				if deviation < 0.01 && wrong > 0 {
					t.Errorf("%s: %d of %d verdicts are wrong", what, wrong, trials)
				}
			}
		}
	}
}
