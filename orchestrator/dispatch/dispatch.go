// Package dispatch is the host of a policy that decides on requests: the part of the orchestrator that answers, for
// each request, which instance takes it. It is the second pure entry beside orchestrator.Handle:
//
//	answer = host.Dispatch(now, work)
//
// Like all of the orchestrator it does no I/O, reads no clock and draws from no shared random source. A plant tells it
// of what the policy is to know - instances that join and leave, replies, answers to probes, what was counted in a
// window - and asks Next, after each of these, for held requests that can go now.
//
// What a policy of flows and one of requests have in common is done by package scheduler, which this package is built
// on: how the policy is made from its options, its random streams, ties, what becomes of work while no instance is
// there, and the counts. What is added here is the View of requests and the one bounded queue of those that are held.
// Nothing allocates once it has run a little.
package dispatch

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// Config is what a host is made from.
type Config struct {
	Seed      uint64            // root of the random streams
	Scheduler scheduler.Options // names the policy
	Weights   []int             // of the instances by number, the last for all later ones; none: 1 each
	MaxConn   []int             // most requests of the instances, in the same way; 0 and none: no limit
	Held      int               // most requests that are held at once, 0 or more

	// Policy replaces the policy that Scheduler names by one that is not in the table; it is nil otherwise.
	Policy *policy.Row
}

// Check says why a policy cannot decide on requests here, beginning with the key; nil if it can.
func Check(row *policy.Row) error {
	switch {
	case !row.On(policy.Requests):
		return fmt.Errorf("scheduler.policy: %s decides on flows, and this engine has requests", row.Name)
	case row.Shown(policy.Requests).Has(policy.T5):
		return fmt.Errorf("scheduler.policy: %s is told what flows will offer, which a request has not", row.Name)
	case row.Measures != 0:
		return fmt.Errorf("scheduler.policy: %s goes by reports of %v, which this engine has not", row.Name,
			row.Measures)
	}
	return nil
}

// Host is a policy of requests with what it knows. Use New; it is not safe for concurrent use. Times must not fall from
// one call to the next.
type Host struct {
	sched    *scheduler.Scheduler
	policy   policy.Policy
	told     bool          // the policy is told of events
	prober   policy.Prober // the policy, if it is one; else nil
	row      *policy.Row
	sees     policy.Class
	cfg      Config
	view     policy.View
	event    policy.Event
	flows    []int32 // requests placed and not yet replied to, by row of the View
	queue    []int32 // what the last reply said
	load     []float64
	back     []float64
	probes   []int
	held     heldWork
	away     []away // by number, what is known of instances that take no work and may come back
	backlog  policy.Backlog
	Overflow uint64 // requests that were to be held when as many as may be were
}

// away is what is known of an instance that takes no work: what its row had, brought up to date.
type away struct {
	flows, queue int32
	load, back   float64
}

// New makes a host, or says which key of the configuration is wrong.
func New(cfg Config) (*Host, error) {
	row := cfg.Policy
	if row == nil {
		if err := cfg.Scheduler.Validate(); err != nil {
			return nil, err
		}
		row = scheduler.Policies.Find(cfg.Scheduler.Policy.Name)
	}
	if err := Check(row); err != nil {
		return nil, err
	}
	sched, err := scheduler.HostOf(row, cfg.Scheduler, policy.Requests, cfg.Seed)
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, row: row, sched: sched, sees: row.Shown(policy.Requests)}
	h.policy = h.sched.Policy
	h.told = policy.Told(h.policy)
	h.prober, _ = h.policy.(policy.Prober)
	h.held.ranker, _ = h.policy.(policy.Ranker)
	h.view.Limit = float64(cfg.Scheduler.Limit)
	h.columns()
	return h, nil
}

// columns shows the policy what its row declares.
func (h *Host) columns() {
	v := &h.view
	if h.sees.Has(policy.T1) {
		v.Flows = h.flows
	}
	if h.sees.Has(policy.T2) {
		v.Load, v.Back, v.Live, v.LiveLoad = h.load, h.back, v.IDs, h.load
	}
	if h.sees.Has(policy.T3) {
		v.Queue = h.queue
	}
}

// Row describes the policy.
func (h *Host) Row() *policy.Row { return h.row }

// Counts is what the policy has done so far. A request that found the queue of those held full counts as refused.
func (h *Host) Counts() *scheduler.Counts { return h.sched.Counts() }

// Instances are those that take work, in order of their numbers: the rows of the View. The slice is the host's.
func (h *Host) Instances() []flow.Instance { return h.view.IDs }

