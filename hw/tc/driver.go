package tc

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Driver drives the filters of an uplink. One goroutine talks to the kernel and owns everything below the line.
type Driver struct {
	cfg     Config
	queue   *hw.Queue
	wake    chan struct{} // holds a token when the inbox is not empty
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	misses  arrivals

	mu    sync.Mutex
	inbox []job

	steered steered // in software

	// --- of the goroutine
	conn         conn
	uplink, sink int // by index, as all devices below
	flows        map[flow.ID]*rule
	tuples       map[flow.FiveTuple]*rule
	instances    map[flow.Instance]*instance
	looked       time.Time // when the last reading of the rules began
	round        int       // of reading them
	toldGone     bool      // that uplink or sink is
}

// rule is a flow's filter, or one that is being added.
type rule struct {
	hw.Rule
	to     int   // device to which it forwards; 0 drops
	before count // by filters that this one has replaced
	shown  count // by the filter
	used   time.Time
	busy   bool // a request for it is on its way
	round  int  // in which it was last seen
}

func (r *rule) total() count {
	return count{r.before.packets + r.shown.packets, r.before.bytes + r.shown.bytes}
}

type instance struct {
	at      hw.Ports
	in, out int
	rx      count
	before  uint64 // what came out by earlier ports
	shown   uint64 // by the filter at the port
	device  io.WriteCloser
	told    bool // that a port of it is gone
}

func (a *instance) counter(i flow.Instance) telemetry.Counter {
	return telemetry.Counter{Instance: i, RxPackets: a.rx.packets, RxBytes: a.rx.bytes, TxPackets: a.before + a.shown}
}

// lookEvery is how often the driver reads the rules when nobody asks for it: for those that are idle, and those that
// somebody has removed.
const lookEvery = time.Second

var _ hw.Switch = (*Driver)(nil)

// Open starts a driver. What an earlier one left it takes over, or removes.
func Open(cfg Config) (*Driver, error) {
	cfg.defaults()
	d := &Driver{
		cfg: cfg, queue: hw.NewQueue(cfg.PacketInQueue), wake: make(chan struct{}, 1), closing: make(chan struct{}),
		done:    make(chan struct{}),
		steered: steered{spans: map[flow.FiveTuple][]span{}}, flows: map[flow.ID]*rule{},
		tuples: map[flow.FiveTuple]*rule{}, instances: map[flow.Instance]*instance{},
	}
	if err := d.open(); err != nil {
		d.release()
		return nil, fmt.Errorf("tc: %w", err)
	}
	go d.run()
	return d, nil
}

// connect finds the devices and the kernel, and what is at our prefs.
func (d *Driver) connect() (found []filter, foreign int, err error) {
	if d.uplink, err = d.cfg.system.index(d.cfg.Uplink); err != nil {
		return nil, 0, err
	}
	if d.sink, err = d.cfg.system.index(d.cfg.Sink); err != nil {
		return nil, 0, err
	}
	if d.conn.socket, err = d.cfg.system.dial(); err != nil {
		return nil, 0, err
	}
	if err := d.conn.ensureClsact(d.uplink); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", d.cfg.Uplink, err)
	}
	return d.conn.leftovers(&d.cfg, d.uplink)
}

func (d *Driver) othersFilters(n int) error {
	return fmt.Errorf("%s has %d filters of somebody else at pref %d or %d: want those for this driver alone",
		d.cfg.Uplink, n, d.cfg.Pref, d.cfg.Pref+1)
}

func (d *Driver) open() error {
	found, foreign, err := d.connect()
	if err != nil {
		return err
	}
	if foreign > 0 {
		return d.othersFilters(foreign)
	}
	if d.cfg.Adopt {
		err = d.adopt(found)
	} else {
		err = d.conn.removeAll(found)
	}
	if err != nil {
		return err
	}
	d.misses, err = d.cfg.system.reader(d.cfg.Uplink)
	return err
}

// ensureClsact sees to it that a device has what filters hang on.
func (c *conn) ensureClsact(dev int) error {
	if _, err := c.one(clsact(dev)); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("making the queueing discipline clsact: %w", err)
	}
	return nil
}

// leftovers finds our filters on all devices, and how many others there are at our prefs on the uplink.
func (c *conn) leftovers(cfg *Config, uplink int) (found []filter, foreign int, err error) {
	devices, err := cfg.system.devices()
	if err != nil {
		return nil, 0, err
	}
	for _, dev := range devices {
		for _, pref := range []uint16{cfg.Pref, cfg.Pref + 1} {
			err := c.filters(all(dev, pref, false), func(f *filter, ours bool) {
				switch {
				case ours && f.label.uplink == uint32(uplink):
					found = append(found, *f)
				case dev == uplink:
					foreign++
				}
			})
			if err != nil && !errors.Is(err, unix.ENODEV) { // it may just have gone
				return nil, 0, fmt.Errorf("the filters of device %d: %w", dev, err)
			}
		}
	}
	return found, foreign, nil
}

