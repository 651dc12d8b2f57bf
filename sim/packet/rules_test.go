package packet

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// A moved flow's first packet at its new instance leaves after what came there before it. Of the packets of its
// instant, these are those of flows with lower numbers, as far as the ring has room. It overtakes what leaves the old
// instance later: the flow has packets there that leave at 105, 115, 125, 135 and 145.
func TestWhatAMovedFlowsFirstPacketOvertakes(t *testing.T) {
	const moved, now = 2, 100
	for _, c := range []struct {
		name    string
		dues    map[flow.ID]int64 // next packets to the new instance
		room    int
		perByte int64
		want    uint64
	}{
		{"nothing else comes: it leaves at 110", nil, 8, 0, 4},
		{"one of a lower flow: at 120", map[flow.ID]int64{0: now}, 8, 0, 3},
		{"two: at 130", map[flow.ID]int64{0: now, 1: now}, 8, 0, 2},
		{"two with room for one: at 120", map[flow.ID]int64{0: now, 1: now}, 1, 0, 3},
		{"one of 1 B, and it has 6, at 2 ps each: at 134", map[flow.ID]int64{0: now}, 8, 2, 2},
		{"one of a higher flow: at 110", map[flow.ID]int64{3: now}, 8, 0, 4},
		{"one of a lower flow, but later: at 110", map[flow.ID]int64{0: now + 1}, 8, 0, 4},
	} {
		e := &Engine{instances: make([]instance, 3)}
		e.flows, e.paces = make([]flowState, 4), make([]pace, 4)
		one, other := &e.instances[1], &e.instances[2]
		one.up, other.up = true, true
		one.server = newServer(8, clock{base: 10}, 0, nil, nil)
		for range 5 {
			one.take(parcel{95, 95, moved, 6})
		}
		other.server = newServer(c.room, clock{base: 10}, c.perByte, nil, nil)
		for f, due := range c.dues {
			e.paces[f] = pace{next: due, stop: int64(units.Never), bytes: 1}
			other.list.ids = append(other.list.ids, f)
		}
		if got := e.overtaken(parcel{now, now, moved, 6}, 1, 2); got != c.want {
			t.Errorf("%s: it overtakes %d packets, want %d", c.name, got, c.want)
		}
	}
}
