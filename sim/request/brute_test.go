package request

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// brute is the slow and obvious engine: every event of every kind in one list, which is searched for the first; queues
// that are slices; and nothing that is not written out. It shares with the engine the sources, the host of the policy
// and how a delay is put into a bucket.
type brute struct {
	e      *Engine // of which only sources, classes, tenants and host are used
	now    int64
	seq    int
	events []bruteEvent

	servers []bruteServer
	stage   []*bruteJob
	busy    *bruteJob
	freeAt  int64
	held    map[int32]*bruteJob
	refs    int32
	number  int64
	trying  bool

	windows   []results.Window
	rows      []results.Instance
	jobs      []*bruteJob
	probes    int64
	answers   int64
	replies   int64
	passes    int64
	placed    int64
	mostHeld  int
	histogram [occupancies]int64
}

type bruteEvent struct {
	t     int64
	class int // order within an instant
	key   int // order within a class
	seq   int
	do    func()
}

type bruteJob struct {
	job
	fate    string // "", replied, stage, rejected, instance
	when    int64  // that its fate was known at the NIC, or at the instance if it refused
	reached bool
	found   int64 // others at its instance
}

type bruteServer struct {
	queue   []*bruteJob // in order of their coming; the one in service included
	serving *bruteJob
	changed int64
	busy    int64
	started int64
	offered int64
	done    int64
	dropped int64
	stays   []bruteStay
}

type bruteStay struct{ found, took int64 }

// lately is what the instance answers to a probe about its delay, with n requests there.
func (s *bruteServer) lately(n int) int64 {
	average := map[int]int64{}
	for _, stay := range s.stays {
		found := int(min(stay.found, occupancies-1))
		if average[found] == 0 {
			average[found] = stay.took
		} else {
			average[found] += (stay.took - average[found]) / 8
		}
	}
	best := int64(0)
	near := 1 << 30
	for found := range occupancies {
		distance := max(found-n, n-found)
		if average[found] > 0 && distance < near {
			best, near = average[found], distance
		}
	}
	return best
}

func (b *brute) at(t int64, class, key int, do func()) {
	b.seq++
	b.events = append(b.events, bruteEvent{t, class, key, b.seq, do})
}

// later does something after a delay, at once if there is none.
func (b *brute) later(delay int64, class, key int, do func()) {
	if delay == 0 {
		do()
		return
	}
	b.at(b.now+delay, class, key, do)
}

func (b *brute) run() {
	for i := range b.e.sources {
		b.await(i)
	}
	window := min(int64(b.e.sc.Telemetry.Window), b.e.end)
	began := int64(0)
	for {
		first := -1
		for i := range b.events {
			a := &b.events[i]
			if first < 0 {
				first = i
				continue
			}
			f := &b.events[first]
			if cmp.Or(cmp.Compare(a.t, f.t), cmp.Compare(a.class, f.class), cmp.Compare(a.key, f.key),
				cmp.Compare(a.seq, f.seq)) < 0 {
				first = i
			}
		}
		if first < 0 || b.events[first].t >= window {
			b.now = window
			b.window(began)
			began = b.now
			if b.now == b.e.end {
				return
			}
			window = min(window+int64(b.e.sc.Telemetry.Window), b.e.end)
			continue
		}
		ev := b.events[first]
		b.events = slices.Delete(b.events, first, first+1)
		b.now = ev.t
		ev.do()
	}
}

// await queues the next request of a source. A closed source may say another time before that comes.
func (b *brute) await(i int) {
	s := &b.e.sources[i]
	b.events = slices.DeleteFunc(b.events, func(e bruteEvent) bool { return e.class == evSource && e.key == i })
	if s.next < never {
		b.at(s.next, evSource, i, func() { b.come(i) })
	}
}

func (b *brute) come(i int) {
	s := &b.e.sources[i]
	j := &bruteJob{job: job{came: b.now, number: flow.ID(b.number), session: uint64(b.number), client: -1}}
	b.number++
	s.draw(b.e, &j.job)
	s.advance(b.now)
	b.await(i)
	b.jobs = append(b.jobs, j)
	switch {
	case b.e.slot == 0:
		b.decide(j)
	case b.busy == nil:
		b.serve(j)
	case len(b.stage) >= b.e.queue:
		b.lose(j, "stage")
	default:
		b.stage = append(b.stage, j)
	}
}

