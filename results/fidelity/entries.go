package fidelity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// measures says how each published entry is read off the records.
var measures = map[string]func(measured, *Row) error{
	"fig6-capacity":   capacity,
	"fig6-knee":       knee,
	"fig7-per-vnf":    perVNF,
	"fig9-plateau":    plateau,
	"fig9-bf-gain":    bestFitGain,
	"fig9-bf-vnfs":    bestFitVNFs,
	"fig9-onset":      onset,
	"fig9-loss":       loss,
	"fig9-rr-stable":  stable,
	"fig8-rr":         distribution("round-robin", cyclic),
	"fig8-bf":         distribution("best-fit", concentrated),
	"fig8-wf":         distribution("worst-fit", balanced),
	"fig10-64B":       smallest,
	"fig10-512B":      lineRate("512B"),
	"fig10-1500B":     lineRate("1500B"),
	"fig10-instances": instancesNeeded,
	"inreal-gain":     inReal,
}

// judge compares two numbers: they agree within the relative tolerance that the published value's wording allows.
func (r *Row) judge(published, ours float64, unit string, tolerance float64, sentence string) {
	r.Published, r.Value, r.Unit = published, ours, unit
	if r.Ours == "" {
		r.Ours = number(ours, unit)
	}
	r.Verdict = "differs"
	if agrees(ours, published, tolerance) {
		r.Verdict = "agrees"
	}
	how := "if exactly equal"
	if tolerance > 0 {
		how = fmt.Sprintf("within %g %%", 100*tolerance)
	}
	r.Sentence = fmt.Sprintf("%s It counts as agreement %s.", sentence, how)
}

// agrees says whether a number is as close to the published one as the relative tolerance asks.
func agrees(ours, published, tolerance float64) bool {
	return math.Abs(ours-published) <= tolerance*math.Abs(published)
}

func (r *Row) verdict(holds bool, ours, sentence string) {
	r.Ours, r.Sentence, r.Verdict = ours, sentence, "differs"
	if holds {
		r.Verdict = "agrees"
	}
}

func (m measured) single() (*run, error) {
	return m.one("fig6", "one instance", func(*run) bool { return true })
}

func capacity(m measured, r *Row) error {
	x, err := m.single()
	if err != nil {
		return err
	}
	best := 0.0
	for i := range x.windows {
		best = max(best, processed(&x.windows[i]))
	}
	r.judge(25, best, "Mpps", 0.05, "Largest processed rate of the ramp; it is the law's λ.")
	return nil
}

func knee(m measured, r *Row) error {
	x, err := m.single()
	if err != nil {
		return err
	}
	below := 0.0
	for i := range x.windows {
		w := &x.windows[i]
		if w.DroppedInstance > sharp*w.Ingress {
			r.Ours = fmt.Sprintf("between %.2f and %.2f Mpps", below, w.Offered/1e6)
			r.judge(25, (below+w.Offered/1e6)/2, "Mpps", 0.05,
				fmt.Sprintf("The last load of the ramp without, and the first with, a loss above %g %%; the value is "+
					"their middle.", 100*sharp))
			return nil
		}
		below = w.Offered / 1e6
	}
	return fmt.Errorf("the ramp never overloads the instance")
}

func perVNF(m measured, r *Row) error {
	x, err := m.vnfs(4)
	if err != nil {
		return err
	}
	var all []string
	for n := 1; n <= 8; n++ {
		y, err := m.vnfs(n)
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%.2f", mean(second(y), processed)/float64(n)))
	}
	r.judge(10.5, mean(second(x), processed)/4, "Mpps", 0.05,
		fmt.Sprintf("With four instances, against 10.5 Mpps; the thesis gives neither number. From one to eight they "+
			"process %s Mpps each.", join(all)))
	return nil
}

func plateau(m measured, r *Row) error {
	v, err := m.each(func(x *run) float64 { return mean(x.overload(), processed) })
	if err != nil {
		return err
	}
	r.Ours = listed(v, "%.2f") + ", Mpps"
	r.lenient = agrees((v[0]+v[1]+v[2])/3, 42, 0.05)
	r.judge(42, farthest(v, 42), "Mpps", 0.05, "Mean from the saturation of the eSwitch on. All three have to agree, "+
		"and the residual is that of the one farthest away.")
	return nil
}

// farthest is the value that lies farthest from what is published.
func farthest(v []float64, published float64) float64 {
	return slices.MaxFunc(v, func(a, b float64) int {
		return cmp.Compare(math.Abs(a-published), math.Abs(b-published))
	})
}

