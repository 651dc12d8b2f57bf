package request

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// bruteFleet is the slow and obvious fleet: what happens later is a function in the list of the slow engine, and what
// an instance is follows from the times of what happened to it. It shares with the engine the orchestrator.
type bruteFleet struct {
	b     *brute
	st    *station
	orch  *orchestrator.Orchestrator
	rec   *results.Memory
	boxes []*bruteBox
	last  map[orchestrator.Timer]*bool // whether the newest order of a timer is in force
	held  []func()                     // for the end of a stall

	frozen []orchestrator.Counter
}

// bruteBox is an instance's container: when what happened to it; -1 for not yet.
type bruteBox struct {
	ready, deleted, failed, gone int64
	sent, back                   uint64
	busy                         int64
	stays                        int // of its requests, that were reported
}

func newBruteFleet(b *brute) *bruteFleet {
	f := &bruteFleet{b: b, st: &b.e.stations[0], rec: results.NewMemory(), last: map[orchestrator.Timer]*bool{}}
	cfg := b.e.sc.Orchestrator()
	cfg.Scheduler.Policy, cfg.Requests = roundRobin, f.st.host
	var err error
	if f.orch, err = orchestrator.New(cfg, f.rec); err != nil {
		panic(err)
	}
	return f
}

// begin begins the run, and expects its faults.
func (f *bruteFleet) begin() {
	for i, x := range f.b.e.sc.Faults {
		f.in(x.At, sim.ClassFault, func() { f.fault(i) })
	}
	f.deliver(orchestrator.Event{Kind: orchestrator.Start})
}

// in has something happen in a time from now, in its order within an instant.
func (f *bruteFleet) in(t units.Time, class sim.Class, do func()) {
	f.b.at(f.b.now+int64(t), evFleet, int(class), -1, func() {
		do()
		f.b.retry(f.st)
	})
}

// force says whether a fault of a kind is in force.
func (f *bruteFleet) force(kind string) bool {
	for _, x := range f.b.e.sc.Faults {
		over := x.For > 0 && f.b.time() >= x.At+x.For
		if x.Kind == kind && f.b.time() >= x.At && !over {
			return true
		}
	}
	return false
}

// fault begins a fault. Those that last are in force by the time; what their beginning and their end does is here.
func (f *bruteFleet) fault(i int) {
	x := f.b.e.sc.Faults[i]
	switch x.Kind {
	case "instance-death":
		f.fail(flow.Instance(x.Instance), "it died")
	case "counters-stall":
		already := false
		for k, y := range f.b.e.sc.Faults {
			over := y.For > 0 && y.At+y.For <= x.At
			already = already || k != i && y.Kind == x.Kind && y.At <= x.At && !over
		}
		if !already {
			f.frozen = f.counters()
		}
	}
	if x.For == 0 {
		return
	}
	f.in(x.For, sim.ClassFault, func() {
		if x.Kind != "engine-stall" || f.force(x.Kind) {
			return
		}
		for _, do := range f.held {
			do()
		}
		f.held = nil
	})
}

func (f *bruteFleet) deliver(e orchestrator.Event) {
	f.rec.Event(f.b.time(), &e)
	for _, a := range slices.Clone(f.orch.Handle(f.b.time(), &e)) {
		f.rec.Action(f.b.time(), &a)
		f.do(a, e.Kind == orchestrator.Start)
	}
}

