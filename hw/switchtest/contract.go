package switchtest

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

func installSteers(r *rig) {
	if c := r.sw.Capabilities(); c.Name == "" || c.PacketInQueue < 1 || c.Counting == "" || c.SlowPath == "" {
		r.Errorf("capabilities %+v: want a name, room for packet-ins, and words on counters and slow path", c)
	}
	r.attach(1, 2)
	for f := range 4 {
		r.install(rule(f, 1))
		r.send(f, 3)
		r.arrives(r.ports(1).In, f, 3)
	}
	r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.nothing()
}

func missesGoUp(r *rig) {
	r.attach(1)
	for f := range 4 {
		r.goesUp(f)
	}
	// Neither a frame without a flow, nor one that comes in at another port.
	arp := append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6}, make([]byte, 46)...)
	r.must(r.Send(r.Uplink, arp))
	r.must(r.Send(r.Ports[0], frame(tuple(5), length)))
	r.goesUp(6)
}

func duplicates(r *rig) {
	r.attach(1, 2)
	r.install(rule(0, 1))
	same, other := rule(1, 2), rule(0, 2)
	same.Tuple = tuple(0)
	r.must(r.sw.Install(other, same, rule(2, 2)))
	r.rejected(hw.OpInstall, 0, 2)
	r.rejected(hw.OpInstall, 1, 2)
	r.confirmed(hw.OpInstall, 2, 2)
	r.send(0, 1)
	r.arrives(r.ports(1).In, 0, 1)
	if n := len(r.rules()); n != 2 {
		r.Errorf("%d rules, want 2", n)
	}
}

func impossible(r *rig) {
	negative, icmp, mixed, idle, instance := rule(0, 0), rule(1, 0), rule(2, 0), rule(3, 0), rule(4, -1)
	negative.Flow = -1
	icmp.Tuple.Proto = flow.ICMP
	mixed.Tuple.Src = tuple(0).Src
	idle.Idle = -time.Second
	r.must(r.sw.Install(negative, icmp, mixed, idle, instance))
	for f := -1; f < 4; f++ {
		if f == 0 {
			continue
		}
		r.rejected(hw.OpInstall, f, 0)
	}
	r.rejected(hw.OpInstall, 4, -1)
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules in force: %+v", got)
	}
}

func moves(r *rig) {
	r.attach(1, 2)
	r.install(rule(0, 1))
	r.send(0, 5)
	r.ruleCounts(0, 1, 5)
	r.counts(1, 5, 0)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}, hw.Move{Flow: 7, Instance: 2}))
	r.confirmed(hw.OpMove, 0, 2)
	r.rejected(hw.OpMove, 7, 2)
	r.arrives(r.ports(1).In, 0, 5)
	r.settle()
	r.send(0, 4)
	r.arrives(r.ports(2).In, 0, 4)
	r.ruleCounts(0, 2, 9)
	r.counts(1, 5, 0)
	r.counts(2, 4, 0)
	r.nothing()
}

// movesWhileRead moves a rule to and fro while others read it: each reading has it, with all that it has counted.
func movesWhileRead(r *rig) {
	r.attach(1, 2)
	r.install(rule(0, 1))
	r.send(0, 5)
	r.ruleCounts(0, 1, 5)
	const readings = 50
	ctx, read := r.context(), make(chan error)
	go func() {
		for range readings {
			got, err := r.sw.Rules(ctx)
			if err == nil && (len(got.Rules) != 1 || got.Rules[0].Flow != 0 || got.Rules[0].Packets != 5) {
				err = fmt.Errorf("read %+v, want the rule of flow 0 with 5 frames", got.Rules)
			}
			if err != nil {
				read <- err
				return
			}
		}
		read <- nil
	}()
	for to := flow.Instance(2); ; to = 3 - to {
		r.must(r.sw.Move(hw.Move{Flow: 0, Instance: to}))
		r.confirmed(hw.OpMove, 0, to)
		select {
		case err := <-read:
			r.must(err)
			r.settle()
			r.send(0, 1)
			r.ruleCounts(0, to, 6)
			return
		default:
		}
	}
}

