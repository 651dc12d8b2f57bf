package traces

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

const zeekHeader = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t" +
	"proto\tduration\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"

// conn is a line of a log with the header zeekHeader.
func conn(ts, duration, counts string) string {
	return ts + "\t10.0.0.1\t1025\t10.0.0.2\t53\tudp\t" + duration + "\t" + strings.ReplaceAll(counts, " ", "\t") + "\n"
}

// jsonConn is a record of a Zeek log in JSON, with the given members added.
func jsonConn(more string) string {
	return `{"id.orig_h":"10.0.0.1","id.orig_p":1025,"id.resp_h":"10.0.0.2","id.resp_p":53,"proto":"udp",` +
		`"orig_pkts":4,"orig_ip_bytes":400,"resp_pkts":2,"resp_ip_bytes":300,` + more + "}\n"
}

func TestAConnectionIsAFlowInEachDirection(t *testing.T) {
	log := zeekHeader + conn("1258531221.486540", "2.000001", "4 400 2 3000") +
		"#fields\tts\tproto\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t" +
		"duration\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n" +
		"1258531221.486539\ticmp\t2001:db8::1\t8\t2001:db8::2\t0\t-\t1\t84\t-\t-\n#close\n"
	for name, b := range map[string][]byte{"plain": []byte(log),
		"members": zipped([]byte(log[:150]), []byte(log[150:]))} {
		w, err := ReadZeek(write(t, "conn.log", b), Options{Resolution: units.Millisecond})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check(t, w)
		icmp := tuple6
		icmp.SrcPort, icmp.DstPort, icmp.Proto = 8, 0, flow.ICMPv6
		us, end := units.Microsecond, 2*units.Second+2*units.Microsecond
		want := []Flow{
			{icmp, []Segment{{0, units.Millisecond, 1, 84}}},
			{tuple4, []Segment{{us, end, 4, 400}}},
			{Reverse(tuple4), []Segment{{us, end, 2, 3000}}},
		}
		if !reflect.DeepEqual(w.Flows, want) {
			t.Errorf("%s: got %v, want %v", name, w.Flows, want)
		}
	}
}

func TestACutDividesConnections(t *testing.T) {
	path := write(t, "conn.log", []byte(zeekHeader+conn("100", "10", "100 1000 0 0")+conn("101", "1", "7 70 0 0")))
	w, err := ReadZeek(path, Options{From: 4 * units.Second, To: 6 * units.Second})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Segment{0, 2 * units.Second, 20, 200}); len(w.Flows) != 1 || w.Flows[0].Segments[0] != want {
		t.Errorf("got %v, want %v", w.Flows, want)
	}
}

