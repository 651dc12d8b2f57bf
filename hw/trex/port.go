package trex

import (
	"context"
	"fmt"
	"math"
	"time"
)

// State is what a port does.
type State string

// The states of a port.
const (
	Idle        State = "IDLE"    // no streams
	Ready       State = "STREAMS" // streams, not sending
	Sending     State = "TX"
	Paused      State = "PAUSE"
	SendingPcap State = "PCAP_TX"
	Down        State = "DOWN"
)

// Busy reports whether a port in this state has traffic that has not ended.
func (s State) Busy() bool { return s == Sending || s == Paused || s == SendingPcap }

// Status is the condition of a port.
type Status struct {
	Owner       string `json:"owner"` // empty: free
	State       State  `json:"state"`
	MaxStreamID uint32 `json:"max_stream_id"`
	Attr        struct {
		SpeedGbps float64 `json:"speed"`
		Link      struct {
			Up bool `json:"up"`
		} `json:"link"`
	} `json:"attr"`
}

// Status asks for the condition of a port, which need not be ours.
func (c *Client) Status(ctx context.Context, port int) (s Status, err error) {
	err = c.Call(ctx, "get_port_status", Params{"port_id": port, "block": false}, &s)
	return s, err
}

// Port is a port that this session owns. If another session takes it by force, every method fails.
type Port struct {
	ID      int
	client  *Client
	handler string
}

// Acquire takes ownership of a port. If another user or session owns it, that is an error that names the owner, unless
// force is set: then the owner loses the port. Set force only if a person has said so.
func (c *Client) Acquire(ctx context.Context, port int, force bool) (*Port, error) {
	p := &Port{ID: port, client: c}
	err := c.Call(ctx, "acquire", Params{"port_id": port, "user": c.user, "session_id": c.session, "force": force},
		&p.handler)
	if err != nil {
		return nil, fmt.Errorf("port %d: %w", port, err)
	}
	return p, nil
}

// params are the given parameters and those that every command to an owned port needs.
func (p *Port) params(more Params) Params {
	if more == nil {
		more = Params{}
	}
	more["port_id"], more["handler"] = p.ID, p.handler
	return more
}

func (p *Port) call(ctx context.Context, method string, params Params, result any) error {
	if err := p.client.Call(ctx, method, p.params(params), result); err != nil {
		return fmt.Errorf("port %d: %w", p.ID, err)
	}
	return nil
}

// Release gives up ownership. Traffic goes on: Stop first.
func (p *Port) Release(ctx context.Context) error { return p.call(ctx, "release", nil, nil) }

// SetPromiscuous sets whether the port receives frames for other addresses.
func (p *Port) SetPromiscuous(ctx context.Context, on bool) error {
	return p.call(ctx, "set_port_attr", Params{"attr": Params{"promiscuous": Params{"enabled": on}}}, nil)
}

// Replace removes all streams of the port, adds the given ones in as few messages as possible, and makes the server
// validate them, since only then it looks at field engines. Streams get the ids 1, 2, ... in order. The port must not
// be sending.
func (p *Port) Replace(ctx context.Context, streams []Stream) (Graph, error) {
	calls := []Call{{Method: "remove_all_streams", Params: p.params(nil)}}
	for i := range streams {
		calls = append(calls, Call{Method: "add_stream",
			Params: p.params(Params{"stream_id": i + 1, "stream": &streams[i]})})
	}
	if err := p.client.Batch(ctx, calls); err != nil {
		return Graph{}, fmt.Errorf("port %d: %w", p.ID, err)
	}
	return p.Validate(ctx)
}

// RemoveAll removes all streams.
func (p *Port) RemoveAll(ctx context.Context) error {
	return p.call(ctx, "remove_all_streams", nil, nil)
}

