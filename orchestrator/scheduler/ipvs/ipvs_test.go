package ipvs

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
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
		"ipvs-sh": {sourceOptions{keyed: keyed{Port: true, Fallback: true}}},
		"ipvs-mh": {maglevOptions{keyed: keyed{Port: true, Fallback: true}, Table: 251}},
	}
	for _, row := range Policies {
		if others[row.Name] == nil {
			others[row.Name] = []any{Options{}, Options{units.Second}}
		}
		policytest.Run(t, row, others[row.Name]...)
	}
}

// world is a service: servers A, B, C ... are instances 1, 2, 3 ...
type world struct {
	t     *testing.T
	p     policy.Policy
	v     policy.View
	flows map[string]*policy.Work
}

func newWorld(t *testing.T, p policy.Policy, upper int32, weights ...int32) *world {
	w := &world{t: t, p: p, flows: map[string]*policy.Work{}}
	for i, weight := range weights {
		v := &w.v
		v.IDs, v.Weight = append(v.IDs, flow.Instance(i+1)), append(v.Weight, weight)
		v.MaxConn, v.Flows = append(v.MaxConn, upper), append(v.Flows, 0)
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
	}
	return w
}

// do carries out a line of a script, and returns the letter of the server that takes the connection, or - for none.
func (w *world) do(line string) string {
	f := strings.Fields(line)
	var number int
	if len(f) > 1 {
		fmt.Sscan(f[1], &number)
	}
	slot, _ := slices.BinarySearch(w.v.IDs, flow.Instance(number+1))
	switch f[0] {
	case "open":
		return w.open(f[1], f[2:])
	case "close":
		x := w.flows[f[1]]
		slot, _ := slices.BinarySearch(w.v.IDs, x.At)
		w.v.Flows[slot]--
		w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: x}, &w.v)
	case "weight": // outside a test, weights do not change
		var weight int32
		fmt.Sscan(f[2], &weight)
		w.v.Weight[slot] = weight
		if p, ok := w.p.(*weighted); ok {
			p.reset(&w.v, -1)
		}
	case "del":
		w.p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &w.v)
		v := &w.v
		v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
		v.MaxConn, v.Flows = slices.Delete(v.MaxConn, slot, slot+1), slices.Delete(v.Flows, slot, slot+1)
	default:
		w.t.Fatalf("unknown command %s", line)
	}
	return ""
}

func (w *world) open(id string, args []string) string {
	x := &policy.Work{Flow: flow.ID(len(w.flows))}
	w.flows[id] = x
	x.Tuple = flow.FiveTuple{Proto: flow.TCP, Src: netip.MustParseAddr("10.7.0.1"),
		Dst: netip.MustParseAddr("10.7.0.1"), SrcPort: 40000, DstPort: 80}
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		if at, err := netip.ParseAddrPort(value); err == nil {
			x.Tuple.SrcPort = at.Port()
			value = at.Addr().String()
		}
		switch key {
		case "src":
			x.Tuple.Src = netip.MustParseAddr(value)
		case "dst":
			x.Tuple.Dst = netip.MustParseAddr(value)
		}
	}
	a := w.p.Pick(x, &w.v, nil)
	if a.Verdict == policy.Drop {
		return "-"
	}
	w.v.Flows[a.Slot]++
	x.At = w.v.IDs[a.Slot]
	w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, &w.v)
	return string(rune('A' - 1 + x.At))
}

func (w *world) run(script []string) string {
	var b strings.Builder
	for _, line := range script {
		b.WriteString(w.do(line))
	}
	return b.String()
}

