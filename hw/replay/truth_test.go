package replay_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/results"
)

// These tests hold what makes a record trustworthy: it says when it is not complete, its losses are real, and no column
// is forgotten.

// If the switch is lost before the end of the run, the last windows are missing, and the run is not complete, whatever
// else it says.
func TestWithoutItsLastWindowsARunIsNotComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		away func(*rack)
	}{
		{"switch", func(r *rack) { r.Device.Stop() }},
		{"generator", func(r *rack) { r.generator.fail(errors.New("connection refused")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRack(0)
				r.during = func() { time.AfterFunc(700*time.Millisecond, func() { c.away(r) }) }
				sc, w := load(t, short)
				m := results.NewMemory()
				r.during()
				err := replay.Run(context.Background(), sc, w, r.open(t), m, replay.Options{})
				if err == nil || !strings.Contains(err.Error(),
					"the counters could not be read at the end of the run, so the last ") {
					t.Errorf("error %v", err)
				}
				if m.Run.Complete || m.Run.Error == "" {
					t.Errorf("complete %v, error %q", m.Run.Complete, m.Run.Error)
				}
			})
		})
	}
}

// The record says if the generator does not send everything.
func TestSentIsComparedWithPlanned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const note = "the generator has sent "
		r := newRack(0)
		r.fate = func(n uint64) fate {
			if n%10 == 0 {
				return unsent
			}
			return whole
		}
		o := run(context.Background(), t, r, short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		want := fmt.Sprintf("%s%.0f packets, and the scenario plans ", note, o.Run.Totals.Offered)
		if s := strings.Join(o.Run.Notes, "\n"); !strings.Contains(s, want) || !strings.Contains(o.said, want) {
			t.Errorf("notes %s\nsaid %s\nwant %s...", s, o.said, want)
		}
	})
}

func TestLinkOfTheGenerator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		set := func(down string) {
			r.generator.mu.Lock()
			r.generator.down = down
			r.generator.mu.Unlock()
		}
		r.during = func() {
			set("")
			time.AfterFunc(400*time.Millisecond, func() { set("port 0") })
			time.AfterFunc(800*time.Millisecond, func() { set("") })
		}
		o := run(context.Background(), t, r, short, "duration=1500ms")
		if o.err != nil {
			t.Fatal(o.err)
		}
		notes := strings.Join(o.Run.Notes, "\n")
		for _, want := range []string{
			"the generator has no link at port 0", "the generator has its link again at port 0",
		} {
			if strings.Count(notes, want) != 1 {
				t.Errorf("not once %q in\n%s", want, notes)
			}
		}
	})
}

// An instance whose port is taken off the switch gets no packets: its flows go elsewhere, and another takes its place.
// The death of its container, which takes the same port with it, changes nothing more.
func TestPortTakenAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.during = func() { time.AfterFunc(500*time.Millisecond, func() { r.Device.Unplug(port(0)) }) }
		o := run(context.Background(), t, r, short, "instances.initial=2", "instances.min=2", "duration=1500ms")
		if o.err != nil {
			t.Fatal(o.err)
		}
		unplugged := int32(0)
		states := map[int32]string{}
		for _, i := range o.Instances {
			states[i.Instance] = i.State
			if i.State == "failed" {
				unplugged = i.Instance
			}
		}
		if unplugged == 0 || !strings.Contains(o.said, fmt.Sprintf("instance %d lost its port: port %s was taken away",
			unplugged, port(0))) || states[3] != "ready" {
			t.Errorf("states %v, said %s", states, o.said)
		}
		for _, f := range o.Flows {
			if f.Instance == unplugged {
				t.Errorf("flow %+v is on the instance without a port", f)
			}
		}
	})
}

