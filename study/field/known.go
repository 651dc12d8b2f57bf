package field

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// Known is an experiment whose outcome is published or follows from theory, beside what came out.
type Known struct {
	Name   string // of its scenario
	Title  string
	Source string // of what is expected, and what it says
	About  string // the comment at the head of the scenario
	Runs   int
	Rows   []Finding // of Run

	studies []*scenarios.Study
	read    func(runs []done) ([]Finding, error)
}

// Finding is one number of an experiment.
type Finding struct {
	What     string
	Expected string // as published, or as the theory has it
	Ours     string // with its interval, where something is random
	Agrees   bool
	Why      string // what decided: the rule by which it agrees or does not
}

// experiment is a row of the table of known results.
type experiment struct {
	title, source string
	files         []string
	read          func(runs []done) ([]Finding, error)
}

// done is a run of an experiment with its row of the summary, or its record where the scenario keeps that.
type done struct {
	scenarios.Run
	dir string // of the experiment's study
}

// experiments are the known results, in the order of the report.
var experiments = []experiment{
	{"Two choices", "Flows as balls, instances as bins. With as many of one as of the other, both many, the share " +
		"s_k of instances with at least k flows solves ds_k/dt = s_(k-1)^d - s_k^d up to t = 1 (Mitzenmacher, IEEE " +
		"Trans. Parallel Distrib. Syst. 12 (2001) 1094; Azar et al., SIAM J. Comput. 29 (1999) 180): for d = 1 a " +
		"Poisson tail, for two and more one that falls doubly exponentially.", []string{"two-choices"}, readChoices},
	{"Maglev when a backend goes", "Of N backends that share the entries evenly one goes: no table can do with fewer " +
		"than 1/N of its entries changing, and hash modulo N changes 1 - 1/N of them (Karger et al., STOC 1997, 4). " +
		"Maglev changes few more than it must, and the fewer the larger its table is (Eisenbud et al., NSDI 2016, " +
		"3.4 and 5.3). Intervals reckon with other instances that die, and with other flows.",
		[]string{"maglev"}, readMaglev},
	{"The HPA's documented examples", "kubernetes.io, Horizontal Pod Autoscaling: the number is multiplied by the " +
		"metric over its target, so doubled at twice the target and halved at half of it, and kept within a " +
		"tolerance of 0.1. With at most 4 pods or 10 % a minute, 80 replicas of which 10 are wanted become 72 and " +
		"then 64, since 7.2 is rounded up to 8; from 40 on, 4 go at a time.", []string{"hpa-ratio", "hpa-behavior"},
		readHPA},
	{"Stale counters herd Worst-Fit", "A policy that sends every flow to what was least loaded at the last reading " +
		"sends all flows between two readings to one instance (Mitzenmacher, IEEE Trans. Parallel Distrib. Syst. 11 " +
		"(2000) 6: the periodic update model). With a window as long as the run, one instance of n has everything, " +
		"and Jain's index of their loads is 1/n. Counting the flows that were placed since mends it. The index is " +
		"the mean of those of the windows; in longer ones more flows even out, which works against the effect.",
		[]string{"stale"},
		readStale},
}

