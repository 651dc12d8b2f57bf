package packet

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// snapshot is what had been counted when the last window ended.
type snapshot struct {
	at                                                        units.Time
	offered, link, eswitch, missed, slow, rejected, reordered uint64
	in, processed, lost                                       uint64
	bytes                                                     int64
}

// Counters fills in the instances' counters.
func (e *Engine) Counters(now units.Time, c []orchestrator.Counter) {
	for k := range c {
		e.room(c[k].Instance)
		e.syncInstance(now, c[k].Instance)
		in := &e.instances[c[k].Instance]
		n, _ := in.heldNow(int64(now))
		c[k].RxPackets, c[k].TxPackets, c[k].RxBytes = in.in, in.in-in.lost-n, uint64(in.inBytes)
	}
}

// Reports fills in what the instances' agents report.
func (e *Engine) Reports(now units.Time, want policy.MetricSet, r []orchestrator.Report) {
	for k := range r {
		e.room(r[k].Instance)
		e.syncInstance(now, r[k].Instance)
		in := &e.instances[r[k].Instance]
		busy, up := in.busy(int64(now))
		n, _ := in.heldNow(int64(now))
		in.cores.Report(&r[k], want, &e.sc.VNF, busy, up, int64(n), in.flows)
		if want&policy.Delays != 0 && in.book != nil {
			r[k].Delay = in.delays(int64(now))
		}
	}
}

// delays are quantiles of the sojourns of the packets that have left since the last call.
func (in *instance) delays(now int64) (d telemetry.Delays) {
	in.book.enter(&in.server, in.n-uint64(in.held(now)))
	if in.reported == nil {
		in.reported = make([]uint64, buckets)
	}
	fresh := make([]results.Bucket, 0, 64)
	stays, late := &in.book.all[sojourn], &in.book.all[late]
	for b := range in.reported {
		n := stays.at(b) + late.at(b)
		if n == in.reported[b] {
			continue
		}
		lo, hi := Bounds(b)
		fresh = append(fresh, results.Bucket{Low: int64(lo), High: int64(hi), Count: int64(n - in.reported[b])})
		in.reported[b] = n
	}
	for k, perMille := range [len(d)]int64{500, 900, 990, 999} {
		d[k] = results.Quantile(fresh, perMille)
	}
	return d
}

// RuleCounters fills in the counters of the flows' rules. They do not depend on what becomes of a packet at its
// instance, so they are exact on every path.
func (e *Engine) RuleCounters(now units.Time, c []orchestrator.RuleCounter) {
	e.syncAll(now)
	for k := range c {
		f := c[k].Flow
		c[k].Packets = e.flows[f].offered - e.outcomes[f].stopped - e.outcomes[f].uncounted
	}
	for _, x := range e.in.pipe[e.in.head:] {
		if k, ok := slices.BinarySearchFunc(c, x.f, byFlow); ok {
			c[k].Packets--
		}
	}
}

func byFlow(c orchestrator.RuleCounter, f flow.ID) int { return cmp.Compare(c.Flow, f) }

