package ovs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

const (
	writeTimeout = 5 * time.Second // until the driver gives up a switch that does not read
	// how often a silent connection is tested with an echo; it is closed after three times as long
	echoEvery  = 2 * time.Second
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
	portPause  = 100 * time.Millisecond // within this time a port that has gone may come back
)

// Driver is a hw.Switch.
//
// Two locks keep it free of deadlock. Whoever sends holds order from building messages until they are written, so that
// the answers come in the order of ops; mu guards the state and is never held while waiting for the switch. The reader
// takes only mu and never writes itself, so it can always empty the socket.
type Driver struct {
	cfg      Config
	queue    *hw.Queue
	cancel   context.CancelFunc
	stopped  chan struct{}
	opened   time.Time          // of the monotonic clock, which nobody sets
	lastRead atomic.Int64       // nanoseconds since opened
	part     openflow.Multipart // the reader's

	order sync.Mutex
	buf   []byte // under order

	mu        sync.Mutex
	conn      *openflow.Conn // nil while there is none
	closed    bool
	xid       uint32
	desc      openflow.Desc
	ports     map[string]uint32
	rules     map[uint64]*rule // by cookie: what the switch has or should have
	leaving   map[uint64]bool  // cookies of rules that were deleted here and whose end is still to be reported
	flows     map[flow.ID]*rule
	tuples    map[flow.FiveTuple]*rule
	instances map[flow.Instance]*attached
	ops       []*op             // asked for and not answered, in order
	sent      map[uint32]*op    // those of them with a message on this connection
	reads     map[uint32]*query // by xid
	lostAt    time.Time
	toldGone  bool // that uplink or sink is no port any more
}

var _ hw.Switch = (*Driver)(nil)

// Open connects to the switch, removes or adopts what an earlier run left there, and makes the switch send up packets
// without a rule from now on. The context bounds Open alone. It fails if the address does not answer, the uplink or
// sink is no port of the bridge, the tables' numbers or the priority do not fit, or rules of others are where ours
// would be.
func Open(ctx context.Context, cfg Config) (*Driver, error) {
	d, err := newDriver(cfg)
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	ready := make(chan error, 1)
	conn, err := d.connect(ctx, ready)
	if err != nil {
		cancel()
		d.queue.Close()
		return nil, fmt.Errorf("ovs: %w", err)
	}
	go d.run(run, conn)
	go d.keepAlive(run)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("ovs: first rules: %w", err)
	}
	return d, nil
}

// newDriver makes a driver that is not connected.
func newDriver(cfg Config) (*Driver, error) {
	cfg.defaults()
	if cfg.InstanceTable <= cfg.Table || cfg.InstanceTable >= 254 {
		return nil, fmt.Errorf("ovs: instance table %d: want a number above the flow table's, %d, and below 254",
			cfg.InstanceTable, cfg.Table)
	}
	if cfg.Priority < 2 {
		return nil, fmt.Errorf("ovs: priority %d: want 2 to 65535", cfg.Priority)
	}
	return &Driver{
		// look has used the xids up to 4
		cfg: cfg, queue: hw.NewQueue(cfg.PacketInQueue), stopped: make(chan struct{}), opened: time.Now(), xid: 4,
		rules: map[uint64]*rule{}, leaving: map[uint64]bool{}, flows: map[flow.ID]*rule{},
		tuples:    map[flow.FiveTuple]*rule{},
		instances: map[flow.Instance]*attached{}, sent: map[uint32]*op{}, reads: map[uint32]*query{},
	}, nil
}

// run reads until Close, and reconnects when the connection is lost.
func (d *Driver) run(ctx context.Context, conn *openflow.Conn) {
	defer close(d.stopped)
	wait := retryFirst
	for {
		began := time.Now()
		d.drop(conn, d.read(conn))
		if time.Since(began) > retryMost {
			wait = retryFirst
		}
		for conn = nil; conn == nil; wait = min(2*wait, retryMost) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			try, cancel := context.WithTimeout(ctx, writeTimeout)
			conn, _ = d.connect(try, nil)
			cancel()
		}
	}
}

