package trex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/units"
)

// GeneratorOptions say which ports of which server offer a scenario's traffic.
type GeneratorOptions struct {
	Options
	TxPort, RxPort int              // where traffic goes out and where it comes back; they may be the same
	Force          bool             // take the ports from whoever owns them
	SrcMAC, DstMAC net.HardwareAddr // of the frames; if empty, those that TRex has for the port and its peer
	// Ordered numbers each packet, so that reordering is counted: each stream becomes a latency stream of TRex. This
	// has a cost. A real TRex makes such packets in software, far below line rate. Each stream needs a counter of its
	// own, and its frames 16 bytes of payload.
	Ordered bool
}

// Generator is a hw.Generator that drives a TRex.
type Generator struct {
	client  *Client
	tx, rx  *Port
	options GeneratorOptions

	groups  []uint32 // of the loaded streams' flows, sorted; nil if flows are not told apart
	flows   map[uint32]flow.ID
	started bool
}

var _ hw.Generator = (*Generator)(nil)

// NewGenerator opens a session and acquires the ports. The receiving port takes frames for any address.
func NewGenerator(ctx context.Context, o GeneratorOptions) (*Generator, error) {
	c, err := Dial(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	g := &Generator{client: c, options: o}
	if err := g.open(ctx); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

func (g *Generator) open(ctx context.Context) (err error) {
	if g.tx, err = g.client.Acquire(ctx, g.options.TxPort, g.options.Force); err != nil {
		return err
	}
	g.rx = g.tx
	if g.options.RxPort != g.options.TxPort {
		if g.rx, err = g.client.Acquire(ctx, g.options.RxPort, g.options.Force); err != nil {
			return err
		}
	}
	// An earlier session may have left traffic that is still being sent.
	if err := g.tx.Stop(ctx); err != nil {
		return err
	}
	return g.rx.SetPromiscuous(ctx, true)
}

// Load makes a burst of each stream, which the server validates. Streams of less than a packet are left out.
//
// The server counts each flow if it has enough counters and all flows are IPv4. Otherwise Counters returns the ports'
// counts alone, or, with Ordered, Load fails.
func (g *Generator) Load(ctx context.Context, streams []hw.Stream) error {
	system, err := g.client.System(ctx)
	if err != nil {
		return err
	}
	counters := math.MaxInt
	for _, p := range system.Ports {
		if p.Index == g.tx.ID || p.Index == g.rx.ID {
			counters = min(counters, p.RX.Counters)
		}
	}
	flows, owners, err := g.plan(streams, counters)
	if err != nil {
		return err
	}
	s, err := Streams(flows)
	if err != nil {
		return err
	}
	if err := g.end(ctx); err != nil {
		return err
	}
	g.groups, g.flows = nil, owners
	graph, err := g.tx.Replace(ctx, s)
	if err != nil {
		return err
	}
	if use := graph.Rate.MaxLineUtil; use > 100 {
		return fmt.Errorf("port %d: the streams exceed the line rate: %.4g Gbit/s with gaps and preambles, %.4g %% "+
			"of it", g.tx.ID, graph.Rate.MaxBPSL1/1e9, use)
	}
	for group := range owners {
		g.groups = append(g.groups, group)
	}
	slices.Sort(g.groups)
	return nil
}

// plan turns streams into TRex's, and says which flow each group counts. Without groups, flows are not told apart.
func (g *Generator) plan(streams []hw.Stream, counters int) ([]Flow, map[uint32]flow.ID, error) {
	var flows []Flow
	owners := map[uint32]flow.ID{}
	groupOf := map[flow.ID]uint32{}
	countable := true
	for i, s := range streams {
		if s.Start < 0 || s.End <= s.Start {
			return nil, nil, fmt.Errorf("stream %d, flow %d: it runs from %v to %v, want an end after its start", i,
				s.Flow, s.Start, s.End)
		}
		if !(s.Rate > 0) || math.IsInf(float64(s.Rate), 0) {
			return nil, nil, fmt.Errorf("stream %d, flow %d: rate is %v, want more than 0pps", i, s.Flow, s.Rate)
		}
		packets := s.Packets()
		if packets < 1 {
			continue
		}
		if packets > math.MaxUint32 {
			return nil, nil, fmt.Errorf("stream %d, flow %d: %.0f packets, TRex counts a stream up to %d", i, s.Flow,
				packets, uint32(math.MaxUint32))
		}
		group, ok := groupOf[s.Flow]
		if !ok || g.options.Ordered {
			group = uint32(len(owners) + 1)
			groupOf[s.Flow], owners[group] = group, s.Flow
		}
		countable = countable && s.Tuple.Src.Is4()
		flows = append(flows, Flow{Tuple: s.Tuple, Rate: s.Rate,
			Start: units.Time(s.Start.Nanoseconds()) * units.Nanosecond,
			Total: uint64(packets), Frame: s.FrameSize, Group: group, Latency: g.options.Ordered,
			SrcMAC: g.options.SrcMAC, DstMAC: g.options.DstMAC})
	}
	if len(flows) == 0 {
		return nil, nil, errors.New("no stream has a packet to send")
	}
	if countable && len(owners) <= counters {
		return flows, owners, nil
	}
	if g.options.Ordered {
		return nil, nil, fmt.Errorf("%d streams cannot be told apart: the server counts %d, of IPv4 alone", len(owners),
			counters)
	}
	for i := range flows {
		flows[i].Group = 0
	}
	return flows, nil, nil
}

// ahead is how far in the future the start is: TRex wants at least 0.1 s.
const ahead = 250 * time.Millisecond

// Start begins to send a quarter of a second from now. The time returned is exact to half of a round trip to the
// server.
func (g *Generator) Start(ctx context.Context) (time.Time, error) {
	if err := g.end(ctx); err != nil {
		return time.Time{}, err
	}
	if err := g.client.Mark(ctx); err != nil {
		return time.Time{}, err
	}
	before := time.Now()
	clock, err := g.client.Ping(ctx)
	if err != nil {
		return time.Time{}, err
	}
	start := before.Add(time.Since(before) / 2).Add(ahead)
	g.started = true // even if the answer gets lost
	if _, err := g.tx.Start(ctx, Run{At: clock + ahead.Seconds()}); err != nil {
		return time.Time{}, err
	}
	return start, nil
}

// Counters reads what was sent and received. If flows are told apart, the totals are the sums over the flows. Otherwise
// they are the ports' counts, including everything else that arrived there.
func (g *Generator) Counters(ctx context.Context) (hw.Traffic, error) {
	down, err := g.down(ctx)
	if err != nil {
		return hw.Traffic{}, err
	}
	t := hw.Traffic{Down: down}
	if g.groups == nil {
		tx, err := g.client.PortStats(ctx, g.tx.ID)
		if err != nil {
			return t, err
		}
		rx, err := g.client.PortStats(ctx, g.rx.ID)
		if err != nil {
			return t, err
		}
		t.At = time.Now()
		t.Sent, t.SentB = tx.TxPackets, tx.TxBytes-fcs*tx.TxPackets
		t.Received, t.ReceivedB = rx.RxPackets, rx.RxBytes-fcs*rx.RxPackets
		return t, nil
	}
	stats, err := g.client.FlowStats(ctx, g.groups...)
	if err != nil {
		return t, err
	}
	t.At, t.Ordered = time.Now(), g.options.Ordered
	index := map[flow.ID]int{}
	for _, group := range g.groups {
		n, ok := stats.Flows[group]
		if !ok {
			return hw.Traffic{}, fmt.Errorf("the server no longer counts group %d: somebody else has removed the "+
				"streams", group)
		}
		id := g.flows[group]
		i, seen := index[id]
		if !seen {
			i = len(t.Flows)
			index[id] = i
			t.Flows = append(t.Flows, hw.FlowCounts{Flow: id})
		}
		f := &t.Flows[i]
		sent, received := n.TxPackets[g.tx.ID], n.RxPackets[g.rx.ID]
		f.Sent, f.Received = f.Sent+sent, f.Received+received
		f.Reordered += stats.Latency[group].Order.Reordered
		t.Sent, t.SentB = t.Sent+sent, t.SentB+n.TxBytes[g.tx.ID]-fcs*sent
		t.Received, t.ReceivedB = t.Received+received, t.ReceivedB+n.RxBytes[g.rx.ID]-fcs*received
	}
	slices.SortFunc(t.Flows, func(a, b hw.FlowCounts) int { return cmp.Compare(a.Flow, b.Flow) })
	return t, nil
}

// down names the ports whose link is down. A server whose link goes down goes on sending, and reports it nowhere else.
func (g *Generator) down(ctx context.Context) (string, error) {
	var down []string
	for _, p := range []*Port{g.tx, g.rx} {
		s, err := g.client.Status(ctx, p.ID)
		if err != nil {
			return "", err
		}
		if !s.Attr.Link.Up {
			down = append(down, fmt.Sprintf("port %d", p.ID))
		}
		if g.rx == g.tx {
			break
		}
	}
	return strings.Join(down, " and "), nil
}

// Stop ends all streams. Packets under way are counted as they arrive, until the next Load or Start.
func (g *Generator) Stop(ctx context.Context) error { return g.tx.Halt(ctx) }

// end ends the run that was started, if any.
func (g *Generator) end(ctx context.Context) error {
	if !g.started {
		return nil
	}
	if err := g.tx.Stop(ctx); err != nil {
		return err
	}
	g.started = false
	return nil
}

// Close stops, gives the ports back and ends the session. It may be called again.
func (g *Generator) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	if g.tx != nil {
		errs = append(errs, g.tx.Stop(ctx), g.tx.RemoveAll(ctx), g.tx.Release(ctx))
	}
	if g.rx != nil && g.rx != g.tx {
		errs = append(errs, g.rx.Release(ctx))
	}
	errs = append(errs, g.client.Close())
	g.tx, g.rx = nil, nil
	return errors.Join(errs...)
}
