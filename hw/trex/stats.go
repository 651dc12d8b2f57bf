package trex

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
)

// Counters are what a port has sent and received. Bytes include the frame check sequence.
type Counters struct {
	TxPackets uint64 `json:"opackets"`
	TxBytes   uint64 `json:"obytes"`
	RxPackets uint64 `json:"ipackets"`
	RxBytes   uint64 `json:"ibytes"`
	TxErrors  uint64 `json:"oerrors"`
	RxErrors  uint64 `json:"ierrors"`
}

// Since returns what was counted after b was read. A counter that went back, because the server was restarted, counts
// from 0.
func (a Counters) Since(b Counters) Counters {
	return Counters{since(a.TxPackets, b.TxPackets), since(a.TxBytes, b.TxBytes), since(a.RxPackets, b.RxPackets),
		since(a.RxBytes, b.RxBytes), since(a.TxErrors, b.TxErrors), since(a.RxErrors, b.RxErrors)}
}

func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// FlowCounters are what was sent and received of one flow-statistics group, by port.
type FlowCounters struct {
	TxPackets, TxBytes, RxPackets, RxBytes map[int]uint64
}

// Tx sums the packets and bytes that all ports sent.
func (f FlowCounters) Tx() (packets, bytes uint64) { return sum(f.TxPackets), sum(f.TxBytes) }

// Rx sums the packets and bytes that all ports received.
func (f FlowCounters) Rx() (packets, bytes uint64) { return sum(f.RxPackets), sum(f.RxBytes) }

// Since is what was counted after b was read.
func (f FlowCounters) Since(b FlowCounters) FlowCounters {
	return FlowCounters{sinceAll(f.TxPackets, b.TxPackets), sinceAll(f.TxBytes, b.TxBytes),
		sinceAll(f.RxPackets, b.RxPackets), sinceAll(f.RxBytes, b.RxBytes)}
}

func sinceAll(now, before map[int]uint64) map[int]uint64 {
	d := make(map[int]uint64, len(now))
	for port, n := range now {
		d[port] = since(n, before[port])
	}
	return d
}

func sum(m map[int]uint64) (s uint64) {
	for _, n := range m {
		s += n
	}
	return s
}

// Latency is what was measured of a latency group, in µs from sending to receiving on the server's own clock.
type Latency struct {
	Average   float64        `json:"average"`
	Jitter    float64        `json:"jit"`
	Min       float64        `json:"total_min"`
	Max       float64        `json:"total_max"`
	Histogram map[int]uint64 `json:"histogram"` // packets by the lower end of their bucket

	Order Order `json:"-"` // since Mark
}

// Order counts the packets of a latency group that did not come in the order in which they were sent.
type Order struct {
	Reordered  uint64 `json:"ooo"` // behind one that was sent later
	Duplicated uint64 `json:"dup"`
}

// FlowStats are the counters of flow-statistics groups by their number.
type FlowStats struct {
	Flows   map[uint32]FlowCounters
	Latency map[uint32]Latency
	// Version changes when a group is removed and added again, and its counters begin anew.
	Version map[uint32]int
}

// baseline is what the counters showed when Mark was called.
type baseline struct {
	mu    sync.Mutex
	ports map[int]Counters
	flows FlowStats
}

// Mark makes PortStats and FlowStats count from now on, since the server cannot clear counters.
func (c *Client) Mark(ctx context.Context) error {
	s, err := c.System(ctx)
	if err != nil {
		return err
	}
	ports := make(map[int]Counters, len(s.Ports))
	for _, p := range s.Ports {
		if ports[p.Index], err = c.portStats(ctx, p.Index); err != nil {
			return err
		}
	}
	flows, err := c.flowStats(ctx)
	if err != nil {
		return err
	}
	c.baseline.mu.Lock()
	defer c.baseline.mu.Unlock()
	c.baseline.ports, c.baseline.flows = ports, flows
	return nil
}

// PortStats are the counters of a port since Mark, or since the server started.
func (c *Client) PortStats(ctx context.Context, port int) (Counters, error) {
	now, err := c.portStats(ctx, port)
	if err != nil {
		return Counters{}, err
	}
	c.baseline.mu.Lock()
	defer c.baseline.mu.Unlock()
	return now.Since(c.baseline.ports[port]), nil
}

func (c *Client) portStats(ctx context.Context, port int) (n Counters, err error) {
	err = c.Call(ctx, "get_port_stats", Params{"port_id": port}, &n)
	return n, err
}

// FlowStats are the counters of the given groups, or of all, since Mark or since the group was added. A group that the
// server does not have is absent. The times of Latency are not since Mark, since there are no sums to subtract.
func (c *Client) FlowStats(ctx context.Context, groups ...uint32) (FlowStats, error) {
	now, err := c.flowStats(ctx, groups...)
	if err != nil {
		return FlowStats{}, err
	}
	c.baseline.mu.Lock()
	defer c.baseline.mu.Unlock()
	for g, n := range now.Flows {
		if before, ok := c.baseline.flows.Flows[g]; ok && now.Version[g] == c.baseline.flows.Version[g] {
			now.Flows[g] = n.Since(before)
			if l, ok := now.Latency[g]; ok {
				was := c.baseline.flows.Latency[g].Order
				l.Order = Order{since(l.Order.Reordered, was.Reordered), since(l.Order.Duplicated, was.Duplicated)}
				now.Latency[g] = l
			}
		}
	}
	return now, nil
}

func (c *Client) flowStats(ctx context.Context, groups ...uint32) (FlowStats, error) {
	var r struct {
		Flows map[string]struct {
			TP map[int]uint64 `json:"tp"`
			TB map[int]uint64 `json:"tb"`
			RP map[int]uint64 `json:"rp"`
			RB map[int]uint64 `json:"rb"`
		} `json:"flow_stats"`
		// Beside the groups there is a key "g" for what belongs to none.
		Latency map[string]*struct {
			Lat    Latency `json:"lat"`
			Errors Order   `json:"er"` // absent when there were none
		} `json:"latency"`
		Version map[string]int `json:"ver_id"`
	}
	if groups == nil {
		groups = []uint32{} // null would be an error
	}
	if err := c.Call(ctx, "get_pgid_stats", Params{"pgids": groups}, &r); err != nil {
		return FlowStats{}, err
	}
	s := FlowStats{Flows: map[uint32]FlowCounters{}, Latency: map[uint32]Latency{}, Version: map[uint32]int{}}
	for _, key := range slices.Sorted(maps.Keys(r.Flows)) {
		g, err := strconv.ParseUint(key, 10, 32)
		if err != nil {
			return FlowStats{}, fmt.Errorf("trex: get_pgid_stats: group %q: %w", key, err)
		}
		f := r.Flows[key]
		s.Flows[uint32(g)] = FlowCounters{f.TP, f.TB, f.RP, f.RB}
		s.Version[uint32(g)] = r.Version[key]
		if l := r.Latency[key]; l != nil {
			l.Lat.Order = l.Errors
			s.Latency[uint32(g)] = l.Lat
		}
	}
	return s, nil
}
