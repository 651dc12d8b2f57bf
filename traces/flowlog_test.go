package traces

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// described prints flows so that a test can be read: tuple, start, duration, packets, bytes.
func described(w *Workload) (rows []string) {
	for _, f := range w.Flows {
		s := f.Segments[0]
		rows = append(rows, fmt.Sprintf("%v: %v for %v, %g packets, %g B", f.Tuple, s.Start, s.End-s.Start, s.Packets,
			s.Bytes))
	}
	return
}

func TestFlowLogsOfEveryFormat(t *testing.T) {
	for _, c := range []struct {
		file  string
		layer Layer
		flows []string
	}{
		{"nfdump-1.6.csv", IPBytes, []string{
			"udp 192.0.2.7:443 > 198.51.100.9:10693: 0s for 3s, 9 packets, 11214 B",
			"tcp 192.0.2.8:40000 > 198.51.100.9:80: 1s for 2500ms, 6 packets, 840 B",
			"tcp 198.51.100.9:80 > 192.0.2.8:40000: 1s for 2500ms, 5 packets, 4200 B",
			"icmpv6 [2001:db8::1]:128 > [2001:db8::2]:0: 2s for 100ms, 1 packets, 104 B",
			"47 192.0.2.7:0 > 198.51.100.9:0: 2s for 100ms, 1 packets, 96 B",
		}},
		{"nfdump-1.7.csv", IPBytes, []string{
			"tcp 192.0.2.8:40000 > 198.51.100.9:443: 0s for 1500ms, 12 packets, 3456 B",
			"icmp 192.0.2.8:8 > 198.51.100.9:0: 750ms for 100ms, 1 packets, 84 B",
		}},
		{"cicflowmeter-4.csv", PayloadBytes, []string{
			"tcp 192.0.2.8:40000 > 198.51.100.9:80: 0s for 1500ms, 5 packets, 500 B",
			"tcp 198.51.100.9:80 > 192.0.2.8:40000: 0s for 1500ms, 3 packets, 3000 B",
			"udp 192.0.2.8:40001 > 198.51.100.9:53: 1s for 20us, 1 packets, 40 B",
			"udp 198.51.100.9:53 > 192.0.2.8:40001: 1s for 20us, 1 packets, 120 B",
			"tcp 198.51.100.9:80 > 192.0.2.8:40000: 2s for 100ms, 2 packets, 0 B",
		}},
		{"cicflowmeter-3.csv", PayloadBytes, []string{
			"tcp 192.0.2.8:40000 > 198.51.100.9:80: 0s for 4us, 2 packets, 12 B",
		}},
	} {
		w, err := Read(filepath.Join("testdata", c.file), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		check(t, w)
		if got := described(w); !reflect.DeepEqual(got, c.flows) || w.Layer != c.layer {
			t.Errorf("%s: %v\n%s\nwant %v\n%s", c.file, w.Layer, strings.Join(got, "\n"),
				c.layer, strings.Join(c.flows, "\n"))
		}
	}
	w, _ := Read(filepath.Join("testdata", "cicflowmeter-4.csv"), Options{})
	if want := []Count{{"directions of connections without packets", 1}, {"lines that repeat the column names", 1},
		{"negative durations, taken as 0", 1}}; !reflect.DeepEqual(w.Skipped, want) {
		t.Errorf("skipped %v, want %v", w.Skipped, want)
	}
}

func TestTimesOfFlowLogsAreDates(t *testing.T) {
	for s, want := range map[string]int64{
		"02/03/2018 08:47:38 PM":     1520023658,
		"02/03/2018 12:00:00 AM":     1519948800,
		"3/7/2017 8:55":              1499072100,
		"03/07/2017 20:55:58":        1499115358,
		"2018-12-01 10:51:39.813448": 1543661499,
	} {
		got, err := parseStamp(s, cicTimes...)
		if err != nil || got.sec != want {
			t.Errorf("%s: %d, %v; want %d", s, got.sec, err, want)
		}
	}
}

func TestMistakesInFlowLogsNameLineAndColumn(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	nf, cic := read("nfdump-1.6.csv"), read("cicflowmeter-4.csv")
	own := "start_s,duration_s,proto,src,src_port,dst,dst_port,packets,ip_bytes\n"
	for _, c := range []struct{ text, old, new, want string }{
		{nf, "2024-06-28 23:17:42,", "yesterday,",
			`line 3: column ts: "yesterday" is not a time: want one such as 2006-01-02 15:04:05`},
		{nf, "2.500", "2.5s", `line 3: column td: "2.5s" is not a number of seconds`},
		{nf, "198.51.100.9,40000", "198.51.100.900,40000", `line 3: column da: "198.51.100.900" is not an IP address`},
		{nf, "198.51.100.9,40000", "::1,40000",
			`line 3: column da: ::1, want an address of the same IP version as the source, 192.0.2.8`},
		{nf, "40000,80", "40000,80000", `line 3: column dp: "80000" is not a port`},
		{nf, "TCP  ", "carp", `line 3: column pr: "carp" is not a protocol`},
		{nf, ",840,", ",84x,", `line 3: column ibyt: "84x" is not a count from 0 to 2^53`},
		{nf, ",5,4200,", ",0,4200,", `line 3: 4200 IP bytes in no packet`},
		{nf, "128.0", "128.900", `line 4: column dp: "128.900" is not an ICMP type and code`},
		{nf, ",td,", ",tdx,", `begins with the columns "ts,te,tdx,sa`},
		{nf, "ipkt,ibyt", "ipkt,ibytes", `line 1: no column ibyt or bytes: found "ts, te`},
		{nf, "0,0,9,11214,0,0,435,471,64500,64501", "0", "line 2: 10 values, want 19, one for each column"},
		{cic, "08:47:39 PM", "20:47:39 PM", `line 3: column Timestamp: "02/03/2018 20:47:39 PM" is not a time`},
		{cic, ",1500000,", ",1.5,", `line 2: column Flow Duration: "1.5" is not a number of microseconds`},
		{cic, "500.0", "500.5", `line 2: column TotLen Fwd Pkts: "500.5" is not a count`},
		{own, "src,", "source,", `line 1: no column src: found "start_s`},
		{own, "ip_bytes", "bytes", "line 1: no column frame_fcs_bytes or frame_bytes or ip_bytes or payload_bytes"},
		{own, "ip_bytes\n", "ip_bytes\n1,-,tcp,10.0.0.1,1,10.0.0.2,2,1,40\n",
			`line 2: column duration_s: "-" is not a number of seconds`},
		{own, "ip_bytes\n", "ip_bytes\n\"1,1\n", "line 2: a quote is not closed"},
		{own, "", "", "no packets"},
	} {
		_, err := Read(write(t, "log.csv", []byte(strings.Replace(c.text, c.old, c.new, 1))), Options{})
		if err == nil || !strings.Contains(err.Error(), "log.csv: "+c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// fuzzFlowLog checks what every flow log that is read promises, and that our own format keeps all of it.
func fuzzFlowLog(f *testing.F, header string, seeds ...string) {
	for _, name := range seeds {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[len(header):])
	}
	read := func(b []byte) (w *Workload, err error) {
		src, err := newSource(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, err
		}
		format, err := sniff(src)
		if err == nil && format == nil {
			err = errors.New("a capture")
		}
		if err != nil {
			return nil, err
		}
		return readFlowLog(src, "x", Options{}, format)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append([]byte(header), b...)
		w, err := read(b)
		if err != nil {
			return
		}
		check(t, w)
		var out bytes.Buffer
		src := sourceOf(b)
		format, _ := sniff(src)
		done, err := convertToFlows(context.Background(), src, format, "x", Options{}, &out, nil)
		if err != nil {
			t.Fatal(err)
		}
		packets, octets := w.Totals()
		if float64(done.Packets) != packets || float64(done.Bytes) != octets || done.Flows != int64(len(w.Flows)) {
			t.Fatalf("wrote %v, want %g packets and %g bytes in %d flows", done, packets, octets, len(w.Flows))
		}
		again, err := read(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Flows, w.Flows) {
			t.Fatalf("read %v\nafter %v", described(again), described(w))
		}
	})
}

func FuzzNfdump(f *testing.F) { fuzzFlowLog(f, "", "nfdump-1.6.csv", "nfdump-1.7.csv") }

func FuzzCICFlowMeter(f *testing.F) { fuzzFlowLog(f, "", "cicflowmeter-4.csv", "cicflowmeter-3.csv") }

func FuzzFlowCSV(f *testing.F) {
	f.Add([]byte("1.000000000001,0,tcp,10.0.0.1,1,10.0.0.2,2,3,4000\n"))
	fuzzFlowLog(f, flowHeader(IPBytes))
}

func TestFlowCSVKeepsThePicosecond(t *testing.T) {
	tuple := flow.FiveTuple{Src: netip.MustParseAddr("::1"), Dst: netip.MustParseAddr("::2"), SrcPort: 1, DstPort: 2,
		Proto: 255}
	var out bytes.Buffer
	w := newFlowWriter(&out, Frames)
	w.write(&connection{start: instant{1, 1}, duration: instant{2, 3}, tuple: tuple, packets: 4, bytes: math.MaxInt32})
	w.Flush()
	want := "start_s,duration_s,proto,src,src_port,dst,dst_port,packets,frame_bytes\n" +
		"1.000000000001,2.000000000003,255,::1,1,::2,2,4,2147483647\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
