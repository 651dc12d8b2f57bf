package orchestrator

import (
	"cmp"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Measures are the metrics of class T3 that the plant must put into the instances' reports; the others stay 0. Without
// any, no reports are read.
func (o *Orchestrator) Measures() policy.MetricSet { return o.scaler.Measures() }

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

func (o *Orchestrator) reportPeriod() units.Time { return cmp.Or(o.cfg.Reports, o.cfg.Window) }
