package sim

import (
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios"
)

// reports are those of the instances' agents on their way to the orchestrator.
type reports struct {
	pending []orchestrator.Event // in the order in which they arrive: all take the same time
	spare   []orchestrator.Report
}

// ask samples what the instances that run report. It arrives after the reports' delay.
func (r *reports) ask(p *plant) {
	e := orchestrator.Event{Kind: orchestrator.ReportsRead, Sampled: p.now, Reports: r.spare[:0]}
	r.spare = nil
	for i := range p.containers.list {
		if p.containers.list[i].forwarding() {
			e.Reports = append(e.Reports, orchestrator.Report{Instance: flow.Instance(i + 1)})
		}
	}
	p.data.Reports(p.now, p.orch.Measures(), e.Reports)
	r.pending = append(r.pending, e)
	p.push(ClassCounters, Event{At: p.now + p.sc.Telemetry.ReportDelay, Kind: evReports})
}

// arrive hands the next reading to the orchestrator.
func (r *reports) arrive(p *plant) {
	e := r.pending[0]
	r.pending = r.pending[:copy(r.pending, r.pending[1:])]
	*p.begin(e.Kind) = e
	p.deliver()
	r.spare = e.Reports
}

// CoreTime adds up what an instance uses of cores while it has a share of one that changes. Times are picoseconds.
type CoreTime struct {
	share float64 // 0 for 1
	until int64   // of the time that counts
	used  float64
}

// Share changes the share, after so much of the time that counts: that in which the instance was busy or, if it polls,
// that in which it was there.
func (c *CoreTime) Share(share float64, after int64) { *c = CoreTime{share, after, c.of(after)} }

// Used is the time of a core that was used after so much of the time that counts.
func (c *CoreTime) Used(after int64) int64 { return int64(math.Round(c.of(after))) }

func (c *CoreTime) of(after int64) float64 {
	share := c.share
	if share == 0 {
		share = 1
	}
	return c.used + float64(share*float64(after-c.until))
}

// MemoryOf is what an instance with so many flows uses of memory, in bytes: a model, see docs/model.md.
func MemoryOf(v *scenarios.VNF, flows int) int64 {
	return int64(v.Memory) + int64(v.MemoryPerFlow)*int64(flows)
}

// Report fills in a report from what an instance shows at now: how long it was busy and how long up, in picoseconds,
// what waits in it, and the flows that it holds.
func (c *CoreTime) Report(r *orchestrator.Report, want policy.MetricSet, v *scenarios.VNF, busy, up, queue int64,
	flows int) {
	if want.Has(policy.CPU) {
		r.CPU = c.Used(Counts(v, busy, up))
	}
	if want.Has(policy.Memory) {
		r.Memory = MemoryOf(v, flows)
	}
	if want.Has(policy.Queue) {
		r.Queue = queue
	}
}

// Counts is which of two times counts as use of a core: that in which an instance was busy or, where its driver polls,
// that in which it was up.
func Counts(v *scenarios.VNF, busy, up int64) int64 {
	if v.CPU == "polling" {
		return up
	}
	return busy
}