// Graph is the load that the server expects of a port's streams.
type Graph struct {
	Rate struct {
		MaxPPS      float64 `json:"max_pps"`
		MaxBPSL1    float64 `json:"max_bps_l1"`
		MaxBPSL2    float64 `json:"max_bps_l2"`
		MaxLineUtil float64 `json:"max_line_util"` // percent
	} `json:"rate"`
	Graph struct {
		ExpectedDuration float64 `json:"expected_duration"` // µs; -1: endless
		Events           []struct {
			TimeUsec float64 `json:"time_usec"`
			StreamID uint32  `json:"stream_id"`
			DiffPPS  float64 `json:"diff_pps"`
		} `json:"events"` // at most 100
	} `json:"graph"`
}

// Validate lets the server check the port's streams without sending.
func (p *Port) Validate(ctx context.Context) (g Graph, err error) {
	err = p.call(ctx, "validate", nil, &g)
	return g, err
}

// Unit is what a Rate counts.
type Unit string

// The units of a factor. Raw multiplies the streams' own rates. L2 rates include the frame check sequence, L1 rates
// the 20 bytes of preamble and gap as well. Percent is of the line rate, and in Add and Sub of the current rate.
const (
	Raw     Unit = "raw"
	PPS     Unit = "pps"
	BPSL2   Unit = "bps"
	BPSL1   Unit = "bpsl1"
	Percent Unit = "percentage"
)

// Factor scales all streams of a port together, except those that measure latency. The zero Factor leaves the streams'
// own rates.
type Factor struct {
	Unit  Unit
	Value float64 // more than 0
}

func (f Factor) params(op string) Params {
	if f == (Factor{}) {
		f = Factor{Raw, 1}
	}
	return Params{"type": f.Unit, "op": op, "value": f.Value}
}

// Run says how to start traffic.
type Run struct {
	Factor   Factor
	Duration time.Duration // counted from the request, even if the start is later; 0: until stopped
	At       float64       // server time (see Ping) of the start, at least 0.1 s ahead; 0: now
	Force    bool          // also if the rate exceeds the line's
}

// Start begins to send and returns the factor that the streams' rates are multiplied with.
func (p *Port) Start(ctx context.Context, r Run) (multiplier float64, err error) {
	duration := r.Duration.Seconds()
	if r.Duration <= 0 {
		duration = -1
	}
	params := Params{"mul": r.Factor.params("abs"), "duration": duration, "force": r.Force,
		"core_mask": uint64(math.MaxUint64)}
	if r.At > 0 {
		params["start_at_ts"] = r.At
	}
	var result struct{ Multiplier float64 }
	err = p.call(ctx, "start_traffic", params, &result)
	return result.Multiplier, err
}

// Op is how Update changes a rate.
type Op string

// The ways to change a rate.
const (
	Set Op = "abs"
	Add Op = "add"
	Sub Op = "sub"
)

// Update changes the rate of running traffic and returns the new factor on the streams' own rates.
func (p *Port) Update(ctx context.Context, op Op, f Factor, force bool) (multiplier float64, err error) {
	var result struct{ Multiplier float64 }
	err = p.call(ctx, "update_traffic", Params{"mul": f.params(string(op)), "force": force}, &result)
	return result.Multiplier, err
}

// Pause holds endless traffic.
func (p *Port) Pause(ctx context.Context) error { return p.call(ctx, "pause_traffic", nil, nil) }

// Resume goes on after Pause.
func (p *Port) Resume(ctx context.Context) error { return p.call(ctx, "resume_traffic", nil, nil) }

// settle is how long the last packet may be under way to the receiving port: TRex's own client waits this long on
// network cards.
const settle = 100 * time.Millisecond

// Halt ends the traffic. Packets under way are still counted where they arrive. Before the next Start, Stop must be
// called.
func (p *Port) Halt(ctx context.Context) error { return p.call(ctx, "stop_traffic", nil, nil) }

// Stop ends the traffic, waits for packets under way, and removes the receive filters, without which the next run's
// received packets would not be counted. It may be called after the traffic has ended, and on a port without streams.
// Such a port has no filters, and TRex refuses to remove them.
func (p *Port) Stop(ctx context.Context) error {
	if err := p.Halt(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	if s, err := p.client.Status(ctx, p.ID); err != nil || s.State != Ready {
		return err
	}
	return p.call(ctx, "remove_rx_filters", nil, nil)
}
