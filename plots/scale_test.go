package plots

import (
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// A run at a fraction of the rates and times is drawn in the size of the experiment, and the figure says how small it
// was.
func TestScaledRunsAreDrawnInFullSize(t *testing.T) {
	s := published
	s.scheduler, s.flows, s.interval, s.total = "best-fit", 8, 10, 148.8e6
	full := s.make(t)
	// The small run: a 7500th of the rates, a fifth of the times.
	run := full.run
	var ws []results.Window
	for _, w := range full.windows {
		ws = append(ws, results.Window{T: w.T * 0.2, Offered: w.Offered / 7500, Processed: w.Processed / 7500,
			Dropped: w.Dropped / 7500, DroppedInstance: w.DroppedInstance / 7500, ProcessedBits: w.ProcessedBits / 7500,
			Instances: w.Instances, Used: w.Used, Flows: w.Flows})
	}
	var is []results.Instance
	if err := full.instances(func(r *results.Instance) error {
		small := *r
		small.T *= 0.2
		small.Processed /= 7500
		is = append(is, small)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sc := maps.Clone(full.run.Scenario.(map[string]any))
	sc["scale"] = map[string]any{"rate": 1.0 / 7500, "time": 0.2}
	sc["scheduler"] = map[string]any{"policy": "best-fit", "limit": "1333pps"} // 10 Mpps / 7500, in whole packets
	run.Scenario = sc
	d, err := newData(run, rows(ws), rows(is))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range d.windows {
		if f := full.windows[i]; math.Abs(w.T-f.T) > 1e-9 || math.Abs(w.Processed-f.Processed) > 1e-3 {
			t.Fatalf("window %d: %+v, want %+v", i, w, f)
		}
	}
	// So are the panels of the instances: the same flows, rates and times there, and the scheduler's limit as it was
	// meant, to the whole packets of the small run.
	lives, err := overTheRun(d)
	if err != nil {
		t.Fatal(err)
	}
	want, err := overTheRun(full)
	if err != nil || len(lives) != len(want) || len(want) == 0 {
		t.Fatalf("%d instances, want %d: %v", len(lives), len(want), err)
	}
	for k, l := range want {
		got := lives[k]
		if math.Abs(got.there-l.there) > 1e-6 || math.Abs(got.flows-l.flows) > 1e-6 ||
			math.Abs(got.processed-l.processed) > 1 {
			t.Errorf("instance %d: %+v, want %+v", k, got, l)
		}
	}
	pg, _, err := fig8([]data{d}, Options{Width: TwoColumn})
	if err != nil {
		t.Fatal(err)
	}
	if m := pg.Rows[1][0].Marks; len(m) != 1 || m[0].Label != "9.998 Mpps" || math.Abs(m[0].At-9.9975) > 1e-9 {
		t.Errorf("the limit of 1333 pps times 7500 is drawn as %+v, want 9.998 Mpps", m)
	}
	for _, c := range []struct {
		with data
		want string
	}{{full, ""}, {d, "ran at 1/7500 of these rates, 1/5 of these times"}} {
		got := scaleNote([]data{c.with})
		if got != c.want {
			t.Errorf("note %q, want %q", got, c.want)
		}
		f := drawn(t, "fig9", []data{c.with}, Options{})
		shown := strings.Contains(string(saved(t, f, "f.svg")), "ran at")
		if shown != (c.want != "") {
			t.Errorf("the figure shows the scale: %v, want %v", shown, c.want != "")
		}
	}
}

// A figure of runs of different scales says so, and none of their scales.
func TestSeveralScales(t *testing.T) {
	a, b, full := data{scale: scale{0.5, 1}}, data{scale: scale{0.5, 0.25}}, data{scale: scale{1, 1}}
	for _, c := range []struct {
		ds   []data
		want string
	}{
		{[]data{a, a}, "ran at 1/2 of these rates"}, {[]data{b}, "ran at 1/2 of these rates, 1/4 of these times"},
		{[]data{a, b}, "runs of several scales"}, {[]data{full, a}, "runs of several scales"}, {[]data{full, full}, ""},
	} {
		if got := scaleNote(c.ds); got != c.want {
			t.Errorf("%v: %q, want %q", c.ds, got, c.want)
		}
	}
}
