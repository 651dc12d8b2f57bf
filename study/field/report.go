package field

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
)

// Figure is a figure of a report, drawn from the study's table.
type Figure struct {
	ID      string // of package plots
	File    string
	Metrics []string
	By      []string
	Where   []string // KEY=VALUE
	caption string
}

// Figures are those of a report, of one stack; the second is of the longest traffic.
func (c *Comparison) Figures() []Figure {
	longest := slices.MaxFunc(c.Traffics, func(a, b Traffic) int {
		return cmp.Compare(a.Scenario.Duration, b.Scenario.Duration)
	}).Name
	return []Figure{{
		ID: "heat", File: "study-heat.png", Metrics: []string{"loss"}, By: []string{trafficKey, schedulerKey},
		Where: []string{stackKey + "=" + base, scalerKey + "=" + fixed},
		caption: fmt.Sprintf("Loss of each scheduler on each traffic, in `%s`, with a fixed number of instances",
			base),
	}, {
		ID: "pareto", File: "study-pareto.png", Metrics: []string{"instance_s", "loss"}, By: []string{scalerKey},
		Where: []string{trafficKey + "=" + longest, stackKey + "=" + base, schedulerKey + "=" + plain},
		caption: fmt.Sprintf("Loss over instance-seconds of each autoscaler on `%s`, in `%s`, under `%s`", longest,
			base, plain),
	}}
}

// Report writes the report of a comparison that was run in dir. Without known results it has no section on them. With
// images, the path from the report to a directory, it shows the comparison's Figures there. What it says depends on the
// runs' table alone.
func Report(w io.Writer, c *Comparison, dir string, known []Known, images string) error {
	r := &report{images: images, c: c, d: &data{dir: dir, memo: map[string]map[cell]*stats.Ranking{},
		order: map[string][]cell{}}}
	for _, section := range []func() error{r.inShort, r.setting, r.schedulers, r.scalers, r.stacks} {
		if err := section(); err != nil {
			return err
		}
	}
	r.known(known)
	if err := r.tables(); err != nil {
		return err
	}
	_, err := w.Write([]byte(strings.TrimRight(r.b.String(), "\n") + "\n"))
	return err
}

type report struct {
	page
	images string
	c      *Comparison
	d      *data
	late   func() // adds the tables behind the sentences on causes
}

// figure shows one of the Figures.
func (r *report) figure(id string) {
	for _, f := range r.c.Figures() {
		if f.ID == id && r.images != "" {
			fmt.Fprintf(&r.b, "![%s](%s/%s)\n\n", strings.ReplaceAll(f.caption, "`", ""), r.images, f.File)
			r.text(f.caption + ".")
		}
	}
}

// The policies whose rows are always shown, and by which others are measured in words.
const (
	plain  = "round-robin" // looks at nothing
	oracle = "oracle"      // knows the traffic
	fixed  = "none"        // keeps the number of instances
)

// inShort is the head of the report: its first sentences, by the same rules as those below.
func (r *report) inShort() error {
	r.heading(1, "Who wins where")
	r.text("All scheduling and scaling policies on the same traffics, in the same stacks, under the same seeds. This "+
		"page is written by `smartinco study`, from scenarios in the repository: `make study` makes it anew. Its "+
		"sentences are read from its tables by rules, and each names its table. A difference is given in points, "+
		"that is percent of the packets offered, with its 95 % interval, and then with its p-value. Policies meet "+
		"the same traffic under the same seed and are compared seed by seed; p-values are adjusted for the number of "+
		"policies (Holm). A policy is *as good as the first* if it is behind by no more than", points(margin),
		"points, which is our choice. If it is behind by more but not significantly (~), it *cannot be told apart* "+
			"from the first by these runs, which does not say that it is as good. Where nothing is random, "+
			"differences are exact and have no p-value.")
	r.heading(2, "In short")
	items, err := r.summary()
	if err != nil {
		return err
	}
	r.list(items)
	return nil
}

