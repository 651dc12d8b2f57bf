package traces

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/klauspost/compress/zstd"

	"github.com/smartinco/smartinco/units"
)

// sampler writes files of one format. Each record has three packets and lasts a second.
type sampler struct {
	name      string
	capture   bool
	load      bool // rates, and no durations or bytes
	header    string
	separator string
	record    func(at int64, duration, port, count string) string
	files     func(at ...int64) []byte // of a capture
}

const sampleStart = 1_500_000_000

// samplers are the columns of the table in docs/traces.md.
var samplers = []sampler{
	{name: "pcap", capture: true, files: func(at ...int64) []byte {
		var b bytes.Buffer
		w := pcapgo.NewWriter(&b)
		w.WriteFileHeader(65535, layers.LinkTypeEthernet)
		frames(at, w.WritePacket)
		return b.Bytes()
	}},
	{name: "pcapng", capture: true, files: func(at ...int64) []byte {
		var b bytes.Buffer
		w, _ := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
		frames(at, w.WritePacket)
		w.Flush()
		return b.Bytes()
	}},
	{name: "Zeek", header: zeekHeader, separator: "\t", record: func(at int64, duration, port, count string) string {
		return fmt.Sprintf("%d.0\t10.0.0.1\t%s\t10.0.0.2\t53\tudp\t%s\t1\t%s\t2\t%s\n", at, port, duration, count,
			count)
	}},
	{name: "Zeek JSON", record: func(at int64, duration, port, count string) string {
		return fmt.Sprintf(`{"ts":%d.0,"id.orig_h":"10.0.0.1","id.orig_p":%s,"id.resp_h":"10.0.0.2","id.resp_p":53,`+
			`"proto":"udp","duration":%s,"orig_pkts":1,"orig_ip_bytes":%s,"resp_pkts":2,"resp_ip_bytes":%s}`+"\n",
			at, port, duration, count, count)
	}},
	{name: "nfdump", header: "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n",
		separator: ",", record: func(at int64, duration, port, count string) string {
			return fmt.Sprintf("%s,%s,UDP,10.0.0.1,%s,10.0.0.2,53,3,%s,1\n",
				time.Unix(at, 0).UTC().Format(time.DateTime), duration, port, count)
		}},
	{name: "CICFlowMeter", header: "Timestamp,Flow Duration,Protocol,Src IP,Src Port,Dst IP,Dst Port," +
		"Tot Fwd Pkts,TotLen Fwd Pkts,Tot Bwd Pkts,TotLen Bwd Pkts,Label\n", separator: ",",
		record: func(at int64, duration, port, count string) string {
			return fmt.Sprintf("%s,%s000000,17,10.0.0.1,%s,10.0.0.2,53,1,%s,2,%s,x\n",
				time.Unix(at, 0).UTC().Format("02/01/2006 15:04:05"), duration, port, count, count)
		}},
	{name: "flow CSV", header: flowHeader(IPBytes), separator: ",",
		record: func(at int64, duration, port, count string) string {
			return fmt.Sprintf("%d,%s,udp,10.0.0.1,%s,10.0.0.2,53,3,%s\n", at, duration, port, count)
		}},
	{name: "load curve", load: true, header: "t,v\n", separator: ",", record: func(at int64, _, port, _ string) string {
		if port == "70000" {
			return fmt.Sprintf("%d,-3\n", at)
		}
		return fmt.Sprintf("%d,3\n", at)
	}},
	{name: "services", load: true, header: "t,s,v\n", separator: ",", record: func(at int64, _, port, _ string) string {
		if port == "70000" {
			return fmt.Sprintf("%d,x,-3\n", at)
		}
		return fmt.Sprintf("%d,x,3\n", at)
	}},
}

// frames writes three frames at each time.
func frames(at []int64, write func(gopacket.CaptureInfo, []byte) error) {
	frame := cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))
	for _, sec := range at {
		for range 3 {
			write(gopacket.CaptureInfo{Timestamp: time.Unix(sec, 0), CaptureLength: len(frame), Length: len(frame)},
				frame)
		}
	}
}

// rows are the records of a log at the given times.
func (s *sampler) rows(at ...int64) (text string) {
	for _, t := range at {
		text += s.record(t, "1", "1025", "300")
	}
	return text
}

// file is a file with records at the given times.
func (s *sampler) file(at ...int64) []byte {
	if s.capture {
		return s.files(at...)
	}
	return []byte(s.header + s.rows(at...))
}

// log is a file of two records, the last of which is changed; nil for a capture.
func (s *sampler) log(change func(record string) string) []byte {
	if s.capture {
		return nil
	}
	return []byte(s.header + s.rows(sampleStart) + change(s.rows(sampleStart+1)))
}

