package field

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
)

// schedulers ranks the scheduling policies.
func (r *report) schedulers() error {
	r.heading(2, "Schedulers")
	r.figure("heat")
	cells, err := r.d.full(schedulerKey)
	if err != nil {
		return err
	}
	all, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return err
	}
	var rows [][]string
	said := map[string][]string{}
	for _, c := range cells {
		k := all[c]
		first := &k.Rows[0]
		var goods []string
		var next *stats.Ranked
		for i := range k.Rows {
			if row := &k.Rows[i]; good(row) {
				goods = append(goods, row.Name)
			} else if next == nil {
				next = row
			}
		}
		last := &k.Rows[len(k.Rows)-1]
		same := 0
		for i := range k.Rows {
			if equal(&k.Rows[i]) {
				same++
			}
		}
		line := []string{"`" + c.traffic + "`", "`" + c.stack + "`", "`" + c.other + "`", "`" + first.Name + "`",
			loss(first.Mean),
			strconv.Itoa(same), strconv.Itoa(len(goods) - same), strconv.Itoa(len(k.Rows) - len(goods)), "", "", "", "",
			""}
		if next != nil {
			line[8], line[9], line[10] = "`"+next.Name+"`", estimate(next.Behind.Interval, points), pText(next)
			line[11], line[12] = "`"+last.Name+"`", estimate(last.Behind.Interval, points)
		}
		rows = append(rows, line)
		if c.other == fixed {
			said[c.traffic] = append(said[c.traffic], r.whoWins(c, k, goods, last))
		}
	}
	why, err := r.whySchedulers(cells)
	if err != nil {
		return err
	}
	for _, t := range r.c.Traffics {
		if len(said[t.Name])+len(why[t.Name]) == 0 {
			continue
		}
		r.heading(3, "Schedulers on "+t.Name)
		r.text(said[t.Name]...)
		r.list(why[t.Name])
	}
	r.table("winners", "The first of the schedulers by loss; how many are as good, cannot be told apart from it, and "+
		"are worse; the first that is worse, and the last.",
		4, []string{"traffic", "stack", "autoscaler", "first", "its loss (%)", "as good", "~", "worse", "first that " +
			"is worse",
			"behind (points)", "p", "last", "behind (points)"}, rows)
	return r.grid(cells)
}

// whoWins is a sentence on the schedulers in a place with a fixed number of instances.
func (r *report) whoWins(c cell, k *stats.Ranking, goods []string, last *stats.Ranked) string {
	first := &k.Rows[0]
	if last.Behind.Value <= margin {
		return fmt.Sprintf("On %s all %d schedulers are as good as each other, with a loss of %s %% %s.", c.text(),
			len(k.Rows), loss(first.Mean), see("winners"))
	}
	var same []string
	for i := range k.Rows {
		if equal(&k.Rows[i]) {
			same = append(same, k.Rows[i].Name)
		}
	}
	s := fmt.Sprintf("On %s, %s %s least, %s %%.", c.text(), names(same, 4), isare(len(same), "loses", "lose"),
		loss(first.Mean))
	untolds, worse := len(goods)-len(same), len(k.Rows)-len(goods)
	switch {
	case untolds > 0 && worse > 0:
		s += fmt.Sprintf(" %d more cannot be told apart from %s, and %d lose more;", untolds,
			isare(len(same), "it", "them"), worse)
	case untolds > 0:
		s += fmt.Sprintf(" The other %d cannot be told apart from %s;", untolds, isare(len(same), "it", "them"))
	default:
		s += fmt.Sprintf(" %s more;", isare(worse, "The other one loses", fmt.Sprintf("The other %d lose", worse)))
	}
	if p := find(k, plain); p != nil && !slices.Contains(same, plain) && p != last {
		s += fmt.Sprintf(" `%s` is behind by %s;", plain, how(p))
	}
	s += fmt.Sprintf(" `%s` comes last, behind by %s %s.", last.Name, how(last), see("S "+c.traffic+" "+c.stack))
	if o := find(k, oracle); o != nil && k.Options.Baseline == oracle {
		d := k.Rows[0].Regret
		switch {
		case k.Rows[0].Name == oracle || equal(o):
		case d.Value < -margin && (math.IsNaN(d.P) || d.P < 1-confidence):
			s += fmt.Sprintf(" The oracle, which knows the rate of each flow and moves none, loses %s points more "+
				"than the first: it balances loads, and is no bound where that is not what counts.",
				estimate(negated(d.Interval), points))
		case o.Behind.Value > margin && !o.Tie:
		default:
			s += fmt.Sprintf(" The oracle is behind by %s.", how(o))
		}
	}
	return s
}

func negated(in stats.Interval) stats.Interval {
	in.Value, in.Low, in.High = -in.Value, -in.High, -in.Low
	return in
}