func (b *brute) serve(j *bruteJob) {
	b.busy = j
	b.at(max(b.now, b.freeAt)+b.e.slot, evStage, 0, func() {
		b.decide(j)
		b.busy = nil
		if len(b.stage) > 0 {
			next := b.stage[0]
			b.stage = b.stage[1:]
			b.serve(next)
		}
	})
}

func (b *brute) work(j *bruteJob) *policy.Work {
	w := &policy.Work{Flow: j.number, Priority: j.priority, Session: j.session}
	if b.e.host.Row().Tuple {
		w.Tuple = tuple(j.session)
	}
	return w
}

func (b *brute) time() units.Time { return units.Time(b.now) }

func (b *brute) decide(j *bruteJob) {
	if b.e.host.Probing() {
		for _, slot := range slices.Clone(b.e.host.Probes(b.time(), b.work(j))) {
			id := b.e.host.Instances()[slot]
			b.probes++
			b.later(b.e.latency+b.e.link, evProbe, 0, func() {
				queue := int32(len(b.servers[id-1].queue))
				delay := b.servers[id-1].lately(int(queue))
				inside := b.e.latency+b.e.link == 0 // then the policy is about to be asked, which comes first
				b.later(b.e.link, evAnswer, 0, func() {
					b.answers++
					b.e.host.Probed(b.time(), id, queue, units.Time(delay).Seconds())
					if !inside {
						b.retry()
					}
				})
			})
		}
		b.retry()
	}
	w := b.work(j)
	a := b.e.host.Dispatch(b.time(), w)
	if a.Verdict != policy.Hold {
		b.carry(j, a)
		return
	}
	b.refs++
	if !b.e.host.Hold(b.time(), w, b.refs) {
		b.lose(j, "rejected")
	} else {
		b.held[b.refs] = j
	}
	b.mostHeld = max(b.mostHeld, len(b.held))
}

func (b *brute) retry() {
	if b.trying {
		return
	}
	b.trying = true
	for {
		ref, _, a, ok := b.e.host.Next(b.time())
		if !ok {
			break
		}
		j := b.held[ref]
		delete(b.held, ref)
		b.carry(j, a)
	}
	b.trying = false
}

func (b *brute) carry(j *bruteJob, a policy.Answer) {
	if a.Verdict == policy.Drop {
		b.lose(j, "rejected")
		return
	}
	passes := int64(a.Passes)
	b.placed++
	b.passes += passes
	if passes > 0 {
		b.freeAt = max(b.freeAt, b.now) + passes*b.e.slot
	}
	j.instance = uint16(b.e.host.Instances()[a.Slot] - 1)
	b.later(b.e.latency+passes*b.e.pass+b.e.link, evArrive, int(passes), func() { b.reach(j) })
}

func (b *brute) reach(j *bruteJob) {
	s := &b.servers[j.instance]
	j.reached = true
	s.offered++
	if len(s.queue) >= int(b.e.room) {
		s.dropped++
		j.fate, j.when = "instance", b.now
		left := int32(len(s.queue))
		b.later(b.e.link, evReply, 0, func() { b.reply(j, left) })
		return
	}
	b.changing(s)
	j.at, j.found = b.now, int64(len(s.queue))
	s.queue = append(s.queue, j)
	b.begin(int(j.instance))
}

func (b *brute) changing(s *bruteServer) {
	b.histogram[min(len(s.queue), occupancies-1)] += b.now - s.changed
	s.changed = b.now
}

// begin begins a service if the instance is idle.
func (b *brute) begin(k int) {
	s := &b.servers[k]
	if s.serving != nil || len(s.queue) == 0 {
		return
	}
	j := s.queue[0]
	if b.e.sc.VNF.Queue == "priority" {
		for _, other := range s.queue {
			if other.priority > j.priority {
				j = other
			}
		}
	}
	s.serving, s.started = j, b.now
	b.at(b.now+j.service, evService, k, func() {
		b.changing(s)
		s.queue = slices.DeleteFunc(s.queue, func(o *bruteJob) bool { return o == j })
		s.serving = nil
		s.done++
		s.stays = append(s.stays, bruteStay{j.found, b.now - j.at})
		s.busy += b.now - s.started
		j.ended = b.now
		left := int32(len(s.queue))
		b.begin(k)
		b.later(b.e.link, evReply, 0, func() {
			j.fate, j.when = "replied", b.now
			b.reply(j, left)
		})
	})
}