// peculiarities are the rows of the table: a file with the peculiarity, nil for a format that cannot have it, and the
// number of packets that are read.
var peculiarities = map[string]struct {
	packets float64
	to      units.Time
	file    func(s *sampler) []byte
}{
	"none of these": {6, 0, func(s *sampler) []byte { return s.file(sampleStart, sampleStart+1) }},
	"byte order mark": {6, 0, func(s *sampler) []byte {
		if s.capture {
			return nil
		}
		return append([]byte("\ufeff"), s.file(sampleStart, sampleStart+1)...)
	}},
	"CR LF": {6, 0, func(s *sampler) []byte {
		if s.capture {
			return nil
		}
		return bytes.ReplaceAll(s.file(sampleStart, sampleStart+1), []byte("\n"), []byte("\r\n"))
	}},
	"files joined": {6, 0, func(s *sampler) []byte {
		second := s.file(sampleStart + 1)
		if !s.capture {
			second = append([]byte("\ufeff"), second...)
		}
		return append(s.file(sampleStart), second...)
	}},
	"blank line": {6, 0, func(s *sampler) []byte {
		if s.capture {
			return nil
		}
		return append([]byte("\n"), s.log(func(r string) string { return "\n" + r + "\n" })...)
	}},
	"row without values": {6, 0, func(s *sampler) []byte {
		names := s.header[strings.LastIndex(strings.TrimSpace(s.header), "\n")+1:]
		row := strings.Repeat(s.separator, strings.Count(names, s.separator)) + "\n"
		if s.separator == "" {
			row = "{}\n"
		}
		return s.log(func(r string) string { return row + r })
	}},
	"row with fewer values than columns, or record cut short": {0, 0, func(s *sampler) []byte {
		switch {
		case s.capture:
			b := s.file(sampleStart, sampleStart+1)
			return b[:len(b)-5]
		case s.separator == "":
			return s.log(func(r string) string { return r[:len(r)-5] })
		}
		return s.log(func(r string) string { return r[:strings.LastIndex(r, s.separator)] + "\n" })
	}},
	"row with more values than columns": {6, 0, func(s *sampler) []byte {
		if s.separator == "" {
			return nil
		}
		return s.log(func(r string) string { return strings.TrimSuffix(r, "\n") + s.separator + "9\n" })
	}},
	"column or member twice": {0, 0, func(s *sampler) []byte {
		switch {
		case s.capture:
			return nil
		case s.separator == "":
			return s.log(func(r string) string { return strings.Replace(r, "{", `{"ts":1500000000.0,`, 1) })
		}
		lines := strings.Split(string(s.file(sampleStart, sampleStart+1)), "\n")
		for i, line := range lines {
			switch { // the first column once more
			case strings.HasPrefix(line, "#fields"):
				lines[i] = strings.Replace(line, "\tts", "\tts\tts", 1)
			case line != "" && line[0] != '#':
				first, _, _ := strings.Cut(line, s.separator)
				lines[i] = first + s.separator + line
			}
		}
		return []byte(strings.Join(lines, "\n"))
	}},
	"last line without a newline": {6, 0,
		func(s *sampler) []byte { return s.log(func(r string) string { return strings.TrimSuffix(r, "\n") }) }},
	"negative duration": {6, 0, func(s *sampler) []byte {
		if s.load {
			return nil
		}
		return s.log(func(string) string { return s.record(sampleStart+1, "-1", "1025", "300") })
	}},
	"value beyond its range": {0, 0, func(s *sampler) []byte {
		if b := s.log(func(string) string { return s.record(sampleStart+1, "1", "70000", "300") }); b != nil {
			return b
		}
		b := s.file(sampleStart)
		if s.name == "pcap" {
			b[24+4+2] = 0x7f // the fraction of the first packet's time
		} else {
			b[bytes.Index(b, []byte{6, 0, 0, 0})+8] = 9 // its interface
		}
		return b
	}},
	"fewer bytes than the packets' headers": {6, 0, func(s *sampler) []byte {
		if s.load {
			return nil
		}
		return s.log(func(string) string { return s.record(sampleStart+1, "1", "1025", "0") })
	}},
	"all times of 1970":         {6, 0, func(s *sampler) []byte { return s.file(3600, 3601) }},
	"time of 1970 among others": {3, units.Second, func(s *sampler) []byte { return s.file(3600, sampleStart) }},
	"milliseconds since 1970": {0, 0, func(s *sampler) []byte {
		if s.capture || s.name == "nfdump" || s.name == "CICFlowMeter" {
			return nil
		}
		return s.file(sampleStart*1000, (sampleStart+1)*1000)
	}},
	"time earlier than before": {6, 0, func(s *sampler) []byte { return s.file(sampleStart+1, sampleStart) }},
	"more than 100 days": {0, 0,
		func(s *sampler) []byte { return s.file(sampleStart, sampleStart+200*86400) }},
	"more than 100 days, and a cut": {3, units.Second,
		func(s *sampler) []byte { return s.file(sampleStart, sampleStart+200*86400) }},
	"packed with gzip": {6, 0,
		func(s *sampler) []byte { return zipped(s.file(sampleStart), nil, s.rest()) }},
	"packed with zstd": {6, 0,
		func(s *sampler) []byte { return zstandard(s.file(sampleStart, sampleStart+1)) }},
	"zeros after gzip data": {6, 0, func(s *sampler) []byte {
		return append(zipped(s.file(sampleStart, sampleStart+1)), make([]byte, 700)...)
	}},
	"gzip data cut short": {0, 0,
		func(s *sampler) []byte { b := zipped(s.file(sampleStart, sampleStart+1)); return b[:len(b)-6] }},
	"another packing (xz, zip, bzip2, 7z, ...)": {0, 0,
		func(s *sampler) []byte { return append([]byte("\xfd7zXZ\x00"), s.file(sampleStart)...) }},
	"nothing in the file": {0, 0, func(s *sampler) []byte { return []byte{} }},
	"no packets":          {0, 0, func(s *sampler) []byte { return s.file() }},
}

