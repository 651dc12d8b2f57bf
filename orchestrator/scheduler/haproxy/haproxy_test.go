package haproxy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	others := map[string][]any{
		"haproxy-leastconn": {leastOptions{"3.x"}},
		"haproxy-random":    {randomOptions{1}, randomOptions{5}},
		"haproxy-source": {sourceOptions{"consistent", "auto", 0}, sourceOptions{"consistent", "none", 150},
			sourceOptions{"map-based", "avalanche", 0}},
		"haproxy-hash": {hashOptions{"src", "crc32", sourceOptions{"consistent", "auto", 0}},
			hashOptions{"dst", "wt6", sourceOptions{"map-based", "auto", 0}},
			hashOptions{"src-port", "djb2", sourceOptions{"consistent", "avalanche", 125}},
			hashOptions{"dst-port", "auto", sourceOptions{"consistent", "auto", 0}}},
	}
	for _, row := range Policies {
		policytest.Run(t, row, others[row.Name]...)
	}
}

// world is a backend: servers A, B, C ... are instances 1, 2, 3 ...
type world struct {
	t      *testing.T
	p      policy.Policy
	v      policy.View
	weight []int32 // of all servers
	most   []int32
	least  []int32                 // minconn; nil for none
	live   map[flow.Instance]int32 // flows of all servers
	flows  map[string]*policy.Work
}

func newWorld(t *testing.T, p policy.Policy, weight, most []int32) *world {
	w := &world{t: t, p: p, weight: weight, most: most, live: map[flow.Instance]int32{},
		flows: map[string]*policy.Work{}}
	for i := range weight {
		w.join(i)
	}
	return w
}

func (w *world) join(server int) {
	v, id := &w.v, flow.Instance(server+1)
	slot, _ := slices.BinarySearch(v.IDs, id)
	v.IDs, v.Weight = slices.Insert(v.IDs, slot, id), slices.Insert(v.Weight, slot, w.weight[server])
	v.MaxConn, v.Flows = slices.Insert(v.MaxConn, slot, w.most[server]), slices.Insert(v.Flows, slot, w.live[id])
	if w.least != nil {
		v.MinConn = slices.Insert(v.MinConn, slot, w.least[server])
	}
	w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
}

func (w *world) leave(server int) {
	v := &w.v
	slot, _ := slices.BinarySearch(v.IDs, flow.Instance(server+1))
	w.p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, v)
	v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
	v.MaxConn, v.Flows = slices.Delete(v.MaxConn, slot, slot+1), slices.Delete(v.Flows, slot, slot+1)
	if w.least != nil {
		v.MinConn = slices.Delete(v.MinConn, slot, slot+1)
	}
}

// open returns the letter of the server that takes the flow, (503) where it waits, as HAProxy answers in the end, or -.
func (w *world) open(x *policy.Work) string {
	a := w.p.Pick(x, &w.v, nil)
	switch a.Verdict {
	case policy.Hold:
		return "(503)"
	case policy.Drop:
		return "-"
	}
	if x.Held {
		w.p.Observe(&policy.Event{Kind: policy.Unqueued, Slot: -1, Work: x}, &w.v)
		x.Held = false
	}
	w.v.Flows[a.Slot]++
	x.At = w.v.IDs[a.Slot]
	w.live[x.At]++
	w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, &w.v)
	return string(rune('A' - 1 + x.At))
}

func (w *world) close(x *policy.Work) {
	w.live[x.At]--
	slot, there := slices.BinarySearch(w.v.IDs, x.At)
	if there {
		w.v.Flows[slot]--
	} else {
		slot = -1
	}
	w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: x}, &w.v)
}