// gainTolerance is what "roughly" allows.
const gainTolerance = 0.35

func bestFitGain(m measured, r *Row) error {
	var gains [3]string
	for i, part := range []func(*run) []results.Window{(*run).contested, (*run).overload, (*run).whole} {
		v, err := m.each(func(x *run) float64 { return mean(part(x), processed) })
		if err != nil {
			return err
		}
		rr, wf := v[1]-v[0], v[1]-v[2]
		gains[i] = fmt.Sprintf("%s over Round-Robin and %s over Worst-Fit", decimal(rr, 2), decimal(wf, 2))
		if i == 0 {
			r.Value = farthest([]float64{rr, wf}, 1.5)
			r.lenient = agrees(min(rr, wf), 1.5, gainTolerance)
			r.Ours = gains[0] + ", Mpps"
		}
	}
	inUse, err := m.each(func(x *run) float64 { return float64(x.windows[len(x.windows)-1].Used) })
	if err != nil {
		return err
	}
	can, err := m.each(func(x *run) float64 { return m.together(int(x.windows[len(x.windows)-1].Used)) })
	if err != nil {
		return err
	}
	r.judge(1.5, r.Value, "Mpps", gainTolerance, fmt.Sprintf("In the mean from the ninth flow on, where the published "+
		"loss begins; the residual is that of the gain farther away. From the saturation of the eSwitch on it is %s, "+
		"in the mean of the whole run %s. The instances that hold flows at the end of the run are %s. All saturated, "+
		"so many process %s Mpps together (figure 7).", gains[1], gains[2], listed(inUse, "%.0f"), slashed(2, can...)))
	return nil
}

func bestFitVNFs(m measured, r *Row) error {
	v, err := m.each(func(x *run) float64 { return mean(x.windows, used) })
	if err != nil {
		return err
	}
	at, err := m.each(func(x *run) float64 { return mean(x.overload(), used) })
	if err != nil {
		return err
	}
	running, err := m.each(func(x *run) float64 { return mean(x.windows, there) })
	if err != nil {
		return err
	}
	r.verdict(v[1] < v[0] && v[1] < v[2], listed(v, "%.2f"),
		fmt.Sprintf("Instances that hold flows, in the mean of the run. Under overload alone they are %s. Those that "+
			"run, with flows or without, are %s in the mean of the run.", listed(at, "%.2f"), listed(running, "%.2f")))
	return nil
}

func onset(m measured, r *Row) error {
	at := map[float64][]float64{}
	for _, share := range []float64{sharp, 0.05, 0.1} {
		v, err := m.each(func(x *run) float64 { return float64(x.onset(share)) })
		if err != nil {
			return err
		}
		at[share] = v
	}
	var nine []string
	for _, p := range policies {
		x, err := m.policy(p.name)
		if err != nil {
			return err
		}
		if w := x.last(9); w != nil {
			nine = append(nine, fmt.Sprintf("under %s, %d instances get %.2f Mpps and lose %.2f (saturated, so many "+
				"process %.2f together)", p.short, w.Used, w.Ingress/1e6, lost(w), m.together(int(w.Used))))
		}
	}
	r.Ours = listed(at[sharp], "%.0f")
	r.judge(9, farthest(at[sharp], 9), "flows", 0, fmt.Sprintf("First window with a loss above %g %% of what reaches "+
		"the instances. All three have to agree, and the residual is that of the one farthest away. What counts as "+
		"sharply is open: at 5 %% it is %s, at 10 %% %s. With nine flows: %s.", 100*sharp, listed(at[0.05], "%.0f"),
		listed(at[0.1], "%.0f"), strings.Join(nine, "; ")))
	return nil
}

func loss(m measured, r *Row) error {
	v, err := m.each(func(x *run) float64 { return mean(x.overload(), lost) })
	if err != nil {
		return err
	}
	all, err := m.each(func(x *run) float64 {
		w := x.windows[len(x.windows)-1]
		return w.Dropped / 1e6
	})
	if err != nil {
		return err
	}
	r.Ours = listed(v, "%.2f") + ", Mpps"
	r.lenient = agrees((v[0]+v[1]+v[2])/3, 22, 0.1)
	r.judge(22, farthest(v, 22), "Mpps", 0.1, fmt.Sprintf("Mean from the saturation of the eSwitch on, as the rules' "+
		"counters see it. All three have to agree, and the residual is that of the one farthest away. Of all that is "+
		"offered, with every flow active, %s Mpps are lost.", listed(all, "%.1f")))
	return nil
}