// slot is the row of an instance, or -1 if it takes no work.
func (h *Host) slot(id flow.Instance) int {
	ids := h.view.IDs
	if i := int(id) - 1; uint(i) < uint(len(ids)) && ids[i] == id { // none has left
		return i
	}
	if at, found := slices.BinarySearch(ids, id); found {
		return at
	}
	return -1
}

// setting is what a list of the configuration says of an instance.
func setting(list []int, id flow.Instance, without int32) int32 {
	if len(list) == 0 {
		return without
	}
	return int32(list[min(int(id)-1, len(list)-1)])
}

// gone is what is known of an instance that has left; nil of one that never came.
func (h *Host) gone(id flow.Instance) *away {
	if id > 0 && int(id) < len(h.away) {
		return &h.away[id]
	}
	return nil
}

// Forget says that an instance that takes no work has lost what it had. If it comes back, it has nothing.
func (h *Host) Forget(id flow.Instance) {
	if a := h.gone(id); a != nil {
		*a = away{}
	}
}

// Joined says that an instance takes work from now on. Its number is above 0. One that was there before has the
// requests to which it has not replied, and what it last said of its queue.
func (h *Host) Joined(now units.Time, id flow.Instance) {
	v := &h.view
	slot, found := slices.BinarySearch(v.IDs, id)
	if found {
		return
	}
	v.IDs = slices.Insert(v.IDs, slot, id)
	v.Weight = slices.Insert(v.Weight, slot, setting(h.cfg.Weights, id, 1))
	v.MaxConn = slices.Insert(v.MaxConn, slot, setting(h.cfg.MaxConn, id, 0))
	var was away
	if a := h.gone(id); a != nil {
		was = *a
	}
	h.flows, h.queue = slices.Insert(h.flows, slot, was.flows), slices.Insert(h.queue, slot, was.queue)
	h.load, h.back = slices.Insert(h.load, slot, was.load), slices.Insert(h.back, slot, was.back)
	h.columns()
	h.tell(now, policy.Joined, slot, nil)
}

// Left says that an instance takes no work from now on. Requests that it has are still replied to.
func (h *Host) Left(now units.Time, id flow.Instance) {
	slot := h.slot(id)
	if slot < 0 {
		return
	}
	h.tell(now, policy.Left, slot, nil)
	for len(h.away) <= int(id) {
		h.away = append(h.away, away{})
	}
	h.away[id] = away{h.flows[slot], h.queue[slot], h.load[slot], h.back[slot]}
	v := &h.view
	v.IDs = slices.Delete(v.IDs, slot, slot+1)
	v.Weight, v.MaxConn = slices.Delete(v.Weight, slot, slot+1), slices.Delete(v.MaxConn, slot, slot+1)
	h.flows, h.queue = slices.Delete(h.flows, slot, slot+1), slices.Delete(h.queue, slot, slot+1)
	h.load, h.back = slices.Delete(h.load, slot, slot+1), slices.Delete(h.back, slot, slot+1)
	h.columns()
}

// tell tells the policy what has happened.
func (h *Host) tell(now units.Time, k policy.Kind, slot int, w *policy.Work) {
	if k != policy.Placed {
		h.held.changed()
	}
	if !h.told {
		return
	}
	h.view.Now = now
	e := &h.event
	e.Kind, e.Slot, e.Work = k, slot, w
	h.policy.Observe(e, &h.view)
}

// Told reports whether the policy is told of events. If not, of the work that Ended is given At alone is looked at.
func (h *Host) Told() bool { return h.told }

// Probes are the instances that the policy asks how they are now that w has come, before it answers where w goes. The
// slice is the host's until the next call.
func (h *Host) Probes(now units.Time, w *policy.Work) []int {
	if h.prober == nil || len(h.view.IDs) == 0 {
		return nil
	}
	h.view.Now = now
	h.probes = h.prober.Probes(w, &h.view, h.probes[:0])
	return h.probes
}

// Probing says whether the policy probes.
func (h *Host) Probing() bool { return h.prober != nil }

// Dispatch says what becomes of a request. With Place, w.At is the instance from then on. With Hold, the plant calls
// Hold next.
func (h *Host) Dispatch(now units.Time, w *policy.Work) policy.Answer {
	h.view.Now = now
	w.At, w.Held = 0, false
	if len(h.view.IDs) == 0 {
		a := h.sched.Answer(w, &h.view)
		h.sched.Carried(a)
		return a
	}
	a := h.policy.Pick(w, &h.view, nil)
	if h.sched.Carried(a); a.Verdict == policy.Place {
		h.place(now, w, a.Slot)
	}
	return a
}

