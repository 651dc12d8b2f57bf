package trexserver

import (
	"container/heap"
	"maps"
	"math"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// port is one of the generator's ports.
type port struct {
	server *Server
	id     int
	device Device
	mac    net.HardwareAddr
	peer   net.HardwareAddr

	user    string // of the owner
	session uint32
	handler string // empty: free

	service, filtered, promiscuous bool

	profiles map[string]*profile
	names    []string // of the profiles, sorted
	sources  sources
	started  uint64 // sources so far, for the order of simultaneous packets

	frames [batch][]byte // of the batch under way
	room   [batch][]byte // for frames that differ from their stream's packet
	sent   [batch]*source

	tx             counter
	txErrors       uint64
	rx             atomicCounter
	flows          [statsIDs]atomicCounter
	txRate, rxRate meter
	xmit           chan struct{} // something to send
}

// counter counts packets and bytes, with check sequence.
type counter struct{ packets, bytes uint64 }

// atomicCounter is one that a receiver writes and everyone reads.
type atomicCounter struct{ packets, bytes atomic.Uint64 }

func (c *atomicCounter) load() counter { return counter{c.packets.Load(), c.bytes.Load()} }

func (c *atomicCounter) count(frame []byte) {
	c.packets.Add(1)
	c.bytes.Add(uint64(len(frame) + fcs))
}

// defaultProfile is the profile of commands that name none.
const defaultProfile = "_"

// profile is a set of streams that start and stop together.
type profile struct {
	name    string
	streams map[uint32]*stream
	state   trex.State
	factor  float64
	end     time.Duration
	timed   bool
	running int // sources that will send again

	followed map[uint32]uint64 // how often a stream was followed by its next one
}

func newPort(s *Server, id int, d Device) *port {
	p := &port{server: s, id: id, device: d, mac: d.MAC(), peer: make(net.HardwareAddr, 6),
		profiles: map[string]*profile{}, xmit: make(chan struct{}, 1)}
	p.profile(defaultProfile)
	return p
}

// profile returns the profile of that name, and makes it if it is new.
func (p *port) profile(name string) *profile {
	f := p.profiles[name]
	if f == nil {
		f = &profile{name: name, streams: map[uint32]*stream{}, state: trex.Idle}
		p.profiles[name] = f
		p.names = slices.Sorted(maps.Keys(p.profiles))
	}
	return f
}

func profileName(o object) string {
	if o.has("profile_id") {
		return o.str("profile_id")
	}
	return defaultProfile
}

// existing returns a profile that must be there.
func (p *port) existing(name string) (*profile, error) {
	if f := p.profiles[name]; f != nil {
		return f, nil
	}
	return nil, failed("profile_id %s does not exists", name)
}

// ids are the numbers of a profile's streams, sorted.
func (f *profile) ids() []uint32 { return slices.Sorted(maps.Keys(f.streams)) }

// must refuses a command in any but the given states.
func (f *profile) must(command string, states ...trex.State) error {
	if slices.Contains(states, f.state) {
		return nil
	}
	return failed("command '%s' cannot be executed on current state: '%s on profile_id(%s).", command, f.state, f.name)
}

// state is the port's, made of its profiles'.
func (p *port) state() trex.State {
	best := trex.Idle
	for _, s := range []trex.State{trex.Ready, trex.Paused, trex.Sending} {
		for _, f := range p.profiles {
			if f.state == s {
				best = s
			}
		}
	}
	return best
}

// remove takes streams out of a profile, and gives back their statistics groups.
func (p *port) remove(f *profile, ids ...uint32) {
	for _, id := range ids {
		if st := f.streams[id]; st.group != nil {
			p.server.releaseGroup(st.group)
		}
		delete(f.streams, id)
	}
	if f.state == trex.Ready && len(f.streams) == 0 {
		f.state = trex.Idle
	}
}

// start begins to send a profile's streams with their rates multiplied by factor.
func (p *port) start(f *profile, factor float64, at, end time.Duration, timed bool) error {
	f.factor, f.end, f.timed, f.running, f.followed = factor, end, timed, 0, map[uint32]uint64{}
	var first []*source
	for _, id := range f.ids() {
		st := f.streams[id]
		if !st.enabled {
			continue
		}
		src, err := p.source(f, st)
		if err != nil {
			return err
		}
		if st.self {
			first = append(first, src)
		}
	}
	for _, src := range first {
		p.launch(src, at)
	}
	for _, st := range f.streams {
		if st.group != nil {
			p.server.beginCounting(st.group)
		}
	}
	f.state = trex.Sending
	p.emitBoth(trex.EventStarted, f.name)
	p.wake()
	return nil
}

// wake tells the sender that what it waits for has changed.
func (p *port) wake() {
	select {
	case p.xmit <- struct{}{}:
	default:
	}
}

// finish ends a profile's traffic, with the event that says why.
func (p *port) finish(f *profile, why trex.EventType) {
	kept := p.sources[:0]
	for _, src := range p.sources {
		if src.profile != f {
			kept = append(kept, src)
		}
	}
	clear(p.sources[len(kept):])
	p.sources = kept
	heap.Init(&p.sources)
	for _, st := range f.streams {
		if st.group != nil {
			st.group.stale = true
		}
	}
	f.state = trex.Ready
	p.emitBoth(why, f.name)
}

// meter is a moving average of a counter's rate, over windows of at least a second, each weighing one half.
type meter struct {
	at       time.Duration
	seen     counter
	pps, bps float64
}

func (m *meter) update(now time.Duration, c counter) {
	span := (now - m.at).Seconds()
	if span < 1 {
		return
	}
	m.pps = m.pps/2 + float64(c.packets-m.seen.packets)/span/2
	m.bps = m.bps/2 + float64(c.bytes-m.seen.bytes)*8/span/2
	if m.pps < 1e-9 {
		m.pps, m.bps = 0, 0
	}
	m.at, m.seen = now, c
}

func (p *port) measure() {
	now := p.server.now()
	p.txRate.update(now, p.tx)
	p.rxRate.update(now, p.rx.load())
}

// round2 keeps two digits after the point, as per-flow rates are given.
func round2(f float64) real { return real(math.Round(f*100) / 100) }