// noise is the difference of two losses, in Mpps, that is none: a thousandth of what one flow brings.
const noise = 0.005

func stable(m measured, r *Row) error {
	v, err := m.each(func(x *run) float64 { d, _ := spread(x.overload(), lost); return d })
	if err != nil {
		return err
	}
	ranges := func(part func(*run) []results.Window) ([]float64, error) {
		return m.each(func(x *run) float64 { _, w := spread(part(x), lost); return w })
	}
	width, err := ranges((*run).overload)
	if err != nil {
		return err
	}
	end, err := ranges((*run).plateau)
	if err != nil {
		return err
	}
	others := min(v[1], v[2])
	r.lenient = v[0] <= others+noise
	tie := ""
	if math.Abs(v[0]-others) <= noise {
		tie = " Round-Robin is as stable as the best of the others, not more: a tie is no agreement."
	}
	r.verdict(v[0] < others-noise, listed(v, "%.3f")+", Mpps",
		fmt.Sprintf("Standard deviation of the loss from the saturation of the eSwitch on, in Mpps; Round-Robin's has "+
			"to be the least.%s The range is %s (published: within 5 Mpps). With all flows active it is %s: the "+
			"offered traffic is constant, and the noise that the testbed measured is not modelled, so that what is "+
			"left to compare is the ramp.", tie, listed(width, "%.2f"), listed(end, "%.2f")))
	return nil
}

// spreading judges how flows lie on the instances: the mean of a run beside Round-Robin's.
type spreading func(x *run, mean, roundRobin []float64) (holds, lenient bool, rule string)

// distribution reads from a scheduler's run how many flows each instance holds in the mean, and holds it against what
// the thesis, which gives means of a run (4.2), says of it.
func distribution(policy string, judge spreading) func(measured, *Row) error {
	return func(m measured, r *Row) error {
		x, err := m.policy(policy)
		if err != nil {
			return err
		}
		rr, err := m.policy("round-robin")
		if err != nil {
			return err
		}
		mean, other, end := x.meanFlows(), rr.meanFlows(), x.flowsAtEnd()
		if len(mean) == 0 || len(other) == 0 || len(end) == 0 {
			return fmt.Errorf("%s: the record has no instances to compare", policy)
		}
		var holds bool
		var rule string
		holds, r.lenient, rule = judge(x, mean, other)
		r.verdict(holds, fmt.Sprintf("%.2f flows", mean),
			fmt.Sprintf("Flows on each instance in the mean of the run, in the order of their creation; at the end "+
				"of the run they hold %d. %s", end, rule))
		return nil
	}
}

func cyclic(_ *run, mean, _ []float64) (holds, lenient bool, rule string) {
	early, late := halves(mean)
	holds = falling(mean) && early > late
	return holds, holds,
		fmt.Sprintf("It agrees if no instance holds more than an earlier one, and the first half more than the "+
			"second (%.2f and %.2f): flows are placed in a cycle over the instances that are there, and those that "+
			"come later hold fewer.", early, late)
}

// near is how far from the limit an instance may be that is said to be near it.
const near = 0.1

func concentrated(x *run, mean, roundRobin []float64) (holds, lenient bool, rule string) {
	early, _ := halves(mean)
	theirs, _ := halves(roundRobin)
	rates := x.rates()
	limit, _ := at(x.Run.Scenario, "scheduler", "limit").(string)
	full := nearLimit(rates, limit)
	rule = fmt.Sprintf("It agrees if no instance holds more than an earlier one, the first half holds more than "+
		"under Round-Robin (%.2f and %.2f), and all that hold flows at the end but the newest process the limit of %s "+
		"within %g %%, in the mean from the saturation of the eSwitch on: they process %.2f Mpps.", early, theirs,
		limit, 100*near, rates)
	if held, most := x.filled(); slices.IsSortedFunc(held, func(a, b int32) int { return cmp.Compare(b, a) }) &&
		held != nil {
		rule += fmt.Sprintf(" When an instance was last free they held %d flows, and none had been offered more than "+
			"%.2f Mpps.", held, most/1e6)
	}
	end := x.flowsAtEnd()
	if at(x.Run.Scenario, "scheduler", "nofit") == "least-loaded" && len(end) > 1 &&
		slices.Max(end)-slices.Min(end) <= 1 {
		rule += " Once no flow fits anywhere, `nofit: least-loaded` decides, not Best-Fit, and equalises the end; " +
			"the thesis does not say what its scheduler did then."
	}
	concentrates := falling(mean) && early > theirs
	return concentrates && full, concentrates, rule
}

