// Package policytest holds a scheduling policy to the contract of package policy: in worlds of flows, of flows with
// bursts, and of requests, as its row says. A family's test is
//
//	func TestContract(t *testing.T) {
//		for _, row := range Policies {
//			policytest.Run(t, row)
//		}
//	}
package policytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Options are the row's options with the defaults of their tags; nil for a policy without options.
func Options(row *policy.Row) any {
	if row.Options == nil {
		return nil
	}
	o := reflect.New(reflect.TypeOf(row.Options))
	strictyaml.Defaults(o.Interface())
	return o.Elem().Interface()
}

// New makes a policy with a stream of its own from the seed. Ties are broken by number. Where the row says that it
// decides on requests alone, it is made for those, and otherwise for flows.
func New(t testing.TB, row *policy.Row, options any, seed uint64) policy.Policy {
	t.Helper()
	return Of(t, row, options, seed, unitsOf(row)[0])
}

// Of makes a policy as New does, for units of that kind.
func Of(t testing.TB, row *policy.Row, options any, seed uint64, unit policy.Unit) policy.Policy {
	t.Helper()
	p, err := row.New(options, env(row, seed, unit))
	if err != nil {
		t.Fatalf("%s with %+v: %v", row.Name, options, err)
	}
	return p
}

func env(row *policy.Row, seed uint64, unit policy.Unit) policy.Env {
	source := rand.NewPCG(seed, 1)
	return policy.Env{Rand: rand.New(source), Source: source, Counts: make([]uint64, len(row.Counters)), Unit: unit}
}

// unitsOf are the kinds of units on which a policy decides.
func unitsOf(row *policy.Row) (all []policy.Unit) {
	for _, u := range []policy.Unit{policy.Flows, policy.Bursts, policy.Requests} {
		if row.On(u) {
			all = append(all, u)
		}
	}
	return all
}

// Run tests a policy in random worlds, with the defaults of its options and with each of the others given. Options with
// which New fails for requests, as where they ask for what is not known of those, are tried with flows alone.
func Run(t *testing.T, row policy.Row, others ...any) {
	t.Run(row.Name, func(t *testing.T) {
		t.Run("is described", func(t *testing.T) { described(t, &row) })
		for _, unit := range unitsOf(&row) {
			for _, options := range append([]any{Options(&row)}, others...) {
				t.Run(fmt.Sprintf("%v %+v", unit, options), func(t *testing.T) { random(t, &row, options, unit) })
			}
		}
	})
}

func random(t *testing.T, row *policy.Row, options any, unit policy.Unit) {
	if unit != policy.Requests {
		for seed := range uint64(8) {
			w := newWorld(t, row, options, seed, unit)
			for range 400 {
				w.step()
			}
		}
		return
	}
	if _, err := row.New(options, env(row, 0, unit)); err != nil && row.On(policy.Flows) {
		t.Logf("these options are for flows alone: %v", err)
		return
	}
	for seed := range uint64(12) {
		newPlant(t, row, options, seed).run(400)
	}
	if n := NewSteady(t, row, options, 64).allocations(); n > 0 {
		t.Errorf("%v allocations in 1000 requests, want none", n)
	}
}

func described(t *testing.T, row *policy.Row) {
	if row.Name == "" || row.Rule == "" || row.Source == "" || row.Score == "" || row.Cost == "" ||
		len(row.Reasons) == 0 || row.New == nil {
		t.Errorf("the row is incomplete: %+v", row)
	}
	if !row.Sees.Has(policy.T0) {
		t.Error("the row does not declare T0, which every policy sees")
	}
	if row.Dispatch != policy.ByRule && row.Sees != policy.T0 {
		t.Errorf("the row sees %v: want T0 alone, since no rule is counted and no flow is known", row.Sees)
	}
	if row.Bursts && (!row.On(policy.Flows) || row.Dispatch != policy.ByRule) {
		t.Error("the row decides on bursts, and not on flows by rule: a flow's first burst is a flow")
	}
	if seen := row.Shown(policy.Requests); row.On(policy.Requests) && (seen.Has(policy.T2) || !row.Sees.Has(seen)) {
		t.Errorf("of requests the row sees %v, of %v: want less, and no T2, since their packets are not counted", seen,
			row.Sees)
	}
}

