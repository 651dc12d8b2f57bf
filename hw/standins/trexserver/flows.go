package trexserver

import (
	"encoding/binary"
	"strconv"
	"sync"
	"time"
)

// Packets of a stream with statistics are marked in their IPv4 header, so that the receiving port can tell them: bit 0
// of the TOS field, and an identification that is firstID+n for the n-th group, or latencyID for all that measure
// latency; those carry their group's number in the last 16 bytes.
const (
	firstID    = 0xfc00
	latencyID  = 0xffff
	statsIDs   = latencyID - firstID // 1023, of each kind
	trailer    = 16
	trailerTag = 0xab
)

// group is a flow-statistics group ("pg_id").
type group struct {
	id       uint32
	latency  bool
	hardware int // the number in its packets
	streams  int // that use it
	version  int

	sent     map[int]*counter // by port
	received map[int]*counter
	seen     map[int]counter // of the port's raw counter
	txMeter  map[int]*meter
	rxMeter  map[int]*meter
	counting bool   // received packets
	seq      uint32 // of the next latency packet
	stale    bool   // stopped: the next start counts nothing, until the filters are removed
	measured *latencyStats
}

// latencyStats is what was measured of a latency group. Receivers write it.
type latencyStats struct {
	mu       sync.Mutex
	on       bool
	received []counter // by port

	any             bool
	average, jitter float64
	last, low, high int64 // µs
	histogram       map[int64]uint64

	order order
}

func (g *group) tx(port int) *counter { return g.sent[port] }

// takeGroup joins a stream to a group, and makes the group if it is the first.
func (s *Server) takeGroup(rule *flowRule, packet []byte) (*group, error) {
	if len(packet) < 34 || binary.BigEndian.Uint16(packet[12:]) != 0x0800 || packet[14] != 0x45 {
		return nil, failed("flow_stats need an IPv4 packet without VLAN tag or options")
	}
	if g := s.groups[rule.id]; g != nil {
		if g.latency || rule.latency {
			return nil, failed("pg_id %d is in use: only rule_type 'stats' can be shared", rule.id)
		}
		g.streams++
		return g, nil
	}
	if rule.latency && len(packet) < 34+8+trailer {
		return nil, failed("packet of %d bytes has no room for the %d bytes of a latency trailer", len(packet), trailer)
	}
	taken := func(i int) bool { return s.hardware[i] != nil }
	if rule.latency {
		taken = func(i int) bool { return s.latency[i].Load() != nil }
	}
	for i := range statsIDs {
		if taken(i) {
			continue
		}
		g := &group{id: rule.id, latency: rule.latency, hardware: i, streams: 1, version: s.versions,
			sent:     map[int]*counter{},
			received: map[int]*counter{}, seen: map[int]counter{}, txMeter: map[int]*meter{}, rxMeter: map[int]*meter{},
			measured: &latencyStats{received: make([]counter, len(s.ports)), histogram: map[int64]uint64{}}}
		s.versions++
		for p := range s.ports {
			g.sent[p], g.received[p], g.txMeter[p], g.rxMeter[p] = &counter{}, &counter{}, &meter{}, &meter{}
		}
		s.groups[rule.id] = g
		if rule.latency {
			s.latency[i].Store(g)
		} else {
			s.hardware[i] = g
		}
		return g, nil
	}
	return nil, failed("all %d flow-statistics counters are in use", statsIDs)
}

func (s *Server) releaseGroup(g *group) {
	if g.streams--; g.streams > 0 {
		return
	}
	delete(s.groups, g.id)
	if g.latency {
		s.latency[g.hardware].Store(nil)
	} else {
		s.hardware[g.hardware] = nil
	}
}

// collect adds what the ports received since the last time.
func (s *Server) collect(g *group) {
	for _, p := range s.ports {
		raw := g.raw(p)
		if g.counting {
			g.received[p.id].packets += raw.packets - g.seen[p.id].packets
			g.received[p.id].bytes += raw.bytes - g.seen[p.id].bytes
		}
		g.seen[p.id] = raw
	}
}

func (g *group) raw(p *port) counter {
	if !g.latency {
		return p.flows[g.hardware].load()
	}
	g.measured.mu.Lock()
	defer g.measured.mu.Unlock()
	return g.measured.received[p.id]
}

// beginCounting lets a start set the receive filters. Filters that a stop left behind keep it from being set.
func (s *Server) beginCounting(g *group) {
	s.collect(g)
	g.counting = !g.stale
	g.measured.mu.Lock()
	g.measured.on, g.measured.order.begun = g.counting, false
	g.measured.mu.Unlock()
	g.seq = 0
}

// removeFilters ends the counting of received packets, until the next start.
func (s *Server) removeFilters(g *group) {
	s.collect(g)
	g.counting, g.stale = false, false
}

// mark writes a group's mark into a packet.
func mark(b []byte, g *group) {
	id := uint16(latencyID)
	if !g.latency {
		id = uint16(firstID + g.hardware)
	}
	b[15] |= 1
	binary.BigEndian.PutUint16(b[18:], id)
	fixIPv4(b[14:])
}

// stamp writes the trailer of a latency packet.
func stamp(b []byte, g *group, now time.Duration) {
	t := b[len(b)-trailer:]
	t[0], t[1] = trailerTag, byte(g.version)
	binary.LittleEndian.PutUint16(t[2:], uint16(g.hardware))
	binary.LittleEndian.PutUint32(t[4:], g.seq)
	g.seq++
	binary.LittleEndian.PutUint64(t[8:], uint64(now))
}