func (w *world) do(line string) string {
	f := strings.Fields(line)
	switch f[0] {
	case "close":
		w.close(w.flows[f[1]])
		return ""
	case "cli":
		w.cli(f[1:])
		return ""
	}
	x := &policy.Work{Flow: flow.ID(len(w.flows))}
	w.flows[f[1]] = x
	for _, a := range f[2:] {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "src":
			x.Tuple.Src = netip.MustParseAddr(value)
		case "path", "hdr": // for flows, which have neither, other bytes are hashed
			w.p.(*keyHashed).key = func(_ *flow.FiveTuple, to []byte) []byte { return append(to, value...) }
		}
	}
	got := w.open(x)
	if f[0] == "req" {
		w.close(x)
	}
	return got
}

// cli carries out "set weight b/B 4" and "set server b/C state maint" or "ready".
func (w *world) cli(f []string) {
	server := int(f[2][len(f[2])-1] - 'A')
	switch {
	case f[1] == "weight":
		fmt.Sscan(f[3], &w.weight[server])
		w.reweigh(server)
	case f[4] == "maint":
		w.leave(server)
	default:
		w.join(server)
	}
}

// reweigh gives a server of the round robin another weight. Outside this test weights do not change.
func (w *world) reweigh(server int) {
	slot := rowOf(&w.v, flow.Instance(server+1))
	w.v.Weight[slot] = w.weight[server]
	w.p.(*roundRobin).reweigh(w.v.IDs[slot], effective(&w.v, slot))
}

// xorshift is HAProxy's generator for statistical purposes, with the seed that it begins with.
func xorshift() func() uint32 {
	x := uint32(2463534242)
	return func() uint32 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		return x
	}
}

type observed struct {
	ID                      string
	Config, Servers, Script []string
	Chosen                  string
}

// row is the policy of a configuration, or nil if there is none.
func (c *observed) row(t *testing.T) policy.Policy {
	balance := strings.TrimPrefix(c.Config[0], "balance ")
	if balance == "uri" || balance == "hdr(X-Key)" && strings.Contains(c.Script[0], "hdr=") {
		balance = "hash"
	}
	name, n, _ := strings.Cut(strings.TrimSuffix(balance, ")"), "(")
	row := policy.Table[policy.Row](Policies).Find("haproxy-" + name)
	if row == nil {
		return nil
	}
	options := policytest.Options(row)
	switch o := options.(type) {
	case randomOptions:
		fmt.Sscan(n, &o.Draws)
		options = o
	case sourceOptions:
		c.hashType(&o, new(string))
		options = o
	case hashOptions:
		c.hashType(&o.sourceOptions, &o.Function)
		options = o
	}
	p := policytest.New(t, row, options, 1)
	if r, ok := p.(*random); ok {
		r.draw = xorshift()
	}
	return p
}

// hashType reads the lines "hash-type METHOD [FUNCTION [avalanche]]" and "hash-balance-factor N".
func (c *observed) hashType(o *sourceOptions, function *string) {
	for _, line := range c.Config[1:] {
		f := strings.Fields(line)
		if f[0] == "hash-balance-factor" {
			fmt.Sscan(f[1], &o.Factor)
			continue
		}
		o.Method = f[1]
		if len(f) > 2 {
			*function = f[2]
		}
		if len(f) > 3 {
			o.Modifier = f[3]
		}
	}
}

// What the running program did, connection by connection.
func TestProgram(t *testing.T) {
	for _, c := range policytest.Observed[observed](t, "haproxy", "which server gets each connection") {
		p := c.row(t)
		if p == nil {
			if c.ID != "hdr-absent" { // a flow has no header that could be absent
				t.Errorf("%s: no policy for it", c.ID)
			}
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			weight, most := []int32{}, []int32{}
			for _, s := range c.Servers {
				w, m := int32(1), int32(0)
				f := strings.Fields(s)
				switch f[0] {
				case "weight":
					fmt.Sscan(f[1], &w)
				case "maxconn":
					fmt.Sscan(f[1], &m)
				}
				weight, most = append(weight, w), append(most, m)
			}
			w := newWorld(t, p, weight, most)
			got := ""
			for _, line := range c.Script {
				got += w.do(line)
			}
			if got != c.Chosen {
				t.Errorf("chosen %s, want %s", got, c.Chosen)
			}
		})
	}
}

