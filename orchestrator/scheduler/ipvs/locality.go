package ipvs

import (
	"net/netip"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var lblc = policy.Row{
	Info: policy.Info{Name: "ipvs-lblc",
		Rule:   "the server that had the destination address last, while not overloaded; else as ipvs-wlc",
		Source: source + "lblc.c",
		Score:  "256 times the active connections, and the inactive ones, over the weight",
		Sees:   policy.T0 | policy.T1,
		State:  state + ", a server for each destination address that was used in the last day, or 6 minutes if many",
		Cost:   "constant while the address's server has no more connections than its weight; else n", Deviates: lacks},
	Tuple:    true,
	Reasons:  []string{"had the destination address last", refused, "fewest connections for its weight"},
	Counters: []string{"overloaded servers left", "addresses forgotten"},
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return newLocality(o, env.Counts), nil
	}),
}

// The times and sizes of the cache.
const (
	checkEvery  = 60 * units.Second
	fullEvery   = 30 // checks
	fullTimeout = 24 * 3600 * units.Second
	timeout     = 6 * 60 * units.Second
	lists       = 1024
	mostCached  = 16 * lists
)

// locality is lblc. Its cache is looked through each minute: each 30th time for entries that were not used for a day,
// in between, if there are too many, for those that were not used for 6 minutes.
type locality struct {
	least
	cache map[netip.Addr]cached
	next  units.Time // of the next check
	count int
	rover uint32 // the list of the hash table that was looked at last

	counts []uint64
}

type cached struct {
	server flow.Instance
	used   units.Time
}

func newLocality(o Options, counts []uint64) *locality {
	return &locality{least: least{newService(o), (*least).connectionsByWeight}, cache: map[netip.Addr]cached{},
		next: checkEvery, count: 1, counts: counts}
}

func (l *locality) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	l.expire(v)
	for ; l.next <= v.Now; l.next += checkEvery {
		known := len(l.cache)
		l.check(l.next)
		l.counts[1] += uint64(known - len(l.cache))
	}
	to := w.Tuple.Dst
	if c, found := l.cache[to]; found {
		l.cache[to] = cached{c.server, v.Now}
		slot, there := slices.BinarySearch(v.IDs, c.server)
		switch {
		case !there || v.Weight[slot] == 0:
		case l.overloaded(v, slot):
			l.counts[0]++
		default:
			log.Add(slot, float64(l.overhead(v, slot))/float64(v.Weight[slot]), true)
			return policy.Answer{Slot: slot}
		}
	}
	a := l.least.Pick(w, v, log)
	if a.Verdict == policy.Place {
		a.Why = 2
		l.cache[to] = cached{v.IDs[a.Slot], v.Now}
	}
	return a
}

// overloaded reports whether a server has more active connections than its weight, and another one less than half of
// that.
func (l *locality) overloaded(v *policy.View, slot int) bool {
	if v.Flows[slot] <= v.Weight[slot] {
		return false
	}
	for other, n := range v.Flows {
		if int64(n)*2 < int64(v.Weight[other]) {
			return true
		}
	}
	return false
}

// check looks through the cache at a time.
func (l *locality) check(now units.Time) {
	switch {
	case l.count%fullEvery == 0:
		for a, c := range l.cache {
			if now-c.used >= fullTimeout {
				delete(l.cache, a)
			}
		}
		l.count = 1
	case len(l.cache) <= mostCached:
		l.count++
	default:
		l.trim(now)
	}
}

// trim takes old entries out of one list of the hash table after the other, until enough are gone.
func (l *locality) trim(now units.Time) {
	var old [lists]int
	for a, c := range l.cache {
		if now-c.used >= timeout {
			old[list(a)]++
		}
	}
	goal := min((len(l.cache)-mostCached)*4/3, mostCached/2)
	var seen [lists]bool
	for range lists {
		l.rover = (l.rover + 1) % lists
		seen[l.rover] = true
		if goal -= old[l.rover]; goal <= 0 {
			break
		}
	}
	for a, c := range l.cache {
		if seen[list(a)] && now-c.used >= timeout {
			delete(l.cache, a)
		}
	}
}

// list is the list of the hash table in which an address is.
func list(a netip.Addr) uint32 {
	const golden, bits = 0x61C88647, 10 // the kernel's hash_32
	return flow.Fold(a) * golden >> (32 - bits)
}