func (b *brute) reply(j *bruteJob, left int32) {
	b.replies++
	w := b.work(j)
	w.At = flow.Instance(j.instance) + 1
	b.e.host.Ended(b.time(), w, left)
	b.client(j)
	b.retry()
}

func (b *brute) lose(j *bruteJob, fate string) {
	j.fate, j.when = fate, b.now
	b.client(j)
}

func (b *brute) client(j *bruteJob) {
	if j.client < 0 {
		return
	}
	t := b.now
	if j.fate != "replied" {
		t += int64(units.Microsecond)
	}
	i := b.e.classes[j.class].source
	b.e.sources[i].think(t, j.client)
	b.await(i)
}

// window counts what happened since began by looking at every request.
func (b *brute) window(began int64) {
	span := units.Time(b.now - began).Seconds()
	count := func(is func(*bruteJob) bool) (n int) {
		for _, j := range b.jobs {
			if is(j) {
				n++
			}
		}
		return n
	}
	rate := func(is func(*bruteJob) bool) float64 { return float64(count(is)) / span }
	fate := func(names ...string) func(*bruteJob) bool {
		return func(j *bruteJob) bool { return slices.Contains(names, j.fate) && j.when >= began }
	}
	w := results.Window{T: b.time().Seconds(), Instances: int32(len(b.servers)),
		Offered:         rate(func(j *bruteJob) bool { return j.came >= began }),
		Processed:       rate(fate("replied")),
		Dropped:         rate(fate("stage", "rejected", "instance")),
		DroppedSlowPath: rate(fate("stage")), DroppedRejected: rate(fate("rejected")),
		DroppedInstance: rate(fate("instance")),
		Queued:          float64(count(func(j *bruteJob) bool { return j.fate == "" }))}
	for k := range b.servers {
		s := &b.servers[k]
		busy := s.busy
		if s.serving != nil {
			busy += b.now - s.started
			s.started, s.busy = b.now, 0
		}
		row := results.Instance{T: w.T, Instance: int32(k + 1), State: results.StateReady,
			Flows:   b.e.host.Placed(flow.Instance(k + 1)),
			Offered: float64(s.offered) / span, Processed: float64(s.done) / span, Dropped: float64(s.dropped) / span,
			Queue: float64(len(s.queue)), Utilization: float64(busy) / float64(b.now-began)}
		if s.offered, s.done, s.dropped, s.busy = 0, 0, 0, 0; row.Flows > 0 {
			w.Used++
		}
		w.Flows += row.Flows
		b.rows = append(b.rows, row)
	}
	b.windows = append(b.windows, w)
	b.e.host.Measured(units.Time(began), b.time(), make([]float64, len(b.servers)), make([]float64, len(b.servers)))
	if b.now < b.e.end {
		b.retry()
	}
}

// latencies are the delays of the requests that were replied to and that a scope has.
func (b *brute) latencies(scope string, number int, has func(*bruteJob) bool) (all []results.Latency) {
	var spans [kinds]packet.Spans
	for _, j := range b.jobs {
		if !has(j) {
			continue
		}
		if j.fate == "replied" {
			spans[endToEnd].Add(j.when - j.came)
		}
		if j.fate == "replied" || scope == "instance" && j.ended > 0 {
			spans[wait].Add(j.ended - j.at - j.service)
			spans[sojourn].Add(j.ended - j.at)
		}
	}
	for k := range spans {
		if row, _, ok := spans[k].Row(scope, number, kindNames[k]); ok {
			all = append(all, row)
		}
	}
	return all
}

// whim is a policy that does all that a policy may, at random.
var whim = policy.Row{
	Info: policy.Info{Name: "whim", Rule: "anything", Source: "this test", Sees: policy.T0 | policy.T1 | policy.T3},
	Unit: policy.Requests, Reasons: []string{"whim", "full"},
	Maker: policy.Plain(func(env policy.Env) policy.Policy { return &whims{rand: env.Rand} }),
}

type whims struct {
	rand  *rand.Rand
	heard float64
}

func (w *whims) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Probed:
		w.heard += float64(e.Queue) + e.Delay*1e6
	case policy.Ended:
		w.heard += float64(v.Queue[e.Slot] + e.Queue)
	}
}

func (w *whims) Probes(_ *policy.Work, v *policy.View, to []int) []int {
	for range w.rand.IntN(3) {
		to = append(to, w.rand.IntN(len(v.IDs)))
	}
	return to
}

