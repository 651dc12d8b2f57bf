package haproxy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// setting is lines of a backend's configuration, and the policy that is to do the same.
type setting struct {
	lines   string
	row     *policy.Row
	options any
	limited bool // maxconn says something
}

// A flow has no path and no header, so the bytes of its key come to the program as the connection's unique id.
const byKey = "balance hash fc_pp_unique_id\n"

// settings are the ways of balancing, and those of hashing a key besides.
var settings = append([]setting{
	{"balance roundrobin", &roundRobinRow, nil, true},
	{"balance static-rr", &staticRow, nil, true},
	{"balance leastconn", &leastRow, leastOptions{"2.x"}, true},
	{"balance first", &firstRow, nil, true},
	{"balance random(1)", &randomRow, randomOptions{1}, true},
	{"balance random", &randomRow, randomOptions{2}, true},
	{"balance random(5)", &randomRow, randomOptions{5}, true},
	{"balance source", &sourceRow, sourceOptions{"map-based", "auto", 0}, false},
	{"balance source\nhash-type map-based sdbm avalanche", &sourceRow,
		sourceOptions{"map-based", "avalanche", 0}, false},
	{"balance source\nhash-type consistent", &sourceRow, sourceOptions{"consistent", "auto", 0}, false},
	{"balance source\nhash-type consistent\nhash-balance-factor 150", &sourceRow,
		sourceOptions{"consistent", "auto", 150}, false},
	{byKey + "hash-type consistent", &hashRow,
		hashOptions{"src-port", "auto", sourceOptions{"consistent", "auto", 0}}, false},
}, keySettings()...)

const ways = 12

func keySettings() (all []setting) {
	for _, f := range [][2]string{{"sdbm", "five-tuple"}, {"djb2", "src"}, {"wt6", "dst-port"}, {"crc32", "dst"}} {
		add := func(lines string, o sourceOptions) {
			all = append(all, setting{byKey + "hash-type " + lines, &hashRow, hashOptions{f[1], f[0], o}, false})
		}
		add("map-based "+f[0], sourceOptions{"map-based", "auto", 0})
		add("consistent "+f[0], sourceOptions{"consistent", "auto", 0})
		add("consistent "+f[0]+" avalanche\nhash-balance-factor 110", sourceOptions{"consistent", "avalanche", 110})
	}
	return all
}

func (s *setting) name() string { return strings.ReplaceAll(s.lines, "\n", ", ") }

func (s *setting) policy(t *testing.T) policy.Policy {
	p := policytest.New(t, s.row, s.options, 1)
	if r, ok := p.(*random); ok {
		r.draw = xorshift()
	}
	return p
}

// servers are those of a backend, A, B, C ...
type servers struct {
	weights, most []int32
	down          []bool // when the program starts; those beyond the list are not
	slow          int    // seconds of a slow start
	least         []int32
	full          int // fullconn, where there are any least
}

func (b *servers) startsDown(server int) bool { return server < len(b.down) && b.down[server] }

// tupleOf is the five-tuple of a connection in a script.
func tupleOf(id flow.ID) flow.FiveTuple {
	return policytest.Tuple(rand.New(rand.NewPCG(uint64(id), 4)))
}

// host is a world with a queue, which does what a script says.
type host struct {
	*world
	all  map[flow.ID]*policy.Work
	held []*policy.Work
}

func newHost(t *testing.T, p policy.Policy, b *servers) *host {
	h := &host{newWorld(t, p, nil, nil), map[flow.ID]*policy.Work{}, nil}
	h.weight, h.most, h.v.SlowStart = b.weights, b.most, units.Time(b.slow)*units.Second
	h.least, h.v.FullConn = b.least, int32(b.full)
	for i := range b.weights {
		if !b.startsDown(i) {
			h.join(i)
		}
	}
	return h
}

