package bruteforce

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// timesOf reads the times of one flow's packets.
func timesOf(t testing.TB, r traces.PacketReader) (times []units.Time) {
	buf := make([]traces.Arrival, 64)
	for {
		n, err := r.Read(buf)
		for _, a := range buf[:n] {
			times = append(times, a.At)
		}
		if errors.Is(err, io.EOF) {
			return times
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// window writes the rows of a window and schedules the next.
func (p *plant) window() {
	if p.now > p.windowBegan {
		p.rows()
	}
	p.at(min(p.now+p.sc.Telemetry.Window, p.end), windowEnds, 0, p.window)
}

func (p *plant) rows() {
	span := (p.now - p.windowBegan).Seconds()
	rate := func(now, before int) float64 { return float64(now-before) / span }
	a, b := &p.sum, &p.before
	w := results.Window{
		T:               p.now.Seconds(),
		Offered:         rate(a.offered, b.offered),
		Ingress:         rate(a.ingress, b.ingress),
		Processed:       rate(a.processed, b.processed),
		Dropped:         rate(a.lost(), b.lost()),
		SlowPath:        rate(a.slow, b.slow),
		ProcessedBits:   8 * rate(a.processedBytes, b.processedBytes),
		Reordered:       float64(a.reordered - b.reordered),
		DroppedInstance: rate(a.lostInstance, b.lostInstance),
		DroppedESwitch:  rate(a.lostESwitch, b.lostESwitch),
		DroppedSlowPath: rate(a.lostSlow, b.lostSlow),
		DroppedLink:     rate(a.lostLink, b.lostLink),
		DroppedRejected: rate(a.unfit, b.unfit),
		Queued:          float64(p.queued()),
	}
	for _, f := range p.flows {
		if f.seen && (!f.ended || f.endDue) {
			w.Flows++
		}
	}
	var rows []results.Instance
	for _, i := range p.instances {
		if (i.state == failed || i.state == gone) && i.left < p.windowBegan {
			continue
		}
		i.work(p)
		r := results.Instance{
			T: w.T, Instance: int32(i.id), State: i.state, Flows: int32(p.holds(i)), Queue: float64(len(i.ring)),
			Offered:   rate(i.offered, i.last.offered),
			Processed: rate(i.processed, i.last.processed),
			Dropped:   rate(i.lost, i.last.lost),
		}
		if i.could > 0 {
			r.Utilization = i.busy / i.could
		}
		if i.state == ready && p.orch.Draining(i.id) {
			r.State = "draining"
		}
		if i.state == ready || i.state == stopping {
			w.Instances++
		}
		if r.Flows > 0 {
			w.Used++
		}
		rows = append(rows, r)
		i.last.offered, i.last.processed, i.last.lost = i.offered, i.processed, i.lost
		i.busy, i.could = 0, 0
	}
	p.rec.Window(&w, rows)
	p.before, p.windowBegan = p.sum, p.now
}

// queued is what is held anywhere, of one flow or of all.
func (p *plant) queued(of ...*flowState) (n int) {
	counts := func(xs ...*frame) {
		for _, x := range xs {
			if len(of) == 0 || slices.Contains(of, x.flow) {
				n++
			}
		}
	}
	counts(p.pipe...)
	counts(p.slow.fifo...)
	for _, f := range p.flows {
		if f.held != nil {
			counts(f.held)
		}
	}
	for _, i := range p.instances {
		counts(i.ring...)
	}
	return n
}

// finish writes the last window, the flows, the delays and the totals.
func (p *plant) finish(t testing.TB) {
	if p.now > p.windowBegan {
		p.rows()
	}
	for _, f := range p.flows {
		if f.begin >= p.end {
			continue
		}
		p.rec.Flow(&results.Flow{
			Flow: int32(f.id), Src: f.tuple.Src.String(), Dst: f.tuple.Dst.String(),
			SrcPort: int32(f.tuple.SrcPort), DstPort: int32(f.tuple.DstPort), Proto: int32(f.tuple.Proto),
			Start: f.begin.Seconds(), End: min(f.end, p.end).Seconds(),
			Instance: int32(f.assigned), Moves: int32(f.moves),
			Offered: float64(f.counts.offered), Processed: float64(f.counts.processed),
			Dropped: float64(f.counts.lost()), Reordered: float64(f.counts.reordered), Queued: float64(p.queued(f)),
		})
	}
	c, r := &p.sum, &p.totals
	r.Offered, r.OfferedBytes = float64(c.offered), float64(c.bytes)
	r.Processed, r.ProcessedBytes = float64(c.processed), float64(c.processedBytes)
	r.Queued, r.SlowPath, r.Reordered = float64(p.queued()), float64(c.slow), float64(c.reordered)
	r.Flows = int64(len(p.flows))
	r.Dropped = results.Drops{Link: float64(c.lostLink), ESwitch: float64(c.lostESwitch), SlowPath: float64(c.lostSlow),
		Instance: float64(c.lostInstance), Rejected: float64(c.unfit)}
	if err := p.rec.Close(&results.Run{Complete: true, Totals: *r}); err != nil {
		t.Fatal(err)
	}
	if !p.rec.Run.Conservation.Holds {
		t.Fatalf("the brute-force simulator loses packets: %+v", p.rec.Run.Conservation)
	}
}

// scope is whose delays are kept, as the record names it.
type scope struct {
	name   string
	number int32
}

// measure keeps the delays of a processed packet.
func (p *plant) measure(i *instance, x *frame) {
	if p.sc.Measure.Delay == "none" {
		return
	}
	scopes := []scope{{"run", 0}, {"instance", int32(i.id)}}
	if p.sc.Measure.Delay == "flows" {
		scopes = append(scopes, scope{"flow", int32(x.flow.id)})
	}
	for _, s := range scopes {
		if p.delays[s] == nil {
			p.delays[s] = map[string][]int64{}
		}
		for kind, d := range map[string]units.Time{
			"wait": x.served - x.arrived, "sojourn": p.now - x.arrived, "end-to-end": p.now - x.sent,
		} {
			p.delays[s][kind] = append(p.delays[s][kind], int64(d))
		}
	}
}
