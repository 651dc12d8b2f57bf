package fluid

import (
	"container/heap"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// growths finds when flows have sent enough for a rule (scheduler.offload.after), packet n of a flow being served when
// n-1 packets of it have left the slow path and one more has had its service. All flows leave in proportion to their
// rates, as slowPath.sum grows. So a flow's time is a value of that sum, which changes with the flow's own rate alone,
// and only the lowest value of all needs an event.
type growths struct {
	after float64 // packets; 0 for off
	heap  growthHeap
	gen   uint32
	at    units.Time // of the event
}

// enough is a small part of a packet: where flows pause between two packets, the second is meant.
const enough = 1e-3

// growth is when a flow has sent enough. It is void if the flow's output has another value.
type growth struct {
	sum float64
	f   flow.ID
}

type growthHeap []growth

func (h growthHeap) Len() int      { return len(h) }
func (h growthHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h growthHeap) Less(i, j int) bool {
	return h[i].sum < h[j].sum || h[i].sum == h[j].sum && h[i].f < h[j].f
}
func (h *growthHeap) Push(x any) { *h = append(*h, x.(growth)) }
func (h *growthHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// expectGrowth notes when the flow, whose output is settled and has a new rate, will have sent enough.
func (e *Engine) expectGrowth(now units.Time, s *flowState) {
	p := &e.slow
	if p.growths.after == 0 || s.grown {
		return
	}
	o := &p.out[s.out]
	if o.enough = math.NaN(); o.parts > 0 && o.rate > 0 {
		o.enough = p.sum + max(0, p.growths.after-s.delivered)/o.rate
		heap.Push(&p.growths.heap, growth{o.enough, o.f})
	}
	e.scheduleGrowth(now)
}

// next is the growth that comes first.
func (e *Engine) nextGrowth() (growth, bool) {
	h := &e.slow.growths.heap
	for len(*h) > 0 {
		first := (*h)[0]
		if s := &e.flows[first.f]; !s.grown && s.out >= 0 && e.slow.out[s.out].enough == first.sum {
			return first, true
		}
		heap.Pop(h)
	}
	return growth{}, false
}

// scheduleGrowth schedules the first growth at the speed in force.
func (e *Engine) scheduleGrowth(now units.Time) {
	p := &e.slow
	if p.growths.after == 0 {
		return
	}
	first, ok := e.nextGrowth()
	at := units.Never
	if ok && p.g > 0 {
		if wait := (first.sum - p.sum) / p.g * float64(units.Second); wait < float64(units.Never-now) {
			at = now + units.Time(math.Ceil(max(wait, 0)))
		}
	}
	if at == p.growths.at && at > now {
		return
	}
	p.growths.gen++
	if p.growths.at = at; at < units.Never {
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: at, Kind: evEnough, Gen: p.growths.gen})
	}
}

// grow notes the flows that have sent enough by now.
func (e *Engine) grow(now units.Time) {
	p := &e.slow
	for {
		first, ok := e.nextGrowth()
		if !ok || float64((first.sum-p.sum)*float64(units.Second)) > p.g { // more than a picosecond
			break
		}
		e.flows[first.f].grown = true
		at := now
		if p.service > 0 {
			at += units.FromSeconds(1 / p.service)
		}
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: at, Kind: evGrown, A: int32(first.f)})
	}
	p.growths.at = now // so that the next one is scheduled
	e.scheduleGrowth(now)
}
