package hw

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// The writer never waits, rule events arrive in order and without loss, packet-ins are dropped beyond the limit.
func TestQueueKeepsRuleEventsAndDropsPacketIns(t *testing.T) {
	const limit, n = 10, 5000
	q := NewQueue(limit)
	for i := range n {
		q.Put(Event{Kind: Confirmed, Flow: flow.ID(i)})
		q.Put(Event{Kind: PacketIn, Flow: flow.ID(i)})
	}
	next, packets := 0, 0
	for next < n {
		switch e := <-q.Events(); e.Kind {
		case Confirmed:
			if e.Flow != flow.ID(next) {
				t.Fatalf("event %d, want %d", e.Flow, next)
			}
			next++
		case PacketIn:
			packets++
		}
	}
	q.Close()
	for range q.Events() {
		packets++
	}
	if d := q.Dropped(); packets+int(d) > n || d < n-4*limit || packets < limit/2 {
		t.Errorf("%d packet-ins arrived, %d were dropped, of %d with room for about %d", packets, d, n, limit)
	}
}

func TestQueueCloses(t *testing.T) {
	q := NewQueue(1)
	for range 100 {
		q.Put(Event{Kind: Confirmed})
	}
	q.Close()
	q.Close()
	q.Put(Event{})
	for range q.Events() { // ends, or the test hangs
	}
}
