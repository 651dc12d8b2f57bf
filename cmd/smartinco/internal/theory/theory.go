// Package theory holds the simulator against what is known without it. Scenarios whose loss and waits have a closed
// form are run with several seeds, and each closed form must lie within the confidence interval of what the runs say.
// The common work that packet simulators are compared by must give the published counts, to the packet.
package theory

import (
	"context"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Row is one quantity of one system.
type Row struct {
	System   string  `json:"system"`
	Quantity string  `json:"quantity"`
	Theory   float64 `json:"theory"`     // or what is published
	Mean     float64 `json:"simulated"`  // over the runs
	Half     float64 `json:"half_width"` // of the confidence interval around it; 0 where counts must be equal
	Exact    bool    `json:"exact"`      // counts must be equal
	Agrees   bool    `json:"agrees"`
}

// Options of Check.
type Options struct {
	// Runs of each system that draws random numbers, each with a seed of its own: at least 2, and 5 for an interval
	// that says something.
	Runs int
	// Packets of each run of a packet queue, in the mean. A system of flows has a hundredth as many flows.
	Packets int
	// Jobs is the number of runs at a time, at least 1.
	Jobs int
	// Progress is called after each run with the number of runs that are done, from any goroutine, once at a time. It
	// may be nil.
	Progress func(done float64)
}

// Confidence is that of all rows together: the chance that a right simulator passes, if seeds are drawn at random.
const Confidence = 0.99

// Runs is how many runs Check makes.
func Runs(o Options) (n int) {
	for _, s := range systems(o) {
		n += s.runs
	}
	return n
}

// Check runs every system. It is an error if a run cannot be carried out, does not conserve packets, or breaks Little's
// law. A row that disagrees is not an error.
func Check(ctx context.Context, o Options) ([]Row, error) {
	all := systems(o)
	values := make([][][]float64, len(all)) // by system and run
	var g errgroup.Group
	g.SetLimit(o.Jobs)
	var mu sync.Mutex
	done := 0
	for i, s := range all {
		values[i] = make([][]float64, s.runs)
		for k := range s.runs {
			g.Go(func() (err error) {
				seed := uint64(i*o.Runs + k + 1) // no two systems see the same random numbers
				if values[i][k], err = s.run(ctx, seed); err != nil {
					return fmt.Errorf("%s, seed %d: %w", s.name, seed, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if done++; o.Progress != nil {
					o.Progress(float64(done))
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var rows []Row
	random := 0
	for i, s := range all {
		for q, quantity := range s.quantities {
			row := Row{System: s.name, Quantity: quantity.name, Theory: quantity.value, Exact: s.runs == 1}
			var x []float64
			for _, v := range values[i] {
				x = append(x, v[q])
			}
			row.Mean = stat.Mean(x, nil)
			if !row.Exact {
				random++
				row.Half = stat.StdDev(x, nil) / math.Sqrt(float64(len(x)))
			}
			rows = append(rows, row)
		}
	}
	// Bonferroni: if the simulator is right, the chance that some row differs is at most the sum of the rows' chances.
	t := distuv.StudentsT{Sigma: 1, Nu: float64(o.Runs - 1)}.Quantile(1 - (1-Confidence)/float64(2*random))
	for i := range rows {
		rows[i].Half *= t
		rows[i].Agrees = math.Abs(rows[i].Theory-rows[i].Mean) <= rows[i].Half
	}
	return rows, nil
}
