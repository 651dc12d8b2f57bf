package ovs

import (
	"context"
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// await submits the requests that build adds, and waits for the answers: the first refusal, if there is one.
func (d *Driver) await(ctx context.Context, build func() error) error {
	var answers chan error
	var failed error
	err := d.submit(func() {
		if d.conn == nil {
			failed = fmt.Errorf("ovs: %w", hw.ErrDown)
			return
		}
		n := len(d.ops)
		failed = build()
		answers = make(chan error, len(d.ops)-n)
		for _, o := range d.ops[n:] {
			o.done = answers
		}
	})
	if err != nil {
		return err
	}
	for range cap(answers) {
		select {
		case err := <-answers:
			if failed == nil {
				failed = err
			}
		case <-ctx.Done():
			return fmt.Errorf("ovs: waiting for the switch's confirmation: %w", ctx.Err())
		}
	}
	return failed
}

// write adds the request to write a fixed rule, if it is wanted.
func (d *Driver) write(r *rule, c openflow.Command) {
	f, wanted := d.mod(r)
	if !wanted {
		return
	}
	if c != openflow.Add {
		f = only(c, f)
	}
	d.add(op{kind: opFixed, rule: r}, &f)
}

// Attach implements hw.Switch. After ErrDown, or an error of the context, the instance may be attached in part: Detach
// it, or Attach it again.
func (d *Driver) Attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	if i < 1 {
		return fmt.Errorf("ovs: instance %d: want 1 or more", i)
	}
	if err := d.learnPorts(ctx, at.In, at.Out); err != nil {
		return err
	}
	var a *attached
	known := false
	err := d.await(ctx, func() error {
		if err := d.attachable(i, at); err != nil {
			return fmt.Errorf("ovs: %w", err)
		}
		a, known = d.instances[i]
		if !known {
			a = &attached{id: i, at: at}
			d.instances[i] = a
			a.in, a.out = d.ingressRule(a), []*rule{d.egressRule(a, at.Out)}
			d.hold(a.in)
			d.hold(a.egress())
			d.write(a.in, openflow.Add)
			d.write(a.egress(), openflow.Add)
			return nil
		}
		moved := a.at.Out != at.Out
		a.at, a.toldGone = at, false
		d.write(a.in, openflow.ModifyStrict)
		if moved {
			d.remove(op{kind: opFixed, rule: a.egress()})
			a.out = append(a.out, d.egressRule(a, at.Out))
			d.hold(a.egress())
			d.write(a.egress(), openflow.Add)
		}
		return nil
	})
	if refused(err) && !known && a != nil {
		_, _ = d.Detach(ctx, i)
	}
	return err
}

// refused reports whether an error is an answer of the switch.
func refused(err error) bool {
	_, ok := err.(openflow.Error)
	return ok
}

func (d *Driver) attachable(i flow.Instance, at hw.Ports) error {
	if err := isPort(d.ports, "the input of the instance", at.In); err != nil {
		return err
	}
	if err := isPort(d.ports, "the output of the instance", at.Out); err != nil {
		return err
	}
	if at.Out == d.cfg.Uplink || at.Out == d.cfg.Sink {
		return fmt.Errorf("the output of instance %d is %q, where traffic comes in or goes out", i, at.Out)
	}
	for _, x := range d.instances {
		if x.id != i && x.at.Out == at.Out {
			return fmt.Errorf("port %q is the output of instance %d already", at.Out, x.id)
		}
	}
	return nil
}

// Detach implements hw.Switch.
func (d *Driver) Detach(ctx context.Context, i flow.Instance) (telemetry.Counter, error) {
	var a *attached
	err := d.await(ctx, func() error {
		a = d.instances[i]
		if a == nil || a.detaching {
			return fmt.Errorf("ovs: instance %d is not attached", i)
		}
		a.detaching = true
		d.remove(op{kind: opFixed, rule: a.in})
		d.remove(op{kind: opFixed, rule: a.egress()})
		return nil
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if a == nil {
		return telemetry.Counter{}, err
	}
	if err != nil {
		a.detaching = false
		return telemetry.Counter{}, err
	}
	delete(d.instances, i)
	d.forget(a.in)
	for _, o := range a.out {
		d.forget(o)
	}
	return a.counter(), nil
}

// Forward implements hw.Switch. That the switch does not send the packet, because the port has just gone for instance,
// is not reported.
func (d *Driver) Forward(frame []byte, i flow.Instance) error {
	if len(frame) < 14 || len(frame) > openflow.MaxFrame {
		return fmt.Errorf("ovs: frame of %d B: want 14 to %d", len(frame), openflow.MaxFrame)
	}
	d.order.Lock()
	defer d.order.Unlock()
	d.mu.Lock()
	conn, a, closed := d.conn, d.instances[i], d.closed
	var port uint32
	if a != nil {
		port = d.ports[a.at.In]
	}
	if conn != nil && port != 0 {
		a.slow.packets++
		a.slow.bytes += uint64(len(frame))
	}
	d.mu.Unlock()
	switch {
	case closed:
		return hw.ErrClosed
	case conn == nil:
		return fmt.Errorf("ovs: %w", hw.ErrDown)
	case port == 0:
		return fmt.Errorf("ovs: instance %d is not attached to a port of the switch", i)
	}
	d.buf = openflow.AppendPacketOut(d.buf[:0], 0, openflow.PortController, port, frame)
	if err := conn.Write(d.buf); err != nil {
		_ = conn.Close()
		return fmt.Errorf("ovs: %w", err)
	}
	return nil
}