// whySchedulers reads the causes from the runs' columns, for each traffic.
func (r *report) whySchedulers(cells []cell) (why map[string][]string, err error) {
	why = map[string][]string{}
	columns := []struct{ metric, name string }{{"dropped_link/offered", "link"}, {"dropped_eswitch/offered", "data " +
		"path"},
		{"dropped_slowpath/offered", "slow path"}, {"dropped_instance/offered", "instances"},
		{"dropped_rejected/offered", "refused"}}
	all, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return nil, err
	}
	var causes, evens, moves, refusals [][]string
	for _, c := range cells {
		if c.other != fixed {
			continue
		}
		k := all[c]
		// Where packets are lost.
		line := []string{"`" + c.traffic + "`", "`" + c.stack + "`"}
		shares := map[string]float64{}
		var least, most [2]float64
		for _, col := range columns {
			m, err := r.d.means(schedulerKey, col.metric, c)
			if err != nil {
				return nil, err
			}
			line = append(line, loss(m[plain]))
			shares[col.name] = m[plain].Value
			if col.name == "data path" {
				least, most = [2]float64{math.Inf(1)}, [2]float64{math.Inf(-1)}
				for _, row := range k.Rows {
					least[0], most[0] = min(least[0], m[row.Name].Value), max(most[0], m[row.Name].Value)
				}
			}
		}
		causes = append(causes, line)
		if p := find(k, plain); p != nil && p.Mean.Value > margin && shares["data path"] > p.Mean.Value/2 &&
			most[0]-least[0] <= margin {
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, %s of the packets are lost in the data "+
				"path, before any instance, under each of the schedulers: no scheduler has a say in that %s.", c.stack,
				percent(shares["data path"], 1), see("causes")))
		}
		// Who refuses.
		refused, err := r.d.means(schedulerKey, "dropped_rejected/offered", c)
		if err != nil {
			return nil, err
		}
		var refusers []string
		for _, row := range k.Rows {
			if refused[row.Name].Value > margin {
				refusers = append(refusers, row.Name)
				refusals = append(refusals, []string{"`" + c.traffic + "`", "`" + c.stack + "`", "`" + row.Name + "`",
					loss(refused[row.Name]), loss(row.Mean)})
			}
		}
		if len(refusers) > 0 {
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, packets of flows that find no room are "+
				"refused, under %s %s.", c.stack, names(refusers, 6), see("refusals")))
		}
		// How loss goes with the evenness of the loads.
		jain, err := r.d.means(schedulerKey, "jain", c)
		if err != nil {
			return nil, err
		}
		var xs, ys []float64
		for _, row := range k.Rows {
			xs, ys = append(xs, jain[row.Name].Value), append(ys, row.Mean.Value)
		}
		rho := spearman(xs, ys)
		evens = append(evens, []string{"`" + c.traffic + "`", "`" + c.stack + "`", strconv.Itoa(len(xs)),
			correlation(rho),
			digits2(slices.Min(xs)), digits2(slices.Max(xs))})
		spread := k.Rows[len(k.Rows)-1].Mean.Value - k.Rows[0].Mean.Value
		switch {
		case math.IsNaN(rho.Value) || spread <= margin:
		case rho.High < -0.3:
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, who spreads the load evenly loses less: "+
				"over the schedulers, the rank correlation of loss with Jain's index is %s %s.", c.stack, estimate(rho,
				digits2),
				see("evenness")))
		case rho.Low > 0.3:
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, who spreads the load evenly loses *more*: "+
				"over the schedulers, the rank correlation of loss with Jain's index is %s %s.", c.stack, estimate(rho,
				digits2),
				see("evenness")))
		}
		// What moving flows brings.
		moved, err := r.d.means(schedulerKey, "flows_moved", c)
		if err != nil {
			return nil, err
		}
		flows, err := r.d.means(schedulerKey, "flows", c)
		if err != nil {
			return nil, err
		}
		base := find(k, plain)
		var better, worse []string
		for i := range k.Rows {
			row := &k.Rows[i]
			if !(moved[row.Name].Value > 0) || base == nil {
				continue
			}
			d, err := stats.Paired(base.Values, row.Values, confidence)
			p := ""
			if err == nil {
				p = pOf(d.P)
			}
			moves = append(moves, []string{"`" + c.traffic + "`", "`" + c.stack + "`", "`" + row.Name + "`",
				estimate(scaled(moved[row.Name], 1/flows[row.Name].Value), short), estimate(negated(d.Interval),
					points), p})
			sure := math.IsNaN(d.P) || d.P < 1-confidence
			if sure && d.Value > margin {
				better = append(better, row.Name)
			} else if sure && d.Value < -margin {
				worse = append(worse, row.Name)
			}
		}
		if len(better) > 0 {
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, %s %s flows that live, and %s less than "+
				"`%s` %s.",
				c.stack, names(better, 6), isare(len(better), "moves", "move"), isare(len(better), "loses", "lose"),
				plain,
				see("moves")))
		}
		if len(worse) > 0 {
			why[c.traffic] = append(why[c.traffic], fmt.Sprintf("In `%s`, %s %s flows too, and %s more than `%s` %s.",
				c.stack, names(worse, 6), isare(len(worse), "moves", "move"), isare(len(worse), "loses", "lose"), plain,
				see("moves")))
		}
	}
	r.late = func() {
		head := []string{"traffic", "stack"}
		for _, col := range columns {
			head = append(head, col.name)
		}
		r.table("causes", "Where `"+plain+"` with a fixed number of instances loses packets, in percent of all.", 2,
			head,
			causes)
		r.table("evenness", "Rank correlation (Spearman) of a scheduler's loss with Jain's index of the instances' "+
			"loads, with a fixed number of instances, and the least and the greatest index. *none*: one of the two "+
			"is the same for all.", 2, []string{"traffic", "stack", "schedulers", "correlation", "least index",
			"greatest"}, evens)
		if len(refusals) > 0 {
			r.table("refusals", "Schedulers that refuse packets of flows which they have not placed, with a fixed "+
				"number of instances: what is refused, and all that is lost, in percent of the packets.", 3,
				[]string{"traffic", "stack", "scheduler", "refused", "lost"}, refusals)
		}
		if len(moves) > 0 {
			r.table("moves", "Schedulers that move flows: moves for each flow, and the loss beside that of `"+plain+
				"`, below 0 where it is less. The p-value is of one comparison.", 3,
				[]string{"traffic", "stack", "scheduler", "moves a flow", "loss beside " + plain + " (points)", "p"},
				moves)
		}
	}
	return why, nil
}

