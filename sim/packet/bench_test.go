package packet_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// usage is what the process has used: CPU time, and the most memory that was resident, in MB.
func usage() (cpu time.Duration, megabytes float64) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), float64(r.Maxrss) / 1024
}

// commonWork is the conformance test's work with this many flows, a multiple of 32, which together send as much.
func commonWork(flows int, duration, delay string) string {
	text := strings.Split(conformance(duration), "\n")
	text = text[:len(text)-33]
	for i := range flows {
		text = append(text, fmt.Sprintf("      - {period: %dps, phase: %dps, packet_size: 64B}",
			(200000+970*(i%32))*(flows/32), 6700*i))
	}
	return strings.Join(text, "\n") + "\nmeasure: {delay: " + delay + "}\n"
}

// byBytes is the same work with a part of a packet's time by its bytes, which takes the path for any services.
func byBytes(text string) string {
	return strings.Replace(text, "contention: {model: constant, service_time: 80645ps}",
		"per_byte: 100ps, contention: {model: constant, service_time: 74245ps}", 1)
}

// BenchmarkEngine runs whole scenarios, plant and orchestrator included. Mpkt/cpu-s is what one core does: offered
// packets over the CPU time of all threads; best-Mpkt/cpu-s is that of the fastest run.
func BenchmarkEngine(b *testing.B) {
	fig9 := append([]string{"engine=packet", "workload.0.cbr.interval=10ms", "duration=330ms"}, scaled...)
	for _, c := range []struct {
		name string
		sc   *scenarios.Scenario
	}{
		{"common-work", simtest.Parse(b, commonWork(32, "100ms", "none"))},
		{"common-work-330s-jump", simtest.Parse(b, commonWork(32, "330s", "none, flows: false"))},
		{"common-work-any-service", simtest.Parse(b, byBytes(commonWork(32, "100ms", "none")))},
		{"common-work-delays", simtest.Parse(b, commonWork(32, "100ms", "instances"))},
		{"common-work-any-service-delays", simtest.Parse(b, byBytes(commonWork(32, "100ms", "instances")))},
		{"common-work-64-flows-a-queue", simtest.Parse(b, commonWork(512, "100ms", "none"))},
		{"common-work-64-flows-a-queue-delays", simtest.Parse(b, commonWork(512, "100ms", "instances"))},
		{"common-work-64-flows-a-queue-any-service-delays",
			simtest.Parse(b, byBytes(commonWork(512, "100ms", "instances")))},
		{"fig9", builtin(b, "fig9-round-robin", fig9...)[0]}, // 1 to 1000
		{"fig9-delays", builtin(b, "fig9-round-robin", append(fig9, "measure.delay=instances")...)[0]},
	} {
		b.Run(c.name, func(b *testing.B) {
			packets, most := 0.0, 0.0
			var all time.Duration
			for b.Loop() {
				begun, _ := usage()
				n := simtest.Run(b, c.sc, packet.New).Run.Totals.Offered
				end, _ := usage()
				all += end - begun
				packets += n
				most = math.Max(most, n/(end-begun).Seconds())
			}
			b.ReportMetric(packets/all.Seconds()/1e6, "Mpkt/cpu-s")
			b.ReportMetric(most/1e6, "best-Mpkt/cpu-s")
			b.ReportMetric(packets/b.Elapsed().Seconds()/1e6, "Mpkt/s")
		})
	}
}

// BenchmarkMemory measures the most memory that is resident during a Figure-9 run of growing length whose record is
// discarded. It must not grow. Other benchmarks leave their memory in the process, so run it alone:
//
//	go test -run '^$' -bench Memory ./sim/packet
func BenchmarkMemory(b *testing.B) {
	for _, scale := range []int{1000, 100} {
		b.Run("fig9-1-to-"+strconv.Itoa(scale), func(b *testing.B) {
			set := []string{fmt.Sprintf("workload.0.cbr.interval=%dms", 10_000/scale),
				fmt.Sprintf("duration=%dms", 330_000/scale)}
			sc := builtin(b, "fig9-round-robin", append(set, scaled...)...)[0]
			packets := 0.0
			for b.Loop() {
				packets += simtest.Run(b, sc, packet.New).Run.Totals.Offered
			}
			_, most := usage()
			b.ReportMetric(most, "MB-resident")
			b.ReportMetric(packets/float64(b.N)/1e6, "Mpkt/op")
		})
	}
}

// The flows of the benchmark are those of the conformance test.
func TestCommonWorkIsTheConformanceTests(t *testing.T) {
	if got, want := commonWork(32, "1ms", "none"), conformance("1ms")+"measure: {delay: none}\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
