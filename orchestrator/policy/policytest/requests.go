package policytest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// plant is a world of requests: instances with a queue and one server each, behind links with a delay. Replies and the
// answers to probes say how many requests the instance has left. Instances join, drain, come back and die.
type plant struct {
	*world
	link    units.Time // delay each way
	mean    units.Time // between arrivals
	service units.Time // mean of a request
	events  []happening
	made    uint64 // events so far, which orders those of one time
	servers map[flow.Instance]*server
	out     int // requests that are placed and not yet replied to
	probes  int // under way
}

// happening is an event to come.
type happening struct {
	at  units.Time
	seq uint64
	do  func()
}

// server is an instance: its requests in order of arrival, the first in service.
type server struct {
	queue []*policy.Work
	dead  bool
}

func newPlant(t *testing.T, row *policy.Row, options any, seed uint64) *plant {
	p := &plant{world: newWorld(t, row, options, seed, policy.Requests), servers: map[flow.Instance]*server{}}
	p.link = units.Time(p.rand.IntN(3)) * 5 * units.Microsecond
	p.mean = units.Time(1+p.rand.IntN(20)) * units.Microsecond
	p.service = units.Time(1+p.rand.IntN(50)) * units.Microsecond
	p.world.sent = p.send
	for range p.rand.IntN(4) { // at first there may be none
		p.add()
	}
	return p
}

// run lets requests arrive, and then waits until all that is under way has come back.
func (p *plant) run(requests int) {
	for n := range requests {
		at := p.view.Now + units.Time(p.rand.ExpFloat64()*float64(p.mean))
		if p.rand.IntN(4) == 0 {
			at = p.view.Now // some come at once
		}
		p.until(at)
		switch p.rand.IntN(40) {
		case 0:
			p.add()
		case 1:
			p.remove(n%2 == 0)
		case 2:
			if len(p.held) > 0 { // it gives up
				p.unqueue(p.rand.IntN(len(p.held)))
			}
		}
		p.request()
	}
	if len(p.view.IDs) == 0 {
		p.add()
	}
	for len(p.events) > 0 {
		p.until(p.events[0].at)
	}
	if p.out != 0 || p.probes != 0 {
		p.t.Fatalf("the plant has lost %d requests and %d probes", p.out, p.probes)
	}
	if len(p.held) > 0 {
		p.t.Fatalf("%d requests stay held, %d instances have nothing to do, and nothing more will happen",
			len(p.held), len(p.view.IDs))
	}
}

// after has something happen in some time.
func (p *plant) after(d units.Time, do func()) {
	h := happening{p.view.Now + d, p.made, do}
	p.made++
	at, _ := slices.BinarySearchFunc(p.events, h, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq))
	})
	p.events = slices.Insert(p.events, at, h)
}

// until has all happen that is due.
func (p *plant) until(now units.Time) {
	for len(p.events) > 0 && p.events[0].at <= now {
		h := p.events[0]
		p.events = slices.Delete(p.events, 0, 1)
		p.view.Now = h.at
		h.do()
	}
	p.view.Now = now
}

// request lets one arrive: probes leave first, and are answered later.
func (p *plant) request() {
	f := p.work()
	f.Priority, f.Session = uint8(p.rand.IntN(4)), uint64(p.rand.IntN(30))
	if len(p.view.IDs) == 0 { // the host keeps it
		p.hold(f)
		return
	}
	p.probe(f)
	p.settle(f, p.ask(f))
}

// probe has the instances asked that the policy names.
func (p *plant) probe(f *policy.Work) {
	a, ok := p.copies[0].(policy.Prober)
	if !ok {
		return
	}
	slots := a.Probes(f, &p.view, nil)
	if b := p.copies[1].(policy.Prober).Probes(f, &p.view, nil); !slices.Equal(slots, b) {
		p.t.Fatalf("probes the rows %v, and %v", slots, b)
	}
	for _, slot := range slots {
		if slot < 0 || slot >= len(p.view.IDs) {
			p.t.Fatalf("probes row %d of %d instances", slot, len(p.view.IDs))
		}
		p.probes++
		id := p.view.IDs[slot]
		p.after(p.link, func() {
			s := p.servers[id]
			queue, delay := int32(len(s.queue)), float64(len(s.queue)+1)*p.service.Seconds()
			p.after(p.link, func() {
				p.probes--
				if slot, found := slices.BinarySearch(p.view.IDs, id); found && !s.dead {
					p.tell(policy.Event{Kind: policy.Probed, Slot: slot, Queue: queue, Delay: delay})
					p.again()
				}
			})
		})
	}
}

// send has a request that is placed reach its instance.
func (p *plant) send(f *policy.Work) {
	p.out++
	s := p.servers[f.At]
	p.after(p.link, func() {
		if s.dead {
			p.reply(f, nil)
			return
		}
		if s.queue = append(s.queue, f); len(s.queue) == 1 {
			p.serve(s)
		}
	})
}

func (p *plant) serve(s *server) {
	p.after(units.Time(p.rand.ExpFloat64()*float64(p.service)), func() {
		if s.dead {
			return
		}
		f := s.queue[0]
		if s.queue = slices.Delete(s.queue, 0, 1); len(s.queue) > 0 {
			p.serve(s)
		}
		left := int32(len(s.queue))
		p.after(p.link, func() { p.reply(f, &left) })
	})
}

