package request

import (
	"slices"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// window counts what happened since began by looking at every request.
func (b *brute) window(began int64) {
	span := units.Time(b.now - began).Seconds()
	count := func(is func(*bruteJob) bool) (n int) {
		for _, j := range b.jobs {
			if is(j) {
				n++
			}
		}
		return n
	}
	rate := func(is func(*bruteJob) bool) float64 { return float64(count(is)) / span }
	fate := func(names ...string) func(*bruteJob) bool {
		return func(j *bruteJob) bool { return slices.Contains(names, j.fate) && j.when >= began }
	}
	w := results.Window{T: b.time().Seconds(),
		Offered:         rate(func(j *bruteJob) bool { return j.came >= began }),
		Processed:       rate(fate("replied")),
		Dropped:         rate(fate("stage", "rejected", "instance", "link")),
		DroppedSlowPath: rate(fate("stage")), DroppedRejected: rate(fate("rejected")),
		DroppedInstance: rate(fate("instance")), DroppedLink: rate(fate("link")),
		Queued: float64(count(func(j *bruteJob) bool { return j.fate == "" }))}
	for k, s := range b.servers {
		busy := s.busy
		if s.serving != nil {
			busy += b.now - s.started
			s.started, s.busy = b.now, 0
		}
		state, up := b.life(k, began)
		if state == "" {
			continue
		}
		row := results.Instance{T: w.T, Instance: int32(k + 1), State: state,
			Flows:   s.st.host.Placed(s.st.local(uint16(k))),
			Offered: float64(s.offered) / span, Processed: float64(s.done) / span, Dropped: float64(s.dropped) / span,
			Queue: float64(len(s.queue)), Utilization: float64(busy) / float64(max(up, 1))}
		if row.Serving() {
			w.Instances++
		}
		if b.fleet != nil {
			b.fleet.counted(k, busy)
		}
		if s.offered, s.done, s.dropped, s.busy = 0, 0, 0, 0; row.Flows > 0 {
			w.Used++
		}
		w.Flows += row.Flows
		b.rows = append(b.rows, row)
	}
	b.windows, b.listed = append(b.windows, w), append(b.listed, len(b.rows))
	b.nodes(began, span)
	for s := range b.e.stations {
		none := make([]float64, len(b.servers))
		b.e.stations[s].host.Measured(units.Time(began), b.time(), none, none)
	}
	for s := range b.e.dispatchers {
		none := make([]float64, len(b.nics))
		b.e.dispatchers[s].host.Measured(units.Time(began), b.time(), none, none)
	}
	if b.now < b.e.end {
		b.retryFronts()
		for s := range b.e.stations {
			b.retry(&b.e.stations[s])
		}
	}
}

// latencies are the delays of the requests that were replied to and that a scope has.
func (b *brute) latencies(scope string, number int, has func(*bruteJob) bool) (all []results.Latency) {
	var spans bruteSpans
	for _, j := range b.jobs {
		if has(j) && j.fate == "replied" {
			spans[endToEnd] = append(spans[endToEnd], j.when-j.came)
			spans[wait] = append(spans[wait], j.waited)
			spans[sojourn] = append(spans[sojourn], j.stayed)
		}
	}
	return spans.rows(scope, number)
}

func (s *bruteSpans) rows(scope string, number int) (all []results.Latency) {
	for k := range s {
		var spans packet.Spans
		for _, span := range s[k] {
			spans.Add(span)
		}
		if row, _, ok := spans.Row(scope, number, kindNames[k]); ok {
			all = append(all, row)
		}
	}
	return all
}
