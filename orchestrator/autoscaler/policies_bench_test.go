package autoscaler

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// BenchmarkPolicies is an evaluation of 1,000 instances a second under each policy, with its default options.
func BenchmarkPolicies(b *testing.B) {
	for _, row := range Policies {
		a := mustNew(b, func(o *Options) { o.Policy = Named(row.Name) })
		if !a.Active() {
			continue
		}
		s := policy.Snapshot{Current: 1000, Wanted: 1000, Max: 2000, Limit: 10e6, Window: units.Second, Measured: true}
		for k := range s.Current {
			s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready, Flows: 3,
				Rate: telemetry.Rate{Known: true}})
		}
		b.Run(row.Name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				s.Now += units.Second
				for k := range s.Instances {
					r := &s.Instances[k].Rate
					r.Rx, r.Tx, r.Sampled = 4.6e6+float64(s.Now/units.Second%1000)*1e3, 4.5e6, s.Now
					s.Instances[k].Usage = telemetry.Usage{CPU: r.Rx / 10e6, Known: true, Sampled: s.Now}
				}
				shown := s
				a.Evaluate(&shown)
			}
		})
	}
}
