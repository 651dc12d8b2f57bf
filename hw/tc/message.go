package tc

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
)

// filter is one of our tc flower filters, both as requested and as the kernel shows it.
type filter struct {
	dev    int    // index of the device at which the packets come in
	pref   uint16 // of filters on a device, the one with the lowest is looked at first
	proto  uint16 // EtherType; unix.ETH_P_ALL for every packet
	handle uint32 // names the filter among those of a device, pref and proto
	skipSW bool   // in hardware alone
	tuple  flow.FiveTuple
	to     int // index of the device to which packets are redirected; 0 drops them
	label  label

	// What the kernel shows in addition.
	inHW bool
	count
}

// count is what a filter has forwarded or dropped. Bytes are those of whole frames.
type count struct{ packets, bytes uint64 }

// label is the action's cookie, which the kernel keeps without reading it: whose filter it is, and what it stands for.
type label struct {
	kind   byte
	uplink uint32 // by index; tells the filters of drivers on several uplinks apart
	// of a flow: its instance, its idle time in milliseconds; of an output: its instance, the input's device
	a, b uint32
}

// The kinds of filters. None is somebody else's.
const (
	kindNone = iota
	kindFlow
	kindOutput
)

const (
	magic     = 0x51dc0c00 // in front of every label
	labelSize = 16         // the most that the kernel takes
)

func (l label) bytes() []byte {
	b := make([]byte, 0, labelSize)
	for _, v := range []uint32{magic | uint32(l.kind), l.uplink, l.a, l.b} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func labelOf(b []byte) label {
	if len(b) != labelSize || binary.BigEndian.Uint32(b)&^0xff != magic {
		return label{}
	}
	return label{kind: b[3], uplink: binary.BigEndian.Uint32(b[4:]), a: binary.BigEndian.Uint32(b[8:]),
		b: binary.BigEndian.Uint32(b[12:])}
}

// The constants of linux/pkt_cls.h, linux/tc_act and linux/gen_stats.h that package nl lacks.
const (
	parentIngress  = 0xfffffff2 // TC_H_CLSACT, TC_H_MIN_INGRESS
	flagInHW       = 1 << 2     // TCA_CLS_FLAGS_IN_HW
	dumpTerse      = 1          // TCA_DUMP_FLAGS_TERSE
	actOptions     = nl.TCA_ACT_OPTIONS | unix.NLA_F_NESTED
	actShot        = 2  // TC_ACT_SHOT
	actStolen      = 4  // TC_ACT_STOLEN
	egressRedirect = 1  // TCA_EGRESS_REDIR
	mirredIfindex  = 24 // where struct tc_mirred has it
)

// swap makes network byte order of the machine's, and the reverse.
func swap(v uint16) uint16 { return binary.NativeEndian.Uint16(big16(v)) }

func big16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

type request = *nl.NetlinkRequest

// message begins a message about filters.
func (f *filter) message(kind, flags int) request {
	m := nl.NewNetlinkRequest(kind, flags)
	m.AddData(&nl.TcMsg{Ifindex: int32(f.dev), Handle: f.handle, Parent: parentIngress,
		Info: uint32(f.pref)<<16 | uint32(swap(f.proto))})
	m.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("flower")))
	return m
}

// add makes the kernel add a filter. It is an error if one has the same key and pref, or the same handle.
func (f *filter) add() request {
	return f.complete(f.message(unix.RTM_NEWTFILTER, unix.NLM_F_ACK|unix.NLM_F_EXCL|unix.NLM_F_CREATE))
}

// replace puts a filter in the place of the one with its handle, if any, before that one is removed.
func (f *filter) replace() request {
	return f.complete(f.message(unix.RTM_NEWTFILTER, unix.NLM_F_ACK|unix.NLM_F_CREATE))
}

// remove removes a filter. The kernel shows it a last time.
func (f *filter) remove() request {
	return f.message(unix.RTM_DELTFILTER, unix.NLM_F_ACK|unix.NLM_F_ECHO)
}

// show has the kernel show a filter.
func (f *filter) show() request { return f.message(unix.RTM_GETTFILTER, unix.NLM_F_ACK) }