func (f *bruteFleet) do(a orchestrator.Action, atStart bool) {
	nic, vnf, i := &f.b.e.sc.NIC, &f.b.e.sc.VNF, a.Instance
	engine := func(t units.Time, do func()) {
		if f.force("engine-stall") {
			f.held = append(f.held, func() { f.in(t, sim.ClassPlant, do) })
		} else {
			f.in(t, sim.ClassPlant, do)
		}
	}
	switch a.Kind {
	case orchestrator.CreateInstance:
		box := &bruteBox{-1, -1, -1, -1, 0, 0, 0, 0}
		f.b.servers, f.boxes = append(f.b.servers, &bruteServer{st: f.st}), append(f.boxes, box)
		awaited := func() bool { return box.deleted < 0 && box.failed < 0 }
		switch {
		case f.force("engine-failure"):
			engine(nic.EngineLatency, func() {
				if awaited() {
					f.fail(i, "the container engine could not create it")
				}
			})
		default:
			t := nic.EngineLatency + vnf.StartLatency
			if atStart {
				t = 0
			}
			engine(t, func() {
				if awaited() {
					box.ready, f.b.servers[i-1].changed = f.b.now, f.b.now
					f.deliver(orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: i})
				}
			})
		}
	case orchestrator.DeleteInstance:
		if f.b.serves(f.b.servers[i-1]) {
			f.b.changing(f.b.servers[i-1])
		}
		f.boxes[i-1].deleted = f.b.now
		engine(nic.EngineLatency+vnf.StopLatency, func() {
			f.boxes[i-1].gone = f.b.now
			f.deliver(orchestrator.Event{Kind: orchestrator.InstanceGone, Instance: i})
		})
	case orchestrator.ReadCounters:
		f.in(0, sim.ClassCounters, func() {
			counters := f.frozen
			if !f.force("counters-stall") {
				counters = f.counters()
			}
			f.deliver(orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: f.b.time(), Counters: counters})
		})
	case orchestrator.ReadReports:
		f.in(0, sim.ClassCounters, func() {
			f.deliver(orchestrator.Event{Kind: orchestrator.ReportsRead, Sampled: f.b.time(), Reports: f.reports()})
		})
	case orchestrator.SetTimer:
		if old := f.last[a.Timer]; old != nil {
			*old = false
		}
		inForce := true
		f.last[a.Timer] = &inForce
		class := map[bool]sim.Class{false: sim.ClassTelemetry, true: sim.ClassAutoscaler}
		f.in(a.At-f.b.time(), class[a.Timer == orchestrator.AutoscaleTimer], func() {
			if inForce {
				f.deliver(orchestrator.Event{Kind: orchestrator.Tick, Timer: a.Timer})
			}
		})
	}
}

func (f *bruteFleet) fail(i flow.Instance, reason string) {
	if int(i) > len(f.boxes) || f.boxes[i-1].failed >= 0 || f.boxes[i-1].gone >= 0 {
		return
	}
	s := f.b.servers[i-1]
	if f.b.serves(f.b.servers[i-1]) {
		f.b.changing(s)
	}
	f.boxes[i-1].failed = f.b.now
	f.deliver(orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: i, Reason: reason})
	if s.serving != nil {
		s.busy += f.b.now - s.started
	}
	all := s.queue
	slices.SortStableFunc(all, func(x, y *bruteJob) int {
		switch {
		case x == s.serving:
			return -1
		case y == s.serving:
			return 1
		case f.b.e.sc.VNF.Queue == "priority":
			return cmp.Compare(x.priority, y.priority)
		}
		return 0
	})
	s.queue, s.serving = nil, nil
	for _, j := range all {
		f.vanish(j)
	}
}

func (f *bruteFleet) vanish(j *bruteJob) {
	f.b.servers[j.instance].dropped++
	w := f.b.work(j, f.st.host)
	w.At = flow.Instance(j.instance) + 1
	f.st.host.Ended(f.b.time(), w, 0)
	f.b.lose(j, "instance")
}

func (f *bruteFleet) idle(i flow.Instance) {
	if f.orch.Draining(i) && f.st.host.Placed(i) == 0 {
		f.deliver(orchestrator.Event{Kind: orchestrator.InstanceIdle, Instance: i})
	}
}

// serves says whether an instance is up.
func (b *brute) serves(s *bruteServer) bool {
	if b.fleet == nil {
		return true
	}
	x := b.fleet.boxes[slices.Index(b.servers, s)]
	return x.ready >= 0 && x.deleted < 0 && x.failed < 0
}

