package contention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Five instances, four of them saturated and one offered 2 Mpps, and what else can be worked out by hand.
func TestSharesByHand(t *testing.T) {
	usl := USL{25 * mpps, 0.38, 0.019}
	const all = 1e9 // more than any can process
	table := Table{[]int{1, 2, 3, 4}, []float64{25 * mpps, 20 * mpps, 12 * mpps, 10 * mpps}}
	for _, c := range []struct {
		what    string
		law     Law
		demands []float64 // below 0: does not contend
		want    []float64
	}{
		{"four saturated and one at 2 Mpps", usl, []float64{all, all, 2e6, all, all}, []float64{
			(usl.Total(5) - 2e6) / 4, (usl.Total(5) - 2e6) / 4, usl.Capacity(5), (usl.Total(5) - 2e6) / 4,
			(usl.Total(5) - 2e6) / 4}},
		{"alone", usl, []float64{3e6}, []float64{25e6}},
		{"none contends", usl, []float64{-1, -1}, []float64{25e6, 25e6}},
		{"an idle one that contends", usl, []float64{0, all}, []float64{usl.Capacity(2), 25e6}},
		{"an idle one that does not", usl, []float64{-1, all}, []float64{25e6, 25e6}},
		{"constant", Constant(7e6), []float64{0, 1e6, all, -1}, []float64{7e6, 7e6, 7e6, 7e6}},
		// The pool is 40 Mpps. Each can have what the others leave.
		{"the pool is not used up", table, []float64{5e6, 8e6, 12e6, 7e6}, []float64{13e6, 16e6, 20e6, 15e6}},
		// The third leaves 4 of its 10 Mpps. The fourth needs 1 of them, and could have a third.
		{"two are saturated", table, []float64{20e6, all, 6e6, 11e6}, []float64{11.5e6, 11.5e6, 10e6, 34e6 / 3}},
		{"no more than one alone", table, []float64{1e6, 2e6, 3e6, 4e6}, []float64{25e6, 25e6, 25e6, 25e6}},
		{"a law by which more do more", Table{[]int{1, 2}, []float64{1e6, 3e6}}, []float64{0, all},
			[]float64{3e6, 3e6}},
	} {
		var p Pool
		p.Law = c.law
		members := membersOf(c.demands)
		p.Share(members)
		for i, m := range members {
			if !near(m.Share, c.want[i], 1e-12) {
				t.Errorf("%s: member %d: %v, want %v", c.what, i, m.Share, c.want[i])
			}
		}
	}
}

func membersOf(demands []float64) (all []Member) {
	for _, d := range demands {
		all = append(all, Member{Contends: d >= 0, Demand: max(d, 0)})
	}
	return all
}

// slowShare gives the member a drop at a time: the poorest that is not satisfied gets the next. In the end the member
// holds its share to within a drop, if one that always has packets counts as never satisfied.
func slowShare(law Law, members []Member, i int) float64 {
	n := 0
	for _, m := range members {
		if m.Contends {
			n++
		}
	}
	each := law.Capacity(n)
	pool := each * float64(n)
	if !members[i].Contends {
		pool += each
	}
	const drops = 20_000
	got := make([]float64, len(members))
	for range drops {
		poorest := i
		for j, m := range members {
			if j != i && m.Contends && got[j] < m.Demand && got[j] < got[poorest] {
				poorest = j
			}
		}
		got[poorest] += pool / drops
	}
	return min(got[i], max(law.Capacity(1), each))
}

// randomMembers draws a law and demands below, at and above what each can have.
func randomMembers(r *rand.Rand) (Law, []Member) {
	laws := []Law{USL{25 * mpps, 0.38, 0.019}, Constant(3 * mpps), USL{mpps, r.Float64(), r.Float64() / 10},
		Table{[]int{1, 4, 8}, []float64{9 * mpps, 3 * mpps, mpps}}, Table{[]int{1, 3}, []float64{mpps, 2 * mpps}}}
	law := laws[r.IntN(len(laws))]
	members := make([]Member, 1+r.IntN(10))
	for i := range members {
		m := &members[i]
		if m.Contends = r.IntN(5) > 0; m.Contends && r.IntN(5) > 0 {
			m.Demand = law.Capacity(len(members)) * []float64{0.3, 1, 1, 2, 6}[r.IntN(5)] * (0.5 + r.Float64())
		}
	}
	if r.IntN(4) == 0 {
		members[r.IntN(len(members))].Demand = 0
	}
	return law, members
}

