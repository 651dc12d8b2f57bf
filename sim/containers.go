package sim

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

type container struct {
	state string     // one of results.States, never StateDraining: only the orchestrator knows that
	left  units.Time // when it failed or was gone
	share float64    // of a core; 0 for all of it
	asked []resizing // in the order in which they are answered
}

// resizing is a request for another share.
type resizing struct {
	share   float64
	refused bool
}

// forwarding says whether the instance has counters in the switch.
func (c *container) forwarding() bool {
	return c.state == results.StateReady || c.state == results.StateStopping
}

// containers is the container engine and what it runs. Instance i is list[i-1].
type containers struct {
	list []container
	held []Event // requests that wait for a stalled engine
}

// create starts a container. Those of the start of the run are ready at once, since the experiments begin with them
// running.
func (c *containers) create(p *plant, i flow.Instance, share float64, atStart bool) {
	for len(c.list) < int(i) {
		c.list = append(c.list, container{state: results.StateStarting})
	}
	if c.list[i-1].share = share; share > 0 {
		p.data.Share(p.now, i, share)
	}
	at := p.now
	if !atStart {
		at += p.starts()
	}
	kind := evCreated
	if p.faults.engineFails() {
		kind, at = evFailed, p.now+p.sc.NIC.EngineLatency
	}
	c.request(p, Event{At: at, Kind: kind, A: int32(i)})
}

// starts is how long a container takes to be ready.
func (p *plant) starts() units.Time { return p.sc.NIC.EngineLatency + p.sc.VNF.StartLatency }

func (c *containers) delete(p *plant, i flow.Instance) {
	if s := &c.list[i-1]; s.state == results.StateReady || s.state == results.StateStarting {
		s.state = results.StateStopping
	}
	c.request(p, Event{At: p.now + p.sc.NIC.EngineLatency + p.sc.VNF.StopLatency, Kind: evDeleted, A: int32(i)})
}

// resize changes the share of a core that a container may use. It takes the engine its latency.
func (c *containers) resize(p *plant, i flow.Instance, share float64) {
	s := &c.list[i-1]
	s.asked = append(s.asked, resizing{share, p.faults.engineFails()})
	c.request(p, Event{At: p.now + p.sc.NIC.EngineLatency, Kind: evResized, A: int32(i)})
}

// request queues an answer of the engine. A stalled engine begins to work on it when the stall is over.
func (c *containers) request(p *plant, e Event) {
	if p.faults.engineStalled() {
		e.At -= p.now
		c.held = append(c.held, e)
		return
	}
	p.push(ClassPlant, e)
}

// resume lets the engine work on what it held.
func (c *containers) resume(p *plant) {
	for _, e := range c.held {
		e.At += p.now
		p.push(ClassPlant, e)
	}
	c.held = c.held[:0]
}

func (c *containers) fire(p *plant, e Event) {
	i := flow.Instance(e.A)
	s := &c.list[i-1]
	switch e.Kind {
	case evCreated:
		if s.state != results.StateStarting {
			return
		}
		s.state = results.StateReady
		p.data.Up(p.now, i)
		p.begin(orchestrator.InstanceReady).Instance = i
		p.deliver()
	case evFailed:
		c.fail(p, i, "the container engine could not create it")
	case evResized:
		r := s.asked[0]
		s.asked = s.asked[1:]
		if s.state == results.StateFailed || s.state == results.StateGone {
			return
		}
		answer := p.begin(orchestrator.InstanceResized)
		if r.refused {
			answer.Reason = "the container engine could not resize it"
		} else {
			s.share = r.share
			p.data.Share(p.now, i, r.share)
		}
		answer.Instance, answer.Share = i, s.share
		p.deliver()
	case evDeleted:
		was := s.state
		s.state, s.left = results.StateGone, p.now
		if was != results.StateFailed {
			p.data.Down(p.now, i)
		}
		p.begin(orchestrator.InstanceGone).Instance = i
		p.deliver()
	}
}

// fail ends an instance that nobody asked to end.
func (c *containers) fail(p *plant, i flow.Instance, reason string) {
	if int(i) > len(c.list) {
		return
	}
	s := &c.list[i-1]
	if s.state == results.StateFailed || s.state == results.StateGone {
		return
	}
	s.state, s.left = results.StateFailed, p.now
	p.data.Down(p.now, i)
	e := p.begin(orchestrator.InstanceFailed)
	e.Instance, e.Reason = i, reason
	p.deliver()
}