func drops(r *rig) {
	r.attach(1)
	r.install(rule(0, 0))
	r.send(0, 2)
	r.ruleCounts(0, 0, 2)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 1}))
	r.confirmed(hw.OpMove, 0, 1)
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(1).In, 0, 1)
	r.ruleCounts(0, 1, 3)
	r.must(r.sw.Move(hw.Move{Flow: 0}))
	r.confirmed(hw.OpMove, 0, 0)
	r.settle()
	r.send(0, 3)
	r.ruleCounts(0, 0, 6)
	r.nothing()
}

func removes(r *rig) {
	r.attach(1)
	r.install(rule(0, 1), rule(1, 1))
	r.send(0, 6)
	r.ruleCounts(0, 1, 6)
	r.settle()
	r.must(r.sw.Remove(0, 3))
	e := r.confirmed(hw.OpRemove, 0, 1)
	if e.Packets != 6 || e.Bytes != 6*length || e.Tuple != tuple(0) {
		r.Errorf("removed with %d packets, %d B, %v: want 6, %d, %v", e.Packets, e.Bytes, e.Tuple, 6*length, tuple(0))
	}
	r.rejected(hw.OpRemove, 3, 0)
	r.arrives(r.ports(1).In, 0, 6)
	if got := r.rules(); len(got) != 1 || got[0].Flow != 1 {
		r.Errorf("rules in force: %+v", got)
	}
	r.install(rule(0, 1)) // begins to count at zero
	r.settle()
	r.send(0, 1)
	r.ruleCounts(0, 1, 1)
	r.arrives(r.ports(1).In, 0, 1)
	r.settle()
	r.must(r.sw.Remove(0))
	r.confirmed(hw.OpRemove, 0, 1)
	r.settle()
	r.goesUp(0)
	r.goesUp(4) // and no packet that was steered came up as well
	if len(r.stashed) > 0 {
		r.Errorf("events that nobody asked for: %+v", r.stashed)
	}
	r.nothing()
}

func idles(r *rig) {
	resolution := r.sw.Capabilities().IdleResolution
	if resolution == 0 {
		r.Skip("does not apply: the switch does not end idle rules")
	}
	r.attach(1)
	idle := rule(0, 1)
	idle.Idle = resolution + resolution/2 // rounded up
	r.install(idle, rule(1, 1))
	began := time.Now()
	r.send(0, 3)
	e := r.answer(hw.Event{Kind: hw.Ended, Idle: true, Flow: 0, Instance: 1})
	if e.Packets != 3 || e.Bytes != 3*length || e.Tuple != tuple(0) {
		r.Errorf("ended with %d packets, %d B, %v: want 3, %d, %v", e.Packets, e.Bytes, e.Tuple, 3*length, tuple(0))
	}
	if d := time.Since(began); d < idle.Idle {
		r.Errorf("ended after %v, want %v at least", d, idle.Idle)
	}
	r.arrives(r.ports(1).In, 0, 3)
	r.settle()
	r.goesUp(0)
	if got := r.rules(); len(got) != 1 || got[0].Flow != 1 {
		r.Errorf("rules in force: %+v", got)
	}
	r.must(r.sw.Remove(0))
	r.rejected(hw.OpRemove, 0, 0)
}

func forwards(r *rig) {
	r.attach(1, 2)
	r.goesUp(0)
	r.must(r.sw.Forward(frame(tuple(0), length), 2))
	r.arrives(r.ports(2).In, 0, 1)
	r.counts(2, 1, 0)
	r.counts(1, 0, 0)
	if r.sw.Forward(frame(tuple(0), length), 3) == nil {
		r.Error("a frame was forwarded to an instance that is not attached")
	}
}

