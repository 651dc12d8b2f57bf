package plots

import (
	"encoding/json"
	"fmt"

	"github.com/smartinco/smartinco/plots/chart"
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
		return d, chart.Requestf("record %s (seed %d) holds no window: nothing to draw", run.Name, run.Seed)
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

// read takes from a record what the figures use.
func read(r *results.Record) (data, error) {
	d, err := newData(r.Run, r.EachWindow, r.EachInstance)
	if err != nil {
		return d, err
	}
	if d.delays, err = r.Buckets("run"); err != nil {
		return d, fmt.Errorf("record %s: %w", r.Run.Name, err)
	}
	return d, nil
}
