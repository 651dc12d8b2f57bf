package kubernetes

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// MemoryBuckets are those of the recommender for bytes: up to 10^12, the first 10^7 wide, each 5 % wider than the last.
var MemoryBuckets = Exponential(1e12, 1e7, 1.05)

// peakWeight is that of a peak of memory.
const peakWeight = 1

// Peaks puts the highest use of memory of a container in each interval into a histogram that it shares with others, as
// model/container.go has it. The interval of a sample ends later than the sample; there its peak is weighed.
type Peaks struct {
	begun     bool
	ends      units.Time // of the present interval; not part of it
	last      units.Time // sample
	used, oom int64      // bytes: the highest use in it, and the highest that a kill for lack of memory asked for
}

// Sample takes what the container uses, in bytes. One that is older than the last is left out.
func (p *Peaks) Sample(h *Histogram, bytes int64, at, interval units.Time) {
	if !p.begun || at >= p.last {
		p.add(h, bytes, at, interval, false)
	}
}

// Bump is what a container needs that was killed for lack of memory: more than it had, by a ratio and at least by some
// bytes.
type Bump struct {
	Ratio float64
	Least int64
}

// Killed takes the kill of a container that had requested so much, and reports whether it is new enough to count.
func (p *Peaks) Killed(h *Histogram, requested int64, bump Bump, at, interval units.Time) bool {
	if p.begun && at < p.ends-interval {
		return false
	}
	used := max(requested, p.used) // a kill before does not count, so that kills in a row do not run away
	p.add(h, max(used+bump.Least, scaled(used, bump.Ratio)), at, interval, true)
	return true
}

func (p *Peaks) add(h *Histogram, bytes int64, at, interval units.Time, killed bool) {
	if !p.begun {
		p.begun, p.ends = true, at
	}
	p.last = at
	if at < p.ends {
		was := max(p.used, p.oom)
		if was == 0 || bytes <= was {
			return
		}
		h.Subtract(float64(was), peakWeight, p.ends)
	} else {
		p.ends += (at-p.ends)/interval*interval + interval
		p.used, p.oom = 0, 0
	}
	h.Add(float64(bytes), peakWeight, p.ends)
	if killed {
		p.oom = bytes
	} else {
		p.used = bytes
	}
}

// container is what is remembered of an instance's memory.
type container struct {
	id       flow.Instance
	request  int64 // bytes; 0 where none was said
	asked    int64 // other than request while a change in place is under way
	peaks    Peaks
	over     bool       // its last report was above its limit
	killed   units.Time // when that began last; Never before
	reported units.Time // the end of what the last report described
}

// follow keeps the containers in step with the instances, both in order of their numbers. One that is new requests so
// much.
func (p *verticalScaler) follow(s *policy.Snapshot, request int64) {
	same := len(p.containers) == len(s.Instances)
	for k := 0; same && k < len(s.Instances); k++ {
		same = p.containers[k].id == s.Instances[k].ID
	}
	if !same {
		p.join(s, request)
	}
	for k := range s.Instances {
		c, of := &p.containers[k], &s.Instances[k]
		switch {
		case of.Refused:
			c.asked = c.request
		case of.Asked == of.Share:
			c.request = c.asked
		}
		p.remember(c, of)
	}
}

// join drops the containers of instances that are gone, and adds those of new ones.
func (p *verticalScaler) join(s *policy.Snapshot, request int64) {
	p.spare = p.spare[:0]
	k := 0
	for i := range s.Instances {
		id := s.Instances[i].ID
		for k < len(p.containers) && p.containers[k].id < id {
			k++
		}
		if k < len(p.containers) && p.containers[k].id == id {
			p.spare = append(p.spare, p.containers[k])
		} else {
			p.spare = append(p.spare, container{id: id, request: request, asked: request, killed: units.Never})
		}
	}
	p.containers, p.spare = p.spare, p.containers
}

// remember takes in what a report says of memory. Where there is a limit, one above it is a kill.
func (p *verticalScaler) remember(c *container, of *policy.Instance) {
	u := &of.Usage
	if !u.Known || u.Stale || u.Sampled <= c.reported {
		return
	}
	c.reported = u.Sampled
	bytes := int64(u.Memory)
	c.peaks.Sample(p.rec.peaks, bytes, u.Sampled, p.o.MemoryInterval)
	over := p.o.MemoryLimit > 0 && c.request > 0 && float64(bytes) > float64(p.o.MemoryLimit*float64(c.request))
	if over && !c.over {
		c.killed = u.Sampled
		c.peaks.Killed(p.rec.peaks, c.request, Bump{p.o.OOMRatio, int64(p.o.OOMLeast)}, u.Sampled, p.o.MemoryInterval)
	}
	c.over = over
}

// quickly reports whether a container was killed soon after it began, and not long ago.
func (p *verticalScaler) quickly(c *container, of *policy.Instance, now units.Time) bool {
	return c.killed != units.Never && c.killed-of.Ready < p.o.EvictAfterOOM && now-c.killed < p.o.EvictAfterOOM
}
