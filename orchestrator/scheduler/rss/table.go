package rss

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// indirection is a table from the hash of a flow to its instance.
type indirection struct {
	table []flow.Instance // by bucket; 0 while there is no instance
	hash  hash
	begun bool // work has been placed
}

func (x *indirection) bucket(t *flow.FiveTuple) int { return int(x.hash.of(t) % uint32(len(x.table))) }

func (x *indirection) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	b := x.bucket(&w.Tuple)
	slot, _ := slices.BinarySearch(v.IDs, x.table[b])
	log.Add(slot, float64(b), true)
	return policy.Answer{Slot: slot}
}

// remain are the instances that take work after an event.
func remain(e *policy.Event, v *policy.View) []flow.Instance {
	if e.Kind == policy.Left {
		return slices.Delete(slices.Clone(v.IDs), e.Slot, e.Slot+1)
	}
	return v.IDs
}

// deal gives bucket i to instance i mod n.
func (x *indirection) deal(ids []flow.Instance) {
	for b := range x.table {
		x.table[b] = 0
		if len(ids) > 0 {
			x.table[b] = ids[b%len(ids)]
		}
	}
}

// level moves as few buckets as it takes for no instance to have two more than another. The buckets of those that have
// left go first, each to the instance with the fewest; then the lowest bucket of the instance with the most does. Of
// instances with equally many, the first is meant.
func (x *indirection) level(ids []flow.Instance) {
	if len(ids) == 0 {
		x.deal(ids)
		return
	}
	have := make([][]int, len(ids))
	var loose []int
	for b, id := range x.table {
		if slot, ok := slices.BinarySearch(ids, id); ok {
			have[slot] = append(have[slot], b)
		} else {
			loose = append(loose, b)
		}
	}
	for {
		most, fewest := 0, 0
		for slot := range have {
			if len(have[slot]) > len(have[most]) {
				most = slot
			}
			if len(have[slot]) < len(have[fewest]) {
				fewest = slot
			}
		}
		from := &loose
		if len(loose) == 0 {
			if len(have[most])-len(have[fewest]) < 2 {
				return
			}
			from = &have[most]
		}
		b := (*from)[0]
		*from = (*from)[1:]
		have[fewest] = append(have[fewest], b)
		x.table[b] = ids[fewest]
	}
}

// follow moves all flows to where the table has them.
func (x *indirection) follow(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	for i := range counted {
		c := &counted[i]
		if slot, ok := slices.BinarySearch(v.IDs, x.table[x.bucket(&c.Work.Tuple)]); ok && slot != c.Slot {
			to = append(to, policy.Move{Flow: c.Work.Flow, Slot: slot})
		}
	}
	return to
}