// grid has all schedulers by all places with a fixed number of instances in which they differ.
func (r *report) grid(cells []cell) error {
	all, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return err
	}
	var shown []cell
	var same []string
	for _, c := range cells {
		if c.other != fixed {
			continue
		}
		bad := all[c].Rows[len(all[c].Rows)-1].Behind.Value > margin
		if bad {
			shown = append(shown, c)
		} else {
			same = append(same, c.text())
		}
	}
	if len(shown) == 0 {
		return nil
	}
	// Policies of which the same is printed share a row.
	type row struct {
		names []string
		cells []string
		sum   float64
	}
	rows := map[string]*row{}
	var order []*row
	for i := range all[shown[0]].Rows {
		name := all[shown[0]].Rows[i].Name
		var cells []string
		sum := 0.0
		for _, c := range shown {
			k := find(all[c], name)
			sum += k.Behind.Value
			text := points(k.Behind.Value)
			if half := (k.Behind.High - k.Behind.Low) / 2; !math.IsNaN(half) && points(half) != "0.00" {
				text += " ±" + points(half)
			}
			if equal(k) {
				text = "**" + text + "**"
			} else if k.Tie {
				text += " ~"
			}
			cells = append(cells, text)
		}
		id := strings.Join(cells, "|")
		if rows[id] == nil {
			rows[id] = &row{cells: cells, sum: sum}
			order = append(order, rows[id])
		}
		rows[id].names = append(rows[id].names, name)
	}
	slices.SortStableFunc(order, func(a, b *row) int {
		switch {
		case a.sum < b.sum:
			return -1
		case a.sum > b.sum:
			return 1
		}
		return 0
	})
	var out [][]string
	for _, o := range order {
		slices.Sort(o.names)
		out = append(out, append([]string{"`" + strings.Join(o.names, "`, `") + "`"}, o.cells...))
	}
	head := []string{"scheduler"}
	for _, c := range shown {
		head = append(head, c.traffic+", "+c.stack)
	}
	caption := "How far each scheduler is behind the first, in points, with half of its 95 % interval, and with a " +
		"fixed number of instances. Bold: as good as the first. ~: behind it, but not significantly. Policies of " +
		"which the same is to be said share a row. The least sum comes first."
	if len(same) > 0 {
		caption += " Left out, since there all are as good as each other: " + strings.Join(same, ", ") + "."
	}
	r.table("grid", caption, 1, head, out)
	return nil
}

// always are the schedulers that have a row in every table: the thesis' three, and what others are measured by.
var always = []string{plain, "best-fit", "worst-fit", "random", oracle}

// The most rows of a table of schedulers at its head, and at its end, beside those that it always has.
const head, end = 10, 4