// LoadKnown reads the experiments in the folder known of a comparison. A comparison without that folder has none.
func LoadKnown(dir string) (all []Known, err error) {
	if _, err := os.Stat(filepath.Join(dir, "known")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range experiments {
		k := Known{Name: e.files[0], Title: e.title, Source: e.source, read: e.read}
		for _, file := range e.files {
			path := filepath.Join(dir, "known", file+".yaml")
			_, about, err := read(path)
			if err != nil {
				return nil, refusal{err}
			}
			k.About = strings.TrimSpace(k.About + " " + about)
			st, err := scenarios.Load(path, nil)
			if err != nil {
				return nil, err
			}
			if st.Name != file {
				return nil, refusef("%s: name is %q: want that of the file", path, st.Name)
			}
			k.studies = append(k.studies, st)
			k.Runs += len(st.Runs)
		}
		all = append(all, k)
	}
	return all, nil
}

// Run runs an experiment, as far as it was not before, in folders below known in out, and reads what came of it.
func (k *Known) Run(ctx context.Context, out string, o study.AllOptions) (err error) {
	var runs []done
	report, before := o.Progress, 0.0
	for _, st := range k.studies {
		to := filepath.Join(out, "known", st.Name)
		if report != nil {
			o.Progress = func(done float64) { report(before + done) }
		}
		if _, err := study.All(ctx, st, to, o); err != nil {
			return err
		}
		before += float64(len(st.Runs))
		for _, r := range st.Runs {
			runs = append(runs, done{r, to})
		}
	}
	if k.Rows, err = k.read(runs); err != nil {
		return fmt.Errorf("known result %s: %w", k.Name, err)
	}
	return nil
}

// record opens the record of a run.
func (d *done) record() (*results.Record, error) { return results.Open(filepath.Join(d.dir, d.Name)) }

// within says whether an interval has a value; one without bounds has none but its own.
func within(in stats.Interval, x float64) bool {
	if math.IsNaN(in.Low) {
		return in.Value == x
	}
	return in.Low <= x && x <= in.High
}

// tail is the share of instances with at least k flows, k from 0 to most, when as many flows as instances were placed
// with d choices, for infinitely many: the solution of ds_k/dt = s_(k-1)^d - s_k^d at t = 1, by Runge and Kutta.
func tail(d, most int) []float64 {
	s := make([]float64, most+1)
	s[0] = 1
	slope := func(s []float64) []float64 {
		ds := make([]float64, len(s))
		for k := 1; k < len(s); k++ {
			ds[k] = power(s[k-1], d) - power(s[k], d)
		}
		return ds
	}
	plus := func(s, ds []float64, h float64) []float64 {
		to := slices.Clone(s)
		for k := range to {
			to[k] += float64(h * ds[k])
		}
		return to
	}
	const steps = 1000
	for range steps {
		k1 := slope(s)
		k2 := slope(plus(s, k1, 0.5/steps))
		k3 := slope(plus(s, k2, 0.5/steps))
		k4 := slope(plus(s, k3, 1.0/steps))
		for k := range s {
			s[k] += (k1[k] + float64(2*k2[k]) + float64(2*k3[k]) + k4[k]) / (6 * steps)
		}
	}
	return s
}

func power(x float64, n int) float64 {
	p := 1.0
	for range n {
		p *= x
	}
	return p
}

// readChoices counts the instances that have at least so many flows.
func readChoices(runs []done) (all []Finding, err error) {
	const most = 5
	shares := map[int][][]float64{} // of d: for each k, a share for each seed
	var ds []int
	for i := range runs {
		r := &runs[i]
		d, err := strconv.Atoi(value(&r.Run, "scheduler.policy.power-of-d.d"))
		if err != nil {
			return nil, err
		}
		rec, err := r.record()
		if err != nil {
			return nil, err
		}
		flows, err := rec.Flows()
		if err != nil {
			return nil, err
		}
		have := map[int32]int{}
		for j := range flows {
			have[flows[j].Instance]++
		}
		if shares[d] == nil {
			shares[d], ds = make([][]float64, most+1), append(ds, d)
		}
		for k := 1; k <= most; k++ {
			n := 0
			for _, flows := range have {
				if flows >= k {
					n++
				}
			}
			shares[d][k] = append(shares[d][k], float64(n)/float64(r.Scenario.Instances.Initial))
		}
	}
	asked := 0
	for _, d := range ds {
		for _, x := range tail(d, most)[1:] {
			if x >= 1e-5 {
				asked++
			}
		}
	}
	together := 1 - (1-confidence)/float64(asked) // so that all hold in 95 % of all cases (Bonferroni)
	for _, d := range ds {
		want := tail(d, most)
		for k := 1; k <= most; k++ {
			if want[k] < 1e-5 {
				continue // not one of the instances of all runs
			}
			in, _ := stats.Mean(shares[d][k], together)
			all = append(all, Finding{fmt.Sprintf("d = %d, instances with %d flows or more", d, k), percent(want[k], 4),
				estimate(in, func(x float64) string { return percent(x, 4) }), within(in, want[k]),
				fmt.Sprintf("the interval, of %s, has the value", percent(together, 1))})
		}
	}
	return all, nil
}

// readMaglev reads how many flows reached another instance.
func readMaglev(runs []done) (all []Finding, err error) {
	dir := runs[0].dir
	ranked, err := study.Rank(dir, study.RankOptions{Metric: "flows_broken/flows", By: []string{schedulerKey,
		"faults.0.instance"}})
	if err != nil {
		return nil, err
	}
	shares := map[string][]float64{}
	for _, row := range ranked[0].Ranking.Rows {
		policy, _, _ := strings.Cut(row.Name, ", ")
		shares[policy] = append(shares[policy], row.Values...)
	}
	n := float64(runs[0].Scenario.Instances.Initial)
	must := 1 / n
	flows := float64(runs[0].Scenario.Workload[0].CBR.Flows)
	last := math.Inf(1)
	var seen []string
	for i := range runs {
		policy := value(&runs[i].Run, schedulerKey)
		if slices.Contains(seen, policy) {
			continue
		}
		seen = append(seen, policy)
		in, _ := stats.Mean(shares[policy], confidence)
		sampled := 1.96 * math.Sqrt(float64(in.Value*(1-in.Value))/flows)
		half := math.Hypot(in.High-in.Value, sampled) // the same flows in all runs: others would do otherwise, as well
		in.Low, in.High = in.Value-half, in.Value+half
		f := Finding{What: "flows that are broken, " + policy, Ours: estimate(in,
			func(x float64) string { return percent(x, 2) })}
		if policy == "hash" {
			f.Expected, f.Agrees, f.Why = percent(1-must, 2), within(in, 1-must), "the interval has the value"
		} else {
			f.Expected = fmt.Sprintf("%s or more, and less than with a smaller table", percent(must, 2))
			f.Agrees, f.Why = in.High >= must && in.Value < last, "it does not lie below, and it falls with the table"
			last = in.Value
		}
		all = append(all, f)
	}
	return all, nil
}

// readHPA reads what the autoscaler decided.
func readHPA(runs []done) (all []Finding, err error) {
	for i := range runs {
		r := &runs[i]
		rec, err := r.record()
		if err != nil {
			return nil, err
		}
		evaluations, err := rec.Evaluations()
		if err != nil {
			return nil, err
		}
		if len(evaluations) == 0 {
			return nil, fmt.Errorf("run %s has no evaluation", r.Name)
		}
		if strings.HasPrefix(r.Name, "hpa-ratio") {
			rate := value(&r.Run, "workload.0.flows.0.rate")
			want, ok := map[string]int{"4kpps": 8, "1kpps": 2, "2.1kpps": 4, "1.9kpps": 4}[rate]
			if !ok {
				return nil, fmt.Errorf("run %s: the documentation has no example at %s", r.Name, rate)
			}
			got := evaluations[0].Desired
			all = append(all, Finding{"4 instances of 1 kpps with a target of 50 %, at " + rate, strconv.Itoa(want),
				strconv.Itoa(got), got == want, "equal"})
			continue
		}
		numbers := []int{evaluations[0].Current}
		for _, e := range evaluations {
			if e.Desired != numbers[len(numbers)-1] {
				numbers = append(numbers, e.Desired)
			}
		}
		want := behaviour(numbers[0], 10)
		all = append(all, Finding{"80 instances of which 10 are wanted, 4 pods or 10 % a minute", join(want),
			join(numbers),
			slices.Equal(want, numbers), "equal, number by number"})
	}
	return all, nil
}

// behaviour is the documented example: in each period the greater of 4 and a tenth, rounded up, goes.
func behaviour(from, to int) []int {
	numbers := []int{from}
	for n := from; n > to; {
		n = max(to, n-max(4, (n+9)/10))
		numbers = append(numbers, n)
	}
	return numbers
}

func join(numbers []int) string {
	var parts []string
	for _, n := range numbers {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, " ")
}

// readStale reads how even the loads were.
func readStale(runs []done) (all []Finding, err error) {
	ranked, err := study.Rank(runs[0].dir, study.RankOptions{Metric: "jain", Best: "most",
		By: []string{"scheduler.inflight", "telemetry.window"}})
	if err != nil {
		return nil, err
	}
	means := map[string]stats.Interval{}
	for _, row := range ranked[0].Ranking.Rows {
		means[row.Name] = row.Mean
	}
	least := 1 / float64(runs[0].Scenario.Instances.Initial)
	digits := func(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }
	last := map[string]float64{}
	var seen []string
	for i := range runs {
		inflight, window := value(&runs[i].Run, "scheduler.inflight"), value(&runs[i].Run, "telemetry.window")
		name := inflight + ", " + window
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		in := means[name]
		f := Finding{What: fmt.Sprintf("Jain's index, window of %s, inflight: %s", window, inflight), Ours: estimate(in,
			digits)}
		before, any := last[inflight]
		switch {
		case inflight == "true":
			f.Expected, f.Agrees, f.Why = "as even as with fresh counters",
				!any || in.High >= before, "it is not below that of the shortest window"
			if any {
				in.Value = before
			}
		case runs[i].Scenario.Telemetry.Window >= runs[i].Scenario.Duration:
			f.Expected, f.Agrees, f.Why = digits(least), within(in, least), "equal"
		default:
			f.Expected, f.Agrees, f.Why = "the less even the longer the window", !any || in.High < before,
				"it is below that of the shorter window"
		}
		last[inflight] = in.Value
		all = append(all, f)
	}
	return all, nil
}
