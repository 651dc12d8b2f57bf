package ipvs

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

// setting is a scheduler with its flags.
type setting struct {
	scheduler string
	keyed          // of sh and mh
	marked    bool // a service of many addresses, by firewall mark
}

var settings = []setting{
	{scheduler: "rr"}, {scheduler: "wrr"}, {scheduler: "lc"}, {scheduler: "wlc"}, {scheduler: "sed"}, {scheduler: "nq"},
	{scheduler: "sh"}, {scheduler: "sh", keyed: keyed{Port: true, Fallback: true}},
	{scheduler: "mh"}, {scheduler: "mh", keyed: keyed{Port: true, Fallback: true}},
	{scheduler: "dh", marked: true}, {scheduler: "ovf"}, {scheduler: "fo"}, {scheduler: "lblc", marked: true},
}

func (s *setting) name() string {
	name := s.scheduler
	if s.Port {
		name += " port"
	}
	if s.Fallback {
		name += " fallback"
	}
	return name
}

// flags are those of the kernel.
func (s *setting) flags() (f uint32) {
	if s.Fallback {
		f |= 8
	}
	if s.Port {
		f |= 0x10
	}
	return f
}

// servers are A, B, C ... None is there at first. The kernel remembers connections and servers for some time, so each
// round has addresses of its own.
type servers struct {
	round          int
	weights, upper []int32
}

var virtual = netip.AddrFrom4([4]byte{10, 7, 0, 1})

func (b *servers) address(server int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(32 + b.round>>8), byte(b.round), byte(server + 1)})
}

// tuple is the five-tuple of a connection.
func (b *servers) tuple(s *setting, id flow.ID) flow.FiveTuple {
	r := rand.New(rand.NewPCG(uint64(b.round), uint64(id)))
	t := flow.FiveTuple{Proto: flow.TCP, SrcPort: 20000 + uint16(id), Dst: virtual, DstPort: 80}
	t.Src = netip.AddrFrom4([4]byte{10, byte(64 + b.round>>8), byte(b.round), byte(1 + r.IntN(250))})
	if s.marked {
		t.Dst = netip.AddrFrom4([4]byte{10, 20, byte(r.IntN(2)), byte(1 + r.IntN(5))})
	}
	return t
}

// host is a world that does what a script says.
type host struct {
	*world
	setting *setting
	servers *servers
	live    map[flow.Instance]int32
	all     map[flow.ID]*policy.Work
	counts  []uint64
}

func newHost(t *testing.T, s *setting, b *servers) *host {
	row := policy.Table[policy.Row](Policies).Find("ipvs-" + s.scheduler)
	options := policytest.Options(row)
	switch o := options.(type) {
	case sourceOptions:
		o.keyed = s.keyed
		options = o
	case maglevOptions:
		o.keyed = s.keyed
		options = o
	}
	counts := make([]uint64, len(row.Counters))
	p, err := row.New(options, policy.Env{Counts: counts})
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := p.(*maglev); ok {
		m.address = func(id flow.Instance) uint32 { return flow.Fold(b.address(int(id)-1)) + 80 }
	}
	return &host{newWorld(t, p, 0), s, b, map[flow.Instance]int32{}, map[flow.ID]*policy.Work{}, counts}
}

func (h *host) place(w *policy.Work, slot int) {
	w.At = h.v.IDs[slot]
	h.all[w.Flow] = w
	h.v.Flows[slot]++
	h.live[w.At]++
	h.p.Observe(&policy.Event{Kind: policy.Placed, Slot: slot, Work: w}, &h.v)
}

