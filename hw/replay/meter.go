package replay

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// meter turns the counters of switch and generator into the record's windows. A window ends when the switch's counters
// are read, which the orchestrator asks for once a window. If they cannot be read, the window has no row, and the next
// window is longer by as much.
type meter struct {
	busy     bool      // a reading goes on
	underWay bool      // and the orchestrator has not got its counters yet
	asked    chan bool // to the sampler: whether rules drop
	since    time.Time // when the generator stopped answering; zero while it answers

	t       units.Time // end of the last row's window
	traffic hw.Traffic // the newest
	shown   cumulated  // at t
	uplink  ledger     // between the generator and the instances
	sink    ledger     // between the instances and the generator
	slow    float64    // first packets dropped before the orchestrator saw them
	passed  float64    // packets that the switch forwarded without showing it: their outcome shows that it did
	rows    []results.Instance
}

// cumulated holds packets since the beginning of the run, as the rows have shown them.
type cumulated struct {
	sent, sentBytes, received, receivedBytes float64
	ingress, egress                          float64
	lostUplink, lostInstances, lostSink      float64
	queued                                   float64
	slow, rejected                           float64
	packetIns, reordered                     float64
}

// ledger divides the packets that are missing between two counters into lost ones and those still under way.
type ledger struct{ lost, queued float64 }

// update takes how far the upstream counter is ahead, how much of that is uncertain (under way, or counted a moment too
// early), and how much the downstream counter may still be late by. What is ahead beyond the uncertain part is lost. If
// the lead shrinks by more than lateness explains, the difference was not lost after all.
func (l *ledger) update(ahead, uncertain, late float64) {
	l.lost = max(0, ahead-uncertain, min(l.lost, ahead+late))
	l.queued = max(0, ahead-l.lost)
}

// sample is a reading of everything.
type sample struct {
	switchAt time.Time
	counters []telemetry.Counter
	rules    hw.RuleReading
	traffic  hw.Traffic
}

func (m *meter) init() { m.asked = make(chan bool, 1) }

// read asks for a reading. If one is under way, the orchestrator does without.
func (m *meter) read(p *plant) {
	if m.busy {
		return
	}
	m.busy, m.underWay = true, true
	p.readings.Add(1)
	m.asked <- p.flows.drops > 0
}

// sampler takes readings when asked, in a goroutine of its own.
func (p *plant) sampler() {
	for {
		select {
		case rules := <-p.meter.asked:
			p.sample(rules)
			p.readings.Done()
		case <-p.over:
			return
		}
	}
}

// sample reads the switch, hands the orchestrator its counters, and reads the generator.
func (p *plant) sample(rules bool) {
	ctx, cancel := context.WithTimeout(p.ctx, readLimit)
	defer cancel()
	s, err := readSwitch(ctx, p.hw.Switch, rules)
	if err != nil {
		p.post(func() {
			p.meter.busy, p.meter.underWay = false, false
			p.unread("counters", err)
		})
		return
	}
	p.post(func() { p.counted(&s) })
	s.traffic, err = p.hw.Generator.Counters(ctx)
	p.post(func() {
		p.meter.busy = false
		p.measured(&s, err)
	})
}

// unread tells of a reading of the switch that has failed, unless the switch is known to be lost or the run is over.
func (p *plant) unread(what string, err error) {
	if p.lostSince.IsZero() && p.ctx.Err() == nil {
		p.say("the switch's %s could not be read: %v", what, err)
	}
}

func readSwitch(ctx context.Context, sw hw.Switch, rules bool) (sample, error) {
	r, err := sw.Counters(ctx)
	if err != nil {
		return sample{}, err
	}
	s := sample{switchAt: r.At, counters: r.Counters}
	if rules {
		s.rules, err = sw.Rules(ctx)
	}
	return s, err
}

// counted hands a reading to the orchestrator.
func (p *plant) counted(s *sample) {
	p.meter.underWay = false
	sampled := min(p.at(s.switchAt), p.now())
	if p.faults.countersStalled() {
		p.deliver(orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: sampled, Counters: p.faults.frozen})
		return
	}
	p.deliver(orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: sampled, Counters: s.counters})
}