func TestEqualServersInTurn(t *testing.T) {
	type in struct{ Servers, Requests int }
	for _, c := range policytest.Vectors(t, "haproxy", "equal servers, roundrobin") {
		x, want := policytest.Decode[in](t, &c.In), policytest.Decode[[]int](t, &c.Out)
		w := newWorld(t, policytest.New(t, &roundRobinRow, nil, 1), slices.Repeat([]int32{1}, x.Servers),
			make([]int32, x.Servers))
		for i, server := range want {
			if got := int(w.do("req r")[0]-'A') + 1; got != server {
				t.Errorf("request %d went to %d, want %d", i, got, server)
			}
		}
	}
}

// The orders of the two round robins differ, with the same shares.
func TestOrdersOfRoundRobins(t *testing.T) {
	for _, c := range []struct {
		row     *policy.Row
		weights []int32
		want    string
	}{
		{&roundRobinRow, []int32{1, 1, 1}, "ABCABCABC"}, {&roundRobinRow, []int32{3, 1}, "AAABAAABAAAB"},
		{&roundRobinRow, []int32{2, 1, 1}, "ABACABACABAC"}, {&roundRobinRow, []int32{5, 1, 1}, "AAABAACAAABAAC"},
		{&roundRobinRow, []int32{4, 3, 2}, "ABACBAABCABACBAABC"},
		{&roundRobinRow, []int32{1000, 300}, "ABABABAB"}, // weights beyond 256 count as 256
		{&staticRow, []int32{1, 1, 1}, "ABCABC"}, {&staticRow, []int32{3, 1}, "AAABAAAB"},
		{&staticRow, []int32{2, 1, 1}, "AABCAABC"}, {&staticRow, []int32{5, 1, 1}, "AAABAACAAABAAC"},
		{&staticRow, []int32{4, 3, 2}, "ABABCAABCABABCAABC"}, {&staticRow, []int32{20, 10}, "AABAAB"},
	} {
		w := newWorld(t, policytest.New(t, c.row, nil, 1), c.weights, make([]int32, len(c.weights)))
		got := ""
		for range c.want {
			got += w.do("req r")
		}
		if got != c.want {
			t.Errorf("%s %v: %s, want %s", c.row.Name, c.weights, got, c.want)
		}
	}
}

// Over a whole cycle each server has as many flows as its weight, whatever servers come and go before.
func TestRoundRobinSharesByWeight(t *testing.T) {
	w := newWorld(t, policytest.New(t, &roundRobinRow, nil, 1), []int32{7, 1, 0, 3}, make([]int32, 4))
	for range 5 {
		w.do("req r")
	}
	w.leave(0)
	w.do("req r")
	w.join(0)
	for range 22 {
		w.do("req r")
	}
	count := map[string]int{}
	for range 1100 {
		count[w.do("req r")]++
	}
	if count["A"] != 700 || count["B"] != 100 || count["D"] != 300 {
		t.Errorf("flows of the servers: %v, want 700, 100, none and 300", count)
	}
}

func TestKeysOfLeastConnections(t *testing.T) {
	w := newWorld(t, policytest.New(t, &leastRow, leastOptions{"2.x"}, 1), []int32{1, 2}, make([]int32, 2))
	l, v := w.p.(*least), &w.v
	for i, want := range [][2]int{{0, 0}, {512, 256}, {768, 384}, {1024, 512}} {
		v.Flows[0], v.Flows[1] = int32(i), int32(i)
		if got := [2]int{l.keyOf(v, 0), l.keyOf(v, 1)}; got != want {
			t.Errorf("%d flows: keys %v, want %v", i, got, want)
		}
	}
}