// world is instances that come and go, and flows. Two copies of the policy live in it: one is asked with a log, one
// without, and they must not differ.
type world struct {
	t      testing.TB
	row    *policy.Row
	unit   policy.Unit
	sees   policy.Class
	sent   func(*policy.Work) // what follows a placement; nil: nothing
	rand   *rand.Rand
	copies [2]policy.Policy
	view   policy.View
	next   flow.Instance
	flows  []*policy.Work // that have an instance
	held   []*policy.Work
	seen   flow.ID
}

func newWorld(t testing.TB, row *policy.Row, options any, seed uint64, unit policy.Unit) *world {
	w := &world{t: t, row: row, unit: unit, sees: row.Shown(unit), rand: rand.New(rand.NewPCG(seed, 2)), next: 1,
		view: policy.View{Limit: 10e6}}
	w.view.SlowStart = units.Time(w.rand.IntN(2)*w.rand.IntN(9)) * units.Second
	if w.view.FullConn = int32(w.rand.IntN(2) * w.rand.IntN(20)); w.view.FullConn > 0 {
		w.view.MinConn = []int32{}
	}
	for i := range w.copies {
		w.copies[i] = Of(t, row, options, seed, unit)
	}
	return w
}

func (w *world) tell(e policy.Event) {
	v := w.view
	v.IDs, v.Flows = slices.Clone(v.IDs), slices.Clone(v.Flows)
	v.Load, v.Back, v.Queue = slices.Clone(v.Load), slices.Clone(v.Back), slices.Clone(v.Queue)
	v.Live, v.LiveLoad, v.Delay = slices.Clone(v.Live), slices.Clone(v.LiveLoad), slices.Clone(v.Delay)
	v.Weight, v.MaxConn, v.MinConn = slices.Clone(v.Weight), slices.Clone(v.MaxConn), slices.Clone(v.MinConn)
	for _, p := range w.copies {
		p.Observe(&e, &w.view)
	}
	if !reflect.DeepEqual(v, w.view) {
		w.t.Fatalf("event %+v: the policy has changed the view from %+v to %+v", e, v, w.view)
	}
}

func (w *world) step() {
	w.view.Now += units.Time(w.rand.IntN(3)) * 100 * units.Millisecond
	n := len(w.view.IDs)
	switch k := w.rand.IntN(20); {
	case n == 0 || k == 0 && n < 12:
		w.join()
	case k == 1:
		w.leave(w.rand.IntN(n))
	case k == 2:
		w.measure()
	case k == 3:
		w.counted()
		w.report()
	case w.unit == policy.Bursts && k >= 14 && len(w.flows) > 0:
		w.burst(w.flows[w.rand.IntN(len(w.flows))])
	case k == 4 && len(w.held) > 0: // it gives up
		w.unqueue(w.rand.IntN(len(w.held)))
	case k < 9 && len(w.flows) > 0:
		w.end(w.rand.IntN(len(w.flows)))
	default:
		w.arrive()
	}
}

func (w *world) join() {
	w.joinAt(len(w.view.IDs), w.next)
	w.next += flow.Instance(1 + w.rand.IntN(2))
	w.tell(policy.Event{Kind: policy.Joined, Slot: len(w.view.IDs) - 1})
}

