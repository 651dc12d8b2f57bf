package ovs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

// query is a multipart request that somebody waits for.
type query struct {
	done chan error // with room for one
}

// ask sends a multipart request and waits until the state has its answer.
func (d *Driver) ask(ctx context.Context, request func(b []byte, xid uint32) []byte) error {
	q := &query{done: make(chan error, 1)}
	d.order.Lock()
	d.mu.Lock()
	conn, closed := d.conn, d.closed
	xid := d.nextXID()
	if conn != nil && !closed {
		d.reads[xid] = q
	}
	d.mu.Unlock()
	if conn != nil && !closed {
		d.buf = request(d.buf[:0], xid)
		if conn.Write(d.buf) != nil {
			_ = conn.Close()
		}
	}
	d.order.Unlock()
	switch {
	case closed:
		return hw.ErrClosed
	case conn == nil:
		return fmt.Errorf("ovs: %w", hw.ErrDown)
	}
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		d.mu.Lock()
		delete(d.reads, xid)
		d.mu.Unlock()
		return fmt.Errorf("ovs: waiting for the switch's answer: %w", ctx.Err())
	}
}

// answer adds one part of a multipart reply to the state.
func (d *Driver) answer(xid uint32, body []byte) error {
	if err := d.part.Parse(body); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.part.Flows {
		f := &d.part.Flows[i]
		if r := d.rules[f.Cookie]; r != nil {
			r.read(f.Packets, f.Bytes)
		}
	}
	for _, p := range d.part.PortDescs {
		d.ports[p.Name] = p.Port
	}
	if q := d.reads[xid]; q != nil && !d.part.More {
		delete(d.reads, xid)
		q.done <- nil
	}
	return nil
}

// learnPorts asks the switch for its ports if one of the given ones is unknown, since it may be new.
func (d *Driver) learnPorts(ctx context.Context, names ...string) error {
	d.mu.Lock()
	unknown := slices.ContainsFunc(names, func(n string) bool { return d.ports[n] == 0 })
	d.mu.Unlock()
	if !unknown {
		return nil
	}
	return d.ask(ctx, openflow.AppendPortDescRequest)
}

// Counters implements hw.Switch.
func (d *Driver) Counters(ctx context.Context) (hw.Reading, error) {
	err := d.ask(ctx, func(b []byte, xid uint32) []byte {
		return openflow.AppendFlowStatsRequest(b, xid, openflow.AnyTable, d.cfg.own()|fixedRule, kindMask)
	})
	if err != nil {
		return hw.Reading{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := hw.Reading{At: time.Now()}
	for _, id := range slices.Sorted(maps.Keys(d.instances)) {
		r.Counters = append(r.Counters, d.instances[id].counter())
	}
	return r, nil
}

// Rules implements hw.Switch.
func (d *Driver) Rules(ctx context.Context) (hw.RuleReading, error) {
	err := d.ask(ctx, func(b []byte, xid uint32) []byte {
		return openflow.AppendFlowStatsRequest(b, xid, d.cfg.Table, d.cfg.own(), kindMask)
	})
	if err != nil {
		return hw.RuleReading{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := hw.RuleReading{At: time.Now()}
	for _, q := range d.rules {
		if q.fixed != nil || !q.installed {
			continue
		}
		n := q.total()
		c := hw.RuleCount{Rule: q.Rule, Packets: n.packets, Bytes: n.bytes}
		c.Instance = q.inForce
		r.Rules = append(r.Rules, c)
	}
	slices.SortFunc(r.Rules, func(a, b hw.RuleCount) int { return cmp.Compare(a.Flow, b.Flow) })
	return r, nil
}