func instances(r *rig) {
	ctx := r.context()
	r.install(rule(0, 1)) // leads nowhere yet
	r.send(0, 2)
	r.ruleCounts(0, 1, 2)
	r.nothing()
	r.attach(2, 1)
	r.settle()
	r.send(0, 4)
	r.arrives(r.ports(1).In, 0, 4)
	for range 3 {
		r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	}
	r.arrives(r.Sink, 0, 3)
	r.counts(1, 4, 3)
	r.counts(2, 0, 0)
	all, err := r.sw.Counters(ctx)
	r.must(err)
	if len(all.Counters) != 2 || all.Counters[0].Instance != 1 || all.At.IsZero() {
		r.Errorf("reading %+v: want instances 1 and 2, and a time", all)
	}

	// At other ports the counters go on.
	r.must(r.sw.Attach(ctx, 1, r.ports(3)))
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(3).In, 0, 1)
	r.must(r.Send(r.ports(3).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.counts(1, 5, 4)

	for _, bad := range []struct {
		what string
		i    flow.Instance
		at   hw.Ports
	}{
		{"number 0", 0, r.ports(1)},
		{"an unknown input", 4, hw.Ports{In: "nowhere", Out: r.Ports[0]}},
		{"an unknown output", 4, hw.Ports{In: r.Ports[0], Out: "nowhere"}},
		{"the uplink as its output", 4, hw.Ports{In: r.Ports[0], Out: r.Uplink}},
		{"another's output", 4, hw.Ports{In: r.Ports[0], Out: r.ports(2).Out}},
	} {
		if r.sw.Attach(ctx, bad.i, bad.at) == nil {
			r.Errorf("an instance with %s was attached", bad.what)
		}
	}

	// Input and output may be the same port, and a detached instance's ports are free.
	last, err := r.sw.Detach(ctx, 1)
	r.must(err)
	if want := (telemetry.Counter{Instance: 1, RxPackets: 5, TxPackets: 4, RxBytes: 5 * length}); last != want {
		r.Errorf("detached with %+v, want %+v", last, want)
	}
	if _, err := r.sw.Detach(ctx, 1); err == nil {
		r.Error("an instance was detached twice")
	}
	r.settle()
	r.send(0, 2)
	r.ruleCounts(0, 1, 9)
	r.nothing()
	r.must(r.sw.Attach(ctx, 1, hw.Ports{In: r.ports(3).Out, Out: r.ports(3).Out}))
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(3).Out, 0, 1)
	r.must(r.Send(r.ports(3).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.counts(1, 1, 1) // from zero again
}

func order(r *rig) {
	r.attach(1, 2)
	const rounds = 50
	for k := range rounds {
		r.must(r.sw.Install(rule(0, 1)))
		r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
		r.must(r.sw.Install(rule(0, 1), rule(k+1, 1)))
		r.must(r.sw.Remove(0))
		r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 1}))
	}
	for k := range rounds {
		r.confirmed(hw.OpInstall, 0, 1)
		r.confirmed(hw.OpMove, 0, 2)
		r.rejected(hw.OpInstall, 0, 1)
		r.confirmed(hw.OpInstall, k+1, 1)
		r.confirmed(hw.OpRemove, 0, 2)
		r.rejected(hw.OpMove, 0, 1)
	}
	r.install(rule(0, 2))
	r.send(0, 1)
	r.arrives(r.ports(2).In, 0, 1)
	if n := len(r.rules()); n != rounds+1 {
		r.Errorf("%d rules, want %d", n, rounds+1)
	}
	if len(r.stashed) > 0 {
		r.Errorf("events that nobody asked for: %+v", r.stashed)
	}
}

func thousand(r *rig) {
	r.attach(1)
	const n = 1000
	var rules []hw.Rule
	var flows []flow.ID
	for f := range n {
		rules = append(rules, rule(f, 1))
		flows = append(flows, flow.ID(f))
	}
	r.install(rules...)
	got := r.rules()
	if len(got) != n {
		r.Fatalf("%d rules, want %d", len(got), n)
	}
	for f, q := range got {
		if q.Rule != rules[f] {
			r.Fatalf("rule %d is %+v, want %+v", f, q.Rule, rules[f])
		}
	}
	r.must(r.sw.Remove(flows...))
	for f := range n {
		r.confirmed(hw.OpRemove, f, 1)
	}
	if got := r.rules(); len(got) != 0 {
		r.Errorf("%d rules left", len(got))
	}
}

