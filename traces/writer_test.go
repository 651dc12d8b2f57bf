package traces

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// workloads has a workload of each kind.
func workloads(t testing.TB) map[string]*Workload {
	t.Helper()
	generate := func(m Sessions, err error) *Workload {
		if err != nil {
			t.Fatal(err)
		}
		w, err := Generate(m, GenerateOptions{Arrivals: Arrivals{Rate: 100}, Until: units.Second, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	agh, err := NewAGH(AGHOptions{})
	if err != nil {
		t.Fatal(err)
	}
	web, err := ReadSizes(write(t, "web.txt", []byte("0 0\n10000 50\n100000 100\n")), 1500)
	if err != nil {
		t.Fatal(err)
	}
	mix, err := ReadMix(profileDir(t, profileText), units.Microsecond)
	load, loadErr := ReadLoad(write(t, "load.csv", []byte("t,x\n0,100.3\n1,0\n2,7.7\n")),
		LoadOptions{Column: "x", Time: "t", Flows: 3, Size: 100})
	if loadErr != nil {
		t.Fatal(loadErr)
	}
	return map[string]*Workload{
		"agh":   generate(Paced{Holdings: agh}, nil),
		"sizes": generate(Paced{Holdings: web, Rate: 1e4}, nil),
		"mix":   generate(mix, err),
		"load":  load,
		"stairs": Staircase(StaircaseOptions{Flows: 3, Interval: units.Second, End: 4 * units.Second, Rate: 333,
			Size: 64}),
	}
}

// sent is a packet that is made in the obvious way: all packets, then sorted.
type sent struct {
	at    units.Time
	tuple flow.FiveTuple
	bytes int64
	order int
}

// nth is k gaps, to the nearest picosecond, halves up.
func nth(gap *big.Rat, k float64) units.Time {
	x := new(big.Rat).Mul(gap, big.NewRat(int64(k), 1))
	x.Add(x, big.NewRat(1, 2))
	return units.Time(new(big.Int).Quo(x.Num(), x.Denom()).Int64())
}

func allPackets(w *Workload, end units.Time) (all []sent) {
	for i, f := range w.Flows {
		packets, octets, owed := 0.0, 0.0, 0.0
		for _, s := range f.Segments {
			n := math.Round(packets+s.Packets) - math.Round(packets)
			owed += math.Round(octets+s.Bytes) - math.Round(octets)
			packets, octets = packets+s.Packets, octets+s.Bytes
			at, gap := s.Start, big.NewRat(int64(s.End-s.Start), int64(max(n, 1)))
			if len(w.Constant) > 0 {
				c := w.Constant[i]
				at, gap, n = c.Phase, big.NewRat(int64(c.Period.Num), c.Period.Den), 0
				for at+nth(gap, n) < c.End {
					n++
				}
				owed = n * math.Round(s.Bytes/s.Packets)
			}
			for k := 0.0; k < n; k++ {
				all = append(all, sent{at + nth(gap, k), f.Tuple, int64((k+1)*owed/n) - int64(k*owed/n), i})
			}
			if n > 0 {
				owed = 0
			}
		}
	}
	slices.SortStableFunc(all,
		func(a, b sent) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	return slices.DeleteFunc(all, func(p sent) bool { return p.at >= end })
}

func TestPacketsArePlayedInOrder(t *testing.T) {
	for name, w := range workloads(t) {
		for _, end := range []units.Time{units.Never, 1500 * units.Millisecond} {
			want := allPackets(w, end)
			i := 0
			for p, err := range packets(w.Stream().flows, end) {
				if err != nil {
					t.Fatal(err)
				}
				if i >= len(want) {
					t.Fatalf("%s: more than %d packets", name, len(want))
				}
				if x := want[i]; p.at != x.at || *p.tuple != x.tuple || p.bytes != x.bytes {
					t.Fatalf("%s: packet %d is %v %v %d, want %v", name, i, p.at, p.tuple, p.bytes, x)
				}
				i++
			}
			if i != len(want) {
				t.Errorf("%s: %d packets, want %d", name, i, len(want))
			}
		}
	}
}

// What is written can be read again, by this package and by gopacket, with every checksum right; and both files hold
// the same packets.
func TestWrittenTrafficIsReadAgain(t *testing.T) {
	for name, w := range workloads(t) {
		for _, end := range []units.Time{0, 1500 * units.Millisecond} {
			s := w.Stream()
			s.End = end
			var capture, csv bytes.Buffer
			done, err := s.WriteCapture(context.Background(), &capture, PCAPNG, nil)
			if err != nil {
				t.Fatal(err)
			}
			flows, err := s.WriteFlows(context.Background(), &csv, nil)
			if err != nil {
				t.Fatal(err)
			}
			if flows.Packets != done.Packets || flows.Flows != done.Flows {
				t.Errorf("%s: the flow CSV has %v, the capture %v", name, flows, done)
			}
			fcs := int64(0)
			if w.Layer == FramesWithFCS {
				fcs = fcsSize * done.Packets
			}
			if len(done.Notes) == 0 && done.Bytes != flows.Bytes-fcs {
				t.Errorf("%s: %d bytes in the capture and %d in the flow CSV, want %d apart", name, done.Bytes,
					flows.Bytes, fcs)
			}
			for file, want := range map[string]Written{write(t, "x.pcapng", capture.Bytes()): done,
				write(t, "x.csv", csv.Bytes()): flows} {
				got, err := Inspect(file, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if got.Packets != want.Packets || got.Bytes != want.Bytes || int64(got.FlowsUni) != want.Flows ||
					got.Counted != want.Layer {
					t.Errorf("%s: %s holds %d packets, %d %v, %d flows; want %v", name, file, got.Packets, got.Bytes,
						got.Counted, got.FlowsUni, want)
				}
			}
			r, err := pcapgo.NewNgReader(&capture, pcapgo.DefaultNgReaderOptions)
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; ; n++ {
				data, _, err := r.ReadPacketData()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				checkFrame(t, data)
			}
		}
	}
}

// checkFrame compares a frame with what gopacket decodes.
func checkFrame(t *testing.T, data []byte) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
	if p.ErrorLayer() != nil {
		t.Fatalf("%x: %v", data, p.ErrorLayer().Error())
	}
	for _, l := range p.Layers() {
		if x, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := x.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 {
		t.Fatalf("%x: checksums %v %v", data, err, bad)
	}
	return p
}

func TestFramesHaveTheirTupleAndSize(t *testing.T) {
	v4 := [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	v6 := [2]netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	var f framer
	var walk walker
	for _, a := range [][2]netip.Addr{v4, v6} {
		for _, proto := range []uint8{flow.TCP, flow.UDP, flow.SCTP, flow.ICMP, flow.ICMPv6, 33, 47, 136, 0} {
			for _, size := range []int64{10, 60, 61, 1514, 9014} {
				tuple := flow.FiveTuple{Src: a[0], Dst: a[1], Proto: proto}
				switch {
				case ported[proto]:
					tuple.SrcPort, tuple.DstPort = 1025, 80
				case proto == flow.ICMP || proto == flow.ICMPv6:
					tuple.SrcPort, tuple.DstPort = 3, uint16(size%2) // a type and a code
				}
				b, err := f.frame(&tuple, size, 7)
				if err != nil {
					t.Fatal(err)
				}
				if int64(len(b)) != max(size, headers(&tuple)) {
					t.Errorf("%v: %d bytes, want %d", tuple, len(b), max(size, headers(&tuple)))
				}
				want := tuple
				if proto == 0 {
					want.Proto = unknownProto
				}
				if got, kind := walk.frame(linkEthernet, b); got != want || kind != IP {
					t.Errorf("got %v, kind %d; want %v", got, kind, want)
				}
				switch proto {
				case flow.TCP, flow.UDP, flow.ICMP, flow.ICMPv6:
					checkFrame(t, b)
				case flow.SCTP: // its chunks are zeros too, which gopacket does not decode
					head := b[headers(&tuple)-12:]
					sum := binary.LittleEndian.Uint32(head[8:])
					clear(head[8:12])
					if want := crc32.Checksum(head, crc32.MakeTable(crc32.Castagnoli)); sum != want {
						t.Errorf("%v: checksum %x, want %x", tuple, sum, want)
					}
				}
			}
		}
	}
	arp := flow.FiveTuple{Src: linkLocal([]byte{2, 0, 0, 0, 0, 1}),
		Dst: linkLocal([]byte{255, 255, 255, 255, 255, 255}), SrcPort: 0x806, Proto: notIP}
	if b, err := f.frame(&arp, 60, 0); err != nil || len(b) != 60 {
		t.Errorf("ARP: %d bytes, %v", len(b), err)
	} else if got, kind := walk.frame(linkEthernet, b); got != arp || kind != NonIP {
		t.Errorf("got %v, want %v", got, arp)
	}
	if _, err := f.frame(&flow.FiveTuple{Src: v4[0], Dst: v4[1], Proto: flow.UDP}, 70000, 0); err == nil {
		t.Error("a frame of 70000 bytes is not refused")
	}
}

// A model that is played while it is drawn gives the same file as a model that is drawn first.
func TestPlayedModelsAreTheDrawnOnes(t *testing.T) {
	agh, err := NewAGH(AGHOptions{})
	if err != nil {
		t.Fatal(err)
	}
	series := write(t, "series.csv", []byte("x\n400\n1300\n"))
	for _, a := range []Arrivals{{Rate: 1500}, {Process: "constant", Rate: 1500},
		{Process: "on-off", Rate: 1500, On: 10 * units.Millisecond, Off: 30 * units.Millisecond},
		{Process: "series", Series: series, Load: LoadOptions{Column: "x"}}} {
		o := GenerateOptions{Arrivals: a, Until: 2 * units.Second, Seed: 5}
		w, err := Generate(Paced{Holdings: agh}, o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Generated(Paced{Holdings: agh}, o, 3*units.Second)
		if err != nil {
			t.Fatal(err)
		}
		drawn := w.Stream()
		drawn.End = s.End
		var one, two bytes.Buffer
		if _, err := s.WriteCapture(context.Background(), &one, PCAPNG, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := drawn.WriteCapture(context.Background(), &two, PCAPNG, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Errorf("%v: the files differ", a)
		}
	}
	if _, err := Generated(Paced{Holdings: agh}, GenerateOptions{Arrivals: Arrivals{Rate: -1}, Until: 1},
		0); err == nil {
		t.Error("bad arrivals are not refused")
	}
	s, err := Generated(Paced{Holdings: agh}, GenerateOptions{Arrivals: Arrivals{Process: "series",
		Series: "missing.csv", Load: LoadOptions{Column: "x"}}}, 0)
	if err == nil {
		_, err = s.WriteFlows(context.Background(), io.Discard, nil)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the series is missing", err)
	}
}

func TestConvertedCapturesAreTheSame(t *testing.T) {
	for _, name := range []string{"echo-connections.pcap.gz", "tls2.pcap.gz"} {
		path := filepath.Join("data", name)
		want, err := Inspect(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var capture, csv bytes.Buffer
		if _, err := ConvertToCapture(context.Background(), path, &capture, PCAPNG, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := ConvertToFlows(context.Background(), path, Options{}, &csv, nil); err != nil {
			t.Fatal(err)
		}
		copied, err := Inspect(write(t, "x.pcapng", capture.Bytes()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		copied.File, copied.Format = want.File, want.Format
		if got, want := fmt.Sprint(copied), fmt.Sprint(want); got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		flows, err := Inspect(write(t, "x.csv", csv.Bytes()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if flows.Packets != want.Packets || flows.Bytes != want.Bytes || flows.FlowsUni != want.FlowsUni ||
			flows.FlowsBi != want.FlowsBi {
			t.Errorf("%s: flows of %+v, want %+v", name, flows, want)
		}
	}
}

// The seconds of a flow CSV, of a log and of a load curve are not negative.
func TestTimesBefore1970AreRefused(t *testing.T) {
	early := pcapOf(linkEthernet, stamped{0, cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))})
	binary.LittleEndian.PutUint32(early[24:], 0)
	binary.LittleEndian.PutUint32(early[28:], 1<<32-500_000) // half a second before
	capture := write(t, "x", early)
	var ng bytes.Buffer // a packet without a time, and one of the same flow at -1 s
	for _, b := range []string{
		"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00" +
			"\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00",
		"\x01\x00\x00\x00\x20\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x0e\x00\x08\x00" +
			"\xff\xff\xff\xff\xff\xff\xff\xff\x20\x00\x00\x00",
		"\x03\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00",
		"\x06\x00\x00\x00\x20\x00\x00\x00" + strings.Repeat("\x00", 20) + "\x20\x00\x00\x00",
	} {
		ng.WriteString(b)
	}
	shifted := write(t, "y", ng.Bytes())
	log := write(t, "conn.log", []byte(jsonConn(`"ts":"1969-12-31T23:59:59.5Z"`)))
	load := write(t, "load.csv", []byte("t,v\n1969-12-31 23:59:58,1\n1970-01-01 00:00:00,1\n"))
	const logged, loaded = ": line 1: 1969-12-31T23:59:59.5Z is before 1970",
		": line 2: column t: 1969-12-31T23:59:58Z is before 1970"
	for _, c := range []struct {
		want string
		err  error
	}{
		{capture + ": packet 1: time -1 s since 1970, want 0",
			second(ConvertToFlows(context.Background(), capture, Options{}, io.Discard, nil))},
		{shifted + ": packet 2: time -1 s since 1970, want 0",
			second(ConvertToFlows(context.Background(), shifted, Options{}, io.Discard, nil))},
		{log + logged, second(ConvertToFlows(context.Background(), log, Options{}, io.Discard, nil))},
		{log + logged, second(Read(log, Options{}))},
		{load + loaded, second(ReadLoad(load, LoadOptions{Column: "v", Time: "t"}))},
		{load + loaded, second(ReadLoad(load, LoadOptions{Column: RowCount, Time: "t"}))},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got error %v, want %q", c.err, c.want)
		}
	}
	if _, err := Read(capture, Options{}); err != nil { // its times count from the first
		t.Error(err)
	}
}

// A pcap holds the same frames as a pcapng, with times in microseconds, wherever its format can.
func TestCapturesInTheOlderFormat(t *testing.T) {
	path := filepath.Join("data", "tls2.pcap.gz") // which has microseconds
	var one, two bytes.Buffer
	if _, err := ConvertToCapture(context.Background(), path, &one, PCAP, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ConvertToCapture(context.Background(), write(t, "x.pcap", one.Bytes()), &two, PCAP, nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("a copy of a copy differs")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := ours(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := ours(t, one.Bytes()); err != nil || !slices.Equal(got, want) {
		t.Errorf("the packets differ: %v", err)
	}

	var mixed bytes.Buffer
	w := newCaptureWriter(&mixed, PCAPNG)
	for _, link := range []layers.LinkType{linkEthernet, linkRaw} {
		if err := w.write(link, time.Unix(1, 0), 60, make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	_, err = ConvertToCapture(context.Background(), write(t, "mixed.pcapng", mixed.Bytes()), io.Discard, PCAP, nil)
	if want := "mixed.pcapng: packet 2: a frame of link type"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, c := range []struct {
		at   time.Time
		size int
		want string
	}{{time.Unix(1<<32, 0), 60, "time 2106"}, {time.Unix(1, 0), maxSnap + 1, "too many for a pcap"}} {
		w := newCaptureWriter(io.Discard, PCAP)
		if err := w.write(linkEthernet, c.at, c.size, make([]byte, c.size)); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestFlowLogsArePlayed(t *testing.T) {
	for _, c := range []struct {
		file           string
		packets, bytes int64
	}{
		{"nfdump-1.6.csv", 22, 16454 + 22*14},
		{"cicflowmeter-4.csv", 12, 3660 + 10*54 + 2*42},
	} {
		var out bytes.Buffer
		done, err := ConvertToCapture(context.Background(), filepath.Join("testdata", c.file), &out, PCAPNG, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Inspect(write(t, "x.pcapng", out.Bytes()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Packets != c.packets || got.Bytes != c.bytes || done.Packets != c.packets || done.Bytes != c.bytes {
			t.Errorf("%s: wrote %v, read %d packets and %d bytes; want %d and %d", c.file, done, got.Packets, got.Bytes,
				c.packets, c.bytes)
		}
	}
}

func TestWritingStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := Staircase(StaircaseOptions{Flows: 1, End: 3600 * units.Second, Rate: 1e9, Size: 64}).Stream()
	if _, err := s.WriteCapture(ctx, io.Discard, PCAPNG, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was interrupted", err)
	}
}

func BenchmarkWriteCapture(b *testing.B) {
	for _, size := range []float64{64, 1518} {
		b.Run(fmt.Sprintf("%gB", size), func(b *testing.B) {
			s := Staircase(StaircaseOptions{Flows: 64, End: units.Second, Rate: 1e4, Size: size}).Stream()
			n := int64(0)
			for b.Loop() {
				done, err := s.WriteCapture(context.Background(), io.Discard, PCAPNG, nil)
				if err != nil {
					b.Fatal(err)
				}
				n += done.Packets
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