// An interrupted run stops the generator before it does anything else, since the generator would send all the while.
func TestAnInterruptStopsTheTrafficFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		begun, hangs := 0, make(chan struct{})
		var once sync.Once
		r.wrap = func(sw hw.Switch) hw.Switch {
			return hanging{sw, func(ctx context.Context) {
				if !slices.Contains(r.calls.since(0), "start") {
					return
				}
				once.Do(func() { // as a switch that does not answer
					begun = len(r.calls.since(0))
					cancel()
					<-ctx.Done()
					close(hangs)
				})
			}}
		}
		sc, w := load(t, short, "duration=30s")
		err := replay.Run(ctx, sc, w, r.open(t), results.NewMemory(), replay.Options{})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
		<-hangs
		if after := r.calls.since(begun); len(after) == 0 || after[0] != "stop" || !slices.Contains(after, "delete") {
			t.Errorf("after the interrupt: %v, want the traffic stopped first, and the containers deleted", after)
		}
	})
}

// The same holds while the switch keeps the run's loop waiting.
func TestAnInterruptStopsTheTrafficOfALoopThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		release, blocked := make(chan struct{}), make(chan struct{})
		r.wrap = func(sw hw.Switch) hw.Switch {
			return &stuck{Switch: sw, install: sync.OnceFunc(func() { close(blocked); <-release })}
		}
		sc, w := load(t, short, "duration=30s")
		ended := make(chan error, 1)
		h := r.open(t)
		go func() { ended <- replay.Run(ctx, sc, w, h, results.NewMemory(), replay.Options{}) }()
		<-blocked
		cancel()
		for deadline := time.Now().Add(20 * time.Second); !slices.Contains(r.calls.since(0),
			"stop"); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("the traffic goes on while the switch takes no rule")
				break
			}
		}
		close(release)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// stuck is a switch that takes long for the first rule.
type stuck struct {
	hw.Switch
	install func()
}

func (s *stuck) Install(rules ...hw.Rule) error {
	s.install()
	return s.Switch.Install(rules...)
}

// hanging is a switch that takes long for its counters.
type hanging struct {
	hw.Switch
	wait func(context.Context)
}

func (h hanging) Counters(ctx context.Context) (hw.Reading, error) {
	h.wait(ctx)
	if ctx.Err() != nil {
		return hw.Reading{}, ctx.Err()
	}
	return h.Switch.Counters(ctx)
}

// Packets that stay in an instance unexpectedly long count as lost at first, and as processed when they come. In no
// window, nor at the end, are more packets processed and lost than were sent.
func TestALossThatIsNoneIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.delay = 600 * time.Millisecond
		o := run(context.Background(), t, r, short, "vnf.buffer=1", "duration=2s")
		if o.err != nil {
			t.Fatal(o.err)
		}
		total := &o.Run.Totals
		if total.Processed != total.Offered || total.Dropped.Sum() != 0 {
			t.Errorf("totals %+v: want all packets processed, late as they were", total)
		}
		var sent, done, last, most float64
		for _, w := range o.Windows {
			d := w.T - last
			last = w.T
			sent += w.Offered * d
			done += (w.Processed + w.Dropped) * d
			most = max(most, w.Dropped)
			if done > sent+1e-3 {
				t.Errorf("at %g s %.0f packets are sent, and %.0f processed or lost", w.T, sent, done)
			}
		}
		if most == 0 {
			t.Error("no loss was booked, so none was taken back")
		}
		if n := len(o.Windows); n != 13 { // of 150 ms in 2 s
			t.Errorf("%d windows: want 13, the last one with the 50 ms that remain", n)
		}
	})
}

// Without a rule a flow's packets take the slow path, and its row says to which instance.
func TestAFlowWithoutARuleHasItsInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := run(context.Background(), t, newRack(0), short, "faults=[{kind: rule-reject, at: 0s}]")
		if o.err != nil {
			t.Fatal(o.err)
		}
		if o.Run.Totals.RulesInstalled != 0 || o.Run.Totals.Processed == 0 {
			t.Fatalf("totals %+v: want no rule, and packets", o.Run.Totals)
		}
		for _, f := range o.Flows {
			if f.Instance != f.Flow%3+1 || f.Moves != 0 {
				t.Errorf("flow %+v: want instance %d", f, f.Flow%3+1)
			}
		}
	})
}

