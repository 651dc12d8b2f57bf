package telemetry

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Report is what an agent on an instance says of it. What nobody asked for is 0.
type Report struct {
	Instance flow.Instance `json:"instance"`
	CPU      int64         `json:"cpu_ps"`   // time of a core that it has used since it was created, in picoseconds
	Memory   int64         `json:"memory"`   // bytes that it uses
	Queue    int64         `json:"queue"`    // packets in its receive ring, the one in service included
	Delay    Delays        `json:"delay_ps"` // of the packets that it has processed since the last report
}

// Delays are quantiles of the time from a packet's arrival at an instance until its service has ended, in picoseconds:
// of 50, 90, 99 and 99.9 %. Without packets they are 0.
type Delays [4]int64

// Usage is what is known of one instance from its reports.
type Usage struct {
	CPU     float64    // cores that it used, on average over the last period
	Memory  float64    // bytes
	Queue   float64    // packets
	Delay   [4]float64 // seconds; see Delays
	Known   bool       // false until its second report
	Stale   bool       // the last reading did not mention it
	Sampled units.Time // end of the period that it describes
}

// Report takes a reading of the reports. It reports false, and changes nothing, if the reading is no newer than the
// last one. What Read says of readings that are late or lack an instance holds here as well. The first report of an
// instance begins its first period, and it is known from the second on.
func (c *Collector) Report(sampled units.Time, reports []Report) bool {
	if sampled <= c.reported {
		return false
	}
	for i := range reports {
		r := &reports[i]
		if !c.tracks(r.Instance) {
			continue
		}
		e := &c.entries[r.Instance]
		u := &e.usage
		if e.reports && u.Sampled == sampled { // a second row of the same instance
			continue
		}
		was, since := e.cpu, u.Sampled
		if r.CPU < was {
			was = 0
		}
		*u = Usage{Memory: float64(r.Memory), Queue: float64(r.Queue), Known: e.reports, Sampled: sampled}
		if e.reports {
			u.CPU = float64(r.CPU-was) / float64(sampled-since)
		}
		for k, d := range r.Delay {
			u.Delay[k] = float64(d) / float64(units.Second)
		}
		e.cpu, e.reports = r.CPU, true
	}
	c.reported = sampled
	return true
}

// UsageTo writes to u what is known of an instance from its reports; the zero Usage if it is not tracked.
func (c *Collector) UsageTo(id flow.Instance, u *Usage) {
	if !c.tracks(id) {
		*u = Usage{}
		return
	}
	*u = c.entries[id].usage
	u.Stale = u.Sampled < c.reported
}
