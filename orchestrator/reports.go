package orchestrator

import (
	"cmp"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// Measures are the metrics of class T3 that the plant must put into the instances' reports; the others stay 0. Without
// any, no reports are read.
func (o *Orchestrator) Measures() policy.MetricSet {
	return o.scaler.Measures() | o.sched.Row().Measures
}

func (o *Orchestrator) readReports() {
	if o.Measures() == 0 {
		return
	}
	o.do(Action{Kind: ReadReports})
	o.awaitReports()
}

// awaitReports sets the timer for the next reading of the reports.
func (o *Orchestrator) awaitReports() {
	if o.Measures() != 0 {
		o.arm(ReportTimer, o.reportPeriod())
	}
}

// reportsRead brings what the scheduling policy is shown of the reports up to date.
func (o *Orchestrator) reportsRead(sampled units.Time, reports []Report) {
	if !o.meter.Report(sampled, reports) || !o.sees.Has(policy.T3) {
		return
	}
	for slot, id := range o.view.IDs {
		var u telemetry.Usage
		o.view.Delay[slot] = 0
		if o.meter.UsageTo(id, &u); u.Known && !u.Stale {
			o.view.Delay[slot] = u.Delay[0]
		}
	}
	o.event.Until = sampled
	o.tell(policy.Reported, -1, nil)
}

func (o *Orchestrator) reportPeriod() units.Time { return cmp.Or(o.cfg.Reports, o.cfg.Window) }
