package traces

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

const fieldDir = "testdata/field"

// Files as they are found in the field: what each holds, and what is said of it.
func TestFilesAsTheyAreFound(t *testing.T) {
	tested := []string{"ORIGIN.md"}
	for _, c := range []struct {
		file  string
		want  string // packets, bytes, seconds and directed flows; empty if it is refused
		notes []Count
		err   string
	}{
		{file: "nfdump-two-dumps.csv", want: "8 packets, 800 B, 1.1 s, 2 flows",
			notes: []Count{{"lines that repeat the column names", 1}}},
		{file: "zk_cutdigit.log", err: "line 10: 20 values, want 21"},
		{file: "nf17_cutdigit.csv", err: "line 3: 9 values, want 10"},
		{file: "cic_cutdigit.csv", err: "line 3: 12 values, want 13"},
		{file: "own_cutdigit.csv", want: "20 packets, 1100 B, 1 s, 1 flows", notes: []Count{
			{"directions of fewer bytes than their packets' headers have, kept", 1},
			{"last lines without a newline: a value may be cut there", 1}}},
		{file: "usec_neg.pcap", want: "5 packets, 500 B, 3 s, 2 flows",
			notes: []Count{{"timestamps with a fraction below 0 or of a second or more, carried", 1}}},
		{file: "usec_big.pcap", want: "2 packets, 200 B, 0.500002 s, 2 flows",
			notes: []Count{{"timestamps with a fraction below 0 or of a second or more, carried", 1}}},
		{file: "span200d.pcap", want: "3 packets, 300 B, 1.728e+07 s, 2 flows",
			notes: []Count{{"packets more than 100 days after the first, for which a run needs a cut", 1}}},
		{file: "zk_zero_ts.log", err: "line 10: the record of line 9 begins in 1970, and that of line 10 in " +
			"another year"},
		{file: "nf17_1970.csv", err: "line 3: the record of line 2 begins in 1970, and that of line 3 in another year"},
		{file: "cic17_blankrows.csv", want: "4 packets, 24 B, 3e-06 s, 1 flows",
			notes: []Count{{"directions of connections without packets", 2}, {"rows without values", 5}}},
		{file: "nf17_hdr2.csv", want: "13 packets, 3540 B, 1.85 s, 2 flows",
			notes: []Count{{"lines that repeat the column names", 1}}},
		{file: "zk_bom.log", want: "24 packets, 6314 B, 12 s, 4 flows"},
		{file: "nf17_negdur.csv", want: "12 packets, 3456 B, 0.1 s, 1 flows",
			notes: []Count{{"negative durations, taken as 0", 1}}},
		{file: "zk_negdur.log", want: "24 packets, 6314 B, 12 s, 4 flows",
			notes: []Count{{"negative durations, taken as 0", 1}}},
		{file: "zk_seppipe.log", want: "24 packets, 6314 B, 12 s, 4 flows"},
		{file: "spb_after.pcapng", want: "4 packets, 400 B, 2 s, 2 flows",
			notes: []Count{{"packets without a timestamp, taken to come with the packet before", 2}}},
		{file: "nf17_dup.csv", err: "line 1: columns 8 and 9 are both ipkt or packets: want one"},
		{file: "nf17_pk_nobyte.csv", want: "12 packets, 0 B, 1.5 s, 1 flows",
			notes: []Count{{"directions of fewer bytes than their packets' headers have, kept", 1}}},
		{file: "pppoe.pcap", want: "3 packets, 336 B, 2e-06 s, 2 flows"},
		{file: "mpls.pcap", want: "4 packets, 416 B, 3e-06 s, 1 flows"},
		{file: "zeropad.pcap.gz", want: "2 packets, 200 B, 1 s, 2 flows",
			notes: []Count{{"zero bytes after the gzip data, left out", 1000}}},
		{file: "incl_gt_orig.pcap", want: "2 packets, 200 B, 1 s, 2 flows",
			notes: []Count{{"frames captured with more bytes than their length, counted with what was captured", 1}}},
		{file: "kuz.pcap", want: "2 packets, 200 B, 1 s, 2 flows",
			notes: []Count{{"packets in the format of a modified pcap", 2}}},
		{file: "multi_link_bad.pcapng", want: "3 packets, 260 B, 2e-06 s, 2 flows",
			notes: []Count{{"frames of a link type that is not supported, kept as one flow", 1}}},
		{file: "load-epoch-ms.csv", err: `begins with the columns "time,load"`},
	} {
		tested = append(tested, c.file)
		path := filepath.Join(fieldDir, c.file)
		s, err := Inspect(path, Options{})
		if err != nil || c.err != "" {
			if err == nil || c.err == "" || !strings.Contains(err.Error(), path+": "+c.err) {
				t.Errorf("%s: got error %v, want %q", c.file, err, c.err)
			}
			continue
		}
		got := fmt.Sprintf("%d packets, %d B, %.6g s, %d flows", s.Packets, s.Bytes, s.Duration, s.FlowsUni)
		if got != c.want || !slices.Equal(s.Notes, c.notes) {
			t.Errorf("%s: got %s, %v\nwant %s, %v", c.file, got, s.Notes, c.want, c.notes)
		}
		// A run reads the same, but its cut must leave a span that it can hold.
		w, err := Read(path, Options{To: 100 * units.Second})
		if err != nil {
			t.Errorf("%s: inspect reads it, and a run does not: %v", c.file, err)
			continue
		}
		check(t, w)
		cut := int64(0)
		for _, n := range w.Skipped {
			if n.Reason == outsideCut {
				cut = n.N
			}
		}
		if packets, _ := w.Totals(); int64(packets)+cut != s.Packets {
			t.Errorf("%s: %g packets in a run and %d cut off, want %d", c.file, packets, cut, s.Packets)
		}
	}
	entries, err := os.ReadDir(fieldDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(tested, e.Name()) {
			t.Errorf("%s has no row", e.Name())
		}
	}
}

