package bruteforce

import (
	"math/big"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// The states of a container, by the record's names.
const (
	starting = "starting"
	ready    = "ready"
	stopping = "stopping"
	failed   = "failed"
	gone     = "gone"
)

// instance is a container and its receive ring.
type instance struct {
	id    flow.Instance
	state string
	left  units.Time // when it failed or was gone
	up    bool       // takes packets
	core  float64    // share of one that it may use; 0 for all of it

	ring  []*frame // the first is in service
	since units.Time
	stamp int // of the departure that is scheduled
	spans *spans

	offered, processed, lost, bytes, processedBytes int
	last                                            struct{ offered, processed, lost int }
	busy, could                                     float64 // packets that it could have processed in the window
}

// request is answered after a time by the container engine, which does no work while it is stalled.
func (p *plant) request(after units.Time, answer func()) {
	do := func() { p.at(p.now+after, orders, 0, answer) }
	if p.faults["engine-stall"] > 0 {
		p.stalled = append(p.stalled, do)
		return
	}
	do()
}

func (p *plant) create(core float64, atStart bool) {
	i := &instance{id: flow.Instance(len(p.instances) + 1), state: starting, core: core}
	p.instances = append(p.instances, i)
	if p.faults["engine-failure"] > 0 {
		p.request(p.sc.NIC.EngineLatency, func() { p.fail(i, "the container engine could not create it") })
		return
	}
	after := p.sc.NIC.EngineLatency + p.sc.VNF.StartLatency
	if atStart {
		after = 0
	}
	p.request(after, func() {
		if i.state != starting {
			return
		}
		i.state, i.up, i.since = ready, true, p.now
		p.contend()
		p.tell(orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: i.id})
	})
}

// resize gives an instance another share of a core, unless the engine cannot.
func (p *plant) resize(i *instance, core float64) {
	refused := p.faults["engine-failure"] > 0
	p.request(p.sc.NIC.EngineLatency, func() {
		if i.state == failed || i.state == gone {
			return
		}
		e := orchestrator.Event{Kind: orchestrator.InstanceResized, Instance: i.id, Share: core}
		if refused {
			e.Reason, e.Share = "the container engine could not resize it", i.core
		} else {
			i.core = core
			p.contend()
		}
		p.tell(e)
	})
}

func (p *plant) delete(i *instance) {
	if i.state == ready || i.state == starting {
		i.state = stopping
	}
	p.request(p.sc.NIC.EngineLatency+p.sc.VNF.StopLatency, func() {
		if i.state != failed {
			p.down(i)
		}
		i.state, i.left = gone, p.now
		p.tell(orchestrator.Event{Kind: orchestrator.InstanceGone, Instance: i.id})
	})
}

// fail ends an instance that nobody asked to end.
func (p *plant) fail(i *instance, why string) {
	if i.state == failed || i.state == gone {
		return
	}
	i.state, i.left = failed, p.now
	p.down(i)
	p.tell(orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: i.id, Reason: why})
}

// down loses what the instance holds.
func (p *plant) down(i *instance) {
	i.work(p)
	i.up = false
	i.stamp++
	for _, x := range i.ring {
		i.lost++
		p.count(x.flow, func(c *counts) { c.lostInstance++ })
	}
	i.ring = nil
	p.contend()
}

// holds is how many flows are assigned to it.
func (p *plant) holds(i *instance) (n int) {
	for _, f := range p.flows {
		if f.live && f.target == i.id {
			n++
		}
	}
	return n
}