// place places a request.
func (h *Host) place(now units.Time, w *policy.Work, slot int) {
	w.At = h.view.IDs[slot]
	h.flows[slot]++
	if !w.Held {
		h.backlog.Left++
	}
	if h.told {
		h.tell(now, policy.Placed, slot, w)
	}
}

// Hold puts a request at the end of those that are held, under a number by which the plant knows it. It is false, and
// the request lost, where as many are held as may be.
func (h *Host) Hold(now units.Time, w *policy.Work, ref int32) bool {
	if h.held.n >= h.cfg.Held {
		h.Overflow++
		return false
	}
	h.held.push(w, ref)
	h.backlog.Grew(h.held.n)
	h.tell(now, policy.Queued, -1, w)
	return true
}

// Held is how many requests are held.
func (h *Host) Held() int { return h.held.n }

// TakeBacklog is what became of the queue of held requests since the last call.
func (h *Host) TakeBacklog() policy.Backlog {
	b := h.backlog
	h.backlog.Begin(h.held.n)
	return b
}

// Next is a held request that is held no more: the number by which the plant knows it, and what becomes of it, which is
// no Hold. ok is false where all have to stay, until something changes that the policy is told of. The work is the
// host's until the next call.
func (h *Host) Next(now units.Time) (ref int32, w *policy.Work, a policy.Answer, ok bool) {
	h.view.Now = now
	for q := h.held.next(); q != nil; q = h.held.next() {
		unit := q.head()
		w = &h.held.out
		*w = unit.work
		w.Held = true
		a = h.sched.Answer(w, &h.view)
		if a.Verdict == policy.Hold {
			q.stuck = true
			continue
		}
		ref = unit.ref
		h.held.pop(q)
		h.backlog.Left++
		stuck := h.held.round
		h.tell(now, policy.Unqueued, -1, w)
		h.held.round = stuck // that it has gone gives the others no room
		if h.sched.Carried(a); a.Verdict == policy.Place {
			h.place(now, w, a.Slot)
		}
		return ref, w, a, true
	}
	return 0, nil, a, false
}

// Ended says that the reply to a request has come back, or that its instance refused it. w.At is the instance, and
// queue how many requests that had left when it sent the reply.
func (h *Host) Ended(now units.Time, w *policy.Work, queue int32) {
	slot := int(w.At) - 1 // unless one has left
	if ids := h.view.IDs; uint(slot) >= uint(len(ids)) || ids[slot] != w.At {
		slot = h.slot(w.At)
	}
	if slot >= 0 {
		h.flows[slot]--
		h.queue[slot] = queue
	} else if a := h.gone(w.At); a != nil {
		a.flows--
		a.queue = queue
	}
	if !h.told {
		h.held.changed()
		return
	}
	h.event.Queue = queue
	h.tell(now, policy.Ended, slot, w)
	h.event.Queue = 0
}

// Probed says that the answer of an instance to a probe has come: how many requests it had, and how long its requests
// lately took, in seconds.
func (h *Host) Probed(now units.Time, id flow.Instance, queue int32, delay float64) {
	slot := h.slot(id)
	if slot < 0 {
		return
	}
	h.event.Queue, h.event.Delay = queue, delay
	h.tell(now, policy.Probed, slot, nil)
	h.event.Queue, h.event.Delay = 0, 0
}

// Measured says how many requests each instance was sent, and how many replies came back from it, a second between two
// times. The lists are by instance number from 1, and what has left may be among them.
func (h *Host) Measured(since, until units.Time, sent, back []float64) {
	if !h.sees.Has(policy.T2) {
		return
	}
	h.tell(until, policy.Asked, 0, nil)
	for slot, id := range h.view.IDs {
		h.load[slot], h.back[slot] = sent[id-1], back[id-1]
	}
	for id := 1; id < min(len(h.away), len(sent)+1); id++ {
		h.away[id].load, h.away[id].back = sent[id-1], back[id-1]
	}
	h.event.Since, h.event.Until = since, until
	h.tell(until, policy.Measured, 0, nil)
	h.event.Since, h.event.Until = 0, 0
}

// Placed is how many requests an instance was given and has not replied to.
func (h *Host) Placed(id flow.Instance) int32 {
	if slot := h.slot(id); slot >= 0 {
		return h.flows[slot]
	}
	if a := h.gone(id); a != nil {
		return a.flows
	}
	return 0
}
