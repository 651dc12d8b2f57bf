package scalingtest

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// evaluations is how many snapshots a history has.
const evaluations = 60

// history is a run as a policy sees it, drawn from a seed: instances start, become ready, drain and fail, counters are
// missing, the load rises and falls over many orders of magnitude. It begins with nothing measured and, in some
// histories, with no instance.
type history struct {
	rnd  *rand.Rand
	snap policy.Snapshot
	last flow.Instance // created

	share float64 // of those that are created
	held  int     // at the evaluation before
}

func newHistory(seed, which uint64) *history {
	h := &history{rnd: rand.New(rand.NewPCG(seed, which))}
	least := h.rnd.IntN(3)
	h.snap = policy.Snapshot{
		Min: least, Max: max(1, least) + h.rnd.IntN(20), Limit: math.Pow(10, float64(h.rnd.IntN(10))),
		LastScaling: units.Never, LastScaleOut: units.Never, Window: units.Second, Period: units.Second,
	}
	for range h.rnd.IntN(h.snap.Max + 1) {
		h.create()
	}
	h.count()
	h.snap.Wanted = h.snap.Current
	return h
}

// next is the snapshot of the next evaluation, the caller's to keep.
func (h *history) next() *policy.Snapshot {
	s := &h.snap
	s.Now += units.Time(h.rnd.IntN(3)) * units.Second // also none
	h.live()
	h.read()
	s.Held, s.HeldLoad = 0, 0
	if h.rnd.IntN(3) == 0 {
		s.Held = 1 + h.rnd.IntN(5)
		s.HeldLoad = float64(s.Held) * h.rate()
	}
	s.Ahead = float64(h.rnd.IntN(5)) * h.rate()
	s.Backlog = policy.Backlog{Start: h.held, Left: h.rnd.IntN(8), Most: max(h.held, s.Held)}
	h.held = s.Held
	h.count()
	return clone(s)
}

// live lets time pass for the instances.
func (h *history) live() {
	s := &h.snap
	s.Instances = slices.DeleteFunc(s.Instances, func(i policy.Instance) bool {
		return h.rnd.IntN(20) == 0 || i.State == policy.Draining && h.rnd.IntN(3) == 0
	})
	for k := range s.Instances {
		i := &s.Instances[k]
		if i.State == policy.Starting && h.rnd.IntN(2) == 0 {
			i.State, i.Ready = policy.Ready, s.Now
		}
		i.Flows = int32(h.rnd.IntN(5))
	}
}

// read reads the counters, all but some.
func (h *history) read() {
	s := &h.snap
	if h.rnd.IntN(4) == 0 {
		return
	}
	s.Measured = true
	for k := range s.Instances {
		r := &s.Instances[k].Rate
		if r.Stale = h.rnd.IntN(8) == 0; r.Stale || s.Instances[k].State == policy.Starting {
			continue
		}
		rx := h.rate()
		*r = telemetry.Rate{Rx: rx, Tx: rx * h.rnd.Float64(), RxBits: rx * 512, Known: true, Sampled: s.Now}
	}
	h.report()
}

// report reads what the instances' agents report, of all but some.
func (h *history) report() {
	s := &h.snap
	for k := range s.Instances {
		u := &s.Instances[k].Usage
		if u.Stale = h.rnd.IntN(8) == 0; u.Stale || s.Instances[k].State == policy.Starting {
			continue
		}
		*u = telemetry.Usage{CPU: h.rnd.Float64(), Memory: float64(h.rnd.IntN(1 << 30)),
			Queue: float64(h.rnd.IntN(1024)), Delay: [4]float64{1e-6, 2e-6, 3e-6, 4e-6}, Known: true, Sampled: s.Now}
	}
}

// rate is a packet rate about the limit, nothing, or far too much.
func (h *history) rate() float64 {
	switch h.rnd.IntN(10) {
	case 0:
		return 0
	case 1:
		return 1e15
	}
	return h.snap.Limit * h.rnd.Float64() * 1.5
}

// carryOut does what the policy wants.
func (h *history) carryOut(desired int) {
	s := &h.snap
	if desired != s.Current {
		s.LastScaling = s.Now
	}
	if desired > s.Current {
		s.LastScaleOut = s.Now
	}
	s.Wanted = desired
	for range desired - s.Current {
		h.create()
	}
	excess := s.Current - desired
	for k := len(s.Instances) - 1; k >= 0 && excess > 0; k-- {
		if i := &s.Instances[k]; i.State != policy.Draining {
			i.State = policy.Draining
			excess--
		}
	}
}

func (h *history) create() {
	h.last++
	h.snap.Instances = append(h.snap.Instances, policy.Instance{ID: h.last, Created: h.snap.Now, Ready: units.Never,
		Share: h.share, Asked: h.share})
}

// resize gives instances their shares: at once, later, or not at all.
func (h *history) resize(p policy.Proposal) {
	if p.Share > 0 {
		h.share = p.Share
	}
	for k := range h.snap.Instances {
		i := &h.snap.Instances[k]
		if i.Asked != i.Share && h.rnd.IntN(2) == 0 {
			if i.Refused = h.rnd.IntN(4) == 0; i.Refused {
				i.Asked = i.Share
			} else {
				i.Share = i.Asked
			}
		}
	}
	for _, r := range p.Resize {
		for k := range h.snap.Instances {
			switch i := &h.snap.Instances[k]; {
			case i.ID != r.Instance:
			case r.Recreate:
				i.State = policy.Draining
			default:
				i.Asked, i.Refused = r.Share, false
			}
		}
		if r.Recreate {
			h.create()
			i := &h.snap.Instances[len(h.snap.Instances)-1]
			i.Share, i.Asked = r.Share, r.Share
		}
	}
}

// count counts the instances that the number of instances speaks of.
func (h *history) count() {
	h.snap.Current = 0
	for i := range h.snap.Instances {
		if h.snap.Instances[i].State != policy.Draining {
			h.snap.Current++
		}
	}
}