// What the running kernel did, connection by connection.
func TestKernel(t *testing.T) {
	type observed struct {
		ID, Scheduler   string
		Flags           int
		Weights         []int32
		Upper           int32
		Servers, Script []string
		Chosen, Counts  string
	}
	tried := map[string]bool{}
	for _, c := range policytest.Observed[observed](t, "ipvs", "which real server gets each connection") {
		t.Run(c.ID, func(t *testing.T) {
			tried[c.Scheduler] = true
			row := policy.Table[policy.Row](Policies).Find("ipvs-" + c.Scheduler)
			options := policytest.Options(row)
			flags := keyed{Port: c.Flags&0x10 != 0, Fallback: c.Flags&8 != 0}
			switch o := options.(type) {
			case sourceOptions:
				o.keyed = flags
				options = o
			case maglevOptions:
				o.keyed = flags
				options = o
			}
			p := policytest.New(t, row, options, 1)
			if m, ok := p.(*maglev); ok {
				m.address = func(id flow.Instance) uint32 {
					a := netip.MustParseAddrPort(c.Servers[id-1])
					return flow.Fold(a.Addr()) + uint32(a.Port())
				}
			}
			w := newWorld(t, p, c.Upper, c.Weights...)
			if got := w.run(c.Script); got != c.Chosen {
				t.Errorf("chosen %s, want %s", got, c.Chosen)
			}
			s := serviceOf(p)
			var counts []string
			for slot := len(w.v.IDs) - 1; slot >= 0; slot-- {
				counts = append(counts, fmt.Sprintf("%c:%d/%d", 'A'-1+w.v.IDs[slot], w.v.Flows[slot],
					s.at(&w.v, slot).inactive))
			}
			if got := strings.Join(counts, " "); got != c.Counts {
				t.Errorf("connections %s, want %s", got, c.Counts)
			}
		})
	}
	for _, row := range Policies {
		if name := strings.TrimPrefix(row.Name, "ipvs-"); !tried[name] && name != "twos" {
			t.Errorf("no observation of %s", name)
		}
	}
}

// serviceOf is the list of servers in a policy of this family.
func serviceOf(p policy.Policy) *service {
	switch p := p.(type) {
	case *roundRobin:
		return &p.service
	case *weighted:
		return &p.service
	case *least:
		return &p.service
	case *hashed:
		return &p.service
	case *maglev:
		return &p.service
	case *heaviest:
		return &p.service
	case *ofTwo:
		return &p.service
	case *locality:
		return &p.service
	}
	panic(reflect.TypeOf(p))
}

// The sequences that follow from the kernel's source, where the threshold begins at the greatest weight: as if all
// servers had been there from the beginning, and the list in their order.
func TestWRRFromTheGreatestWeight(t *testing.T) {
	for _, c := range policytest.Vectors(t, "ipvs", "wrr sequences") {
		weights, want := policytest.Decode[[]int32](t, &c.In), policytest.Decode[string](t, &c.Out)
		w := newWorld(t, newWeighted(newService(Options{}), new(uint64)), 0, weights...)
		p := w.p.(*weighted)
		slices.Reverse(p.order)
		p.threshold = p.most
		got := ""
		for i := range want {
			got += w.do(fmt.Sprint("open c", i))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", c.ID, got, want)
		}
	}
}