// complete adds key and action, in iproute2's order.
func (f *filter) complete(m request) request {
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	if f.proto != unix.ETH_P_ALL {
		f.key(options)
	}
	f.action(options.AddRtAttr(nl.TCA_FLOWER_ACT, nil).AddRtAttr(1, nil))
	flags := uint32(0)
	if f.skipSW {
		flags = nl.TCA_CLS_FLAGS_SKIP_SW
	}
	options.AddRtAttr(nl.TCA_FLOWER_FLAGS, nl.Uint32Attr(flags))
	if f.proto != unix.ETH_P_ALL {
		options.AddRtAttr(nl.TCA_FLOWER_KEY_ETH_TYPE, big16(f.proto))
	}
	m.AddData(options)
	return m
}

// etherType is the EtherType of a five-tuple's packets.
func etherType(t flow.FiveTuple) uint16 {
	if t.Src.Is4() {
		return unix.ETH_P_IP
	}
	return unix.ETH_P_IPV6
}

func (f *filter) key(options *nl.RtAttr) {
	t := &f.tuple
	options.AddRtAttr(nl.TCA_FLOWER_KEY_IP_PROTO, []byte{t.Proto})
	src, dst := nl.TCA_FLOWER_KEY_IPV4_SRC, nl.TCA_FLOWER_KEY_IPV4_DST
	exact := []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}[:t.Src.BitLen()/8]
	if t.Src.Is6() {
		src, dst = nl.TCA_FLOWER_KEY_IPV6_SRC, nl.TCA_FLOWER_KEY_IPV6_DST
	}
	options.AddRtAttr(src, t.Src.AsSlice())
	options.AddRtAttr(src+1, exact) // the mask
	options.AddRtAttr(dst, t.Dst.AsSlice())
	options.AddRtAttr(dst+1, exact)
	sport, dport := nl.TCA_FLOWER_KEY_UDP_SRC, nl.TCA_FLOWER_KEY_UDP_DST
	if t.Proto == flow.TCP {
		sport, dport = nl.TCA_FLOWER_KEY_TCP_SRC, nl.TCA_FLOWER_KEY_TCP_DST
	}
	options.AddRtAttr(sport, big16(t.SrcPort)) // without a mask: exactly
	options.AddRtAttr(dport, big16(t.DstPort))
}

// action redirects or drops.
func (f *filter) action(a *nl.RtAttr) {
	if f.to == 0 {
		a.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("gact"))
		a.AddRtAttr(actOptions, nil).AddRtAttr(nl.TCA_GACT_PARMS, words(0, 0, actShot, 0, 0))
	} else {
		a.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("mirred"))
		a.AddRtAttr(actOptions, nil).AddRtAttr(nl.TCA_MIRRED_PARMS,
			words(0, 0, actStolen, 0, 0, egressRedirect, uint32(f.to)))
	}
	a.AddRtAttr(nl.TCA_ACT_COOKIE, f.label.bytes())
}

// words is a structure of 32-bit numbers: struct tc_gact (index, capab, action, refcnt, bindcnt), and struct tc_mirred,
// which goes on with eaction and ifindex. Those of package nl take two bytes too many.
func words(all ...uint32) (b []byte) {
	for _, w := range all {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return b
}

// all makes the kernel show every filter on a device with a pref. A brief answer lacks keys and targets, two thirds of
// the size; kernels before 5.8 do not know it and answer in full.
func all(dev int, pref uint16, brief bool) request {
	m := nl.NewNetlinkRequest(unix.RTM_GETTFILTER, unix.NLM_F_DUMP)
	m.AddData(&nl.TcMsg{Ifindex: int32(dev), Parent: parentIngress, Info: uint32(pref) << 16})
	m.AddData(nl.NewRtAttr(nl.TCA_CHAIN, nl.Uint32Attr(0)))
	if brief {
		terse := nl.Uint32Bitfield{Value: dumpTerse, Selector: dumpTerse}
		m.AddData(nl.NewRtAttr(nl.TCA_DUMP_FLAGS, terse.Serialize()))
	}
	return m
}

// clsact makes the kernel add the queueing discipline for filters. It is an error if the device has it already.
func clsact(dev int) request {
	m := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_ACK|unix.NLM_F_EXCL|unix.NLM_F_CREATE)
	m.AddData(&nl.TcMsg{Ifindex: int32(dev), Handle: 0xffff0000, Parent: 0xfffffff1})
	m.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("clsact")))
	return m
}

