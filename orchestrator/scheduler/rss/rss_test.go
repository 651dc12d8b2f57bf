package rss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	for name, others := range map[string][]any{
		"rss": {staticOptions{tableOptions{16, "sym5tuple"}, "modulo"},
			staticOptions{tableOptions{3, "dstip"}, "minimal-move"}},
		"maestro": {maestroOptions{tableOptions{16, "srcip"}, units.Second}},
		"rss++":   {change(rssppRow, func(o *rssppOptions) { o.Keep, o.Table = "best", 16 })},
		"orss": {change(orssRow, func(o *orssOptions) { o.New, o.Most = "random", 1 }),
			change(orssRow, func(o *orssOptions) { o.Threshold = 1 })},
	} {
		policytest.Run(t, *policy.Table[policy.Row](Policies).Find(name), others...)
	}
}

// change edits the defaults of a row's options.
func change[O any](row policy.Row, edit func(*O)) any {
	o := policytest.Options(&row).(O)
	edit(&o)
	return o
}

// verification calls f with the flows of Microsoft's verification suite, IPv4 and IPv6, and what their hashes are: of
// the addresses alone, and with the ports.
func verification(t *testing.T, f func(id string, tuple flow.FiveTuple, addresses, ports string)) {
	for _, c := range policytest.Vectors(t, "rss", "Toeplitz hash") {
		in, out := policytest.Decode[[4]string](t, &c.In), policytest.Decode[[2]string](t, &c.Out)
		tuple := flow.FiveTuple{Src: netip.MustParseAddr(in[0]), Dst: netip.MustParseAddr(in[2]), Proto: flow.TCP}
		fmt.Sscan(in[1], &tuple.SrcPort)
		fmt.Sscan(in[3], &tuple.DstPort)
		f(c.ID, tuple, out[0], out[1])
	}
}

func hex(h uint32) string { return fmt.Sprintf("0x%08x", h) }

func TestToeplitz(t *testing.T) {
	verification(t, func(id string, tuple flow.FiveTuple, addresses, ports string) {
		if got := hex(presets["5tuple"].of(&tuple)); got != ports {
			t.Errorf("%s: %s, want %s", id, got, ports)
		}
		// The hash is linear: that of both addresses is those of the one and of the other, combined by exclusive or.
		if got := hex(presets["srcip"].of(&tuple) ^ presets["dstip"].of(&tuple)); got != addresses {
			t.Errorf("%s: of the addresses one by one %s, want %s", id, got, addresses)
		}
		tuple.Proto = flow.ICMP
		if got := hex(presets["5tuple"].of(&tuple)); got != addresses {
			t.Errorf("%s without ports: %s, want %s", id, got, addresses)
		}
	})
}

// What changes in a flow without changing its hash.
func TestPresets(t *testing.T) {
	changes := map[string]func(*flow.FiveTuple){
		"direction": func(t *flow.FiveTuple) {
			t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
		},
		"source":      func(t *flow.FiveTuple) { t.Src = t.Src.Next() },
		"destination": func(t *flow.FiveTuple) { t.Dst = t.Dst.Next() },
		"ports":       func(t *flow.FiveTuple) { t.SrcPort, t.DstPort = t.SrcPort+1, t.DstPort+2 },
	}
	for preset, same := range map[string][]string{"5tuple": nil, "sym5tuple": {"direction"},
		"srcip": {"destination", "ports"}, "dstip": {"ports", "source"}} {
		h := presets[preset]
		verification(t, func(id string, tuple flow.FiveTuple, _, _ string) {
			var got []string
			for name, change := range changes {
				other := tuple
				if change(&other); h.of(&other) == h.of(&tuple) {
					got = append(got, name)
				}
			}
			if slices.Sort(got); !slices.Equal(got, same) {
				t.Errorf("%s, %s: the same hash with another %v, want %v", preset, id, got, same)
			}
		})
	}
}

// view has instances with these numbers.
func view(ids ...flow.Instance) *policy.View { return &policy.View{Limit: 10e6, IDs: ids} }

// with makes a policy of a row with its defaults, edited, and lets instances 1 to n join.
func with[O any](t *testing.T, row policy.Row, n int, edit func(*O)) policy.Policy {
	p := policytest.New(t, &row, change(row, edit), 1)
	v := view()
	for i := range n {
		v.IDs = append(v.IDs, flow.Instance(i+1))
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
	}
	return p
}

// The first flow of the verification suite has hash 0x51ccc178: entry 0x178 of 512, and entry 0x78 of 128.
func TestEntries(t *testing.T) {
	verification(t, func(id string, tuple flow.FiveTuple, _, _ string) {
		if id != "v1" {
			return
		}
		for _, c := range [][4]int{{512, 4, 376, 0}, {512, 3, 376, 1}, {128, 4, 120, 0}} {
			p := with(t, staticRow, c[1], func(o *staticOptions) { o.Table = c[0] })
			v, log := view(1, 2, 3, 4), policy.Weighed{}
			v.IDs = v.IDs[:c[1]]
			a := p.Pick(&policy.Work{Tuple: tuple}, v, &log)
			want := policy.Rating{Slot: c[3], Score: float64(c[2]), Fits: true}
			if a.Slot != c[3] || log.Ratings[0] != want {
				t.Errorf("%d entries, %d instances: %+v, %+v, want %+v", c[0], c[1], a, log.Ratings, want)
			}
		}
	})
}

