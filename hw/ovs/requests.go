package ovs

import (
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

type opKind uint8

const (
	opInstall  = opKind(hw.OpInstall)
	opMove     = opKind(hw.OpMove)
	opRemove   = opKind(hw.OpRemove)
	opFixed    = opKind(10) // a fixed rule is written or deleted
	opAgain    = opKind(11) // a rule is written at the beginning of a connection
	opRestored = opKind(12) // all of them have been
	opGone     = opKind(13) // the ports that have gone by now are reported
)

// op is one request, and its answer once the barrier behind it is through.
type op struct {
	kind     opKind
	rule     *rule // nil for a flow that has none
	flow     flow.ID
	instance flow.Instance
	asked    time.Time
	xid      uint32       // of its message; 0 for none
	barrier  uint32       // of the barrier that answers it; 0 while there is no connection
	refusal  error        // nil if it succeeded
	done     chan<- error // where somebody waits, with room for one
}

func (d *Driver) nextXID() uint32 {
	if d.xid++; d.xid == 0 {
		d.xid++
	}
	return d.xid
}

// add appends a request and its message, if it has one. While there is no connection there are no messages: what was
// asked for is in the state, and is written from there.
func (d *Driver) add(o op, f *openflow.FlowMod) {
	o.asked = time.Now()
	if f != nil && d.conn != nil {
		o.xid = d.nextXID()
		d.sent[o.xid] = &o
		d.buf = openflow.AppendFlowMod(d.buf, o.xid, f)
	}
	d.ops = append(d.ops, &o)
}

// remove appends the deletion of a rule, after a reading of its counters.
func (d *Driver) remove(o op) {
	r := o.rule
	f, _ := d.mod(r)
	if d.conn != nil {
		d.buf = openflow.AppendFlowStatsRequest(d.buf, d.nextXID(), f.Table, r.cookie, ^uint64(0))
		d.leaving[r.cookie] = true
	}
	f = only(openflow.DeleteStrict, f)
	d.add(o, &f)
}

// seal ends the messages of some requests with a barrier.
func (d *Driver) seal(ops []*op) {
	x := d.nextXID()
	d.buf = openflow.AppendBarrierRequest(d.buf, x)
	for _, o := range ops {
		o.barrier = x
	}
}

// submit calls build, which adds requests, and sends them.
func (d *Driver) submit(build func()) error {
	d.order.Lock()
	defer d.order.Unlock()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return hw.ErrClosed
	}
	d.buf = d.buf[:0]
	n := len(d.ops)
	build()
	conn := d.conn
	if conn == nil || len(d.ops) == n {
		d.mu.Unlock()
		return nil
	}
	d.seal(d.ops[n:])
	d.mu.Unlock()
	if conn.Write(d.buf) != nil {
		_ = conn.Close() // the reader does the rest
	}
	return nil
}

// Install implements hw.Switch.
func (d *Driver) Install(rules ...hw.Rule) error {
	return d.submit(func() {
		for _, q := range rules {
			o := op{kind: opInstall, flow: q.Flow, instance: q.Instance, rule: &rule{what: uint64(q.Flow), Rule: q}}
			if o.refusal = d.whyNot(&q); o.refusal == nil && !d.hold(o.rule) {
				o.refusal = errors.New("too many rules of this flow are on their way out")
			}
			if o.refusal != nil {
				o.rule = nil
				d.add(o, nil)
				continue
			}
			d.flows[q.Flow], d.tuples[q.Tuple] = o.rule, o.rule
			f, _ := d.mod(o.rule)
			d.add(o, &f)
		}
	})
}

func (d *Driver) whyNot(q *hw.Rule) error {
	if err := q.Check(); err != nil {
		return err
	}
	if q.Idle > maxIdle {
		return fmt.Errorf("idle time %v: want at most %v", q.Idle, maxIdle)
	}
	if d.flows[q.Flow] != nil {
		return errors.New("the flow has a rule already")
	}
	if r := d.tuples[q.Tuple]; r != nil {
		return fmt.Errorf("the five-tuple has a rule already, that of flow %d", r.Flow)
	}
	return nil
}

// maxIdle is the longest idle timeout that a rule can have.
const maxIdle = 0xffff * time.Second

func noRule(f flow.ID) error { return fmt.Errorf("flow %d has no rule", f) }

