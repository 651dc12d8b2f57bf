package switchtest

import (
	"errors"
	"strings"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// What a driver does when the switch, its ports or its rules change behind its back.

func (r *rig) restartable() {
	if r.Stop == nil || r.Start == nil {
		r.Skip("does not apply: the switch cannot be restarted")
	}
}

func restart(r *rig) {
	r.restartable()
	r.attach(1, 2)
	idle := rule(2, 1)
	idle.Idle = time.Hour
	r.install(rule(0, 1), rule(1, 2), idle)
	r.send(0, 4)
	r.arrives(r.ports(1).In, 0, 4)
	r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	r.ruleCounts(0, 1, 4)
	r.counts(1, 4, 1)
	for round := range uint64(2) {
		r.must(r.Stop())
		r.answer(hw.Event{Kind: hw.Lost})
		r.must(r.Start())
		r.answer(hw.Event{Kind: hw.Restored})
		if n := len(r.rules()); n != 3 {
			r.Errorf("%d rules, want 3", n)
		}
		r.ruleCounts(0, 1, 4+2*round)
		r.send(0, 2)
		r.arrives(r.ports(1).In, 0, 2)
		r.ruleCounts(0, 1, 6+2*round)
		r.counts(1, 6+2*round, 1)
	}
	r.goesUp(3)
	r.must(r.sw.Remove(0))
	if e := r.confirmed(hw.OpRemove, 0, 1); e.Packets != 8 || e.Bytes != 8*length {
		r.Errorf("removed with %d packets, %d B: want 8, %d", e.Packets, e.Bytes, 8*length)
	}
}

func waiting(r *rig) {
	r.restartable()
	ctx := r.context()
	r.attach(1, 2)
	r.install(rule(0, 1), rule(1, 1))
	r.send(1, 2)
	r.ruleCounts(1, 1, 2)
	r.must(r.Stop())
	r.answer(hw.Event{Kind: hw.Lost})
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
	r.must(r.sw.Remove(1))
	r.must(r.sw.Install(rule(1, 2), rule(2, 2), rule(0, 1)))
	if _, err := r.sw.Counters(ctx); !errors.Is(err, hw.ErrDown) {
		r.Errorf("counters of a switch that is away: %v, want ErrDown", err)
	}
	if _, err := r.sw.Rules(ctx); !errors.Is(err, hw.ErrDown) {
		r.Errorf("rules of a switch that is away: %v, want ErrDown", err)
	}
	if err := r.sw.Attach(ctx, 3, r.ports(3)); !errors.Is(err, hw.ErrDown) {
		r.Errorf("attach to a switch that is away: %v, want ErrDown", err)
	}
	if err := r.sw.Forward(frame(tuple(0), length), 1); !errors.Is(err, hw.ErrDown) {
		r.Errorf("forward by a switch that is away: %v, want ErrDown", err)
	}
	r.must(r.Start())
	r.answer(hw.Event{Kind: hw.Restored})
	r.confirmed(hw.OpMove, 0, 2)
	if e := r.confirmed(hw.OpRemove, 1, 1); e.Packets != 2 {
		r.Errorf("removed with %d packets, want 2", e.Packets)
	}
	r.confirmed(hw.OpInstall, 1, 2)
	r.confirmed(hw.OpInstall, 2, 2)
	r.rejected(hw.OpInstall, 0, 1)
	for len(r.Out(r.ports(1).In)) > 0 {
		<-r.Out(r.ports(1).In)
	}
	for f := range 3 {
		r.send(f, 1)
		r.arrives(r.ports(2).In, f, 1)
	}
	r.ruleCounts(1, 2, 1)
}

func foreign(r *rig) {
	if r.Foreign == nil {
		r.Skip("does not apply: nobody else can put rules into the switch")
	}
	from, to := r.Ports[4], r.Ports[5]
	r.must(r.Foreign(from, to))
	intact := func() {
		r.Helper()
		r.must(r.Send(from, frame(tuple(9), length)))
		r.arrives(to, 9, 1)
	}
	r.attach(1)
	r.install(rule(0, 1))
	intact()
	r.must(r.sw.Remove(0))
	r.confirmed(hw.OpRemove, 0, 1)
	for _, q := range r.rules() {
		r.Errorf("somebody else's rule is shown as %+v", q)
	}
	for _, adopt := range []bool{true, false} {
		r.close()
		intact()
		r.open(adopt)
		intact()
	}
}

func deleted(r *rig) {
	if r.Delete == nil {
		r.Skip("does not apply: nobody else can delete rules")
	}
	r.attach(1)
	r.install(rule(0, 1), rule(1, 1))
	r.send(0, 2)
	r.ruleCounts(0, 1, 2)
	r.must(r.Delete(rule(0, 1)))
	if e := r.answer(hw.Event{Kind: hw.Ended, Flow: 0, Instance: 1}); e.Packets != 2 {
		r.Errorf("ended with %d packets, want 2", e.Packets)
	}
	r.goesUp(0)
	r.install(rule(0, 1))
}

// unplugged makes an instance lose its ports, one after the other. The driver reports it once, goes on counting the
// other instances, and keeps the instance's own counters.
func unplugged(r *rig) {
	switch reports := r.sw.Capabilities().PortEvents; {
	case reports != (r.Unplug != nil):
		r.Fatalf("the driver reports ports that are taken away: %v; the bench takes some away: %v", reports,
			r.Unplug != nil)
	case !reports:
		r.Skip("does not apply: the driver does not notice it")
	}
	ctx := r.context()
	r.attach(1, 2)
	r.install(rule(0, 1), rule(1, 2))
	r.settle()
	r.send(0, 3)
	r.arrives(r.ports(1).In, 0, 3)
	r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.counts(1, 3, 1)
	for n, port := range []string{r.ports(1).Out, r.ports(1).In} {
		r.must(r.Unplug(port))
		if n == 0 {
			if e := r.answer(hw.Event{Kind: hw.PortGone, Instance: 1}); !strings.Contains(e.Reason, port) {
				r.Errorf("the reason is %q: want one that names %s", e.Reason, port)
			}
		}
		r.send(1, 1)
		r.arrives(r.ports(2).In, 1, 1)
		r.counts(2, uint64(n+1), 0)
		r.counts(1, 3, 1)
	}
	r.install(rule(2, 2)) // the next event: the second port was not reported again
	last, err := r.sw.Detach(ctx, 1)
	r.must(err)
	if want := (telemetry.Counter{Instance: 1, RxPackets: 3, TxPackets: 1, RxBytes: 3 * length}); last != want {
		r.Errorf("detached with %+v, want %+v", last, want)
	}
	if r.sw.Attach(ctx, 1, r.ports(1)) == nil {
		r.Error("an instance was attached at ports that are gone")
	}
	r.must(r.sw.Attach(ctx, 1, r.ports(3)))
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(3).In, 0, 1)
	r.must(r.Unplug(r.ports(3).In))
	r.answer(hw.Event{Kind: hw.PortGone, Instance: 1})
	r.must(r.sw.Attach(ctx, 1, hw.Ports{In: r.ports(3).Out, Out: r.ports(3).Out}))
	r.must(r.Unplug(r.ports(3).Out))
	r.answer(hw.Event{Kind: hw.PortGone, Instance: 1})
	r.must(r.Unplug(r.Sink))
	r.answer(hw.Event{Kind: hw.PortGone})
}
