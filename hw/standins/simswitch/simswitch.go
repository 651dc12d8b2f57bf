// Package simswitch stands in for a programmable switch: it is one in memory. Frames go in and out of its ports by
// function calls, so that whatever is written against hw.Switch can be tested without a network, without rights and in
// no time. It copies no product: its behaviour is the contract of hw.Switch, to which package switchtest holds it and
// the drivers of real switches alike. Prefer a real switch (hw/ovs, hw/tc, hw/doca) for everything that is to be
// measured: this one takes no time to forward, never loses a frame, and its counters are never late.
//
// A Device is the switch and a Switch is its driver: a second driver can be opened on the same Device and find what the
// first has left, and a Device can be stopped and started under its driver.
//
// The rules are those of the simulated plant's table: a capacity, one writer, and a latency from the request until
// packets follow the rule.
package simswitch

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Config describes a device.
type Config struct {
	Uplink, Sink string
	Ports        []string      // besides uplink and sink
	Rules        int           // that the table holds; 0 for no limit
	Latency      time.Duration // from a request until it is in force
}

// Device is a switch in memory.
type Device struct {
	cfg Config

	mu        sync.Mutex
	ports     map[string]func(frame []byte)
	flows     map[flow.ID]*entry
	tuples    map[flow.FiveTuple]*entry
	instances map[flow.Instance]*attached
	foreign   map[string]string
	stopped   bool
	driver    *Switch // nil while there is none
}

// entry is a rule with what it has counted.
type entry struct {
	hw.Rule
	packets, bytes uint64
	used           time.Time
}

type attached struct {
	at      hw.Ports
	counted telemetry.Counter
	told    bool // that one of its ports has gone
}

// New makes a device. Frames that leave by a port that nothing is connected to are dropped.
func New(cfg Config) *Device {
	d := &Device{
		cfg: cfg, ports: map[string]func([]byte){cfg.Uplink: nil, cfg.Sink: nil},
		flows: map[flow.ID]*entry{}, tuples: map[flow.FiveTuple]*entry{}, instances: map[flow.Instance]*attached{},
		foreign: map[string]string{},
	}
	for _, p := range cfg.Ports {
		d.ports[p] = nil
	}
	return d
}

// Connect says who gets the frames that leave by a port. The function may call Send, and must not change the frame.
// Connect brings back a port that was taken away.
func (d *Device) Connect(port string, out func(frame []byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ports[port] = out
	for _, a := range d.instances {
		if a.told && d.has(a.at.In) && d.has(a.at.Out) {
			a.told = false
		}
	}
}

// Unplug takes a port away: no frame enters or leaves by it any more.
func (d *Device) Unplug(port string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.has(port) {
		return
	}
	delete(d.ports, port)
	if d.driver == nil {
		return
	}
	gone := hw.Event{Kind: hw.PortGone, At: time.Now(), Reason: fmt.Sprintf("port %s was taken away", port)}
	if port == d.cfg.Uplink || port == d.cfg.Sink {
		d.driver.queue.Put(gone)
	}
	for _, i := range slices.Sorted(maps.Keys(d.instances)) {
		if a := d.instances[i]; !a.told && (a.at.In == port || a.at.Out == port) {
			a.told, gone.Instance = true, i
			d.driver.queue.Put(gone)
		}
	}
}

func (d *Device) has(port string) bool {
	_, ok := d.ports[port]
	return ok
}

// Send puts a frame in at a port. When it returns, the frame has left, was dropped, or was sent up.
func (d *Device) Send(port string, frame []byte) {
	if out := d.forward(port, frame); out != nil {
		out(frame)
	}
}

func (d *Device) forward(port string, frame []byte) func([]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || !d.has(port) {
		return nil
	}
	if t, ok := hw.TupleOf(frame); ok && port == d.cfg.Uplink {
		e := d.tuples[t]
		if e == nil {
			if d.driver != nil {
				d.driver.queue.Put(hw.Event{Kind: hw.PacketIn, At: time.Now(), Tuple: t, Frame: slices.Clone(frame)})
			}
			return nil
		}
		e.packets++
		e.bytes += uint64(len(frame))
		e.used = time.Now()
		return d.toInstance(e.Instance, frame)
	}
	for _, a := range d.instances {
		if a.at.Out == port {
			a.counted.TxPackets++
			return d.ports[d.cfg.Sink]
		}
	}
	return d.ports[d.foreign[port]]
}

// toInstance counts a frame for an instance and returns the port's receiver, nil if there is none.
func (d *Device) toInstance(i flow.Instance, frame []byte) func([]byte) {
	a := d.instances[i]
	if a == nil {
		return nil
	}
	a.counted.RxPackets++
	a.counted.RxBytes += uint64(len(frame))
	return d.ports[a.at.In]
}

// Forward adds a rule of somebody else: frames that come in at one port, and are no instance's, leave by another.
func (d *Device) Forward(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foreign[from] = to
}

// Limit changes how many rules the table holds. Existing rules stay.
func (d *Device) Limit(rules int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cfg.Rules = rules
}

// Len is how many rules the table holds now.
func (d *Device) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.flows)
}

// Delete removes a flow's rule behind the driver's back.
func (d *Device) Delete(id flow.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.flows[id]
	if f == nil {
		return
	}
	d.drop(f)
	if d.driver != nil {
		d.driver.ended(f, false, "deleted by somebody else")
	}
}

// Stop turns the device off: it forwards nothing, and its driver cannot reach it.
func (d *Device) Stop() { d.turn(true, hw.Event{Kind: hw.Lost, Reason: "the device was stopped"}) }

// Start turns it on again. Its driver has put the rules back before the first frame.
func (d *Device) Start() { d.turn(false, hw.Event{Kind: hw.Restored}) }

func (d *Device) turn(off bool, e hw.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped == off {
		return
	}
	d.stopped = off
	for _, r := range d.flows {
		r.used = time.Now()
	}
	if d.driver != nil {
		e.At = time.Now()
		d.driver.queue.Put(e)
		d.driver.wake()
	}
}
