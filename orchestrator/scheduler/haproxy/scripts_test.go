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

func keySettings() (all []setting) {
	keys := map[string]string{"sdbm": "five-tuple", "djb2": "src", "wt6": "dst-port", "crc32": "dst"}
	for function, key := range keys {
		for lines, o := range map[string]sourceOptions{
			"map-based " + function:  {"map-based", "auto", 0},
			"consistent " + function: {"consistent", "auto", 0},
			"consistent " + function + " avalanche\nhash-balance-factor 110": {"consistent", "avalanche", 110},
		} {
			all = append(all, setting{byKey + "hash-type " + lines, &hashRow, hashOptions{key, function, o}, false})
		}
	}
	return all
}

func (s *setting) policy(t *testing.T) policy.Policy {
	p := policytest.New(t, s.row, s.options, 1)
	if r, ok := p.(*random); ok {
		r.draw = xorshift()
	}
	return p
}

// backend is its servers, A, B, C ...
type backend struct {
	weights, most []int32
	down          []bool // when the program starts; later ones of a short list are not
}

func (b *backend) isDown(server int) bool { return server < len(b.down) && b.down[server] }

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

func newHost(t *testing.T, p policy.Policy, b *backend) *host {
	h := &host{newWorld(t, p, nil, nil), map[flow.ID]*policy.Work{}, nil}
	h.weight, h.most = b.weights, b.most
	for i := range b.weights {
		if !b.isDown(i) {
			h.join(i)
		}
	}
	return h
}

// do carries out "open 3", "close 3", "leave C" or "join C". It says what becomes of connections by that: "3:A", if the
// third goes to server A, "3:queued", or "3:-" if it is refused.
func (h *host) do(line string) string {
	verb, what, _ := strings.Cut(line, " ")
	var id flow.ID
	fmt.Sscan(what, &id)
	switch verb {
	case "open":
		w := &policy.Work{Flow: id, Tuple: tupleOf(id)}
		h.all[id] = w
		got := "-"
		if len(h.v.IDs) > 0 {
			got = h.open(w)
		}
		if got == "(503)" {
			h.held = append(h.held, w)
			got = "queued"
		}
		return fmt.Sprintf("%d:%s", id, got)
	case "close":
		w := h.all[id]
		if at := slices.Index(h.held, w); at >= 0 {
			h.held = slices.Delete(h.held, at, at+1)
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
		w.Held = false
		h.held = h.held[1:]
		said = append(said, fmt.Sprintf("%d:%s", w.Flow, got))
	}
	return strings.Join(said, " ")
}

// scripts are what the running program, 2.6.12, did where policies once did something else.
var scripts = []struct {
	what, lines string
	backend
	script string
}{
	{"a connection that waits stays in the queue where no server is left that has a weight", "balance first",
		backend{[]int32{0, 1}, []int32{1, 1}, nil},
		"open 0 [0:B] open 1 [1:queued] leave B [] close 0 [] open 2 [2:-] join B [1:B]"},
	{"a server without a limit takes nothing from the queue when one of its connections ends", "balance random(1)",
		backend{[]int32{170, 26}, []int32{1, 0}, nil},
		"open 0 [0:A] open 1 [1:queued] open 2 [2:B] open 3 [3:queued] close 2 [] close 0 [1:A]"},
	{"the map goes by the divisor of all weights, those of servers that are down included", "balance static-rr",
		backend{[]int32{21, 4}, []int32{0, 0}, nil},
		"open 0 [0:A] open 1 [1:A] leave B [] open 2 [2:A] open 3 [3:A] open 4 [4:A] open 5 [5:A] " +
			"join B [] open 6 [6:B]"},
	{"a connection that is refused takes no turn", "balance static-rr",
		backend{[]int32{30, 67, 0}, []int32{0, 0, 0}, nil},
		"open 0 [0:A] leave A [] open 1 [1:B] leave B [] open 2 [2:-] join B [] join A [] open 3 [3:B]"},
	{"connections of servers that are down count in the balance factor",
		"balance source\nhash-type consistent\nhash-balance-factor 150",
		backend{[]int32{26, 106, 153, 168}, []int32{0, 0, 0, 0}, nil},
		"open 0 [0:C] open 1 [1:B] leave C [] open 2 [2:B]"},
	{"a server's place among the weights is that of the configuration",
		byKey + "hash-type consistent djb2 avalanche\nhash-balance-factor 110",
		backend{[]int32{192, 249, 3, 129}, []int32{0, 0, 0, 0}, nil},
		"open 0 [0:D] leave B [] open 1 [1:A]"},
	{"where all servers have their parts, the last one on the ring has more",
		byKey + "hash-type consistent djb2 avalanche\nhash-balance-factor 110",
		backend{[]int32{1, 1, 1, 1, 1}, []int32{0, 0, 0, 0, 0}, []bool{false, true, true, true, true}},
		"open 0 [0:A] join B [] join C [] join D [] join E [] leave A [] close 0 [] " +
			"open 1 [1:C] open 2 [2:B] open 3 [3:E] open 4 [4:D] open 5 [5:E]"},
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
		h := newHost(t, settings[at].policy(t), &c.backend)
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
