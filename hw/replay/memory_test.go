package replay_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
)

// rack is a testbed in memory: a switch, containers that forward, and a generator.
type rack struct {
	*simswitch.Device
	*engine
	*generator
	during func()                    // called when a run begins
	wrap   func(hw.Switch) hw.Switch // what the run takes for its switch
	calls  *calls                    // that were made of generator and engine
}

// calls are their names in order.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, name)
}

// since are the calls after the first n.
func (c *calls) since(n int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list[n:])
}

const poolSize = 4

func newRack(rules int) *rack {
	var ports []string
	for i := range poolSize {
		ports = append(ports, port(i))
	}
	d := simswitch.New(simswitch.Config{Uplink: "up", Sink: "sink", Ports: ports, Rules: rules,
		Latency: time.Millisecond})
	r := &rack{Device: d, engine: newEngine(d), generator: &generator{d: d}, calls: &calls{}}
	r.engine.calls, r.generator.calls = r.calls, r.calls
	d.Connect("sink", r.generator.back)
	return r
}

func port(i int) string { return fmt.Sprintf("port%d", i) }

// open is the testbed as a run gets it. Its switch is closed with the test.
func (r *rack) open(t *testing.T) replay.Hardware {
	t.Helper()
	sw, err := r.Device.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sw.Close() })
	h := replay.Hardware{Name: "memory", Switch: sw, Containers: r.engine, Generator: r.generator}
	if r.wrap != nil {
		h.Switch = r.wrap(sw)
	}
	return h
}

// engine runs containers that send back what they get, up to a rate.
type engine struct {
	d      *simswitch.Device
	deaths chan hw.Death

	mu       sync.Mutex
	running  map[flow.Instance]*box
	pool     []string
	takes    time.Duration // to start
	capacity float64       // packets a second; 0 for no limit
	broken   error         // what Create fails with
	away     error         // what Delete fails with
	delay    time.Duration // that a packet stays in a container
	calls    *calls
}

type box struct {
	port string
	dead bool
}

// bucket lets packets through up to a rate.
type bucket struct {
	mu     sync.Mutex
	rate   float64 // 0 for no limit
	credit float64
	since  time.Time
}

func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.credit, b.since = math.Min(20, b.credit+now.Sub(b.since).Seconds()*b.rate), now
	if b.rate > 0 && b.credit < 1 {
		return false
	}
	b.credit--
	return true
}

func newEngine(d *simswitch.Device) *engine {
	e := &engine{d: d, deaths: make(chan hw.Death, 16), running: map[flow.Instance]*box{}, takes: 5 * time.Millisecond}
	for i := range poolSize {
		e.pool = append(e.pool, port(i))
	}
	return e
}

func (e *engine) Create(ctx context.Context, i flow.Instance) (hw.Container, error) {
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return hw.Container{}, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken != nil {
		return hw.Container{}, e.broken
	}
	if len(e.pool) == 0 {
		return hw.Container{}, errors.New("no port is free")
	}
	p := e.pool[0]
	e.pool = e.pool[1:]
	e.running[i] = &box{port: p}
	b := bucket{rate: e.capacity, since: time.Now()}
	e.d.Connect(p, func(frame []byte) {
		if !b.take() {
			return
		}
		if e.delay > 0 {
			frame = slices.Clone(frame)
			time.AfterFunc(e.delay, func() { e.d.Send(p, frame) })
			return
		}
		e.d.Send(p, frame)
	})
	return hw.Container{Instance: i, ID: p, Ports: hw.Ports{In: p, Out: p}, Running: true, Started: e.takes,
		Ready: e.takes}, nil
}

func (e *engine) Delete(_ context.Context, i flow.Instance) error {
	e.calls.add("delete")
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away != nil {
		return e.away
	}
	if b := e.running[i]; b != nil {
		e.d.Connect(b.port, nil)
		e.pool = append(e.pool, b.port)
		delete(e.running, i)
	}
	return nil
}

// leave makes Delete fail from now on; nil ends that.
func (e *engine) leave(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = err
}

func (e *engine) Kill(_ context.Context, i flow.Instance) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.running[i]
	if b == nil {
		return fmt.Errorf("no instance %d", i)
	}
	b.dead = true
	e.d.Connect(b.port, nil)
	e.deaths <- hw.Death{Instance: i, At: time.Now(), Reason: "killed"}
	return nil
}

func (e *engine) List(context.Context) ([]hw.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []hw.Container
	for i, b := range e.running {
		all = append(all, hw.Container{Instance: i, ID: b.port, Running: !b.dead})
	}
	slices.SortFunc(all, func(a, b hw.Container) int { return int(a.Instance - b.Instance) })
	return all, nil
}