// measured ends a window by a complete reading.
func (p *plant) measured(s *sample, err error) {
	if err != nil {
		p.generatorSilent(err)
		return
	}
	p.meter.since = time.Time{}
	p.watch(s.traffic.Down)
	// If little of the run is left after this reading, the rest joins this window.
	if at := p.at(s.switchAt); at > p.meter.t && p.end-at > p.sc.Telemetry.Window/2 && !p.ended {
		p.meter.record(p, s, at)
		p.opts.Progress(at, p.end)
	}
}

// watch tells when links of the generator's ports go down or come back.
func (p *plant) watch(down string) {
	switch {
	case down == p.linkDown:
	case down != "":
		p.say("the generator has no link at %s", down)
	default:
		p.say("the generator has its link again at %s", p.linkDown)
	}
	p.linkDown = down
}

// generatorSilent ends the run once the generator has not answered for too long.
func (p *plant) generatorSilent(err error) {
	if p.ctx.Err() != nil {
		return
	}
	if p.meter.since.IsZero() {
		p.meter.since = time.Now()
		p.say("the generator does not answer: %v", err)
	}
	limit := min(patience, max(2*time.Second, 3*duration(p.sc.Telemetry.Window)))
	if time.Since(p.meter.since) >= limit {
		p.fail(fmt.Errorf("the generator has not answered for %v: %w", limit, err))
	}
}

// newest are the counters of the last window.
func (m *meter) newest(p *plant) []orchestrator.Counter {
	var c []orchestrator.Counter
	for i := range p.instances {
		if p.instances[i].attached {
			x := p.instances[i].counter
			x.Instance = flow.Instance(i + 1)
			c = append(c, x)
		}
	}
	return c
}

// everything reads the switch and then the generator. It waits for a switch that is being restarted, and for a
// generator that does not answer at once.
func (m *meter) everything(ctx context.Context, p *plant, rules bool) (s sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	for {
		if s, err = readSwitch(ctx, p.hw.Switch, rules); err == nil {
			if s.traffic, err = p.hw.Generator.Counters(ctx); err == nil {
				p.watch(s.traffic.Down)
				return s, nil
			}
		}
		select {
		case <-ctx.Done():
			return s, err
		case <-time.After(settle):
		}
	}
}

// last writes the window that the end of the run cuts off at the time at.
func (m *meter) last(ctx context.Context, p *plant, at units.Time) error {
	s, err := m.everything(ctx, p, p.flows.drops > 0)
	if err != nil {
		err = fmt.Errorf("the counters could not be read at the end of the run, so the last %.3f s are missing: %w",
			(at - m.t).Seconds(), err)
		p.say("%v", err)
		return err
	}
	if at > m.t {
		m.record(p, &s, at)
	}
	return nil
}

// settled waits until everything under way has come through, and then takes the counters of the whole run. It knows by
// two equal readings that are further apart than counters may be old. It returns the rules in force at that time.
func (m *meter) settled(ctx context.Context, p *plant) (hw.RuleReading, error) {
	begun := time.Now()
	time.Sleep(settle)
	s, err := m.everything(ctx, p, true)
	for still := false; err == nil && !still; {
		if time.Since(begun) > stillLimit {
			p.say("the counters still move %v after the run: what is under way is taken for lost", stillLimit)
			break
		}
		time.Sleep(max(settle, p.caps.CounterLag))
		before := s
		if s, err = m.everything(ctx, p, true); err == nil {
			still = s.traffic.Received == before.traffic.Received && s.traffic.Sent == before.traffic.Sent &&
				slices.Equal(s.counters, before.counters)
		}
	}
	if err != nil {
		err = fmt.Errorf("the counters could not be read after the run, so the totals are those of its last window: %w",
			err)
		p.say("%v", err)
		return s.rules, err
	}
	m.shown = m.take(p, &s, nil)
	if m.passed > 0 {
		p.note("%.0f packets were steered to instances, by what became of them there, and the switch has lost count "+
			"of them: they are not lost at the eSwitch", m.passed)
	}
	// A packet that has come back to the generator was not lost at an instance, even if the switch's last counters lack
	// it.
	over := m.shown.received + m.shown.slow + m.shown.rejected + m.shown.lostUplink + m.shown.lostInstances +
		m.shown.lostSink - m.shown.sent
	if back := min(m.shown.lostInstances, m.shown.received-m.shown.egress, over); back > 0 {
		m.shown.lostInstances -= back
		p.note("%.0f packets came back from instances after the switch had last shown their counters: they are "+
			"processed", back)
	}
	return s.rules, nil
}