// Move implements hw.Switch.
func (d *Driver) Move(moves ...hw.Move) error {
	return d.submit(func() {
		for _, m := range moves {
			o := op{kind: opMove, flow: m.Flow, instance: m.Instance, rule: d.flows[m.Flow]}
			switch {
			case o.rule == nil:
				o.refusal = noRule(m.Flow)
			case m.Instance < 0:
				o.refusal = fmt.Errorf("instance %d: want 0 or more", m.Instance)
			}
			if o.refusal != nil {
				d.add(o, nil)
				continue
			}
			o.rule.Instance = m.Instance
			f, _ := d.mod(o.rule)
			f = only(openflow.ModifyStrict, f)
			d.add(o, &f)
		}
	})
}

// Remove implements hw.Switch.
func (d *Driver) Remove(flows ...flow.ID) error {
	return d.submit(func() {
		for _, id := range flows {
			r := d.flows[id]
			o := op{kind: opRemove, flow: id, rule: r}
			if r == nil {
				o.refusal = noRule(id)
				d.add(o, nil)
				continue
			}
			o.instance, r.removing = r.Instance, true
			delete(d.flows, id)
			delete(d.tuples, r.Tuple)
			d.remove(o)
		}
	})
}

// refused notes that the switch has refused a message. A refused barrier ends the connection, since nothing could be
// confirmed.
func (d *Driver) refused(xid uint32, e openflow.Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q := d.reads[xid]; q != nil {
		delete(d.reads, xid)
		q.done <- e
		return nil
	}
	if o := d.sent[xid]; o != nil {
		o.refusal = e
		return nil
	}
	for _, o := range d.ops {
		if o.barrier == xid {
			return fmt.Errorf("barrier: %w", e)
		}
	}
	return nil
}

// barrier answers every request that was sent before this barrier.
func (d *Driver) barrier(xid uint32) error {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.ops) > 0 {
		o := d.ops[0]
		if o.barrier == 0 || int32(o.barrier-xid) > 0 {
			break
		}
		d.ops[0], d.ops = nil, d.ops[1:]
		delete(d.sent, o.xid)
		if err := d.resolve(o, now); err != nil {
			return err
		}
	}
	return nil
}

// resolve answers a request. After an error the connection is useless.
func (d *Driver) resolve(o *op, now time.Time) error {
	r := o.rule
	switch o.kind {
	case opRestored:
		if o.done != nil {
			o.done <- nil
		} else {
			d.queue.Put(hw.Event{Kind: hw.Restored, At: now})
		}
		return nil
	case opGone:
		d.tellGone()
		return nil
	case opAgain:
		switch {
		case o.refusal == nil:
		case r.fixed != nil:
			return fmt.Errorf("the switch does not take a rule: %w", o.refusal)
		case !r.removing:
			d.ended(r, false, "not taken back after a restart: "+o.refusal.Error())
		case !r.installed:
			r.gone = o.refusal.Error()
		}
		return nil
	case opFixed:
		if o.refusal != nil {
			delete(d.leaving, r.cookie)
		}
		if o.done != nil {
			o.done <- o.refusal
		}
		return nil
	}
	if o.refusal == nil && r.gone != "" {
		o.refusal = noRule(o.flow)
		if o.kind == opInstall {
			o.refusal = errors.New(r.gone)
		}
		delete(d.leaving, r.cookie) // a removal that had nothing to remove
	}
	e := hw.Event{Kind: hw.Confirmed, Op: hw.Op(o.kind), At: now, Flow: o.flow, Instance: o.instance,
		Latency: now.Sub(o.asked)}
	if r != nil {
		e.Tuple = r.Tuple
	}
	switch {
	case o.refusal != nil:
		e.Kind, e.Reason = hw.Rejected, o.refusal.Error()
		d.undo(o)
	case o.kind == opRemove:
		n := r.total()
		e.Packets, e.Bytes = n.packets, n.bytes
		d.forget(r)
	default:
		r.installed, r.inForce = true, o.instance
	}
	d.queue.Put(e)
	return nil
}

// undo returns, after a refusal, to the rule that is in force.
func (d *Driver) undo(o *op) {
	r := o.rule
	switch {
	case r == nil || r.gone != "":
	case o.kind == opInstall:
		r.gone = o.refusal.Error()
		d.forget(r)
	case o.kind == opMove && r.Instance == o.instance:
		r.Instance = r.inForce
	case o.kind == opRemove:
		delete(d.leaving, r.cookie)
		if r.removing = false; d.flows[r.Flow] == nil && d.tuples[r.Tuple] == nil {
			d.flows[r.Flow], d.tuples[r.Tuple] = r, r
		}
	}
}