func (w *whims) Pick(of *policy.Work, v *policy.View, _ *policy.Weighed) policy.Answer {
	slot := (w.rand.IntN(len(v.IDs)) + int(w.heard)) % len(v.IDs)
	if v.Flows[slot] >= 2+int32(of.Priority) {
		return policy.Answer{Verdict: policy.Hold, Why: 1}
	}
	if w.rand.IntN(20) == 0 {
		return policy.Answer{Verdict: policy.Drop}
	}
	return policy.Answer{Slot: slot, Passes: uint8(max(0, w.rand.IntN(5)-2))}
}

func (w *whims) Queue(of *policy.Work) int { return int(of.Priority) }
func (w *whims) Before(a, b int) bool      { return a > b }

// randomScenario is one in which much happens at the same instants.
func randomScenario(t *testing.T, r *rand.Rand) (*scenarios.Scenario, *policy.Row) {
	t.Helper()
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	n := 1 + r.IntN(5)
	name := pick("random", "power-of-d", "least-connections", "round-robin", "jiq", "maglev", "whim", "whim", "whim")
	var row *policy.Row
	if name == "whim" {
		name, row = "random", &whim
	}
	var y strings.Builder
	fmt.Fprintf(&y, `
name: brute
seed: %d
engine: request
duration: %dus
nic: {profile: ideal, dispatch: %s, dispatch_rate: %s, dispatch_queue: %d, dispatch_latency: %s, dispatch_pass: %s,
  dispatch_held: %d, instance_delay: %s}
vnf: {buffer: %d, queue: %s}
instances: {initial: %d, min: 1, max: 8}
scheduler: {policy: %s, ties: %s}
autoscaler: {policy: none}
telemetry: {window: %s}
measure: {delay: %s}
workload:
`, r.Uint32(), 60+r.IntN(200), pick("arm", "pipeline"), pick("0", "0", "1000000", "500000", "333333"), r.IntN(4),
		pick("0s", "0s", "1us", "1500ns"), pick("0s", "1us", "300ns"), r.IntN(9), pick("0s", "0s", "1us", "777ns"),
		pick2(r, 1+r.IntN(6), 1000), pick("fifo", "priority"), n, name, pick("first", "random"),
		pick("17us", "50us", "1ms"), pick("none", "instances"))
	dir := t.TempDir()
	for s := range 1 + r.IntN(3) {
		rate := 1e6 / float64(2+r.IntN(8))
		arrivals := pick("poisson", "mmpp", "on-off", "file", "closed", "closed", "file")
		fmt.Fprintf(&y, "  - requests:\n      arrivals: %s\n", arrivals)
		switch arrivals {
		case "file":
			var lines []string
			at := 0
			for range 20 + r.IntN(100) {
				at += r.IntN(4)
				line := fmt.Sprintf("%dus", at)
				if r.IntN(3) == 0 {
					line += fmt.Sprintf(", %dus", r.IntN(5))
				}
				lines = append(lines, line)
			}
			file := filepath.Join(dir, fmt.Sprintf("arrivals%d.csv", s))
			if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&y, "      file: %s\n", file)
		case "closed":
			fmt.Fprintf(&y, "      clients: %d\n      think_time: %s\n", 1+r.IntN(8), pick("0s", "2us"))
		case "mmpp":
			fmt.Fprintf(&y, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n", rate)
		case "on-off":
			fmt.Fprintf(&y, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n      sources: %d\n", rate,
				1+r.IntN(20))
		default:
			fmt.Fprintf(&y, "      rate: %g\n", rate)
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "      tenants: %d\n      zipf: %s\n", 1+r.IntN(12), pick("0", "1"))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "      sessions: %d\n", 1+r.IntN(9))
		}
		fmt.Fprintf(&y, "      slo: 10us\n      classes:\n")
		for c := range 1 + r.IntN(3) {
			fmt.Fprintf(&y, "        - {name: c%d-%d, share: %d, priority: %d, %s}\n", s, c, 1+r.IntN(5), r.IntN(4),
				pick("service: deterministic, mean: 2us", "service: deterministic, mean: 5us", "mean: 4us",
					"service: empirical, service_times: [{time: 1us, weight: 9}, {time: 10us}]"))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&y, "    tenant: t%d\n", s)
		}
	}
	st, err := scenarios.Parse("brute", []byte(y.String()), ".", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, y.String())
	}
	return st.Runs[0].Scenario, row
}

func pick2(r *rand.Rand, a, b int) int {
	if r.IntN(2) == 0 {
		return a
	}
	return b
}

