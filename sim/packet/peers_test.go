package packet_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// BenchmarkPeers runs the conformance test's work on the event core of ns-3 and on the engine, by turns, so that both
// meet the same minutes of the machine. The metrics are medians of the rounds, in millions of offered packets per
// second of CPU time; ratio is that of each round. It is skipped where ns-3 is not installed.
func BenchmarkPeers(b *testing.B) {
	program := filepath.Join(b.TempDir(), "ns3")
	if _, err := os.Stat("/usr/include/ns3/core-module.h"); err != nil {
		b.Skip("ns-3 is not installed; Debian has it as libns3-dev")
	}
	build := exec.Command("c++", "-O3", "-march=native", "-o", program, "peers/ns3.cc", "-lns3-core")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	constant := simtest.Parse(b, commonWork(32, "100ms", "none"))
	general := simtest.Parse(b, byBytes(commonWork(32, "100ms", "none")))
	for _, scheduler := range []string{"PriorityQueue", "Map"} {
		for _, c := range []struct {
			name string
			sc   *scenarios.Scenario
		}{{"constant", constant}, {"any-service", general}} {
			b.Run(scheduler+"/"+c.name, func(b *testing.B) {
				var peers, ours, ratios []float64
				for b.Loop() {
					peer := ns3(b, program, scheduler)
					begun, _ := usage()
					n := simtest.Run(b, c.sc, packet.New).Run.Totals.Offered
					end, _ := usage()
					our := n / (end - begun).Seconds() / 1e6
					peers, ours, ratios = append(peers, peer), append(ours, our), append(ratios, our/peer)
				}
				b.ReportMetric(median(peers), "ns3-Mpkt/cpu-s")
				b.ReportMetric(median(ours), "Mpkt/cpu-s")
				b.ReportMetric(median(ratios), "ratio")
			})
		}
	}
}

// ns3 runs 20 ms of the work, whose counts are known, and returns the millions of packets per second of CPU time.
func ns3(b *testing.B, program, scheduler string) float64 {
	b.Helper()
	out, err := exec.Command(program, "ns3::"+scheduler+"Scheduler", "20").Output()
	if err != nil {
		b.Fatal(err)
	}
	var offered, accepted int
	var seconds float64
	if _, err := fmt.Sscan(strings.TrimSpace(string(out)), &offered, &accepted, &seconds); err != nil {
		b.Fatalf("%q: %v", out, err)
	}
	if offered != 2_981_440 || accepted != 1_988_089 {
		b.Fatalf("ns-3 was offered %d packets and accepted %d: want 2981440 and 1988089", offered, accepted)
	}
	return float64(offered) / seconds / 1e6
}

// median sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