// do carries out "open 3", "close 3", "leave C", "join C" or, which sets the time in milliseconds, "at 1500". It says
// what becomes of connections by that: "3:A", if the third goes to server A, "3:queued", or "3:-" if it is refused.
func (h *host) do(line string) string {
	verb, what, _ := strings.Cut(line, " ")
	var id flow.ID
	fmt.Sscan(what, &id)
	switch verb {
	case "at":
		h.v.Now = units.Time(id) * units.Millisecond
		return ""
	case "open":
		w := &policy.Work{Flow: id, Tuple: tupleOf(id)}
		h.all[id] = w
		got := "-"
		if len(h.v.IDs) > 0 {
			got = h.open(w)
		}
		if got == "(503)" {
			h.held = append(h.held, w)
			h.p.Observe(&policy.Event{Kind: policy.Queued, Slot: -1, Work: w}, &h.v)
			got = "queued"
		}
		return fmt.Sprintf("%d:%s", id, got)
	case "close":
		w := h.all[id]
		if at := slices.Index(h.held, w); at >= 0 {
			h.held = slices.Delete(h.held, at, at+1)
			h.p.Observe(&policy.Event{Kind: policy.Unqueued, Slot: -1, Work: w}, &h.v)
			return ""
		}
		h.close(w)
	case "leave":
		h.leave(int(what[0] - 'A'))
		return ""
	case "join":
		h.join(int(what[0] - 'A'))
	}
	var said []string
	for len(h.held) > 0 && len(h.v.IDs) > 0 {
		w := h.held[0]
		w.Held = true
		got := h.open(w)
		if got == "(503)" {
			break
		}
		h.held = h.held[1:]
		said = append(said, fmt.Sprintf("%d:%s", w.Flow, got))
	}
	return strings.Join(said, " ")
}

