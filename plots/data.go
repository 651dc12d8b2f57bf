package plots

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// data is what the figures take from a record.
type data struct {
	run       results.Run
	windows   []window
	instances func(each func(*results.Instance) error) error // of every window, in order; read again whenever they are asked for
	delays    []results.Bucket                               // of the whole run; none where they were not measured

	scenario  any   // decoded
	scale     scale // to which the values here have been brought back
	scheduler string
	size      int64 // frame size in bytes; 0 when the workload has none or several
	initial   int
	fixed     bool // the number of instances does not change
	max       int
	limit     float64 // packets/s that the scheduler trusts an instance with; 0 when unknown
	link      float64 // bit/s; 0 when unknown
	overhead  float64 // bytes a frame
}

// window is what the figures take of a window, in the size of the experiment that the run stands for: a run has millions.
type window struct {
	T                                            float64 // its end, s
	Offered, Processed, Dropped, DroppedInstance float64 // packets/s
	ProcessedBits                                float64 // bit/s
	Instances, Used, Flows                       int32
}

// newData reads from the resolved scenario what sorts runs into groups. Windows and instances are as the record has them.
func newData(run results.Run, windows func(func(*results.Window) error) error, instances func(func(*results.Instance) error) error) (data, error) {
	d := data{run: run}
	raw, err := json.Marshal(run.Scenario)
	if err != nil {
		return d, fmt.Errorf("record %s: scenario: %w", run.Name, err)
	}
	var sc any
	if err := json.Unmarshal(raw, &sc); err != nil {
		return d, fmt.Errorf("record %s: scenario: %w", run.Name, err)
	}
	d.scenario = sc
	d.scheduler, _ = key(sc, "scheduler", "policy").(string)
	d.initial, d.max = int(number(key(sc, "instances", "initial"))), int(number(key(sc, "instances", "max")))
	policy, _ := key(sc, "autoscaler", "policy").(string)
	d.fixed = policy == "none" || policy == "fixed" || d.max > 0 && int(number(key(sc, "instances", "min"))) == d.max
	d.size = packetSize(sc)
	d.limit = number(key(sc, "scheduler", "limit"))
	d.link = number(key(sc, "nic", "link"))
	d.overhead = number(key(sc, "nic", "frame_overhead"))
	d.scale = scaleOf(sc)
	d.limit /= d.scale.rate
	if n := run.Duration/run.Window + 2; n > 0 && n < 1<<22 {
		d.windows = make([]window, 0, int(n))
	}
	err = windows(func(w *results.Window) error {
		d.windows = append(d.windows, d.scale.window(w))
		d.max = max(d.max, int(w.Instances))
		return nil
	})
	if err != nil {
		return d, fmt.Errorf("record %s: %w", run.Name, err)
	}
	d.instances = func(each func(*results.Instance) error) error {
		return instances(func(r *results.Instance) error { full := d.scale.instance(r); return each(&full) })
	}
	if len(d.windows) == 0 {
		return d, requestf("record %s (seed %d) holds no window: nothing to draw", run.Name, run.Seed)
	}
	return d, nil
}

// key walks down mappings; it is nil where there is no such key.
func key(v any, path ...string) any {
	for _, k := range path {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// number is a quantity of the scenario, written as a number or in the notation of units.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		var (
			b units.BPS
			p units.PPS
			n units.Bytes
		)
		if p.UnmarshalText([]byte(v)) == nil {
			return float64(p)
		}
		if b.UnmarshalText([]byte(v)) == nil {
			return float64(b)
		}
		if n.UnmarshalText([]byte(v)) == nil {
			return float64(n)
		}
	}
	return 0
}

// packetSize is the frame size that all sources of the workload have in common, or 0.
func packetSize(sc any) int64 {
	sizes := map[int64]bool{}
	sources, _ := key(sc, "workload").([]any)
	for _, s := range sources {
		flows, _ := key(s, "flows").([]any)
		for _, f := range append(flows, key(s, "cbr"), key(s, "load")) {
			if n := int64(number(key(f, "packet_size"))); n > 0 {
				sizes[n] = true
			}
		}
		if key(s, "pcap") != nil || key(s, "zeek") != nil || key(s, "records") != nil || key(s, "model") != nil {
			sizes[0] = true
		}
	}
	for n := range sizes {
		if len(sizes) == 1 {
			return n
		}
	}
	return 0
}

// sortRuns makes the figures independent of the order in which records are named.
func sortRuns(ds []data) {
	slices.SortStableFunc(ds, func(a, b data) int {
		return cmp.Or(cmp.Compare(rank(a.scheduler), rank(b.scheduler)), cmp.Compare(a.scheduler, b.scheduler),
			cmp.Compare(a.size, b.size), cmp.Compare(a.initial, b.initial), cmp.Compare(a.run.Name, b.run.Name),
			cmp.Compare(a.run.Seed, b.run.Seed), cmp.Compare(a.run.Totals.Processed, b.run.Totals.Processed))
	})
}

