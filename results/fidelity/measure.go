package fidelity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/results"
)

// run is a record's rows, with what distinguishes it from the others of its study.
type run struct {
	*results.Record
	windows   []results.Window
	instances []results.Instance
	policy    string
	initial   int
	size      string
}

type measured map[string][]*run

func measureAll(recs Records) (measured, error) {
	m := measured{}
	for study, list := range recs {
		for _, rec := range list {
			r := &run{Record: rec}
			var err error
			if r.windows, err = rec.Windows(); err != nil {
				return nil, err
			}
			if r.instances, err = rec.Instances(); err != nil {
				return nil, err
			}
			if len(r.windows) == 0 {
				return nil, fmt.Errorf("%s: the record of %s has no windows", study, rec.Run.Name)
			}
			r.policy, _ = at(rec.Run.Scenario, "scheduler", "policy").(string)
			r.size, _ = at(rec.Run.Scenario, "workload", 0, "cbr", "packet_size").(string)
			if n, ok := at(rec.Run.Scenario, "instances", "initial").(float64); ok {
				r.initial = int(n)
			}
			m[study] = append(m[study], r)
		}
	}
	return m, nil
}

// at walks into a decoded scenario.
func at(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			s, _ := v.([]any)
			if k >= len(s) {
				return nil
			}
			v = s[k]
		}
	}
	return v
}