// The autoscaler of an instant acts on the counters of that instant, however long they take to come.
func TestTheAutoscalerWaitsForItsCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.wrap = func(sw hw.Switch) hw.Switch {
			return hanging{sw, func(context.Context) { time.Sleep(50 * time.Millisecond) }}
		}
		o := run(context.Background(), t, r, short, "autoscaler.policy=target-utilization", "autoscaler.interval=150ms")
		if o.err != nil {
			t.Fatal(o.err)
		}
		rec, err := o.Record()
		if err != nil {
			t.Fatal(err)
		}
		read := false
		for e, err := range rec.Log() {
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case e.Event == nil:
			case e.Event.Kind == orchestrator.CountersRead:
				read = true
			case e.Event.Kind == orchestrator.Tick && e.Event.Timer == orchestrator.AutoscaleTimer:
				if !read {
					t.Error("the autoscaler of 150 ms was asked before the counters of 150 ms were there")
				}
				return
			}
		}
		t.Error("the autoscaler was never asked")
	})
}

const (
	withoutRules = "dispatch without rules, which no driver offers"
	ofBursts     = "decisions on bursts, which no driver offers"
)

// unknown are the columns that no run on hardware can fill, and why.
var unknown = map[string]string{
	"Totals.Broken":        withoutRules,
	"Totals.Bursts":        ofBursts,
	"Totals.BurstsDecided": ofBursts,
	"Totals.BurstsMoved":   ofBursts,
	"Totals.BurstsMissed":  ofBursts,
	"Totals.HandedOn":      withoutRules,
	"Totals.Queued":        "after the run nothing is under way",
	"Flow.Queued": "0 where the generator tells flows apart; TestGeneratorThatDoesNotTellFlowsApart has it where " +
		"it does not",
}

// In a run in which everything happens, every column that hardware can fill is somewhere not 0. A new column that this
// plant does not fill fails this test.
func TestEveryColumnIsFilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(5) // of the 12 flows' rules
		r.capacity = 700
		r.fate = func(n uint64) fate {
			return map[uint64]fate{1: lostBefore, 2: lostBack, 3: lostSlow, 4: lostBack, 5: lostBack, 7: late}[n%8]
		}
		r.wrap = func(sw hw.Switch) hw.Switch { return dropping{sw, r.generator} }
		o := run(context.Background(), t, r, short, "duration=3s", "instances={initial: 2, min: 2, max: 3}",
			"vnf.buffer=8", "scheduler={policy: best-fit, limit: 1200pps, nofit: reject}",
			"workload=[{cbr: {flows: 12, interval: 120ms, rate: 500pps}}]",
			"faults=[{kind: instance-death, at: 300ms, instance: 1}]")
		if o.err != nil {
			t.Fatal(o.err)
		}
		filled := map[string]bool{}
		var look func(name string, v reflect.Value)
		look = func(name string, v reflect.Value) {
			if v.Kind() == reflect.Struct {
				for i := range v.NumField() {
					look(name+"."+v.Type().Field(i).Name, v.Field(i))
				}
				return
			}
			filled[name] = filled[name] || !v.IsZero()
		}
		for i := range o.Windows {
			look("Window", reflect.ValueOf(o.Windows[i]))
		}
		for i := range o.Instances {
			look("Instance", reflect.ValueOf(o.Instances[i]))
		}
		for i := range o.Flows {
			look("Flow", reflect.ValueOf(o.Flows[i]))
		}
		look("Totals", reflect.ValueOf(o.Run.Totals))
		for name, is := range filled {
			if why, listed := unknown[name]; is == listed {
				t.Errorf("%s: filled %v, listed as unknown %v (%s)", name, is, listed, why)
			}
		}
		if len(filled) < 40 {
			t.Errorf("%d columns", len(filled))
		}
	})
}

// unpaid are the costs that no run on hardware has, and why.
var unpaid = map[string]string{
	"flows_broken": withoutRules,
	"wait_p50_s":   noStamps, "wait_p99_s": noStamps, "wait_p999_s": noStamps, "slo_packets": noStamps,
}

const noStamps = "packets carry no time stamps"

