package hw

import "sync"

// Queue carries events from a driver to the reader of its Events. The driver must never wait for that reader: the
// reader may itself wait for the switch, and the switch for the driver to take its messages. So a Queue takes every
// event at once. When too many packet-ins wait it drops further ones, as the slow path of any switch does.
type Queue struct {
	out     chan Event
	limit   int
	mu      sync.Mutex
	waiting []Event // in order, what found no room in out; while there is any, a goroutine moves it there
	moving  bool
	packets int // packet-ins in waiting
	dropped uint64
	done    chan struct{}
	closed  bool
}

// NewQueue makes a queue that holds at least packetIns packet-ins (at least 1).
func NewQueue(packetIns int) *Queue {
	packetIns = max(packetIns, 1)
	return &Queue{out: make(chan Event, packetIns), limit: packetIns, done: make(chan struct{})}
}

// Events is the reader's end.
func (q *Queue) Events() <-chan Event { return q.out }

// Put appends an event and returns at once.
func (q *Queue) Put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if !q.moving {
		select {
		case q.out <- e:
			return
		default:
		}
	}
	if e.Kind == PacketIn {
		if q.packets >= q.limit {
			q.dropped++
			return
		}
		q.packets++
	}
	q.waiting = append(q.waiting, e)
	if !q.moving {
		q.moving = true
		go q.move()
	}
}

func (q *Queue) move() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 || q.closed {
			q.moving = false
			if q.closed {
				close(q.out)
			}
			q.mu.Unlock()
			return
		}
		batch := q.waiting
		q.waiting, q.packets = nil, 0
		q.mu.Unlock()
		for _, e := range batch {
			select {
			case q.out <- e:
			case <-q.done:
			}
		}
	}
}

// Dropped is how many packet-ins were dropped so far.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Close drops what waits and closes Events.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	close(q.done)
	if !q.moving {
		close(q.out)
	}
}
