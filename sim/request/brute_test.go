package request

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// brute is the slow and obvious engine: every event of every kind in one list, which is searched for the first; queues
// that are slices; counts that are made by looking at all requests; and nothing that is not written out. It shares with
// the engine the sources, the hosts of the policies, which services run where, and how a delay is put into a bucket.
type brute struct {
	e      *Engine
	now    int64
	seq    int
	events []bruteEvent

	nics    []*bruteNIC
	servers []*bruteServer
	held    map[int32]*bruteJob
	refs    int32
	number  int64
	trying  map[*dispatch.Host]bool
	dead    bool // the dispatcher
	replies map[*dispatch.Host]uint64

	windows   []results.Window
	listed    []int // how many rows there are at the end of each
	nodeRows  []results.Node
	rows      []results.Instance
	jobs      []*bruteJob
	services  []bruteSpans
	seen      map[string]int64 // counts of the run
	histogram [occupancies]int64
	fleet     *bruteFleet // nil where the number of instances does not change
}

type bruteEvent struct {
	t     int64
	class int // order within an instant
	key   int // order within a class
	seq   int
	node  int // what happens at a node that dies does not happen; -1 for elsewhere
	do    func()
}

type bruteJob struct {
	job
	times   []int64 // of the services that it visits
	hop     int
	fate    string // "", replied, stage, rejected, instance, link
	when    int64  // that its fate was known at the NIC or at the dispatcher, or at the instance if it refused
	found   int64  // others at its instance
	arrived int64  // at the NIC, for this service
	waited  int64
	stayed  int64
	visited []int // services at which it was replied to
	wanted  []int // and to whose stations it came
	lostAt  int   // service at which it was lost; -1 for none

	notes []bruteNote
	where string // "", front, out, waiting, placed, in, limbo
	node  int
	entry *station
	epoch int
	left  dispatch.Load
}

// bruteNote is something that a node's row counts; node 0 is the dispatcher.
type bruteNote struct {
	t    int64
	node int
	what string // offered, replied, handed, or a fate
}

type bruteNIC struct {
	stage      []*bruteJob
	busy       *bruteJob
	freeAt     int64
	down       bool
	undetected int
	known      bool
	since      int64
	epoch      int
	limbo      []*bruteJob
}

type bruteServer struct {
	st      *station
	queue   []*bruteJob // in order of their coming; the one in service included
	serving *bruteJob
	changed int64
	busy    int64
	started int64
	offered int64
	done    int64
	dropped int64
	stays   []bruteStay
	spans   bruteSpans
}

type bruteStay struct{ found, took int64 }

// bruteSpans are delays by kind.
type bruteSpans [kinds][]int64

func newBrute(e *Engine) *brute {
	b := &brute{e: e, held: map[int32]*bruteJob{}, trying: map[*dispatch.Host]bool{}, seen: map[string]int64{},
		replies: map[*dispatch.Host]uint64{}, services: make([]bruteSpans, len(e.sc.Services))}
	for range e.nodes {
		b.nics = append(b.nics, &bruteNIC{known: true})
	}
	for s := range e.stations {
		for range e.stations[s].sent {
			b.servers = append(b.servers, &bruteServer{st: &e.stations[s]})
		}
	}
	if scales(e.sc) {
		b.fleet = newBruteFleet(b)
	}
	return b
}

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

// later does something after a delay, at once if there is none.
func (b *brute) later(delay int64, class, key, node int, do func()) {
	if delay == 0 {
		do()
		return
	}
	b.at(b.now+delay, class, key, node, do)
}

func (b *brute) at(t int64, class, key, node int, do func()) {
	b.seq++
	b.events = append(b.events, bruteEvent{t, class, key, b.seq, node, do})
}

func (b *brute) run() {
	for i := range b.e.sources {
		b.await(i)
	}
	b.faults()
	if b.fleet != nil {
		b.fleet.begin()
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
		b.at(s.next, evSource, i, -1, func() { b.come(i) })
	}
}

func (b *brute) come(i int) {
	s := &b.e.sources[i]
	j := &bruteJob{job: job{came: b.now, number: flow.ID(b.number), session: uint64(b.number), client: -1}, lostAt: -1}
	b.number++
	s.draw(b.e, &j.job)
	j.times = append([]int64{j.service}, b.e.later...)
	s.advance(b.now)
	b.await(i)
	b.jobs = append(b.jobs, j)
	if len(b.e.dispatchers) > 0 {
		b.dispatch(j)
	} else {
		b.enter(j)
	}
}

