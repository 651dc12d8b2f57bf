package plots

import (
	"fmt"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// data is what the figures take from a record.
type data struct {
	run       results.Run
	scenario  *scenarios.Scenario
	windows   []window
	instances func(each func(*results.Instance) error) error // in the order of the windows; each call reads them again
	delays    []results.Bucket                               // of the whole run; none if they were not measured

	latencies   func() ([]results.Latency, error)
	evaluations func() ([]results.Evaluation, error)
	costs       func() (*results.Costs, error)
	cost        *results.Costs // what costs gave, where a figure asked for it

	scale     scale // of the run; the values here are those of the experiment
	scheduler string
	stack     string // empty where the scenario names none
	size      int64  // frame size in bytes; 0 if the workload has none or several
	initial   int
	fixed     bool // the number of instances does not change
	max       int
	limit     float64 // packets/s that the scheduler trusts an instance with; 0 if it has no limit
}

// window is what the figures take from a window, in the size of the experiment that the run stands for. It is small,
// since a run may have millions.
type window struct {
	T                                            float64 // its end, s
	Offered, Processed, Dropped, DroppedInstance float64 // packets/s
	ProcessedBits                                float64 // bit/s
	Instances, Used, Flows                       int32
}

// stackOf is the stack that a run's scenario names; empty where it names none.
func stackOf(run *results.Run) string {
	keys, _ := run.Scenario.(map[string]any)
	stack, _ := keys["stack"].(string)
	return stack
}

// policyOf is the name of the scheduler's policy, by which figures tell runs apart.
func policyOf(s *scenarios.Scenario) string { return s.Scheduler.Policy.Name }

// limitOf is the packet rate that the scheduler trusts an instance with, in packets/s.
func limitOf(s *scenarios.Scenario) float64 { return float64(s.Scheduler.Limit) }

// newData takes from a run, its windows and its instances, as the record has them, what the figures use.
func newData(run results.Run, windows func(func(*results.Window) error) error,
	instances func(func(*results.Instance) error) error) (data, error) {
	d := data{run: run}
	sc, err := scenarios.FromRecord(run.Name, run.Scenario, run.Seed)
	if err != nil {
		return d, fmt.Errorf("record %s: %w", run.Name, err)
	}
	d.scenario = sc
	d.scheduler = policyOf(sc)
	d.stack = stackOf(&run)
	d.initial, d.max = sc.Instances.Initial, sc.Instances.Max
	d.fixed = sc.Autoscaler.Static() || sc.Instances.Min == sc.Instances.Max
	d.size = packetSize(sc.Workload)
	d.scale = scaleOf(sc)
	d.limit = limitOf(sc) / d.scale.rate
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
		return d, chart.Requestf("record %s (seed %d) holds no window: nothing to draw", run.Name, run.Seed)
	}
	return d, nil
}

// packetSize is the frame size that all sources of a workload have in common, or 0. Recorded and modelled traffic
// counts as having several sizes.
func packetSize(workload []scenarios.Source) (size int64) {
	first := true
	for i := range workload {
		for _, n := range frames(&workload[i]) {
			if !first && int64(n) != size {
				return 0
			}
			size, first = int64(n), false
		}
	}
	return size
}

// frames returns the sizes of a source's frames; 0 stands for several.
func frames(s *scenarios.Source) []units.Bytes {
	if sizes := s.PacketSizes(); len(sizes) > 0 {
		return sizes
	}
	return []units.Bytes{0}
}

// onset is when n flows are first active in a run, and whether they ever are.
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

// read does so with a record, and takes its delays too.
func read(r *results.Record) (data, error) {
	d, err := newData(r.Run, r.EachWindow, r.EachInstance)
	if err != nil {
		return d, err
	}
	d.latencies, d.evaluations, d.costs = r.Latencies, r.Evaluations, r.Costs
	if d.delays, err = r.Buckets("run"); err != nil {
		return d, fmt.Errorf("record %s: %w", r.Run.Name, err)
	}
	return d, nil
}
