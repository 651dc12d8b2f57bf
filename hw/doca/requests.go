//go:build doca

package doca

import (
	"fmt"
	"slices"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

func (s *Switch) ask(op hw.Op, n int, rule func(int) hw.Rule) error {
	now := time.Now()
	requests := make([]*request, n)
	for k := range requests {
		requests[k] = &request{op: op, rule: rule(k), asked: now}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return hw.ErrClosed
	case <-s.done:
		return hw.ErrClosed
	default:
	}
	s.inbox = append(s.inbox, requests...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Install implements hw.Switch.
func (s *Switch) Install(rules ...hw.Rule) error {
	return s.ask(hw.OpInstall, len(rules), func(k int) hw.Rule { return rules[k] })
}

// Move implements hw.Switch.
func (s *Switch) Move(moves ...hw.Move) error {
	return s.ask(hw.OpMove, len(moves), func(k int) hw.Rule {
		return hw.Rule{Flow: moves[k].Flow,
			Instance: moves[k].Instance}
	})
}

// Remove implements hw.Switch.
func (s *Switch) Remove(flows ...flow.ID) error {
	return s.ask(hw.OpRemove, len(flows), func(k int) hw.Rule { return hw.Rule{Flow: flows[k]} })
}

// submit sends requests in order, as far as the card takes them. It stops at a request whose rule still waits for an
// answer.
func (s *Switch) submit() {
	s.mu.Lock()
	s.backlog = append(s.backlog, s.inbox...)
	s.inbox = nil
	s.mu.Unlock()
	for {
		for len(s.backlog) > 0 && len(s.orders) < batch {
			q := s.backlog[0]
			r := s.subject(q)
			if r != nil && r.busy != nil {
				break
			}
			s.backlog = s.backlog[1:]
			s.underway = append(s.underway, q)
			if o, why := prepare[q.op](s, q, r); why != "" {
				q.refuse(why)
			} else if !q.done {
				s.orders = append(s.orders, o)
			}
		}
		if len(s.orders) == 0 {
			break
		}
		n := s.card.apply(s.orders)
		s.orders = slices.Delete(s.orders, 0, n)
		if len(s.orders) > 0 {
			break // the queue is full
		}
	}
	s.report()
}

// subject is the rule that a request is about, or that prevents it.
func (s *Switch) subject(q *request) *rule {
	if r := s.flows[q.rule.Flow]; r != nil || q.op != hw.OpInstall {
		return r
	}
	return s.tuples[q.rule.Tuple]
}

// prepare turns a request and its subject into an order to the card, or says why the request is refused. It ends a
// request that needs no order.
var prepare = [...]func(*Switch, *request, *rule) (order, string){
	hw.OpInstall: func(s *Switch, q *request, r *rule) (order, string) {
		switch err := q.rule.Check(); {
		case err != nil:
			return order{}, err.Error()
		case r != nil && r.Flow == q.rule.Flow:
			return order{}, "the flow has a rule already"
		case r != nil:
			return order{}, fmt.Sprintf("the five-tuple has a rule already, that of flow %d", r.Flow)
		}
		r = &rule{Rule: q.rule, port: s.portOf(q.rule.Instance), slot: len(s.slots), busy: q}
		if n := len(s.free); n > 0 {
			r.slot, s.free = s.free[n-1], s.free[:n-1]
			s.slots[r.slot] = r
		} else {
			s.slots = append(s.slots, r)
		}
		s.flows[r.Flow], s.tuples[r.Tuple] = r, r
		if r.Idle > 0 {
			s.idle++
		}
		return order{op: opAdd, port: r.port, tuple: r.Tuple, idle: uint32((r.Idle + time.Second - 1) / time.Second),
			cookie: uint64(r.slot)}, ""
	},
	hw.OpMove: func(s *Switch, q *request, r *rule) (order, string) {
		switch {
		case r == nil:
			return order{}, "the flow has no rule"
		case q.rule.Instance < 0:
			return order{}, fmt.Sprintf("instance %d: want 0 or more", q.rule.Instance)
		}
		if q.silent != nil {
			q.rule.Instance = r.Instance
		}
		q.port = s.portOf(q.rule.Instance)
		if q.port == dropPort && r.port == dropPort {
			r.Instance = q.rule.Instance
			q.confirm(r)
			return order{}, ""
		}
		r.busy = q
		return order{op: opMove, port: q.port, rule: r.id, cookie: uint64(r.slot)}, ""
	},
	hw.OpRemove: func(s *Switch, q *request, r *rule) (order, string) {
		if r == nil {
			return order{}, "the flow has no rule"
		}
		r.busy = q
		return order{op: opRemove, rule: r.id, cookie: uint64(r.slot)}, ""
	},
}

// portOf is the port to which an instance's packets go; dropPort if it is not attached.
func (s *Switch) portOf(i flow.Instance) int {
	if a := s.instances[i]; a != nil {
		return s.ports[a.at.In]
	}
	return dropPort
}

func (q *request) end(kind hw.EventKind) { q.kind, q.ended, q.done = kind, time.Now(), true }

func (q *request) refuse(why string) {
	q.reason = why
	q.end(hw.Rejected)
}

func (q *request) confirm(r *rule) {
	q.rule = r.Rule
	q.end(hw.Confirmed)
}

// complete takes an answer of the card.
func (s *Switch) complete(o outcome) {
	r := s.slots[o.cookie]
	q := r.busy
	r.busy = nil
	switch o.op {
	case opAdd:
		if !o.ok {
			s.forget(r)
			q.refuse("the card took no rule: " + o.reason())
			return
		}
		r.id, r.live = o.rule, true
		q.confirm(r)
	case opMove:
		s.charge(r, o.count)
		switch {
		case o.ok:
			r.Instance, r.port = q.rule.Instance, q.port
			q.confirm(r)
		case o.gone:
			s.forget(r)
			q.refuse("the card did not take the rule back: " + o.reason())
			s.ended(r, false, "lost in a move that the card refused", o.count)
		default:
			q.refuse("the card did not move the rule: " + o.reason())
		}
	case opRemove:
		if !o.ok {
			q.refuse("the card did not remove the rule: " + o.reason())
			return
		}
		s.charge(r, o.count)
		s.forget(r)
		q.confirm(r)
		q.last = o.count
	case opAged:
		if r.busy = q; !o.ok {
			return // the card will report it as idle again
		}
		s.charge(r, o.count)
		s.forget(r)
		s.ended(r, true, "no packet for its idle time", o.count)
	}
}

// charge charges the instance of a rule with what the rule has counted since the last time.
func (s *Switch) charge(r *rule, c count) {
	if c.packets < r.charged.packets {
		return
	}
	if a := s.instances[r.Instance]; a != nil && r.port != dropPort {
		a.counted.RxPackets += c.packets - r.charged.packets
		a.counted.RxBytes += c.bytes - r.charged.bytes
	}
	r.charged = c
}

func (s *Switch) forget(r *rule) {
	delete(s.flows, r.Flow)
	delete(s.tuples, r.Tuple)
	s.free = append(s.free, r.slot)
	if r.live = false; r.Idle > 0 {
		s.idle--
	}
}

func (s *Switch) ended(r *rule, idle bool, why string, c count) {
	s.queue.Put(hw.Event{Kind: hw.Ended, Idle: idle, Flow: r.Flow, Instance: r.Instance, Tuple: r.Tuple, At: time.Now(),
		Packets: c.packets, Bytes: c.bytes, Reason: why})
}

// report reports requests that have ended, in the order in which they were made.
func (s *Switch) report() {
	for len(s.underway) > 0 && s.underway[0].done {
		q := s.underway[0]
		s.underway = s.underway[1:]
		if q.silent != nil {
			q.silent()
			continue
		}
		s.queue.Put(hw.Event{Kind: q.kind, Op: q.op, At: q.ended, Latency: q.ended.Sub(q.asked), Flow: q.rule.Flow,
			Instance: q.rule.Instance,
			Tuple:    q.rule.Tuple, Packets: q.last.packets, Bytes: q.last.bytes, Reason: q.reason})
	}
}
