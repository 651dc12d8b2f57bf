package simswitch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// idleResolution is how often the device looks for idle rules.
const idleResolution = 10 * time.Millisecond

// Switch is the driver of a Device.
type Switch struct {
	d       *Device
	queue   *hw.Queue
	closing chan struct{}
	running sync.WaitGroup
	work    chan struct{} // holds a token when there may be something to do

	closed   bool      // under Device.mu, as is
	requests []request // requests that are not in force yet
}

type request struct {
	op    hw.Op
	rule  hw.Rule
	asked time.Time
}

const packetInQueue = 1024

var _ hw.Switch = (*Switch)(nil)

// Open starts a driver, which adopts the rules and instances of an earlier driver, or removes them. A Device has one
// driver at a time.
func (d *Device) Open(adopt bool) (*Switch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.driver != nil:
		return nil, fmt.Errorf("simswitch: the device has a driver already")
	case d.stopped:
		return nil, fmt.Errorf("simswitch: %w", hw.ErrDown)
	}
	if !adopt {
		clear(d.flows)
		clear(d.tuples)
		clear(d.instances)
	}
	s := &Switch{d: d, queue: hw.NewQueue(packetInQueue), closing: make(chan struct{}), work: make(chan struct{}, 1)}
	d.driver = s
	s.running.Add(2)
	go s.write()
	go s.expire()
	return s, nil
}

func (s *Switch) wake() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// write carries out requests, one after the other, when their time has come.
func (s *Switch) write() {
	defer s.running.Done()
	for {
		select {
		case <-s.closing:
			return
		case <-s.work:
		}
		for {
			wait, more := s.next()
			if !more {
				break
			}
			select {
			case <-s.closing:
				return
			case <-time.After(wait):
			}
		}
	}
}

// next carries out the requests that are due. It reports whether there are more, and how long to wait for the next.
func (s *Switch) next() (time.Duration, bool) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for len(s.requests) > 0 && !s.d.stopped && !s.closed {
		q := s.requests[0]
		now := time.Now()
		if wait := q.asked.Add(s.d.cfg.Latency).Sub(now); wait > 0 {
			return wait, true
		}
		s.requests = s.requests[1:]
		e := hw.Event{Kind: hw.Confirmed, Op: q.op, At: now, Flow: q.rule.Flow, Instance: q.rule.Instance,
			Latency: now.Sub(q.asked)}
		if why := apply[q.op](s.d, &q.rule, &e); why != "" {
			e.Kind, e.Reason = hw.Rejected, why
		}
		s.queue.Put(e)
	}
	return 0, false
}

// apply carries out a request and completes the answer, or says why not.
var apply = [...]func(*Device, *hw.Rule, *hw.Event) string{
	hw.OpInstall: func(d *Device, r *hw.Rule, e *hw.Event) string {
		e.Tuple = r.Tuple
		if err := r.Check(); err != nil {
			return err.Error()
		}
		switch {
		case d.flows[r.Flow] != nil:
			return "the flow has a rule already"
		case d.tuples[r.Tuple] != nil:
			return fmt.Sprintf("the five-tuple has a rule already, that of flow %d", d.tuples[r.Tuple].Flow)
		case d.cfg.Rules > 0 && len(d.flows) >= d.cfg.Rules:
			return "the table is full"
		}
		f := &entry{Rule: *r, used: time.Now()}
		d.flows[r.Flow], d.tuples[r.Tuple] = f, f
		return ""
	},
	hw.OpMove: func(d *Device, r *hw.Rule, e *hw.Event) string {
		f := d.flows[r.Flow]
		switch {
		case f == nil:
			return "the flow has no rule"
		case r.Instance < 0:
			return fmt.Sprintf("instance %d: want 0 or more", r.Instance)
		}
		f.Instance, e.Tuple = r.Instance, f.Tuple
		return ""
	},
	hw.OpRemove: func(d *Device, r *hw.Rule, e *hw.Event) string {
		f := d.flows[r.Flow]
		if f == nil {
			return "the flow has no rule"
		}
		d.drop(f)
		e.Instance, e.Tuple, e.Packets, e.Bytes = f.Instance, f.Tuple, f.packets, f.bytes
		return ""
	},
}

func (d *Device) drop(f *entry) {
	delete(d.flows, f.Flow)
	delete(d.tuples, f.Tuple)
}

// expire ends idle rules.
func (s *Switch) expire() {
	defer s.running.Done()
	tick := time.NewTicker(idleResolution)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case now := <-tick.C:
			s.d.expire(now, s)
		}
	}
}

func (d *Device) expire(now time.Time, s *Switch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(d.flows)) {
		if f := d.flows[id]; f.Idle > 0 && now.Sub(f.used) >= f.Idle {
			d.drop(f)
			s.ended(f, true, "no packet for its idle time")
		}
	}
}

// ended reports the end of a rule that the driver did not ask for.
func (s *Switch) ended(f *entry, idle bool, reason string) {
	s.queue.Put(hw.Event{
		Kind: hw.Ended, At: time.Now(), Flow: f.Flow, Instance: f.Instance, Tuple: f.Tuple, Packets: f.packets,
		Bytes: f.bytes,
		Idle:  idle, Reason: reason,
	})
}

// ask queues requests.
func (s *Switch) ask(op hw.Op, n int, rule func(int) hw.Rule) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.closed {
		return hw.ErrClosed
	}
	now := time.Now()
	for i := range n {
		s.requests = append(s.requests, request{op, rule(i), now})
	}
	s.wake()
	return nil
}

