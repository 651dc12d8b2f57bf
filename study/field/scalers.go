package field

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
)

// front are the scaling policies in a cell that nobody beats: no other loses less, by more than the margin, with as few
// instance-seconds, and none loses as little with a hundredth fewer. The cheapest comes first, and the oracle is left
// out. goods are those of which nothing worse is known than of the first by loss.
func (r *report) front(c cell) (front, goods []string, err error) {
	all, err := r.d.ranking(scalerKey, "loss")
	if err != nil {
		return nil, nil, err
	}
	cost, err := r.d.means(scalerKey, "instance_s", c)
	if err != nil {
		return nil, nil, err
	}
	idle, err := r.idle(c)
	if err != nil {
		return nil, nil, err
	}
	k := all[c]
	for i := range k.Rows {
		row := &k.Rows[i]
		if good(row) {
			goods = append(goods, row.Name)
		}
		beaten := slices.ContainsFunc(k.Rows, func(other stats.Ranked) bool {
			less, x, y := other.Mean.Value-row.Mean.Value, cost[other.Name].Value, cost[row.Name].Value
			return other.Name != oracle && (less < -margin && x <= y || less <= margin && x < 0.99*y)
		})
		if !beaten && row.Name != oracle && !slices.Contains(idle, row.Name) {
			front = append(front, row.Name)
		}
	}
	cheap := func(a, b string) int {
		return cmp.Or(cmp.Compare(cost[a].Value, cost[b].Value), strings.Compare(a, b))
	}
	slices.SortFunc(front, cheap)
	slices.SortFunc(goods, cheap)
	return front, goods, nil
}

// idle are the scaling policies that never changed the number in a cell, but for the one that never does.
func (r *report) idle(c cell) (all []string, err error) {
	k, err := r.d.ranking(scalerKey, "loss")
	if err != nil {
		return nil, err
	}
	events, err := r.d.means(scalerKey, "scale_events", c)
	if err != nil {
		return nil, err
	}
	for _, row := range k[c].Rows {
		if row.Name != fixed && events[row.Name].Value == 0 {
			all = append(all, row.Name)
		}
	}
	slices.Sort(all)
	return all, nil
}

// scalers ranks the scaling policies by what they lose and by what they cost.
func (r *report) scalers() error {
	r.heading(2, "Autoscalers")
	cells, err := r.d.full(scalerKey)
	if err != nil {
		return err
	}
	all, err := r.d.ranking(scalerKey, "loss")
	if err != nil {
		return err
	}
	r.text("Loss and cost are two ends. A scaling policy stands in front if no other loses less with as few " +
		"instance-seconds, or as little with fewer; the oracle is left out of that, and who did nothing. The oracle " +
		"asks for as many instances as carry, at `scheduler.limit` each, every peak that comes until another could " +
		"be ready, also one of milliseconds. It is no bound of cost, and of loss only where instances take nothing " +
		"from each other.")
	r.figure("pareto")
	said := map[string][]string{}
	var fronts, links [][]string
	for _, c := range cells {
		k := all[c]
		var column [3]map[string]stats.Interval
		for i, metric := range []string{"instance_s", "under_s", "reversals"} {
			if column[i], err = r.d.means(scalerKey, metric, c); err != nil {
				return err
			}
		}
		cost, reversals := column[0], column[2]
		front, goods, err := r.front(c)
		if err != nil {
			return err
		}
		idle, err := r.idle(c)
		if err != nil {
			return err
		}
		mean := func(name string) string { return estimate(scaled(cost[name], 1/r.seconds(c.traffic)), short) }
		first, last := &k.Rows[0], &k.Rows[len(k.Rows)-1]
		cheapest := goods[0]
		fronts = append(fronts, []string{"`" + c.traffic + "`", "`" + c.stack + "`", "`" + c.other + "`", "`" +
			first.Name + "`",
			loss(first.Mean), strconv.Itoa(len(goods) - 1), "`" + cheapest + "`", mean(cheapest), names(front, 8)})
		var lost []float64
		var beside [3][]float64
		flapping := first.Name
		for _, row := range k.Rows {
			lost = append(lost, row.Mean.Value)
			for i := range beside {
				beside[i] = append(beside[i], column[i][row.Name].Value)
			}
			if reversals[row.Name].Value > reversals[flapping].Value && row.Name != oracle {
				flapping = row.Name
			}
		}
		var rho [3]stats.Interval
		line := []string{"`" + c.traffic + "`", "`" + c.stack + "`", "`" + c.other + "`"}
		for i := range beside {
			rho[i] = spearman(beside[i], lost)
			line = append(line, correlation(rho[i]))
		}
		links = append(links, line)
		if c.other != plain {
			continue
		}
		a := "A " + c.traffic + " " + c.stack
		var s string
		if last.Behind.Value <= margin {
			s = fmt.Sprintf("On %s, all %d lose as much, %s %%: the cheapest, `%s`, pays for %s instances in the "+
				"mean %s.",
				c.text(), len(k.Rows), loss(first.Mean), cheapest, mean(cheapest), see(a))
		} else {
			s = fmt.Sprintf("On %s, `%s` loses least, %s %%, with %s instances in the mean;", c.text(), first.Name,
				loss(first.Mean), mean(first.Name))
			if n := len(goods) - 1; n > 0 {
				s += fmt.Sprintf(" %s as good or cannot be told apart from it", isare(n, "one other is",
					strconv.Itoa(n)+" others are"))
				if cheapest != first.Name {
					s += fmt.Sprintf(", of which `%s` is the cheapest, with %s", cheapest, mean(cheapest))
				}
				s += ";"
			}
			s += fmt.Sprintf(" `%s` loses most, behind by %s %s.", last.Name, how(last), see(a))
			if best := first.Regret; k.Options.Baseline == oracle && first.Name != oracle && best.Value < -margin &&
				(math.IsNaN(best.P) || best.P < 1-confidence) {
				s += fmt.Sprintf(" The oracle loses %s points more than the first, with %s instances.",
					estimate(negated(best.Interval), points), mean(oracle))
			}
			switch few, many := rho[1], rho[0]; {
			case few.Low > 0.3:
				s += fmt.Sprintf(" Loss goes with the time for which there were too few instances: the rank "+
					"correlation is %s %s.",
					estimate(few, digits2), see("scaling"))
			case many.Low > 0.3:
				s += fmt.Sprintf(" Who pays for more instances loses *more*: the rank correlation of loss with "+
					"instance-seconds is %s %s.", estimate(many, digits2), see("scaling"))
			case few.High < -0.3:
				s += fmt.Sprintf(" Who has too few instances for longer loses *less*: the rank correlation is %s %s.",
					estimate(few, digits2), see("scaling"))
			default:
				s += fmt.Sprintf(" Loss does not follow the time for which there were too few instances: the rank "+
					"correlation is %s %s.", correlation(few), see("scaling"))
			}
		}
		if reversals[flapping].Value >= 3 {
			s += fmt.Sprintf(" `%s` turns back most often, %s times a run.", flapping, estimate(reversals[flapping],
				short))
		}
		if len(idle) > 0 {
			s += fmt.Sprintf(" In these %s s, %s %s.", short(r.seconds(c.traffic)), names(idle, 8),
				isare(len(idle), "never acts", "never act"))
		}
		said[c.traffic] = append(said[c.traffic], s)
	}
	for _, t := range r.c.Traffics {
		if len(said[t.Name]) > 0 {
			r.heading(3, "Autoscalers on "+t.Name)
			r.list(said[t.Name])
		}
	}
	r.table("fronts", "The first of the autoscalers by loss, how many others are as good or cannot be told apart "+
		"from it, the cheapest of all these with its instances in the mean, and who stands in front, the cheapest "+
		"first.", 4,
		[]string{"traffic", "stack", "scheduler", "first", "its loss (%)", "≈ or ~", "cheapest", "its instances",
			"in front"},
		fronts)
	r.table("scaling", "Rank correlation (Spearman) of an autoscaler's loss with three of its columns. *none*: one "+
		"of the two is the same for all.", 3, []string{"traffic", "stack", "scheduler", "instance-seconds", "time " +
		"with too few",
		"reversals"}, links)
	return nil
}