// nearLimit says whether all instances but the last process the limit, near enough.
func nearLimit(rates []float64, limit string) bool {
	var want units.PPS
	if err := want.UnmarshalText([]byte(limit)); err != nil || len(rates) == 0 {
		return false
	}
	return !slices.ContainsFunc(rates[:max(1, len(rates)-1)], func(rate float64) bool {
		return math.Abs(1e6*rate/float64(want)-1) > near
	})
}

func balanced(x *run, mean, roundRobin []float64) (holds, lenient bool, rule string) {
	ours, theirs := slices.Max(mean)-slices.Min(mean), slices.Max(roundRobin)-slices.Min(roundRobin)
	rule = fmt.Sprintf("It agrees if the fullest and the emptiest instance lie closer together than under "+
		"Round-Robin (%.2f and %.2f flows apart).", ours, theirs)
	rates := x.ratesAt(x.windows[len(x.windows)-1].T)
	if at(x.Run.Scenario, "scheduler", "metric") == "processed" && len(rates) > 1 &&
		slices.Max(rates)-slices.Min(rates) <= noise {
		ties, _ := at(x.Run.Scenario, "scheduler", "ties").(string)
		rule += " By what they process, no instance is less loaded than another once all are saturated, and `ties: " +
			ties + "` decides."
	}
	return ours < theirs, ours < theirs, rule
}

func falling(v []float64) bool {
	return slices.IsSortedFunc(v, func(a, b float64) int { return cmp.Compare(b, a) })
}

// halves are the sums over the first and the second half of the instances; one in the middle counts for the second.
func halves(v []float64) (early, late float64) {
	for i, x := range v {
		if i < len(v)/2 {
			early += x
		} else {
			late += x
		}
	}
	return early, late
}

func smallest(m measured, r *Row) error {
	x, err := m.packetSize("fig10", "64B")
	if err != nil {
		return err
	}
	over := x.overload()
	ours := mean(over, processed)
	r.Ours = fmt.Sprintf("%.2f Mpps, %.1f Gbit/s of 64 B frames, %.1f on the link", ours, ours*64*8/1e3, ours*84*8/1e3)
	most := 0.0
	for i := range x.windows {
		most = max(most, processed(&x.windows[i]))
	}
	r.judge(49, ours, "Mpps", 0.05, fmt.Sprintf("Mean from the saturation of the eSwitch on, with %.0f instances; the "+
		"best window has %.2f Mpps (4.6 says up to 25 Gbit/s). The thesis gives 42 Mpps for the same scheduler in "+
		"4.4. No number agrees with both.", there(&over[len(over)-1]), most))
	return nil
}

func lineRate(size string) func(measured, *Row) error {
	return func(m measured, r *Row) error {
		x, err := m.packetSize("fig10", size)
		if err != nil {
			return err
		}
		end := x.plateau()
		ours, sent := mean(end, processed), mean(end, offered)
		r.Ours = fmt.Sprintf("%.2f of %.2f Mpps offered", ours, sent)
		r.judge(100, 100*ours/sent, "% of the offered", 0.01, "Mean rate while all 32 flows are active.")
		return nil
	}
}

func instancesNeeded(m measured, r *Row) error {
	var parts, rule []string
	var needed []float64
	for _, size := range []string{"512B", "1500B"} {
		x, err := m.packetSize("fig10", size)
		if err != nil {
			return err
		}
		w := &x.windows[len(x.windows)-1]
		needed = append(needed, there(w))
		parts = append(parts, fmt.Sprintf("%.0f at %s", there(w), size))
		rule = append(rule, fmt.Sprintf("%.2f Mpps at %s, of which the most loaded instance gets %.2f",
			offered(w), size, x.hottest(w.T)/1e6))
	}
	r.Ours = join(parts)
	r.lenient = needed[0] == 3
	r.judge(3, farthest(needed, 3), "instances", 0, fmt.Sprintf("In the last window; both have to agree, and the "+
		"residual is that of the one farther away. Offered are %s. Equation 2.1 at 50 %% of 10 Mpps asks for five at "+
		"512 B.", strings.Join(rule, ", and ")))
	return nil
}

func inReal(_ measured, r *Row) error {
	r.Ours, r.Verdict = "", "not predicted"
	r.Sentence = "No text of In-ReAl that could be read says how it scales or what it reached; its 20.8 Gbit/s " +
		"follow from the thesis' own +20 %. A comparison with a reconstruction would only return what was put in."
	return nil
}

func join(parts []string) string { return strings.Join(parts, ", ") }