// concurrent makes several callers work on flows of their own while frames come in and others read.
func concurrent(r *rig) {
	r.attach(1, 2)
	const callers, rounds = 4, 25
	var g errgroup.Group
	for c := range callers {
		g.Go(func() error {
			for k := range rounds {
				f := rule(callers*k+c, 1)
				if err := errors.Join(r.sw.Install(f), r.sw.Move(hw.Move{Flow: f.Flow, Instance: 2}),
					r.sw.Remove(f.Flow)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for f := range rounds {
			if err := r.Send(r.Uplink, frame(tuple(f), length)); err != nil {
				return err
			}
		}
		return nil
	})
	ctx := r.context()
	g.Go(func() error {
		for range rounds {
			_, counters := r.sw.Counters(ctx)
			_, rules := r.sw.Rules(ctx)
			if err := errors.Join(counters, rules); err != nil {
				return err
			}
		}
		return nil
	})
	r.must(g.Wait())
	next := map[flow.ID]hw.Op{}
	for range 3 * callers * rounds {
		e := r.event(false)
		if e.Kind != hw.Confirmed || e.Op != next[e.Flow] {
			r.Fatalf("%v of %v, flow %d, %q: want %v confirmed", e.Kind, e.Op, e.Flow, e.Reason, next[e.Flow])
		}
		next[e.Flow]++
	}
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules left: %+v", got)
	}
}

func adopted(r *rig) {
	if r.Volatile {
		r.Skip("does not apply: the rules end with their driver")
	}
	r.attach(1)
	idle := rule(1, 0)
	idle.Idle = time.Hour
	r.install(rule(0, 1), idle)
	r.send(0, 3)
	r.ruleCounts(0, 1, 3)
	r.counts(1, 3, 0)
	r.close()
	r.send(0, 2) // steered while no driver is there
	r.arrives(r.ports(1).In, 0, 5)
	r.open(true)
	if got := r.rules(); len(got) != 2 || got[0].Rule != rule(0, 1) || got[1].Rule != idle {
		r.Fatalf("adopted %+v", got)
	}
	r.ruleCounts(0, 1, 5)
	r.counts(1, 5, 0)
	r.must(r.sw.Install(rule(0, 1)))
	r.rejected(hw.OpInstall, 0, 1)
	r.attach(2)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
	r.confirmed(hw.OpMove, 0, 2)
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(2).In, 0, 1)
	r.ruleCounts(0, 2, 6)
	r.must(r.sw.Remove(0))
	if e := r.confirmed(hw.OpRemove, 0, 2); e.Packets != 6 {
		r.Errorf("removed with %d packets, want 6", e.Packets)
	}
	last, err := r.sw.Detach(r.context(), 1)
	r.must(err)
	if last.RxPackets != 5 {
		r.Errorf("detached with %d packets, want 5", last.RxPackets)
	}
	r.settle()
	r.goesUp(0)
}

func notAdopted(r *rig) {
	r.attach(1)
	r.install(rule(0, 1))
	r.close()
	r.open(false)
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules of an earlier run: %+v", got)
	}
	if got, err := r.sw.Counters(r.context()); err != nil || len(got.Counters) != 0 {
		r.Errorf("instances of an earlier run: %+v, %v", got, err)
	}
	r.goesUp(0)
	r.attach(1)
	r.counts(1, 0, 0)
}

func fullTable(r *rig) {
	if r.Room == nil {
		r.Skip("does not apply: the table cannot be made smaller")
	}
	r.attach(1)
	r.must(r.Room(3))
	r.must(r.sw.Install(rule(0, 1), rule(1, 1), rule(2, 1), rule(3, 1), rule(4, 1)))
	for f := range 3 {
		r.confirmed(hw.OpInstall, f, 1)
	}
	r.rejected(hw.OpInstall, 3, 1)
	r.rejected(hw.OpInstall, 4, 1)
	r.goesUp(4) // only the slow path is left
	r.must(r.sw.Move(hw.Move{Flow: 1}))
	r.confirmed(hw.OpMove, 1, 0)
	r.must(r.sw.Remove(1))
	r.confirmed(hw.OpRemove, 1, 0)
	r.install(rule(4, 1))
	r.settle()
	r.send(4, 1)
	r.arrives(r.ports(1).In, 4, 1)
}

func closed(r *rig) {
	r.attach(1)
	r.install(rule(0, 1))
	r.close()
	for range r.sw.Events() {
	}
	r.close() // closing twice is no error
	ctx := r.context()
	_, counters := r.sw.Counters(ctx)
	_, rules := r.sw.Rules(ctx)
	_, detach := r.sw.Detach(ctx, 1)
	for what, err := range map[string]error{
		"Install": r.sw.Install(rule(1, 1)), "Move": r.sw.Move(hw.Move{Flow: 0}), "Remove": r.sw.Remove(0),
		"Counters": counters, "Rules": rules, "Attach": r.sw.Attach(ctx, 2, r.ports(2)), "Detach": detach,
		"Forward": r.sw.Forward(frame(tuple(0), length), 1),
	} {
		if !errors.Is(err, hw.ErrClosed) {
			r.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
}