// scripts are what the running program, 2.6.12, did where policies once did something else.
var scripts = []struct {
	what, lines string
	servers
	script string
}{
	{"a connection that waits stays in the queue where no server is left that has a weight", "balance first",
		servers{weights: []int32{0, 1}, most: []int32{1, 1}},
		"open 0 [0:B] open 1 [1:queued] leave B [] close 0 [] open 2 [2:-] join B [1:B]"},
	{"a server without a limit takes nothing from the queue when one of its connections ends", "balance random(1)",
		servers{weights: []int32{170, 26}, most: []int32{1, 0}},
		"open 0 [0:A] open 1 [1:queued] open 2 [2:B] open 3 [3:queued] close 2 [] close 0 [1:A]"},
	{"the map goes by the divisor of all weights, those of servers that are down included", "balance static-rr",
		servers{weights: []int32{21, 4}, most: []int32{0, 0}},
		"open 0 [0:A] open 1 [1:A] leave B [] open 2 [2:A] open 3 [3:A] open 4 [4:A] open 5 [5:A] " +
			"join B [] open 6 [6:B]"},
	{"a connection that is refused takes no turn", "balance static-rr",
		servers{weights: []int32{30, 67, 0}, most: []int32{0, 0, 0}},
		"open 0 [0:A] leave A [] open 1 [1:B] leave B [] open 2 [2:-] join B [] join A [] open 3 [3:B]"},
	{"connections of servers that are down count in the balance factor",
		"balance source\nhash-type consistent\nhash-balance-factor 150",
		servers{weights: []int32{26, 106, 153, 168}, most: []int32{0, 0, 0, 0}},
		"open 0 [0:C] open 1 [1:B] leave C [] open 2 [2:B]"},
	{"a server's place among the weights is that of the configuration",
		byKey + "hash-type consistent djb2 avalanche\nhash-balance-factor 110",
		servers{weights: []int32{192, 249, 3, 129}, most: []int32{0, 0, 0, 0}},
		"open 0 [0:D] leave B [] open 1 [1:A]"},
	{"where all servers have their parts, the last one on the ring has more",
		byKey + "hash-type consistent djb2 avalanche\nhash-balance-factor 110",
		servers{weights: []int32{1, 1, 1, 1, 1}, most: make([]int32, 5), down: []bool{false, true, true, true, true}},
		"open 0 [0:A] join B [] join C [] join D [] join E [] leave A [] close 0 [] " +
			"open 1 [1:C] open 2 [2:B] open 3 [3:E] open 4 [4:D] open 5 [5:E]"},
	{"while connections wait, none gets a place that a rising limit has made, but by the end of another",
		"balance roundrobin",
		servers{weights: []int32{174, 232, 1}, most: []int32{6, 8, 6}, least: []int32{1, 3, 1}, full: 29},
		"open 0 [0:B] close 0 [] open 1 [1:B] open 2 [2:A] close 2 [] open 3 [3:B] open 4 [4:A] open 5 [5:B] " +
			"close 5 [] close 1 [] open 6 [6:B] open 7 [7:B] open 8 [8:C] open 9 [9:queued] close 6 [9:B] " +
			"open 10 [10:queued] close 9 [10:B] close 3 [] open 11 [11:B] close 10 [] open 12 [12:B] " +
			"open 13 [13:queued] open 14 [14:queued] close 14 [] open 15 [15:queued] close 11 [13:B] " +
			"open 16 [16:queued] open 17 [17:queued] close 12 [15:B] open 18 [18:queued] open 19 [19:queued] " +
			"open 20 [20:queued] open 21 [21:queued] close 21 [] open 22 [22:queued] open 23 [23:queued]"},
	{"under leastconn one does, before those that wait", "balance leastconn",
		servers{weights: []int32{174, 232, 1}, most: []int32{6, 8, 6}, least: []int32{1, 3, 1}, full: 29},
		"open 0 [0:A] close 0 [] open 1 [1:B] open 2 [2:C] close 2 [] open 3 [3:A] open 4 [4:C] open 5 [5:B] " +
			"close 5 [] close 1 [] open 6 [6:B] open 7 [7:B] open 8 [8:B] open 9 [9:queued] close 6 [9:B] " +
			"open 10 [10:queued] close 9 [10:B] close 3 [] open 11 [11:A] close 10 [] open 12 [12:B] " +
			"open 13 [13:queued] open 14 [14:queued] close 14 [] open 15 [15:queued] close 11 [13:A] " +
			"open 16 [16:queued] open 17 [17:queued] close 12 [15:B] open 18 [18:queued] open 19 [19:queued] " +
			"open 20 [20:A] open 21 [21:C] close 21 [16:C] open 22 [22:queued] open 23 [23:queued] " +
			"open 24 [24:queued] close 15 [17:B] close 23 [] close 20 [18:A]"},
	{"a connection that ends counts while the queue is looked at", "balance random",
		servers{weights: []int32{148, 1}, most: []int32{5, 5}, least: []int32{1, 0}, full: 8},
		"open 0 [0:A] open 1 [1:queued] open 2 [2:queued] open 3 [3:A] open 4 [4:A] open 5 [5:queued] close 5 [] " +
			"close 3 [1:A]"},
	{"a server whose connection ends takes as many as its limit has risen by", "balance first",
		servers{weights: []int32{174, 232, 1}, most: []int32{6, 8, 6}, least: []int32{1, 3, 1}, full: 29},
		"open 0 [0:A] close 0 [] open 1 [1:A] open 2 [2:B] close 2 [] open 3 [3:B] open 4 [4:B] open 5 [5:B] " +
			"close 5 [] close 1 [] open 6 [6:A] open 7 [7:B] open 8 [8:C] open 9 [9:queued] close 6 [9:A] " +
			"open 10 [10:queued] close 9 [10:A] close 3 [] open 11 [11:B] close 10 [] open 12 [12:A] " +
			"open 13 [13:queued] open 14 [14:queued] close 14 [] open 15 [15:queued] close 11 [13:B] " +
			"open 16 [16:queued] open 17 [17:queued] close 12 [15:A] open 18 [18:queued] open 19 [19:queued] " +
			"open 20 [20:queued] open 21 [21:queued] close 21 [] open 22 [22:queued] open 23 [23:queued] " +
			"open 24 [24:queued] close 15 [16:A 17:A] close 23 [] close 20 []"},
	{"a server that comes starts slowly", "balance roundrobin",
		servers{weights: []int32{4, 4}, most: []int32{0, 0}, slow: 3},
		"at 0 [] open 0 [0:A] open 1 [1:B] leave B [] join B [] " +
			"at 500 [] open 2 [2:A] open 3 [3:A] open 4 [4:A] open 5 [5:A] open 6 [6:A] open 7 [7:A] open 8 [8:A] " +
			"at 1500 [] open 9 [9:A] open 10 [10:A] open 11 [11:A] open 12 [12:B] open 13 [13:A] " +
			"open 14 [14:A] open 15 [15:B] " +
			"at 2500 [] open 16 [16:A] open 17 [17:A] open 18 [18:B] open 19 [19:A] open 20 [20:B] open 21 [21:A] " +
			"at 3500 [] open 22 [22:A] open 23 [23:B] open 24 [24:A] open 25 [25:B] open 26 [26:A] open 27 [27:B]"},
	{"a server that comes starts slowly", "balance leastconn",
		servers{weights: []int32{4, 4}, most: []int32{0, 0}, slow: 3},
		"at 0 [] open 0 [0:A] open 1 [1:B] leave B [] join B [] " +
			"at 500 [] open 2 [2:A] open 3 [3:A] open 4 [4:A] open 5 [5:A] open 6 [6:A] open 7 [7:A] open 8 [8:A] " +
			"at 1500 [] open 9 [9:B] open 10 [10:B] open 11 [11:A] open 12 [12:A] open 13 [13:B] " +
			"open 14 [14:A] open 15 [15:A] " +
			"at 2500 [] open 16 [16:B] open 17 [17:B] open 18 [18:B] open 19 [19:B] open 20 [20:A] open 21 [21:B] " +
			"at 3500 [] open 22 [22:B] open 23 [23:B] open 24 [24:B] open 25 [25:B] open 26 [26:A] open 27 [27:B]"},
	{"a server that comes starts slowly",
		byKey + "hash-type consistent crc32",
		servers{weights: []int32{4, 4}, most: []int32{0, 0}, slow: 3},
		"at 0 [] open 0 [0:B] open 1 [1:A] leave B [] join B [] " +
			"at 500 [] open 2 [2:A] open 3 [3:A] open 4 [4:A] open 5 [5:A] open 6 [6:B] open 7 [7:A] open 8 [8:A] " +
			"at 1500 [] open 9 [9:A] open 10 [10:A] open 11 [11:A] open 12 [12:A] open 13 [13:A] " +
			"open 14 [14:B] open 15 [15:A] " +
			"at 2500 [] open 16 [16:A] open 17 [17:A] open 18 [18:A] open 19 [19:B] open 20 [20:B] open 21 [21:B] " +
			"at 3500 [] open 22 [22:A] open 23 [23:B] open 24 [24:A] open 25 [25:B] open 26 [26:A] open 27 [27:B]"},
}

