package sim_test

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// clockwork is a Control without a scheduler that fires what a data plane has scheduled.
type clockwork struct{ queue sim.Queue }

func (c *clockwork) Schedule(class sim.Class, e sim.Event) { c.queue.Push(class, e) }
func (c *clockwork) Arrived(flow.ID)                       {}
func (c *clockwork) Grown(flow.ID)                         {}
func (c *clockwork) Ended(flow.ID)                         {}
func (c *clockwork) Stopped() bool                         { return false }

// until fires everything before a time.
func (c *clockwork) until(at units.Time, d sim.DataPlane) {
	for {
		e, ok := c.queue.Pop()
		if !ok {
			return
		}
		if e.At >= at {
			c.queue.Push(sim.ClassTraffic, e)
			return
		}
		d.Fire(e.At, e)
	}
}

// A rule's counter counts the packets that it sends to instances, from its installation to its removal. A move keeps
// the count, and while the rule drops, it stands. The flow sends a packet every 10 us.
func TestTheCounterOfARule(t *testing.T) {
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		sc := simtest.Parse(t, "duration: 10ms\nnic: ideal\nworkload: [{flows: [{period: 10us}]}]\n")
		c := &clockwork{}
		d, err := engine(sc, simtest.Traffic(t, sc), sc.Duration, c)
		if err != nil {
			t.Fatal(err)
		}
		d.Up(0, 1)
		d.Up(0, 2)
		at := units.Time(0)
		for _, s := range []struct {
			what string
			do   func(sim.DataPlane)
			want uint64 // 1 ms later
		}{
			{"no rule yet", func(sim.DataPlane) {}, 0},
			{"installed", func(d sim.DataPlane) { d.Rule(at, 0, 1) }, 100},
			{"moved", func(d sim.DataPlane) { d.Rule(at, 0, 2) }, 200},
			{"made to drop", func(d sim.DataPlane) { d.Rule(at, 0, 0) }, 200},
			{"moved back", func(d sim.DataPlane) { d.Rule(at, 0, 1) }, 300},
			{"an instance that is gone", func(d sim.DataPlane) { d.Down(at, 1) }, 400},
			{"removed", func(d sim.DataPlane) { d.Unrule(at, 0) }, 0},
			{"installed again", func(d sim.DataPlane) { d.Rule(at, 0, 2) }, 100},
		} {
			s.do(d)
			at += units.Millisecond
			c.until(at, d)
			got := []orchestrator.RuleCounter{{Flow: 0}}
			if d.RuleCounters(at, got); got[0].Packets != s.want {
				t.Errorf("%s, %s: at %v the counter is %d, want %d", name, s.what, at, got[0].Packets, s.want)
			}
		}
	}
}