func TestResize(t *testing.T) {
	type change struct {
		kind policy.Kind
		id   flow.Instance
	}
	placed, joined, left := policy.Placed, policy.Joined, policy.Left
	for _, c := range []struct {
		what    string
		resize  string
		changes []change
		table   []flow.Instance
		moved   uint64
	}{
		{"dealt out anew before the first flow", "minimal-move",
			[]change{{joined, 1}, {joined, 2}, {joined, 3}, {left, 1}}, []flow.Instance{2, 3, 2, 3, 2, 3, 2, 3}, 0},
		{"one joins: two entries are its part, of those with the most", "minimal-move",
			[]change{{joined, 1}, {joined, 2}, {placed, 0}, {joined, 3}}, []flow.Instance{3, 3, 1, 2, 1, 2, 1, 2}, 2},
		{"one leaves: its entries alone move, to those with the fewest", "minimal-move",
			[]change{{joined, 1}, {joined, 2}, {joined, 3}, {placed, 0}, {left, 1}},
			[]flow.Instance{3, 2, 3, 2, 2, 3, 3, 2}, 3},
		{"one leaves: entry i is of i mod n", "modulo",
			[]change{{joined, 1}, {joined, 2}, {joined, 3}, {placed, 0}, {left, 1}},
			[]flow.Instance{2, 3, 2, 3, 2, 3, 2, 3}, 6},
		{"none is left, and one comes", "minimal-move",
			[]change{{joined, 1}, {placed, 0}, {left, 1}, {joined, 2}}, []flow.Instance{2, 2, 2, 2, 2, 2, 2, 2}, 16},
	} {
		env := policy.Env{Counts: make([]uint64, 1)}
		p, _ := newStatic(staticOptions{tableOptions{8, "5tuple"}, c.resize}, env)
		v := view()
		for _, x := range c.changes {
			slot, _ := slices.BinarySearch(v.IDs, x.id)
			if x.kind == joined {
				v.IDs = slices.Insert(v.IDs, slot, x.id)
			}
			p.Observe(&policy.Event{Kind: x.kind, Slot: slot}, v)
			if x.kind == left {
				v.IDs = slices.Delete(v.IDs, slot, slot+1)
			}
		}
		if got := p.(*static).table; !slices.Equal(got, c.table) || env.Counts[0] != c.moved {
			t.Errorf("%s: table %v after %d moves, want %v after %d", c.what, got, env.Counts[0], c.table, c.moved)
		}
	}
}

// As instances come and go, no instance has two entries more than another, and no more entries move than it takes: the
// part of the one that comes, or all of the one that leaves.
func TestMinimalMove(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		x := tableOptions{1 + rnd.IntN(100), "5tuple"}.new()
		ids := []flow.Instance{1}
		x.deal(ids)
		for next := flow.Instance(2); next < 40; next++ {
			before := slices.Clone(x.table)
			least := len(x.table) / (len(ids) + 1)
			if at := rnd.IntN(len(ids)); rnd.IntN(2) == 0 && len(ids) > 1 {
				least = entries(x.table)[ids[at]]
				ids = slices.Delete(ids, at, at+1)
			} else {
				ids = append(ids, next)
			}
			x.level(ids)
			moved, n := 0, entries(x.table)
			for b := range before {
				if before[b] != x.table[b] {
					moved++
				}
			}
			for _, id := range ids {
				if n[id] < len(x.table)/len(ids) || n[id] > (len(x.table)-1)/len(ids)+1 {
					t.Fatalf("%d entries of %d among %d instances", n[id], len(x.table), len(ids))
				}
			}
			if moved != least {
				t.Fatalf("%d of %d entries move among %d instances, want %d", moved, len(x.table), len(ids), least)
			}
		}
	}
}

func entries(table []flow.Instance) map[flow.Instance]int {
	n := map[flow.Instance]int{}
	for _, id := range table {
		n[id]++
	}
	return n
}

func TestSolver(t *testing.T) {
	type in struct {
		Over, Under []float32
		Buckets     [][2]float32
	}
	type out struct {
		To     []int
		Square float64
		Runs   int
	}
	for _, c := range policytest.Vectors(t, "rss++", "moves of one tick, the released solver") {
		x, want := policytest.Decode[in](t, &c.In), policytest.Decode[out](t, &c.Out)
		p := problem{over: x.Over, under: x.Under}
		for _, b := range x.Buckets {
			p.buckets = append(p.buckets, bucket{int(b[0]), b[1]})
		}
		to, square, runs := p.solve(false)
		if !reflect.DeepEqual(to, want.To) || math.Abs(float64(square)-want.Square) > 5e-5 || runs != want.Runs {
			t.Errorf("%s: %v, square %v in %d runs, want %v, %v in %d",
				c.ID, to, square, runs, want.To, want.Square, want.Runs)
		}
		if _, best, _ := p.solve(true); best > square {
			t.Errorf("%s: the best of the runs has %v, the last %v", c.ID, best, square)
		}
	}
}