// A server that is added changes the divisor of the weights, and the threshold becomes one that its steps can reach:
// here 1 stays 1. DERIVED from the kernel's source.
func TestWRRKeepsItsThresholdWhileServersAreAdded(t *testing.T) {
	w := newWorld(t, newWeighted(newService(Options{}), new(uint64)), 0, 6, 4)
	got := ""
	for i := range 7 {
		got += w.do(fmt.Sprint("open c", i))
	}
	if want := "BAABABA"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Two sets of servers on which the schedulers differ: active and inactive connections, and weights. The list is in the
// order of the letters.
func TestLeastOfDiffer(t *testing.T) {
	for _, c := range []struct {
		active, inactive, weights []int32
		want                      string
	}{
		{[]int32{2, 5, 1}, []int32{0, 0, 600}, []int32{1, 3, 1}, "lc A wlc B sed B nq B"},
		{[]int32{0, 1}, []int32{0, 0}, []int32{1, 10}, "lc A wlc A sed B nq A"},
	} {
		got := ""
		for _, name := range []string{"lc", "wlc", "sed", "nq"} {
			row := policy.Table[policy.Row](Policies).Find("ipvs-" + name)
			w := newWorld(t, policytest.New(t, row, policytest.Options(row), 1), 0, c.weights...)
			slices.Reverse(w.p.(*least).order)
			copy(w.v.Flows, c.active)
			for slot, n := range c.inactive {
				w.p.(*least).at(&w.v, slot).inactive = n
			}
			got += name + " " + w.do("open c") + " "
		}
		if got = strings.TrimSpace(got); got != c.want {
			t.Errorf("%v: %s, want %s", c.active, got, c.want)
		}
	}
}

// An ended flow is an inactive connection for its time. It counts towards the upper threshold, below three quarters of
// which a server that was at it takes connections again.
func TestInactiveConnectionsAndThreshold(t *testing.T) {
	w := newWorld(t, policytest.New(t, &lc, Options{10 * units.Second}, 1), 4, 1)
	got := w.run([]string{"open a", "open b", "open c", "open d", "open e", "close a", "close b", "open f"})
	w.v.Now = 5 * units.Second
	got += w.run([]string{"close c", "open g"})
	w.v.Now = 10 * units.Second // a and b are forgotten: 2 of 4 are left
	got += w.run([]string{"open h", "open i", "open j"})
	w.v.Now = 15 * units.Second // and c is: 3 are left, which is not below three quarters
	got += w.run([]string{"open k"})
	if want := "AAAA---AA--"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A server that comes back does so at the head of the list. Its inactive connections are forgotten in their time.
func TestAServerComesBackAtTheHead(t *testing.T) {
	w := newWorld(t, policytest.New(t, &lc, Options{10 * units.Second}, 1), 0, 1, 1)
	got := w.run([]string{"open a", "open b", "close a", "del 1", "open c"})
	v := &w.v
	v.IDs, v.Weight = append(v.IDs, 2), append(v.Weight, 1)
	v.MaxConn, v.Flows = append(v.MaxConn, 0), append(v.Flows, 0)
	w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: 1}, v)
	v.Now = 20 * units.Second
	got += w.run([]string{"open d", "open e"})
	if want := "BAABB"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := serviceOf(w.p).at(v, 1).inactive; n != 0 {
		t.Errorf("%d inactive connections", n)
	}
}

// A server whose inactive connections are forgotten while it is away is no longer at its threshold when it comes back.
func TestTheThresholdOfAServerThatWasAway(t *testing.T) {
	h := newHost(t, &setting{scheduler: "lc"}, &servers{0, []int32{1, 1}, []int32{0, 1}})
	for _, step := range [][2]string{{"join A", " A:0/0"}, {"join B", " B:0/0 A:0/0"}, {"open 0", "B B:1/0 A:0/0"},
		{"close 0", " B:0/1 A:0/0"}, {"leave B", " A:0/0"}, {"open 1", "A A:1/0"}, {"join B", " B:0/0 A:1/0"},
		{"open 2", "B B:1/0 A:1/0"}} {
		if step[0] == "open 1" {
			h.v.Now = 200 * units.Second
		}
		if got := h.do(step[0]); got != step[1] {
			t.Errorf("%s: %s, want %s", step[0], got, step[1])
		}
	}
}