// Version 3 takes any of equal servers, each as often in the long run.
func TestLeastConnectionsOfVersion3(t *testing.T) {
	p := policytest.New(t, &leastRow, leastOptions{"3.x"}, 1)
	w := newWorld(t, p, []int32{1, 1, 1, 1}, make([]int32, 4))
	count, inOrder := map[string]int{}, 0
	last := ""
	for range 4000 {
		got := w.do("req r")
		count[got]++
		if last != "" && got[0] == 'A'+(last[0]-'A'+1)%4 {
			inOrder++
		}
		last = got
	}
	for server, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("server %s was taken %d times of 4000", server, n)
		}
	}
	if inOrder > 3000 {
		t.Errorf("%d of 4000 flows went round in order", inOrder)
	}
}

// What the running program let a server have while it started slowly, second by second. Its seconds are those of its
// clock, the policy's those since the server came.
func TestTheLimitOfAServerThatStartsSlowly(t *testing.T) {
	for _, c := range []struct {
		most, slow int
		want       []int
	}{
		{100, 7, []int{1, 14, 28, 42, 57, 71, 85, 100, 100}}, {10, 4, []int{1, 2, 5, 7, 10}}, {3, 3, []int{1, 1, 1, 3}},
	} {
		w := newWorld(t, &first{}, []int32{1}, []int32{int32(c.most)})
		w.do("open 0")
		w.do("close 0")
		w.v.SlowStart = units.Time(c.slow) * units.Second
		w.leave(0)
		w.join(0)
		id := 1
		for age, want := range c.want {
			w.v.Now = units.Time(age) * units.Second
			for ; w.do(fmt.Sprint("open ", id)) == "A"; id++ {
			}
			if got := int(w.v.Flows[0]); got != want {
				t.Errorf("after %d of %d seconds: %d of %d, want %d", age, c.slow, got, c.most, want)
			}
		}
	}
}

func TestPartsOfABalanceFactor(t *testing.T) {
	for _, c := range []struct {
		weights        []int32
		served, factor int
		want           []int
	}{
		{[]int32{1, 1, 1, 1}, 10, 150, []int{4, 4, 4, 5}}, {[]int32{1, 1, 2}, 99, 125, []int{31, 31, 63}},
		{[]int32{1, 100}, 0, 101, []int{1, 2}},
	} {
		v := &policy.View{Weight: c.weights}
		sum := 0
		for i, w := range c.weights {
			v.IDs, sum = append(v.IDs, flow.Instance(i+1)), sum+int(w)*scale
		}
		var got []int
		for slot, before := range weightsBefore(v)[1:] {
			got = append(got, part(((c.served+1)*c.factor+99)/100, sum, effective(v, slot), before))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v of %d: %v, want %v", c.weights, c.served, got, c.want)
		}
	}
}

// Of servers that are drawn, the one with fewer flows for its weight is taken, whichever was drawn first. The case of
// equal ones is that of later versions, which compare the rates of sessions.
func TestRandomTakesTheBetter(t *testing.T) {
	type drawn struct{ Served, W int32 }
	for _, c := range policytest.Vectors(t, "haproxy", "random(n): better of two") {
		x, want := policytest.Decode[[2]drawn](t, &c.In), policytest.Decode[string](t, &c.Out)
		if x[0].Served*x[1].W == x[1].Served*x[0].W {
			continue
		}
		for first := range 2 {
			w := newWorld(t, policytest.New(t, &randomRow, randomOptions{2}, 1),
				[]int32{x[0].W / scale, x[1].W / scale}, make([]int32, 2))
			r := w.p.(*random)
			w.v.Flows[0], w.v.Flows[1] = x[0].Served, x[1].Served
			r.fill(&w.v, &r.backend)
			var at [2]uint32 // where each of the two is drawn
			for _, p := range r.points {
				at[p.server()-1] = p.hash()
			}
			n := first
			r.draw = func() uint32 { n++; return at[(n-1)%2] }
			if got := w.open(&policy.Work{}); got != map[string]string{"held": "A", "drawn": "B"}[want] {
				t.Errorf("%s: %s is taken, want that which is %s", c.ID, got, want)
			}
		}
	}
}