// take takes in a reading and returns what has been counted since the beginning. uncertain says how many packets may be
// under way to the instances or in one, and how many of those may have been counted late. After the run it is nil: no
// packet is under way, and counters that contradict each other are taken as they are.
func (m *meter) take(p *plant, s *sample, uncertain func(flow.Instance) (underWay, late float64)) cumulated {
	for _, c := range s.counters {
		if int(c.Instance) <= len(p.instances) && c.Instance > 0 && !p.instances[c.Instance-1].final {
			x := &p.instances[c.Instance-1]
			x.counter = newer(x.counter, c)
		}
	}
	m.traffic = s.traffic
	if x, ok := p.hw.Switch.(interface{ Dropped() uint64 }); ok {
		m.slow = float64(x.Dropped())
	}
	now := cumulated{
		sent: float64(s.traffic.Sent), sentBytes: frameBytes(s.traffic.SentB, s.traffic.Sent),
		received: float64(s.traffic.Received), receivedBytes: frameBytes(s.traffic.ReceivedB, s.traffic.Received),
		packetIns: float64(p.flows.packetIns), slow: m.slow, rejected: float64(p.flows.dropped + p.flows.dropCounted),
	}
	for _, r := range s.rules.Rules {
		if r.Instance == 0 {
			now.rejected += float64(r.Packets)
		}
	}
	for i := range s.traffic.Flows {
		now.reordered += float64(s.traffic.Flows[i].Reordered)
	}
	// as the counters show it; last is what is inside of instances that are no longer counted
	var in, out, inside, last float64
	for i := range p.instances {
		x, underWay, late := &p.instances[i], 0.0, 0.0
		if uncertain != nil && !x.final {
			underWay, late = uncertain(flow.Instance(i + 1))
		}
		rx, tx := float64(x.counter.RxPackets), float64(x.counter.TxPackets)
		in, out, inside = in+max(rx, tx), out+tx, inside+max(0, rx-tx)
		if x.final {
			last += max(0, rx-tx)
		}
		x.now = x.counter
		if uncertain != nil && !x.final {
			x.now.TxPackets = min(x.now.TxPackets, x.now.RxPackets) // it was refreshed a moment after the other
		}
		x.before = x.ledger
		x.ledger.update(float64(x.now.RxPackets)-float64(x.now.TxPackets), underWay, late)
		now.ingress += float64(x.now.RxPackets)
		now.egress += float64(x.now.TxPackets)
		now.lostInstances += x.ledger.lost
	}
	underWay, late := 0.0, 0.0
	if uncertain != nil {
		underWay, late = uncertain(0)
	}
	toSwitch := now.sent - now.slow - now.rejected
	m.uplink.update(toSwitch-now.ingress, underWay, late)
	// A switch forgets its newest counts when it is restarted, and some switches do so with each rule that is removed.
	// But what came out of an instance must have gone into one. So must what came back to the generator, and what
	// stayed inside - unless it comes from inside an instance whose last counters lack it.
	in = max(in, now.received+inside-min(last, max(0, now.received-out)))
	lost := m.uplink.lost
	m.uplink.lost = min(lost, max(0, toSwitch-in)+late)
	m.passed = lost - m.uplink.lost
	m.sink.update(now.egress-now.received, underWay, late)
	now.lostUplink, now.lostSink = m.uplink.lost, m.sink.lost
	now.queued = max(0, now.sent-now.received-now.slow-now.rejected-now.lostUplink-now.lostInstances-now.lostSink)
	return now
}