// life is an instance's state, and how long it has been up since the window began; no state if it left before that.
func (b *brute) life(k int, began int64) (state string, up int64) {
	switch {
	case b.fleet != nil:
	case b.nics[b.servers[k].st.node].down:
		return results.StateFailed, b.now - began
	default:
		return results.StateReady, b.now - began
	}
	x := b.fleet.boxes[k]
	until := b.now
	for _, end := range []int64{x.deleted, x.failed} {
		if end >= 0 {
			until = min(until, end)
		}
	}
	if x.ready >= 0 {
		up = max(0, until-max(x.ready, began))
	}
	switch {
	case x.gone >= 0 && x.gone >= began:
		return results.StateGone, up
	case x.gone < 0 && x.failed >= began:
		return results.StateFailed, up
	case x.gone >= 0 || x.failed >= 0:
		return "", 0
	case x.deleted >= 0:
		return results.StateStopping, up
	case x.ready < 0:
		return results.StateStarting, up
	case b.fleet.orch.Draining(flow.Instance(k + 1)):
		return results.StateDraining, up
	}
	return results.StateReady, up
}

func (f *bruteFleet) counted(k int, busy int64) {
	x, s := f.boxes[k], f.b.servers[k]
	x.sent, x.back, x.busy = x.sent+uint64(s.offered), x.back+uint64(s.done), x.busy+busy
}

// read are the instances that are read: those that are up or on their way out.
func (f *bruteFleet) read() (of []int) {
	for k, x := range f.boxes {
		if f.b.serves(f.b.servers[k]) || x.deleted >= 0 && x.gone < 0 && x.failed < 0 {
			of = append(of, k)
		}
	}
	return of
}

func (f *bruteFleet) counters() (all []orchestrator.Counter) {
	for _, k := range f.read() {
		x := f.boxes[k]
		all = append(all, orchestrator.Counter{Instance: flow.Instance(k + 1), RxPackets: x.sent, TxPackets: x.back})
	}
	return all
}

func (f *bruteFleet) reports() (all []orchestrator.Report) {
	for _, k := range f.read() {
		x, s := f.boxes[k], f.b.servers[k]
		r := orchestrator.Report{Instance: flow.Instance(k + 1), CPU: x.busy, Queue: int64(len(s.queue))}
		if f.orch.Measures()&policy.Delays != 0 {
			var spans packet.Spans
			for _, stay := range s.stays[x.stays:] {
				spans.Add(stay.took)
			}
			x.stays = len(s.stays)
			row, _, _ := spans.Row("", 0, "")
			r.Delay = [4]int64{row.P50, row.P90, row.P99, row.P999}
		}
		all = append(all, r)
	}
	return all
}

// policies is what the policies did.
func (b *brute) policies() *scheduler.Counts {
	c := b.e.policyOf(0)
	if b.fleet != nil {
		c.Scaling = b.fleet.orch.Counts().Scaling
	}
	return c
}

// sameFleet holds what the orchestrator was told, decided and asked for against the record.
func (b *brute) sameFleet(t *testing.T, m *results.Memory, seen map[string]float64) {
	t.Helper()
	if b.fleet == nil {
		return
	}
	got, want := logOf(t, m, seen), logOf(t, b.fleet.rec, nil)
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("line %d of the log:\n%s\nwant\n%s", i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines in the log, want %d", len(got), len(want))
	}
}

// logOf is the log of a run, line by line. It counts the decisions, and the ends of drains.
func logOf(t *testing.T, m *results.Memory, seen map[string]float64) (lines []string) {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for x, err := range rec.Log() {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case seen == nil:
		case x.Decision != nil:
			seen[x.Decision.Kind]++
		case x.Event != nil && x.Event.Kind == orchestrator.InstanceIdle:
			seen["idle"]++
		}
		switch {
		case x.Event != nil:
			lines = append(lines, fmt.Sprintf("%v event %+v", x.At, *x.Event))
		case x.Action != nil:
			lines = append(lines, fmt.Sprintf("%v action %+v", x.At, *x.Action))
		default:
			lines = append(lines, fmt.Sprintf("%v decision %+v", x.At, *x.Decision))
		}
	}
	return lines
}

