package fluid

import (
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// global is what all flows share: the link and the eSwitch. Together they pass the fraction phi of every flow.
type global struct {
	nic  *scenarios.NIC
	at   units.Time
	down bool

	rate, bits   float64 // sent by all flows: packets and link bits a second
	flows        int     // that send
	dropping     float64 // packets a second of the flows whose rule drops them
	droppers     int     // these flows
	phiLink, phi float64 // passed by the link; by link and eSwitch
	lostLink     float64 // integrals over time: 1 - phiLink, phiLink - phi, phi
	lostESwitch  float64
	pass         float64
	offered      float64 // packets so far, by fate
	lostLinkSum  float64
	lostESwSum   float64
	rejected     float64
	reordered    float64
	orphans      float64 // lost with an instance; not known of which flows
	orphanBytes  float64
}

func (g *global) init(nic *scenarios.NIC) {
	g.nic = nic
	g.phiLink, g.phi = 1, 1
}

// change replaces one flow's rate and frame size by others.
func (g *global) change(rate, size, newRate, newSize float64) {
	overhead := float64(g.nic.FrameOverhead)
	if rate > 0 {
		g.flows--
		g.rate -= rate
		g.bits -= float64(rate * (size + overhead) * 8)
	}
	if g.flows == 0 {
		g.rate, g.bits = 0, 0
	}
	if newRate > 0 {
		g.flows++
		g.rate += newRate
		g.bits += float64(newRate * (newSize + overhead) * 8)
	}
}

// fractions are what link and eSwitch pass of the traffic offered now.
func (g *global) fractions() (link, both float64) {
	return sim.Passed(g.nic, g.rate, g.bits, g.down)
}

// advance brings the integrals to now.
func (g *global) advance(now units.Time) {
	dt := (now - g.at).Seconds()
	g.at = now
	g.lostLink += float64((1 - g.phiLink) * dt)
	g.lostESwitch += float64((g.phiLink - g.phi) * dt)
	g.pass += float64(g.phi * dt)
	sent := float64(g.rate * dt)
	g.offered += sent
	g.lostLinkSum += float64(sent * (1 - g.phiLink))
	g.lostESwSum += float64(sent * (g.phiLink - g.phi))
	g.rejected += float64(g.dropping * g.phi * dt)
}

// sync brings the global integrals and the slow path to now. An instance is advanced when it is touched.
func (e *Engine) sync(now units.Time) {
	if now > e.g.at {
		e.slow.advance(&e.g, (now - e.g.at).Seconds())
		e.g.advance(now)
	}
}

// refreshPhi puts into force what link and eSwitch pass now. A change affects every instance with rules.
func (e *Engine) refreshPhi(now units.Time) {
	link, phi := e.g.fractions()
	if link == e.g.phiLink && phi == e.g.phi {
		return
	}
	for i := range e.instances {
		if e.instances[i].fastFlows > 0 {
			e.advanceOne(now, &e.instances[i])
		}
	}
	e.g.phiLink, e.g.phi = link, phi
	e.refreshSlow(now)
	for i := range e.instances {
		if e.instances[i].fastFlows > 0 {
			e.refreshOne(now, i)
		}
	}
}
