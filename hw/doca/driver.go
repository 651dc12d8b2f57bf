//go:build doca

package doca

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/internal/netdev"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Built says whether this program has DOCA Flow.
const Built = true

// Switch drives the card. One goroutine, that of thread, talks to the card and owns all fields below the line.
type Switch struct {
	cfg     Config
	queue   *hw.Queue
	calls   chan func()
	wake    chan struct{} // holds a token when the inbox is not empty
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	uplink  io.ReadCloser

	mu    sync.Mutex
	inbox []*request

	// --- of the goroutine
	card      card
	release   string
	ports     map[string]int
	flows     map[flow.ID]*rule
	tuples    map[flow.FiveTuple]*rule
	slots     []*rule // by cookie
	free      []int
	idle      int // rules that may end for lack of packets
	instances map[flow.Instance]*instance
	backlog   []*request // not sent yet
	underway  []*request // in order, not reported yet
	orders    []order    // of requests that are under way; the card has not taken them yet
}

// rule is an entry of the card, or one that is being added.
type rule struct {
	hw.Rule
	slot    int
	id      uint32 // the shim's
	live    bool   // the card has answered
	port    int    // to which it forwards
	charged count  // the part of its count that instances were charged with
	busy    *request
}

type instance struct {
	at      hw.Ports
	counted telemetry.Counter
	out     int            // port with an entry in the egress pipe
	before  uint64         // what came out by earlier ports
	in      io.WriteCloser // what Forward writes to; opened at its first call, and again after a change of ports
}

func (a *instance) unplug() {
	if a.in != nil {
		a.in.Close()
		a.in = nil
	}
}

// request is an Install, Move or Remove, or a new port for a rule whose instance was attached, moved or detached.
type request struct {
	op     hw.Op
	kind   hw.EventKind // of its end
	done   bool
	rule   hw.Rule
	port   int
	asked  time.Time
	ended  time.Time
	last   count  // with a confirmed removal
	reason string // of a refusal
	silent func() // called instead of an event
}

var _ hw.Switch = (*Switch)(nil)

// thread calls functions on the one thread of this process that talks to the SDK. DPDK can be started only once in a
// process, and pins the thread that starts it.
var thread = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread() // never unlocked
		for call := range calls {
			call()
		}
	}()
	return calls
})

// taken says that the thread has a Switch.
var taken atomic.Bool

// Open starts the card, which removes all earlier rules. A process can have one card at a time.
func Open(cfg Config) (hw.Switch, error) {
	cfg.defaults()
	switch {
	case cfg.StandIn != nil && !HasStandIn:
		return nil, errors.New("doca: this program has the SDK, and no stand-in for it")
	case HasStandIn && cfg.StandIn == nil && cfg.Reader == nil:
		return nil, errors.New("doca: this program has the stand-in for the SDK, and drives no card: it wants to be " +
			"told which devices to forward between (stand_in)")
	case cfg.Reader == nil:
		cfg.Reader, cfg.Writer = netdev.Reader, netdev.Writer
	}
	s := &Switch{
		cfg: cfg, queue: hw.NewQueue(cfg.PacketInQueue), calls: make(chan func()), wake: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
		ports: map[string]int{cfg.Uplink: 0},
		flows: map[flow.ID]*rule{}, tuples: map[flow.FiveTuple]*rule{}, instances: map[flow.Instance]*instance{},
	}
	for k, name := range cfg.Ports {
		if _, twice := s.ports[name]; twice || name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
			return nil, fmt.Errorf("doca: port %d is %q: want names that differ, without space", k+1, name)
		}
		s.ports[name] = k + 1
	}
	if _, ok := s.ports[cfg.Sink]; !ok {
		return nil, fmt.Errorf("doca: sink %q is not a port, which are %q", cfg.Sink, slices.Sorted(maps.Keys(s.ports)))
	}
	if !taken.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("doca: %s: this process has a card open already", cfg.PCI)
	}
	opened := make(chan error)
	thread() <- func() { s.run(opened) }
	if err := <-opened; err != nil {
		<-s.done
		return nil, fmt.Errorf("doca: %s: %w", cfg.PCI, err)
	}
	return s, nil
}

// defaults fills in the zero fields of a Config.
func (c *Config) defaults() {
	if c.Sink == "" {
		c.Sink = c.Uplink
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
	s.present()
	err := s.card.open(&s.cfg)
	if err != nil {
		return err
	}
	s.release = s.card.release()
	if err = s.wire(); err == nil {
		s.uplink, err = s.cfg.Reader(s.cfg.Uplink)
	}
	if err != nil {
		s.unwire()
		s.card.close()
	}
	return err
}

func (s *Switch) run(opened chan<- error) {
	defer func() {
		taken.Store(false)
		close(s.done)
	}()
	err := s.start()
	opened <- err
	if err != nil {
		s.queue.Close()
		return
	}
	var reader sync.WaitGroup
	reader.Go(func() { s.read(s.uplink) })
	defer func() {
		s.unwire()
		s.card.close()
		s.uplink.Close()
		for _, a := range s.instances {
			a.unplug()
		}
		reader.Wait()
		s.queue.Close()
	}()
	age := time.NewTicker(time.Second / 2)
	defer age.Stop()
	for {
		s.submit()
		if s.card.pending() > 0 || len(s.orders) > 0 {
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

// Events implements hw.Switch.
func (s *Switch) Events() <-chan hw.Event { return s.queue.Events() }

// Capabilities implements hw.Switch.
func (s *Switch) Capabilities() hw.Capabilities {
	c := s.cfg.Capabilities()
	c.Name += " " + s.release
	return c
}

// Close takes the rules out of the card and gives it back.
func (s *Switch) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	return nil
}