// Install implements hw.Switch.
func (s *Switch) Install(rules ...hw.Rule) error {
	return s.ask(hw.OpInstall, len(rules), func(i int) hw.Rule { return rules[i] })
}

// Move implements hw.Switch.
func (s *Switch) Move(moves ...hw.Move) error {
	return s.ask(hw.OpMove, len(moves), func(i int) hw.Rule {
		return hw.Rule{Flow: moves[i].Flow,
			Instance: moves[i].Instance}
	})
}

// Remove implements hw.Switch.
func (s *Switch) Remove(flows ...flow.ID) error {
	return s.ask(hw.OpRemove, len(flows), func(i int) hw.Rule { return hw.Rule{Flow: flows[i]} })
}

// reach locks the device for a call that waits for its answer. The caller unlocks it unless there is an error.
func (s *Switch) reach(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.d.mu.Lock()
	switch {
	case s.closed:
		s.d.mu.Unlock()
		return hw.ErrClosed
	case s.d.stopped:
		s.d.mu.Unlock()
		return fmt.Errorf("simswitch: %w", hw.ErrDown)
	}
	return nil
}

// Attach implements hw.Switch.
func (s *Switch) Attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	if err := s.reach(ctx); err != nil {
		return err
	}
	defer s.d.mu.Unlock()
	if i < 1 {
		return fmt.Errorf("simswitch: instance %d: want 1 or more", i)
	}
	for _, p := range []string{at.In, at.Out} {
		if !s.d.has(p) {
			return fmt.Errorf("simswitch: %q is not a port, which are %q", p, slices.Sorted(maps.Keys(s.d.ports)))
		}
	}
	if at.Out == s.d.cfg.Uplink || at.Out == s.d.cfg.Sink {
		return fmt.Errorf("simswitch: the output of instance %d is %q, where traffic comes in or goes out", i, at.Out)
	}
	for id, a := range s.d.instances {
		if id != i && a.at.Out == at.Out {
			return fmt.Errorf("simswitch: port %q is the output of instance %d already", at.Out, id)
		}
	}
	a := s.d.instances[i]
	if a == nil {
		a = &attached{counted: telemetry.Counter{Instance: i}}
		s.d.instances[i] = a
	}
	a.at, a.told = at, false
	return nil
}

// Detach implements hw.Switch.
func (s *Switch) Detach(ctx context.Context, i flow.Instance) (telemetry.Counter, error) {
	if err := s.reach(ctx); err != nil {
		return telemetry.Counter{}, err
	}
	defer s.d.mu.Unlock()
	a := s.d.instances[i]
	if a == nil {
		return telemetry.Counter{}, fmt.Errorf("simswitch: instance %d is not attached", i)
	}
	delete(s.d.instances, i)
	return a.counted, nil
}

// Forward implements hw.Switch.
func (s *Switch) Forward(frame []byte, i flow.Instance) error {
	if err := s.reach(context.Background()); err != nil {
		return err
	}
	attached := s.d.instances[i] != nil
	out := s.d.toInstance(i, frame)
	s.d.mu.Unlock()
	if !attached {
		return fmt.Errorf("simswitch: instance %d is not attached", i)
	}
	if out != nil {
		out(slices.Clone(frame))
	}
	return nil
}

// Counters implements hw.Switch.
func (s *Switch) Counters(ctx context.Context) (hw.Reading, error) {
	if err := s.reach(ctx); err != nil {
		return hw.Reading{}, err
	}
	defer s.d.mu.Unlock()
	r := hw.Reading{At: time.Now()}
	for _, i := range slices.Sorted(maps.Keys(s.d.instances)) {
		r.Counters = append(r.Counters, s.d.instances[i].counted)
	}
	return r, nil
}

// Rules implements hw.Switch.
func (s *Switch) Rules(ctx context.Context) (hw.RuleReading, error) {
	if err := s.reach(ctx); err != nil {
		return hw.RuleReading{}, err
	}
	defer s.d.mu.Unlock()
	r := hw.RuleReading{At: time.Now()}
	for _, f := range s.d.flows {
		r.Rules = append(r.Rules, hw.RuleCount{Rule: f.Rule, Packets: f.packets, Bytes: f.bytes})
	}
	slices.SortFunc(r.Rules, func(a, b hw.RuleCount) int { return cmp.Compare(a.Flow, b.Flow) })
	return r, nil
}

// Events implements hw.Switch.
func (s *Switch) Events() <-chan hw.Event { return s.queue.Events() }

// Capabilities implements hw.Switch.
func (s *Switch) Capabilities() hw.Capabilities {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.cfg.Capabilities()
}

// Capabilities returns the capabilities of the driver of such a device.
func (c Config) Capabilities() hw.Capabilities {
	return hw.Capabilities{
		Name: "simulated switch", MaxRules: c.Rules, IdleResolution: idleResolution, MoveIsAtomic: true,
		PacketInQueue: packetInQueue,
		PortEvents:    true, Counting: "each rule and each instance", SlowPath: "function calls",
	}
}

// Close ends the driver and leaves the rules in force.
func (s *Switch) Close() error {
	s.d.mu.Lock()
	if s.closed {
		s.d.mu.Unlock()
		return nil
	}
	s.closed, s.d.driver = true, nil
	s.d.mu.Unlock()
	close(s.closing)
	s.running.Wait()
	s.queue.Close()
	return nil
}