// Window fills in a window's traffic.
func (e *Engine) Window(now units.Time, w *results.Window, rows []results.Instance) {
	e.syncAll(now)
	sum := e.total()
	s := snapshot{at: now, offered: sum.offered, link: sum.link, eswitch: sum.eswitch, missed: e.slow.arrived,
		slow: e.slow.lost, rejected: sum.rejected, reordered: sum.reordered}
	dt := (now - e.window.at).Seconds()
	queued := e.between()
	for k := range rows {
		row := &rows[k]
		if int(row.Instance) >= len(e.instances) {
			continue
		}
		in := &e.instances[row.Instance]
		last := &in.last
		n, _ := in.heldNow(int64(now))
		processed := in.in - in.lost - n
		busy, up := in.busy(int64(now))
		row.Flows = int32(in.flows)
		row.Offered = float64(in.in-last.in) / dt
		row.Processed = float64(processed-last.processed) / dt
		row.Dropped = float64(in.lost-last.lost) / dt
		row.Queue = float64(n)
		if up > last.up {
			row.Utilization = float64(busy-last.busy) / float64(up-last.up)
		}
		last.in, last.processed, last.lost, last.busy, last.up = in.in, processed, in.lost, busy, up
	}
	for k := range e.instances {
		in := &e.instances[k]
		n, bytes := in.heldNow(int64(now))
		s.in += in.in
		s.lost += in.lost
		s.processed += in.in - in.lost - n
		s.bytes += in.acceptedBytes - bytes
		queued += n
	}
	o := &e.window
	rate := func(now, before uint64) float64 { return float64(now-before) / dt }
	w.Queued = float64(queued)
	w.Offered = rate(s.offered, o.offered)
	w.Ingress = rate(s.in, o.in)
	w.Processed = rate(s.processed, o.processed)
	w.ProcessedBits = float64(8*(s.bytes-o.bytes)) / dt
	w.SlowPath = rate(s.missed, o.missed)
	w.Reordered = float64(s.reordered - o.reordered)
	w.DroppedInstance = rate(s.lost, o.lost)
	w.DroppedESwitch = rate(s.eswitch, o.eswitch)
	w.DroppedSlowPath = rate(s.slow, o.slow)
	w.DroppedLink = rate(s.link, o.link)
	w.DroppedRejected = rate(s.rejected, o.rejected)
	w.Dropped = w.DroppedInstance + w.DroppedESwitch + w.DroppedSlowPath + w.DroppedLink + w.DroppedRejected
	e.window = s
}

// between is how many packets are on their way to an instance.
func (e *Engine) between() uint64 {
	n := uint64(len(e.slow.fifo)-e.slow.head) + e.slow.held + uint64(len(e.in.pipe)-e.in.head)
	for k := range e.instances {
		n += uint64(len(e.instances[k].inbox))
	}
	return n
}

// End brings everything to now and adds it up.
func (e *Engine) End(now units.Time) results.Totals {
	e.syncAll(now)
	queued, processed, lost, sum := e.between(), uint64(0), uint64(0), e.total()
	var t results.Totals
	e.queued = map[flow.ID]uint64{}
	for _, x := range e.slow.fifo[e.slow.head:] {
		e.queued[x.f]++
	}
	for _, x := range e.in.pipe[e.in.head:] {
		e.queued[x.f]++
	}
	for k := range e.instances {
		in := &e.instances[k]
		n, bytes := in.heldNow(int64(now))
		queued += n
		processed += in.in - in.lost - n
		lost += in.lost
		if e.whole {
			t.ProcessedBytes += float64(in.acceptedBytes - bytes)
		}
		for j := range n {
			e.queued[in.who[in.back(int(j))].f]++
		}
		for _, x := range in.inbox {
			e.queued[x.f]++
		}
	}
	t.SlowPath, t.Queued, t.Processed = float64(e.slow.arrived), float64(queued), float64(processed)
	t.Offered, t.Reordered = float64(sum.offered), float64(sum.reordered)
	t.Dropped = results.Drops{Link: float64(sum.link), ESwitch: float64(sum.eswitch), SlowPath: float64(e.slow.lost),
		Instance: float64(lost), Rejected: float64(sum.rejected)}
	for i := range e.flows {
		s := &e.flows[i]
		if s.inquiry == held {
			e.queued[flow.ID(i)]++
		}
		// The bytes that a flow has sent are whole, except for rounding where shares of a segment are added up.
		if whole := math.Round(s.sent); math.Abs(whole-s.sent) < 1e-3 {
			s.sent = whole
		}
		t.OfferedBytes += s.sent
		if !e.whole && s.offered > 0 {
			processed := s.offered - e.outcomes[i].dropped() - e.queued[flow.ID(i)]
			t.ProcessedBytes += float64(float64(processed) * (s.sent / float64(s.offered)))
		}
	}
	return t
}

// Flow fills in a flow's counts.
func (e *Engine) Flow(f flow.ID, row *results.Flow) {
	offered, x, queued := e.flows[f].offered, &e.outcomes[f], e.queued[f]
	row.Offered, row.Dropped, row.Reordered = float64(offered), float64(x.dropped()), float64(x.reordered)
	row.Queued = float64(queued)
	row.Processed = float64(offered - x.dropped() - queued)
	if !e.fate {
		row.Processed, row.Dropped, row.Queued = math.NaN(), math.NaN(), math.NaN()
	}
}