// do carries out "open 3", "close 3", "leave C" or "join C". It says which server takes the connection, or - where none
// does, and then the active and inactive connections of all servers in the order of the list.
func (h *host) do(line string) string {
	verb, what, _ := strings.Cut(line, " ")
	var number int
	fmt.Sscan(what, &number)
	said, v := "", &h.v
	switch verb {
	case "open":
		w := &policy.Work{Flow: flow.ID(number), Tuple: h.servers.tuple(h.setting, flow.ID(number))}
		a := policy.Answer{Verdict: policy.Drop}
		if len(v.IDs) > 0 {
			a = h.p.Pick(w, v, nil)
		}
		if said = "-"; a.Verdict == policy.Place {
			h.place(w, a.Slot)
			said = string(rune('A' - 1 + w.At))
		}
	case "close":
		w := h.all[flow.ID(number)]
		h.live[w.At]--
		slot, there := slices.BinarySearch(v.IDs, w.At)
		if there {
			v.Flows[slot]--
		} else {
			slot = -1
		}
		h.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w}, v)
	case "join":
		server := int(what[0] - 'A')
		id := flow.Instance(server + 1)
		slot, _ := slices.BinarySearch(v.IDs, id)
		v.IDs, v.Weight = slices.Insert(v.IDs, slot, id), slices.Insert(v.Weight, slot, h.servers.weights[server])
		v.MaxConn = slices.Insert(v.MaxConn, slot, h.servers.upper[server])
		v.Flows = slices.Insert(v.Flows, slot, h.live[id])
		h.p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
	case "leave":
		slot, _ := slices.BinarySearch(v.IDs, flow.Instance(what[0]-'A'+1))
		h.p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, v)
		v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
		v.MaxConn, v.Flows = slices.Delete(v.MaxConn, slot, slot+1), slices.Delete(v.Flows, slot, slot+1)
	}
	s := serviceOf(h.p)
	for _, slot := range s.order {
		said += fmt.Sprintf(" %c:%d/%d", 'A'-1+v.IDs[slot], v.Flows[slot], s.at(v, int(slot)).inactive)
	}
	return said
}

// scripts are what the running kernel, 6.1.176, did where policies once did something else. Rounds are their places.
var scripts = []struct {
	what string
	setting
	servers
	script string
}{
	{"a server that is taken back has its inactive connections", setting{scheduler: "lc"},
		servers{0, []int32{1}, []int32{0}},
		"join A [ A:0/0] open 0 [A A:1/0] close 0 [ A:0/1] leave A [] join A [ A:0/1]"},
	{"a server that is taken back is still at its upper threshold", setting{scheduler: "lc"},
		servers{1, []int32{1}, []int32{2}},
		"join A [ A:0/0] open 0 [A A:1/0] open 1 [A A:2/0] leave A [] join A [ A:2/0] open 2 [- A:2/0]"},
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
		h := newHost(t, &c.setting, &c.servers)
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

// What the schedulers count themselves.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		setting
		weights []int32
		script  string
		want    []uint64
	}{
		// A sweep ends before the list begins again: the threshold falls from 2 to 1, and begins at 2 again.
		{setting{scheduler: "wrr"}, []int32{2, 1}, "join A, join B, open 0, open 1, open 2, open 3", []uint64{2}},
		{setting{scheduler: "dh", marked: true}, []int32{1}, "join A, open 0, open 1, leave A, join A, open 2",
			[]uint64{2}},
		// A server without a weight has all entries, so with fallback all others are tried.
		{setting{scheduler: "sh"}, []int32{0}, "join A, open 0", []uint64{1, 0}},
		{setting{scheduler: "sh", keyed: keyed{Fallback: true}}, []int32{0}, "join A, open 0", []uint64{1, 256}},
		{setting{scheduler: "mh", keyed: keyed{Fallback: true}}, []int32{1}, "join A, open 0", []uint64{1, 0}},
		{setting{scheduler: "lblc"}, []int32{2, 2}, "join A, join B, open 0, open 1, open 2, open 3", []uint64{1, 0}},
	} {
		h := newHost(t, &c.setting, &servers{0, c.weights, make([]int32, len(c.weights))})
		for line := range strings.SplitSeq(c.script, ", ") {
			h.do(line)
		}
		if !slices.Equal(h.counts, c.want) {
			t.Errorf("%s, %v, %s: counts %v, want %v", c.name(), c.weights, c.script, h.counts, c.want)
		}
	}
}
