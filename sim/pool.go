package sim

import (
	"iter"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Pool is the capacity that the instances of a scenario with vnf.contention.share: pooled have together. Both engines
// tell it what changes at a control event, and ask it for the shares afterwards. A nil *Pool, which stands for reserved
// shares, takes everything and has no shares.
//
// What an instance is offered is the rates of its flows times the fraction that link and eSwitch pass, and of flows
// without a rule the part of it that the slow path can serve. No queue delays it.
type Pool struct {
	shares  contention.Pool
	nic     *scenarios.NIC
	traffic *traces.Workload
	idle    bool // instances without flows contend
	down    bool // the link
	changed bool
	all     load    // what all flows send
	bits    float64 // a second on the link
	missed  load    // by flows without a rule
	flows   []pooledFlow
	at      []pooledInstance
	members []contention.Member
}

// load is packets a second of a number of flows, each rounded, so that the order in which they come and go leaves no
// trace in the sum.
type load struct {
	rate  float64
	flows int
}

func (l *load) add(rate float64, n int) {
	l.rate += float64(rate * float64(n))
	l.flows += n
}

// pooledFlow is what is in force of a flow.
type pooledFlow struct {
	rate, bits float64
	where      Where
	to         flow.Instance
}

type pooledInstance struct {
	up            bool
	ruled, missed load    // of its flows
	share         float64 // when Changed was asked last
}

// Where says where the eSwitch sends a flow.
type Where uint8

const (
	Nowhere Where = iota // it has not begun, or has ended
	Missed               // no rule: to the slow path
	Ruled                // to an instance, or to instance 0, which drops
)

// NewPool makes the pool of a run, or nil if the scenario's shares are reserved.
func NewPool(sc *scenarios.Scenario, w *traces.Workload) (*Pool, error) {
	if sc.VNF.Contention.Share != "pooled" {
		return nil, nil
	}
	law, err := Law(&sc.VNF.Contention)
	if err != nil {
		return nil, err
	}
	return &Pool{shares: contention.Pool{Law: law}, nic: &sc.NIC, traffic: w, idle: sc.VNF.IdleContend,
		flows: make([]pooledFlow, len(w.Flows)), at: make([]pooledInstance, 0, sc.Instances.Max+1),
		members: make([]contention.Member, 0, sc.Instances.Max+1)}, nil
}

// Grow makes room for the flows that the workload has by now.
func (p *Pool) Grow() {
	if p != nil {
		p.flows = append(p.flows, make([]pooledFlow, len(p.traffic.Flows)-len(p.flows))...)
	}
}

// Flow says where a flow's packets go from now on: to the instance to, by rule or by the slow path; 0 is none. The
// segment is the one in force or the next. Its rate counts.
func (p *Pool) Flow(now units.Time, f flow.ID, segment int, where Where, to flow.Instance) {
	if p == nil {
		return
	}
	x := pooledFlow{where: where, to: to}
	if where != Nowhere {
		x.rate, x.bits = p.sends(now, f, segment)
		p.room(to)
	}
	if old := p.flows[f]; x != old {
		p.count(old, -1)
		p.count(x, +1)
		p.flows[f], p.changed = x, true
	}
}

// sends is what the flow sends now: packets and link bits a second. The bits are whole, since their sum may well exceed
// what contention.Round keeps exact.
func (p *Pool) sends(now units.Time, f flow.ID, segment int) (rate, bits float64) {
	s := &p.traffic.Flows[f].Segments[segment]
	if s.Start > now {
		return 0, 0
	}
	rate = s.Rate()
	if c := p.traffic.Constant; len(c) > 0 && c[f].Period.Num > 0 {
		rate = float64(units.Second) / c[f].Period.Mean()
	}
	rate = contention.Round(rate)
	return rate, math.Round(rate * (s.Bytes/s.Packets + float64(p.nic.FrameOverhead)) * 8)
}

func (p *Pool) count(x pooledFlow, n int) {
	if x.where == Nowhere {
		return
	}
	p.all.add(x.rate, n)
	p.bits += float64(x.bits * float64(n))
	if x.where == Missed {
		p.missed.add(x.rate, n)
		p.at[x.to].missed.add(x.rate, n)
	} else {
		p.at[x.to].ruled.add(x.rate, n)
	}
}

// Instance says whether the instance takes packets from now on.
func (p *Pool) Instance(i flow.Instance, up bool) {
	if p != nil {
		p.room(i)
		p.at[i].up, p.changed = up, true
	}
}

// Link says whether the link is up from now on.
func (p *Pool) Link(up bool) {
	if p != nil {
		p.down, p.changed = !up, true
	}
}

func (p *Pool) room(i flow.Instance) {
	for len(p.at) <= int(i) {
		p.at = append(p.at, pooledInstance{})
		p.members = append(p.members, contention.Member{})
	}
}

// Changed are the instances that are up and whose share is another than when they were asked for last, with the share.
func (p *Pool) Changed() iter.Seq2[flow.Instance, float64] {
	return func(yield func(flow.Instance, float64) bool) {
		if p == nil || !p.changed {
			return
		}
		p.changed = false
		p.share()
		for i := range p.at {
			a, share := &p.at[i], p.members[i].Share
			if !a.up || a.share == share {
				continue
			}
			if a.share = share; !yield(flow.Instance(i), share) {
				return
			}
		}
	}
}

// share finds the share of each instance.
func (p *Pool) share() {
	_, pass := Passed(p.nic, p.all.rate, p.bits, p.down)
	slow := pass
	if limit := float64(p.nic.SlowPathRate); limit > 0 && numeric.Exceeds(float64(pass*p.missed.rate), limit) {
		slow = limit / p.missed.rate
	}
	for i := range p.at {
		a, m := &p.at[i], &p.members[i]
		m.Demand = 0
		if m.Contends = i > 0 && a.up && (p.idle || a.ruled.flows+a.missed.flows > 0); m.Contends {
			m.Demand = float64(pass*a.ruled.rate) + float64(slow*a.missed.rate)
		}
	}
	p.shares.Share(p.members)
}

// Passed are the fractions that the link passes, and link and eSwitch together, of flows that send this many packets
// and link bits a second. What exceeds a limit is lost, of each flow the same fraction.
func Passed(nic *scenarios.NIC, rate, bits float64, down bool) (link, both float64) {
	link = 1
	if limit := float64(nic.Link); limit > 0 && numeric.Exceeds(bits, limit) {
		link = limit / bits
	}
	if down {
		link = 0
	}
	both = link
	if limit := float64(nic.ESwitchLimit); limit > 0 && numeric.Exceeds(float64(link*rate), limit) {
		both = limit / rate
	}
	return link, both
}