// Round robin keeps its turn while servers come and go.
func TestRoundRobinKeepsItsTurn(t *testing.T) {
	w := newWorld(t, policytest.New(t, &rr, Options{}, 1), 0, 1, 1, 1, 1)
	got := w.run([]string{"open a", "open b", "del 2", "open c", "del 3", "open d", "open e", "open f"})
	if want := "DCBABA"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The chances of a draw are the weights, and one more for the newest server.
func TestTwosDrawsByWeight(t *testing.T) {
	const draws = 60000
	weights := []int32{1, 0, 3, 2}
	w := newWorld(t, policytest.New(t, &twos, Options{}, 1), 0, weights...)
	w.v.Flows = []int32{3, 0, 3, 0} // 3 for its weight, 1 for its weight, and none
	var count [4]int
	for range draws {
		count[w.p.Pick(&policy.Work{}, &w.v, nil).Slot]++
	}
	chance := []float64{1. / 7, 0, 3. / 7, 3. / 7}
	worse := 1. // the chance that both draws are no better than the server
	for _, slot := range []int{3, 2, 0} {
		want := (worse*worse - (worse-chance[slot])*(worse-chance[slot])) * draws
		if d := math.Abs(float64(count[slot]) - want); d > 5*math.Sqrt(want) {
			t.Errorf("server %d was taken %d times, want %.0f", slot, count[slot], want)
		}
		worse -= chance[slot]
	}
	if count[1] > 0 {
		t.Errorf("a server of weight 0 was taken %d times", count[1])
	}
}

// lblc leaves a server that is overloaded for one that is not, and forgets addresses that were not used for a day.
func TestLocality(t *testing.T) {
	w := newWorld(t, policytest.New(t, &lblc, Options{}, 1), 0, 2, 2)
	got := w.run([]string{"open a dst=10.0.0.1", "open b dst=10.0.0.1", "open c dst=10.0.0.1", "open d dst=10.0.0.1"})
	if want := "BBBA"; got != want { // B has 3, more than its weight, and A less than half of it
		t.Errorf("%s, want %s", got, want)
	}
	p := w.p.(*locality)
	for i := range 100 {
		w.do(fmt.Sprintf("open x%d dst=10.0.1.%d", i, i))
	}
	w.v.Now = 12 * 3600 * units.Second
	w.do("open y dst=10.0.1.7")
	if len(p.cache) != 101 {
		t.Errorf("after half a day, %d addresses, want 101", len(p.cache))
	}
	w.v.Now = 25 * 3600 * units.Second
	w.do("open z dst=10.0.1.8")
	if len(p.cache) != 2 || p.counts[1] != 100 {
		t.Errorf("after a day, %d addresses, and %d forgotten, want the two that were used", len(p.cache), p.counts[1])
	}
}

// The log's score of a server that a destination address keeps is of the connections at that time.
func TestLocalityLogsPresentConnections(t *testing.T) {
	w := newWorld(t, policytest.New(t, &lblc, Options{10 * units.Second}, 1), 0, 4)
	w.run([]string{"open a", "open b", "close a"})
	x := *w.flows["b"]
	for _, c := range []struct {
		at    units.Time
		score float64
	}{{5 * units.Second, (256 + 1) / 4.}, {10 * units.Second, 256 / 4.}} {
		w.v.Now = c.at
		var log policy.Weighed
		w.p.Pick(&x, &w.v, &log)
		if got := log.Ratings[0].Score; got != c.score {
			t.Errorf("at %v: score %v, want %v", c.at, got, c.score)
		}
	}
}

// Beyond 16,384 addresses, those that were not used for 6 minutes go, list by list, a third more than are too many.
func TestLocalityTrims(t *testing.T) {
	p := newLocality(Options{}, make([]uint64, 2))
	for i := range uint32(mostCached + 300) {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p.cache[a] = cached{1, 0}
	}
	p.check(6*60*units.Second - 1)
	if n := len(p.cache); n != mostCached+300 {
		t.Errorf("%d addresses before their time, want all", n)
	}
	p.check(6 * 60 * units.Second)
	gone := mostCached + 300 - len(p.cache)
	if gone < 400 || gone > 500 {
		t.Errorf("%d addresses have gone, want the 400 that were asked for and the rest of their list", gone)
	}
}

func TestTheTableOfMHIsOneOfTheKernels(t *testing.T) {
	for size, ok := range map[int]bool{251: true, 4093: true, 131071: true, 4091: false, 1000: false} {
		if _, err := newMaglev(maglevOptions{Table: size}, policy.Env{}); (err == nil) != ok {
			t.Errorf("table: %d: error %v", size, err)
		}
	}
}
