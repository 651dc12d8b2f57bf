// Package telemetry is the metrics collector: it turns the cumulative counters that a switch keeps for each instance
// into rates over the window between two readings.
//
// A reading says when the switch held its values (Sampled), and rates are taken between those instants, so a reading
// that arrives late yields the right rate, only later. Three things go wrong in practice and are handled here:
//
//   - a reading arrives out of order, or twice: it is older than what is known, and is ignored;
//   - an instance is missing from a reading: its rate is kept and marked stale until it appears again, and then spans
//     the whole gap;
//   - an instance is new, and readings lack it while it starts: its first rate begins with the last reading before it
//     was ready, not with its creation;
//   - a counter falls below its previous value: it was reset, and what it shows now is all that was counted since.
package telemetry

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Counter is what the switch has counted for one instance since the instance was created, over all of its rules.
// A value below the previous one means that the counter was reset.
type Counter struct {
	Instance  flow.Instance `json:"instance"`
	RxPackets uint64        `json:"rx"`       // forwarded to the instance
	TxPackets uint64        `json:"tx"`       // came back from the instance
	RxBytes   uint64        `json:"rx_bytes"` // frame bytes forwarded to the instance
}

// RuleCounter is what the switch has counted for one flow's rule since the rule was installed. A move keeps the count,
// and a removal ends it.
type RuleCounter struct {
	Flow    flow.ID `json:"flow"`
	Packets uint64  `json:"packets"` // forwarded to an instance
}

// Rate is what is known of one instance. All rates are means over the instance's last window.
type Rate struct {
	Rx      float64    // packets a second forwarded to the instance
	Tx      float64    // packets a second that came back from it
	RxBits  float64    // frame bits a second forwarded to it
	Known   bool       // false until its first reading
	Stale   bool       // the last reading did not mention it: the rates are those of an earlier window
	Sampled units.Time // end of the window that the rates describe
}

type entry struct {
	tracked bool
	ready   units.Time // when it began to take packets; Never before
	last    Counter
	rate    Rate
	reports bool  // it has had one
	cpu     int64 // of the last
	usage   Usage
}

// Collector keeps the last reading and the rates. Its zero value is ready; the run starts at time 0 with all counters
// at zero.
type Collector struct {
	entries []entry // by instance number
	sampled units.Time
	read    bool
	resets  []flow.Instance

	reported units.Time // instant that the last accepted reports describe; 0 before the first
}

// Track starts to follow an instance, whose counters count from zero. A number below 1 is ignored.
func (c *Collector) Track(id flow.Instance) {
	if id < 1 {
		return
	}
	for int(id) >= len(c.entries) {
		c.entries = append(c.entries, entry{})
	}
	c.entries[id] = entry{tracked: true, ready: units.Never,
		last: Counter{Instance: id}, rate: Rate{Sampled: c.sampled}}
}

// Ready says that a tracked instance takes packets from now on. What it counts, it has counted since.
func (c *Collector) Ready(id flow.Instance, now units.Time) {
	if c.tracks(id) {
		c.entries[id].ready = now
	}
}

// Forget stops following an instance.
func (c *Collector) Forget(id flow.Instance) {
	if c.tracks(id) {
		c.entries[id] = entry{}
	}
}

func (c *Collector) tracks(id flow.Instance) bool {
	return id >= 1 && int(id) < len(c.entries) && c.entries[id].tracked
}

// Read takes a reading. It reports false, and changes nothing, if the reading is no newer than the last one. Counters
// of instances that are not tracked are ignored. The cost grows with the length of the reading alone.
func (c *Collector) Read(sampled units.Time, counters []Counter) bool {
	if sampled <= c.sampled {
		return false
	}
	c.resets = c.resets[:0]
	for i := range counters {
		n := &counters[i]
		if !c.tracks(n.Instance) {
			continue
		}
		e := &c.entries[n.Instance]
		if e.rate.Sampled == sampled { // a second row of the same instance
			continue
		}
		was, r := &e.last, &e.rate
		if n.RxPackets < was.RxPackets || n.TxPackets < was.TxPackets || n.RxBytes < was.RxBytes {
			*was = Counter{}
			c.resets = append(c.resets, n.Instance)
		}
		since := r.Sampled
		if !r.Known {
			since = max(since, min(c.sampled, e.ready))
		}
		span := (sampled - since).Seconds()
		r.Rx = float64(n.RxPackets-was.RxPackets) / span
		r.Tx = float64(n.TxPackets-was.TxPackets) / span
		r.RxBits = 8 * float64(n.RxBytes-was.RxBytes) / span
		r.Known, r.Sampled = true, sampled
		*was = *n
	}
	c.sampled, c.read = sampled, true
	return true
}

// Rate is what is known of an instance; the zero Rate if it is not tracked.
func (c *Collector) Rate(id flow.Instance) (r Rate) {
	c.RateTo(id, &r)
	return r
}

// RateTo writes what Rate says to r. It is faster, because r is not copied once more.
func (c *Collector) RateTo(id flow.Instance, r *Rate) {
	if !c.tracks(id) {
		*r = Rate{}
		return
	}
	*r = c.entries[id].rate
	r.Stale = c.read && r.Sampled < c.sampled
}

// Packets are the packet rates that Rate says.
func (c *Collector) Packets(id flow.Instance) (rx, tx float64) {
	if !c.tracks(id) {
		return 0, 0
	}
	r := &c.entries[id].rate
	return r.Rx, r.Tx
}

// Sampled is the instant that the last accepted reading describes; 0 before the first.
func (c *Collector) Sampled() units.Time { return c.sampled }

// HasRead reports whether any reading was accepted.
func (c *Collector) HasRead() bool { return c.read }

// Resets lists the instances whose counters were found reset by the last accepted reading. It is valid until the next.
func (c *Collector) Resets() []flow.Instance { return c.resets }
