package sim

import "github.com/smartinco/smartinco/units"

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
	At   units.Time
	Kind uint8 // below 128
	Data bool  // the data plane's own
	Gen  uint32
	A    int32
}

// Queue holds events in order of time, class and insertion: a four-ary heap, in blocks, so that one that grows is never
// copied.
type Queue struct {
	blocks []*[queueBlock]entry
	n      int
	seq    uint64
}

const queueBlock = 1 << 8

func (q *Queue) at(i int) *entry { return &q.blocks[uint(i)/queueBlock][uint(i)%queueBlock] }

// entry is an Event. Its order is the class, the number of the event and, in the lowest byte, Kind and Data.
type entry struct {
	at    units.Time
	order uint64
	gen   uint32
	a     int32
}

const (
	classShift  = 56
	numberShift = 8
	dataBit     = 1 << 7
)

func less(a, b *entry) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

func (e *entry) event() Event {
	return Event{At: e.at, Kind: uint8(e.order) &^ dataBit, Data: e.order&dataBit != 0, Gen: e.gen, A: e.a}
}

// Push adds an event.
func (q *Queue) Push(c Class, x Event) {
	e := entry{at: x.At, order: uint64(c)<<classShift | q.seq<<numberShift | uint64(x.Kind), gen: x.Gen, a: x.A}
	if x.Data {
		e.order |= dataBit
	}
	q.seq++
	i := q.n
	if q.n++; q.n > len(q.blocks)*queueBlock {
		q.blocks = append(q.blocks, new([queueBlock]entry))
	}
	for i > 0 {
		p := (i - 1) / 4
		up := q.at(p)
		if !less(&e, up) {
			break
		}
		*q.at(i) = *up
		i = p
	}
	*q.at(i) = e
}

// At is when the first event comes; Never if there is none.
func (q *Queue) At() units.Time {
	if q.n == 0 {
		return units.Never
	}
	return q.at(0).at
}

// due says whether the first event comes before t, or is the end of a window at t.
func (q *Queue) due(t units.Time) bool {
	if q.n == 0 {
		return false
	}
	first := q.at(0)
	return first.at < t || first.at == t && first.order>>classShift == uint64(ClassWindow)
}

// Pop removes and returns the first event; ok is false when there is none.
func (q *Queue) Pop() (first Event, ok bool) {
	if q.n == 0 {
		return Event{}, false
	}
	first = q.at(0).event()
	q.n--
	last, i := *q.at(q.n), 0
	for {
		child := 4*i + 1
		if child >= q.n {
			break
		}
		least := q.at(child)
		for c, end := child+1, min(child+4, q.n); c < end; c++ {
			if x := q.at(c); less(x, least) {
				child, least = c, x
			}
		}
		if !less(least, &last) {
			break
		}
		*q.at(i) = *least
		i = child
	}
	*q.at(i) = last
	return first, true
}
