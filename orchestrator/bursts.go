package orchestrator

import (
	"fmt"
	"math/bits"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// With scheduler.unit: burst, the policy is asked again for each burst of a flow after the first: what follows a gap in
// the flow, a flowlet (S. Kandula, D. Katabi, S. Sinha, A. Berger, ACM SIGCOMM CCR 37(2), 2007; LetFlow: E. Vanini et
// al., NSDI 2017). A stage of the NIC holds where each flow goes, beside its rule, so that a decision writes no rule.

// Bursts is what Dispatch has done since the start.
type Bursts struct {
	Asked   uint64 // calls
	Decided uint64 // of these, those in which the policy was asked
	Moved   uint64 // of these, those that gave the flow another instance
	Digest  uint64 // of all calls in their order: of the time, the flow, and where it went, 0 if nothing was decided
}

// String is as a difference shows it.
func (b Bursts) String() string {
	return fmt.Sprintf("%d bursts, %d decided, %d moved, digest %016x", b.Asked, b.Decided, b.Moved, b.Digest)
}

// note counts a call.
func (b *Bursts) note(now units.Time, id flow.ID, to flow.Instance) {
	b.Asked++
	for _, word := range [...]uint64{uint64(now), uint64(id), uint64(to)} {
		hi, lo := bits.Mul64(b.Digest^word^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
		b.Digest = bits.RotateLeft64(b.Digest, 29) ^ hi ^ lo
	}
}

// Dispatch says where a flow goes from now on, at the beginning of a burst that is not its first, and whether that is
// another instance than before. It is the second entry beside Handle, for a plant with a stage that holds the instance
// of each flow; times must not fall from one call of either to the next.
//
// It takes no action and logs nothing: the plant sends the flow to the instance, and tells the number of decisions and
// their digest by BurstsDispatched, before the next event at the latest and at once if Emptied says so.
//
// The policy is told that the burst before has Ended, is asked, and is told where the flow is Placed. A flow keeps its
// instance if the policy does not place it, and is not asked for while its rule is on its way, or no instance takes
// work.
func (o *Orchestrator) Dispatch(now units.Time, id flow.ID) (to flow.Instance, moved bool) {
	o.now, o.view.Now = now, now
	f := o.flow(id)
	if f == nil || !o.rests(id, f) || len(o.view.IDs) == 0 {
		o.bursts.note(now, id, 0)
		return 0, false
	}
	was := f.target
	takesWork := o.insts[was].state == ready
	if takesWork {
		o.unassign(id, f) // its rule keeps the instance from being finished
	}
	w := o.workOf(id, f)
	w.At = was
	to = was
	if answer, _ := o.sched.Decide(w, &o.view, false); answer.Verdict == policy.Place {
		to = o.view.IDs[answer.Slot]
	}
	if moved = to != was; moved && !takesWork {
		o.unassign(id, f)
	}
	if moved || takesWork {
		o.assign(id, f, to)
	}
	if moved {
		f.ordered, f.origin = to, to
		o.insts[was].rules--
		o.insts[to].rules++
		o.emptied = o.emptied || !takesWork && o.insts[was].rules == 0
		o.bursts.Moved++
	}
	o.bursts.Decided++
	o.bursts.note(now, id, to)
	return to, moved
}

// rests says whether the flow has an instance and a rule in force, which leads there and nowhere else: no order for it
// is unanswered or was refused.
func (o *Orchestrator) rests(id flow.ID, f *flowState) bool {
	return f.phase == placed && f.rule == inForce && len(o.astray[id]) == 0
}

// Bursts is what Dispatch has done so far.
func (o *Orchestrator) Bursts() Bursts { return o.bursts }

// Emptied says that Dispatch has taken the last flow off an instance that drains, which BurstsDispatched deletes.
func (o *Orchestrator) Emptied() bool { return o.emptied }

// burstsDispatched does what bursts have made possible since the last time.
func (o *Orchestrator) burstsDispatched() {
	if !o.emptied {
		return
	}
	o.emptied = false
	for i := 0; i < len(o.alive); {
		id := o.alive[i]
		o.finish(id)
		if i < len(o.alive) && o.alive[i] == id { // not deleted
			i++
		}
	}
}