// Every cost of a controller comes out of a record of hardware, or the record says by name why not. There are two runs:
// in one the load comes, goes and comes again, an instance dies and packets are lost; in the other, shares change.
func TestEveryCostIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.capacity = 700
		r.takes = 300 * time.Millisecond
		r.fate = func(n uint64) fate { return map[uint64]fate{1: lostBefore}[n%8] }
		o := run(context.Background(), t, r, short, "duration=3s", "instances={initial: 2, min: 1, max: 3}",
			"autoscaler={policy: target-utilization, interval: 150ms, stabilization: 0s, target: 0.7}",
			"scheduler.limit=700pps", "nic.instance_watts=5", "nic.core_watts=2", "nic.cores=8",
			"engine=packet", "measure={delay: instances, max_wait: 1ms}",
			"workload=[{flows: [{rate: 300pps}, {rate: 300pps}, {rate: 300pps, end: 800ms}, "+
				"{rate: 300pps, phase: 100ms, end: 900ms}, {rate: 300pps, phase: 1800ms}, "+
				"{rate: 700pps, phase: 1900ms}]}]", "faults=[{kind: instance-death, at: 500ms, instance: 1}]")
		if o.err != nil {
			t.Fatal(o.err)
		}
		resized, err := replayReporting(t, func(r *rack) hw.ContainerEngine {
			return &resizing{reporting: reporting{engine: r.engine, since: time.Now().Add(-time.Hour)}}
		}, "autoscaler.policy={vpa: {mode: in-place, half_life: 100ms, confidence_interval: 1ms, min_allowed: 0.2, "+
			"max_allowed: 0.2}}", "autoscaler.interval=150ms", "telemetry.window=100ms")
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]float64{} // the greatest of the two
		for _, m := range []*results.Memory{o.Memory, resized} {
			rec, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			c, err := rec.Costs()
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range c.Known() {
				known[name] = max(known[name], v)
			}
		}
		for _, c := range results.CostTable {
			if why, listed := unpaid[c.Name]; known[c.Name] > 0 == listed {
				t.Errorf("%s is %v, listed as unknown: %v (%s)", c.Name, known[c.Name], listed, why)
			} else if notes := strings.Join(o.Run.Notes, "\n"); why == noStamps && !strings.Contains(notes, c.Name) {
				t.Errorf("no note says that %s is not known: %s", c.Name, notes)
			}
		}
	})
}

// dropping is a switch whose driver drops first packets.
type dropping struct {
	hw.Switch
	g *generator
}

func (d dropping) Dropped() uint64 { return d.g.slow.Load() }

// Packets that came back were not lost on the way to the instances, even if the switch has forgotten them. A loss is
// counted where it happened.
func TestWhatASwitchForgetsIsNotLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		forget   func(*forgetful, *telemetry.Counter) // takes from a reading what is missing
		fate     fate                                 // of each tenth packet
		capacity float64
	}{
		{"with each rule", forgetRules(200), whole, 0},
		{"with each rule, others are lost before", forgetRules(200), lostBefore, 0},
		{"with each rule, others are lost behind", forgetRules(200), lostBack, 0},
		{"in a restart", forgetRestart(400), whole, 0},
		{"in a restart, others are lost before", forgetRestart(400), lostBefore, 0},
		{"in a restart, others are lost in instances", forgetRestart(60), whole, 300},
		{"nothing", func(*forgetful, *telemetry.Counter) {}, lostBefore, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRack(0)
				r.capacity = c.capacity
				var before, behind atomic.Int64
				r.fate = func(n uint64) fate {
					if n%10 != 0 {
						return whole
					}
					switch c.fate {
					case lostBefore:
						before.Add(1)
					case lostBack:
						behind.Add(1)
					}
					return c.fate
				}
				r.wrap = func(sw hw.Switch) hw.Switch { return &forgetful{Switch: sw, forget: c.forget} }
				o := run(context.Background(), t, r, short, "duration=2s", "vnf.buffer=1",
					"workload=[{cbr: {flows: 6, interval: 120ms, rate: 500pps}}, {flows: [{rate: 500pps, end: 500ms}, "+
						"{rate: 500pps, end: 700ms}, {rate: 500pps, end: 900ms}]}]")
				if o.err != nil {
					t.Fatal(o.err)
				}
				total := &o.Run.Totals
				d := &total.Dropped
				if d.ESwitch != float64(before.Load()) || d.Link != float64(behind.Load()) ||
					(d.Instance > 0) != (c.capacity > 0) {
					t.Errorf("totals %+v: want %d lost at the eSwitch, %d on the link, and in instances: %v", total,
						before.Load(), behind.Load(), c.capacity > 0)
				}
				if total.Processed+d.Sum() != total.Offered {
					t.Errorf("totals %+v: want %.0f processed or lost", total, total.Offered)
				}
				// In the windows, what may be under way and what may not have been counted yet stays open.
				last, lost := 0.0, 0.0
				for _, w := range o.Windows {
					lost += w.DroppedESwitch * (w.T - last)
					last = w.T
				}
				if open := 800.0; lost > float64(before.Load())+open {
					t.Errorf("%.0f packets are lost at the eSwitch in the windows, want %d and at most %.0f more", lost,
						before.Load(), open)
				}
			})
		})
	}
}