func (r *report) summary() (items []string, err error) {
	cells, err := r.d.full(schedulerKey)
	if err != nil {
		return nil, err
	}
	all, err := r.d.ranking(schedulerKey, "loss")
	if err != nil {
		return nil, err
	}
	robust, places, err := r.robust()
	if err != nil {
		return nil, err
	}
	same := 0
	for _, c := range cells {
		if all[c].Rows[len(all[c].Rows)-1].Behind.Value <= margin {
			same++
		}
	}
	if len(robust) > 0 {
		said := []string{}
		for _, s := range robust[:min(3, len(robust))] {
			said = append(said, fmt.Sprintf("`%s` by %s points", s.name, estimate(s.mean, points)))
		}
		text := fmt.Sprintf("**Schedulers.** Over the %s with a fixed number of instances in which schedulers "+
			"differ, these are the least behind the first in the mean: %s", count(len(places), "place"),
			strings.Join(said, ", "))
		for _, s := range robust {
			if s.name == plain {
				text += fmt.Sprintf("; `%s` is behind by %s", plain, estimate(s.mean, points))
			}
		}
		safe := slices.MinFunc(robust, func(a, b standing) int { return cmp.Compare(a.worst, b.worst) })
		text += fmt.Sprintf(". The least bad worst case is that of `%s`: %s points, on %s %s.", safe.name,
			points(safe.worst),
			safe.at.text(), see("grid"))
		items = append(items, text)
	}
	if same > 0 {
		items = append(items, fmt.Sprintf("**Where the scheduler does not matter.** In %d of %s, autoscalers "+
			"counted, all %d schedulers are as good as each other %s.", same, count(len(cells), "place"),
			len(all[cells[0]].Rows),
			see("winners")))
	}
	scalerCells, err := r.d.full(scalerKey)
	if err != nil {
		return nil, err
	}
	fronts := map[string]int{}
	places2 := 0
	for _, c := range scalerCells {
		if c.other != plain {
			continue
		}
		places2++
		front, _, err := r.front(c)
		if err != nil {
			return nil, err
		}
		for _, name := range front {
			fronts[name]++
		}
	}
	var often []string
	for name := range fronts {
		often = append(often, name)
	}
	slices.Sort(often)
	slices.SortStableFunc(often, func(a, b string) int { return fronts[b] - fronts[a] })
	var said []string
	for _, name := range often[:min(5, len(often))] {
		said = append(said, fmt.Sprintf("`%s` (%d)", name, fronts[name]))
	}
	items = append(items, fmt.Sprintf("**Autoscalers.** Under `%s`, in so many of %s nobody loses as little with "+
		"fewer instance-seconds, nor less with as few: %s %s. Which of them to take depends on what a lost packet "+
		"costs.",
		plain,
		count(places2, "place"), strings.Join(said, ", "), see("fronts")))
	loops, err := r.loops()
	if err != nil {
		return nil, err
	}
	var most *loop
	for i := range loops {
		l := &loops[i]
		if l.scaler == fixed && l.stack == "dpf" && l.sure() && (most == nil || l.by.Value > most.by.Value) {
			most = l
		}
	}
	if most != nil && most.by.Value > margin {
		text := fmt.Sprintf("**Control loops.** With the loop of `%s`, %s, instead of that of `%s`, %s, most is lost "+
			"on `%s` under `%s`: %s points more", most.stack, r.telemetry(most.stack), base, r.telemetry(base),
			most.traffic,
			most.scheduler,
			estimate(most.by.Interval, points))
		for _, l := range loops {
			if l.traffic == most.traffic && l.stack == most.stack && l.scheduler == plain && l.scaler == fixed {
				text += fmt.Sprintf("; under `%s`, which looks at no counter, %s", plain, estimate(l.by.Interval,
					points))
			}
		}
		items = append(items, text+" "+see("loops")+".")
	}
	return items, nil
}

