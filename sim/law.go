package sim

import (
	"fmt"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/units"
)

// Law makes the contention law of a scenario.
func Law(c *scenarios.Contention) (contention.Law, error) {
	switch c.Model {
	case "usl":
		return contention.USL{Lambda: float64(c.Lambda), Sigma: c.Sigma, Kappa: c.Kappa}, nil
	case "constant":
		if c.ServiceTime > 0 {
			return contention.Constant(float64(units.Second) / float64(c.ServiceTime)), nil
		}
		return contention.Constant(c.Rate), nil
	case "table":
		points := make(map[int]float64, len(c.Points))
		for n, r := range c.Points {
			points[n] = float64(r)
		}
		return contention.NewTable(points)
	}
	return nil, fmt.Errorf("contention model %q: expected usl, table or constant", c.Model)
}
