//go:build doca

package doca

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Built says whether this program has DOCA Flow.
const Built = true

// Switch drives the card. One goroutine, on a thread of its own, talks to it and owns everything below the line.
type Switch struct {
	cfg     Config
	queue   *hw.Queue
	calls   chan func()
	wake    chan struct{} // holds a token when the inbox is not empty
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	uplink  io.ReadWriteCloser

	mu    sync.Mutex
	inbox []*request

	// --- of the goroutine
	card      card
	release   string
	ports     map[string]int
	devices   map[string]io.ReadWriteCloser
	flows     map[flow.ID]*rule
	tuples    map[flow.FiveTuple]*rule
	slots     []*rule // by cookie
	free      []int
	idle      int // rules that may end for lack of packets
	instances map[flow.Instance]*instance
	backlog   []*request // not on their way
	underway  []*request // not reported, in order
	orders    []order    // made from requests that are underway, and not taken by the card
}

// rule is an entry of the card, or one that is being added.
type rule struct {
	hw.Rule
	slot    int
	id      uint32 // the shim's
	live    bool   // there has been an answer
	port    int    // to which it forwards
	charged count  // of what it has counted, the part that instances were charged with
	busy    *request
}

type instance struct {
	at      hw.Ports
	counted telemetry.Counter
	out     int    // port with an entry in the egress pipe
	before  uint64 // what came out by earlier ports
}

// request is an Install, Move or Remove, or a new port for a rule whose instance has come, moved or gone.
type request struct {
	op     hw.Op
	rule   hw.Rule
	asked  time.Time
	port   int
	event  hw.Event
	done   bool
	silent func() // called instead of an event
}

var _ hw.Switch = (*Switch)(nil)

// Open starts the card and removes what it forwarded before. DPDK is started once in a process: after Close, a card
// needs another process.
func Open(cfg Config) (hw.Switch, error) {
	cfg.defaults()
	if cfg.Device == nil {
		cfg.Device = openDevice
	}
	s := &Switch{
		cfg: cfg, queue: hw.NewQueue(cfg.PacketInQueue), calls: make(chan func()), wake: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
		ports: map[string]int{cfg.Uplink: 0}, devices: map[string]io.ReadWriteCloser{},
		flows: map[flow.ID]*rule{}, tuples: map[flow.FiveTuple]*rule{}, instances: map[flow.Instance]*instance{},
	}
	for k, name := range cfg.Ports {
		if _, twice := s.ports[name]; twice || name == "" {
			return nil, fmt.Errorf("doca: port %d is %q: want names that differ", k+1, name)
		}
		s.ports[name] = k + 1
	}
	if _, ok := s.ports[cfg.Sink]; !ok {
		return nil, fmt.Errorf("doca: sink %q is not a port, which are %q", cfg.Sink, slices.Sorted(maps.Keys(s.ports)))
	}
	opened := make(chan error)
	go s.run(opened)
	if err := <-opened; err != nil {
		return nil, fmt.Errorf("doca: %s: %w", cfg.PCI, err)
	}
	return s, nil
}

// defaults fills in what Config leaves open.
func (c *Config) defaults() {
	if c.Sink == "" {
		c.Sink = c.Uplink
	}
	if c.Mode == "" {
		c.Mode = "switch,hws,isolated,hairpinq_num=4"
	}
	if c.Rules == 0 {
		c.Rules = 8192
	}
	if c.QueueDepth == 0 {
		c.QueueDepth = 128
	}
	if c.CounterLag == 0 {
		c.CounterLag = time.Second
	}
	if c.PacketInQueue == 0 {
		c.PacketInQueue = 1024
	}
}

// start opens the card and the uplink's device.
func (s *Switch) start() error {
	n, err := s.card.open(&s.cfg)
	if err != nil {
		return err
	}
	s.release = s.card.release()
	if want := len(s.cfg.Ports) + 1; n != want {
		s.card.close()
		return fmt.Errorf("the card shows %d ports for representors %s, and %d are named", n, s.cfg.Representors, want)
	}
	if s.uplink, err = s.device(s.cfg.Uplink); err != nil {
		s.card.close()
	}
	return err
}

