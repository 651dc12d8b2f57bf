package plots

import (
	"math"
	"slices"
	"testing"
)

// A run at a fraction of the rates and times is drawn in the size of the experiment, and the figure says how small it was.
func TestScaledRunsAreDrawnInFullSize(t *testing.T) {
	full := spec{scheduler: "best-fit", flows: 8, interval: 10, total: 148.8e6, size: 64, initial: 3, max: 8, seed: 1}.make(t)
	small := spec{scheduler: "best-fit", flows: 8, interval: 10, total: 148.8e6, size: 64, initial: 3, max: 8, seed: 1}.make(t)
	sc := small.scenario.(map[string]any)
	sc["scale"] = map[string]any{"rate": 1.0 / 7500, "time": 0.2}
	for i := range small.windows {
		w := &small.windows[i]
		w.T *= 0.2
		for _, rate := range []*float64{&w.Offered, &w.Processed, &w.Dropped, &w.DroppedInstance} {
			*rate /= 7500
		}
	}
	run := small.run
	run.Scenario = sc
	d, err := newData(run, small.windows, small.instances, small.flows)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range d.windows {
		if f := full.windows[i]; math.Abs(w.T-f.T) > 1e-9 || math.Abs(w.Processed-f.Processed) > 1e-3 {
			t.Fatalf("window %d: %+v, want %+v", i, w, f)
		}
	}
	for _, c := range []struct {
		with data
		want string
	}{{full, ""}, {d, "ran at 1/7500 of these rates, 1/5 of these times"}} {
		got := scaleNote([]data{c.with})
		if got != c.want {
			t.Errorf("note %q, want %q", got, c.want)
		}
		pg, _, err := fig9([]data{c.with}, Options{Width: OneColumn})
		if err != nil {
			t.Fatal(err)
		}
		pg.scale = got
		shown := slices.ContainsFunc(pg.legend(), func(e entry) bool { return e.name != "" && e.name == c.want })
		if shown != (c.want != "") {
			t.Errorf("legend shows the scale: %v, want %v", shown, c.want != "")
		}
	}
}
