package sim_test

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// Ghodsi et al., NSDI 2011, 4.1: there are 9 CPUs and 18 GB; a task of A takes 1 and 4, one of B takes 3 and 1. Both
// want ten. Here a kpps is a CPU. When the instance is ready, all wait; after a flow of either has ended, it is
// replaced by one of the same tenant.
const tenants = `
name: tenants
duration: 3s
nic: {profile: bluefield2, install_latency: 100us}
vnf: {contention: {model: constant, rate: 9kpps}, start_latency: 500ms}
instances: {initial: 0, min: 0, max: 1, maxconn: [18]}
scheduler:
  limit: 9kpps
  policy: {%s: {tenants: [{name: A, ask: 1kpps, memory: 4}, {name: B, ask: 3kpps}]}}
autoscaler: {interval: 100ms}
telemetry: {window: 100ms}
workload:
  - {cbr: {flows: 9, rate: 3kpps, start: 2ms}, tenant: B}
  - {cbr: {flows: 9, rate: 1kpps, start: 1ms}, tenant: A}
  - {flows: [{rate: 3kpps, end: 1450ms}], tenant: B}
  - {flows: [{rate: 1kpps, end: 2450ms}], tenant: A}
`

// A tenant reaches the policy in both engines, and the record can be verified. With DRF, A has three flows and B two,
// which they get in the order of the paper. By offers, A gets all that it has use for at first; what its flows leave
// goes to B when counters come, until the shares are those of the paper.
func TestTenantsShareByDominantResource(t *testing.T) {
	for policy, want := range map[string]string{
		"mesos-drf":    "602 A, 602 B, 602 A, 602 B, 602 A, 1450 B, 2450 A, ",
		"mesos-offers": "602 A, 602 A, 602 A, 602 A, 700 B, 1500 B, 2500 B, ",
	} {
		for engine, make := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
			sc := simtest.Parse(t, fmt.Sprintf(tenants, policy))
			sc.Engine = engine
			m := simtest.Run(t, sc, make)
			simtest.Verify(t, m)
			r, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			of, got := map[flow.ID]string{}, ""
			for l, err := range r.Log() {
				switch {
				case err != nil:
					t.Fatal(err)
				case l.Event != nil && l.Event.Kind == orchestrator.FlowArrived:
					of[l.Event.Flow] = l.Event.Tenant
				case l.Decision != nil && l.Decision.Kind == orchestrator.Schedule:
					got += fmt.Sprintf("%.0f %s, ", l.At.Seconds()*1e3, of[l.Decision.Flow])
				}
			}
			if got != want {
				t.Errorf("%s, %s: placed at ms\n%s, want\n%s", policy, engine, got, want)
			}
		}
	}
}