// forgetful is a switch that loses count.
type forgetful struct {
	hw.Switch
	forget  func(*forgetful, *telemetry.Counter)
	removed atomic.Int64 // rules
	read    atomic.Int64 // times
}

func (f *forgetful) Remove(flows ...flow.ID) error {
	f.removed.Add(int64(len(flows)))
	return f.Switch.Remove(flows...)
}

func (f *forgetful) Counters(ctx context.Context) (hw.Reading, error) {
	f.read.Add(1)
	r, err := f.Switch.Counters(ctx)
	for i := range r.Counters {
		f.forget(f, &r.Counters[i])
	}
	return r, err
}

func (f *forgetful) Detach(ctx context.Context, i flow.Instance) (telemetry.Counter, error) {
	c, err := f.Switch.Detach(ctx, i)
	f.forget(f, &c)
	return c, err
}

// forgetRules loses n packets into an instance with each rule that is removed.
func forgetRules(n uint64) func(*forgetful, *telemetry.Counter) {
	return func(f *forgetful, c *telemetry.Counter) { c.RxPackets -= min(c.RxPackets, n*uint64(f.removed.Load())) }
}

// forgetRestart loses n packets that went into each instance, and came out.
func forgetRestart(n uint64) func(*forgetful, *telemetry.Counter) {
	return func(f *forgetful, c *telemetry.Counter) {
		if f.read.Load() > 5 {
			c.RxPackets -= min(c.RxPackets, n)
			c.TxPackets -= min(c.TxPackets, n)
		}
	}
}

// The owner of the testbed learns whether something is left on it: a container, or a generator that sends.
func TestWhatIsLeftIsTold(t *testing.T) {
	t.Parallel()
	gone := errors.New("connection refused")
	for _, c := range []struct {
		name string
		with func(*rack, *replay.Hardware)
		want error
	}{
		{"nothing", func(*rack, *replay.Hardware) {}, nil},
		{"containers", func(r *rack, _ *replay.Hardware) { r.engine.leave(gone) }, gone},
		{"traffic", func(_ *rack, h *replay.Hardware) { h.Generator = unstoppable{h.Generator, gone} }, gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRack(0)
				h := r.open(t)
				c.with(r, &h)
				var told []error
				h.Left = func(err error) { told = append(told, err) }
				sc, w := load(t, short)
				if err := replay.Run(t.Context(), sc, w, h, results.NewMemory(), replay.Options{}); err != nil {
					t.Error(err)
				}
				if len(told) != 1 || !errors.Is(told[0], c.want) {
					t.Errorf("told %v, want once %v", told, c.want)
				}
			})
		})
	}
}

// unstoppable is a generator that stops and does not say so.
type unstoppable struct {
	hw.Generator
	err error
}

func (u unstoppable) Stop(ctx context.Context) error {
	return errors.Join(u.Generator.Stop(ctx), u.err)
}