func (r *report) scalerTable(c cell) error {
	all, err := r.d.ranking(scalerKey, "loss")
	if err != nil {
		return err
	}
	var extra [5]map[string]stats.Interval
	for i, metric := range []string{"instance_s", "under_s", "over_s", "scale_events", "reversals"} {
		if extra[i], err = r.d.means(scalerKey, metric, c); err != nil {
			return err
		}
	}
	front, _, err := r.front(c)
	if err != nil {
		return err
	}
	k := all[c]
	of := 1 / r.seconds(c.traffic)
	var rows [][]string
	at := map[string]int{} // of a row, by its values
	for i := range k.Rows {
		o := &k.Rows[i]
		tie, behind, p, regret, in := "", "", "", "", ""
		if i > 0 {
			tie, behind, p = mark(o), estimate(o.Behind.Interval, points), pText(o)
		}
		if k.Options.Baseline != "" {
			regret = estimate(o.Regret.Interval, points)
		}
		if slices.Contains(front, o.Name) {
			in = "in front"
		}
		line := []string{"`" + o.Name + "`", loss(o.Mean), behind, p, tie, regret,
			estimate(scaled(extra[0][o.Name], of), short), time(scaled(extra[1][o.Name], of)),
			time(scaled(extra[2][o.Name], of)), estimate(extra[3][o.Name], short), estimate(extra[4][o.Name], short),
			in}
		id := fmt.Sprint(o.Values, line[5:])
		if j, seen := at[id]; seen {
			rows[j][0] += ", " + line[0]
			continue
		}
		at[id] = len(rows)
		rows = append(rows, line)
	}
	r.table("A "+c.traffic+" "+c.stack, fmt.Sprintf("Autoscalers on %s, under `%s`. ~: behind the first, but not "+
		"significantly; ≈: behind it by no more than %s points.", c.text(), plain, points(margin)), 1,
		[]string{"autoscaler", "loss (%)",
			"behind (points)", "p", "", "regret to the oracle (points)", "instances", "too few (% of time)", "too many",
			"scalings", "reversals", ""}, rows)
	return nil
}

// time is a share of the time in percent.
func time(in stats.Interval) string {
	in.Low, in.High = max(in.Low, 0), min(in.High, 1)
	return estimate(scaled(in, 100), func(x float64) string { return strconv.FormatFloat(x+0, 'f', 1, 64) })
}

// correlation is a rank correlation.
func correlation(in stats.Interval) string {
	if math.IsNaN(in.Value) {
		return "none"
	}
	return estimate(in, digits2)
}
