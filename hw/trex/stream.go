package trex

import (
	"errors"
	"fmt"
	"math"
	"net"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Stream is what the server is given to send: packets of one kind at a constant rate. The fields are those of the
// protocol, all of them required by it unless marked omitempty; Streams fills them from flows.
type Stream struct {
	Enabled      bool    `json:"enabled"`
	SelfStart    bool    `json:"self_start"`
	Gap          float64 `json:"isg"`   // µs from the start of traffic to the first packet
	Flags        int     `json:"flags"` // see KeepSrcMAC
	ActionCount  uint32  `json:"action_count"`
	NextStreamID int     `json:"next_stream_id"` // -1: none
	Packet       struct {
		Binary []byte `json:"binary"` // the frame without its check sequence
		Meta   string `json:"meta"`
	} `json:"packet"`
	Mode Mode `json:"mode"`
	VM   struct {
		Instructions []Instruction `json:"instructions"`
	} `json:"vm"`
	FlowStats FlowRule `json:"flow_stats"`
}

// The Flags of a stream whose packets carry MAC addresses of their own. Without them the port fills in its own and its
// peer's.
const (
	KeepSrcMAC = 1
	KeepDstMAC = 2
)

// Mode says how many packets go out, and how fast.
type Mode struct {
	Type    string `json:"type"`                 // continuous or single_burst
	Packets uint64 `json:"total_pkts,omitempty"` // of a single_burst, more than 0
	Rate    struct {
		Type  string  `json:"type"` // pps
		Value float64 `json:"value"`
	} `json:"rate"`
}

// Instruction is a step of the field engine, which changes each packet before it is sent.
type Instruction struct {
	Type string `json:"type"` // flow_var, write_flow_var or fix_checksum_ipv4
	Name string `json:"name,omitempty"`

	// Of a flow_var, a variable that counts from Init through Max and on from Min.
	Size int     `json:"size,omitempty"` // bytes: 1, 2, 4 or 8
	Op   string  `json:"op,omitempty"`   // inc, dec or random
	Init *uint64 `json:"init_value,omitempty"`
	Min  *uint64 `json:"min_value,omitempty"`
	Max  *uint64 `json:"max_value,omitempty"`
	Step uint64  `json:"step,omitempty"`

	// Of a write_flow_var and fix_checksum_ipv4: where in the packet.
	Offset    int   `json:"pkt_offset,omitempty"`
	AddValue  *int  `json:"add_value,omitempty"`
	BigEndian *bool `json:"is_big_endian,omitempty"`
}

// FlowRule says how a stream's packets are counted.
type FlowRule struct {
	Enabled bool   `json:"enabled"`
	Group   uint32 `json:"stream_id"`           // the group's number; several streams may share one
	Type    string `json:"rule_type,omitempty"` // stats or latency
}

// Flow is traffic of one five-tuple, or of a block of them, at a constant rate.
type Flow struct {
	Tuple flow.FiveTuple
	// Count is the number of five-tuples in the stream: their sources are Tuple.Src and the addresses that follow it,
	// in turn, written by the server's field engine. 0 and 1 are one tuple. More need UDP over IPv4.
	Count int
	Rate  units.PPS   // of all its tuples together, more than 0
	Start units.Time  // after the start of traffic
	Total uint64      // packets; 0: until stopped
	Frame units.Bytes // with check sequence: 64B and more
	// Group is the flow-statistics group that counts it; 0 is none. Latency makes it measure latency as well, for
	// which the payload must have 16 bytes and the server takes the flow out of Update.
	Group   uint32
	Latency bool
	// SrcMAC and DstMAC are the addresses of the frame. Where empty: the port's own and its peer's.
	SrcMAC, DstMAC net.HardwareAddr
}

// Frame sizes, with check sequence, that the server takes.
const (
	MinFrame units.Bytes = 64
	MaxFrame units.Bytes = 9238 + fcs
	fcs                  = 4
)

// Streams turns flows into streams, one each, in order. The error names the flow and joins all mistakes.
func Streams(flows []Flow) ([]Stream, error) {
	streams := make([]Stream, len(flows))
	var errs []error
	for i := range flows {
		s, err := flows[i].stream()
		if err != nil {
			errs = append(errs, fmt.Errorf("flow %d, %v: %w", i, flows[i].Tuple, err))
			continue
		}
		streams[i] = s
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return streams, nil
}

func (f *Flow) stream() (s Stream, err error) {
	if !(f.Rate > 0) || math.IsInf(float64(f.Rate), 0) {
		return s, fmt.Errorf("rate is %v, want more than 0pps", f.Rate)
	}
	if f.Start < 0 {
		return s, fmt.Errorf("start is %v, want 0s or later", f.Start)
	}
	if s.Packet.Binary, err = f.packet(); err != nil {
		return s, err
	}
	s.Enabled, s.SelfStart, s.NextStreamID = true, true, -1
	s.Gap = float64(f.Start) / float64(units.Microsecond)
	if len(f.SrcMAC) > 0 {
		s.Flags |= KeepSrcMAC
	}
	if len(f.DstMAC) > 0 {
		s.Flags |= KeepDstMAC
	}
	s.Mode.Type, s.Mode.Packets = "continuous", f.Total
	if f.Total > 0 {
		s.Mode.Type = "single_burst"
	}
	s.Mode.Rate.Type, s.Mode.Rate.Value = "pps", float64(f.Rate)
	s.VM.Instructions = []Instruction{} // null would be an error
	if f.Count > 1 {
		s.VM.Instructions, err = f.engine()
	}
	if f.Group != 0 {
		s.FlowStats = FlowRule{Enabled: true, Group: f.Group, Type: "stats"}
		if f.Latency {
			s.FlowStats.Type = "latency"
		}
	}
	return s, err
}

// ipv4Src is where the source address of an untagged IPv4 frame begins.
const (
	ethernetLen = 14
	ipv4Src     = ethernetLen + 12
)

// engine lets the source address run through Count addresses.
func (f *Flow) engine() ([]Instruction, error) {
	if !f.Tuple.Src.Is4() || f.Tuple.Proto != flow.UDP {
		return nil, fmt.Errorf("%d tuples in one stream need UDP over IPv4, whose checksum can be left out", f.Count)
	}
	b := f.Tuple.Src.As4()
	first := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	last := first + uint64(f.Count) - 1
	if last > math.MaxUint32 {
		return nil, fmt.Errorf("%d addresses from %v on pass the last one", f.Count, f.Tuple.Src)
	}
	zero, big := 0, true
	return []Instruction{
		{Type: "flow_var", Name: "src", Size: 4, Op: "inc", Init: &first, Min: &first, Max: &last, Step: 1},
		{Type: "write_flow_var", Name: "src", Offset: ipv4Src, AddValue: &zero, BigEndian: &big},
		{Type: "fix_checksum_ipv4", Offset: ethernetLen},
	}, nil
}

// Flows turns a workload's segments of constant rate into flows, in order of flow and time. Flow i is counted in group
// firstGroup+i, all its segments together; a firstGroup of 0 counts none. A segment of less than a packet is left out.
func Flows(w *traces.Workload, firstGroup uint32) []Flow {
	var flows []Flow
	for i := range w.Flows {
		for _, s := range w.Flows[i].Segments {
			packets := math.Round(s.Packets)
			if packets < 1 {
				continue
			}
			f := Flow{Tuple: w.Flows[i].Tuple, Rate: units.PPS(s.Rate()), Start: s.Start, Total: uint64(packets),
				Frame: max(MinFrame, min(MaxFrame, units.Bytes(math.Round(s.Bytes/s.Packets))))}
			if firstGroup != 0 {
				f.Group = firstGroup + uint32(i)
			}
			flows = append(flows, f)
		}
	}
	return flows
}