// record writes the row of the window that ends at at.
func (m *meter) record(p *plant, s *sample, at units.Time) {
	gap := max(0, p.at(s.traffic.At)-p.at(s.switchAt))
	all, byInstance := p.planned(at, gap+Skew(p.caps))
	was, now := m.shown, m.take(p, s, func(i flow.Instance) (underWay, late float64) {
		if i == 0 {
			return all, all
		}
		return byInstance[i] + float64(p.sc.VNF.Buffer), byInstance[i] // its ring may be full
	})
	d := (at - m.t).Seconds()
	w := results.Window{T: at.Seconds(), Flows: p.flows.active, Queued: now.queued}
	m.rows = m.rows[:0]
	for i := range p.instances {
		x, id := &p.instances[i], flow.Instance(i+1)
		gone := x.state == results.StateFailed || x.state == results.StateGone
		if gone && x.left < m.t && x.before.queued == 0 && x.now == x.shown {
			continue
		}
		row := results.Instance{T: w.T, Instance: int32(id), State: x.state, Flows: x.flows,
			Offered:   float64(x.now.RxPackets-x.shown.RxPackets) / d,
			Processed: float64(x.now.TxPackets-x.shown.TxPackets) / d,
			Dropped:   (x.ledger.lost - x.before.lost) / d, Queue: x.ledger.queued}
		if x.state == results.StateReady && p.orch.Draining(id) {
			row.State = results.StateDraining
		}
		if limit := float64(p.sc.Scheduler.Limit); limit > 0 {
			row.Utilization = row.Processed / limit
		}
		x.shown = x.now
		m.rows = append(m.rows, row)
		if x.forwarding() {
			w.Instances++
		}
		if x.flows > 0 {
			w.Used++
		}
	}
	w.Offered, w.Ingress, w.Processed = (now.sent-was.sent)/d, (now.ingress-was.ingress)/d,
		(now.received-was.received)/d
	w.ProcessedBits = 8 * (now.receivedBytes - was.receivedBytes) / d
	w.SlowPath = (now.packetIns + now.slow - was.packetIns - was.slow) / d
	w.Reordered = now.reordered - was.reordered
	w.DroppedInstance = (now.lostInstances - was.lostInstances) / d
	w.DroppedESwitch = (now.lostUplink - was.lostUplink) / d
	w.DroppedLink = (now.lostSink - was.lostSink) / d
	w.DroppedSlowPath = (now.slow - was.slow) / d
	w.DroppedRejected = (now.rejected - was.rejected) / d
	w.Dropped = w.DroppedInstance + w.DroppedESwitch + w.DroppedLink + w.DroppedSlowPath + w.DroppedRejected
	m.shown, m.t = now, at
	p.opts.Metrics.window(&w, m.rows)
	if err := p.rec.Window(&w, m.rows); err != nil {
		p.fail(err)
	}
}

// frameBytes adds the frame check sequences, which a generator does not count.
func frameBytes(bytes, packets uint64) float64 { return float64(bytes + 4*packets) }

// planned is how many packets the scenario sends in the span before at: in all, and to each instance by the flows that
// it has now.
func (p *plant) planned(at, before units.Time) (all float64, byInstance map[flow.Instance]float64) {
	byInstance = map[flow.Instance]float64{}
	for i := range p.traffic.Flows {
		n := 0.0
		segments := p.traffic.Flows[i].Segments
		first := sort.Search(len(segments), func(k int) bool { return segments[k].End > at-before })
		for _, s := range segments[first:] {
			if s.Start >= at {
				break
			}
			if overlap := min(s.End, at) - max(s.Start, at-before); overlap > 0 {
				n += s.Rate() * overlap.Seconds()
			}
		}
		all += n
		byInstance[p.flows.list[i].last] += n
	}
	return all, byInstance
}

// totals sums the run up.
func (m *meter) totals(p *plant) results.Totals {
	c := &m.shown
	return results.Totals{Offered: c.sent, OfferedBytes: c.sentBytes, Processed: c.received,
		ProcessedBytes: c.receivedBytes,
		Dropped: results.Drops{Link: c.lostSink, ESwitch: c.lostUplink, Instance: c.lostInstances,
			SlowPath: c.slow, Rejected: c.rejected}, Queued: c.queued,
		SlowPath: c.packetIns + c.slow, Reordered: c.reordered,
		Flows: int64(len(p.traffic.Flows)), Moves: p.flows.moves, RulesInstalled: p.flows.installed,
		RulesRejected: p.flows.rejected}
}
