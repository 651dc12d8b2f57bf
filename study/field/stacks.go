package field

import (
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/results/stats"
)

// loop is what a pair of policies loses in another stack beside what it loses in the first.
type loop struct {
	traffic, scheduler, scaler, stack string
	from, to                          stats.Interval
	by                                stats.Difference // above 0 where it loses more
	p                                 string
}

// sure says whether the difference is significant, as one comparison, or exact.
func (l *loop) sure() bool { return math.IsNaN(l.by.P) || l.by.P < 1-confidence }

// base is the stack by which the others are measured.
const base = "smartnic"

// pairs are the policies that are compared over the stacks.
var pairs = []struct{ scheduler, scaler string }{{plain, fixed}, {"least-connections", fixed}, {"worst-fit", fixed},
	{"least-load", fixed}, {"best-fit", fixed}, {plain, "target-utilization"}, {plain, "hpa"}, {plain, "kpa"}}

// loops compares stacks; there is none where only one was run.
func (r *report) loops() (all []loop, err error) {
	var names []string
	for i := range r.c.Study.Runs {
		if name := value(&r.c.Study.Runs[i], stackKey); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) < 2 {
		return nil, nil
	}
	rankings, err := r.d.ranking(stackKey, "loss")
	if err != nil {
		return nil, err
	}
	for _, t := range r.c.Traffics {
		for _, who := range pairs {
			k := rankings[cell{t.Name, "", who.scheduler + "\x00" + who.scaler}]
			if k == nil || find(k, base) == nil {
				continue
			}
			a := find(k, base)
			for _, name := range names {
				b := find(k, name)
				if b == nil || name == base {
					continue
				}
				d, err := stats.Paired(b.Values, a.Values, confidence)
				p := "exact"
				if err == nil {
					p = pOf(d.P)
				}
				all = append(all, loop{t.Name, who.scheduler, who.scaler, name, a.Mean, b.Mean, d, p})
			}
		}
	}
	return all, nil
}

// stacks compares the same policies in different stacks.
func (r *report) stacks() error {
	loops, err := r.loops()
	if err != nil || len(loops) == 0 {
		return err
	}
	r.heading(2, "Stacks")
	r.text("The same policies with another data path, another age of the counters and another control loop. The " +
		"schedulers that are compared with a fixed number of instances differ in what they look at: `round-robin` at " +
		"nothing, `least-connections` at flows, which it counts itself, `worst-fit`, `least-load` and `best-fit` at " +
		"rates that are as old as the stack's counters. Of these three, `least-load` alone does not reckon with the " +
		"flows that it has sent since the last reading.")
	var rows [][]string
	type place struct{ traffic, stack string }
	var order []place
	least, most := map[place]*loop{}, map[place]*loop{}
	for i := range loops {
		l := &loops[i]
		rows = append(rows, []string{"`" + l.traffic + "`", "`" + l.scheduler + "`", "`" + l.scaler + "`", loss(l.from),
			"`" + l.stack + "`", loss(l.to), estimate(l.by.Interval, points), l.p})
		if l.scaler != fixed {
			continue
		}
		at := place{l.traffic, l.stack}
		if least[at] == nil {
			least[at], most[at], order = l, l, append(order, at)
		}
		if l.by.Value < least[at].by.Value {
			least[at] = l
		}
		if l.by.Value > most[at].by.Value {
			most[at] = l
		}
	}
	var items []string
	for _, at := range order {
		low, high := least[at], most[at]
		s := fmt.Sprintf("On %s, ", cell{traffic: at.traffic, stack: at.stack}.text())
		by := func(l *loop) string {
			return fmt.Sprintf("%s under `%s`", estimate(l.by.Interval, points), l.scheduler)
		}
		switch {
		case high.by.Value <= margin && low.by.Value >= -margin:
			s += fmt.Sprintf("these schedulers lose as much as in `%s`", base)
		case low.by.Value > margin && points(low.by.Value) == points(high.by.Value):
			s += fmt.Sprintf("each of these schedulers loses %s points more than in `%s`", points(high.by.Value), base)
		case low.by.Value > margin:
			s += fmt.Sprintf("each of these schedulers loses more than in `%s`, from %s points to %s", base, by(low),
				by(high))
		default:
			s += fmt.Sprintf("what changes beside `%s` depends on the scheduler: from %s points to %s", base, by(low),
				by(high))
		}
		items = append(items, s+" "+see("loops")+".")
	}
	r.list(items)
	r.table("loops", "The loss of some policies in `"+base+"`, and in another stack, in percent; the difference in "+
		"points, above 0 where the other loses more, and its p-value, of one comparison.", 3, []string{"traffic",
		"scheduler",
		"autoscaler", base, "stack", "loss (%)", "difference (points)", "p"}, rows)
	return nil
}
