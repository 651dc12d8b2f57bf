package ovs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// The cookie has, from its highest bit: 16 bits of magic, 8 bits of owner, one bit that is set for fixed rules, 8 bits
// of serial that tell apart rules with the same number, and the number of the flow or instance. A fixed rule has its
// kind in the upper two bits of its serial.
const (
	magic     = 0x51dc << 48
	ownMask   = uint64(1<<24-1) << 40
	fixedRule = 1 << 39
	kindMask  = ownMask | fixedRule
	serial    = 1 << 31
	number    = serial - 1

	missKind    = 0 << 37
	ingressKind = 1 << 37
	egressKind  = 2 << 37
	anyKind     = 3 << 37
)

func (c *Config) own() uint64 { return magic | uint64(c.Owner)<<40 }

// missProtocols are the packets that are sent up when they match no rule.
var missProtocols = [...]struct {
	ether uint16
	proto uint8
}{
	{openflow.EthIPv4, openflow.TCP}, {openflow.EthIPv4, openflow.UDP},
	{openflow.EthIPv6, openflow.TCP}, {openflow.EthIPv6, openflow.UDP},
}

type counts struct{ packets, bytes uint64 }

// meter turns a counter that is sometimes reset into one that never goes back.
type meter struct{ base, last counts }

func (m *meter) read(packets, bytes uint64) {
	if packets < m.last.packets || bytes < m.last.bytes {
		m.reset()
	}
	m.last = counts{packets, bytes}
}

// reset notes that the switch counts from zero again.
func (m *meter) reset() {
	m.base, m.last = m.total(), counts{}
}

func (m *meter) total() counts {
	return counts{m.base.packets + m.last.packets, m.base.bytes + m.last.bytes}
}

// rule is a rule that the switch should hold, of a flow or fixed.
type rule struct {
	what   uint64 // the cookie without owner and serial
	cookie uint64
	meter
	fixed func() (openflow.FlowMod, bool) // nil for a flow's rule; reports false while the rule is not wanted

	hw.Rule                 // of a flow, as it was requested last
	inForce   flow.Instance // what the switch has confirmed
	installed bool          // the switch has confirmed it
	removing  bool          // its removal was asked for
	gone      string        // why the switch has lost it, if nobody here asked for its removal
}

// attached is an instance with its rules.
type attached struct {
	id        flow.Instance
	at        hw.Ports
	in        *rule
	out       []*rule // one for each port that it was at; the last is in force
	slow      counts  // forwarded by packet-out, past the rules
	detaching bool
	toldGone  bool // that one of its ports has gone
}

func (a *attached) egress() *rule { return a.out[len(a.out)-1] }

func (a *attached) counter() telemetry.Counter {
	in := a.in.total()
	c := telemetry.Counter{Instance: a.id, RxPackets: in.packets + a.slow.packets, RxBytes: in.bytes + a.slow.bytes}
	for _, o := range a.out {
		c.TxPackets += o.total().packets
	}
	return c
}

// name finds a cookie that is not in use, neither by a rule nor by one whose end is still to be reported. It fails if
// all serials are taken.
func (d *Driver) name(what uint64) (uint64, bool) {
	serials := uint64(256)
	if what&fixedRule != 0 {
		serials = 64
	}
	for s := range serials {
		c := d.cfg.own() | what | s*serial
		if !d.leaving[c] && d.rules[c] == nil {
			return c, true
		}
	}
	return 0, false
}

// mod is the message that writes a rule, if it is wanted.
func (d *Driver) mod(r *rule) (openflow.FlowMod, bool) {
	if r.fixed != nil {
		return r.fixed()
	}
	t := &r.Tuple
	f := d.blank(r)
	f.Idle = uint16((r.Idle + time.Second - 1) / time.Second)
	f.Match = openflow.Match{
		Has: openflow.InPort | openflow.EthType | openflow.IPProto |
			openflow.Src | openflow.Dst | openflow.SrcPort | openflow.DstPort,
		InPort: d.ports[d.cfg.Uplink], EthType: openflow.EthIPv6, IPProto: t.Proto, Src: t.Src, Dst: t.Dst,
		SrcPort: t.SrcPort, DstPort: t.DstPort,
	}
	if t.Src.Is4() {
		f.Match.EthType = openflow.EthIPv4
	}
	if r.Instance != 0 {
		f.Do = openflow.Instructions{Write: true, Metadata: uint64(r.Instance), Goto: d.cfg.InstanceTable}
	}
	return f, !r.removing
}

func (d *Driver) blank(r *rule) openflow.FlowMod {
	return openflow.FlowMod{Table: d.cfg.Table, Priority: d.cfg.Priority, Flags: openflow.SendFlowRemoved,
		Cookie: r.cookie}
}

// only limits a message to the rule that it names.
func only(c openflow.Command, f openflow.FlowMod) openflow.FlowMod {
	f.Command, f.CookieMask = c, ^uint64(0)
	return f
}

// hold adds a rule to those that the switch should have, under a new cookie. It reports false if no cookie is left.
func (d *Driver) hold(r *rule) (ok bool) {
	if r.cookie, ok = d.name(r.what); ok {
		d.rules[r.cookie] = r
	}
	return ok
}

// missRule sends up what matches no flow.
func (d *Driver) missRule(k int) *rule {
	r := &rule{what: fixedRule | missKind | uint64(k)}
	r.fixed = func() (openflow.FlowMod, bool) {
		f := d.blank(r)
		f.Priority--
		f.Match = openflow.Match{
			Has: openflow.InPort | openflow.EthType | openflow.IPProto, InPort: d.ports[d.cfg.Uplink],
			EthType: missProtocols[k].ether, IPProto: missProtocols[k].proto,
		}
		f.Do = openflow.Instructions{Out: openflow.PortController, MaxLen: 0xffff}
		return f, true
	}
	return r
}

// ingressRule sends an instance the packets of the flows that lead to it.
func (d *Driver) ingressRule(a *attached) *rule {
	r := &rule{what: fixedRule | ingressKind | uint64(a.id)}
	r.fixed = func() (openflow.FlowMod, bool) {
		f := d.blank(r)
		f.Table = d.cfg.InstanceTable
		f.Match = openflow.Match{Has: openflow.Metadata, Metadata: uint64(a.id)}
		f.Do.Out = d.ports[a.at.In]
		return f, f.Do.Out != 0
	}
	return r
}

// egressRule sends the packets that come from an instance to the sink.
func (d *Driver) egressRule(a *attached, port string) *rule {
	r := &rule{what: fixedRule | egressKind | uint64(a.id)}
	r.fixed = func() (openflow.FlowMod, bool) {
		f := d.blank(r)
		f.Match = openflow.Match{Has: openflow.InPort, InPort: d.ports[port]}
		f.Do.Out = d.ports[d.cfg.Sink]
		return f, f.Match.InPort != 0 && a.egress() == r
	}
	return r
}

// leftover is a rule that the switch has and should not have.
func leftover(cookie uint64) *rule {
	return &rule{cookie: cookie, fixed: func() (openflow.FlowMod, bool) { return openflow.FlowMod{}, false }}
}

// isPort returns an error if a name is not among the ports.
func isPort(ports map[string]uint32, what, name string) error {
	if ports[name] != 0 {
		return nil
	}
	return fmt.Errorf("%s %q is not a port of the bridge, which has %s", what, name,
		strings.Join(slices.Sorted(maps.Keys(ports)), ", "))
}
