package trexserver

import (
	"container/heap"
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// batch is how many frames are handed to the device at once.
const batch = 64

// source is a stream at work. Packet n of a burst goes out at base + n*period, computed anew for each packet, so that
// errors do not add up.
type source struct {
	stream  *stream
	profile *profile
	program *program
	packet  []byte // the stream's, with the port's addresses and the statistics' marks
	order   uint64 // of simultaneous packets

	base   time.Duration
	last   time.Duration // when the packet before was due
	n      uint64
	period float64 // ns
	due    time.Duration
	left   uint64 // packets of the burst; 0: endless
	bursts uint64 // after this one; 0: none
	paused bool
}

// sources is a heap of those that will send, the next one first.
type sources []*source

func (h sources) Len() int { return len(h) }
func (h sources) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].order < h[j].order
}
func (h sources) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *sources) Push(x any)   { *h = append(*h, x.(*source)) }
func (h *sources) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}

// check finds mistakes that add_stream lets pass: a packet that the interface does not take, a program that does not
// fit its packet.
func (p *port) check(st *stream) (*program, error) {
	if most := p.device.MTU() + ethernetHeader; len(st.packet) > most {
		return nil, failed("*** error: stream %d has a packet of %d bytes, interface %s takes %d", st.id,
			len(st.packet), p.device.Name(), most)
	}
	prog, err := compile(st.program, len(st.packet))
	if err != nil {
		return nil, failed("*** error: %v", err)
	}
	return prog, nil
}

// source prepares a stream to be sent.
func (p *port) source(f *profile, st *stream) (*source, error) {
	prog, err := p.check(st)
	if err != nil {
		return nil, err
	}
	src := &source{stream: st, profile: f, program: prog, packet: append([]byte(nil), st.packet...), paused: st.paused}
	if st.flags&1 == 0 {
		copy(src.packet[6:12], p.mac)
	}
	if st.flags&6 == 0 {
		copy(src.packet[:6], p.peer)
	}
	if st.group != nil {
		mark(src.packet, st.group)
	}
	return src, nil
}

// slowest is the rate in packets a second below which a stream counts as silent.
const slowest = 1e-9

// launch lets a source send its first packet a gap after a moment. A source whose rate is 0 never sends.
func (p *port) launch(src *source, at time.Duration) {
	st := src.stream
	pps := st.pps(defaultSpeed)
	if !st.latency {
		pps *= src.profile.factor
	}
	if !(pps > slowest) {
		return
	}
	src.base, src.n, src.period = at+nanos(st.gap*1e3), 0, 1e9/pps
	src.due, src.left, src.bursts = src.base, st.total, 0
	if st.mode == "multi_burst" {
		src.bursts = st.bursts - 1 // 0 - 1: for ever
	}
	src.order = p.started
	p.started++
	src.profile.running++
	heap.Push(&p.sources, src)
}

// grace is how long after its end traffic may still be sent; what is left then is dropped.
const grace = 100 * time.Millisecond

// advance sends the packets that are due, up to the given number, and ends what is over. It returns when the next
// packet is due, which may be in the past; a negative time means that there is none.
func (p *port) advance(now time.Duration, packets int) time.Duration {
	for packets > 0 && len(p.sources) > 0 && p.sources[0].due <= now {
		packets -= p.step(now, min(packets, batch))
	}
	next := time.Duration(-1)
	if len(p.sources) > 0 {
		next = p.sources[0].due
	}
	for _, name := range p.names {
		f := p.profiles[name]
		if f.state != trex.Sending {
			continue
		}
		over := f.timed && f.end <= now && (next < 0 || next > f.end || f.end+grace <= now)
		if over || f.running == 0 {
			p.finish(f, trex.EventDone)
		} else if f.timed && (next < 0 || f.end < next) {
			next = f.end
		}
	}
	return next
}

// step sends one batch, of so many packets at most, and returns how many it took from their streams.
func (p *port) step(now time.Duration, packets int) (taken int) {
	n := 0
	for ; taken < packets && len(p.sources) > 0 && p.sources[0].due <= now; taken++ {
		src := p.sources[0]
		f := src.profile
		if f.timed && src.due > f.end {
			// The heap is in order of time, so this profile is over; finish takes its other sources out.
			p.finish(f, trex.EventDone)
			break
		}
		if !src.paused && f.state != trex.Paused {
			p.frames[n], p.sent[n] = p.frame(n, src), src
			n++
		}
		p.forward(src)
	}
	for i := 0; i < n; {
		sent, err := p.device.Send(p.frames[i:n])
		for ; sent > 0; sent-- {
			size := uint64(len(p.frames[i]) + fcs)
			p.tx.packets++
			p.tx.bytes += size
			if g := p.sent[i].stream.group; g != nil {
				g.tx(p.id).packets++
				g.tx(p.id).bytes += size
			}
			i++
		}
		if err != nil {
			p.txErrors++
			i++
		}
	}
	clear(p.sent[:n])
	return taken
}

// frame is a source's next packet. Where each packet differs, it is written into the batch's own room.
func (p *port) frame(n int, src *source) []byte {
	if len(src.program.steps) == 0 && !src.stream.latency {
		return src.packet
	}
	b := append(p.room[n][:0], src.packet...)
	p.room[n] = b
	src.program.run(b)
	if src.stream.latency {
		stamp(b, src.stream.group, p.server.now())
		fixTransport(b[ethernetHeader:])
	}
	return b
}

// forward moves the first source of the heap to its next packet, its next burst or its next stream.
func (p *port) forward(src *source) {
	last := src.due
	src.last = last
	src.n++
	src.due = src.base + nanos(float64(src.n)*src.period)
	if src.left == 1 {
		if src.bursts == 0 {
			heap.Pop(&p.sources)
			src.profile.running--
			p.follow(src, last)
			return
		}
		src.bursts--
		src.base, src.n, src.left = last+nanos(src.stream.between*1e3), 0, src.stream.total
		src.due = src.base
	} else if src.left > 0 {
		src.left--
	}
	heap.Fix(&p.sources, 0)
}

// follow starts the stream that comes after one that ended.
func (p *port) follow(src *source, at time.Duration) {
	st := src.profile.streams[uint32(src.stream.next)]
	if src.stream.next < 0 || st == nil || !st.enabled {
		return
	}
	// Streams may follow each other in a circle: a circle that takes no time would never end.
	at = max(at, src.base+nanos(src.period))
	if next, err := p.source(src.profile, st); err == nil && p.within(src) {
		p.launch(next, at)
	}
}

// within counts how often a stream's successor was started, where its action_count limits that.
func (p *port) within(src *source) bool {
	if src.stream.actions == 0 {
		return true
	}
	src.profile.followed[src.stream.id]++
	return src.profile.followed[src.stream.id] <= src.stream.actions
}

// setRate gives a profile's sources, the given streams' or all, their streams' rates times factor. Latency streams keep
// theirs. Packets already sent keep their times.
func (p *port) setRate(f *profile, factor float64, only map[uint32]bool, now time.Duration) {
	for _, src := range p.sources {
		if src.profile != f || src.stream.latency || only != nil && !only[src.stream.id] {
			continue
		}
		src.period = 1e9 / max(src.stream.pps(defaultSpeed)*factor, slowest)
		if src.n > 0 {
			src.due = max(now, src.last+nanos(src.period))
			src.base, src.n = src.due-nanos(src.period), 1
		}
	}
	heap.Init(&p.sources)
	p.wake()
}
