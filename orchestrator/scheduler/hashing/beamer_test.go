package hashing

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// beamerAt is a policy with eight buckets and instances 1 to 3, to which 4 comes after 5 s and leaves after 10 s. The
// owners are worked out by hand from the rule of the released Rebalancer.
type beamerAt struct {
	*beamer
	v    policy.View
	dead flow.Instance
}

func newBeamerAt(t *testing.T, weights ...int32) *beamerAt {
	p := policytest.New(t, &beamerRow, beamerOptions{Buckets: 8, Timeout: 240 * units.Second}, 1).(*beamer)
	b := &beamerAt{beamer: p}
	for i, w := range weights {
		b.joins(flow.Instance(i+1), w)
	}
	return b
}

func (b *beamerAt) joins(id flow.Instance, weight int32) {
	b.v.IDs, b.v.Weight = append(b.v.IDs, id), append(b.v.Weight, weight)
	b.Observe(&policy.Event{Kind: policy.Joined, Slot: len(b.v.IDs) - 1}, &b.v)
}

func (b *beamerAt) leaves(id flow.Instance) {
	slot, _ := slices.BinarySearch(b.v.IDs, id)
	b.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &b.v)
	b.v.IDs, b.v.Weight = slices.Delete(b.v.IDs, slot, slot+1), slices.Delete(b.v.Weight, slot, slot+1)
}

func (b *beamerAt) owners() (all []flow.Instance) {
	b.update(&b.v)
	for _, k := range b.buckets {
		all = append(all, k.owner)
	}
	return all
}

// in is a flow of a bucket, which an instance has.
func (b *beamerAt) in(bucket uint64, at flow.Instance) *policy.Work {
	w := &policy.Work{At: at}
	for w.Tuple.SrcPort = 1; b.of(w) != bucket; w.Tuple.SrcPort++ {
	}
	return w
}

func (b *beamerAt) lives(id flow.Instance) bool { return id != b.dead }

func TestBeamerGivesBuckets(t *testing.T) {
	b := newBeamerAt(t, 1, 1, 1)
	for _, step := range []struct {
		what   string
		happen func()
		want   []flow.Instance
	}{
		{"three take turns to fill up", func() {}, []flow.Instance{1, 1, 1, 2, 2, 2, 3, 3}},
		{"a fourth takes what those that have most had longest", func() { b.joins(4, 1) },
			[]flow.Instance{4, 1, 1, 4, 2, 2, 3, 3}},
		{"it leaves", func() { b.leaves(4) }, []flow.Instance{2, 1, 1, 1, 2, 2, 3, 3}},
		{"none takes work: all stays", func() { b.leaves(1); b.leaves(2); b.leaves(3) },
			[]flow.Instance{2, 1, 1, 1, 2, 2, 3, 3}},
		{"without a weight none has any", func() { b.joins(5, 0) }, make([]flow.Instance, 8)},
		{"the first with a weight has all", func() { b.joins(6, 2) }, slices.Repeat([]flow.Instance{6}, 8)},
		{"a third of the weight, three of eight buckets: those of 1, which 6 got first", func() { b.joins(7, 1) },
			[]flow.Instance{6, 7, 7, 7, 6, 6, 6, 6}},
	} {
		if step.happen(); !slices.Equal(b.owners(), step.want) {
			t.Errorf("%s: %v, want %v", step.what, b.owners(), step.want)
		}
	}
	b = newBeamerAt(t, 0)
	if a := b.Pick(b.in(0, 0), &b.v, nil); a.Verdict != policy.Drop {
		t.Errorf("answers %+v where no instance has a weight, want a refusal", a)
	}
}

func TestBeamerHandsOn(t *testing.T) {
	const second = units.Second
	b := newBeamerAt(t, 1, 1, 1)
	b.owners()
	b.v.Now = 5 * second
	b.joins(4, 1)
	b.owners()
	b.v.Now = 10 * second
	b.leaves(4)
	for _, c := range []struct {
		what   string
		bucket uint64
		at     flow.Instance
		now    units.Time
		dead   flow.Instance
		until  units.Time // 0 for broken
		hops   int
	}{
		{"its bucket stayed", 1, 1, 10 * second, 0, units.Never, 0},
		{"its bucket went and came back to another", 3, 4, 10 * second, 0, 250 * second, 1},
		{"its bucket went twice", 0, 1, 10 * second, 0, 245 * second, 2},
		{"the instance between is dead", 0, 1, 10 * second, 4, 0, 0},
		{"just before the first change is forgotten", 0, 1, 245*second - 1, 0, 245 * second, 2},
		{"when it is forgotten", 0, 1, 245 * second, 0, 0, 0},
		{"the second change is remembered for longer", 0, 4, 245 * second, 0, 250 * second, 1},
		{"it never was there", 0, 3, 10 * second, 0, 0, 0},
	} {
		b.v.Now, b.dead = c.now, c.dead
		if until, hops := b.Keeps(b.in(c.bucket, c.at), &b.v, b.lives); until != c.until || hops != c.hops {
			t.Errorf("%s: until %v by %d others, want %v by %d", c.what, until, hops, c.until, c.hops)
		}
	}
	// Bucket 0 goes from 1 to 2, to 3 and back to 2, which forgets 1: packets of a flow of 1 would go round between 2
	// and 3.
	b = newBeamerAt(t, 1)
	for _, happen := range []func(){func() { b.joins(2, 9) }, func() { b.joins(3, 90) }, func() { b.leaves(3) }} {
		b.owners()
		happen()
	}
	b.owners()
	if until, hops := b.Keeps(b.in(0, 1), &b.v, b.lives); b.buckets[0].owner != 2 || until != 0 {
		t.Errorf("bucket 0 at %d, a flow of 1 kept until %v by %d others", b.buckets[0].owner, until, hops)
	}
}

func TestCheetahTakesTurnsAndKeepsItsFlows(t *testing.T) {
	p, v := joined(t, &cheetahRow, nil, instances(2, 5, 7))
	if got, want := homes(p, v, flows(4)), []flow.Instance{2, 5, 7, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	leaves(p, v, 5)
	if got, want := homes(p, v, flows(3)), []flow.Instance{7, 2, 7}; !slices.Equal(got, want) {
		t.Errorf("without 5 %v, want %v", got, want)
	}
	if until, hops := p.(policy.Keeper).Keeps(&policy.Work{At: 5}, v, nil); until != units.Never || hops != 0 {
		t.Errorf("a flow of 5 is kept until %v by %d others, want for ever by none", until, hops)
	}
}
