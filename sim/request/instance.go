package request

import (
	"math/bits"

	"github.com/smartinco/smartinco/sim/packet"
)

// instance is a server with its queue.
type instance struct {
	n       int32 // jobs in system
	serving int32 // job; -1 if idle
	station int32
	room    int32 // most jobs
	urgent  uint64
	queues  []list // by priority; one with vnf.queue: fifo. Bit p of urgent says that queue p holds any

	last  int64       // when n changed last
	area  packet.Wide // integral of n
	stays packet.Wide // times of those that have gone

	offered, done, dropped int64 // in this window
	busy                   int64 // time in this window, of services that have ended
	came                   int64 // accepted, in all

	lately []int64 // for probes: see latency
}

// latency is what an instance answers to a probe about its delay: the moving average of the sojourns of requests that
// found as many others there as it has now or, of those numbers with any, the nearest, the lower of two. A new sojourn
// has a weight of 1/8. It is 0 while there is none.
func latency(lately []int64, n int32) int64 {
	at := int(min(n, occupancies-1))
	for d := range occupancies {
		if k := at - d; k >= 0 && lately[k] > 0 {
			return lately[k]
		}
		if k := at + d; k < occupancies && lately[k] > 0 {
			return lately[k]
		}
	}
	return 0
}

// observe takes the sojourn of a request that found n others.
func observe(lately []int64, n int32, stay int64) {
	x := &lately[min(n, occupancies-1)]
	if *x == 0 {
		*x = stay
	}
	*x += (stay - *x) / 8
}

// changing says that the number of jobs at an instance is about to change.
func (e *Engine) changing(in *instance) {
	span := uint64(e.now - in.last)
	in.last = e.now
	e.occupied[min(in.n, occupancies-1)] += span
	in.area.AddProduct(uint64(in.n), span)
}

// reach has a request reach its instance.
func (e *Engine) reach(i int32, j *job) {
	in := &e.instances[j.instance]
	in.offered++
	if !e.serves(int(j.instance)) {
		e.vanish(i, j)
		e.retry(&e.stations[in.station])
		return
	}
	if in.n >= in.room {
		in.dropped++
		e.lost(i, j, byInstance)
		j.left, j.ended = in.n, e.now
		e.reply(i, j)
		return
	}
	e.changing(in)
	j.left = in.n
	in.n++
	in.came++
	if in.serving < 0 {
		in.serving = i
		e.begin(int(j.instance), j)
		return
	}
	p := 0
	if len(in.queues) > 1 {
		p = int(j.priority)
		in.urgent |= 1 << p
	}
	in.queues[p].push(e.jobs, i)
}

// begin begins the service of a job at an instance.
func (e *Engine) begin(k int, j *job) {
	j.ended = e.now + j.service
	e.services.set(k, j.ended)
}

// finish ends the service of an instance.
func (e *Engine) finish(k int) {
	in := &e.instances[k]
	i := in.serving
	j := &e.jobs[i]
	e.changing(in)
	in.n--
	in.done++
	in.busy += min(j.service, e.now-e.began)
	stay := e.now - j.at
	in.stays.Add(uint64(stay))
	if in.lately != nil {
		observe(in.lately, j.left, stay)
	}
	j.left = in.n
	if e.fleet != nil && e.fleet.delays {
		e.fleet.boxes[k].reported.Add(stay)
	}
	if e.spans != nil {
		e.spans[k][wait].Add(stay - j.service)
		e.spans[k][sojourn].Add(stay)
	}
	q := &in.queues[0]
	if len(in.queues) > 1 {
		p := max(bits.Len64(in.urgent)-1, 0)
		if q = &in.queues[p]; q.head < 0 || e.jobs[q.head].next < 0 {
			in.urgent &^= 1 << p
		}
	}
	in.serving = q.head
	next := &e.jobs[max(q.head, noJob)]
	q.head = next.next
	e.begin(k, next)
	e.reply(i, j)
}