// A flow that waits takes no place that was free before it came: random drew a server that was full.
func TestAFlowWaitsForAPlaceToBecomeFree(t *testing.T) {
	w := newWorld(t, policytest.New(t, &randomRow, randomOptions{1}, 1), []int32{1, 1}, []int32{1, 1})
	r := w.p.(*random)
	drawn := uint32(0)
	r.draw = func() uint32 { return drawn }
	busy, waits := &policy.Work{Flow: 1}, &policy.Work{Flow: 2}
	got := w.open(busy) + w.open(waits)
	waits.Held = true
	got += w.open(waits) // as when counters have come
	w.close(busy)
	if got += w.open(waits); got[0] != got[len(got)-1] || got[1:len(got)-1] != "(503)(503)" {
		t.Errorf("%s: want the second flow to wait for the place of the first", got)
	}
	// A flow that comes again, after its end, does not wait.
	w.close(waits)
	drawn = 1 << 31
	again := &policy.Work{Flow: 1}
	if at := r.points[r.nearest(drawn)].server(); w.open(again) != string('A'-1+rune(at)) {
		t.Errorf("flow 1 goes to %d when it comes again, not to that drawn, %d", again.At, at)
	}
}

// A flow that waits gets the first place that is free, without a turn of the algorithm. Later ones wait behind it.
func TestTheQueue(t *testing.T) {
	for _, row := range []policy.Row{roundRobinRow, staticRow, leastRow, firstRow, randomRow} {
		w := newWorld(t, policytest.New(t, &row, policytest.Options(&row), 1), []int32{1, 1}, []int32{1, 1})
		var open []*policy.Work
		var held []*policy.Work
		for f := flow.ID(0); len(open) < 2; f++ { // random also waits where the one drawn is full
			x := &policy.Work{Flow: f}
			if got := w.open(x); got == "(503)" && row.Name != "haproxy-random" {
				t.Fatalf("%s: flow %d waits", row.Name, f)
			} else if got != "(503)" {
				open = append(open, x)
			}
		}
		for f := flow.ID(100); f < 102; f++ {
			x := &policy.Work{Flow: f}
			if got := w.open(x); got != "(503)" {
				t.Errorf("%s: flow %d goes to %s, where both are full", row.Name, f, got)
			}
			held = append(held, x)
		}
		for i := range 2 {
			at := open[i].At
			w.close(open[i])
			held[i].Held = true
			if got := w.open(held[i]); got != string(rune('A'-1+at)) {
				t.Errorf("%s: the flow that waits goes to %s, want %d, which has a place", row.Name, got, at)
			}
		}
	}
}

func TestNearestOfTheRing(t *testing.T) {
	r := ring{points: []point{pointAt(10, 1), pointAt(20, 1), pointAt(4000000000, 1)}}
	for hash, want := range map[uint32]int{10: 0, 14: 0, 15: 0, 16: 1, 20: 1, 4200000000: 0, 4100000000: 2, 0: 0} {
		if got := r.nearest(hash); got != want {
			t.Errorf("%d: entry %d, want %d", hash, got, want)
		}
	}
}

