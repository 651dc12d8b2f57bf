package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// tape records the events that the orchestrator gets, and nothing else.
type tape struct {
	results.Recorder
	events []orchestrator.Event
}

func (t *tape) Event(_ units.Time, e *orchestrator.Event) {
	c := *e
	c.Rules = slices.Clone(e.Rules)
	t.events = append(t.events, c)
}

// slow is a switch that answers Rules when the test says so, or fails with the test's error.
type slow struct {
	hw.Switch
	asked  int
	answer chan error
}

func (s *slow) Rules(ctx context.Context) (hw.RuleReading, error) {
	s.asked++
	select {
	case err := <-s.answer:
		if err != nil {
			return hw.RuleReading{}, err
		}
		return s.Switch.Rules(ctx)
	case <-ctx.Done():
		return hw.RuleReading{}, ctx.Err()
	}
}

// reader is a run on a switch in memory whose loop the test turns by hand.
type reader struct {
	*plant
	*testing.T
	device *simswitch.Device
	sw     *slow
	tape   *tape
}

func newReader(t *testing.T) *reader {
	t.Helper()
	st, err := scenarios.Parse("rules.yaml", []byte(`
name: rules
duration: 1s
nic: ideal
instances: {initial: 1, min: 1, max: 1}
scheduler: {policy: round-robin, limit: 1kpps}
autoscaler: {policy: none, interval: 100ms}
telemetry: {window: 100ms}
workload:
  - cbr: {flows: 3, interval: 100ms, rate: 100pps}
`), ".", nil)
	if err != nil {
		t.Fatal(err)
	}
	sc := st.Runs[0].Scenario
	w, err := sc.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{T: t, device: simswitch.New(simswitch.Config{Uplink: "up", Sink: "sink", Ports: []string{"a"}}),
		tape: &tape{}}
	sw, err := r.device.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	r.sw = &slow{Switch: sw, answer: make(chan error, 1)}
	r.plant = newPlant(sc, w, Hardware{Name: "memory", Switch: r.sw}, r.tape,
		Options{Say: func(string) {}, Metrics: NewMetrics()})
	t.Cleanup(r.cancel)
	if r.orch, err = orchestrator.New(sc.Orchestrator(), nil); err != nil {
		t.Fatal(err)
	}
	r.zero, r.began = time.Now(), true
	return r
}

// steer waits for the switch to confirm a request that was made with this error.
func (r *reader) steer(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	if e := <-r.sw.Events(); e.Kind != hw.Confirmed {
		r.Fatalf("%v: %s", e.Kind, e.Reason)
	}
}

// rule makes the rule of a flow of the scenario.
func (r *reader) rule(id flow.ID, to flow.Instance) hw.Rule {
	return hw.Rule{Flow: id, Tuple: r.traffic.Flows[id].Tuple, Instance: to}
}

// send sends a packet of a flow.
func (r *reader) send(id flow.ID) {
	t := r.traffic.Flows[id].Tuple
	b := make([]byte, 60)
	b[12], b[14], b[23] = 8, 0x45, t.Proto
	copy(b[26:], t.Src.AsSlice())
	copy(b[30:], t.Dst.AsSlice())
	b[34], b[35], b[36], b[37] = byte(t.SrcPort>>8), byte(t.SrcPort), byte(t.DstPort>>8), byte(t.DstPort)
	r.device.Send("up", b)
}

func (r *reader) ask() { r.act(&orchestrator.Action{Kind: orchestrator.ReadRules}) }

// answered makes the switch answer, and takes in the answer as the loop does.
func (r *reader) answered(err error) {
	r.sw.answer <- err
	(<-r.inbox)()
}

// read is the newest reading that the orchestrator has got.
func (r *reader) read() orchestrator.Event {
	r.Helper()
	if len(r.tape.events) == 0 {
		r.Fatal("the orchestrator got no reading")
	}
	e := r.tape.events[len(r.tape.events)-1]
	if e.Kind != orchestrator.RulesRead {
		r.Fatalf("event %d, want RulesRead", e.Kind)
	}
	return e
}

func TestRulesAreReadInOrderOfFlowsAndAMoveKeepsTheirCounters(t *testing.T) {
	r := newReader(t)
	for id := flow.ID(2); id >= 0; id-- {
		r.steer(r.sw.Install(r.rule(id, 1)))
	}
	r.send(2)
	r.send(1)
	r.steer(r.sw.Move(hw.Move{Flow: 2, Instance: 2}))
	r.send(2)
	before := r.now()
	r.ask()
	r.answered(nil)
	e := r.read()
	if want := []orchestrator.RuleCounter{{Flow: 0}, {Flow: 1, Packets: 1},
		{Flow: 2, Packets: 2}}; !slices.Equal(e.Rules, want) {
		t.Errorf("read %v, want %v", e.Rules, want)
	}
	if e.Sampled < before || e.Sampled > r.now() {
		t.Errorf("sampled at %v: want when the switch answered, from %v to %v", e.Sampled, before, r.now())
	}

	r.steer(r.sw.Remove(1))
	r.ask()
	r.answered(nil)
	if want := []orchestrator.RuleCounter{{Flow: 0}, {Flow: 2, Packets: 2}}; !slices.Equal(r.read().Rules, want) {
		t.Errorf("read %v after a removal, want %v", r.read().Rules, want)
	}
}

// The loop goes on during a reading, and asks for no other until the switch has answered.
func TestOneReadingOfTheRulesAtATime(t *testing.T) {
	r := newReader(t)
	for range 3 {
		r.ask()
	}
	r.answered(nil)
	r.readings.Wait()
	if r.sw.asked != 1 || len(r.tape.events) != 1 {
		t.Errorf("asked %d times, answered %d times: want once", r.sw.asked, len(r.tape.events))
	}
	r.ask()
	r.answered(nil)
	if len(r.tape.events) != 2 {
		t.Errorf("answered %d times, want another time", len(r.tape.events))
	}
}

func TestAReadingOfTheRulesThatFailsIsNoted(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(*reader)
		noted bool
	}{
		{"while the switch answers", func(*reader) {}, true},
		{"while it is known to be lost", func(r *reader) { r.lostSince = time.Now() }, false},
		{"after the run", func(r *reader) { r.cancel() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReader(t)
			c.while(r)
			r.ask()
			r.answered(errors.New("no answer"))
			if noted := strings.Contains(strings.Join(r.told, " "),
				"the switch's rules could not be read: no answer"); noted != c.noted {
				t.Errorf("noted %q", r.told)
			}
			if len(r.tape.events) > 0 {
				t.Errorf("the orchestrator got %+v", r.tape.events)
			}
			if r.rules.busy {
				t.Error("and is never read again")
			}
		})
	}
}

func TestStalledCountersStallThoseOfTheRules(t *testing.T) {
	r := newReader(t)
	r.steer(r.sw.Install(r.rule(0, 1)))
	r.send(0)
	r.ask()
	r.answered(nil)
	r.faults.list = []scenarios.Fault{{Kind: "counters-stall"}}
	r.faults.active = map[string]int{}
	for _, s := range []struct {
		over bool
		want uint64
	}{{false, 1}, {true, 3}} {
		r.faults.steps = []step{{0, 0, s.over}}
		r.faults.fire(r.plant)
		r.send(0)
		r.ask()
		r.answered(nil)
		if got := r.read().Rules; len(got) != 1 || got[0].Packets != s.want {
			t.Errorf("fault over %v: read %v, want %d packets", s.over, got, s.want)
		}
	}
}