func TestHostileLogsAreRefusedByLine(t *testing.T) {
	for want, log := range map[string]string{
		"the file is empty":                              "",
		"is JSON, but not a Zeek conn.log":               "{\"ts\":1}\n",
		"line 2: no record of conn, and 1 of other logs": "{}\n{\"ts\":1,\"_path\":\"dns\"}\n",
		"line 2: no #fields line":                        "#close\n1\n",
		"no #fields line in 1 lines":                     "#close\n",
		"line 1: #fields has no ts":                      "#fields\tuid\n",
		"line 3: 1 values":                               zeekHeader + "nonsense\n",
		"line 3: ts: \"NaN\"":                            zeekHeader + conn("NaN", "1", "1 1 1 1"),
		"line 3: ts: \"-1\"":                             zeekHeader + conn("-1", "1", "1 1 1 1"),
		"line 3: ts: \"1e9\"":                            zeekHeader + conn("1e9", "1", "1 1 1 1"),
		"line 3: the record ends at 1970-04-26":          zeekHeader + conn("1", "9999999", "1 1 1 1"),
		"line 4: orig_pkts: \"-5\"": zeekHeader + conn("1", "1", "1 1 1 1") +
			conn("1", "1", "-5 1 1 1"),
		"line 3: resp_ip_bytes: \"99999999999999999\"": zeekHeader + conn("1", "1", "1 1 1 99999999999999999"),
		"line 4: counts sum to more than 2^53": zeekHeader + conn("1", "1", "9007199254740992 1 0 0") +
			conn("1", "1", "1 1 0 0"),
		"line 3: 7 IP bytes in no packet":   zeekHeader + conn("1", "1", "0 7 1 1"),
		"line 3: longer than 1048576 bytes": zeekHeader + strings.Repeat("x", 2<<20),
		"line 3: proto: \"carp\"": zeekHeader + strings.Replace(conn("1", "1", "1 1 1 1"),
			"udp", "carp", 1),
		"line 3: id.orig_h": zeekHeader + strings.Replace(conn("1", "1", "1 1 1 1"),
			"10.0.0.1", "10.0.0.300", 1),
		"line 3: id.orig_p": zeekHeader + strings.Replace(conn("1", "1", "1 1 1 1"),
			"1025", "70000", 1),
		"line 4: 99999999999 s since 1970 are in the": zeekHeader + conn("1", "1", "1 1 1 1") +
			conn("99999999999", "1", "1 1 1 1"),
		"no packets": zeekHeader + conn("1", "1", "0 0 0 0"),
	} {
		_, err := ReadZeek(write(t, "conn.log", []byte(log)), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "conn.log: ") {
			t.Errorf("got %v, want the file's name and %q", err, want)
		}
	}
	z := zipped([]byte(zeekHeader + conn("1", "1", "1 1 1 1")))
	if _, err := ReadZeek(write(t, "x", z[:len(z)-9]), Options{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut gzip: %v, want ErrTruncated", err)
	}
}

// A file that breaks off names the line where it does.
func TestTheLineOfAFault(t *testing.T) {
	row := conn("1", "1", "1 1 1 1")
	for _, c := range []struct {
		text string
		line int
	}{
		{"", 1}, {zeekHeader[:5], 1}, {zeekHeader, 3}, {zeekHeader + row[:9], 3}, {zeekHeader + row[:len(row)-1], 3},
		{zeekHeader + row, 4}, {zeekHeader + row + "1", 4},
	} {
		src, err := newSource(io.MultiReader(strings.NewReader(c.text), iotest.ErrReader(io.ErrUnexpectedEOF)), 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		_, err = zeek.each(src, func(*logged, connection) error { return nil })
		if want := fmt.Sprintf("line %d: file is truncated", c.line); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", c.text, err, want)
		}
	}
}

func TestALoadHoldsUntilTheNextRow(t *testing.T) {
	const s = units.Second
	for _, c := range []struct {
		name, csv string
		o         LoadOptions
		want      []Segment
	}{
		{"steps", "a,b\n1,10\n2,10\n3,0\n4,30\n", LoadOptions{Column: "b"},
			[]Segment{{0, 2 * s, 20, 20}, {3 * s, 4 * s, 30, 30}}},
		{"times", "t,v\n100.5,10\n102.5,20\n", LoadOptions{Column: "v", Time: "t"},
			[]Segment{{0, 2 * s, 20, 20}, {2 * s, 4 * s, 40, 40}}},
		{"dates", "t,v\n2024-02-28 23:59:59,10\n\"2024-02-29 00:00:00.5\",20\n", LoadOptions{Column: "v", Time: "t",
			Scale: 2}, []Segment{{0, 3 * s / 2, 30, 30}, {3 * s / 2, 3 * s, 60, 60}}},
		{"events", "t\n10.9\n11.0\n11.9\n13\n", LoadOptions{Column: RowCount, Time: "t"},
			[]Segment{{0, s, 1, 1}, {s, 2 * s, 2, 2}, {3 * s, 4 * s, 1, 1}}},
		{"cut, twice as fast", "v\n1\n2\n3\n4\n", LoadOptions{Column: "v", Step: 2 * s, From: 3 * s, To: 6 * s,
			Speedup: 2}, []Segment{{0, s / 2, 1, 1}, {s / 2, 3 * s / 2, 3, 3}}},
		{"windows and quotes", "\ufeff\"a \"\"x\"\"\", v\r\n1, 7\r\n\r\n", LoadOptions{Column: `a "x"`},
			[]Segment{{0, s, 1, 1}}},
	} {
		c.o.Size, c.o.Flows = 1, 2
		w, err := ReadLoad(write(t, "load.csv", []byte(c.csv)), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		check(t, w)
		for i := range c.want {
			c.want[i].Packets /= 2
			c.want[i].Bytes /= 2
		}
		if len(w.Flows) != 2 || !reflect.DeepEqual(w.Flows[1].Segments, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, w.Flows, c.want)
		}
	}
}

func TestBadLoadsAreRefusedByLine(t *testing.T) {
	for _, c := range []struct {
		csv, want string
		o         LoadOptions
	}{
		{"", "empty", LoadOptions{Column: "v"}},
		{"a,b\n1,2\n", `line 1: no column v: found "a, b"`, LoadOptions{Column: "v"}},
		{"v\nNaN\n", `line 2: column v: "NaN"`, LoadOptions{Column: "v"}},
		{"v\n1\n-1\n", `line 3: column v: "-1"`, LoadOptions{Column: "v"}},
		{"v\n+Inf\n", "line 2: a load of +Inf", LoadOptions{Column: "v"}},
		{"v\n1e12\n", "line 2: a load of 2e+12 packets a second, want at most 1e+12",
			LoadOptions{Column: "v", Scale: 2}},
		{"a,v\n1\n", "line 2: 1 values, want 2", LoadOptions{Column: "v"}},
		{"t,v\n2,1\n2,1\n", "line 3: column t: \"2\" is not later", LoadOptions{Column: "v", Time: "t"}},
		{"t,v\n2,1\n1,1\n", "line 3: column t: \"1\" is not later", LoadOptions{Column: RowCount, Time: "t"}},
		{"t,v\nnow,1\n", `line 2: column t: "now" is not a time`, LoadOptions{Column: "v", Time: "t"}},
		{"v\n\"1\n", "line 2: a quote is not closed", LoadOptions{Column: "v"}},
		{"v\n1\n1\n1\n", "line 4: the rows last longer", LoadOptions{Column: "v", Step: 1000 * units.Hour}},
		{"v\n0\n", "no load in column v", LoadOptions{Column: "v"}},
		{"v\n1\n", "speedup is NaN", LoadOptions{Column: "v", Speedup: math.NaN()}},
		{"v\n1\n", "longer than", LoadOptions{Column: "v", Speedup: 1e-20}},
		{"v\n1\n", "needs a time column", LoadOptions{Column: RowCount}},
	} {
		_, err := ReadLoad(write(t, "load.csv", []byte(c.csv)), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "load.csv: ") {
			t.Errorf("%q: got %v, want the file's name and %q", c.csv, err, c.want)
		}
	}
}

func FuzzZeek(f *testing.F) {
	for _, log := range []string{zeekHeader, zeekHeader + conn("1.5", "-", "1 40 1 40"),
		zeekHeader + conn("1", "8000000", "9007199254740991 1 1 1")} {
		f.Add([]byte(log))
		f.Add(zipped([]byte(log)))
	}
	f.Add([]byte(jsonConn(`"ts":1714979075.309996`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range []*flowLog{&zeek, &zeekJSON} {
			if src := sourceOf(b); src != nil {
				o := Options{Copies: 2, From: 1, Speedup: 0.5}
				if w, err := readFlowLog(src, "conn.log", o, format); err == nil {
					check(t, w)
				}
			}
		}
		inspected(b)
	})
}

func FuzzLoad(f *testing.F) {
	for _, csv := range []string{"t,v\n1,2\n3,4\n", "t,v\n2024-02-29 00:00:00,1e12\n2024-02-29T01:00:00Z,\"3\"\n",
		"v,t\n0,0\n"} {
		f.Add([]byte(csv))
		f.Add(zipped([]byte(csv)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, o := range []LoadOptions{{Column: "v"}, {Column: "v", Time: "t", Speedup: 3, From: units.Second},
			{Column: "v", Flows: 3, Lifetime: units.Minute},
			{Column: RowCount, Time: "t", Step: units.Minute}} {
			src := sourceOf(b)
			if src == nil {
				return
			}
			if w, err := readLoad(src, "load.csv", o); err == nil {
				check(t, w)
			}
		}
	})
}

func TestZeekLogsInJSON(t *testing.T) {
	for _, c := range []struct{ log, want string }{
		{jsonConn(`"ts":1714979075.309996,"duration":2.5`),
			"udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 2500ms, 4 packets, 400 B"},
		{jsonConn(`"ts":1.714979075309996e+09,"duration":1e-06`),
			"udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 1us, 4 packets, 400 B"},
		{jsonConn(`"ts":"2024-05-06T07:04:35.309996Z","duration":null`),
			"udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 100ms, 4 packets, 400 B"},
		{`{"_path":"stats","ts":1714979075.3,"peer":"x"}` + "\n" + jsonConn(`"ts":1714979075.3`),
			"udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 100ms, 4 packets, 400 B"},
		{"{}\n" + jsonConn(`"ts":1714979075.3`), "udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 100ms, 4 packets, 400 B"},
		{jsonConn(`"ts":1714979075.3,"_path":"conn"`) + jsonConn(`"ts":1,"_path":"dns"`),
			"udp 10.0.0.1:1025 > 10.0.0.2:53: 0s for 100ms, 4 packets, 400 B"},
	} {
		log := strings.ReplaceAll(c.log, ",}", "}")
		for name, read := range map[string]func(string, Options) (*Workload, error){"Zeek": ReadZeek,
			"records": ReadFlowLog, "any": Read} {
			w, err := read(write(t, "conn.log", []byte(log)), Options{})
			if err != nil {
				t.Errorf("%s: %s: %v", name, log, err)
				continue
			}
			check(t, w)
			if got := described(w); len(got) != 2 || got[0] != c.want || w.Layer != IPBytes {
				t.Errorf("%s: %s: got %s, want %s", name, log, got, c.want)
			}
		}
	}
	for want, more := range map[string]string{
		"line 1: 1714979075309 s since 1970 are in the year 56315": `"ts":1714979075309`,
		"line 1: ts: \"yesterday\" is not a time":                  `"ts":"yesterday"`,
		"line 1: ts twice in an object":                            `"ts":1,"ts":2`,
		"line 1: no ts: want the records":                          `"uid":"ts"`,
		"line 1: duration: []interface {}, want a number":          `"ts":1,"duration":[1]`,
		"line 1: duration: \"1e99\" is out of range":               `"ts":1,"duration":1e99`,
		"line 1: orig_pkts twice":                                  `"ts":1,"orig_pkts":9`,
		"line 1: the JSON object ends before it is closed":         `"ts":1,"uid":{"x":1`,
		"line 1: more than a JSON object on a line":                `"ts":1}{`,
	} {
		_, err := ReadZeek(write(t, "conn.log", []byte(jsonConn(more))), Options{})
		if err == nil || !strings.Contains(err.Error(), "conn.log: "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for from, want := range map[string]string{"1e-06": "0.000001", "1.5e3": "1500", "-2.50E-1": "-0.25", "12.5": "12.5",
		"0e0": "0", "1.23e1": "12.3"} {
		if got, err := plain(from); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", from, got, err, want)
		}
	}
}