// Servers come and go, and the map and the ring are those that HAProxy's own steps give, made anew.
func TestMapAndRingOfManyServers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 16 {
		w := newWorld(t, policytest.New(t, &sourceRow, sourceOptions{"consistent", "auto", 0}, 1), nil, nil)
		h := w.p.(*hashed)
		most := []int32{1, 4, 20, 300}[i%4]
		for server := range 24 {
			weight := rnd.Int32N(most + 1)
			if server > 0 && rnd.IntN(3) == 0 {
				weight = w.weight[server-1]
			}
			w.weight, w.most = append(w.weight, weight), append(w.most, 0)
			w.join(server)
			if rnd.IntN(4) == 0 {
				w.leave(int(w.v.IDs[rnd.IntN(len(w.v.IDs))]) - 1)
			}
			if rnd.IntN(3) == 0 {
				continue
			}
			h.entries.fill(&w.v)
			if want := mapStepByStep(&w.v, h.divisor); !slices.Equal(h.rows, want) {
				t.Fatalf("weights %v: map %v, want %v", w.v.Weight, h.rows, want)
			}
			h.ring.fill(&w.v, &h.backend)
			if want := ringAnew(&w.v); !slices.Equal(h.points, want) {
				t.Fatalf("weights %v: the ring is not that of these servers", w.v.Weight)
			}
		}
	}
}

// mapStepByStep is the map as HAProxy makes it, in whole effective weights.
func mapStepByStep(v *policy.View, divisor int) (rows []int32) {
	sum := 0
	for slot := range v.IDs {
		sum += effective(v, slot)
	}
	score := make([]int, len(v.IDs))
	for range sum / max(1, divisor) {
		best, most := -1, 0
		for slot := range score {
			if !usable(v, slot) {
				continue
			}
			score[slot] += effective(v, slot)
			if whole := (score[slot] + sum) / sum; best < 0 || whole > most {
				best, most = slot, whole
			}
		}
		rows = append(rows, int32(best))
		score[best] -= sum
	}
	return rows
}

func ringAnew(v *policy.View) (points []point) {
	for slot, id := range v.IDs {
		for j := range effective(v, slot) {
			points = append(points, pointAt(avalanche(uint32(id)*mostScaled+uint32(j)), id))
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.hash(), b.hash()) })
	return points
}

func TestHashFunctions(t *testing.T) {
	for _, c := range policytest.Vectors(t, "haproxy", "integer avalanche hash and sdbm") {
		if path, ok := strings.CutPrefix(c.ID, "sdbm-"); ok {
			if got, want := sdbm([]byte(path)), policytest.Decode[uint32](t, &c.Out); got != want {
				t.Errorf("%s: %d, want %d", c.ID, got, want)
			}
			continue
		}
		n, want := policytest.Decode[uint32](t, &c.In), policytest.Decode[string](t, &c.Out)
		if got := fmt.Sprintf("%#x", avalanche(n)); got != want {
			t.Errorf("%s: %s, want %s", c.ID, got, want)
		}
	}
}

// What HAProxy's own suite, and its source, say of paths.
func TestPaths(t *testing.T) {
	type in struct {
		Path      string
		Avalanche *bool // nil: as configured
	}
	for what, group := range map[string]struct {
		method  string
		servers int
	}{
		"uri, map-based: sdbm(path up to ?) mod sum of weights, into the static-rr map": {"map-based", 4},
		"uri, consistent (sdbm, then hash32, since no function is named), hash-preserve-affinity maxconn": {
			"consistent", 2},
		"uri, consistent, 4 servers of ids 1 to 4, weight 1": {"consistent", 4},
	} {
		for _, c := range policytest.Vectors(t, "haproxy", what) {
			o := hashOptions{"src", "auto", sourceOptions{group.method, "auto", 0}}
			var x in
			if c.In.Decode(&x.Path) != nil {
				x = policytest.Decode[in](t, &c.In)
				if x.Avalanche != nil && !*x.Avalanche {
					o.Modifier = "none"
				}
			}
			w := newWorld(t, policytest.New(t, &hashRow, o, 1), slices.Repeat([]int32{1}, group.servers),
				make([]int32, group.servers))
			got := w.do("req r path=" + x.Path)
			if want := policytest.Decode[int](t, &c.Out); int(got[0]-'A')+1 != want {
				t.Errorf("%s %s: server %s, want %d", what, c.ID, got, want)
			}
		}
	}
}
