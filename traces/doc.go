// Package traces makes the traffic of a run, from recordings and from rules.
//
// Whatever the source - a packet capture, a flow log, the loads of services, a flow model, a staircase of constant-rate
// flows - the result is a [Workload]: flows in order of their first packet, each with its rate over time as segments of
// constant rate. Every reader keeps two numbers exactly: the packets and the bytes of the source. Workload.Skipped
// counts what a reader could not use, and Workload.Provenance says what was done to the source.
//
// # Time
//
// A recording is rebased: 0 is its earliest packet or, with [Options].From, the start of the cut. From, To,
// Resolution and Timeout are in the recording's own time; Speedup then divides everything.
//
// # From packets to rates
//
// A capture is grouped by directed five-tuple. Time is cut into bins of width Resolution that start at the flow's first
// packet, and each bin with packets in it becomes a segment: a flow of one packet is one segment, one Resolution wide.
// Gaps between packets shorter than Resolution are therefore smoothed and longer ones are kept. [OpenCapture] gives the
// packets themselves.
//
// # To files
//
// A [Stream] plays a workload, or a model without ever holding it, packet by packet into a capture or flow by flow into
// a CSV file; [ConvertToCapture] and [ConvertToFlows] do so with what was recorded.
//
// # Frames that are not IP
//
// Such frames occupied the wire, so they are kept. Each pair of MAC addresses and EtherType makes one flow, with
// protocol 255 (reserved by IANA), the EtherType as source port, and as addresses the IPv6 link-local addresses that
// RFC 4291, appendix A, derives from the MACs. Frames whose headers are cut or damaged are kept the same way, with
// whatever could be read.
package traces
