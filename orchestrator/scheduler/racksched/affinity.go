package racksched

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// tables are three hash tables of sessions, one entry a slot. A session may have its entry in any of them, at the slot
// of its hash there.
type tables [3][]entry

// entry is a session with requests under way.
type entry struct {
	session  uint64 // 0: free
	at       flow.Instance
	underWay int32 // requests that were placed by this entry or made it, and have not ended
}

func newTables(slots int) (t tables) {
	for i := range t {
		t[i] = make([]entry, slots)
	}
	return t
}

// mix is the hash of a session, another for each seed.
func mix(session, seed uint64) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], session)
	binary.LittleEndian.PutUint64(b[8:], seed)
	return xxhash.Sum64(b[:])
}

// slot is where the session's entry would be in table i.
func (t *tables) slot(i int, session uint64) *entry {
	return &t[i][mix(session, uint64(i)+1)%uint64(len(t[i]))]
}

// find is where the session's requests are, or 0. An entry whose instance takes no work is taken for free. full says
// that the session has no entry, and that others have all of its slots.
func (t *tables) find(session uint64, v *policy.View) (at flow.Instance, full bool) {
	full = true
	for i := range t {
		e := t.slot(i, session)
		if e.session == session {
			if _, ok := v.Row(e.at); ok {
				return e.at, false
			}
			e.session = 0
		}
		full = full && e.session != 0
	}
	return 0, full
}

// placed notes a request of a session. It reports whether that made an entry.
func (t *tables) placed(session uint64, at flow.Instance) (made bool) {
	var free *entry
	for i := range t {
		e := t.slot(i, session)
		if e.session == session {
			if e.at == at {
				e.underWay++
			}
			return false
		}
		if e.session == 0 && free == nil {
			free = e
		}
	}
	if free != nil {
		*free = entry{session, at, 1}
	}
	return free != nil
}

// ended notes the end of a request of a session, which leaves with its last one.
func (t *tables) ended(session uint64, at flow.Instance) {
	for i := range t {
		if e := t.slot(i, session); e.session == session && e.at == at {
			if e.underWay--; e.underWay == 0 {
				e.session = 0
			}
			return
		}
	}
}

// addAll logs the rows that were drawn, each once and in order.
func addAll(drawn []int, queues []int32, log *policy.Weighed) {
	slices.Sort(drawn)
	for _, slot := range slices.Compact(drawn) {
		log.Add(slot, float64(queues[slot]), true)
	}
}