// joinAt makes the row of an instance that takes work from now on.
func (w *world) joinAt(slot int, id flow.Instance) {
	v := &w.view
	v.IDs = slices.Insert(v.IDs, slot, id)
	v.Weight = slices.Insert(v.Weight, slot, int32(w.rand.IntN(6)*w.rand.IntN(3)))
	v.MaxConn = slices.Insert(v.MaxConn, slot, int32(w.rand.IntN(4)*w.rand.IntN(2)))
	if v.MinConn != nil {
		v.MinConn = slices.Insert(v.MinConn, slot, int32(w.rand.IntN(4)))
	}
	if w.sees.Has(policy.T1) {
		v.Flows = slices.Insert(v.Flows, slot, 0)
	}
	if w.sees.Has(policy.T2) {
		v.Load, v.Back = slices.Insert(v.Load, slot, 0), slices.Insert(v.Back, slot, 0)
	}
	switch {
	case w.sees.Has(policy.T3) && w.unit != policy.Requests:
		v.Delay = slices.Insert(v.Delay, slot, 0)
	case w.sees.Has(policy.T3):
		v.Queue = slices.Insert(v.Queue, slot, 0)
	}
}

// leave takes an instance off, and then ends its flows, as when it dies.
func (w *world) leave(slot int) {
	id := w.view.IDs[slot]
	w.left(slot)
	for i := len(w.flows) - 1; i >= 0; i-- {
		if w.flows[i].At == id {
			w.end(i)
		}
	}
}

// left takes the row of an instance away.
func (w *world) left(slot int) {
	v := &w.view
	w.tell(policy.Event{Kind: policy.Left, Slot: slot})
	v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
	v.MaxConn = slices.Delete(v.MaxConn, slot, slot+1)
	if v.MinConn != nil {
		v.MinConn = slices.Delete(v.MinConn, slot, slot+1)
	}
	if v.Flows != nil {
		v.Flows = slices.Delete(v.Flows, slot, slot+1)
	}
	if v.Load != nil {
		v.Load = slices.Delete(v.Load, slot, slot+1)
		v.Back = slices.Delete(v.Back, slot, slot+1)
	}
	if v.Delay != nil {
		v.Delay = slices.Delete(v.Delay, slot, slot+1)
	}
	if v.Queue != nil {
		v.Queue = slices.Delete(v.Queue, slot, slot+1)
	}
}

func (w *world) measure() {
	w.tell(policy.Event{Kind: policy.Asked})
	if !w.sees.Has(policy.T2) {
		return
	}
	v := &w.view
	v.Live, v.LiveLoad = slices.Clone(v.IDs), v.LiveLoad[:0]
	for i := range v.IDs {
		v.Load[i] = float64(w.rand.IntN(15)) * 1e6
		v.Back[i] = min(v.Load[i], 9e6)
		v.LiveLoad = append(v.LiveLoad, v.Load[i])
	}
	w.tell(policy.Event{Kind: policy.Measured, Since: v.Now - units.Second, Until: v.Now})
}

// report shows what agents report.
func (w *world) report() {
	if !w.sees.Has(policy.T3) {
		return
	}
	for i := range w.view.Delay {
		w.view.Delay[i] = float64(w.rand.IntN(3)*w.rand.IntN(100)) * 1e-6
	}
	w.tell(policy.Event{Kind: policy.Reported, Slot: -1, Until: w.view.Now})
}

func (w *world) end(i int) {
	f := w.flows[i]
	w.flows = slices.Delete(w.flows, i, i+1)
	w.unassign(f)
	w.again()
}

// again asks for the flows that are held, those of each queue the oldest first, until one stays so.
func (w *world) again() {
	stuck := map[int]bool{}
	for i := w.first(stuck); i >= 0 && len(w.view.IDs) > 0; i = w.first(stuck) {
		f := w.held[i]
		f.Held = true
		if a := w.ask(f); a.Verdict == policy.Hold {
			stuck[w.queue(f)] = true
		} else {
			w.unqueue(i)
			w.settle(f, a)
		}
	}
}

// first is the held flow to be tried next, none of the queues that are stuck, or -1.
func (w *world) first(stuck map[int]bool) int {
	first, at := 0, -1
	for i, f := range w.held {
		q := w.queue(f)
		if !stuck[q] && (at < 0 || q != first && w.before(q, first)) {
			first, at = q, i
		}
	}
	return at
}

