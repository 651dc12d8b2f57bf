// Package flow names a flow: its five-tuple, and the identifiers by which the orchestrator and a plant speak of flows
// and of the instances that serve them.
package flow

import (
	"fmt"
	"net/netip"
)

// ID numbers the flows of a run from 0 in the order in which the plant first saw them.
type ID int32

// Instance numbers the instances of a run from 1 in the order of their creation; a number is never used again.
// 0 is no instance.
type Instance int32

// FiveTuple identifies a flow on the wire. It is comparable. Ports are 0 for protocols without them.
type FiveTuple struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Proto            uint8 // IANA protocol number: 6 TCP, 17 UDP
}

// Protocol numbers that occur by name in traces and reports.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
	SCTP   = 132
)

// ProtoName is the protocol's usual short name in lower case, or its number.
func ProtoName(p uint8) string {
	switch p {
	case ICMP:
		return "icmp"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case ICMPv6:
		return "icmpv6"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprint(p)
}

func (t FiveTuple) String() string {
	return fmt.Sprintf("%s %s > %s", ProtoName(t.Proto), netip.AddrPortFrom(t.Src, t.SrcPort),
		netip.AddrPortFrom(t.Dst, t.DstPort))
}