// service is what a request wants or gets.
func (b *brute) service(j *bruteJob) int { return b.e.classes[j.class].path[j.hop] }

// station is where it gets it, or nil if that is not on its node.
func (b *brute) station(j *bruteJob) *station {
	s := b.e.nodes[j.node].stations[b.service(j)]
	if s < 0 {
		return nil
	}
	return &b.e.stations[s]
}

// enter has a request come to the NIC of its node.
func (b *brute) enter(j *bruteJob) {
	nic := b.nics[j.node]
	j.where, j.arrived, j.service = "waiting", b.now, j.times[j.hop]
	j.wanted = append(j.wanted, b.service(j))
	switch {
	case b.e.slot == 0:
		b.decide(j)
	case nic.busy == nil:
		b.serve(j)
	case len(nic.stage) >= b.e.queue:
		b.lose(j, "stage")
	default:
		nic.stage = append(nic.stage, j)
	}
}

func (b *brute) serve(j *bruteJob) {
	nic := b.nics[j.node]
	nic.busy = j
	b.at(max(b.now, nic.freeAt)+b.e.slot, evStage, j.node, j.node, func() {
		b.decide(j)
		nic.busy = nil
		if len(nic.stage) > 0 {
			next := nic.stage[0]
			nic.stage = nic.stage[1:]
			b.serve(next)
		}
	})
}

func (b *brute) work(j *bruteJob, host *dispatch.Host) *policy.Work {
	w := &policy.Work{Flow: j.number, Priority: j.priority, Session: j.session}
	if host.Row().Tuple {
		w.Tuple = tuple(j.session)
	}
	return w
}

func (b *brute) time() units.Time { return units.Time(b.now) }

func (b *brute) decide(j *bruteJob) {
	st := b.station(j)
	host := st.host
	if host.Probing() {
		for _, slot := range slices.Clone(host.Probes(b.time(), b.work(j, host))) {
			id := host.Instances()[slot]
			b.seen["probes"]++
			link, way := b.way(int(st.first) + int(id) - 1)
			b.later(b.e.latency+link, evProbe, way, int(st.node), func() {
				server := b.servers[int(st.first)+int(id)-1]
				if !b.serves(server) {
					return
				}
				queue := int32(len(server.queue))
				delay := server.lately(int(queue))
				inside := b.e.latency+link == 0 // then the policy is about to be asked, which comes first
				b.later(link, evAnswer, way, int(st.node), func() {
					b.seen["answers"]++
					host.Probed(b.time(), id, queue, units.Time(delay).Seconds())
					if !inside {
						b.retry(st)
					}
				})
			})
		}
		b.retry(st)
	}
	w := b.work(j, host)
	a := host.Dispatch(b.time(), w)
	if a.Verdict != policy.Hold {
		b.carry(j, st, a)
		return
	}
	b.refs++
	if !host.Hold(b.time(), w, b.refs) {
		b.lose(j, "rejected")
	} else {
		b.held[b.refs] = j
	}
	b.seen["held"] = max(b.seen["held"], int64(host.Held()))
}

func (b *brute) retry(st *station) {
	b.next(st.host, func(j *bruteJob, a policy.Answer) { b.carry(j, st, a) })
}

// next goes on with what a host holds and can let go.
func (b *brute) next(host *dispatch.Host, do func(*bruteJob, policy.Answer)) {
	if b.trying[host] {
		return
	}
	b.trying[host] = true
	for {
		ref, _, a, ok := host.Next(b.time())
		if !ok {
			break
		}
		j := b.held[ref]
		delete(b.held, ref)
		do(j, a)
	}
	b.trying[host] = false
}

func (b *brute) carry(j *bruteJob, st *station, a policy.Answer) {
	if a.Verdict == policy.Drop {
		b.lose(j, "rejected")
		return
	}
	passes := int64(a.Passes)
	b.seen["placed"]++
	b.seen["passes"] += passes
	if passes > 0 {
		nic := b.nics[j.node]
		nic.freeAt = max(nic.freeAt, b.now) + passes*b.e.slot
	}
	j.where = "placed"
	j.instance = uint16(int(st.first) + int(st.host.Instances()[a.Slot]) - 1)
	link, way := b.way(int(j.instance))
	b.later(b.e.latency+passes*b.e.pass+link, evArrive, int(passes)<<20+way, j.node, func() { b.reach(j) })
}