// drop gives up a connection. Requests for rules wait for the next connection; callers that wait for an answer get an
// error.
func (d *Driver) drop(conn *openflow.Conn, why error) {
	_ = conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.lostAt = nil, time.Now()
	down := fmt.Errorf("ovs: %w: %w", hw.ErrDown, why)
	if d.closed {
		down = hw.ErrClosed
	}
	waiting := d.ops[:0]
	for _, o := range d.ops {
		if o.done != nil {
			o.done <- down
		}
		if o.xid != 0 {
			o.xid, o.refusal = 0, nil
		}
		if o.barrier = 0; o.kind <= opRemove {
			waiting = append(waiting, o)
		}
	}
	clear(d.ops[len(waiting):])
	d.ops = waiting
	clear(d.sent)
	for x, q := range d.reads {
		delete(d.reads, x)
		q.done <- down
	}
	if !d.closed {
		d.queue.Put(hw.Event{Kind: hw.Lost, At: d.lostAt, Reason: why.Error()})
	}
}

func (d *Driver) read(conn *openflow.Conn) error {
	for {
		h, body, err := conn.Read()
		if err != nil {
			return err
		}
		d.lastRead.Store(int64(time.Since(d.opened)))
		if err := d.dispatch(conn, h, body); err != nil {
			return err
		}
	}
}

// dispatch handles a message. After an error the connection is useless.
func (d *Driver) dispatch(conn *openflow.Conn, h openflow.Header, body []byte) error {
	switch h.Type {
	case openflow.TypeEchoRequest:
		go func(m []byte) { _ = conn.Write(m) }(openflow.AppendEchoReply(nil, h.XID, body))
	case openflow.TypePacketIn:
		return d.packetIn(body)
	case openflow.TypeBarrierReply:
		return d.barrier(h.XID)
	case openflow.TypeError:
		var e openflow.Error
		if err := e.Parse(body); err != nil {
			return err
		}
		return d.refused(h.XID, e)
	case openflow.TypeFlowRemoved:
		var f openflow.FlowRemoved
		if err := f.Parse(body); err != nil {
			return err
		}
		d.flowRemoved(&f)
	case openflow.TypeMultipartReply:
		return d.answer(h.XID, body)
	case openflow.TypePortStatus:
		var p openflow.PortStatus
		if err := p.Parse(body); err != nil {
			return err
		}
		return d.portChanged(&p)
	}
	return nil
}

func (d *Driver) packetIn(body []byte) error {
	var p openflow.PacketIn
	if err := p.Parse(body); err != nil {
		return err
	}
	if p.Cookie&kindMask != d.cfg.own()|fixedRule {
		return nil
	}
	if t, ok := hw.TupleOf(p.Frame); ok {
		d.queue.Put(hw.Event{Kind: hw.PacketIn, At: time.Now(), Tuple: t, Frame: append([]byte(nil), p.Frame...)})
	}
	return nil
}

// portChanged keeps the names up to date. When a port that is in use got another number, every rule that names it must
// be written anew, which is what happens after a connection is lost; so this one is given up.
func (d *Driver) portChanged(p *openflow.PortStatus) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.ports[p.Port.Name]
	if p.Gone {
		if was == p.Port.Port {
			delete(d.ports, p.Port.Name)
			time.AfterFunc(portPause, d.askGone)
		}
		return nil
	}
	d.ports[p.Port.Name] = p.Port.Port
	if was == p.Port.Port || !d.uses(p.Port.Name) {
		return nil
	}
	return fmt.Errorf("port %s got number %d", p.Port.Name, p.Port.Port)
}

// askGone reports ports that have gone and are not back when the switch has done what it was about. One that gets
// another number goes and comes again; the barrier's reply follows both. Without a connection, the next one will show.
func (d *Driver) askGone() {
	_ = d.submit(func() {
		if d.conn != nil {
			d.add(op{kind: opGone}, nil)
		}
	})
}

// tellGone reports the instances that have lost a port, and uplink or sink, each once until it has its ports again.
func (d *Driver) tellGone() {
	tell := func(told *bool, i flow.Instance, ports ...string) {
		at := slices.IndexFunc(ports, func(p string) bool { return d.ports[p] == 0 })
		if at >= 0 && !*told {
			d.queue.Put(hw.Event{Kind: hw.PortGone, Instance: i, At: time.Now(),
				Reason: fmt.Sprintf("port %q is no longer on the bridge", ports[at])})
		}
		*told = at >= 0
	}
	tell(&d.toldGone, 0, d.cfg.Uplink, d.cfg.Sink)
	for _, id := range slices.Sorted(maps.Keys(d.instances)) {
		if a := d.instances[id]; !a.detaching {
			tell(&a.toldGone, id, a.at.In, a.at.Out)
		}
	}
}

