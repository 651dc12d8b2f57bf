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

func (p *probes) pop() { p.first++ }

// ask sends a probe to an instance.
func (e *Engine) ask(k int32) {
	if e.latency+e.link == 0 {
		p := e.look(k)
		e.hear(&p)
		return
	}
	if e.asked.empty() {
		e.await(evProbe, e.now+e.latency+e.link)
	}
	e.asked.push(probe{at: e.now + e.latency + e.link, instance: k})
}

// look is what an instance answers to a probe.
func (e *Engine) look(k int32) probe {
	in := &e.instances[k]
	return probe{instance: k, queue: in.n, delay: units.Time(latency(in.lately, in.n)).Seconds()}
}

// probed has the next probe reach its instance.
func (e *Engine) probed() {
	p := e.look(e.asked.head().instance)
	e.asked.pop()
	e.await(evProbe, e.asked.next())
	if !e.serves(int(p.instance)) {
		return
	}
	p.at = e.now + e.link
	if e.link == 0 {
		e.heard(&p)
		return
	}
	if e.answers.empty() {
		e.await(evAnswer, p.at)
	}
	e.answers.push(p)
}

// answered has the next answer to a probe reach the NIC.
func (e *Engine) answered() {
	p := *e.answers.head()
	e.answers.pop()
	e.await(evAnswer, e.answers.next())
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
