package request

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// Requests a CPU-second under two choices, with 64 instances of exponential service at a load of 0.9.
func BenchmarkTwoChoices(b *testing.B) {
	const rate = 5.76e6
	for _, c := range []struct{ name, policy, link string }{
		{"two-choices", "power-of-d", "0s"},
		{"two-choices-link-1us", "power-of-d", "1us"},
		{"random", "random", "0s"},
		{"shortest", "least-connections", "0s"},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := fmt.Sprintf(`
engine: request
duration: %dps
nic: {profile: ideal, dispatch: pipeline, instance_delay: %s}
instances: {initial: 64, min: 64, max: 64}
scheduler: {policy: %s}
autoscaler: {policy: none}
workload: [{requests: {load: 0.9, classes: [{mean: 10us}]}}]
`, int64(float64(b.N)/rate*float64(units.Second))+1, c.link, c.policy)
			st, err := scenarios.Parse("bench", []byte(text), ".", nil)
			if err != nil {
				b.Fatal(err)
			}
			e, err := New(st.Runs[0].Scenario)
			if err != nil {
				b.Fatal(err)
			}
			m := results.NewMemory()
			b.ResetTimer()
			began := spent(b)
			if err := e.Run(context.Background(), m, sim.Options{}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(e.tally.replied)/(spent(b)-began).Seconds()/1e6, "Mreq/CPU-s")
			if !m.Run.Conservation.Holds || !m.Run.Little.Holds {
				b.Errorf("%+v %+v", m.Run.Conservation, m.Run.Little)
			}
		})
	}
}

// spent is the CPU time of this process in user mode: on a machine that others use too, the time on the wall says
// little.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano())
}