// known schedulers keep their place, name and look in every figure, whichever of them are in it.
var known = []struct{ policy, name string }{
	{"round-robin", "Round-Robin"},
	{"best-fit", "Best-Fit"},
	{"worst-fit", "Worst-Fit"},
}

func rank(policy string) int {
	for i, k := range known {
		if k.policy == policy {
			return i
		}
	}
	return len(known)
}

// group are runs that differ in their seed alone, as far as the figure goes.
type group struct {
	name string
	look int
	runs []data
}

// bySchedulers groups runs by scheduler, known ones first.
func bySchedulers(ds []data) (gs []group) {
	extra := len(known)
	for _, d := range ds {
		if n := len(gs); n > 0 && gs[n-1].runs[0].scheduler == d.scheduler {
			gs[n-1].runs = append(gs[n-1].runs, d)
			continue
		}
		g := group{name: d.scheduler, look: rank(d.scheduler), runs: []data{d}}
		if g.look < len(known) {
			g.name = known[g.look].name
		} else {
			g.look, extra = extra, extra+1
		}
		gs = append(gs, g)
	}
	return gs
}

// keep leaves out runs and says why, once for each reason. With orAll, a condition that no run meets does not count.
func keep(ds []data, notes *[]string, why string, orAll bool, ok func(data) bool) []data {
	var in []data
	var out []string
	for _, d := range ds {
		if ok(d) {
			in = append(in, d)
		} else {
			out = append(out, d.String())
		}
	}
	if orAll && len(in) == 0 {
		return ds
	}
	if len(out) > 0 {
		*notes = append(*notes, fmt.Sprintf("left out, %s: %s", why, strings.Join(out, ", ")))
	}
	return in
}

// String names the run by its record's name, scheduler, packet size and seed.
func (d data) String() string {
	return fmt.Sprintf("%s (%s, %d B, %d instances at first, seed %d)", d.run.Name, d.scheduler, d.size, d.initial, d.run.Seed)
}

func none(ds []data, notes []string) error {
	if len(ds) == 0 {
		return requestf("no record to draw from")
	}
	return requestf("none of the %d records fits: %s", len(ds), strings.Join(notes, "; "))
}

// onset is the time at which n flows are first active in the first run, and whether they ever are.
func onset(d data, n int32) (float64, bool) {
	for i, w := range d.windows {
		if w.Flows >= n {
			if i == 0 {
				return 0, true
			}
			return d.windows[i-1].T, true
		}
	}
	return 0, false
}

// sum adds up; merge is the mean of runs over a common x, with the least and the greatest.
type sum struct {
	n           int
	sum, lo, hi float64
}

func (s *sum) add(v float64) {
	if s.n == 0 {
		s.lo, s.hi = v, v
	}
	s.n++
	s.sum, s.lo, s.hi = s.sum+v, min(s.lo, v), max(s.hi, v)
}

func (s *sum) mean() float64 { return s.sum / float64(s.n) }

// merge is a series of the mean over runs; x values closer than grain are the same.
type merge struct {
	grain float64
	at    []sample
}

// sample is one value, at x in grains.
type sample struct {
	x int64
	y float64
}

func (m *merge) add(x, y float64) { m.at = append(m.at, sample{int64(math.Round(x / m.grain)), y}) }

// sums are the values in order of x, those of one x together.
func (m *merge) sums(each func(x int64, s *sum)) {
	slices.SortStableFunc(m.at, func(a, b sample) int { return cmp.Compare(a.x, b.x) })
	for i := 0; i < len(m.at); {
		s, x := sum{}, m.at[i].x
		for ; i < len(m.at) && m.at[i].x == x; i++ {
			s.add(m.at[i].y)
		}
		each(x, &s)
	}
}

// most is the greatest number of values at one x.
func (m *merge) most() (n int) {
	m.sums(func(_ int64, s *sum) { n = max(n, s.n) })
	return n
}

func (m *merge) series(s series, runs int) series {
	m.sums(func(x int64, p *sum) {
		s.x, s.y = append(s.x, float64(x)*m.grain), append(s.y, p.mean())
		if runs > 1 {
			s.lo, s.hi = append(s.lo, p.lo), append(s.hi, p.hi)
		}
	})
	s.n = runs
	return s
}

// over is the series of f over time, mean of the group's runs.
func (g group) over(k kind, f func(data, window) float64) series {
	m := merge{grain: 1e-6}
	n := 0
	for _, d := range g.runs {
		n += len(d.windows)
	}
	m.at = make([]sample, 0, n)
	for _, d := range g.runs {
		for _, w := range d.windows {
			m.add(w.T, f(d, w))
		}
	}
	return m.series(series{name: g.name, look: g.look, kind: k}, len(g.runs)).thinned()
}
