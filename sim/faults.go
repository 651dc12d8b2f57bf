package sim

import "github.com/smartinco/smartinco/flow"

// faultKind is a fault that lasts for a while. The death of an instance is none of these: it happens once.
type faultKind uint8

const (
	engineStall faultKind = iota
	engineFailure
	countersStall
	ruleReject
	linkDown
	faultKinds
)

var faultNames = [...]string{"engine-stall", "engine-failure", "counters-stall", "rule-reject", "link-down"}

// faults counts the faults in force, by kind.
type faults struct {
	active [faultKinds]int
}

func (f *faults) engineStalled() bool   { return f.active[engineStall] > 0 }
func (f *faults) engineFails() bool     { return f.active[engineFailure] > 0 }
func (f *faults) countersStalled() bool { return f.active[countersStall] > 0 }
func (f *faults) rulesRejected() bool   { return f.active[ruleReject] > 0 }

func (f *faults) schedule(p *plant) {
	for i, x := range p.sc.Faults {
		p.push(ClassFault, Event{At: x.At, Kind: evFault, A: int32(i)})
		if x.For > 0 {
			p.push(ClassFault, Event{At: x.At + x.For, Kind: evFaultOver, A: int32(i)})
		}
	}
}

func (f *faults) fire(p *plant, e Event) {
	x := &p.sc.Faults[e.A]
	if x.Kind == "instance-death" {
		if e.Kind == evFault {
			p.containers.fail(p, flow.Instance(x.Instance), "it died")
		}
		return
	}
	for k, name := range faultNames {
		if name != x.Kind {
			continue
		}
		if e.Kind == evFault {
			if f.active[k]++; f.active[k] == 1 {
				f.begin(p, faultKind(k))
			}
		} else if f.active[k]--; f.active[k] == 0 {
			f.over(p, faultKind(k))
		}
	}
}

func (f *faults) begin(p *plant, k faultKind) {
	switch k {
	case countersStall:
		p.readings.freeze(p)
	case linkDown:
		p.data.Link(p.now, false)
	}
}

func (f *faults) over(p *plant, k faultKind) {
	switch k {
	case engineStall:
		p.containers.resume(p)
	case linkDown:
		p.data.Link(p.now, true)
	}
}
