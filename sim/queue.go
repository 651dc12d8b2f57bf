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
// copied. What is taken often brings about what is added next, so its place at the top is filled with that.
type Queue struct {
	blocks []*[queueBlock]entry
	n      int
	seq    uint64
	taken  bool // the entry at the top has been taken, and is still there
}

const queueBlock = 1 << 8

// top is the place of the first entry. Those below place i are at 4i-8 to 4i-5, and so in one block.
const top = 3

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
	if q.taken {
		q.sink(&e)
		return
	}
	i := q.n + top
	if q.n++; i == len(q.blocks)*queueBlock || q.blocks == nil {
		q.blocks = append(q.blocks, new([queueBlock]entry))
	}
	for i > top {
		p := i/4 + 2
		up := q.at(p)
		if !less(&e, up) {
			break
		}
		*q.at(i) = *up
		i = p
	}
	*q.at(i) = e
}

// sink puts an entry in place of the one that was taken.
func (q *Queue) sink(e *entry) {
	q.taken = false
	at := q.at(top)
	for i := 4*top - 8; i < q.n+top; {
		child := i
		below := q.blocks[uint(i)/queueBlock][uint(i)%queueBlock:][:min(4, q.n+top-i)]
		least := &below[0]
		for k := 1; k < len(below); k++ {
			if x := &below[k]; less(x, least) {
				least, child = x, i+k
			}
		}
		if !less(least, e) {
			break
		}
		*at = *least
		at, i = least, 4*child-8
	}
	*at = *e
}

// settle puts the last entry in place of one that was taken.
func (q *Queue) settle() {
	if q.taken {
		q.n--
		last := *q.at(q.n + top)
		q.sink(&last)
	}
}

// At is when the first event comes; Never if there is none.
func (q *Queue) At() units.Time {
	q.settle()
	if q.n == 0 {
		return units.Never
	}
	return q.at(top).at
}

// due says whether the first event comes before t, or is the end of a window at t.
func (q *Queue) due(t units.Time) bool {
	q.settle()
	if q.n == 0 {
		return false
	}
	first := q.at(top)
	return first.at < t || first.at == t && first.order>>classShift == uint64(ClassWindow)
}

// Pop removes and returns the first event; ok is false when there is none.
func (q *Queue) Pop() (first Event, ok bool) {
	q.settle()
	if q.n == 0 {
		return Event{}, false
	}
	q.taken = true
	return q.at(top).event(), true
}
