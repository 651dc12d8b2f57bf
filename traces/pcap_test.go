package traces

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// peers reads a capture with gopacket: the slow, obvious reader. One line of text a packet.
func peers(b []byte) (lines []string, err error) {
	raw, err := gunzip(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	br := bufio.NewReader(raw)
	magic, _ := br.Peek(4)
	var read func() ([]byte, gopacket.CaptureInfo, error)
	var link layers.LinkType
	if string(magic) == "\x0a\x0d\x0d\x0a" {
		r, err := pcapgo.NewNgReader(br, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, err
		}
		read = r.ReadPacketData
	} else {
		r, err := pcapgo.NewReader(br)
		if err != nil {
			return nil, err
		}
		read, link = r.ReadPacketData, r.LinkType()
	}
	for {
		data, ci, err := read()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		if len(ci.AncillaryData) > 0 {
			link = ci.AncillaryData[0].(layers.LinkType)
		}
		lines = append(lines, fmt.Sprintf("%d.%09d link %d interface %d length %d %x", ci.Timestamp.Unix(),
			ci.Timestamp.Nanosecond(), link, ci.InterfaceIndex, ci.Length, data))
	}
}

// ours reads the same with records.
func ours(t testing.TB, b []byte) (lines []string, joined int64, err error) {
	t.Helper()
	src, err := newSource(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, 0, err
	}
	x := records{src: src}
	if err := x.open(); err != nil {
		return nil, 0, err
	}
	for {
		var f record
		if err := x.next(&f); err == io.EOF {
			return lines, x.joined, nil
		} else if err != nil {
			return lines, x.joined, err
		}
		lines = append(lines, fmt.Sprintf("%d.%09d link %d interface %d length %d %x", f.at.sec, f.at.ps/1000, f.link,
			f.iface, f.length, f.data))
	}
}

func sameRecords(t *testing.T, b []byte) {
	t.Helper()
	got, _, err := ours(t, b)
	if err != nil {
		t.Fatal(err)
	}
	want, err := peers(b)
	if err != nil {
		t.Fatalf("gopacket: %v", err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d packets, gopacket reads %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("packet %d: got\n%s\ngopacket reads\n%s", i+1, got[i], want[i])
		}
	}
}

func TestRecordsAreThoseThatGopacketReads(t *testing.T) {
	for _, name := range []string{
		"data/echo-connections.pcap.gz", "data/tls2.pcap.gz",
		"pcap/open5gs-5g-roaming-lbo.pcapng", "pcap/cicddos2019-synflood.pcap.gz",
	} {
		path, here := recording(t, name)
		if !here {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sameRecords(t, b)
		})
	}
}

// Random files with several interfaces, clocks and frames up to more than a buffer.
func TestRandomCapturesAreThoseThatGopacketReads(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var ng, old bytes.Buffer
		w, err := pcapgo.NewNgWriterInterface(&ng, pcapgo.NgInterface{LinkType: layers.LinkTypeEthernet,
			TimestampResolution: 9, SnapLength: 0, Name: "one"}, pcapgo.NgWriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw, TimestampResolution: 6, Name: "two"})
		p := pcapgo.NewWriterNanos(&old)
		p.WriteFileHeader(1<<19, layers.LinkTypeRaw)
		for range 300 {
			data := make([]byte, r.IntN(200))
			if r.IntN(50) == 0 {
				data = make([]byte, r.IntN(400_000))
			}
			for i := range min(100, len(data)) {
				data[i] = byte(r.Uint32())
			}
			ci := gopacket.CaptureInfo{Timestamp: time.Unix(1e9+r.Int64N(1e8), r.Int64N(1e9)), CaptureLength: len(data),
				Length: len(data) + r.IntN(3)}
			if err := p.WritePacket(ci, data); err != nil {
				t.Fatal(err)
			}
			ci.InterfaceIndex = r.IntN(2)
			if err := w.WritePacket(ci, data); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		sameRecords(t, ng.Bytes())
		sameRecords(t, zipped(old.Bytes()))
	}
}

// A clock of 2^-n s is exact to the picosecond, which gopacket's nanoseconds are not.
func TestClocksOfEveryResolution(t *testing.T) {
	for _, c := range []struct {
		ticks uint64
		at    uint64
		want  instant
	}{
		{1 << 32, 1<<33 + 1<<31, instant{2, 500_000_000_000}},
		{1 << 32, 1, instant{0, 232}},
		{1e15, 3e15 + 1999, instant{3, 1}},
		{1, 77, instant{77, 0}},
		{1e6, 1_500_000, instant{1, 500_000_000_000}},
	} {
		i := iface{ticks: c.ticks}
		if picos%c.ticks == 0 {
			i.factor = picos / c.ticks
		}
		if got, err := i.time(c.at); err != nil || got != c.want {
			t.Errorf("%d of %d a second: %v, %v; want %v", c.at, c.ticks, got, err, c.want)
		}
	}
}

// The short way through the headers gives what the long one gives.
func FuzzFrame(f *testing.F) {
	udp := cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))
	for i := range udp {
		b := bytes.Clone(udp)
		b[i] ^= 0x40
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 14 {
			return
		}
		var w, slow walker
		got, kind := w.frame(linkEthernet, b)
		want, wantKind := slow.ether(b[6:12], b[:6], binary.BigEndian.Uint16(b[12:]), b[14:])
		if got != want || kind != wantKind {
			t.Errorf("%x: got %v, kind %d; want %v, kind %d", b, got, kind, want, wantKind)
		}
	})
}

// older reports whether a pcap is of a version before 2.4. gopacket does not know that their two lengths are swapped.
func older(b []byte) bool {
	if magics[string(b[:4])].big {
		return binary.BigEndian.Uint16(b[6:]) < 4
	}
	return binary.LittleEndian.Uint16(b[6:]) < 4
}

// carries reports whether a pcap has a time with a second or more in its fraction, of which gopacket loses bits.
func carries(b []byte) bool {
	m := magics[string(b[:4])]
	number := func(b []byte) uint64 {
		if m.big {
			return uint64(binary.BigEndian.Uint32(b))
		}
		return uint64(binary.LittleEndian.Uint32(b))
	}
	for b = b[24:]; len(b) >= 16; b = b[16+number(b[8:]):] {
		if number(b[4:]) >= m.ticks {
			return true
		}
	}
	return false
}

// Whatever both readers take for a capture holds the same packets.
func FuzzRecords(f *testing.F) {
	frame := cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))
	capture := pcapOf(linkEthernet, stamped{0, frame}, stamped{9, frame})
	old := bytes.Clone(capture)
	old[6] = 2 // version 2.2
	for _, b := range [][]byte{capture, old, cat(capture, capture)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 || magics[string(b[:4])].ticks == 0 {
			return
		}
		got, joined, err := ours(t, b)
		want, slow := peers(b)
		if err != nil || slow != nil || joined > 0 || older(b) || carries(b) {
			return
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, gopacket reads %q", got, want)
		}
	})
}
