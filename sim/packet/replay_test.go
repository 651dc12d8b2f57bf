package packet_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// echo is the shipped capture of 82,582 packets, unpacked.
func echo(t testing.TB) (dir string) {
	t.Helper()
	in, err := os.Open("../../traces/data/echo-connections.pcap.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	out, err := os.Create(filepath.Join(dir, "echo.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, z); err != nil {
		t.Fatal(err)
	}
	return dir
}

// cpuTime is what this process has used of all cores, in seconds.
func cpuTime(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkCapture: one operation is a capture of 82,582 packets of 1,000 flows, superposed a number of times, from
// reading the file in the page cache to the end of the run.
func BenchmarkCapture(b *testing.B) {
	dir := echo(b)
	for _, copies := range []int{1, 100} {
		for _, nic := range []string{"ideal", "bluefield2"} {
			b.Run(fmt.Sprintf("%s-%d", nic, copies), func(b *testing.B) {
				text := fmt.Sprintf("engine: packet\nnic: %s\nworkload: [{pcap: {file: echo.pcap, copies: %d}}]\n",
					nic, copies)
				study, err := scenarios.Parse("capture.yaml", []byte(text), dir, nil)
				if err != nil {
					b.Fatal(err)
				}
				packets, cpu := 0.0, cpuTime(b)
				for b.Loop() {
					sc := study.Runs[0].Scenario
					w := simtest.Traffic(b, sc)
					m := results.NewMemory()
					simtest.Record(b, sc, w, packet.New, m)
					packets += m.Run.Totals.Offered
				}
				b.ReportMetric(packets/(cpuTime(b)-cpu)/1e6, "Mpkt/cpu-s")
			})
		}
	}
}
