package study

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// wrong is the packet engine with an outcome of the check of Little's law that it has not found.
type wrong struct{ *packet.Engine }

func (w wrong) Delays(now units.Time, rec results.Recorder) *results.Little {
	l := w.Engine.Delays(now, rec)
	l.Holds, l.Where = false, "instance 2"
	return l
}

// leaky is the packet engine with packets in each window that nobody sent.
type leaky struct{ *packet.Engine }

func (l leaky) Window(now units.Time, w *results.Window, rows []results.Instance) {
	l.Engine.Window(now, w, rows)
	w.Processed += 1e6
}

// replaceEngine puts another in the packet engine's place, which is made around it, until the test ends or restore is
// called.
func replaceEngine(t *testing.T, around func(*packet.Engine) sim.DataPlane) (restore func()) {
	was := engines["packet"]
	engines["packet"] = engine{check: packet.Check,
		make: func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
			d, err := packet.New(sc, w, end, c)
			if err != nil {
				return nil, err
			}
			return around(d.(*packet.Engine)), nil
		}}
	restore = func() { engines["packet"] = was }
	t.Cleanup(restore)
	return restore
}

// A run in which Little's law is broken fails; its record is written and says so.
func TestABrokenLawFailsTheRun(t *testing.T) {
	replaceEngine(t, func(e *packet.Engine) sim.DataPlane { return wrong{e} })
	st, err := scenarios.Parse("t.yaml",
		[]byte("engine: packet\nduration: 1ms\nmeasure: {delay: instances}\nworkload: [{cbr: {flows: 3, rate: "+
			"1Mpps}}]"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "record")
	_, err = One(context.Background(), st.Runs[0].Scenario, dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "Little's law does not hold: instance 2") ||
		errors.Is(err, ErrRefused) {
		t.Errorf("the run ended with %v", err)
	}
	rec, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if l := rec.Run.Little; l == nil || l.Holds || l.Where != "instance 2" || !rec.Run.Complete {
		t.Errorf("the record says %+v", rec.Run.Little)
	}
}

// What describes a run before it begins is the same in both plants, but for the names of plant and engine.
func TestBothPlantsDescribeARunAlike(t *testing.T) {
	sc := only(t, "name: t\nseed: 7\ntelemetry: {window: 20ms}\nworkload: [{flows: [{rate: 1kpps, end: 1s}]}]", "")
	traffic, err := sc.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	traffic.Skipped = []traces.Count{{Reason: "frames cut off", N: 3}}
	simulated, replayed := sim.Header(sc, traffic, "v"), replay.Header(sc, traffic, "bed", "v")
	if simulated.Plant != "sim" || simulated.Engine != "fluid" || replayed.Plant != "hw" || replayed.Engine != "bed" {
		t.Errorf("%s, %s and %s, %s: want sim, fluid and hw, bed", simulated.Plant, simulated.Engine, replayed.Plant,
			replayed.Engine)
	}
	if simulated.Duration <= 0 || len(simulated.Skipped) != 1 || simulated.Seed != 7 || simulated.Window != 0.02 {
		t.Errorf("%+v: want a duration, what was skipped, the seed and the window", simulated)
	}
	replayed.Plant, replayed.Engine = simulated.Plant, simulated.Engine
	if !reflect.DeepEqual(simulated, replayed) {
		t.Errorf("the simulated plant says %+v\nthe real one %+v", simulated, replayed)
	}
}
