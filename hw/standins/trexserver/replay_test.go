package trexserver

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// recorded is a line of the sessions that were recorded with a TRex v3.08; see ../../trex/testdata/README.md.
type recorded struct {
	N                 int
	Session, Label    string
	T                 float64
	Packed            bool
	Hex               *string
	Request, Response json.RawMessage
}

func sessions(t testing.TB) (lines []recorded) {
	f, err := os.Open("../../trex/testdata/sessions.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var r recorded
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, r)
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}

// wire is the request as it went over the wire.
func (r recorded) wire(t testing.TB) []byte {
	if r.Hex != nil {
		b, err := hex.DecodeString(*r.Hex)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var b []byte
	quoted := false
	for i, c := range r.Request {
		b = append(b, c)
		switch {
		case c == '"' && (i == 0 || r.Request[i-1] != '\\'):
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			b = append(b, ' ')
		}
	}
	if r.Packed {
		return trex.Pack(b)
	}
	return b
}

// cable is a device whose frames arrive at once at the port that it leads to.
type cable struct {
	name string
	mac  net.HardwareAddr
	to   *port
	lose func(frame []byte) bool
	down bool
}

func (c *cable) Name() string                              { return c.name }
func (c *cable) MAC() net.HardwareAddr                     { return c.mac }
func (c *cable) MTU() int                                  { return 9300 }
func (c *cable) Receive(func([]byte, time.Duration)) error { return nil }
func (c *cable) Dropped() uint64                           { return 0 }
func (c *cable) SetPromiscuous(bool) error                 { return nil }
func (c *cable) Up() bool                                  { return !c.down }
func (c *cable) Close() error                              { return nil }
func (c *cable) Send(frames [][]byte) (int, error) {
	for _, f := range frames {
		if c.lose == nil || !c.lose(f) {
			c.to.receive(f, 0)
		}
	}
	return len(frames), nil
}

// bench is a server of two ports that are cabled to each other, whose clock the test moves.
type bench struct {
	*Server
	cables [2]*cable
	clock  time.Duration
}

func newBench() *bench {
	b := &bench{}
	for i := range b.cables {
		b.cables[i] = &cable{name: fmt.Sprint("if", i), mac: net.HardwareAddr{2, 0, 0, 0, 0, byte(i)}}
	}
	b.Server = newServer(func() time.Duration { return b.clock }, []Device{b.cables[0], b.cables[1]})
	b.cables[0].to, b.cables[1].to = b.ports[1], b.ports[0]
	return b
}

// until lets time pass in steps in which a port sends a few packets.
func (b *bench) until(t time.Duration) {
	for b.clock < t {
		b.clock = min(t, b.clock+2*time.Millisecond)
		b.mu.Lock()
		for _, p := range b.ports {
			p.advance(b.clock, 2000)
		}
		b.mu.Unlock()
	}
}

// ask makes a call that must succeed.
func (b *bench) ask(t testing.TB, method string, params dict) any {
	t.Helper()
	params = maps.Clone(params)
	params["api_h"] = b.handle
	var r struct{ Result, Error any }
	if err := json.Unmarshal(b.Handle(encode(dict{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})),
		&r); err != nil {
		t.Fatal(err)
	}
	if r.Error != nil {
		t.Fatalf("%s: %v", method, r.Error)
	}
	return r.Result
}

// Each run of the original that was recorded: its sessions, and its clock at the beginning of each.
var runs = []map[string]float64{
	{"raw": 8.0870, "extra": 90.8541},
	{"stlclient": 52.3331, "ramp32": 81.8763},
}

// different are the recorded requests that are answered differently, and why.
var different = map[int]string{
	1: "says who it is", 333: "says who it is", 338: "says who it is", 454: "says who it is",
	14: "lists the methods that it has", 456: "lists the methods that it has",
	15: "describes itself, and has no tagged packet groups", 455: "describes itself, and has no tagged packet groups",
	26:  "get_utilization is not there: it would have to make figures up",
	133: "get_utilization is not there: it would have to make figures up",
	29:  "get_global_cfg is not there: there is nothing to configure",
	548: "the original ended a burst of 100 at 200 pps some ms before its last packet was due",
	567: "so its end is reported here",
	326: "push_remote is not there", 332: "push_remote is not there",
	330: "without push_remote there are no events of it",
	368: "without push_remote there are no events of it",
}

// Every recorded request, in order and at its time, is answered as the original did, but for those in different. What
// is compared is described at alike.
func TestAnswersAsRecorded(t *testing.T) {
	lines := sessions(t)
	done := 0
	for _, run := range runs {
		b := newBench()
		b.handle, b.token = handles(lines, run)
		for _, r := range lines {
			begin, ok := run[r.Session]
			if !ok {
				continue
			}
			if r.N == 442 {
				b.past(t, lines)
			}
			b.until(time.Duration((begin + r.T) * 1e9))
			if r.N == 423 { // after a batch that was not kept
				for i := range 1000 {
					b.add(t, lines, i+1, "_")
				}
			}
			answer := b.Handle(r.wire(t))
			if magic := bytes.HasPrefix(answer, []byte{0xab, 0xe8}); magic != r.Packed && r.N != 339 && r.N != 342 {
				t.Errorf("%d %s: compressed %v, asked compressed %v", r.N, r.Label, magic, r.Packed)
			}
			body, _, err := trex.Unpack(answer, maxUnpacked)
			if err != nil || !bytes.HasSuffix(body, []byte("\n")) {
				t.Fatalf("%d %s: answer %q, %v", r.N, r.Label, body, err)
			}
			got, want := decode(t, body), decode(t, r.Response)
			allowed := comparison{slack: 60}
			if r.N == 1256 { // the end of the ramp: every packet of its 32 streams was counted
				allowed.slack = 0
			}
			problem := allowed.alike("", got, want)
			reason, expected := different[r.N]
			switch {
			case problem != "" && !expected:
				t.Errorf("%d %s:%s\n got %.600s\nwant %.600s", r.N, r.Label, problem, body, r.Response)
			case problem == "" && expected:
				t.Errorf("%d %s: answered as recorded, although %q", r.N, r.Label, reason)
			}
			done++
		}
	}
	t.Logf("%d exchanges replayed, %d answered differently", done, len(different))
	if done < 390 {
		t.Errorf("%d exchanges replayed, want at least 390", done)
	}
}

// handles gives the names that the original drew: its own, and those of the ports' owners in order.
func handles(lines []recorded, run map[string]float64) (own string, next func() string) {
	var drawn []string
	last := map[any]string{}
	for _, r := range lines {
		if _, ok := run[r.Session]; !ok {
			continue
		}
		var q struct {
			Method string
			Params dict
		}
		var a struct{ Result any }
		if json.Unmarshal(r.Request, &q) != nil || json.Unmarshal(r.Response, &a) != nil {
			continue
		}
		switch q.Method {
		case "api_sync_v2":
			if d, ok := a.Result.(dict); ok {
				own = d["api_h"].(string)
			}
		case "acquire":
			if h, ok := a.Result.(string); ok && last[q.Params["port_id"]] != h {
				last[q.Params["port_id"]] = h
				drawn = append(drawn, h)
			}
		}
	}
	return own, func() string {
		h := drawn[0]
		drawn = drawn[1:]
		return h
	}
}

// add adds the simplest of the recorded streams to port 0, whose owner it asks.
func (b *bench) add(t *testing.T, lines []recorded, id int, profile string) {
	for _, r := range lines {
		if r.N != 425 {
			continue
		}
		var q struct{ Params dict }
		if err := json.Unmarshal(r.Request, &q); err != nil {
			t.Fatal(err)
		}
		b.ask(t, "add_stream", dict{"handler": b.ports[0].handler, "port_id": 0, "stream_id": id, "profile_id": profile,
			"stream": q.Params["stream"]})
	}
}

// past brings a server to where the original was when the second recording began.
func (b *bench) past(t *testing.T, lines []recorded) {
	token := b.token
	b.token = func() string { return "past" }
	for port := range b.ports {
		b.ask(t, "acquire", dict{"port_id": port, "user": "root", "session_id": 1, "force": false})
	}
	b.token = token
	b.add(t, lines, 1, "p1")
	b.ask(t, "remove_all_streams", dict{"handler": "past", "port_id": 0, "profile_id": "p1"})
	b.add(t, lines, 35, "_")
	b.versions = 7
	b.ports[0].tx = counter{25681, 1679794}
	b.ports[1].rx.packets.Store(25681)
	b.ports[1].rx.bytes.Store(1679794)
}

func decode(t *testing.T, b []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return v
}

// How values are compared, by their key. Numbers that are not listed must be the same.
var (
	// Times and moving averages depend on the moment to the millisecond.
	anyNumber = map[string]bool{"ts": true, "tps": true, "tbs": true, "rps": true, "rbs": true, "average": true,
		"jit":      true,
		"last_max": true, "total_max": true, "total_min": true,
		"m_tx_bps": true, "m_rx_bps": true, "m_tx_pps": true, "m_rx_pps": true, "m_rx_core_pps": true,
		"m_total_tx_bps": true, "m_total_tx_pps": true, "m_total_rx_bps": true, "m_total_rx_pps": true}
	// The original starts some hundredths of a second after it answers.
	counts = map[string]float64{"opackets": 1, "ipackets": 1, "obytes": 70, "ibytes": 70, "tp": 1, "rp": 1, "tb": 70,
		"rb":              70,
		"m_total_tx_pkts": 1, "m_total_rx_pkts": 1, "m_total_tx_bytes": 70, "m_total_rx_bytes": 70, "xstats_values": 70}
)

// comparison says by how many packets counters may differ.
type comparison struct{ slack float64 }

// alike says where two answers differ, or "".
func (c comparison) alike(key string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || key != "histogram" && !reflect.DeepEqual(slices.Sorted(maps.Keys(g)),
			slices.Sorted(maps.Keys(want))) {
			return fmt.Sprintf(" %s has keys %v, want %v", key, slices.Sorted(maps.Keys(g)),
				slices.Sorted(maps.Keys(want)))
		}
		if key == "histogram" {
			return ""
		}
		for k, w := range want {
			inherited := k
			if anyNumber[key] || counts[key] > 0 { // by port
				inherited = key
			}
			if p := c.alike(inherited, g[k], w); p != "" {
				return p
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return fmt.Sprintf(" %s is %v, want %v", key, got, want)
		}
		// The original's lists are in no order, but for events, xstats and the answers of a batch.
		if key != "data" && key != "xstats_values" && !strings.HasPrefix(rank(want), "batch") {
			for _, list := range [][]any{g, want} {
				slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(rank(a), rank(b)) })
			}
		}
		for i := range want {
			if p := c.alike(key, g[i], want[i]); p != "" {
				return p
			}
		}
		return ""
	case json.Number:
		g, ok := got.(json.Number)
		a, err1 := g.Float64()
		b, err2 := want.Float64()
		switch {
		case !ok || err1 != nil || err2 != nil ||
			strings.Contains(string(g), ".") != strings.Contains(string(want), ".") && !anyNumber[key]:
			return fmt.Sprintf(" %s is %v, want a number like %v", key, got, want)
		case anyNumber[key], counts[key] > 0 && math.Abs(a-b) <= counts[key]*c.slack, g == want,
			math.Abs(a-b) <= 1e-9*math.Abs(b):
			return ""
		}
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf(" %s is %v, want %v", key, got, want)
	}
	return ""
}

// rank is a key by which elements of a list are sorted, and tells a batch of answers from other lists.
func rank(v any) string {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			if d, ok := v[0].(map[string]any); ok && d["jsonrpc"] != nil {
				return "batch"
			}
		}
	case map[string]any:
		return fmt.Sprintf("%20v %20v %v", v["time_usec"], v["stream_id"], v["index"])
	}
	return fmt.Sprintf("%20v", v)
}
