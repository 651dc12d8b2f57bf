package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// beside has a flow that loads one of two instances by nine tenths, and then 20 small ones.
func beside(policy string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
name: beside
duration: 4s
engine: packet
measure: {delay: instances}
nic: {profile: bluefield2, install_latency: 100us}
vnf: {service: exponential, contention: {model: constant, rate: 10kpps}}
instances: {initial: 2, min: 2, max: 2}
scheduler: {policy: %s}
autoscaler: {policy: none}
telemetry: {window: 1s, report_period: 100ms, report_delay: 1ms}
workload:
  - flows:
      - {rate: 9kpps, arrivals: poisson}
`, policy)
	for f := range 20 {
		fmt.Fprintf(&b, "      - {rate: 20pps, phase: %dms}\n", 500+100*f)
	}
	return b.String()
}

// Envoy's policy by delays keeps small flows off an instance whose packets wait long, where one by flows makes both
// have as many. What agents reported stands in the record, which can be verified.
func TestPeakEWMAGoesByDelays(t *testing.T) {
	small := func(policy string) (with int) {
		m := simtest.Run(t, simtest.Parse(t, beside(policy)), packet.New)
		simtest.Verify(t, m)
		r, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		at, reports := map[flow.ID]flow.Instance{}, 0
		for l, err := range r.Log() {
			switch {
			case err != nil:
				t.Fatal(err)
			case l.Decision != nil && l.Decision.Kind == orchestrator.Schedule:
				at[l.Decision.Flow] = l.Decision.Instance
			case l.Event != nil && l.Event.Kind == orchestrator.ReportsRead:
				reports++
				for _, r := range l.Event.Reports {
					if r.Queue != 0 || r.CPU != 0 {
						t.Errorf("%s: reports of what nobody asked for: %+v", policy, r)
					}
				}
			}
		}
		if asked := strings.Contains(policy, "peak-ewma"); asked != (reports > 30) {
			t.Errorf("%s: %d readings of reports", policy, reports)
		}
		for f, i := range at {
			if f > 0 && i == at[0] {
				with++
			}
		}
		return with
	}
	by, beside := small("{envoy-peak-ewma: {default_rtt: 100us}}"), small("envoy-least-request")
	if by > 3 || beside < 7 {
		t.Errorf("of 20 small flows %d are beside the large one by delays, and %d by flows; want at most 3, at least 7",
			by, beside)
	}
	// With Envoy's default, an instance without flows counts as slower than the other one is with all of them.
	if all := small("envoy-peak-ewma"); all != 20 {
		t.Errorf("with a default_rtt of 10ms, %d small flows are beside the large one, want all", all)
	}
}

func TestPeakEWMANeedsDelays(t *testing.T) {
	const want = "measure.delay: found no such key, expected instances or flows, with engine: packet, for a policy " +
		"that goes by delay-p50"
	_, err := scenarios.Parse("t.yaml", []byte("duration: 1s\nworkload: [{cbr: {flows: 1, rate: 1pps}}]\n"+
		"scheduler: {policy: envoy-peak-ewma}"), "", nil)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
