package request

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
)

// faultKind is a fault that lasts for a while. The death of an instance is none of these: it happens once.
type faultKind uint8

const (
	engineStall faultKind = iota
	engineFailure
	countersStall
	faultKinds
)

var faultsByName = map[string]faultKind{
	"engine-stall": engineStall, "engine-failure": engineFailure, "counters-stall": countersStall,
}

// expect queues the faults of the scenario.
func (f *fleet) expect(e *Engine) {
	for i, x := range e.sc.Faults {
		f.push(e, sim.ClassFault, sim.Event{At: x.At, Kind: evFaultBegins, A: int32(i)})
		if x.For > 0 {
			f.push(e, sim.ClassFault, sim.Event{At: x.At + x.For, Kind: evFaultEnds, A: int32(i)})
		}
	}
}

// fault begins or ends a fault. Several of a kind may be in force at once.
func (f *fleet) fault(e *Engine, x *sim.Event) {
	fault := &e.sc.Faults[x.A]
	if fault.Kind == "instance-death" {
		if x.Kind == evFaultBegins {
			f.fail(e, flow.Instance(fault.Instance), "it died")
		}
		return
	}
	kind := faultsByName[fault.Kind]
	if x.Kind == evFaultEnds {
		if f.faults[kind]--; f.faults[kind] == 0 && kind == engineStall {
			f.resume(e)
		}
		return
	}
	if kind == countersStall && f.faults[kind] == 0 {
		f.frozen = f.counters()
	}
	f.faults[kind]++
}

// resume lets the container engine work on what it was asked for during a stall.
func (f *fleet) resume(e *Engine) {
	for _, x := range f.held {
		x.At += e.time()
		f.push(e, sim.ClassPlant, x)
	}
	f.held = f.held[:0]
}

// bury loses the requests that an instance has, which has failed: first that in service, then the others, the least
// urgent first.
func (e *Engine) bury(k int) {
	in := &e.instances[k]
	var lost []int32
	if in.serving >= 0 {
		j := &e.jobs[in.serving]
		in.busy += e.now - max(j.ended-j.service, e.began)
		lost = append(lost, in.serving)
	}
	for p := range in.queues {
		for i := in.queues[p].head; i >= 0; i = e.jobs[i].next {
			lost = append(lost, i)
		}
		in.queues[p] = empty
	}
	e.services.set(k, never)
	in.serving, in.n, in.urgent = -1, 0, 0
	for _, i := range lost {
		in.stays.Add(uint64(e.now - e.jobs[i].at))
		e.vanish(i, &e.jobs[i])
	}
}

// vanish loses a request at its instance, which has failed: nobody replies. Its client is told nevertheless.
func (e *Engine) vanish(i int32, j *job) {
	st := &e.stations[0]
	e.instances[j.instance].dropped++
	w := e.workOf(j, st.owned, st.tupled)
	w.At, w.Held = st.local(j.instance), false
	st.host.Ended(e.time(), w, 0)
	e.lose(i, j, st, byInstance)
}