// fleeting is a random scenario in which instances come, go and die. No two faults are at the same instant.
func fleeting(t *testing.T, r *rand.Rand) (*scenarios.Scenario, [2]*policy.Row) {
	t.Helper()
	sc, rows := randomScenario(t, r)
	for sc.Nodes != nil || len(sc.Services) > 0 {
		sc, rows = randomScenario(t, r)
	}
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	least := r.IntN(3)
	sets := []string{
		fmt.Sprintf("instances.min=%d", min(least, sc.Instances.Initial)), "instances.max=8",
		"autoscaler.policy=" + pick("ringleader", "ringleader", "shenango", "target-utilization", "none",
			"{threshold: {high: 0.5, low: 0.49, cooldown: 0s}}",
			"{ringleader: {scale_in_epochs: 2, scale_in_threshold: 3}}",
			"{ringleader: {scale_in_epochs: 1, scale_in_threshold: 9}}", "{shenango: {idle_readings: 1, wait: 3us}}",
			"{nomad-target-value: {metric: cpu, target: 60}}",
			"{hpa: {spec: {metrics: [{type: Pods, pods: {metric: {name: delay-p99}, target: {type: AverageValue, "+
				"averageValue: 10u}}}]}}}"),
		"autoscaler.interval=" + pick("2us", "5us", "17us", "23us"),
		"autoscaler.victim=" + pick("newest", "oldest", "fewest-flows", "random", "least-loaded"),
		"scheduler.limit=" + pick("100kpps", "200kpps", "1Mpps"), "scheduler.no_instance=" + pick("hold", "drop"),
		"vnf.start_latency=" + pick("0s", "3us", "20us"), "vnf.stop_latency=" + pick("0s", "7us"),
		"nic.engine_latency=" + pick("0s", "1us"),
	}
	if strings.HasSuffix(sets[2], "=target-utilization") {
		sets = append(sets, "autoscaler.stabilization="+pick("0s", "20us"))
	}
	if strings.Contains(sets[2], "delay") {
		sets = append(sets, "measure.delay=instances")
	}
	if least == 0 {
		sets = append(sets, "scheduler.no_instance=hold")
	}
	var faults []string
	for range r.IntN(5) {
		kind := pick("instance-death", "instance-death", "instance-death", "engine-stall", "engine-failure",
			"counters-stall")
		x := fmt.Sprintf("{kind: %s, at: %dps", kind, 1+r.Int64N(int64(sc.Duration)))
		if kind == "instance-death" {
			x += fmt.Sprintf(", instance: %d", 1+r.IntN(6))
		} else if r.IntN(4) > 0 {
			x += fmt.Sprintf(", for: %dps", 1+r.Int64N(60*int64(units.Microsecond)))
		}
		faults = append(faults, x+"}")
	}
	if len(faults) > 0 {
		sets = append(sets, "faults=["+strings.Join(faults, ", ")+"]")
	}
	st, err := scenarios.Parse("fleet", []byte(sc.YAML()), ".", sets)
	if err != nil {
		t.Fatalf("%v\n%s\n%v", err, sc.YAML(), sets)
	}
	return st.Runs[0].Scenario, rows
}

// The engine and the slow, obvious one agree on everything that a record holds, its log included, while the number of
// instances changes.
func TestTheFleetIsTheObviousOne(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	seen := map[string]float64{}
	for i := range n {
		sc, rows := fleeting(t, rand.New(rand.NewPCG(11, uint64(i))))
		compareWithBrute(t, sc, rows, seen)
		if t.Failed() {
			t.Fatalf("scenario %d:\n%s", i, sc.YAML())
		}
	}
	for _, what := range strings.Fields("replied rejected instance probes held overflow create victim drain " +
		"take-back delete failed idle buried") {
		if seen[what] == 0 {
			t.Errorf("no scenario has any %s: %v", what, seen)
		}
	}
}
