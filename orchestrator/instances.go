package orchestrator

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

type lifeState uint8

const (
	starting lifeState = iota
	ready
	draining
	stopping // DeleteInstance was sent
	gone     // failed, or deleted
)

// instanceState is what is known of one instance.
type instanceState struct {
	state    lifeState
	wasReady bool     // it was ready before it began to drain
	slot     int      // row of the view, while ready
	flows    flowList // assigned to it
	rules    int32    // rules that may send packets to it
	created  units.Time
	readyAt  units.Time // when it began to take packets; Never before

	share, asked float64 // of a core: that it has, and that was asked for last; 0 for all of it
	refused      bool    // the last change of the share was refused
	replaced     bool    // another has its place, and it is not taken back
}

func (o *Orchestrator) instance(id flow.Instance) *instanceState {
	if id < 1 || int(id) >= len(o.insts) {
		return nil
	}
	return &o.insts[id]
}

func (o *Orchestrator) create(why string) { o.createWith(o.share, why) }

func (o *Orchestrator) createWith(share float64, why string) {
	id := flow.Instance(len(o.insts))
	o.insts = append(o.insts, instanceState{flows: noFlows, created: o.now, readyAt: units.Never, share: share,
		asked: share})
	o.alive = append(o.alive, id)
	o.serving++
	o.meter.Track(id)
	o.createdAt = o.now
	o.do(Action{Kind: CreateInstance, Instance: id, Share: share})
	o.changed(Create, id, "", why)
}

// changed logs what becomes of an instance.
func (o *Orchestrator) changed(kind string, id flow.Instance, policy, reason string) {
	o.decided(Decision{Kind: kind, Policy: policy, Flow: -1, Instance: id, Current: o.serving, Desired: o.desired,
		Reason: reason})
}

// list brings the view up to date after a change in which instances are ready.
func (o *Orchestrator) list() {
	v := &o.view
	for slot := len(v.IDs) - 1; slot >= 0; slot-- {
		if o.insts[v.IDs[slot]].state == ready {
			continue
		}
		o.tell(policy.Left, slot, nil)
		o.joins(v.IDs[slot], false)
		o.listed = true
		v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
		v.MaxConn = slices.Delete(v.MaxConn, slot, slot+1)
		if len(o.cfg.MinConn) > 0 {
			v.MinConn = slices.Delete(v.MinConn, slot, slot+1)
		}
		if o.sees.Has(policy.T1) {
			v.Flows = slices.Delete(v.Flows, slot, slot+1)
		}
		if o.sees.Has(policy.T2) {
			v.Load = slices.Delete(v.Load, slot, slot+1)
			v.Back = slices.Delete(v.Back, slot, slot+1)
		}
		if o.sees.Has(policy.T3) {
			v.Delay = slices.Delete(v.Delay, slot, slot+1)
		}
		o.number(slot)
	}
	slot := 0
	for _, id := range o.alive {
		i := &o.insts[id]
		if i.state != ready {
			continue
		}
		if slot == len(v.IDs) || v.IDs[slot] != id {
			v.IDs = slices.Insert(v.IDs, slot, id)
			v.Weight = slices.Insert(v.Weight, slot, byNumber(o.cfg.Weights, id, 1))
			v.MaxConn = slices.Insert(v.MaxConn, slot, byNumber(o.cfg.MaxConn, id, 0))
			if len(o.cfg.MinConn) > 0 {
				v.MinConn = slices.Insert(v.MinConn, slot, byNumber(o.cfg.MinConn, id, 0))
			}
			if o.sees.Has(policy.T1) {
				v.Flows = slices.Insert(v.Flows, slot, i.flows.n)
			}
			if o.sees.Has(policy.T2) {
				rx, tx := o.meter.Packets(id)
				v.Load = slices.Insert(v.Load, slot, rx)
				v.Back = slices.Insert(v.Back, slot, tx)
			}
			if o.sees.Has(policy.T3) {
				v.Delay = slices.Insert(v.Delay, slot, 0)
			}
			o.number(slot)
			o.tell(policy.Joined, slot, nil)
			o.joins(id, true)
			o.listed = true
		}
		slot++
	}
}

// byNumber is what a list says of an instance, whose last value holds for all later ones.
func byNumber(list []int, id flow.Instance, without int32) int32 {
	if len(list) == 0 {
		return without
	}
	return int32(list[min(int(id), len(list))-1])
}

// number notes the rows of the instances from a row on.
func (o *Orchestrator) number(from int) {
	for slot := from; slot < len(o.view.IDs); slot++ {
		o.insts[o.view.IDs[slot]].slot = slot
	}
}