// queue is where a flow waits.
func (w *world) queue(f *policy.Work) int {
	r, ok := w.copies[0].(policy.Ranker)
	if !ok {
		return 0
	}
	free := *f
	free.Held = false
	q := r.Queue(f)
	if other := w.copies[1].(policy.Ranker).Queue(&free); q != other {
		w.t.Fatalf("%+v waits in queue %d, and in %d", *f, q, other)
	}
	return q
}

// before reports whether a queue is tried before another one.
func (w *world) before(a, b int) bool {
	r, s := w.copies[0].(policy.Ranker), w.copies[1].(policy.Ranker)
	ab, ba := r.Before(a, b), r.Before(b, a)
	if ab && ba || ab != s.Before(a, b) || ba != s.Before(b, a) {
		w.t.Fatalf("queue %d before %d: %v, %d before %d: %v; or another copy differs", a, b, ab, b, a, ba)
	}
	return ab || !ba && a < b
}

// unqueue takes a flow off those that are held.
func (w *world) unqueue(i int) {
	f := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	w.tell(policy.Event{Kind: policy.Unqueued, Slot: -1, Work: f})
}

func (w *world) unassign(f *policy.Work) {
	slot, found := slices.BinarySearch(w.view.IDs, f.At)
	if !found {
		slot = -1
	} else if w.view.Flows != nil {
		w.view.Flows[slot]--
	}
	w.tell(policy.Event{Kind: policy.Ended, Slot: slot, Work: f})
	f.At = 0
}

func (w *world) assign(f *policy.Work, slot int) {
	f.At = w.view.IDs[slot]
	if w.view.Flows != nil {
		w.view.Flows[slot]++
	}
	w.tell(policy.Event{Kind: policy.Placed, Slot: slot, Work: f})
}

// burst has a flow's next burst begin. It stays where it is unless it is placed.
func (w *world) burst(f *policy.Work) {
	at := f.At
	slot, _ := slices.BinarySearch(w.view.IDs, at)
	w.unassign(f)
	f.At = at
	if a := w.ask(f); a.Verdict == policy.Place {
		slot = a.Slot
	}
	w.assign(f, slot)
}

func (w *world) arrive() {
	f := w.work()
	w.settle(f, w.ask(f))
}

// work is a new unit, with what the row shows of it.
func (w *world) work() *policy.Work {
	f := &policy.Work{Flow: w.seen}
	w.seen++
	if w.row.Tuple {
		f.Tuple = Tuple(w.rand)
	}
	if w.row.Tenant {
		f.Tenant = []string{"", "a", "b"}[w.rand.IntN(3)]
	}
	if w.sees.Has(policy.T5) {
		f.Rate = float64(w.rand.IntN(4)) * 2.5e6
	}
	return f
}

func (w *world) settle(f *policy.Work, a policy.Answer) {
	f.Held = false
	switch a.Verdict {
	case policy.Place:
		w.assign(f, a.Slot)
		w.flows = append(w.flows, f)
		if w.sent != nil {
			w.sent(f)
		}
	case policy.Hold:
		w.hold(f)
	}
}

// hold has a unit wait.
func (w *world) hold(f *policy.Work) {
	w.held = append(w.held, f)
	w.tell(policy.Event{Kind: policy.Queued, Slot: -1, Work: f})
}

// Tuple draws a five-tuple, of IPv4 or IPv6.
func Tuple(r *rand.Rand) flow.FiveTuple {
	t := flow.FiveTuple{SrcPort: uint16(r.Uint32()), DstPort: uint16(r.Uint32()), Proto: flow.UDP}
	for _, a := range []*netip.Addr{&t.Src, &t.Dst} {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		*a = netip.AddrFrom16(b)
	}
	if r.IntN(2) == 0 {
		src, dst := t.Src.As16(), t.Dst.As16()
		t.Src, t.Dst = netip.AddrFrom4([4]byte(src[:4])), netip.AddrFrom4([4]byte(dst[:4]))
	}
	return t
}

