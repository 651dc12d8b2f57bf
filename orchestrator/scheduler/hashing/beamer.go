package hashing

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var beamerRow = policy.Row{
	Info: policy.Info{Name: "beamer",
		Rule: "the instance that has the bucket of the flow's source, without rules; packets of flows that it does " +
			"not know it hands on to the bucket's former instance",
		Source: "Olteanu et al., NSDI 2018, as released: beamer-ctrl 8436afdc6b15, manager/Rebalancer.java; " +
			"beamer-mod 9228c7097ea0, beamer_hooks.c",
		Score: "the bucket", Sees: policy.T0,
		State: "the buckets, and for each the instances that had it, with the times",
		Cost:  "constant; after a change of instances, n for each of them, and the buckets that go to another",
		Deviates: "the hash function is xxHash; an instance knows of its bucket's former one at once, and not from " +
			"the first packet; the timeout ends to the picosecond, and not to the second; all flows are TCP " +
			"connections, since the module hands on no UDP; that a packet is handed on is counted, and costs neither " +
			"time nor capacity; while no instance takes work the buckets stay where they are"},
	Dispatch: policy.ByPacket,
	Tuple:    true,
	Reasons:  []string{"owner of the flow's bucket", "no instance has a weight: refused"},
	Maker:    policy.Make(newBeamer),
}

type beamerOptions struct {
	Buckets int        `yaml:"buckets" default:"4096" min:"1" max:"1048576"`
	Timeout units.Time `yaml:"timeout" default:"240s"`
}

// Docs implements strictyaml.Documented.
func (beamerOptions) Docs() string {
	return `
buckets: how many there are (the module's ring_size, without a default there); some hundred times as many as instances
timeout: how long after a bucket has changed its instance the new one hands packets on to the former (daisy_timeout)
`
}

// beamer has buckets, which a controller gives to instances.
type beamer struct {
	timeout units.Time
	buckets []bucket
	servers []server // those that take work, and while they have buckets those that do not, in order of their numbers
	stale   bool     // instances have come or gone
	since   units.Time
	order   []*server // for rebalance
}

type bucket struct {
	owner flow.Instance // 0 for none
	links []link
}

// link is what an instance remembers of a bucket that it was given: from whom, and when.
type link struct {
	at, former flow.Instance
	since      units.Time
}

// ends is when the instance forgets.
func (l *link) ends(timeout units.Time) units.Time {
	return l.since + min(timeout, units.Never-l.since)
}

type server struct {
	id     flow.Instance
	weight int32
	has    []int32 // buckets, those that it has had longest first
}

func newBeamer(o beamerOptions, _ policy.Env) (policy.Policy, error) {
	b := &beamer{timeout: o.Timeout, buckets: make([]bucket, o.Buckets)}
	nobody := server{has: make([]int32, o.Buckets)}
	for i := range nobody.has {
		nobody.has[i] = int32(i)
	}
	b.servers = []server{nobody}
	return b, nil
}

// Observe follows the instances that join and leave.
func (b *beamer) Observe(e *policy.Event, v *policy.View) {
	weight := int32(0)
	switch e.Kind {
	case policy.Joined:
		weight = v.Weight[e.Slot]
	case policy.Left:
	default:
		return
	}
	id := v.IDs[e.Slot]
	at, found := slices.BinarySearchFunc(b.servers, id, byNumber)
	if !found {
		b.servers = slices.Insert(b.servers, at, server{id: id})
	}
	b.servers[at].weight = weight
	b.stale, b.since = true, v.Now
}

func byNumber(s server, id flow.Instance) int { return cmp.Compare(s.id, id) }

func (b *beamer) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	b.update(v)
	k := b.of(w)
	slot, found := slices.BinarySearch(v.IDs, b.buckets[k].owner)
	if !found {
		return policy.Answer{Verdict: policy.Drop, Why: 1}
	}
	log.Add(slot, float64(k), true)
	return policy.Answer{Slot: slot}
}

// Keeps implements policy.Keeper. Packets go to the bucket's owner and from there back along the bucket's history, from
// each instance to the one that had the bucket before it, until they come to that of the flow.
func (b *beamer) Keeps(w *policy.Work, v *policy.View, lives func(flow.Instance) bool) (until units.Time, hops int) {
	b.update(v)
	k := &b.buckets[b.of(w)]
	until = units.Never
	for at := k.owner; at != w.At; hops++ {
		l := k.linkOf(at)
		if l == nil || hops == len(k.links) || !lives(at) || l.ends(b.timeout) <= v.Now {
			return 0, 0
		}
		until = l.ends(b.timeout) // sooner than that of the one before
		at = l.former
	}
	return until, hops
}