func TestTheLimitOfASpanIsAskedOfWhatTheCutLeaves(t *testing.T) {
	path := filepath.Join(fieldDir, "span200d.pcap")
	for _, byPacket := range []bool{false, true} {
		w, err := ReadCapture(path, Options{To: 10 * units.Second, Packets: byPacket})
		if err != nil {
			t.Fatal(err)
		}
		packets, _ := w.Totals()
		if want := []Count{{"packets more than 100 days after the first, for which a run needs a cut", 1},
			{outsideCut, 1}}; packets != 2 || !slices.Equal(w.Skipped, want) {
			t.Errorf("%g packets, %v; want 2, %v", packets, w.Skipped, want)
		}
	}
	if _, err := ReadCapture(path, Options{}); err == nil ||
		!strings.Contains(err.Error(), "packet 3: time 2021-04-01T12:26:40Z is more than 8640000s after the first "+
			"packet's") {
		t.Errorf("got %v, want an error that names packet 3", err)
	}
	c, err := OpenCapture(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := 0
	for _, err = range c.All() {
		n++
	}
	if n != 3 || err == nil {
		t.Errorf("%d packets and error %v one by one, want an error at the third", n, err)
	}
	log := flowHeader(Frames) +
		"1e9,1,udp,10.0.0.1,1,10.0.0.2,2,10,1000\n1020000000,10000000,udp,10.0.0.1,1,10.0.0.2,2,1000,100000\n"
	log = strings.Replace(log, "1e9", "1000000000", 1)
	w, err := Read(write(t, "x.csv", []byte(log)), Options{To: units.Second})
	if packets, _ := w.Totals(); err != nil || packets != 10 {
		t.Errorf("a flow log: %g packets, %v; want 10", packets, err)
	}
	if _, err := Read(write(t, "x.csv", []byte(log)), Options{}); err == nil ||
		!strings.Contains(err.Error(), "line 3: the record ends at") {
		t.Errorf("a flow log: got %v, want an error that names line 3", err)
	}
	s, err := Inspect(write(t, "x.csv", []byte(log)), Options{})
	if err != nil || s.Packets != 1010 || s.Duration != 30e6 {
		t.Errorf("a flow log: %v, %v; want 1010 packets in 3e7 s", s, err)
	}
	load, err := ReadLoad(write(t, "load.csv", []byte("t,v\n0,1\n10,5\n20000000,7\n")),
		LoadOptions{Column: "v", Time: "t", To: 20 * units.Second})
	if err != nil {
		t.Fatal(err)
	}
	if packets, _ := load.Totals(); packets != 60 {
		t.Errorf("a load: %g packets, want 60", packets)
	}
}

// A cut may leave packets at any distance from the first, even beyond the range of a time.
func TestACutBeyondTheRangeOfATime(t *testing.T) {
	const day = 24 * units.Hour
	frame := cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))
	var frames []stamped
	for _, n := range []int{0, 107, 150, 199} {
		frames = append(frames, stamped{n * 86400 * 1e6, frame})
	}
	path := write(t, "x.pcap", pcapOf(linkEthernet, frames...))
	for _, c := range []struct {
		from units.Time
		want []units.Time // of the packets
		err  string
	}{
		{from: 240 * units.Hour, err: "packet 3: time "},
		{from: 98 * day, err: "packet 4: time "},
		{from: 2400 * units.Hour, want: []units.Time{7 * day, 50 * day, 99 * day}},
		{from: 106 * day, want: []units.Time{day, 44 * day, 93 * day}},
	} {
		w, err := ReadCapture(path, Options{From: c.from})
		if err != nil || c.err != "" {
			if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("from %v: got error %v, want %q", c.from, err, c.err)
			}
			continue
		}
		var got []units.Time
		for _, s := range w.Flows[0].Segments {
			got = append(got, s.Start)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("from %v: packets at %v, want %v", c.from, got, c.want)
		}
	}
	if _, err := ReadCapture(filepath.Join(fieldDir, "span200d.pcap"), Options{From: 240 * units.Hour}); err == nil ||
		!strings.Contains(err.Error(), "packet 3: time ") {
		t.Errorf("got error %v, want one that names packet 3", err)
	}
}

func TestALoadInMillisecondsIsRefused(t *testing.T) {
	path := filepath.Join(fieldDir, "load-epoch-ms.csv")
	_, err := ReadLoad(path, LoadOptions{Column: "load", Time: "time"})
	if want := path + ": line 2: column time: 1577836800000 s since 1970 are in the year 51969: " +
		"want seconds"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