func (d *Driver) uses(port string) bool {
	for _, a := range d.instances {
		if a.at.In == port || a.at.Out == port {
			return true
		}
	}
	return port == d.cfg.Uplink || port == d.cfg.Sink
}

// flowRemoved takes in the last counters of a rule.
func (d *Driver) flowRemoved(f *openflow.FlowRemoved) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.rules[f.Cookie]
	if r != nil {
		r.read(f.Packets, f.Bytes)
	}
	switch {
	case d.leaving[f.Cookie]:
		delete(d.leaving, f.Cookie)
	case r == nil:
	case r.fixed != nil: // somebody else deleted it
		r.reset()
		go d.restore(r)
	case f.Reason == openflow.RemovedIdle:
		d.ended(r, true, "no packet for its idle time")
	default:
		d.ended(r, false, "deleted by somebody else")
	}
}

// ended reports the end of a flow's rule that nobody here asked for. While its installation is not confirmed, that is
// the answer to be given instead.
func (d *Driver) ended(r *rule, idle bool, reason string) {
	r.gone = reason
	d.forget(r)
	if r.installed {
		n := r.total()
		d.queue.Put(hw.Event{
			Kind: hw.Ended, At: time.Now(), Flow: r.Flow, Instance: r.inForce, Tuple: r.Tuple,
			Packets: n.packets, Bytes: n.bytes, Idle: idle, Reason: reason,
		})
	}
}

// forget drops a rule from the state.
func (d *Driver) forget(r *rule) {
	delete(d.rules, r.cookie)
	if r.fixed == nil && d.flows[r.Flow] == r {
		delete(d.flows, r.Flow)
		delete(d.tuples, r.Tuple)
	}
}

// restore puts a fixed rule back.
func (d *Driver) restore(r *rule) {
	_ = d.submit(func() {
		if d.conn != nil && d.rules[r.cookie] == r {
			d.write(r, openflow.Add)
		}
	})
}

func (d *Driver) keepAlive(ctx context.Context) {
	for tick := time.NewTicker(echoEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		d.mu.Lock()
		conn := d.conn
		d.mu.Unlock()
		if conn == nil {
			continue
		}
		if silent := time.Since(d.opened) - time.Duration(d.lastRead.Load()); silent > 3*echoEvery {
			_ = conn.Close()
		} else if silent > echoEvery/2 {
			_ = conn.Write(openflow.AppendEchoRequest(nil, 0))
		}
	}
}

// Events implements hw.Switch.
func (d *Driver) Events() <-chan hw.Event { return d.queue.Events() }

// Dropped is how many packet-ins were dropped because too many waited.
func (d *Driver) Dropped() uint64 { return d.queue.Dropped() }

// revalidator is the longest time by default between two looks of Open vSwitch at the cache of its data path. It looks
// at once when rules have changed, but a look that is under way may take as long.
const revalidator = 500 * time.Millisecond

// Capabilities implements hw.Switch.
func (d *Driver) Capabilities() hw.Capabilities {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.cfg.Capabilities()
	c.Name = d.desc.Hardware + " " + d.desc.Software + ", OpenFlow 1.3"
	return c
}

// Capabilities are those of a driver with this configuration.
func (c Config) Capabilities() hw.Capabilities {
	c.defaults()
	return hw.Capabilities{
		Name: "Open vSwitch, OpenFlow 1.3", MaxRules: c.MaxRules, RuleLag: revalidator, CounterLag: c.CounterLag,
		IdleResolution: time.Second, MoveIsAtomic: true, PacketInQueue: c.PacketInQueue, PortEvents: true,
		InstallRate: 25_000,
		Counting:    "each rule and each instance", SlowPath: "OpenFlow's packet-in and packet-out",
	}
}

// Close ends the connection and leaves the rules in force. To leave none, see RemoveAll.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	conn := d.conn
	d.mu.Unlock()
	d.cancel()
	if conn != nil {
		_ = conn.Close()
	}
	<-d.stopped
	d.queue.Close()
	return nil
}
