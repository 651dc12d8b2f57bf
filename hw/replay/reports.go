package replay

import (
	"context"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// measurable are the metrics of class T3 that hardware has: what a container engine knows of an instance. A network
// function that told of its ring and of its packets' delays is not known here.
var measurable = policy.SetOf(policy.CPU, policy.Memory)

// reportReader reads for the orchestrator what instances report.
type reportReader struct {
	busy bool // a reading goes on
}

// read asks for a reading. If one is under way, the orchestrator does without.
func (r *reportReader) read(p *plant) {
	reporter, ok := p.hw.Containers.(hw.Reporter)
	if r.busy || !ok {
		return
	}
	r.busy = true
	p.readings.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, readLimit)
		defer cancel()
		usage, err := reporter.Usage(ctx)
		at := time.Now()
		p.post(func() {
			r.busy = false
			if err != nil {
				if p.ctx.Err() == nil {
					p.say("what the instances use could not be read: %v", err)
				}
				return
			}
			r.answer(p, at, usage)
		})
	})
}

// answer hands a reading to the orchestrator: of the instances that run, and of the metrics that are asked for.
func (r *reportReader) answer(p *plant, at time.Time, usage []hw.Usage) {
	want := p.orch.Measures()
	e := orchestrator.Event{Kind: orchestrator.ReportsRead, Sampled: min(p.at(at), p.now())}
	for _, u := range usage {
		if int(u.Instance) > len(p.instances) || !p.instance(u.Instance).forwarding() {
			continue
		}
		report := orchestrator.Report{Instance: u.Instance}
		if want.Has(policy.CPU) {
			report.CPU = int64(units.Time(u.CPU) * units.Nanosecond)
		}
		if want.Has(policy.Memory) {
			report.Memory = u.Memory
		}
		e.Reports = append(e.Reports, report)
	}
	p.deliver(e)
}

// checkReports says why hardware cannot measure what a policy goes by.
func checkReports(name, key string, want policy.MetricSet) error {
	if missing := want &^ measurable; missing != 0 {
		return refusef("scenario %s: %s goes by %v, which nothing on hardware reports: want one of %v",
			name, key, missing, measurable)
	}
	return nil
}

// checkEngine says why this testbed's container engine cannot do what a policy needs.
func checkEngine(sc *scenarios.Scenario, c hw.ContainerEngine) error {
	want := sc.Autoscaler.Measures()
	if _, ok := c.(hw.Reporter); want != 0 && !ok {
		return refusef("scenario %s: autoscaler.policy goes by %v, which this testbed's container engine (%T) does "+
			"not report", sc.Name, want, c)
	}
	if _, ok := c.(hw.Resizer); sc.Autoscaler.Resizes() && !ok {
		return refusef("scenario %s: autoscaler.policy: %s changes the shares of instances, which this testbed's "+
			"container engine (%T) cannot", sc.Name, sc.Autoscaler.Policy.Name, c)
	}
	return nil
}