func (m measured) one(study, what string, is func(*run) bool) (*run, error) {
	for _, r := range m[study] {
		if is(r) {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no record of %s with %s", study, what)
}

func (m measured) policy(p string) (*run, error) {
	return m.one("fig9", "scheduler.policy "+p, func(r *run) bool { return r.policy == p })
}

func (m measured) packetSize(study, size string) (*run, error) {
	return m.one(study, "packet_size "+size, func(r *run) bool { return r.size == size })
}

func (m measured) vnfs(n int) (*run, error) {
	return m.one("fig7", fmt.Sprintf("%d instances", n), func(r *run) bool { return r.initial == n })
}

// plateau is the part of a run after the last flow has started: from the first window with the most flows on.
func (r *run) plateau() []results.Window {
	most := int32(0)
	for i := range r.windows {
		most = max(most, r.windows[i].Flows)
	}
	i := slices.IndexFunc(r.windows, func(w results.Window) bool { return w.Flows == most })
	return r.windows[i:]
}

// overload is the part of a run that the thesis calls saturated: from the first window in which the number of instances
// is at its highest and something is lost.
func (r *run) overload() []results.Window {
	most := int32(0)
	for i := range r.windows {
		most = max(most, r.windows[i].Instances)
	}
	for i := range r.windows {
		if r.windows[i].Instances == most && r.windows[i].DroppedESwitch > 0 {
			return r.windows[i:]
		}
	}
	return r.plateau()
}

// contested is the part of a run in which the thesis sees loss: from the first window with nine flows on. What is
// offered exceeds what eight instances can process from there on, so that it matters how flows lie on them.
func (r *run) contested() []results.Window {
	i := slices.IndexFunc(r.windows, func(w results.Window) bool { return w.Flows >= 9 })
	if i < 0 {
		return r.plateau()
	}
	return r.windows[i:]
}

func (r *run) whole() []results.Window { return r.windows }

func mean(ws []results.Window, f func(*results.Window) float64) float64 {
	sum := 0.0
	for i := range ws {
		sum += f(&ws[i])
	}
	return sum / float64(len(ws))
}

func spread(ws []results.Window, f func(*results.Window) float64) (deviation, width float64) {
	m := mean(ws, f)
	lo, hi := math.Inf(1), math.Inf(-1)
	sum := 0.0
	for i := range ws {
		v := f(&ws[i])
		lo, hi = min(lo, v), max(hi, v)
		sum += float64((v - m) * (v - m))
	}
	return math.Sqrt(sum / float64(len(ws))), hi - lo
}

func processed(w *results.Window) float64 { return w.Processed / 1e6 }
func lost(w *results.Window) float64      { return w.DroppedInstance / 1e6 }
func offered(w *results.Window) float64   { return w.Offered / 1e6 }
func used(w *results.Window) float64      { return float64(w.Used) }
func there(w *results.Window) float64     { return float64(w.Instances) }

// sharp is the loss, as a fraction of what arrives, from which it has risen sharply.
const sharp = 0.01

// onset is the number of flows active in the first window in which the instances lose more than this share of what
// reaches them, 0 for none.
func (r *run) onset(share float64) int {
	for i := range r.windows {
		if w := &r.windows[i]; w.Ingress > 0 && w.DroppedInstance > share*w.Ingress {
			return int(w.Flows)
		}
	}
	return 0
}

var policies = []struct{ name, short string }{{"round-robin", "Round-Robin"}, {"best-fit", "Best-Fit"},
	{"worst-fit", "Worst-Fit"}}

// each gives a figure of every scheduler's run of Figure 9.
func (m measured) each(f func(*run) float64) ([]float64, error) {
	v := make([]float64, len(policies))
	for i, p := range policies {
		r, err := m.policy(p.name)
		if err != nil {
			return nil, err
		}
		v[i] = f(r)
	}
	return v, nil
}

func listed(v []float64, format string) string {
	var parts []string
	for i, p := range policies {
		parts = append(parts, fmt.Sprintf(format+" under %s", v[i], p.short))
	}
	return strings.Join(parts, ", ")
}

// flowsAtEnd are the flows that each instance holds at the end of the run, in order of the instances.
func (r *run) flowsAtEnd() []int32 { return r.flowsAt(r.windows[len(r.windows)-1].T) }

// flowsAt are the flows that each instance holds at the end of a window.
func (r *run) flowsAt(t float64) (n []int32) {
	for i := range r.instances {
		if x := &r.instances[i]; x.T == t && x.Serving() {
			n = append(n, x.Flows)
		}
	}
	return n
}

// meanFlows are the flows that each instance holds in the mean of the whole run, in order of the instances. Windows
// count by their length; an instance holds none while it is not there. It is what Figure 8 draws.
func (r *run) meanFlows() []float64 {
	length := map[float64]float64{}
	end := 0.0
	for i := range r.windows {
		t := r.windows[i].T
		length[t], end = t-end, t
	}
	held := map[int32]float64{}
	for i := range r.instances {
		x := &r.instances[i]
		held[x.Instance] += float64(float64(x.Flows) * length[x.T])
	}
	var mean []float64
	for _, k := range slices.Sorted(maps.Keys(held)) {
		mean = append(mean, held[k]/end)
	}
	return mean
}

// filled describes the last window in which an instance that could take flows had none: how many each held then, and
// the most that any had been offered until then, in packets/s. Both are zero if every instance always held a flow.
func (r *run) filled() (held []int32, most float64) {
	for i := range r.windows {
		if at := r.flowsAt(r.windows[i].T); slices.Contains(at, 0) && slices.Max(at) > 0 {
			held = at
			for j := range r.instances {
				if x := &r.instances[j]; x.T == r.windows[i].T {
					most = max(most, x.Offered)
				}
			}
		}
	}
	return held, most
}

// second is the second half of a run, when it is steady.
func second(r *run) []results.Window { return r.windows[len(r.windows)/2:] }

// last is the last window with so many flows on; nil if there is none.
func (r *run) last(flows int32) *results.Window {
	for i := len(r.windows) - 1; i >= 0; i-- {
		if r.windows[i].Flows == flows {
			return &r.windows[i]
		}
	}
	return nil
}

// rates are what the instances that hold flows at the end of the run process, in Mpps, in the mean from the saturation
// of the eSwitch on, in order of the instances.
func (r *run) rates() (mpps []float64) {
	over := r.overload()
	begin, end := over[0].T, r.windows[len(r.windows)-1].T
	sum, windows, holds := map[int32]float64{}, map[int32]int{}, map[int32]bool{}
	for i := range r.instances {
		if x := &r.instances[i]; x.T >= begin && x.Serving() {
			sum[x.Instance] += x.Processed
			windows[x.Instance]++
			holds[x.Instance] = x.T == end && x.Flows > 0
		}
	}
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		if holds[k] {
			mpps = append(mpps, sum[k]/float64(windows[k])/1e6)
		}
	}
	return mpps
}

// hottest is the most that an instance is offered in the window that ends at t, in packets/s.
func (r *run) hottest(t float64) (most float64) {
	for i := range r.instances {
		if x := &r.instances[i]; x.T == t {
			most = max(most, x.Offered)
		}
	}
	return most
}

// together is what n instances process in Figure 7, where all are saturated, in Mpps; NaN without such a run.
func (m measured) together(n int) float64 {
	x, err := m.vnfs(n)
	if err != nil {
		return math.NaN()
	}
	return mean(second(x), processed)
}

// ratesAt are what the instances that hold flows process in the window that ends at t, in Mpps, in order of the
// instances.
func (r *run) ratesAt(t float64) (mpps []float64) {
	for i := range r.instances {
		if x := &r.instances[i]; x.T == t && x.Flows > 0 {
			mpps = append(mpps, x.Processed/1e6)
		}
	}
	return mpps
}
