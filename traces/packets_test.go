package traces

import (
	"cmp"
	"io"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func readAll(t testing.TB, s *PacketMerge) (all []Arrival) {
	t.Helper()
	buf := make([]Arrival, 1000)
	for {
		n, err := s.Read(buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// holding is ReadCapture with at most so many packets in memory.
func holding(t testing.TB, path string, o Options, held int) (*Workload, error) {
	t.Helper()
	src, err := openSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return readCapture(src, path, o, held)
}

// Packet by packet is flow by flow with more detail. The flows have the same lives and totals. The packets are those of
// the file, cut, sped up and copied as the flows are.
func TestPacketsOfACaptureAreThoseOfItsFlows(t *testing.T) {
	for _, o := range []Options{
		{},
		{Speedup: 7.3},
		{From: 20 * units.Second, To: 90 * units.Second, Timeout: 5 * units.Second},
		{Speedup: 1000, Copies: 9, Seed: 3, Resolution: 10 * units.Millisecond},
	} {
		rates, err := ReadCapture("data/tls2.pcap.gz", o)
		if err != nil {
			t.Fatal(err)
		}
		o.Packets = true
		w, err := ReadCapture("data/tls2.pcap.gz", o)
		if err != nil {
			t.Fatal(err)
		}
		check(t, w)
		if len(w.Flows) != len(rates.Flows) {
			t.Fatalf("%+v: %d flows, want %d", o, len(w.Flows), len(rates.Flows))
		}
		packets := readAll(t, MergePackets(w.Packets))
		if again := readAll(t, MergePackets(Merge(w).Packets)); !reflect.DeepEqual(packets, again) {
			t.Errorf("%+v: a second reading differs", o)
		}
		for _, held := range []int{0, 1000} { // the others are in a file
			filed, err := holding(t, "data/tls2.pcap.gz", o, held)
			if err != nil {
				t.Fatal(err)
			}
			if again := readAll(t, MergePackets(filed.Packets)); !reflect.DeepEqual(packets, again) {
				t.Errorf("%+v: with %d packets in memory, they are others", o, held)
			}
		}
		if !slices.IsSortedFunc(packets, func(a, b Arrival) int { return cmp.Compare(a.At, b.At) }) {
			t.Errorf("%+v: packets are not in order of time", o)
		}
		count, bytes := make([]float64, len(w.Flows)), make([]float64, len(w.Flows))
		for _, p := range packets {
			s := w.Flows[p.Flow].Segments[0]
			if p.At < s.Start || p.At >= s.End || count[p.Flow] == 0 && p.At != s.Start {
				t.Fatalf("%+v: packet at %v of flow %d, which lives from %v to %v", o, p.At, p.Flow, s.Start, s.End)
			}
			count[p.Flow]++
			bytes[p.Flow] += float64(p.Bytes)
		}
		for i, f := range w.Flows {
			r := rates.Flows[i]
			var n, b float64
			for _, s := range r.Segments {
				n, b = n+s.Packets, b+s.Bytes
			}
			if s := f.Segments[0]; len(f.Segments) != 1 || f.Tuple != r.Tuple || s.Start != r.Segments[0].Start ||
				s.End != r.Segments[len(r.Segments)-1].End ||
				s.Packets != n || s.Bytes != b || count[i] != n || bytes[i] != b {
				t.Fatalf("%+v: flow %d: %+v with %g packets of %g bytes, want %+v", o, i, f, count[i], bytes[i], r)
			}
		}
	}
}

// The memory allocated to replay a capture does not depend on how many packets it has.
func TestAReplayTakesNoMemoryAPacket(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	used := func(n int) uint64 {
		frames := make([]stamped, n)
		for i := range frames {
			frames[i] = stamped{i, frame}
		}
		path := write(t, "x.pcap", pcapOf(linkEthernet, frames...))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w, err := holding(t, path, Options{Packets: true, Copies: 3, Speedup: 2, MTU: 1500}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		s, read, buf := MergePackets(w.Packets), 0, make([]Arrival, 100)
		for n, err := s.Read(buf); err == nil; n, err = s.Read(buf) {
			read += n
		}
		runtime.ReadMemStats(&after)
		if read != 3*n {
			t.Errorf("%d packets, want three times %d", read, n)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := used(20_000), used(100_000) // the buffers have grown to their size by 20,000
	t.Logf("%d B for 20,000 packets, %d B for 100,000", few, many)
	if many > few+1<<14 {
		t.Errorf("%d B for 20,000 packets, but %d B for 100,000", few, many)
	}
}

// cpuTime is the time that this process has used on all cores, in seconds.
func cpuTime(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkReplay: one operation is the second pass over a capture of 82,582 packets, superposed a number of times.
func BenchmarkReplay(b *testing.B) {
	for _, c := range []struct {
		name         string
		copies, held int
	}{
		{"1", 1, heldInCore}, {"2", 2, heldInCore}, {"8", 8, heldInCore}, {"100", 100, heldInCore},
		{"1000", 1000, heldInCore}, {"1-from-a-file", 1, 0}, {"100-from-a-file", 100, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, err := holding(b, "data/echo-connections.pcap.gz", Options{Packets: true, Copies: c.copies}, c.held)
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]Arrival, 4096)
			packets, cpu := 0, cpuTime(b)
			for b.Loop() {
				s := MergePackets(w.Packets)
				for {
					n, err := s.Read(buf)
					if packets += n; err != nil {
						break
					}
				}
			}
			b.ReportMetric(float64(packets)/(cpuTime(b)-cpu)/1e6, "Mpkt/cpu-s")
		})
	}
}
