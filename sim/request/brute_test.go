package request

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
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

	servers []*bruteServer
	stage   []*bruteJob
	busy    *bruteJob
	freeAt  int64
	held    map[int32]*bruteJob
	refs    int32
	number  int64
	trying  bool

	windows   []results.Window
	listed    []int // how many rows there are at the end of each
	rows      []results.Instance
	jobs      []*bruteJob
	probes    int64
	answers   int64
	replies   int64
	passes    int64
	placed    int64
	mostHeld  int
	histogram [occupancies]int64
	fleet     *bruteFleet // nil where the number of instances does not change
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
	if b.fleet != nil {
		b.fleet.deliver(orchestrator.Event{Kind: orchestrator.Start})
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
				if !b.serves(int(id)) {
					return
				}
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
	s := b.servers[j.instance]
	j.reached = true
	s.offered++
	if !b.serves(int(j.instance) + 1) {
		b.fleet.vanish(j)
		b.retry()
		return
	}
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
	s := b.servers[k]
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
		if s.serving != j { // it died
			return
		}
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
	if b.fleet != nil {
		b.fleet.idle(w.At)
	}
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
	w := results.Window{T: b.time().Seconds(),
		Offered:         rate(func(j *bruteJob) bool { return j.came >= began }),
		Processed:       rate(fate("replied")),
		Dropped:         rate(fate("stage", "rejected", "instance")),
		DroppedSlowPath: rate(fate("stage")), DroppedRejected: rate(fate("rejected")),
		DroppedInstance: rate(fate("instance")),
		Queued:          float64(count(func(j *bruteJob) bool { return j.fate == "" }))}
	for k := range b.servers {
		s := b.servers[k]
		busy := s.busy
		if s.serving != nil {
			busy += b.now - s.started
			s.started, s.busy = b.now, 0
		}
		state, up := b.life(k, began)
		if state == "" {
			continue
		}
		row := results.Instance{T: w.T, Instance: int32(k + 1), State: state,
			Flows:   b.e.host.Placed(flow.Instance(k + 1)),
			Offered: float64(s.offered) / span, Processed: float64(s.done) / span, Dropped: float64(s.dropped) / span,
			Queue: float64(len(s.queue)), Utilization: float64(busy) / float64(max(up, 1))}
		if b.fleet != nil {
			b.fleet.counted(k, busy)
		}
		if row.Serving() {
			w.Instances++
		}
		if s.offered, s.done, s.dropped, s.busy = 0, 0, 0, 0; row.Flows > 0 {
			w.Used++
		}
		w.Flows += row.Flows
		b.rows = append(b.rows, row)
	}
	b.windows, b.listed = append(b.windows, w), append(b.listed, len(b.rows))
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
