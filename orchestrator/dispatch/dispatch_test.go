package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// diary is a policy that writes down what it is told and shown, and answers what the test says.
type diary struct {
	lines  []string
	answer func(w *policy.Work, v *policy.View) policy.Answer
}

func (d *diary) Observe(e *policy.Event, v *policy.View) {
	work := "-"
	if e.Work != nil {
		work = fmt.Sprintf("%d@%d", e.Work.Flow, e.Work.At)
	}
	d.lines = append(d.lines, fmt.Sprintf("%d: %d slot %d work %s queue %d delay %g; flows %v queues %v load %v", v.Now,
		e.Kind, e.Slot, work, e.Queue, e.Delay, v.Flows, v.Queue, v.Load))
}

func (d *diary) Pick(w *policy.Work, v *policy.View, _ *policy.Weighed) policy.Answer {
	return d.answer(w, v)
}

func (d *diary) Queue(w *policy.Work) int { return int(w.Priority) }
func (d *diary) Before(a, b int) bool     { return a > b }

func (d *diary) take() string {
	all := strings.Join(d.lines, "\n")
	d.lines = nil
	return all
}

func host(t *testing.T, d *diary, sees policy.Class, held int) *Host {
	t.Helper()
	row := &policy.Row{Info: policy.Info{Name: "diary", Rule: "r", Source: "s", Sees: sees}, Unit: policy.Requests,
		Reasons: []string{"so", "full"}, Maker: policy.Plain(func(policy.Env) policy.Policy { return d })}
	h, err := New(Config{Seed: 1, Scheduler: scheduler.DefaultOptions(), Policy: row, Held: held, Weights: []int{3, 1},
		MaxConn: []int{7}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What a policy is told of a request, from its coming to its reply, and what it is shown.
func TestWhatAPolicyIsTold(t *testing.T) {
	d := &diary{answer: func(*policy.Work, *policy.View) policy.Answer { return policy.Answer{Slot: 1} }}
	h := host(t, d, policy.T0|policy.T1|policy.T2|policy.T3, 10)
	h.Joined(1, 2)
	h.Joined(2, 5)
	if got := d.take(); got != "1: 0 slot 0 work - queue 0 delay 0; flows [0] queues [0] load [0]\n"+
		"2: 0 slot 1 work - queue 0 delay 0; flows [0 0] queues [0 0] load [0 0]" {
		t.Error(got)
	}
	v := &h.view
	if !slices.Equal(v.Weight, []int32{1, 1}) || !slices.Equal(v.MaxConn, []int32{7, 7}) || len(v.Live) != 2 {
		t.Errorf("%+v", v)
	}
	w := &policy.Work{Flow: 9}
	if a := h.Dispatch(3, w); a.Slot != 1 || w.At != 5 || h.Placed(5) != 1 || h.Placed(2) != 0 || h.Placed(77) != 0 {
		t.Errorf("%+v, %+v", a, w)
	}
	h.Ended(4, w, 6)
	h.Probed(5, 2, 8, 0.5)
	h.Probed(5, 99, 8, 0.5) // is not there any more
	h.Measured(0, 6, []float64{0, 11, 0, 0, 22}, []float64{0, 1, 0, 0, 2})
	h.Left(7, 2)
	h.Left(7, 2)
	if got, want := d.take(), strings.Join([]string{
		"3: 2 slot 1 work 9@5 queue 0 delay 0; flows [0 1] queues [0 0] load [0 0]",
		"4: 3 slot 1 work 9@5 queue 6 delay 0; flows [0 0] queues [0 6] load [0 0]",
		"5: 9 slot 0 work - queue 8 delay 0.5; flows [0 0] queues [0 6] load [0 0]",
		"6: 4 slot 0 work - queue 0 delay 0; flows [0 0] queues [0 6] load [0 0]",
		"6: 5 slot 0 work - queue 0 delay 0; flows [0 0] queues [0 6] load [11 22]",
		"7: 1 slot 0 work - queue 0 delay 0; flows [0 0] queues [0 6] load [11 22]",
	}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// A reply of an instance that has left has no row.
	w.At = 2
	h.Ended(8, w, 1)
	if got := d.take(); got != "8: 3 slot -1 work 9@2 queue 1 delay 0; flows [0] queues [6] load [22]" {
		t.Error(got)
	}
}

// An instance that is taken back has what it had: the requests that it has not replied to meanwhile, what its last
// reply said, and what was counted.
func TestTakenBack(t *testing.T) {
	d := &diary{answer: func(*policy.Work, *policy.View) policy.Answer { return policy.Answer{} }}
	h := host(t, d, policy.T0|policy.T1|policy.T2|policy.T3, 10)
	h.Joined(0, 2)
	h.Joined(0, 3)
	works := make([]policy.Work, 3)
	for i := range works {
		h.Dispatch(1, &works[i])
	}
	h.Measured(0, 2, []float64{0, 7, 8}, []float64{0, 5, 6})
	h.Left(3, 2)
	h.Ended(4, &works[0], 2)
	h.Measured(2, 5, []float64{0, 1, 9}, []float64{0, 3, 4})
	if n := h.Placed(2); n != 2 {
		t.Errorf("%d requests at an instance that has left, want 2", n)
	}
	d.take()
	h.Joined(6, 2)
	h.Ended(7, &works[1], 1)
	if got, want := d.take(), "6: 0 slot 0 work - queue 0 delay 0; flows [2 0] queues [2 0] load [1 9]\n"+
		"7: 3 slot 0 work 0@2 queue 1 delay 0; flows [1 0] queues [1 0] load [1 9]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v := &h.view; v.Back[0] != 3 || h.Placed(99) != 0 {
		t.Errorf("%+v", v)
	}
}

// The queue of held requests over a time: what waited when it began, how many left it or passed it, and the most.
func TestBacklog(t *testing.T) {
	room := 0
	d := &diary{answer: func(*policy.Work, *policy.View) policy.Answer {
		if room == 0 {
			return policy.Answer{Verdict: policy.Hold, Why: 1}
		}
		room--
		return policy.Answer{}
	}}
	h := host(t, d, policy.T0, 2)
	h.Joined(0, 1)
	come := func() {
		if w := (&policy.Work{}); h.Dispatch(1, w).Verdict == policy.Hold {
			h.Hold(1, w, 0)
		}
	}
	take := func(want policy.Backlog) {
		t.Helper()
		if got := h.TakeBacklog(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	room = 1
	come() // passes
	come()
	come()
	come() // is lost
	take(policy.Backlog{Left: 1, Most: 2})
	room = 1
	h.Left(2, 99)
	h.Probed(2, 1, 0, 0)
	h.Next(2)
	take(policy.Backlog{Start: 2, Left: 1, Most: 2})
	take(policy.Backlog{Start: 1, Most: 1})
}

// A policy sees what its row declares, and no more.
func TestNarrowing(t *testing.T) {
	h := host(t, &diary{}, policy.T0, 1)
	h.Joined(0, 1)
	h.Measured(0, 1, []float64{1}, []float64{1})
	v := &h.view
	if v.Flows != nil || v.Queue != nil || v.Load != nil || v.Back != nil || v.Live != nil || len(v.IDs) != 1 {
		t.Errorf("%+v", v)
	}
}

// Held requests leave in the order of their queues and, in one, of their coming, when something has changed; those of a
// queue whose first has to stay are not asked for.
func TestHeld(t *testing.T) {
	room, asked := 0, []flow.ID{}
	d := &diary{answer: func(w *policy.Work, _ *policy.View) policy.Answer {
		if w.Held {
			asked = append(asked, w.Flow)
		}
		switch {
		case room > 0:
			room--
			return policy.Answer{}
		case w.Flow == 4 && w.Held:
			return policy.Answer{Verdict: policy.Drop, Why: 1}
		}
		return policy.Answer{Verdict: policy.Hold, Why: 1}
	}}
	h := host(t, d, policy.T0, 5)
	h.Joined(0, 1)
	for id, priority := range []uint8{0, 2, 0, 2, 1, 0} {
		w := &policy.Work{Flow: flow.ID(id), Priority: priority}
		if a := h.Dispatch(1, w); a.Verdict != policy.Hold {
			t.Fatalf("%+v", a)
		}
		if kept := h.Hold(1, w, int32(10+id)); kept != (id < 5) {
			t.Errorf("request %d is held: %v", id, kept)
		}
	}
	if h.Held() != 5 || h.Overflow != 1 {
		t.Errorf("%d held, %d too many", h.Held(), h.Overflow)
	}
	next := func() (order []string) {
		asked = asked[:0]
		for {
			ref, w, a, ok := h.Next(2)
			if !ok {
				return order
			}
			order = append(order, fmt.Sprintf("%d:%d@%d", ref, a.Verdict, w.At))
		}
	}
	// Nothing fits. The head of each queue is asked for, the most urgent first; 4 is refused.
	if got, want := fmt.Sprint(next(), asked), "[14:2@0] [1 4 0]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Nothing has changed since, so none is asked for again.
	if got, want := fmt.Sprint(next(), asked), "[] []"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	room = 3
	h.Probed(3, 1, 0, 0)
	if got, want := fmt.Sprint(next(), asked), "[11:0@1 13:0@1 10:0@1] [1 3 0 2]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c := h.Counts()
	if c.Placed != 3 || c.Held != 6 || c.Refused != 1 || c.Reasons[1].N != 7 || h.Held() != 1 {
		t.Errorf("%+v, %d held", c, h.Held())
	}
}

// The ring of held requests keeps their order while it grows and wraps.
func TestHeldRing(t *testing.T) {
	var h heldWork
	in, out := int32(0), int32(0)
	for n := range 200 {
		for range n % 7 {
			h.push(&policy.Work{Flow: flow.ID(in)}, in)
			in++
		}
		for range n % 5 {
			q := h.next()
			if q == nil {
				break
			}
			if q.head().ref != out || q.head().work.Flow != flow.ID(out) {
				t.Fatalf("request %d before %d", q.head().ref, out)
			}
			h.pop(q)
			out++
		}
	}
	if int(in-out) != h.n {
		t.Errorf("%d held, want %d", h.n, in-out)
	}
}

func TestWhoCannotDecideOnRequests(t *testing.T) {
	options := scheduler.DefaultOptions()
	options.Policy = scheduler.Named("best-fit")
	want := "scheduler.policy: best-fit decides on flows, and this engine has requests"
	if _, err := New(Config{Scheduler: options}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, c := range []struct {
		row  policy.Row
		want string
	}{
		{policy.Row{Info: policy.Info{Name: "x", Sees: policy.T5}, Unit: policy.Either},
			"scheduler.policy: x is told what flows will offer, which a request has not"},
		{policy.Row{Info: policy.Info{Name: "x"}, Unit: policy.Either, Measures: policy.SetOf(policy.DelayP50)},
			"scheduler.policy: x goes by reports of delay-p50, which this engine has not"},
	} {
		if err := Check(&c.row); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for i := range scheduler.Policies {
		row := &scheduler.Policies[i]
		if Check(row) != nil {
			continue
		}
		options.Policy = scheduler.Named(row.Name)
		h, err := New(Config{Scheduler: options})
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		h.Joined(0, 1)
		w := &policy.Work{Flow: 1}
		if a := h.Dispatch(units.Second, w); a.Verdict == policy.Place && w.At != 1 {
			t.Errorf("%s: placed at %d", row.Name, w.At)
		}
	}
}

// Without an instance, what scheduler.no_instance says holds, as it does for flows.
func TestNoInstance(t *testing.T) {
	options := scheduler.DefaultOptions()
	for choice, want := range map[string]policy.Verdict{"hold": policy.Hold, "drop": policy.Drop} {
		options.NoInstance = choice
		h, err := New(Config{Scheduler: options})
		if err != nil {
			t.Fatal(err)
		}
		if a := h.Dispatch(0, &policy.Work{}); a.Verdict != want {
			t.Errorf("%s: %+v", choice, a)
		}
	}
}
