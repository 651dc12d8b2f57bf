package request

import "github.com/smartinco/smartinco/units"

// probe is a question to an instance, or its answer.
type probe struct {
	at       int64
	instance int32
	queue    int32
	delay    float64
}

// probes are probes in order.
type probes struct {
	all   []probe
	first int
}

func (p *probes) empty() bool  { return p.first == len(p.all) }
func (p *probes) head() *probe { return &p.all[p.first] }

// next is when the first is due.
func (p *probes) next() int64 {
	if p.empty() {
		return never
	}
	return p.head().at
}

func (p *probes) push(x probe) {
	if p.first > 0 && len(p.all) == cap(p.all) && p.first >= len(p.all)/2 {
		p.all, p.first = p.all[:copy(p.all, p.all[p.first:])], 0
	}
	p.all = append(p.all, x)
}

func (p *probes) pop() probe {
	p.first++
	return p.all[p.first-1]
}

// ask sends a probe to an instance.
func (e *Engine) ask(k int32) {
	way := e.wayTo(k)
	delay := e.latency + e.ways[way]
	if delay == 0 {
		p := e.look(k)
		e.hear(&p)
		return
	}
	e.await(evProbe, min(e.due[evProbe], e.now+delay))
	e.asked[way].push(probe{at: e.now + delay, instance: k})
}

// look is what an instance answers to a probe.
func (e *Engine) look(k int32) probe {
	in := &e.instances[k]
	return probe{instance: k, queue: in.n, delay: units.Time(latency(in.lately, in.n)).Seconds()}
}

// probed has the next probe reach its instance.
func (e *Engine) probed() {
	way := first(e.asked, e.now)
	p := e.look(e.asked[way].pop().instance)
	e.await(evProbe, soonest(e.asked))
	if !e.serves(int(p.instance)) {
		return
	}
	link := e.ways[way]
	if p.at = e.now + link; link == 0 {
		e.heard(&p)
		return
	}
	e.await(evAnswer, min(e.due[evAnswer], p.at))
	e.answers[way].push(p)
}

// answered has the next answer to a probe reach the NIC.
func (e *Engine) answered() {
	p := e.answers[first(e.answers, e.now)].pop()
	e.await(evAnswer, soonest(e.answers))
	e.heard(&p)
}

// heard is hear, and tries what is held.
func (e *Engine) heard(p *probe) {
	e.hear(p)
	e.retry(&e.stations[e.instances[p.instance].station])
}

func (e *Engine) hear(p *probe) {
	e.tally.answers++
	st := &e.stations[e.instances[p.instance].station]
	st.host.Probed(e.time(), st.local(uint16(p.instance)), p.queue, p.delay)
}