// receive counts a frame that arrived and waited to be read. It is called by the port's receiver alone.
func (p *port) receive(b []byte, waited time.Duration) {
	p.rx.count(b)
	if len(b) < 34 || b[15]&1 == 0 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return
	}
	switch id := binary.BigEndian.Uint16(b[18:]); {
	case id == latencyID:
		p.receiveLatency(b, waited)
	case id >= firstID:
		p.flows[id-firstID].count(b)
	}
}

func (p *port) receiveLatency(b []byte, waited time.Duration) {
	t := b[len(b)-trailer:]
	n := binary.LittleEndian.Uint16(t[2:])
	if t[0] != trailerTag || n >= statsIDs {
		return
	}
	g := p.server.latency[n].Load()
	if g == nil || byte(g.version) != t[1] {
		return
	}
	sent := time.Duration(binary.LittleEndian.Uint64(t[8:]))
	g.measured.add(p.id, len(b)+fcs, binary.LittleEndian.Uint32(t[4:]), p.server.now()-waited-sent)
}

func (l *latencyStats) add(port, size int, seq uint32, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received[port].packets++
	l.received[port].bytes += uint64(size)
	if !l.on {
		return
	}
	l.order.add(seq)
	us := max(0, took.Microseconds())
	if !l.any {
		l.any, l.low, l.high, l.average, l.last = true, us, us, float64(us), us
	}
	// Jitter as in RFC 3550; the average moves with the same weight.
	l.jitter += (float64(max(us-l.last, l.last-us)) - l.jitter) / 16
	l.average += (float64(us) - l.average) / 16
	l.last, l.low, l.high = us, min(l.low, us), max(l.high, us)
	l.histogram[bucket(us)]++
}

// order finds lost, late and repeated packets by their numbers, as RFC 4737 has it: a packet is out of order if its
// number is smaller than one that came before.
type order struct {
	begun                bool
	next                 uint32 // the number expected
	lost, late, repeated uint64
	tooHigh, tooLow      uint64 // how often the number was another than expected
}

func (o *order) add(seq uint32) {
	ahead := int32(seq - o.next) // numbers wrap around
	switch {
	case !o.begun:
		// Packets that were lost before the first one are lost too.
		o.begun, o.lost = true, o.lost+uint64(seq)
		if seq > 0 {
			o.tooHigh++
		}
		o.next = seq + 1
	case ahead >= 0:
		if ahead > 0 {
			o.lost += uint64(ahead)
			o.tooHigh++
		}
		o.next = seq + 1
	case ahead == -1:
		o.repeated++
		o.tooLow++
	default:
		o.late++
		o.tooLow++
		if o.lost > 0 { // it had been taken for lost
			o.lost--
		}
	}
}

// bucket is the lower end of a latency's bucket: one digit of precision, 0 below 10 µs.
func bucket(us int64) int64 {
	if us < 10 {
		return 0
	}
	width := int64(10)
	for us/width >= 10 {
		width *= 10
	}
	return us / width * width
}

// report is a latency group's part of get_pgid_stats, nil before the first packet.
func (l *latencyStats) report() any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.any {
		return nil
	}
	histogram := dict{}
	for us, n := range l.histogram {
		histogram[strconv.FormatInt(us, 10)] = n
	}
	d := dict{"lat": dict{"average": real(int64(l.average)), "jit": int64(l.jitter), "last_max": l.high,
		"total_max": l.high,
		"total_min": l.low, "histogram": histogram}}
	if o := l.order; o.tooHigh+o.tooLow > 0 {
		d["er"] = dict{"drp": o.lost, "ooo": o.late, "dup": o.repeated, "sth": o.tooHigh, "stl": o.tooLow}
	}
	return d
}

// flowStats is the result of get_pgid_stats. No numbers mean all groups.
func (s *Server) flowStats(ids []uint32) any {
	if len(ids) == 0 {
		for id := range s.groups {
			ids = append(ids, id)
		}
	}
	flows, latency, versions := dict{}, dict{"g": nil}, dict{}
	now := s.now()
	for _, id := range ids {
		g := s.groups[id]
		if g == nil {
			continue
		}
		s.collect(g)
		key := strconv.FormatUint(uint64(id), 10)
		d := dict{"tp": dict{}, "tb": dict{}, "tps": dict{}, "tbs": dict{}, "rp": dict{}, "rb": dict{}, "rps": dict{},
			"rbs": dict{}}
		for i := range s.ports {
			port := strconv.Itoa(i)
			for dir, c := range map[string]struct {
				*counter
				*meter
			}{"t": {g.sent[i], g.txMeter[i]}, "r": {g.received[i], g.rxMeter[i]}} {
				c.update(now, *c.counter)
				d[dir+"p"].(dict)[port], d[dir+"b"].(dict)[port] = c.packets, c.counter.bytes
				d[dir+"ps"].(dict)[port], d[dir+"bs"].(dict)[port] = round2(c.pps), round2(c.bps)
			}
		}
		flows[key], versions[key] = d, g.version
		if r := g.measured.report(); g.latency && r != nil {
			latency[key] = r
		}
	}
	if len(flows) == 0 {
		return dict{"flow_stats": nil, "latency": latency, "ver_id": nil}
	}
	return dict{"flow_stats": flows, "latency": latency, "ver_id": versions}
}

// activeGroups is the result of get_active_pgids.
func (s *Server) activeGroups() any {
	stats, latency := []uint32{}, []uint32{}
	for _, g := range s.hardware {
		if g != nil {
			stats = append(stats, g.id)
		}
	}
	for i := range s.latency {
		if g := s.latency[i].Load(); g != nil {
			latency = append(latency, g.id)
		}
	}
	return dict{"ids": dict{"flow_stats": stats, "latency": latency}}
}