// ask has all copies pick, and checks their answers.
func (w *world) ask(f *policy.Work) policy.Answer {
	var log policy.Weighed
	was := *f
	a := w.copies[0].Pick(f, &w.view, &log)
	if b := w.copies[1].Pick(f, &w.view, nil); a != b {
		w.t.Fatalf("answers %+v with a log, and %+v without", a, b)
	}
	if *f != was {
		w.t.Fatalf("the policy has changed the work from %+v to %+v", was, *f)
	}
	if int(a.Why) >= len(w.row.Reasons) {
		w.t.Fatalf("reason %d, of %d", a.Why, len(w.row.Reasons))
	}
	if a.Verdict > policy.Drop || a.Verdict == policy.Place && (a.Slot < 0 || a.Slot >= len(w.view.IDs)) {
		w.t.Fatalf("answer %+v among %d instances", a, len(w.view.IDs))
	}
	if w.row.Dispatch == policy.ByEither { // it knows of a packet no more than of which flow that is
		other := policy.Work{Flow: f.Flow + 1, At: 77, Held: !f.Held, Tuple: f.Tuple}
		for _, p := range w.copies {
			if b := p.Pick(&other, &w.view, nil); a != b {
				w.t.Fatalf("answers %+v, and %+v for the next packet", a, b)
			}
		}
	}
	w.weighed(a, log.Ratings)
	return a
}

// weighed checks the candidates that were logged: the choice, if it fits, has the best score of those that do.
func (w *world) weighed(a policy.Answer, all []policy.Rating) {
	for i, r := range all {
		if i > 0 && all[i-1].Slot >= r.Slot || r.Slot < 0 || r.Slot >= len(w.view.IDs) || math.IsNaN(r.Score) {
			w.t.Fatalf("candidates %+v among %d instances: want rows in ascending order, with scores",
				all, len(w.view.IDs))
		}
	}
	if a.Verdict != policy.Place {
		return
	}
	at := slices.IndexFunc(all, func(r policy.Rating) bool { return r.Slot == a.Slot })
	if at < 0 {
		w.t.Fatalf("places in row %d, which is not among the candidates %+v", a.Slot, all)
	}
	for _, r := range all {
		better := r.Score < all[at].Score
		if w.row.Highest {
			better = r.Score > all[at].Score
		}
		if r.Fits && all[at].Fits && better || r.Fits && !all[at].Fits {
			w.t.Fatalf("places in row %d, and row %d is better: %+v", a.Slot, r.Slot, all)
		}
	}
}

// counted shows a Mover what rules have counted, and carries out its moves.
func (w *world) counted() {
	m, ok := w.copies[0].(policy.Mover)
	if !ok || len(w.view.IDs) == 0 {
		return
	}
	if m.Every() <= 0 {
		w.t.Fatalf("reads the rules every %v: want a time above 0", m.Every())
	}
	slices.SortFunc(w.flows, func(a, b *policy.Work) int { return int(a.Flow - b.Flow) })
	var all []policy.Counted
	for _, f := range w.flows {
		if slot, ok := slices.BinarySearch(w.view.IDs, f.At); ok && w.rand.IntN(8) > 0 {
			packets := uint64(w.rand.IntN(1000) * w.rand.IntN(1000))
			all = append(all, policy.Counted{Work: *f, Slot: slot, Packets: packets})
		}
	}
	moves := m.Moves(&w.view, slices.Clone(all), nil)
	if again := w.copies[1].(policy.Mover).Moves(&w.view, slices.Clone(all), nil); !slices.Equal(moves, again) {
		w.t.Fatalf("moves %+v, and %+v", moves, again)
	}
	for _, mv := range moves {
		at := slices.IndexFunc(w.flows, func(f *policy.Work) bool { return f.Flow == mv.Flow })
		if at < 0 || mv.Slot < 0 || mv.Slot >= len(w.view.IDs) {
			w.t.Fatalf("move %+v of %d flows among %d instances", mv, len(w.flows), len(w.view.IDs))
		}
		if f := w.flows[at]; f.At != w.view.IDs[mv.Slot] {
			w.unassign(f)
			w.assign(f, mv.Slot)
		}
	}
}
