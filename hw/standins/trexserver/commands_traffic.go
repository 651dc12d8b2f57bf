package trexserver

import (
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// multiplier is how start and update say how much.
type multiplier struct {
	unit, op string
	value    float64
}

func parseMultiplier(o object) multiplier {
	in := o.object("mul")
	m := multiplier{
		unit:  in.choice("type", []string{"raw", "bps", "bpsl1", "pps", "percentage"}),
		op:    in.choice("op", []string{"abs", "add", "sub"}),
		value: in.double("value"),
	}
	if m.value == 0 {
		o.fail("multiplier can't be zero")
	}
	return m
}

// factor is the factor on the rates of streams of a graph that a multiplier asks for, where it is now current. The
// fixed part of the load counts as part of what is asked for.
func (m multiplier) factor(g graph, current float64) (float64, error) {
	scaled := g.peak.plus(g.fixed.times(-1))
	fixed := g.fixed
	if m.op != "abs" { // a difference
		fixed = load{}
	}
	var f float64
	switch m.unit {
	case "raw":
		f = m.value
	case "pps":
		f = (m.value - fixed.pps) / scaled.pps
	case "bps":
		f = (m.value - fixed.l2) / scaled.l2
	case "bpsl1":
		f = (m.value - fixed.l1) / scaled.l1
	case "percentage":
		if m.op == "abs" {
			f = (m.value/100*defaultSpeed - fixed.l1) / scaled.l1
		} else {
			f = m.value / 100 * current
		}
	}
	switch m.op {
	case "add":
		f = current + f
	case "sub":
		f = current - f
	}
	if f < 0 && m.value > 0 {
		return 0, failed("Update request will lower traffic to less than zero")
	}
	return f, nil
}

// allow refuses a factor that asks for more than the line carries, unless forced.
func (g graph) allow(factor float64, force bool) error {
	l1 := g.peak.plus(g.fixed.times(-1)).times(factor).plus(g.fixed).l1
	switch {
	case !(l1 > 0):
		return failed("Effective bandwidth is zero, this means that your dpdk driver does not know the link "+
			"throughput (virtual), please use absolute bandwidth  %.6g", l1)
	case l1 > defaultSpeed && !force:
		return failed("Expected L1 B/W: '%.6g Gbps' exceeds port line rate: '%.6g Gbps'", l1/1e9, defaultSpeed/1e9)
	}
	return nil
}

// maxFactor keeps the time between two packets above zero.
const maxFactor = 1e12

func (s *Server) startTraffic(o object, p *port) (any, error) {
	name := profileName(o)
	m := parseMultiplier(o)
	duration, force := o.double("duration"), o.boolean("force")
	if o.has("core_mask") && o.uint("core_mask", 64, "uint64")&1 == 0 {
		o.fail("core_mask: '0x%x' for 1 cores generates an empty set", o.uint("core_mask", 64, "uint64"))
	}
	if m.op != "abs" {
		o.fail("start message can only specify absolute speed rate")
	}
	startAt := 0.0
	if o.has("start_at_ts") {
		startAt = o.double("start_at_ts")
	}
	if o.failed() != nil {
		return nil, nil
	}
	f, err := p.existing(name)
	if err != nil {
		return nil, err
	}
	if err := f.must("start", trex.Ready); err != nil {
		return nil, err
	}
	if !p.device.Up() && !force {
		return nil, failed("Link state is DOWN.")
	}
	now := s.now()
	at := now
	if startAt != 0 {
		if at = nanos(startAt * 1e9); at < now+100*time.Millisecond {
			return nil, failed("start_at_ts, if defined, should be at least 100ms from now_sec()")
		}
	}
	g := f.graph()
	factor, err := m.factor(g, 1)
	if err != nil {
		return nil, err
	}
	if err := g.allow(factor, force); err != nil {
		return nil, err
	}
	factor = min(factor, maxFactor)
	// The duration runs from the request, whenever the start is.
	if err := p.start(f, factor, at, now+nanos(duration*1e9), duration > 0); err != nil {
		return nil, err
	}
	return dict{"multiplier": real(factor), "ts": s.seconds()}, nil
}

func (s *Server) stopTraffic(o object, p *port) (any, error) {
	name := profileName(o)
	names := []string{name}
	if name == "*" {
		names = p.names
	}
	for _, name := range names {
		f, err := p.existing(name)
		if err != nil {
			return nil, err
		}
		if f.state.Busy() {
			p.finish(f, trex.EventStopped)
		}
	}
	return done, nil
}

// running is the profile of a command that changes traffic, which must be in one of the states.
func running(o object, p *port, command string, states ...trex.State) (*profile, error) {
	f, err := p.existing(profileName(o))
	if err != nil {
		return nil, err
	}
	return f, f.must(command, states...)
}

func (s *Server) updateTraffic(o object, p *port) (any, error) {
	m, force := parseMultiplier(o), o.boolean("force")
	if o.failed() != nil {
		return nil, nil
	}
	f, err := running(o, p, "update", trex.Sending, trex.Paused)
	if err != nil {
		return nil, err
	}
	g := f.graph()
	factor, err := m.factor(g, f.factor)
	if err != nil {
		return nil, err
	}
	if err := g.allow(factor, force); err != nil {
		return nil, err
	}
	factor = min(factor, maxFactor)
	p.setRate(f, factor, nil, s.now())
	f.factor = factor
	return dict{"multiplier": real(factor)}, nil
}

// some are the streams of a profile that a command names.
func some(o object, p *port, command string, states ...trex.State) (*profile, map[uint32]bool, error) {
	ids := o.ids("stream_ids")
	if o.failed() != nil {
		return nil, nil, nil
	}
	f, err := running(o, p, command, states...)
	if err != nil {
		return nil, nil, err
	}
	set := map[uint32]bool{}
	for _, id := range ids {
		if f.streams[id] == nil {
			return nil, nil, failed("stream %d does not exists in profile_id(%s)", id, f.name)
		}
		set[id] = true
	}
	return f, set, nil
}

// updateStreams gives some streams rates of their own; the answer is the factor on all of them, which stays.
func (s *Server) updateStreams(o object, p *port) (any, error) {
	m, force := parseMultiplier(o), o.boolean("force")
	f, ids, err := some(o, p, "update", trex.Sending, trex.Paused)
	if err != nil || o.failed() != nil {
		return nil, err
	}
	if m.op != "abs" {
		return nil, failed("Must use absolute multiplier for updating stream")
	}
	var g graph
	for id := range ids {
		if st := f.streams[id]; !st.latency {
			g.peak = g.peak.plus(st.load())
		}
	}
	factor, err := m.factor(g, f.factor)
	if err != nil {
		return nil, err
	}
	if err := g.allow(factor, force); err != nil {
		return nil, err
	}
	p.setRate(f, min(factor, maxFactor), ids, s.now())
	return dict{"multiplier": real(f.factor)}, nil
}

func (s *Server) pauseStreams(o object, p *port) (any, error) {
	return s.pauseSome(o, p, "pause", true)
}
func (s *Server) resumeStreams(o object, p *port) (any, error) {
	return s.pauseSome(o, p, "resume", false)
}

func (s *Server) pauseSome(o object, p *port, command string, pause bool) (any, error) {
	f, ids, err := some(o, p, command, trex.Sending, trex.Paused)
	if err != nil || o.failed() != nil {
		return nil, err
	}
	if pause {
		if err := f.canPause(); err != nil {
			return nil, err
		}
	}
	for _, src := range p.sources {
		if src.profile == f && ids[src.stream.id] {
			src.paused = pause
		}
	}
	return done, nil
}

// canPause refuses what has an end of its own.
func (f *profile) canPause() error {
	for _, st := range f.streams {
		if !st.continuous() {
			return failed(" pause is supported when all streams are in continues mode ")
		}
	}
	if f.timed {
		return failed(" pause is supported when duration is not enable is start command ")
	}
	return nil
}

func (s *Server) pauseTraffic(o object, p *port) (any, error) {
	f, err := running(o, p, "pause", trex.Sending)
	if err != nil || o.failed() != nil {
		return nil, err
	}
	if err := f.canPause(); err != nil {
		return nil, err
	}
	f.state = trex.Paused
	p.emitBoth(trex.EventPaused, f.name)
	return done, nil
}

func (s *Server) resumeTraffic(o object, p *port) (any, error) {
	f, err := running(o, p, "resume", trex.Paused)
	if err != nil || o.failed() != nil {
		return nil, err
	}
	f.state = trex.Sending
	p.emitBoth(trex.EventResumed, f.name)
	return done, nil
}