// reply brings the reply of a request, or the news that there will be none.
func (p *plant) reply(f *policy.Work, left *int32) {
	p.out--
	slot, found := slices.BinarySearch(p.view.IDs, f.At)
	e := policy.Event{Kind: policy.Ended, Slot: slot, Work: f}
	if !found {
		e.Slot = -1
	} else if p.view.Flows != nil {
		p.view.Flows[slot]--
	}
	if left != nil {
		e.Queue = *left
		if found && p.view.Queue != nil {
			p.view.Queue[slot] = *left
		}
	}
	p.flows = slices.DeleteFunc(p.flows, func(w *policy.Work) bool { return w == f })
	p.tell(e)
	f.At = 0
	p.again()
}

// add has a new instance join, or one that drains come back.
func (p *plant) add() {
	if len(p.view.IDs) > 12 {
		return
	}
	for id := range p.next { // in order
		if s := p.servers[id]; s != nil && !s.dead && !slices.Contains(p.view.IDs, id) && p.rand.IntN(2) == 0 {
			slot, _ := slices.BinarySearch(p.view.IDs, id)
			p.joinAt(slot, id)
			if p.view.Flows != nil { // it has what it had
				for _, f := range p.flows {
					if f.At == id {
						p.view.Flows[slot]++
					}
				}
			}
			p.tell(policy.Event{Kind: policy.Joined, Slot: slot})
			p.again()
			return
		}
	}
	p.servers[p.next] = &server{}
	p.join()
	p.again()
}

// remove takes an instance off, which drains or dies.
func (p *plant) remove(dies bool) {
	if len(p.view.IDs) == 0 {
		return
	}
	slot := p.rand.IntN(len(p.view.IDs))
	s := p.servers[p.view.IDs[slot]]
	p.left(slot)
	if !dies {
		return
	}
	s.dead = true
	for _, f := range s.queue {
		p.reply(f, nil)
	}
	s.queue = nil
}

// Steady is a policy of requests among instances that have some each, with nothing but decisions in between.
type Steady struct {
	policy policy.Policy
	view   policy.View
	work   []policy.Work // under way, from next on, the oldest first
	next   int
	to     []int
	prober policy.Prober
	event  policy.Event
	tuples bool
	rand   *rand.Rand
}

// NewSteady lets n instances join, and gives them a request each, if the policy does not hold it.
func NewSteady(t testing.TB, row *policy.Row, options any, n int) *Steady {
	w := newWorld(t, row, options, 1, policy.Requests)
	w.view.SlowStart, w.view.FullConn, w.view.MinConn = 0, 0, nil
	s := &Steady{policy: w.copies[0], rand: w.rand, tuples: row.Tuple, work: make([]policy.Work, n)}
	s.prober, _ = s.policy.(policy.Prober)
	w.copies[1] = policy.Policy(nothing{})
	for range n {
		w.join()
		at := len(w.view.IDs) - 1
		w.view.Weight[at], w.view.MaxConn[at] = 1, 0
	}
	s.view = w.view
	for range 20 * n {
		s.Step()
	}
	return s
}

// nothing is a policy that is told, and not asked.
type nothing struct{ policy.Policy }

func (nothing) Observe(*policy.Event, *policy.View) {}

// Step lets the oldest request end and another one arrive, with its probes and their answers.
func (s *Steady) Step() {
	v := &s.view
	v.Now += units.Microsecond
	w := &s.work[s.next]
	if s.next++; s.next == len(s.work) {
		s.next = 0
	}
	if w.At != 0 {
		slot, _ := slices.BinarySearch(v.IDs, w.At)
		e := &s.event
		*e = policy.Event{Kind: policy.Ended, Slot: slot, Work: w}
		if v.Flows != nil {
			v.Flows[slot]--
			e.Queue = v.Flows[slot]
		} else {
			e.Queue = int32(s.rand.IntN(4))
		}
		if v.Queue != nil {
			v.Queue[slot] = e.Queue
		}
		s.policy.Observe(e, v)
	}
	*w = policy.Work{Flow: w.Flow + flow.ID(len(s.work)), Priority: uint8(w.Flow & 3), Session: uint64(w.Flow)}
	if s.tuples {
		w.Tuple.SrcPort = uint16(w.Flow)
	}
	if s.prober != nil {
		s.to = s.prober.Probes(w, v, s.to[:0])
		for _, slot := range s.to {
			s.event = policy.Event{Kind: policy.Probed, Slot: slot, Queue: int32(s.rand.IntN(4)), Delay: 1e-6}
			s.policy.Observe(&s.event, v)
		}
	}
	if a := s.policy.Pick(w, v, nil); a.Verdict == policy.Place {
		w.At = v.IDs[a.Slot]
		if v.Flows != nil {
			v.Flows[a.Slot]++
		}
		s.event = policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}
		s.policy.Observe(&s.event, v)
	}
}

func (s *Steady) allocations() float64 {
	return testing.AllocsPerRun(10, func() {
		for range 1000 {
			s.Step()
		}
	})
}

// Bench measures a decision and what the policy is told for it, among 64 instances, and Pick alone where that can be
// asked again and again.
func Bench(b *testing.B, row policy.Row, options any) {
	b.Run(row.Name, func(b *testing.B) {
		s := NewSteady(b, &row, options, 64)
		b.ReportAllocs()
		b.Run("request", func(b *testing.B) {
			for b.Loop() {
				s.Step()
			}
		})
		b.Run("pick", func(b *testing.B) {
			w := policy.Work{Flow: 1, Session: 1}
			for b.Loop() {
				s.policy.Pick(&w, &s.view, nil)
			}
		})
	})
}