func (e *engine) Deaths() <-chan hw.Death { return e.deaths }
func (e *engine) Close() error            { return nil }

// generator sends in real time.
type generator struct {
	d *simswitch.Device

	mu      sync.Mutex
	streams []hw.Stream
	traffic hw.Traffic
	stop    chan struct{}
	stopped sync.WaitGroup
	gone    error // what Counters fails with
	blind   bool  // does not tell flows apart
	down    string
	calls   *calls

	// What becomes of the n-th packet: it is sent, never sent, lost before the switch counts it, lost on the slow path
	// by the driver, or on the way back; and what comes back may be late.
	fate func(n uint64) fate
	slow atomic.Uint64 // packets lost on the slow path
}

type fate uint8

const (
	whole fate = iota
	unsent
	lostBefore
	lostSlow
	lostBack
	late
)

// fail makes Counters fail from now on; nil ends that.
func (g *generator) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = err
}

func (g *generator) Load(_ context.Context, s []hw.Stream) error {
	g.streams = s
	g.traffic = hw.Traffic{}
	seen := map[flow.ID]bool{}
	for i := range s {
		if !seen[s[i].Flow] {
			seen[s[i].Flow] = true
			g.traffic.Flows = append(g.traffic.Flows, hw.FlowCounts{Flow: s[i].Flow})
		}
	}
	return nil
}

func (g *generator) Start(context.Context) (time.Time, error) {
	g.calls.add("start")
	g.stop = make(chan struct{})
	g.slow.Store(0)
	zero, n := time.Now(), uint64(0)
	g.stopped.Add(1)
	go func() {
		defer g.stopped.Done()
		sent := make([]int, len(g.streams))
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-g.stop:
				return
			case <-tick.C:
			}
			now := time.Since(zero)
			for i := range g.streams {
				s := &g.streams[i]
				due := int(math.Round((min(now, s.End) - s.Start).Seconds() * float64(s.Rate)))
				for ; sent[i] < due; sent[i]++ {
					n++
					var f fate
					if g.fate != nil {
						f = g.fate(n)
					}
					if f == unsent {
						continue
					}
					g.count(s.Tuple,
						func(c *hw.FlowCounts) {
							c.Sent++
							g.traffic.Sent++
							g.traffic.SentB += uint64(
								s.FrameSize) - 4
						})
					switch f {
					case lostBefore:
						continue
					case lostSlow:
						g.slow.Add(1)
						continue
					}
					b := frame(s.Tuple, int(s.FrameSize))
					b[0] = byte(f)
					g.d.Send("up", b)
				}
			}
		}
	}()
	return zero, nil
}

func (g *generator) count(t flow.FiveTuple, add func(*hw.FlowCounts)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.streams {
		if g.streams[i].Tuple == t {
			for k := range g.traffic.Flows {
				if g.traffic.Flows[k].Flow == g.streams[i].Flow {
					add(&g.traffic.Flows[k])
					return
				}
			}
		}
	}
}

func (g *generator) back(frame []byte) {
	t, _ := hw.TupleOf(frame)
	switch fate(frame[0]) {
	case lostBack:
		return
	case late:
		g.count(t, func(c *hw.FlowCounts) { c.Reordered++ })
	}
	g.count(t, func(c *hw.FlowCounts) { c.Received++; g.traffic.Received++; g.traffic.ReceivedB += uint64(len(frame)) })
}

func (g *generator) Counters(context.Context) (hw.Traffic, error) {
	g.calls.add("read")
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone != nil {
		return hw.Traffic{}, g.gone
	}
	t := g.traffic
	t.At, t.Flows, t.Down, t.Ordered = time.Now(), slices.Clone(t.Flows), g.down, true
	if g.blind {
		t.Flows = nil
	}
	return t, nil
}

func (g *generator) Stop(context.Context) error {
	g.calls.add("stop")
	if g.stop != nil {
		close(g.stop)
		g.stopped.Wait()
		g.stop = nil
	}
	return nil
}

func (g *generator) Close() error { return nil }

// frame is an Ethernet frame of a five-tuple of IPv4 and UDP, without check sequence.
func frame(t flow.FiveTuple, size int) []byte {
	b := make([]byte, max(size, 64)-4)
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	b[14], b[23] = 0x45, t.Proto
	src, dst := t.Src.As4(), t.Dst.As4()
	copy(b[26:], src[:])
	copy(b[30:], dst[:])
	binary.BigEndian.PutUint16(b[34:], t.SrcPort)
	binary.BigEndian.PutUint16(b[36:], t.DstPort)
	return b
}
