package queue

import (
	"fmt"

	"github.com/smartinco/smartinco/units"
)

// Advance simulates every packet that arrives before to, which becomes Now. It is an error to go back, or beyond 26
// days; nothing has happened then.
func (q *Queue) Advance(to units.Time) (Report, error) {
	var r Report
	if int64(to) < q.now || to > maxTime {
		return r, fmt.Errorf("queue: advance from %v to %v, want a later time up to %v", units.Time(q.now), to, maxTime)
	}
	before := q.total
	for q.now < int64(to) {
		h := int64(to)
		for _, id := range q.live {
			// A constant-rate source ends between two slices, never within.
			if s := &q.srcs[id]; s.period != 0 && s.next < h && s.end < h {
				h = s.end
			}
		}
		q.slice(h, &r)
	}
	r.Offered, r.Accepted = q.total.Offered-before.Offered, q.total.Accepted-before.Accepted
	r.Dropped = r.Offered - r.Accepted
	return r, nil
}

// slice advances to h or to an earlier instant, by the fastest path that answers.
func (q *Queue) slice(h int64, r *Report) {
	h = q.load(h)
	if q.m.n == 0 {
		q.now = h
		return
	}
	s, why := q.constant()
	if why != "" {
		q.general(h, General, why, r)
		return
	}
	tail := int64(0)
	if q.cfg.Want == Totals && q.cfg.Path <= Jump {
		if h, why = q.jump(h, s, r); why == "" {
			return
		}
	} else {
		why = "counts by source or delays are wanted"
		if q.cfg.Path == Constant {
			why = "the path is set"
		}
	}
	if q.cfg.Want >= PerSource {
		// Whatever is in the system at h arrived less than B services before: there the ring is kept, which knows
		// the sources of the packets that are still queued.
		tail = int64(q.cfg.Buffer) * s
	}
	// A slice's sum of waits stays below 2^63.
	h = min(h, q.now+1<<61/int64(q.cfg.Buffer))
	if h-tail > q.now {
		q.lindley(h-tail, s, why, r)
		h = max(h, q.now)
		if q.now == h || tail == 0 {
			return
		}
		h = q.load(h)
		if q.m.n == 0 {
			q.now = h
			return
		}
		q.general(h, Constant, why, r)
		return
	}
	q.general(h, Constant, why, r)
}

// constant returns the service time that all packets in the system and all that arrive in the slice share, or why
// there is none.
func (q *Queue) constant() (s int64, why string) {
	switch {
	case q.cfg.Path == General:
		return 0, "the path is set"
	case !q.svc.Fixed():
		return 0, "service times are random"
	case !q.m.cbr:
		return 0, "arrivals are not at constant rates"
	}
	s = q.fixed(q.srcs[q.m.lanes[0].id].size)
	for _, l := range q.m.lanes[1:q.m.n] {
		if q.fixed(q.srcs[l.id].size) != s {
			return 0, "packets differ in service time"
		}
	}
	b := int64(q.cfg.Buffer)
	if s < 1 || s > 1<<60/b/b {
		return 0, "the sum of waits could overflow"
	}
	if q.lean && q.s == s {
		return s, ""
	}
	q.fatten()
	k := q.InSystem()
	from := q.now
	for i := k - 1; i >= 0; i-- {
		dep := q.back(i).dep
		if gap := dep - from; gap > s || gap < s && i < k-1 {
			return 0, "packets in the system differ in service time"
		}
		from = dep
	}
	return s, ""
}

// count closes a slice that reached h.
func (q *Queue) count(h int64, path Path, why string, r *Report, offered, accepted uint64) {
	q.now = h
	q.total.Offered += offered
	q.total.Accepted += accepted
	q.total.Dropped = q.total.Offered - q.total.Accepted
	r.Steps[path] += offered
	if path > r.Path {
		r.Path, r.Why = path, why
	}
}