// attributes gives those in b with their types, up to one that does not fit.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			if n < unix.SizeofRtAttr || n > len(b) {
				return
			}
			if !yield(binary.NativeEndian.Uint16(b[2:])&^unix.NLA_F_NESTED, b[unix.SizeofRtAttr:n]) {
				return
			}
			b = b[min((n+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(b)):]
		}
	}
}

// The numbers in attributes. One that is too short is 0.
func u16be(b []byte) uint16 { return binary.BigEndian.Uint16(padded(b, 2)) }
func u32(b []byte) uint32   { return binary.NativeEndian.Uint32(padded(b, 4)) }
func u64(b []byte) uint64   { return binary.NativeEndian.Uint64(padded(b, 8)) }

func padded(b []byte, n int) []byte {
	if len(b) < n {
		return make([]byte, n)
	}
	return b
}

// parseFilter reads a filter as the kernel shows it. It reports false if the filter is not ours or not in chain 0,
// where ours are.
func parseFilter(b []byte) (f filter, ours bool) {
	if len(b) < nl.SizeofTcMsg {
		return f, false
	}
	m := nl.DeserializeTcMsg(b)
	f.dev, f.handle, f.pref, f.proto = int(m.Ifindex), m.Handle, uint16(m.Info>>16), swap(uint16(m.Info))
	chain := uint32(0)
	for t, v := range attributes(b[nl.SizeofTcMsg:]) {
		switch t {
		case nl.TCA_CHAIN:
			chain = u32(v)
		case nl.TCA_OPTIONS:
			f.parseOptions(v)
		}
	}
	return f, chain == 0 && f.handle != 0 && f.label.kind != kindNone
}

func (f *filter) parseOptions(b []byte) {
	for t, v := range attributes(b) {
		switch t {
		case nl.TCA_FLOWER_KEY_IP_PROTO:
			f.tuple.Proto = padded(v, 1)[0]
		case nl.TCA_FLOWER_KEY_IPV4_SRC, nl.TCA_FLOWER_KEY_IPV6_SRC:
			f.tuple.Src, _ = netip.AddrFromSlice(v)
		case nl.TCA_FLOWER_KEY_IPV4_DST, nl.TCA_FLOWER_KEY_IPV6_DST:
			f.tuple.Dst, _ = netip.AddrFromSlice(v)
		case nl.TCA_FLOWER_KEY_TCP_SRC, nl.TCA_FLOWER_KEY_UDP_SRC:
			f.tuple.SrcPort = u16be(v)
		case nl.TCA_FLOWER_KEY_TCP_DST, nl.TCA_FLOWER_KEY_UDP_DST:
			f.tuple.DstPort = u16be(v)
		case nl.TCA_FLOWER_FLAGS:
			f.skipSW, f.inHW = u32(v)&nl.TCA_CLS_FLAGS_SKIP_SW != 0, u32(v)&flagInHW != 0
		case nl.TCA_FLOWER_ACT:
			for _, action := range attributes(v) {
				f.parseAction(action)
			}
		}
	}
}

func (f *filter) parseAction(b []byte) {
	for t, v := range attributes(b) {
		switch t {
		case nl.TCA_ACT_COOKIE:
			f.label = labelOf(v)
		case nl.TCA_ACT_STATS:
			f.count = parseStats(v)
		case nl.TCA_ACT_OPTIONS:
			for t, v := range attributes(v) {
				if t == nl.TCA_MIRRED_PARMS && len(v) > mirredIfindex {
					f.to = int(u32(v[mirredIfindex:]))
				}
			}
		}
	}
}

// parseStats reads an action's counters: what it saw in hardware and in software together, and in hardware alone. A
// count of packets beyond 32 bits follows its own counter in another attribute. In software the kernel counts packets
// as it has them when they come in, without their Ethernet header.
func parseStats(b []byte) count {
	var both, hw count
	last := &both
	for t, v := range attributes(b) {
		switch t {
		case nl.TCA_STATS_BASIC, nl.TCA_STATS_BASIC_HW:
			last = &both
			if t == nl.TCA_STATS_BASIC_HW {
				last = &hw
			}
			if len(v) >= 12 {
				*last = count{packets: uint64(u32(v[8:])), bytes: u64(v)}
			}
		case nl.TCA_STATS_PKT64:
			last.packets = u64(v)
		}
	}
	if both.packets > hw.packets {
		both.bytes += ethernetHeader * (both.packets - hw.packets)
	}
	return both
}

const ethernetHeader = 14
