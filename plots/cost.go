package plots

import (
	"cmp"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
)

// costs: loss over instance-seconds, a point for each policy and seed, and a panel for each stack. The front has the
// points of which no other has both less loss and fewer instance-seconds.
func costs(ds []data, o Options) (*chart.Page, []string, error) {
	c, notes, err := contend(ds, (*data).autoscaling)
	if err != nil {
		return nil, nil, err
	}
	if err := c.count(); err != nil {
		return nil, nil, err
	}
	c.byName()
	var ps []*chart.Panel
	var paid []float64 // in all panels
	for _, stack := range c.stacks {
		p := &chart.Panel{Title: cmp.Or(stack, "Loss and its price"), Y: chart.Axis{Label: "Loss (% of packets)"}}
		var all chart.Series
		for i := range c.all {
			if c.all[i].runs[0].stack != stack {
				continue
			}
			s := chart.Series{Name: c.all[i].price(), Look: c.all[i].look, Kind: chart.Points, N: 1}
			for k := range c.all[i].runs {
				d := &c.all[i].runs[k]
				share, known := loss.of(*d)
				if !known {
					continue
				}
				s.X, s.Y = append(s.X, d.cost.InstanceTime/d.scale.time), append(s.Y, share)
			}
			all.X, all.Y = append(all.X, s.X...), append(all.Y, s.Y...)
			p.Series = append(p.Series, s)
		}
		front := chart.Series{Name: "Pareto front", Look: 6, Kind: chart.Step, Thin: true, N: 1}
		front.X, front.Y = pareto(all.X, all.Y)
		p.Series = append(p.Series, front)
		p.Y.Min, p.Y.Max = around(all.Y)
		paid = append(paid, all.X...)
		ps = append(ps, p)
	}
	x := chart.Axis{Label: "Instance-seconds (s)"}
	x.Min, x.Max = around(paid)
	for _, p := range ps {
		p.X = x
		front := &p.Series[len(p.Series)-1] // whoever pays more need not lose more
		front.X, front.Y = append(front.X, x.Max), append(front.Y, front.Y[len(front.Y)-1])
	}
	height := 130.0
	if len(ps) > 1 {
		height = 90
	}
	pg := stack(o, 1, height, ps...)
	if len(ps) == 1 {
		ps[0].Title = ""
	}
	return pg, notes, nil
}

// around is a range with room around values that are not negative.
func around(vs []float64) (lo, hi float64) {
	lo, hi = slices.Min(vs), slices.Max(vs)
	room := max(0.06*(hi-lo), 0.01*hi, 1e-3)
	return max(lo-room, 0), hi + room
}

// price is a contender's name without its stack, which names its panel.
func (c *contender) price() string {
	return strings.TrimSuffix(c.name, ", "+c.runs[0].stack)
}

// pareto are the points of which no other has a y that is less and an x that is no more, or the other way round, in
// order of x.
func pareto(x, y []float64) (fx, fy []float64) {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(y[a], y[b])) })
	for _, i := range order {
		if len(fy) == 0 || y[i] < fy[len(fy)-1] {
			fx, fy = append(fx, x[i]), append(fy, y[i])
		}
	}
	return fx, fy
}