// The engine and the slow, obvious one agree on everything that a record holds, in random scenarios.
func TestEngineIsTheObviousOne(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	seen := map[string]float64{}
	for i := range n {
		sc, row := randomScenario(t, rand.New(rand.NewPCG(7, uint64(i))))
		compareWithBrute(t, sc, row, seen)
		if t.Failed() {
			t.Fatalf("scenario %d:\n%s", i, sc.YAML())
		}
	}
	for _, what := range strings.Fields("stage rejected instance resubmissions probes held overflow late") {
		if seen[what] == 0 {
			t.Errorf("no scenario has any %s: %v", what, seen)
		}
	}
}

func compareWithBrute(t *testing.T, sc *scenarios.Scenario, row *policy.Row, seen map[string]float64) {
	t.Helper()
	cfg := sc.Dispatcher()
	cfg.Policy = row
	engine := func() *Engine {
		e, err := Hosted(sc, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	m := results.NewMemory()
	e := engine()
	if err := e.Run(context.Background(), m, sim.Options{}); err != nil {
		t.Fatal(err)
	}
	if c, l := m.Run.Conservation, m.Run.Little; !c.Holds || !l.Holds {
		t.Errorf("%+v, %+v", c, l)
	}
	b := &brute{e: engine(), servers: make([]bruteServer, sc.Instances.Initial), held: map[int32]*bruteJob{}}
	b.run()
	again := results.NewMemory() // rounds
	for k := range b.windows {
		w := b.windows[k]
		w.Ingress = 0
		per := sc.Instances.Initial
		if err := again.Window(&w, b.rows[k*per:(k+1)*per]); err != nil {
			t.Fatal(err)
		}
	}
	for k := range m.Windows {
		m.Windows[k].Ingress = 0
	}
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", what, got, want)
		}
	}
	same("windows", m.Windows, again.Windows)
	same("instances", m.Instances, again.Instances)

	want := b.latencies("run", 0, func(*bruteJob) bool { return true })
	if sc.Measure.Delay == "instances" {
		for k := range b.servers {
			want = append(want, b.latencies("instance", k+1, func(j *bruteJob) bool {
				return j.reached && j.fate != "instance" && int(j.instance) == k
			})...)
		}
	}
	r := m.Run.Requests
	groups := func(scope string, rows []results.RequestGroup, of func(*bruteJob) int) {
		for i := range rows {
			has := func(j *bruteJob) bool { return of(j) == i }
			want = append(want, b.latencies(scope, i+1, has)...)
			g := rows[i]
			g.Offered, g.Replied, g.Dropped, g.Queued, g.Late = 0, 0, 0, 0, 0
			for _, j := range b.jobs {
				if !has(j) {
					continue
				}
				g.Offered++
				switch j.fate {
				case "":
					g.Queued++
				case "replied":
					g.Replied++
					if j.when-j.came > b.e.classes[j.class].slo {
						g.Late++
						seen["late"]++
					}
				default:
					g.Dropped++
				}
				seen[j.fate]++
			}
			same(scope, rows[i], g)
		}
	}
	groups("class", r.Classes, func(j *bruteJob) int { return int(j.class) })
	groups("tenant", r.Tenants, func(j *bruteJob) int { return int(j.tenant) })
	for i := range want {
		again.Latency(&want[i], nil)
	}
	same("delays", m.Latencies, again.Latencies)
	same("counts", []int64{r.Placed, r.Resubmissions, r.Probes, r.Answers, r.Replies, r.Held},
		[]int64{b.placed, b.passes, b.probes, b.answers, b.replies, int64(b.mostHeld)})
	same("policy", m.Run.Policy, b.e.host.Counts())
	whole, more := int64(0), int64(0)
	for k := range b.servers {
		b.changing(&b.servers[k])
	}
	for _, x := range b.histogram {
		whole += x
	}
	for k := occupancies - 1; k > 0; k-- {
		if more += b.histogram[k]; k <= len(r.AtLeast) {
			same(fmt.Sprint("at least ", k), r.AtLeast[k-1], results.Round(float64(more)/float64(whole)))
		} else if more > 0 {
			t.Errorf("instances had %d requests, and the record says at most %d", k, len(r.AtLeast))
		}
	}
	seen["resubmissions"] += float64(r.Resubmissions)
	seen["probes"] += float64(r.Answers)
	seen["held"] += float64(r.Held)
	seen["overflow"] += float64(r.Overflow)
}