// contend finds how many instances contend, and changes what each can process.
func (p *plant) contend() {
	n, up := 0, 0
	for _, i := range p.instances {
		if !i.up {
			continue
		}
		up++
		if p.sc.VNF.IdleContend || p.holds(i) > 0 {
			n++
		}
	}
	p.most = max(p.most, up)
	n = max(n, 1)
	reserved := p.capacity(n)
	shares := map[*instance]float64{}
	if p.sc.VNF.Contention.Share == "pooled" {
		shares = p.shares(reserved)
	}
	for _, i := range p.instances {
		if !i.up {
			continue
		}
		i.work(p)
		share, pooled := shares[i]
		if !pooled {
			share = reserved
		}
		if i.core > 0 {
			share = float64(share * i.core)
		}
		mean := newSpans(share).mean
		if i.spans == nil {
			i.spans = &spans{mean: mean, owed: new(big.Rat)}
		}
		if was := i.spans.mean; was.Cmp(mean) != 0 {
			i.spans.mean = mean
			// Each packet has the rest of its own service: of the one in service the share that is left, of the others
			// all, of which the bytes take as long as before; rounded up.
			for k, x := range i.ring {
				bytes := p.sc.VNF.PerByte * units.Time(x.size)
				if k == 0 {
					own := new(big.Rat).SetInt64(int64(bytes))
					x.needs = scaled(x.needs, new(big.Rat).Add(mean, own), new(big.Rat).Add(was, own))
				} else {
					x.needs = scaled(x.needs-bytes, mean, was) + bytes
				}
			}
		}
		p.serveNext(i)
	}
}

// scaled is t·to/from, rounded up.
func scaled(t units.Time, to, from *big.Rat) units.Time {
	r := new(big.Rat).SetInt64(int64(t))
	r.Quo(r.Mul(r, to), from)
	up := new(big.Int).Sub(new(big.Int).Add(r.Num(), r.Denom()), big.NewInt(1))
	return units.Time(up.Div(up, r.Denom()).Int64())
}

// capacity is packets a second of each of n instances.
func (p *plant) capacity(n int) float64 {
	c := &p.sc.VNF.Contention
	switch c.Model {
	case "constant":
		if c.ServiceTime > 0 {
			return float64(units.Second) / float64(c.ServiceTime)
		}
		return float64(c.Rate)
	case "usl":
		m := float64(n)
		return float64(c.Lambda) / (1 + float64(c.Sigma*(m-1)) + float64(float64(c.Kappa*m)*(m-1)))
	}
	// A table, linear between two points and flat beyond them.
	lo, hi := 0, 0
	for k := range c.Points {
		if k <= n && k > lo {
			lo = k
		}
		if k >= n && (hi == 0 || k < hi) {
			hi = k
		}
	}
	switch {
	case lo == 0 || lo == hi:
		return float64(c.Points[hi])
	case hi == 0:
		return float64(c.Points[lo])
	}
	a, b := float64(c.Points[lo]), float64(c.Points[hi])
	return a + float64(float64(n-lo)/float64(hi-lo)*(b-a))
}

// work brings the packet in service to now.
func (i *instance) work(p *plant) {
	if len(i.ring) > 0 {
		i.ring[0].needs -= p.now - i.since
		i.busy += float64(p.now - i.since)
	}
	if i.up {
		i.could += float64(p.now - i.since)
	}
	i.since = p.now
}

// serveNext schedules the departure of the packet in service.
func (p *plant) serveNext(i *instance) {
	i.stamp++
	if len(i.ring) == 0 {
		return
	}
	if x := i.ring[0]; !x.begun {
		x.begun, x.served = true, p.now
	}
	stamp := i.stamp
	p.at(p.now+i.ring[0].needs, departures, 0, func() {
		if stamp != i.stamp {
			return
		}
		i.work(p)
		x := i.ring[0]
		i.ring = i.ring[1:]
		i.processed++
		i.processedBytes += x.size
		p.count(x.flow, func(c *counts) { c.processed++; c.processedBytes += x.size })
		p.measure(i, x)
		p.serveNext(i)
	})
}

// arrive is a packet at a receive ring.
func (p *plant) arrive(x *frame, to flow.Instance) {
	i := p.instances[to-1]
	p.sum.ingress++
	i.offered++
	i.bytes += x.size
	if !i.up || len(i.ring) >= p.sc.VNF.Buffer {
		i.lost++
		p.count(x.flow, func(c *counts) { c.lostInstance++ })
		return
	}
	i.work(p)
	x.arrived = p.now
	x.needs = i.spans.next(1) + p.sc.VNF.PerByte*units.Time(x.size)
	i.ring = append(i.ring, x)
	if len(i.ring) == 1 {
		p.serveNext(i)
	}
}