// wholeFile are the rows whose errors have no line or packet to name.
var wholeFile = map[string]bool{"another packing (xz, zip, bzip2, 7z, ...)": true, "nothing in the file": true,
	"no packets": true}

var ofFile, inFile = regexp.MustCompile(`/x: `), regexp.MustCompile(`/x: (line|packet) \d+: `)

// rest is what turns a file of one record into one of two.
func (s *sampler) rest() []byte {
	return bytes.TrimPrefix(s.file(sampleStart, sampleStart+1), s.file(sampleStart))
}

func zstandard(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return z.EncodeAll(b, nil)
}

func servicesBy(column, time string, to units.Time) ServicesOptions {
	return ServicesOptions{Group: []string{"s"},
		LoadOptions: LoadOptions{Column: column, Time: time, Step: units.Second, To: to}}
}

// readRates reads a file that has no records of flows; time may be empty for a load curve alone.
func (s *sampler) readRates(src *source, column, time string) (*Workload, error) {
	if s.name == "load curve" {
		return readLoad(src, "x", LoadOptions{Column: column, Time: time})
	}
	return readServices(src, "x", servicesBy(column, "t", 0))
}

// read returns what a run makes of a file: its packets, and what it notes of the file besides the cut.
func (s *sampler) read(t *testing.T, b []byte, to units.Time) (packets float64, notes []Count, err error) {
	path := write(t, "x", b)
	var w *Workload
	switch {
	case s.name == "load curve":
		w, err = ReadLoad(path, LoadOptions{Column: "v", Time: "t", Step: units.Second, To: to})
	case s.load:
		w, err = ReadServices(path, servicesBy("v", "t", to))
	default:
		w, err = Read(path, Options{To: to})
	}
	if err != nil {
		return 0, nil, err
	}
	check(t, w)
	packets, _ = w.Totals()
	for _, n := range w.Skipped {
		if n.Reason != outsideCut {
			notes = append(notes, n)
		}
	}
	return packets, notes, nil
}

// The table of docs/traces.md says what each reader does with each peculiarity. Every cell is tried.
func TestTheTableOfPeculiarities(t *testing.T) {
	b, err := os.ReadFile("../docs/traces.md")
	if err != nil {
		t.Fatal(err)
	}
	var head []string
	seen := map[string]bool{}
	for _, line := range strings.Split(string(b), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch p, known := peculiarities[cells[0]]; {
		case cells[0] == "what is peculiar":
			head = cells[1:]
		case line == "":
			if len(seen) > 0 {
				head = nil
			}
		case head == nil || strings.HasPrefix(cells[0], "---"):
		case !known:
			t.Errorf("the table has a row %q that is not tried", cells[0])
		default:
			seen[cells[0]] = true
			for i, want := range cells[1:] {
				if i >= len(samplers) || head[i] != samplers[i].name {
					t.Fatalf("column %d is %q, which is not that reader", i+1, head[i])
				}
				s := &samplers[i]
				file := p.file(s)
				if file == nil {
					if want != "-" {
						t.Errorf("%s, %s: %s, but there is no such thing", cells[0], s.name, want)
					}
					continue
				}
				packets, notes, err := s.read(t, file, p.to)
				got := "read"
				if err != nil {
					got = "error"
					place := inFile
					if wholeFile[cells[0]] {
						place = ofFile
					}
					if !place.MatchString(err.Error()) {
						t.Errorf("%s, %s: got error %v, want one with %v", cells[0], s.name, err, place)
					}
				} else if len(notes) > 0 {
					got = "note"
				}
				if got != want {
					t.Errorf("%s, %s: the table says %s; got %s: %v %v", cells[0], s.name, want, got, notes, err)
				} else if err == nil && packets != p.packets {
					t.Errorf("%s, %s: %g packets, want %g", cells[0], s.name, packets, p.packets)
				}
			}
			if len(cells) != 1+len(samplers) {
				t.Errorf("%s: %d cells, want %d", cells[0], len(cells)-1, len(samplers))
			}
		}
	}
	for name := range peculiarities {
		if !seen[name] {
			t.Errorf("the table has no row %q", name)
		}
	}
}