func (b *brute) reach(j *bruteJob) {
	s := b.servers[j.instance]
	s.offered++
	if !b.serves(s) {
		b.fleet.vanish(j)
		b.retry(s.st)
		return
	}
	if len(s.queue) >= b.e.sc.Chain()[s.st.service].Buffer {
		s.dropped++
		b.lost(j, "instance")
		left := int32(len(s.queue))
		link, way := b.way(int(j.instance))
		b.later(link, evReply, way, j.node, func() { b.reply(j, left) })
		return
	}
	b.changing(s)
	if speeds := b.e.sc.Instances.Speed; len(speeds) > 0 {
		speed := speeds[min(int(j.instance), len(speeds)-1)]
		j.service = int64(math.Round(float64(j.service) / speed))
	}
	j.at, j.found = b.now, int64(len(s.queue))
	s.queue = append(s.queue, j)
	b.begin(s)
}

// way is the delay to an instance, and how many of the scenario's delays are shorter.
func (b *brute) way(k int) (link int64, shorter int) {
	in := &b.e.sc.Instances
	if len(in.Delay) == 0 {
		return int64(b.e.sc.NIC.InstanceDelay), 0
	}
	link = int64(in.Delay[min(k, len(in.Delay)-1)])
	seen := map[int64]bool{}
	for _, d := range in.Delay {
		if int64(d) < link {
			seen[int64(d)] = true
		}
	}
	return link, len(seen)
}

func (b *brute) changing(s *bruteServer) {
	b.histogram[min(len(s.queue), occupancies-1)] += b.now - s.changed
	s.changed = b.now
}

// begin begins a service if the instance is idle.
func (b *brute) begin(s *bruteServer) {
	if s.serving != nil || len(s.queue) == 0 {
		return
	}
	j := s.queue[0]
	if b.e.sc.Chain()[s.st.service].Queue == "priority" {
		for _, other := range s.queue {
			if other.priority > j.priority {
				j = other
			}
		}
	}
	s.serving, s.started = j, b.now
	b.at(b.now+j.service, evService, int(j.instance), j.node, func() {
		if s.serving != j { // it died
			return
		}
		b.changing(s)
		s.queue = slices.DeleteFunc(s.queue, func(o *bruteJob) bool { return o == j })
		s.serving = nil
		s.done++
		s.stays = append(s.stays, bruteStay{j.found, b.now - j.at})
		s.busy += b.now - s.started
		stay := b.now - j.at
		s.spans[wait] = append(s.spans[wait], stay-j.service)
		s.spans[sojourn] = append(s.spans[sojourn], stay)
		left := int32(len(s.queue))
		b.begin(s)
		link, way := b.way(int(j.instance))
		b.later(link, evReply, way, j.node, func() {
			j.waited += stay - j.service
			j.stayed += stay
			s.spans[endToEnd] = append(s.spans[endToEnd], b.now-j.arrived)
			if len(b.services) > 0 {
				of := &b.services[b.service(j)]
				of[wait] = append(of[wait], stay-j.service)
				of[sojourn] = append(of[sojourn], stay)
				of[endToEnd] = append(of[endToEnd], b.now-j.arrived)
			}
			b.reply(j, left)
		})
	})
}

// reply has a reply or a refusal reach the NIC.
func (b *brute) reply(j *bruteJob, left int32) {
	b.seen["replies"]++
	st := b.station(j)
	w := b.work(j, st.host)
	w.At = st.local(j.instance)
	st.host.Ended(b.time(), w, left)
	if j.fate == "" {
		j.visited = append(j.visited, b.service(j))
		if j.hop++; j.hop < len(b.e.classes[j.class].path) && b.station(j) != nil {
			b.enter(j)
			b.retry(st)
			return
		}
	}
	b.leave(j)
	if b.fleet != nil {
		b.fleet.idle(w.At)
	}
	b.retry(st)
}

// lost says what became of a request that is in the system no more.
func (b *brute) lost(j *bruteJob, fate string) {
	j.fate, j.when = fate, b.now
	if j.where == "waiting" || j.where == "placed" {
		j.lostAt = b.service(j)
	}
	if j.where == "front" {
		b.note(j, 0, fate)
	} else {
		b.note(j, j.node+1, fate)
	}
}

func (b *brute) note(j *bruteJob, node int, what string) {
	j.notes = append(j.notes, bruteNote{b.now, node, what})
}

func (b *brute) lose(j *bruteJob, fate string) {
	b.lost(j, fate)
	b.leave(j)
}

// end has whoever sent a request hear of its end.
func (b *brute) end(j *bruteJob) {
	if j.where = ""; j.fate == "" {
		j.fate, j.when = "replied", b.now
	}
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