// measured brings the loads up to date after a reading.
func (o *Orchestrator) measured(since, until units.Time) {
	if !o.sees.Has(policy.T2) {
		return
	}
	v := &o.view
	v.Live, v.LiveLoad = append(v.Live[:0], o.alive...), v.LiveLoad[:0]
	for _, id := range o.alive {
		rx, tx := o.meter.Packets(id)
		v.LiveLoad = append(v.LiveLoad, rx)
		if i := &o.insts[id]; i.state == ready {
			v.Load[i.slot], v.Back[i.slot] = rx, tx
		}
	}
	o.event.Since, o.event.Until = since, until
	o.tell(policy.Measured, 0, nil)
}

// bury takes an instance off the living.
func (o *Orchestrator) bury(id flow.Instance, as lifeState) {
	if i := &o.insts[id]; i.state == starting || i.state == ready {
		o.serving--
	}
	o.insts[id].state = as
	o.meter.Forget(id)
	for i, a := range o.alive {
		if a == id {
			o.alive = append(o.alive[:i], o.alive[i+1:]...)
			break
		}
	}
}

func (o *Orchestrator) instanceReady(id flow.Instance) {
	i := o.instance(id)
	if i == nil {
		return
	}
	o.meter.Ready(id, o.now)
	i.readyAt = min(i.readyAt, o.now)
	switch i.state {
	case starting:
		i.state = ready
		o.list()
		o.placeHeld()
	case draining:
		i.wasReady = true
	}
}

// instanceFailed moves the flows of a dead instance to others and replaces it if that leaves too few.
func (o *Orchestrator) instanceFailed(id flow.Instance, reason string) {
	i := o.instance(id)
	if i == nil || i.state == gone {
		return
	}
	was := i.state
	o.bury(id, gone)
	if was == stopping {
		return
	}
	o.changed(Failed, id, "", reason)
	o.list()
	o.listed = true // also of one that drained
	for o.insts[id].flows.n > 0 && !o.ruleless {
		o.rehome(o.insts[id].flows.head, true)
	}
	o.replace()
}

func (o *Orchestrator) instanceGone(id flow.Instance) {
	if i := o.instance(id); i != nil && i.state != gone {
		if i.state == stopping {
			i.state = gone
			return
		}
		o.instanceFailed(id, "gone without having been deleted")
	}
}

// replace makes up for failed instances, but not sooner than one interval after the last creation: where creations
// fail, they are not tried in a storm.
func (o *Orchestrator) replace() {
	span := o.cfg.Window
	if o.scaler.Active() {
		span = o.cfg.Autoscaler.Interval
	}
	if o.serving < max(o.desired, o.cfg.Min) && o.now-o.createdAt >= span {
		o.grow(1, "replaces a failed instance")
	}
}

// grow takes back draining instances, the oldest first, and creates what is missing then.
func (o *Orchestrator) grow(n int, why string) {
	for k := 0; k < len(o.alive) && n > 0; k++ {
		id := o.alive[k]
		i := &o.insts[id]
		if i.state != draining || i.replaced {
			continue
		}
		i.state = starting
		if i.wasReady {
			i.state = ready
		}
		n--
		o.serving++
		o.list()
		o.changed(TakeBack, id, "", why)
	}
	for ; n > 0; n-- {
		o.create(why)
	}
	o.placeHeld()
}

// drain stops new flows to an instance.
func (o *Orchestrator) drain(id flow.Instance) {
	i := &o.insts[id]
	i.wasReady = i.state == ready
	i.state = draining
	o.serving--
	o.list()
	o.changed(Drain, id, o.cfg.Autoscaler.Drain, "takes no new flows")
}

// moveAway moves the flows of a draining instance to ready ones, as far as the scheduler finds them a place.
func (o *Orchestrator) moveAway(id flow.Instance) {
	if len(o.view.IDs) == 0 || o.insts[id].flows.n == 0 || o.ruleless {
		return
	}
	var full []*heldQueue // no place for a flow of that queue, so none for the others
	for f := o.insts[id].flows.head; f >= 0; {
		next := o.flows.At(f).next
		queue := o.held.of(o.workOf(f, o.flows.At(f)))
		if !slices.Contains(full, queue) {
			o.rehome(f, false)
			if o.flows.At(f).target == id {
				if o.held.ranker == nil {
					return
				}
				full = append(full, queue)
			}
		}
		f = next
	}
}

// finish deletes a draining instance when no flow or request is assigned to it and no rule may send it packets.
func (o *Orchestrator) finish(id flow.Instance) {
	i := o.instance(id)
	if i == nil || i.state != draining || i.flows.n > 0 || i.rules > 0 || o.awaits(id) > 0 {
		return
	}
	o.bury(id, stopping)
	o.do(Action{Kind: DeleteInstance, Instance: id})
	o.changed(Delete, id, "", "drained")
}

// Draining says whether an instance takes no new flows because a scale-in has chosen it.
func (o *Orchestrator) Draining(i flow.Instance) bool {
	return int(i) < len(o.insts) && o.insts[i].state == draining
}
