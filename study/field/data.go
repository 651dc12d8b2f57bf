package field

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/study"
)

// confidence is that of all intervals, as in the rankings of package study.
const confidence = 0.95

// margin is the least difference that counts, as a share of the packets: what is closer to the first is as good as it,
// however sure the difference is. The choice is ours.
const margin = 0.001

// cell is where policies of one kind are ranked: a traffic, a stack, and a policy of the other kind.
type cell struct{ traffic, stack, other string }

// data is the study's table, read as rankings.
type data struct {
	dir  string
	memo map[string]map[cell]*stats.Ranking
	// order is that of the cells in the study.
	order map[string][]cell
}

// ranking ranks the values of a key by a metric, the least first, in each cell that has any number of them.
func (d *data) ranking(key, metric string) (map[cell]*stats.Ranking, error) {
	id := key + " " + metric
	if got, ok := d.memo[id]; ok {
		return got, nil
	}
	all, err := study.Rank(d.dir, study.RankOptions{Metric: metric, By: []string{key}, Best: "least"})
	if err != nil {
		return nil, err
	}
	got := map[cell]*stats.Ranking{}
	var order []cell
	for _, r := range all {
		var c cell
		for _, u := range r.Under {
			switch u.Key {
			case trafficKey:
				c.traffic = u.Value
			case stackKey:
				c.stack = u.Value
			case schedulerKey, scalerKey:
				if c.other != "" {
					c.other += "\x00"
				}
				c.other += u.Value
			}
		}
		got[c], order = r.Ranking, append(order, c)
	}
	d.memo[id], d.order[key] = got, order
	return got, nil
}

// full are the cells in which all policies of a kind were run, in the order of the study.
func (d *data) full(key string) ([]cell, error) {
	all, err := d.ranking(key, "loss")
	if err != nil {
		return nil, err
	}
	most := 0
	for _, r := range all {
		most = max(most, len(r.Rows))
	}
	return slices.DeleteFunc(slices.Clone(d.order[key]), func(c cell) bool { return len(all[c].Rows) < most }), nil
}

// means are the values of a metric in a cell, by the policy's name.
func (d *data) means(key, metric string, c cell) (map[string]stats.Interval, error) {
	all, err := d.ranking(key, metric)
	if err != nil {
		return nil, err
	}
	got := map[string]stats.Interval{}
	if all[c] == nil {
		return got, nil
	}
	for _, row := range all[c].Rows {
		got[row.Name] = row.Mean
	}
	return got, nil
}

// equal says whether a setting is as good as the first: behind it by no more than the margin.
func equal(row *stats.Ranked) bool { return row.Behind.Value <= margin }

// untold says whether a setting is behind the first, but not significantly.
func untold(row *stats.Ranked) bool { return row.Tie && !equal(row) }

// good says whether nothing is known to be worse about a setting than about the first.
func good(row *stats.Ranked) bool { return equal(row) || row.Tie }

// mark stands behind a difference that says little.
func mark(row *stats.Ranked) string {
	switch {
	case untold(row):
		return "~"
	case equal(row):
		return "≈"
	}
	return ""
}

// find is the row of a name, or nil.
func find(r *stats.Ranking, name string) *stats.Ranked {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// spearman is the rank correlation of two columns with its interval by Fisher's transformation and the variance of
// Fieller, Hartley and Pearson (Biometrika 44 (1957) 470-481). Equal values share the mean of their ranks. It is NaN
// where a column is constant or where there are fewer than four values.
func spearman(xs, ys []float64) stats.Interval {
	n := len(xs)
	in := stats.Interval{Value: math.NaN(), Low: math.NaN(), High: math.NaN(), Confidence: confidence, N: n}
	if n < 4 {
		return in
	}
	a, b := ranks(xs), ranks(ys)
	middle := float64(n+1) / 2
	var ab, aa, bb float64
	for i := range a {
		ab += float64((a[i] - middle) * (b[i] - middle))
		aa += float64((a[i] - middle) * (a[i] - middle))
		bb += float64((b[i] - middle) * (b[i] - middle))
	}
	if aa == 0 || bb == 0 {
		return in
	}
	in.Value = ab / math.Sqrt(float64(aa*bb))
	const z = 1.959963984540054 // of the normal distribution, for 95 %
	at, half := math.Atanh(min(max(in.Value, -1+1e-12), 1-1e-12)), z*math.Sqrt(1.06/float64(n-3))
	in.Low, in.High = math.Tanh(at-half), math.Tanh(at+half)
	return in
}

func ranks(xs []float64) []float64 {
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(xs[i], xs[j]) })
	got := make([]float64, len(xs))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && xs[order[j]] == xs[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			got[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return got
}

// percent is a share as percent with so many digits behind the point.
func percent(x float64, digits int) string { return strconv.FormatFloat(100*x, 'f', digits, 64) + " %" }

// points is a share as percentage points.
func points(x float64) string { return digits2(100 * x) }

// digits2 is a number with two digits behind the point.
func digits2(x float64) string {
	s := strconv.FormatFloat(x, 'f', 2, 64)
	if s == "-0.00" {
		return "0.00"
	}
	return s
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// estimate is a value and its interval.
func estimate(in stats.Interval, text func(float64) string) string {
	if math.IsNaN(in.Low) || text(in.Low) == text(in.Value) && text(in.High) == text(in.Value) {
		return text(in.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", text(in.Value), text(in.Low), text(in.High))
}

// loss is a loss in percent. Its interval is cut where no loss can be.
func loss(in stats.Interval) string {
	in.Low, in.High = max(in.Low, 0), min(in.High, 1)
	return estimate(scaled(in, 100), digits2)
}

// scaled is an interval times a factor.
func scaled(in stats.Interval, by float64) stats.Interval {
	in.Value, in.Low, in.High = in.Value*by, in.Low*by, in.High*by
	return in
}

// pText is a p-value to two digits, or exact where the difference is the same under every seed.
func pText(row *stats.Ranked) string {
	if row.Exact {
		return "exact"
	}
	return pOf(row.Behind.P)
}

// pOf is a p-value to two digits.
func pOf(p float64) string {
	switch {
	case math.IsNaN(p):
		return ""
	case p < 0.0001:
		return "<0.0001"
	}
	return strconv.FormatFloat(p, 'g', 2, 64)
}

// how is a difference in a sentence: the effect, its interval and its p.
func how(row *stats.Ranked) string {
	text := estimate(row.Behind.Interval, points) + " points"
	switch p := pText(row); {
	case p == "exact":
		return text + " under every seed"
	case strings.HasPrefix(p, "<"):
		return text + ", p < " + p[1:]
	case p != "":
		return text + ", p = " + p
	}
	return text
}

// names lists policies, at most so many by name.
func names(all []string, most int) string {
	var parts []string
	for i, name := range all {
		if i == most && len(all) > most+1 {
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more", len(all)-most)
		}
		parts = append(parts, "`"+name+"`")
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}