// steps are the lines of a script with what is said of each.
func steps(script string) [][2]string {
	var all [][2]string
	for _, m := range regexp.MustCompile(`(\w+ \w+) \[([^]]*)\]`).FindAllStringSubmatch(script, -1) {
		all = append(all, [2]string{m[1], m[2]})
	}
	return all
}

func TestScripts(t *testing.T) {
	for _, c := range scripts {
		at := slices.IndexFunc(settings, func(s setting) bool { return s.lines == c.lines })
		h := newHost(t, settings[at].policy(t), &c.servers)
		did := ""
		for _, step := range steps(c.script) {
			got := h.do(step[0])
			if did += fmt.Sprintf("%s [%s] ", step[0], got); got != step[1] {
				t.Errorf("%s: %s: want [%s]", c.what, did, step[1])
				break
			}
		}
	}
}

// What the policies count themselves.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		row     *policy.Row
		options any
		servers
		script string
		want   []uint64
	}{
		// Both servers are looked at in vain for the third flow.
		{&roundRobinRow, nil, servers{weights: []int32{1, 1}, most: []int32{1, 1}}, "open 0, open 1, open 2",
			[]uint64{2}},
		// The map is AAB. The second flow passes over one A, the third over two.
		{&staticRow, nil, servers{weights: []int32{2, 1}, most: []int32{1, 0}}, "open 0, open 1, open 2",
			[]uint64{1, 3}},
		{&randomRow, randomOptions{1}, servers{weights: []int32{1, 1}, most: []int32{0, 0}},
			"open 0, open 1, leave A, open 2", []uint64{2}},
		{&sourceRow, sourceOptions{"map-based", "auto", 0}, servers{weights: []int32{1, 1}, most: []int32{0, 0}},
			"open 0, open 1, leave A, open 2", []uint64{2, 0, 0}},
		{&sourceRow, sourceOptions{"consistent", "auto", 0}, servers{weights: []int32{1, 1}, most: []int32{0, 0}},
			"open 0, open 1, leave A, open 2", []uint64{0, 2, 0}},
	} {
		counts := make([]uint64, len(c.row.Counters))
		p, err := c.row.New(c.options, policy.Env{Rand: rand.New(rand.NewPCG(1, 1)), Counts: counts})
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t, p, &c.servers)
		for line := range strings.SplitSeq(c.script, ", ") {
			h.do(line)
		}
		if !slices.Equal(counts, c.want) {
			t.Errorf("%s, %+v, %s: counts %v, want %v", c.row.Name, c.servers, c.script, counts, c.want)
		}
	}
}

// Where all servers have their parts, at least the whole ring is passed over.
func TestEntriesPassedOver(t *testing.T) {
	p := policytest.New(t, &sourceRow, sourceOptions{"consistent", "auto", 110}, 1).(*hashed)
	h := newHost(t, p, &servers{weights: []int32{1, 1, 1, 1, 1}, most: make([]int32, 5),
		down: []bool{false, true, true, true, true}})
	h.do("open 0")
	for _, line := range []string{"join B", "join C", "join D", "join E", "leave A", "close 0",
		"open 1", "open 2", "open 3", "open 4"} {
		h.do(line)
	}
	before := *p.passed
	if h.do("open 5"); *p.passed-before < uint64(len(p.points)) {
		t.Errorf("%d of %d entries are passed over", *p.passed-before, len(p.points))
	}
}