func (s *Switch) device(name string) (io.ReadWriteCloser, error) {
	if d := s.devices[name]; d != nil {
		return d, nil
	}
	d, err := s.cfg.Device(name)
	if err != nil {
		return nil, err
	}
	s.devices[name] = d
	return d, nil
}

func (s *Switch) run(opened chan<- error) {
	runtime.LockOSThread() // never unlocked: DPDK has pinned the thread, which ends with this goroutine
	defer close(s.done)
	err := s.start()
	opened <- err
	if err != nil {
		s.queue.Close()
		return
	}
	var reader sync.WaitGroup
	reader.Go(func() { s.read(s.uplink) })
	defer func() {
		s.card.close()
		for _, d := range s.devices {
			d.Close()
		}
		reader.Wait()
		s.queue.Close()
	}()
	age := time.NewTicker(time.Second / 2)
	defer age.Stop()
	for {
		s.submit()
		if s.card.pending() > 0 {
			if err := s.card.poll(1000, s.complete); err != nil {
				s.queue.Put(hw.Event{Kind: hw.Lost, At: time.Now(), Reason: err.Error()})
				return
			}
			s.report()
			select {
			case call := <-s.calls:
				call()
			case <-s.closing:
				return
			default:
			}
			continue
		}
		select {
		case call := <-s.calls:
			call()
		case <-s.wake:
		case <-age.C:
			if s.idle > 0 {
				s.card.age()
			}
		case <-s.closing:
			return
		}
	}
}

// read reports packet-ins until the device is closed.
func (s *Switch) read(uplink io.Reader) {
	b := make([]byte, 1<<16)
	for {
		n, err := uplink.Read(b)
		if err != nil {
			return
		}
		if t, ok := hw.TupleOf(b[:n]); ok {
			s.queue.Put(hw.Event{Kind: hw.PacketIn, At: time.Now(), Tuple: t, Frame: slices.Clone(b[:n])})
		}
	}
}

// ---- Requests

