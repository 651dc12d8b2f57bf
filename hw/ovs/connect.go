package ovs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

// snapshot is what the switch holds at the beginning of a connection.
type snapshot struct {
	asked   time.Time // before the switch looked
	desc    openflow.Desc
	ports   map[string]uint32
	own     map[uint64]openflow.FlowStats // by cookie
	foreign []openflow.FlowStats          // where our rules would stand
}

// connect opens a connection and makes switch and state agree. On the first connection, ready gets the outcome, and the
// rules of an earlier run are adopted or removed. When connect returns, the messages are on their way, and the caller
// must read.
func (d *Driver) connect(ctx context.Context, ready chan<- error) (*openflow.Conn, error) {
	conn, err := openflow.Dial(ctx, d.cfg.Address, writeTimeout)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s, err := d.look(conn, ready != nil)
	if err == nil {
		err = d.agree(conn, s, ready)
	}
	stop() // if this is too late, the reader of the closed connection does the rest
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// look reads ports and rules while nobody else uses the connection.
func (d *Driver) look(conn *openflow.Conn, first bool) (*snapshot, error) {
	const config, desc, ports, rules = 1, 2, 3, 4 // xids: none of the state's is under way
	mask := ownMask
	if first {
		mask = 0 // others' rules too, so as not to collide with them
	}
	asked := time.Now()
	m := openflow.AppendSetConfig(nil, config, 0xffff)
	m = openflow.AppendDescRequest(m, desc)
	m = openflow.AppendPortDescRequest(m, ports)
	m = openflow.AppendFlowStatsRequest(m, rules, openflow.AnyTable, d.cfg.own()&mask, mask)
	if err := conn.Write(m); err != nil {
		return nil, err
	}
	s := &snapshot{asked: asked, ports: map[string]uint32{}, own: map[uint64]openflow.FlowStats{}}
	var part openflow.Multipart
	for open := 3; open > 0; {
		h, body, err := conn.Read()
		if err != nil {
			return nil, err
		}
		switch h.Type {
		case openflow.TypeMultipartReply:
			if err := part.Parse(body); err != nil {
				return nil, err
			}
			if !part.More {
				open--
			}
			d.note(s, &part)
		case openflow.TypeError:
			var e openflow.Error
			if err := e.Parse(body); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("asking for ports and rules: %w", e)
		case openflow.TypePortStatus:
			var p openflow.PortStatus
			if err := p.Parse(body); err != nil {
				return nil, err
			}
			if p.Gone {
				delete(s.ports, p.Port.Name)
			} else {
				s.ports[p.Port.Name] = p.Port.Port
			}
		case openflow.TypeFlowRemoved:
			var f openflow.FlowRemoved
			if err := f.Parse(body); err != nil {
				return nil, err
			}
			delete(s.own, f.Cookie)
			if err := d.dispatch(conn, h, body); err != nil {
				return nil, err
			}
		default:
			if err := d.dispatch(conn, h, body); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// note adds one part of an answer to the snapshot.
func (d *Driver) note(s *snapshot, part *openflow.Multipart) {
	if part.Desc != (openflow.Desc{}) {
		s.desc = part.Desc
	}
	for _, p := range part.PortDescs {
		s.ports[p.Name] = p.Port
	}
	for _, f := range part.Flows {
		switch {
		case f.Cookie&ownMask == d.cfg.own():
			s.own[f.Cookie] = f
		case f.Table == d.cfg.InstanceTable, f.Table == d.cfg.Table &&
			(f.Priority == d.cfg.Priority || f.Priority == d.cfg.Priority-1):
			s.foreign = append(s.foreign, f)
		}
	}
}

// fits says why this driver cannot work with such a switch.
func (s *snapshot) fits(c *Config) error {
	if len(s.foreign) > 0 {
		f := &s.foreign[0]
		return fmt.Errorf("a rule of somebody else (cookie %#x, table %d, priority %d) and %d more stand where ours "+
			"would: choose another table or priority",
			f.Cookie, f.Table, f.Priority, len(s.foreign)-1)
	}
	if err := isPort(s.ports, "the uplink", c.Uplink); err != nil {
		return err
	}
	return isPort(s.ports, "the sink", c.Sink)
}

// Probe checks whether Open would succeed, and counts the rules of flows that an earlier run has left or that a run
// under way has. It changes nothing.
func Probe(ctx context.Context, cfg Config) (rules int, err error) {
	d, err := newDriver(cfg)
	if err != nil {
		return 0, err
	}
	conn, err := openflow.Dial(ctx, d.cfg.Address, writeTimeout)
	if err != nil {
		return 0, fmt.Errorf("ovs: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	s, err := d.look(conn, true)
	if err == nil {
		err = s.fits(&d.cfg)
	}
	if err != nil {
		return 0, fmt.Errorf("ovs: %w", err)
	}
	for c := range s.own {
		if c&fixedRule == 0 {
			rules++
		}
	}
	return rules, nil
}

// agree writes what the switch lacks of what was asked for, and publishes the connection.
func (d *Driver) agree(conn *openflow.Conn, s *snapshot, ready chan<- error) error {
	if err := s.fits(&d.cfg); err != nil {
		if ready == nil {
			d.tellUnfit(err)
		}
		return err
	}
	d.order.Lock()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		d.order.Unlock()
		return hw.ErrClosed
	}
	d.conn, d.ports, d.desc = conn, s.ports, s.desc
	d.buf = d.buf[:0]
	d.lastRead.Store(int64(time.Since(d.opened)))
	waiting := d.ops
	d.ops = nil
	if ready != nil {
		d.begin(s)
	}
	d.settle(s)
	d.add(op{kind: opRestored, done: ready}, nil)
	d.ops = append(d.ops, waiting...)
	d.seal(d.ops)
	d.tellGone()
	d.mu.Unlock()
	go func() { // the caller reads meanwhile: a switch that cannot send its errors stops taking messages
		defer d.order.Unlock()
		if conn.Write(d.buf) != nil {
			_ = conn.Close()
		}
	}()
	return nil
}

// tellUnfit reports, once, why there is no connection. The cause is the uplink or the sink, since rules of others are
// not looked for again.
func (d *Driver) tellUnfit(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.toldGone {
		d.toldGone = true
		d.queue.Put(hw.Event{Kind: hw.PortGone, At: time.Now(), Reason: why.Error()})
	}
}

// begin sets up the state of a first connection.
func (d *Driver) begin(s *snapshot) {
	if d.cfg.Adopt {
		d.adopt(s)
	} else if len(s.own) > 0 {
		for c := range s.own {
			d.leaving[c] = true
		}
		clear(s.own)
		f := openflow.FlowMod{Command: openflow.Delete, Table: openflow.AnyTable, Cookie: d.cfg.own(),
			CookieMask: ownMask}
		d.add(op{kind: opAgain, rule: leftover(0)}, &f)
	}
	adopted := map[uint64]bool{}
	for _, r := range d.rules {
		adopted[r.what] = true
	}
	for k := range missProtocols {
		if r := d.missRule(k); !adopted[r.what] {
			d.hold(r)
		}
	}
}

// settle writes the rules that the switch lacks, and deletes those that it should not have.
func (d *Driver) settle(s *snapshot) {
	restarted := true // nothing of ours is there
	for c := range s.own {
		restarted = restarted && c&kindMask != d.cfg.own()|fixedRule
	}
	wanted := slices.SortedFunc(maps.Keys(d.rules), func(a, b uint64) int { // fixed rules first
		return cmp.Compare(a^fixedRule, b^fixedRule)
	})
	for _, c := range wanted {
		r := d.rules[c]
		have, there := s.own[c]
		if there {
			// A rule that is younger than the loss of the connection was put back by somebody and counts from zero.
			if !d.lostAt.IsZero() && have.Age < s.asked.Sub(d.lostAt) {
				r.reset()
			}
			r.read(have.Packets, have.Bytes)
		} else {
			r.reset()
		}
		want, is := d.mod(r)
		switch {
		case !is: // deleted below, if it is there
		case !there && r.installed && r.Idle > 0 && !restarted:
			d.ended(r, true, "no packet for its idle time, while there was no connection")
		case !there:
			d.add(op{kind: opAgain, rule: r}, &want)
		case have.Match != want.Match || have.Table != want.Table || have.Priority != want.Priority:
			d.replace(r) // and the old one is deleted below
		default:
			if delete(s.own, c); have.Do != want.Do {
				want = only(openflow.ModifyStrict, want)
				d.add(op{kind: opAgain, rule: r}, &want)
			}
		}
	}
	for _, c := range slices.Sorted(maps.Keys(s.own)) {
		f := s.own[c]
		d.leaving[c] = true
		m := only(openflow.DeleteStrict, openflow.FlowMod{Table: f.Table, Priority: f.Priority, Cookie: c,
			Match: f.Match})
		d.add(op{kind: opAgain, rule: leftover(c)}, &m)
	}
}

// replace writes a rule under another cookie, since its match has changed, as when a port has got another number.
func (d *Driver) replace(r *rule) {
	delete(d.rules, r.cookie)
	d.leaving[r.cookie] = true
	d.hold(r)
	r.reset()
	f, _ := d.mod(r)
	d.add(op{kind: opAgain, rule: r}, &f)
}

// adopt takes over the flows that an earlier run left, and the instances at the ports that their rules name.
func (d *Driver) adopt(s *snapshot) {
	names := make(map[uint32]string, len(s.ports))
	for name, n := range s.ports {
		names[n] = name
	}
	for _, c := range slices.Sorted(maps.Keys(s.own)) {
		f := s.own[c]
		if c&fixedRule != 0 {
			d.adoptFixed(&f, names)
			continue
		}
		t := f.Match
		r := &rule{what: c & number, cookie: c, installed: true, Rule: hw.Rule{
			Flow: flow.ID(c & number), Instance: flow.Instance(f.Do.Metadata),
			Idle:  time.Duration(f.Idle) * time.Second,
			Tuple: flow.FiveTuple{Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort, Proto: t.IPProto},
		}}
		if d.whyNot(&r.Rule) != nil {
			continue // the rest of a rule that was being removed
		}
		r.inForce = r.Instance
		d.rules[c], d.flows[r.Flow], d.tuples[r.Tuple] = r, r, r
	}
	for id, a := range d.instances {
		if a.in != nil && len(a.out) > 0 {
			d.rules[a.in.cookie], d.rules[a.egress().cookie] = a.in, a.egress()
		} else {
			delete(d.instances, id) // one half of an instance that was being added or removed
		}
	}
}

// adoptFixed takes over a rule for misses or of an instance.
func (d *Driver) adoptFixed(f *openflow.FlowStats, names map[uint32]string) {
	id := flow.Instance(f.Cookie & number)
	if f.Cookie&anyKind == missKind {
		if int(id) < len(missProtocols) {
			r := d.missRule(int(id))
			r.cookie = f.Cookie
			d.rules[r.cookie] = r
		}
		return
	}
	a := d.instances[id]
	if a == nil {
		a = &attached{id: id}
		d.instances[id] = a
	}
	switch {
	case f.Cookie&anyKind == ingressKind && a.in == nil:
		a.at.In = names[f.Do.Out]
		a.in = d.ingressRule(a)
		a.in.cookie = f.Cookie
	case f.Cookie&anyKind == egressKind && len(a.out) == 0:
		a.at.Out = names[f.Match.InPort]
		a.out = []*rule{d.egressRule(a, a.at.Out)}
		a.egress().cookie = f.Cookie
	}
}

// RemoveAll deletes every rule of an owner from a switch, whoever put it there: it cleans up after a killed run.
func RemoveAll(ctx context.Context, address string, owner uint8) error {
	conn, err := openflow.Dial(ctx, address, writeTimeout)
	if err != nil {
		return fmt.Errorf("ovs: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := Config{Owner: owner}
	f := openflow.FlowMod{Command: openflow.Delete, Table: openflow.AnyTable, Cookie: c.own(), CookieMask: ownMask}
	if err := conn.Write(openflow.AppendBarrierRequest(openflow.AppendFlowMod(nil, 1, &f), 2)); err != nil {
		return fmt.Errorf("ovs: %w", err)
	}
	for {
		h, body, err := conn.Read()
		switch {
		case err != nil:
			return fmt.Errorf("ovs: waiting for the rules' removal: %w", err)
		case h.Type == openflow.TypeError && h.XID == 1:
			var e openflow.Error
			if err := e.Parse(body); err != nil {
				return err
			}
			return fmt.Errorf("ovs: removing the rules: %w", e)
		case h.Type == openflow.TypeBarrierReply:
			return nil
		}
	}
}