// of is the flow's bucket.
func (b *beamer) of(w *policy.Work) uint64 {
	var key [18]byte
	src := w.Tuple.Src.As16()
	copy(key[:], src[:])
	key[16], key[17] = byte(w.Tuple.SrcPort>>8), byte(w.Tuple.SrcPort)
	return xxhash.Sum64(key[:]) % uint64(len(b.buckets))
}

func (k *bucket) linkOf(at flow.Instance) *link {
	for i := range k.links {
		if k.links[i].at == at {
			return &k.links[i]
		}
	}
	return nil
}

// update gives the buckets to the instances that take work now.
func (b *beamer) update(v *policy.View) {
	if !b.stale || len(v.IDs) == 0 {
		return
	}
	b.stale = false
	b.rebalance()
	b.servers = slices.DeleteFunc(b.servers, func(s server) bool {
		_, takes := slices.BinarySearch(v.IDs, s.id)
		return len(s.has) == 0 && s.id != 0 && !takes
	})
}

// load is a server's buckets, and some more, by its weight.
func (s *server) load(more int) float32 { return float32(len(s.has)+more) / float32(s.weight) }

// rebalance moves buckets from the servers that have the most for their weights to those that have the fewest, until
// no move brings two of them closer: the rule of the released Rebalancer, in its arithmetic.
func (b *beamer) rebalance() {
	total, weight := len(b.buckets), 0
	for i := range b.servers {
		weight += int(b.servers[i].weight)
	}
	if weight == 0 { // nobody takes them all
		for i := range b.servers[1:] {
			b.give(&b.servers[i+1], &b.servers[0], len(b.servers[i+1].has))
		}
		return
	}
	active := b.order[:0]
	for i := range b.servers {
		if s := &b.servers[i]; s.weight > 0 || len(s.has) > 0 {
			active = append(active, s)
		}
	}
	b.order = active
	for len(active) > 1 {
		slices.SortFunc(active, func(x, y *server) int {
			return cmp.Or(cmp.Compare(x.load(0), y.load(0)), cmp.Compare(x.id, y.id))
		})
		least, most := active[0], active[len(active)-1]
		mean := float32(total) / float32(weight)
		moves := 0
		for closer(most, least, mean) {
			b.give(most, least, 1)
			moves++
		}
		fromDone, toDone := done(most, least, mean)
		if fromDone && toDone && moves == 0 {
			break
		}
		if fromDone {
			active = active[:len(active)-1]
			total, weight = total-len(most.has), weight-int(most.weight)
		}
		if toDone {
			active = active[1:]
			total, weight = total-len(least.has), weight-int(least.weight)
		}
	}
}

// closer says whether to move a bucket between two servers.
func closer(from, to *server, mean float32) bool {
	switch {
	case from.weight == 0:
		return len(from.has) > 0 && to.load(0) < mean
	case from.load(0) <= mean || to.load(0) >= mean:
		return false
	}
	return abs(from.load(-1)-to.load(1)) < abs(from.load(0)-to.load(0))
}

// done says which of two servers, between which nothing is to be moved, are as they should be.
func done(from, to *server, mean float32) (fromDone, toDone bool) {
	switch toDone = to.load(0) >= mean; {
	case from.weight == 0:
		return len(from.has) == 0, toDone
	case from.load(0) <= mean:
		return true, toDone || to.load(1) > mean
	case toDone:
		return from.load(-1) < mean, true
	}
	return true, true
}

func abs(x float32) float32 { return max(x, -x) }

// give moves the n buckets that a server has had longest to another.
func (b *beamer) give(from, to *server, n int) {
	for _, k := range from.has[:n] {
		b.buckets[k].change(to.id, b.since, b.timeout)
	}
	to.has = append(to.has, from.has[:n]...)
	from.has = from.has[n:]
}

// change gives the bucket another owner, which remembers the former, and forgets what is too old to be of use.
func (k *bucket) change(to flow.Instance, now, timeout units.Time) {
	k.links = slices.DeleteFunc(k.links, func(l link) bool { return l.at == to || l.ends(timeout) <= now })
	if k.owner != 0 && to != 0 {
		k.links = append(k.links, link{to, k.owner, now})
	}
	k.owner = to
}