func (s *Switch) ask(op hw.Op, n int, rule func(int) hw.Rule) error {
	now := time.Now()
	requests := make([]*request, n)
	for k := range requests {
		requests[k] = &request{op: op, rule: rule(k), asked: now}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return hw.ErrClosed
	case <-s.done:
		return hw.ErrClosed
	default:
	}
	s.inbox = append(s.inbox, requests...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Install implements hw.Switch.
func (s *Switch) Install(rules ...hw.Rule) error {
	return s.ask(hw.OpInstall, len(rules), func(k int) hw.Rule { return rules[k] })
}

// Move implements hw.Switch.
func (s *Switch) Move(moves ...hw.Move) error {
	return s.ask(hw.OpMove, len(moves), func(k int) hw.Rule { return hw.Rule{Flow: moves[k].Flow, Instance: moves[k].Instance} })
}

// Remove implements hw.Switch.
func (s *Switch) Remove(flows ...flow.ID) error {
	return s.ask(hw.OpRemove, len(flows), func(k int) hw.Rule { return hw.Rule{Flow: flows[k]} })
}

// submit puts requests on their way, in order, as far as the card takes them. It stops at one whose rule still waits for an
// answer.
func (s *Switch) submit() {
	s.mu.Lock()
	s.backlog = append(s.backlog, s.inbox...)
	s.inbox = nil
	s.mu.Unlock()
	for {
		for len(s.backlog) > 0 && len(s.orders) < batch {
			q := s.backlog[0]
			if r := s.subject(q); r != nil && r.busy != nil {
				break
			}
			s.backlog = s.backlog[1:]
			s.underway = append(s.underway, q)
			if o, why := prepare[q.op](s, q); why != "" {
				q.refuse(why)
			} else if !q.done {
				s.orders = append(s.orders, o)
			}
		}
		if len(s.orders) == 0 {
			break
		}
		n := s.card.apply(s.orders)
		s.orders = slices.Delete(s.orders, 0, n)
		if len(s.orders) > 0 {
			break // the queue is full
		}
	}
	s.report()
}

// subject is the rule that a request concerns, or that stands in its way.
func (s *Switch) subject(q *request) *rule {
	if r := s.flows[q.rule.Flow]; r != nil || q.op != hw.OpInstall {
		return r
	}
	return s.tuples[q.rule.Tuple]
}

// prepare makes a request an order to the card, or says why it is refused. A request that needs no order it ends.
var prepare = [...]func(*Switch, *request) (order, string){
	hw.OpInstall: func(s *Switch, q *request) (order, string) {
		if err := q.rule.Check(); err != nil {
			return order{}, err.Error()
		}
		if s.flows[q.rule.Flow] != nil {
			return order{}, "the flow has a rule already"
		}
		if r := s.tuples[q.rule.Tuple]; r != nil {
			return order{}, fmt.Sprintf("the five-tuple has a rule already, that of flow %d", r.Flow)
		}
		r := &rule{Rule: q.rule, port: s.portOf(q.rule.Instance), slot: len(s.slots), busy: q}
		if n := len(s.free); n > 0 {
			r.slot, s.free = s.free[n-1], s.free[:n-1]
			s.slots[r.slot] = r
		} else {
			s.slots = append(s.slots, r)
		}
		s.flows[r.Flow], s.tuples[r.Tuple] = r, r
		if r.Idle > 0 {
			s.idle++
		}
		return order{op: opAdd, port: r.port, tuple: r.Tuple, idle: uint32((r.Idle + time.Second - 1) / time.Second), cookie: uint64(r.slot)}, ""
	},
	hw.OpMove: func(s *Switch, q *request) (order, string) {
		r := s.flows[q.rule.Flow]
		switch {
		case r == nil:
			return order{}, "the flow has no rule"
		case q.rule.Instance < 0:
			return order{}, fmt.Sprintf("instance %d: want 0 or more", q.rule.Instance)
		}
		if q.silent != nil {
			q.rule.Instance = r.Instance
		}
		q.port = s.portOf(q.rule.Instance)
		if q.port == dropPort && r.port == dropPort {
			r.Instance = q.rule.Instance
			q.confirm(r)
			return order{}, ""
		}
		r.busy = q
		return order{op: opMove, port: q.port, rule: r.id, cookie: uint64(r.slot)}, ""
	},
	hw.OpRemove: func(s *Switch, q *request) (order, string) {
		r := s.flows[q.rule.Flow]
		if r == nil {
			return order{}, "the flow has no rule"
		}
		r.busy = q
		return order{op: opRemove, rule: r.id, cookie: uint64(r.slot)}, ""
	},
}

// portOf is where the packets of an instance go: nowhere, if it is not attached.
func (s *Switch) portOf(i flow.Instance) int {
	if a := s.instances[i]; a != nil {
		return s.ports[a.at.In]
	}
	return dropPort
}

func (q *request) end(kind hw.EventKind) {
	now := time.Now()
	q.event.Kind, q.event.Op, q.event.At, q.event.Latency, q.event.Flow = kind, q.op, now, now.Sub(q.asked), q.rule.Flow
	q.done = true
}

func (q *request) refuse(why string) {
	q.end(hw.Rejected)
	q.event.Instance, q.event.Reason = q.rule.Instance, why
}

func (q *request) confirm(r *rule) {
	q.end(hw.Confirmed)
	q.event.Instance, q.event.Tuple = r.Instance, r.Tuple
}

// complete takes an answer of the card.
func (s *Switch) complete(o outcome) {
	r := s.slots[o.cookie]
	q := r.busy
	r.busy = nil
	switch o.op {
	case opAdd:
		if !o.ok {
			s.forget(r)
			q.refuse("the card took no rule: " + failed().Error())
			return
		}
		r.id, r.live = o.rule, true
		q.confirm(r)
	case opMove:
		s.charge(r, o.count)
		switch {
		case o.ok:
			r.Instance, r.port = q.rule.Instance, q.port
			q.confirm(r)
		case o.gone:
			s.forget(r)
			q.refuse("the card did not take the rule back")
			s.ended(r, false, "lost in a move that the card refused", o.count)
		default:
			q.refuse("the card did not move the rule: " + failed().Error())
		}
	case opRemove:
		if !o.ok {
			q.refuse("the card did not remove the rule: " + failed().Error())
			return
		}
		s.charge(r, o.count)
		s.forget(r)
		q.confirm(r)
		q.event.Packets, q.event.Bytes = o.packets, o.bytes
	case opAged:
		if r.busy = q; !o.ok {
			return // it will be found idle again
		}
		s.charge(r, o.count)
		s.forget(r)
		s.ended(r, true, "no packet for its idle time", o.count)
	}
}

// charge gives the instance to which a rule led what the rule has counted since the last time.
func (s *Switch) charge(r *rule, c count) {
	if c.packets < r.charged.packets {
		return
	}
	if a := s.instances[r.Instance]; a != nil && r.port != dropPort {
		a.counted.RxPackets += c.packets - r.charged.packets
		a.counted.RxBytes += c.bytes - r.charged.bytes
	}
	r.charged = c
}

func (s *Switch) forget(r *rule) {
	delete(s.flows, r.Flow)
	delete(s.tuples, r.Tuple)
	s.free = append(s.free, r.slot)
	if r.live = false; r.Idle > 0 {
		s.idle--
	}
}

func (s *Switch) ended(r *rule, idle bool, why string, c count) {
	s.queue.Put(hw.Event{Kind: hw.Ended, Idle: idle, Flow: r.Flow, Instance: r.Instance, Tuple: r.Tuple, At: time.Now(),
		Packets: c.packets, Bytes: c.bytes, Reason: why})
}

// report tells of requests that have ended, in the order in which they were made.
func (s *Switch) report() {
	for len(s.underway) > 0 && s.underway[0].done {
		q := s.underway[0]
		s.underway = s.underway[1:]
		if q.silent != nil {
			q.silent()
			continue
		}
		s.queue.Put(q.event)
	}
}

// ---- What is asked for with a context

// do runs f on the goroutine that owns the card. f answers through the function that it is given, at once or later.
func (s *Switch) do(ctx context.Context, f func(answer func(error))) error {
	answered := make(chan error, 1)
	select {
	case s.calls <- func() { f(func(err error) { answered <- err }) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return hw.ErrClosed
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return hw.ErrClosed
	}
}

// lead has the rules of an instance go to its port of today, and answers then.
func (s *Switch) lead(i flow.Instance, answer func(error)) {
	waiting := 1
	one := func() {
		if waiting--; waiting == 0 {
			answer(nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.flows)) {
		if s.flows[id].Instance == i {
			waiting++
			s.backlog = append(s.backlog, &request{op: hw.OpMove, rule: hw.Rule{Flow: id}, asked: time.Now(), silent: one})
		}
	}
	one()
}

// Attach implements hw.Switch.
func (s *Switch) Attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	return s.do(ctx, func(answer func(error)) {
		if err := s.attach(i, at); err != nil {
			answer(fmt.Errorf("doca: %w", err))
			return
		}
		s.lead(i, answer)
	})
}

func (s *Switch) attach(i flow.Instance, at hw.Ports) error {
	if i < 1 {
		return fmt.Errorf("instance %d: want 1 or more", i)
	}
	for _, p := range []string{at.In, at.Out} {
		if _, ok := s.ports[p]; !ok {
			return fmt.Errorf("%q is not a port, which are %q", p, slices.Sorted(maps.Keys(s.ports)))
		}
	}
	if at.Out == s.cfg.Uplink || at.Out == s.cfg.Sink {
		return fmt.Errorf("the output of instance %d is %q, where traffic comes in or goes out", i, at.Out)
	}
	for id, a := range s.instances {
		if id != i && a.at.Out == at.Out {
			return fmt.Errorf("port %q is the output of instance %d already", at.Out, id)
		}
	}
	if err := s.settle(); err != nil { // what was counted until now is charged by what held until now
		return err
	}
	a, out := s.instances[i], s.ports[at.Out]
	if a == nil || a.out != out {
		if err := s.card.egress(out, s.ports[s.cfg.Sink]); err != nil {
			return err
		}
	}
	if a == nil {
		s.instances[i] = &instance{at: at, out: out, counted: telemetry.Counter{Instance: i}}
		return nil
	}
	if a.out != out {
		last, err := s.card.egressEnd(a.out)
		if err != nil {
			return err
		}
		a.before += last.packets
	}
	a.at, a.out = at, out
	return nil
}

// Detach implements hw.Switch.
func (s *Switch) Detach(ctx context.Context, i flow.Instance) (last telemetry.Counter, err error) {
	err = s.do(ctx, func(answer func(error)) {
		a := s.instances[i]
		if a == nil {
			answer(fmt.Errorf("doca: instance %d is not attached", i))
			return
		}
		err := s.settle()
		if err == nil {
			var out count
			out, err = s.card.egressEnd(a.out)
			a.counted.TxPackets = a.before + out.packets
		}
		if err != nil {
			answer(fmt.Errorf("doca: instance %d: %w", i, err))
			return
		}
		last = a.counted
		delete(s.instances, i)
		s.lead(i, answer)
	})
	return last, err
}

// Forward implements hw.Switch.
func (s *Switch) Forward(frame []byte, i flow.Instance) error {
	return s.do(context.Background(), func(answer func(error)) {
		a := s.instances[i]
		if a == nil {
			answer(fmt.Errorf("doca: instance %d is not attached", i))
			return
		}
		d, err := s.device(a.at.In)
		if err == nil {
			_, err = d.Write(frame)
		}
		if err == nil {
			a.counted.RxPackets++
			a.counted.RxBytes += uint64(len(frame))
		}
		answer(err)
	})
}

// settle reads the counters of all rules and charges the instances.
func (s *Switch) settle() error {
	live := make([]*rule, 0, len(s.flows))
	ids := make([]uint32, 0, len(s.flows))
	for _, r := range s.slots {
		if r.live {
			live, ids = append(live, r), append(ids, r.id)
		}
	}
	return s.card.query(ids, func(k int, c count) { s.charge(live[k], c) })
}

// Counters implements hw.Switch.
func (s *Switch) Counters(ctx context.Context) (r hw.Reading, err error) {
	err = s.do(ctx, func(answer func(error)) {
		if err := s.settle(); err != nil {
			answer(fmt.Errorf("doca: counters: %w", err))
			return
		}
		for _, i := range slices.Sorted(maps.Keys(s.instances)) {
			a := s.instances[i]
			out, err := s.card.egressCount(a.out)
			if err != nil {
				answer(fmt.Errorf("doca: counters of instance %d: %w", i, err))
				return
			}
			a.counted.TxPackets = a.before + out.packets
			r.Counters = append(r.Counters, a.counted)
		}
		r.At = time.Now()
		answer(nil)
	})
	return r, err
}

// Rules implements hw.Switch.
func (s *Switch) Rules(ctx context.Context) (r hw.RuleReading, err error) {
	err = s.do(ctx, func(answer func(error)) {
		if err := s.settle(); err != nil {
			answer(fmt.Errorf("doca: rules: %w", err))
			return
		}
		for _, q := range s.flows {
			if q.live {
				r.Rules = append(r.Rules, hw.RuleCount{Rule: q.Rule, Packets: q.charged.packets, Bytes: q.charged.bytes})
			}
		}
		slices.SortFunc(r.Rules, func(a, b hw.RuleCount) int { return cmp.Compare(a.Flow, b.Flow) })
		r.At = time.Now()
		answer(nil)
	})
	return r, err
}

// Events implements hw.Switch.
func (s *Switch) Events() <-chan hw.Event { return s.queue.Events() }

// Capabilities implements hw.Switch.
func (s *Switch) Capabilities() hw.Capabilities {
	return hw.Capabilities{
		Name: "DOCA Flow " + s.release, MaxRules: s.cfg.Rules, CounterLag: s.cfg.CounterLag, IdleResolution: time.Second,
		MoveIsAtomic: s.cfg.MoveInPlace, PacketInQueue: s.cfg.PacketInQueue,
	}
}

// Close takes the rules out of the card and gives it back.
func (s *Switch) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	return nil
}