// telemetry says how often a stack reads its counters, and how old they are.
func (r *report) telemetry(stack string) string {
	for i := range r.c.Study.Runs {
		if run := &r.c.Study.Runs[i]; value(run, stackKey) == stack {
			t := run.Scenario.Telemetry
			return fmt.Sprintf("in which counters are read every %s and are %s old", t.Window, t.Delay)
		}
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func isare(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// setting says what was run and what was not.
func (r *report) setting() error {
	r.heading(2, "What was run")
	offered, err := r.d.ranking(schedulerKey, "offered")
	if err != nil {
		return err
	}
	flows, err := r.d.ranking(schedulerKey, "flows")
	if err != nil {
		return err
	}
	cells, err := r.d.full(schedulerKey)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, t := range r.c.Traffics {
		sc := t.Scenario
		scale := "as it is"
		if sc.Scale.Rate != 1 {
			scale = short(sc.Scale.Rate) + " of the rates"
		}
		line := []string{"`" + t.Name + "`", sc.Engine, short(r.seconds(t.Name)) + " s", scale,
			fmt.Sprintf("%d, %d to %d", sc.Instances.Initial, sc.Instances.Min, sc.Instances.Max),
			sc.Scheduler.Limit.String(), strconv.Itoa(r.seeds(t.Name)), "", ""}
		for _, c := range cells {
			if c.traffic == t.Name {
				m, f := offered[c].Rows[0].Mean, flows[c].Rows[0].Mean
				m.Low, f.Low = max(m.Low, 0), max(f.Low, 0)
				line[7] = estimate(scaled(m, 1/r.seconds(t.Name)), rate)
				line[8] = estimate(f, short)
				break
			}
		}
		rows = append(rows, line)
	}
	r.table("traffics", "Rates are means over a run, and intervals those over the seeds.", 1,
		[]string{"traffic", "engine", "length", "scale", "instances", "limit of one", "seeds", "offered", "flows"},
		rows)
	var items []string
	for _, t := range r.c.Traffics {
		items = append(items, "`"+t.Name+"`: "+t.About)
	}
	r.list(items)
	n := len(r.c.Study.Runs)
	whole := 1
	for _, key := range []string{trafficKey, stackKey, schedulerKey, scalerKey, "seed"} {
		have := map[string]bool{}
		for i := range r.c.Study.Runs {
			have[value(&r.c.Study.Runs[i], key)] = true
		}
		whole *= len(have)
	}
	var parts []string
	for _, p := range r.c.Parts {
		parts = append(parts, fmt.Sprintf("`%s`: %s", p.Name, p.About))
	}
	r.text(fmt.Sprintf("Every scheduler with every autoscaler in every stack on every traffic, under as many seeds, "+
		"would be %d runs. %d were made. What is missing is the combinations of most schedulers with most "+
		"autoscalers, stacks where the parts say so, and, where nothing in a traffic is random, all seeds but %d, "+
		"which are there for the policies that draw. The parts:", whole, n, fewSeeds))
	r.list(parts)
	r.text("Policies have the default options of their sources, and are tuned to none of these traffics. Stacks say "+
		"what",
		"surrounds a policy: the data path, how old counters are, how often it is asked, how long a start takes",
		"([scenarios.md](scenarios.md#stacks)). In every run packets are conserved.",
		"Losses are shares of all packets of a run.")
	return nil
}

func (r *report) seconds(traffic string) float64 {
	for i := range r.c.Study.Runs {
		if value(&r.c.Study.Runs[i], trafficKey) == traffic {
			return r.c.Study.Runs[i].Scenario.Duration.Seconds()
		}
	}
	return math.NaN()
}

// seeds is under how many seeds a traffic was run.
func (r *report) seeds(traffic string) int {
	seen := map[string]bool{}
	for i := range r.c.Study.Runs {
		if run := &r.c.Study.Runs[i]; value(run, trafficKey) == traffic {
			seen[value(run, "seed")] = true
		}
	}
	return len(seen)
}

// rate is a packet rate to four digits.
func rate(x float64) string {
	switch {
	case x >= 1e6:
		return short(x/1e6) + " Mpps"
	case x >= 1e3:
		return short(x/1e3) + " kpps"
	}
	return short(x) + " pps"
}

// placeText names a cell in a sentence.
func (c cell) text() string { return fmt.Sprintf("`%s` in `%s`", c.traffic, c.stack) }

// known is the section of known results.
func (r *report) known(all []Known) {
	if len(all) == 0 {
		return
	}
	r.heading(2, "Known results")
	agreed, n := 0, 0
	for _, k := range all {
		for _, f := range k.Rows {
			n++
			if f.Agrees {
				agreed++
			}
		}
	}
	r.text("Experiments whose outcome is published or follows from theory, run by the same program. The rule of each "+
		"verdict",
		fmt.Sprintf("stands beside it. %d of %d numbers agree.", agreed, n))
	for _, k := range all {
		r.heading(3, k.Title)
		r.text(k.Source)
		r.text("Here: " + k.About)
		var rows [][]string
		for _, f := range k.Rows {
			verdict := "agrees"
			if !f.Agrees {
				verdict = "**differs**"
			}
			rows = append(rows, []string{f.What, f.Expected, f.Ours, verdict, f.Why})
		}
		r.rows(1, []string{"what", "known", "ours", "verdict", "rule"}, rows)
	}
}

// tables are those that need not be read in a row.
func (r *report) tables() error {
	r.heading(2, "The tables")
	r.late()
	cells, err := r.d.full(schedulerKey)
	if err != nil {
		return err
	}
	for _, c := range cells {
		if c.other == fixed {
			if err := r.schedulerTable(c); err != nil {
				return err
			}
		}
	}
	if cells, err = r.d.full(scalerKey); err != nil {
		return err
	}
	for _, c := range cells {
		if c.other == plain {
			if err := r.scalerTable(c); err != nil {
				return err
			}
		}
	}
	return nil
}
