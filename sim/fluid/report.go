package fluid

import (
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// snapshot is what had been counted when the last window ended.
type snapshot struct {
	at                                                        units.Time
	offered, link, eswitch, missed, slow, rejected, reordered float64
	in, processed, bytes, lost                                float64
}

// settleOutputs brings the slow path's output to now. Nothing else accounts for what its flows without a target lose.
func (e *Engine) settleOutputs(now units.Time) {
	for k := range e.slow.out {
		if o := &e.slow.out[k]; o.parts > 0 {
			e.settleOut(now, &e.flows[o.f])
		}
	}
}

// Counters fills in the instances' counters: whole packets, as a switch counts them.
func (e *Engine) Counters(now units.Time, c []orchestrator.Counter) {
	e.sync(now)
	for k := range c {
		e.room(c[k].Instance) // it may be stopped before it was ever ready
		e.advance(now, c[k].Instance)
		in := &e.instances[c[k].Instance]
		c[k].RxPackets, c[k].TxPackets, c[k].RxBytes = whole(in.in), whole(in.processed), whole(in.inBytes)
	}
}

// Reports fills in what the instances' agents report. Delays are not known.
func (e *Engine) Reports(now units.Time, want policy.MetricSet, r []orchestrator.Report) {
	e.sync(now)
	for k := range r {
		e.room(r[k].Instance)
		e.advance(now, r[k].Instance)
		in := &e.instances[r[k].Instance]
		in.cores.Report(&r[k], want, &e.sc.VNF, picoseconds(in.busy), picoseconds(in.there), int64(whole(in.queue)),
			in.flows)
	}
}

func picoseconds(seconds float64) int64 { return int64(math.Round(seconds * float64(units.Second))) }

// RuleCounters fills in the counters of the flows' rules: whole packets, as a switch counts them.
func (e *Engine) RuleCounters(now units.Time, c []orchestrator.RuleCounter) {
	e.sync(now)
	for k := range c {
		s := &e.flows[c[k].Flow]
		n := s.forwarded
		if s.route == ruled {
			n += float64(s.rate * (e.g.pass - s.pass))
		}
		c[k].Packets = whole(n)
	}
}

// whole is the number of whole packets in v, which rounding may have made a little too small.
func whole(v float64) uint64 { return uint64(v + 1e-6) }

// Window fills in a window's traffic.
func (e *Engine) Window(now units.Time, w *results.Window, rows []results.Instance) {
	e.sync(now)
	e.settleOutputs(now)
	var s snapshot
	s.at = now
	s.offered, s.link, s.eswitch = e.g.offered, e.g.lostLinkSum, e.g.lostESwSum
	s.missed, s.slow, s.rejected, s.reordered = e.slow.missed, e.slow.lostSum, e.g.rejected, e.g.reordered
	dt := (now - e.window.at).Seconds()
	w.Queued = e.slow.queue + e.slow.held
	for k := range e.instances {
		in := &e.instances[k]
		e.advanceOne(now, in) // one that is gone has no row, but may still be sent packets
		s.in += in.in
		s.processed += in.processed
		s.bytes += in.processedBytes
		s.lost += in.lost
		w.Queued += in.queue
	}
	for k := range rows {
		row := &rows[k]
		if int(row.Instance) >= len(e.instances) {
			continue
		}
		in := &e.instances[row.Instance]
		last := &in.last
		row.Flows = int32(in.flows)
		row.Offered = (in.in - last.in) / dt
		row.Processed = (in.processed - last.processed) / dt
		row.Dropped = (in.lost - last.lost) / dt
		row.Queue = in.queue
		if could := in.could - last.could; could > 0 {
			row.Utilization = (in.processed - last.processed) / could
		}
		last.in, last.processed, last.lost, last.could = in.in, in.processed, in.lost, in.could
	}
	o := &e.window
	w.Offered = (s.offered - o.offered) / dt
	w.Ingress = (s.in - o.in) / dt
	w.Processed = (s.processed - o.processed) / dt
	w.ProcessedBits = 8 * (s.bytes - o.bytes) / dt
	w.SlowPath = (s.missed - o.missed) / dt
	w.Reordered = s.reordered - o.reordered
	w.DroppedInstance = (s.lost - o.lost) / dt
	w.DroppedESwitch = (s.eswitch - o.eswitch) / dt
	w.DroppedSlowPath = (s.slow - o.slow) / dt
	w.DroppedLink = (s.link - o.link) / dt
	w.DroppedRejected = (s.rejected - o.rejected) / dt
	w.Dropped = w.DroppedInstance + w.DroppedESwitch + w.DroppedSlowPath + w.DroppedLink + w.DroppedRejected
	e.window = s
}

// End settles every flow and adds them up.
func (e *Engine) End(now units.Time) results.Totals {
	e.sync(now)
	e.settleOutputs(now)
	for i := range e.instances {
		e.advanceOne(now, &e.instances[i])
	}
	t := results.Totals{SlowPath: e.slow.missed, Queued: e.slow.queue + e.slow.held}
	t.Dropped.Instance = e.g.orphans
	for i := range e.instances {
		t.Queued += e.instances[i].queue
	}
	for i := range e.flows {
		s := &e.flows[i]
		e.settle(now, s)
		t.Offered += s.offered
		t.OfferedBytes += s.bytes
		t.Dropped.Link += s.lostLink
		t.Dropped.ESwitch += s.lostESwitch
		t.Dropped.SlowPath += s.lostSlow
		t.Dropped.Instance += s.lostInstance
		t.Dropped.Rejected += s.rejected
		t.Reordered += s.reordered
		if s.offered > 0 {
			t.ProcessedBytes += float64((s.offered - s.dropped() - e.queued(s)) * (s.bytes / s.offered))
		}
	}
	t.ProcessedBytes -= e.g.orphanBytes
	t.Processed = t.Offered - t.Dropped.Sum() - t.Queued
	return t
}

func (s *flowState) dropped() float64 {
	return s.lostLink + s.lostESwitch + s.lostSlow + s.lostInstance + s.rejected
}

// waiting is how many of a flow's packets the slow path holds.
func (s *flowState) waiting() float64 { return max(0, s.accepted-s.delivered) + s.held }

// queued is how many of a flow's packets are held by the slow path and in the queue of its instance. That queue is
// taken to be mixed as what arrives. A flow that has just begun holds no more than it has sent.
func (e *Engine) queued(s *flowState) float64 {
	n := s.waiting()
	if s.route == ruled {
		in := &e.instances[s.rule]
		fast, _, all := e.mix(in)
		n += in.share(fast*s.rate, all)
	}
	if s.out >= 0 && s.target != 0 {
		in := &e.instances[s.target]
		_, slow, all := e.mix(in)
		n += in.share(slow*e.slow.out[s.out].rate, all)
	}
	return max(0, min(n, s.offered-s.dropped()))
}

// share is how many packets of the queue are a flow's that is the part rate of all that feeds it.
func (in *instance) share(rate, all float64) float64 {
	if all > 0 {
		return float64(in.queue * (rate / all))
	}
	return 0
}

// Flow fills in a flow's counts.
func (e *Engine) Flow(f flow.ID, row *results.Flow) {
	s := &e.flows[f]
	row.Offered, row.Dropped, row.Reordered = s.offered, s.dropped(), s.reordered
	row.Queued = e.queued(s)
	row.Processed = max(0, s.offered-row.Dropped-row.Queued)
}
