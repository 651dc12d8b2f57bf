package traces

import (
	"slices"
	"strings"

	"github.com/smartinco/smartinco/flow"
)

// Layer says what a source counts as the bytes of a packet. It is the same for all flows of one source.
type Layer uint8

// The layers, from the outside in.
const (
	FramesWithFCS Layer = iota // Ethernet frames with their check sequence, 64 B at least: rules and models
	Frames                     // Ethernet frames without it: packet captures
	IPBytes                    // IP packets: Zeek, nfdump
	PayloadBytes               // what TCP or UDP carries: CICFlowMeter
)

// layerNames name the column of bytes in a flow CSV.
var layerNames = [...]string{FramesWithFCS: "frame_fcs_bytes", Frames: "frame_bytes", IPBytes: "ip_bytes",
	PayloadBytes: "payload_bytes"}

// String names the bytes in a sentence.
func (l Layer) String() string {
	return [...]string{"frame bytes with check sequence", "frame bytes", "IP bytes", "payload bytes"}[l]
}

// MarshalText is the layer's name as a column of a flow CSV.
func (l Layer) MarshalText() ([]byte, error) { return []byte(layerNames[l]), nil }

func parseLayer(name string) (Layer, bool) {
	i := slices.Index(layerNames[:], strings.TrimSpace(name))
	return Layer(max(i, 0)), i >= 0
}

// frame is the size of a frame, without check sequence, if bytes are what the layer counts of it.
func (l Layer) frame(bytes int64, t *flow.FiveTuple) int64 {
	switch l {
	case FramesWithFCS:
		return bytes - fcsSize
	case IPBytes:
		return bytes + etherHeader
	case PayloadBytes:
		return bytes + headers(t)
	}
	return bytes
}

// least is the smallest number of bytes that the layer can count for a packet.
func (l Layer) least(t *flow.FiveTuple) int64 {
	switch {
	case l == PayloadBytes:
		return 0
	case l != IPBytes:
		return etherHeader
	case t.Src.Is4():
		return 20
	}
	return 40
}

const (
	fcsSize     = 4
	etherHeader = 14
)

// headers is the size of a frame's headers, down to the transport's.
func headers(t *flow.FiveTuple) int64 {
	if t.Proto == notIP {
		return etherHeader
	}
	ip := int64(40)
	if t.Src.Is4() {
		ip = 20
	}
	return etherHeader + ip + transportHeader[t.Proto]
}

// transportHeader is the size of a transport's header, without options; 0 for a protocol whose header is not written.
var transportHeader = [256]int64{flow.TCP: 20, flow.UDP: 8, flow.SCTP: 12, flow.ICMP: 8, flow.ICMPv6: 8, 33: 4, 136: 4}
