package sim

import (
	"slices"

	"github.com/smartinco/smartinco/units"
)

// Class orders events of the same instant. What was true until an instant is recorded before anything happens in it.
// Traffic changes before the plant acts, the plant acts before telemetry, telemetry comes before the autoscaler, and
// both come before the flows that use what they say.
type Class uint8

// The classes, in their order.
const (
	ClassWindow     Class = iota // a window of the record ends
	ClassFault                   // a fault begins or ends
	ClassTraffic                 // a flow starts, changes its rate or ends; a queue fills or empties
	ClassPlant                   // a rule takes effect, an instance starts or leaves
	ClassEnd                     // the end of a flow is reported
	ClassCounters                // counters arrive
	ClassTelemetry               // the telemetry timer
	ClassAutoscaler              // the autoscaler's timer
	ClassPacketIn                // a first packet reaches the scheduler
)

// Event is an entry of the event queue. Its owner decides what Kind, A and Gen mean.
type Event struct {
	At    units.Time
	order uint64
	Kind  uint8
	Data  bool // the data plane's own
	Gen   uint32
	A     int32
}

// Queue holds events in order of time, class and insertion: a four-ary heap.
type Queue struct {
	heap []Event
	seq  uint64
}

func less(a, b *Event) bool { return a.At < b.At || a.At == b.At && a.order < b.order }

// Push adds an event.
func (q *Queue) Push(c Class, e Event) {
	e.order = uint64(c)<<56 | q.seq
	q.seq++
	if len(q.heap) == cap(q.heap) {
		q.heap = slices.Grow(q.heap, max(64, len(q.heap))) // by doubling: append would leave three times as much behind
	}
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !less(&e, &q.heap[p]) {
			break
		}
		q.heap[i] = q.heap[p]
		i = p
	}
	q.heap[i] = e
}

// Pop removes and returns the first event; ok is false when there is none.
func (q *Queue) Pop() (first Event, ok bool) {
	n := len(q.heap)
	if n == 0 {
		return Event{}, false
	}
	first = q.heap[0]
	last := q.heap[n-1]
	q.heap = q.heap[:n-1]
	if n--; n == 0 {
		return first, true
	}
	i := 0
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		for c, end := child+1, min(child+4, n); c < end; c++ {
			if less(&q.heap[c], &q.heap[child]) {
				child = c
			}
		}
		if !less(&q.heap[child], &last) {
			break
		}
		q.heap[i] = q.heap[child]
		i = child
	}
	q.heap[i] = last
	return first, true
}