// Shares are what drop by drop comes out. None is below capacity(n) nor above what one alone can do; taken up to its
// demand, they never add up to more than A(n), and to A(n) if somebody is left unsatisfied below the cap; the order of
// the members does not matter; and none loses if another is offered less.
func TestSharesOnRandomMembers(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 17))
		law, members := randomMembers(r)
		p := Pool{Law: law}
		p.Share(members)
		n, taken, unsatisfied := 0, 0.0, false
		for _, m := range members {
			if m.Contends {
				n++
			}
		}
		each := law.Capacity(n)
		most, total := max(law.Capacity(1), each), each*float64(n)
		for i, m := range members {
			where := fmt.Sprintf("seed %d, member %d of %+v", seed, i, members)
			if slow := slowShare(law, members, i); math.Abs(m.Share-slow) > 2e-3*total+2e-3*each {
				t.Errorf("%s: %v, drop by drop %v", where, m.Share, slow)
			}
			if m.Share < each || m.Share > most {
				t.Errorf("%s: want %v to %v", where, each, most)
			}
			if m.Contends {
				taken += min(m.Demand, m.Share)
				unsatisfied = unsatisfied || m.Demand > m.Share && m.Share < most
			}
		}
		const rounding = 1e-10
		if taken > total*(1+rounding) || unsatisfied && !near(taken, total, rounding) {
			t.Errorf("seed %d: %v is taken of %v: %+v", seed, taken, total, members)
		}
		turned := make([]Member, len(members))
		perm := r.Perm(len(members))
		for i, k := range perm {
			turned[k] = Member{Contends: members[i].Contends, Demand: members[i].Demand}
		}
		p.Share(turned)
		for i, k := range perm {
			if turned[k].Share != members[i].Share {
				t.Errorf("seed %d: in another order %v, want %v", seed, turned[k].Share, members[i].Share)
			}
		}
		less := r.IntN(len(members))
		modest := append([]Member(nil), members...)
		modest[less].Demand *= r.Float64()
		p.Share(modest)
		for i := range members {
			if modest[i].Share < members[i].Share || i == less && modest[i].Share != members[i].Share {
				t.Errorf("seed %d: %v if member %d is offered less, want at least %v", seed, modest[i].Share, less,
					members[i].Share)
			}
		}
	}
}

// In saturation pooled shares are the reserved ones to the last bit, whatever the law.
func TestSharesInSaturationAreReserved(t *testing.T) {
	for n := 1; n <= 12; n++ {
		for _, law := range []Law{USL{25 * mpps, 0.38, 0.019}, USL{mpps / 3, 0.1, 0.01}, Constant(1e12 / 80645.)} {
			members := make([]Member, n+1)
			for i := range n {
				members[i] = Member{Contends: true, Demand: law.Capacity(n) + float64(i)}
			}
			p := Pool{Law: law}
			p.Share(members)
			for i, m := range members {
				if m.Share != law.Capacity(n) {
					t.Errorf("%+v, member %d of %d: %v, want %v", law, i, n, m.Share, law.Capacity(n))
				}
			}
		}
	}
}

func TestShareAllocatesNothing(t *testing.T) {
	p, members := eight()
	if n := testing.AllocsPerRun(100, func() { p.Share(members) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func eight() (*Pool, []Member) {
	p := &Pool{Law: USL{25 * mpps, 0.38, 0.019}}
	members := membersOf([]float64{9e6, 4e6, 1e6, 12e6, 2e6, 4e6, 0, 30e6})
	p.Share(members)
	return p, members
}

func BenchmarkShare(b *testing.B) {
	p, members := eight()
	for b.Loop() {
		p.Share(members)
	}
}