func (c *conn) removeAll(found []filter) error {
	for part := range slices.Chunk(found, batch) {
		requests := make([]request, len(part))
		for k := range part {
			requests[k] = part[k].remove()
		}
		answers, err := c.do(requests...)
		if err != nil {
			return err
		}
		for k, a := range answers {
			if a.err != nil && !errors.Is(a.err, unix.ENOENT) {
				return fmt.Errorf("removing a filter that an earlier run left on device %d: %w", part[k].dev, a.err)
			}
		}
	}
	return nil
}

// adopt makes rules and instances of the filters that an earlier run left.
func (d *Driver) adopt(found []filter) error {
	for _, f := range found {
		if f.label.kind != kindOutput {
			continue
		}
		i := flow.Instance(f.label.a)
		in, out := int(f.label.b), f.dev
		at, err := d.names(in, out)
		if err != nil { // its port has gone, and what was counted there
			if err := d.conn.removeAll([]filter{f}); err != nil {
				return err
			}
			continue
		}
		device, err := d.cfg.system.writer(at.In)
		if err != nil {
			return err
		}
		d.instances[i] = &instance{at: at, in: in, out: out, device: device, shown: f.packets}
	}
	for _, f := range found {
		if f.label.kind != kindFlow {
			continue
		}
		r := &rule{Rule: hw.Rule{Flow: flow.ID(f.handle - 1), Tuple: f.tuple, Instance: flow.Instance(f.label.a),
			Idle: time.Duration(f.label.b) * time.Millisecond},
			to: f.to, used: time.Now()}
		d.hold(r)
		d.see(r, f.count)
		d.steer(r.Tuple, time.Time{})
	}
	return nil
}

// names are those of an instance's ports.
func (d *Driver) names(in, out int) (at hw.Ports, err error) {
	at.In, err = d.cfg.system.name(in)
	if err == nil {
		at.Out, err = d.cfg.system.name(out)
	}
	return at, err
}

func (d *Driver) hold(r *rule) { d.flows[r.Flow], d.tuples[r.Tuple] = r, r }

// forget is given since when the filter of a rule may have been gone.
func (d *Driver) forget(r *rule, since time.Time) {
	delete(d.flows, r.Flow)
	delete(d.tuples, r.Tuple)
	if d.cfg.Software {
		d.steered.end(r.Tuple, since)
	}
}

// steer notes since when packets of a five-tuple have met a rule.
func (d *Driver) steer(t flow.FiveTuple, since time.Time) {
	if d.cfg.Software {
		d.steered.begin(t, since)
	}
}

// run does what is asked for, in order.
func (d *Driver) run() {
	var reader sync.WaitGroup
	reader.Go(d.read)
	defer func() {
		d.release()
		reader.Wait()
		d.queue.Close()
		close(d.done)
	}()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-d.wake:
		case <-ticker.C:
			_ = d.submit(job{call: d.look}) // unless it is closing
		case <-d.closing:
			return
		}
		d.mu.Lock()
		jobs := d.inbox
		d.inbox = nil
		d.mu.Unlock()
		if err := d.work(jobs); err != nil {
			d.queue.Put(hw.Event{Kind: hw.Lost, At: time.Now(), Reason: err.Error()})
			return
		}
	}
}

// read reports packet-ins until the device is closed.
func (d *Driver) read() {
	b := make([]byte, 1<<16)
	for {
		n, at, err := d.misses.Read(b)
		if err != nil && !errors.Is(err, unix.ENETDOWN) { // the device is down for a while: reported once
			return
		}
		now := time.Now()
		at = now.Add(at.Sub(now)) // the same, but comparable to others when the clock is set
		if t, ok := hw.TupleOf(b[:n]); ok && !(d.cfg.Software && d.steered.met(t, at)) {
			d.queue.Put(hw.Event{Kind: hw.PacketIn, At: now, Tuple: t, Frame: slices.Clone(b[:n])})
		}
	}
}

// release gives back what open has taken.
func (d *Driver) release() {
	if d.conn.socket != nil {
		d.conn.close()
	}
	if d.misses != nil {
		d.misses.Close()
	}
	for _, i := range slices.Sorted(maps.Keys(d.instances)) {
		d.instances[i].device.Close()
	}
}

// Events implements hw.Switch.
func (d *Driver) Events() <-chan hw.Event { return d.queue.Events() }

// Capabilities implements hw.Switch.
func (d *Driver) Capabilities() hw.Capabilities { return d.cfg.Capabilities() }

// Close leaves the rules in force. To leave none, see RemoveAll.
func (d *Driver) Close() error {
	d.once.Do(func() { close(d.closing) })
	<-d.done
	return nil
}

// RemoveAll removes everything that a run left, on whatever device.
func RemoveAll(cfg Config) error {
	cfg.defaults()
	uplink, err := cfg.system.index(cfg.Uplink)
	if err != nil {
		return fmt.Errorf("tc: %w", err)
	}
	s, err := cfg.system.dial()
	if err != nil {
		return fmt.Errorf("tc: %w", err)
	}
	c := conn{socket: s}
	defer c.close()
	found, _, err := c.leftovers(&cfg, uplink)
	if err == nil {
		err = c.removeAll(found)
	}
	if err != nil {
		return fmt.Errorf("tc: %w", err)
	}
	return nil
}