func (r *report) schedulerTable(c cell) error {
	all, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return err
	}
	var extra [3]map[string]stats.Interval
	for i, metric := range []string{"jain", "flows_moved", "flows_broken"} {
		if extra[i], err = r.d.means(schedulerKey, metric, c); err != nil {
			return err
		}
	}
	k := all[c]
	type row struct {
		names []string
		first *stats.Ranked
	}
	var merged []*row
	for i := range k.Rows {
		o := &k.Rows[i]
		id := func(o *stats.Ranked) string {
			return fmt.Sprint(o.Values, extra[0][o.Name], extra[1][o.Name], extra[2][o.Name])
		}
		at := slices.IndexFunc(merged, func(m *row) bool { return id(m.first) == id(o) })
		if at < 0 {
			at, merged = len(merged), append(merged, &row{first: o})
		}
		merged[at].names = append(merged[at].names, o.Name)
	}
	var rows [][]string
	left := 0
	flush := func() {
		if left > 0 {
			rows = append(rows, []string{fmt.Sprintf("*%d more*", left), "", "", "", "", "", "", "", ""})
			left = 0
		}
	}
	for i, m := range merged {
		wanted := i < head || i >= len(merged)-end ||
			slices.ContainsFunc(m.names, func(name string) bool { return slices.Contains(always, name) })
		if !wanted {
			left += len(m.names)
			continue
		}
		flush()
		slices.Sort(m.names)
		o := m.first
		tie, behind, p := "", "", ""
		if o != &k.Rows[0] {
			tie, behind, p = mark(o), estimate(o.Behind.Interval, points), pText(o)
		}
		regret := ""
		if k.Options.Baseline != "" {
			regret = estimate(o.Regret.Interval, points)
		}
		rows = append(rows, []string{"`" + strings.Join(m.names, "`, `") + "`", loss(o.Mean), behind,
			p, tie, regret, estimate(extra[0][o.Name], digits2), estimate(extra[1][o.Name], short),
			estimate(extra[2][o.Name], short)})
	}
	flush()
	r.table("S "+c.traffic+" "+c.stack, fmt.Sprintf("Schedulers on %s, with a fixed number of instances. ~: behind "+
		"the first, but not significantly; ≈: behind it by no more than %s points.", c.text(), points(margin)), 1,
		[]string{"scheduler", "loss (%)", "behind (points)", "p", "", "regret to the oracle (points)", "Jain's index",
			"flows moved", "flows broken"}, rows)
	return nil
}

// standing is how a scheduler stands over several places.
type standing struct {
	name  string
	mean  stats.Interval // of how far it is behind the first
	worst float64
	at    cell // of the worst
}

// robust ranks the schedulers by how far they are behind the first in the mean over the places with a fixed number of
// instances in which they differ. The interval reckons with the places of a traffic under a seed belonging together:
// under each seed there is one mean over them. Different traffics are independent.
func (r *report) robust() (all []standing, places []cell, err error) {
	cells, err := r.d.full(schedulerKey)
	if err != nil {
		return nil, nil, err
	}
	rankings, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return nil, nil, err
	}
	sums := map[[2]string][]float64{} // of a scheduler and a traffic: under each seed, over the places
	at := map[string]*standing{}
	var traffics []string
	for _, c := range cells {
		k := rankings[c]
		if c.other != fixed || k.Rows[len(k.Rows)-1].Behind.Value <= margin {
			continue
		}
		places = append(places, c)
		if !slices.Contains(traffics, c.traffic) {
			traffics = append(traffics, c.traffic)
		}
		first := k.Rows[0].Values
		for i := range k.Rows {
			row := &k.Rows[i]
			id := [2]string{row.Name, c.traffic}
			if sums[id] == nil {
				sums[id] = make([]float64, len(first))
			}
			for j, x := range row.Values {
				sums[id][j] += x - first[j]
			}
			if at[row.Name] == nil {
				at[row.Name] = &standing{name: row.Name, worst: -1}
			}
			if s := at[row.Name]; row.Behind.Value > s.worst {
				s.worst, s.at = row.Behind.Value, c
			}
		}
	}
	n := float64(len(places))
	for _, name := range slices.Sorted(maps.Keys(at)) {
		square := 0.0
		s := at[name]
		s.mean = stats.Interval{Confidence: confidence, N: len(places)}
		for _, t := range traffics {
			in, _ := stats.Mean(sums[[2]string{name, t}], confidence)
			s.mean.Value += in.Value / n
			if half := (in.High - in.Low) / 2 / n; !math.IsNaN(half) {
				square += float64(half * half)
			}
		}
		s.mean.Low, s.mean.High = s.mean.Value-math.Sqrt(square), s.mean.Value+math.Sqrt(square)
		all = append(all, *s)
	}
	slices.SortStableFunc(all, func(a, b standing) int { return cmp.Compare(a.mean.Value, b.mean.Value) })
	return all, places, nil
}
