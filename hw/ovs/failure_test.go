package ovs_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

// rig is a driver at a fake switch, with instances 1 and 2 attached.
type rig struct {
	*testing.T
	f *fake
	d *ovs.Driver
}

func newRig(t *testing.T) *rig {
	t.Parallel()
	r := &rig{T: t, f: newFake(t)}
	d, err := ovs.Open(r.context(), ovs.Config{Address: r.f.address, Uplink: "uplink", Sink: "sink"})
	r.must(err)
	r.d = d
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Attach(r.context(), 1, hw.Ports{In: "a", Out: "a"}))
	r.must(d.Attach(r.context(), 2, hw.Ports{In: "b", Out: "b"}))
	return r
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r.Cleanup(cancel)
	return ctx
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func rule(n int, i flow.Instance) hw.Rule {
	return hw.Rule{Flow: flow.ID(n), Instance: i, Tuple: flow.FiveTuple{
		Src: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Dst: netip.MustParseAddr("10.1.0.1"),
		SrcPort: 1000, DstPort: uint16(n), Proto: flow.UDP,
	}}
}

// next wants the next event to be of a kind, and if it has a reason, to say so.
func (r *rig) next(k hw.EventKind, f flow.ID, says string) hw.Event {
	r.Helper()
	select {
	case e := <-r.d.Events():
		if e.Kind != k || e.Flow != f || !strings.Contains(e.Reason, says) {
			r.Fatalf("%v of flow %d, %q: want %v of flow %d, %q", e.Kind, e.Flow, e.Reason, k, f, says)
		}
		return e
	case <-time.After(time.Minute):
		r.Fatalf("no event: want %v of flow %d", k, f)
	}
	panic("unreachable")
}

func (r *rig) install(n int, i flow.Instance) {
	r.Helper()
	r.must(r.d.Install(rule(n, i)))
	r.next(hw.Confirmed, flow.ID(n), "")
}

// count makes the switch show so many packets of a flow.
func (r *rig) count(f, packets int) {
	r.Helper()
	for _, x := range r.f.flows() {
		if int(x.mod.Cookie&0xffff) == f {
			r.f.with(func() { x.packets, x.bytes = uint64(packets), uint64(100*packets) })
			return
		}
	}
	r.Fatalf("the switch has no rule of flow %d", f)
}

func (r *rig) shows(f flow.ID, i flow.Instance, packets uint64) {
	r.Helper()
	got, err := r.d.Rules(r.context())
	r.must(err)
	for _, q := range got.Rules {
		if q.Flow == f {
			if q.Packets != packets || q.Bytes != 100*packets || q.Instance != i {
				r.Errorf("flow %d leads to %d with %d packets, %d B: want %d with %d", f, q.Instance, q.Packets,
					q.Bytes, i, packets)
			}
			return
		}
	}
	r.Errorf("no rule of flow %d in %+v", f, got.Rules)
}

// command refuses flow-mods with one command.
func command(c openflow.Command) func(openflow.Type, []byte) bool {
	return func(t openflow.Type, body []byte) bool {
		return t == openflow.TypeFlowMod && openflow.Command(body[17]) == c
	}
}

func kind(k openflow.Type) func(openflow.Type, []byte) bool {
	return func(t openflow.Type, _ []byte) bool { return t == k }
}

const full = "flow-mod failed: table is full" // what the fake says, whatever it refuses

// A refusal of each request reaches whoever made it, and leaves what was in force.
func TestEachRefusalIsMapped(t *testing.T) {
	refusing := func(r *rig, f func(openflow.Type, []byte) bool) { r.f.with(func() { r.f.refuse = f }) }
	t.Run("install", func(t *testing.T) {
		r := newRig(t)
		refusing(r, command(openflow.Add))
		r.must(r.d.Install(rule(0, 1)))
		r.must(r.d.Move(hw.Move{Flow: 0, Instance: 2}))
		r.must(r.d.Remove(0))
		r.next(hw.Rejected, 0, full)
		r.next(hw.Rejected, 0, "no rule") // what was built upon it
		r.next(hw.Rejected, 0, "no rule")
		refusing(r, nil)
		r.install(0, 1)
	})
	t.Run("move", func(t *testing.T) {
		r := newRig(t)
		r.install(0, 1)
		refusing(r, command(openflow.ModifyStrict))
		r.must(r.d.Move(hw.Move{Flow: 0, Instance: 2}))
		r.next(hw.Rejected, 0, full)
		r.shows(0, 1, 0)
		r.must(r.d.Remove(0))
		if e := r.next(hw.Confirmed, 0, ""); e.Instance != 1 {
			r.Errorf("removed from instance %d, want 1", e.Instance)
		}
	})
	t.Run("remove", func(t *testing.T) {
		r := newRig(t)
		r.install(0, 1)
		refusing(r, command(openflow.DeleteStrict))
		r.must(r.d.Remove(0))
		r.next(hw.Rejected, 0, full)
		r.shows(0, 1, 0)
		refusing(r, nil)
		r.must(r.d.Remove(0))
		r.next(hw.Confirmed, 0, "")
	})
	t.Run("attach", func(t *testing.T) {
		r := newRig(t)
		refusing(r, command(openflow.Add))
		if err := r.d.Attach(r.context(), 3, hw.Ports{In: "c", Out: "c"}); err == nil ||
			!strings.Contains(err.Error(), full) {
			r.Errorf("error %v, want %s", err, full)
		}
		refusing(r, nil)
		r.must(r.d.Attach(r.context(), 4, hw.Ports{In: "c", Out: "c"})) // the port is free
	})
	t.Run("detach", func(t *testing.T) {
		r := newRig(t)
		refusing(r, command(openflow.DeleteStrict))
		if _, err := r.d.Detach(r.context(), 1); err == nil || !strings.Contains(err.Error(), full) {
			r.Errorf("error %v, want %s", err, full)
		}
		refusing(r, nil)
		_, err := r.d.Detach(r.context(), 1)
		r.must(err)
	})
	t.Run("counters", func(t *testing.T) {
		r := newRig(t)
		refusing(r, kind(openflow.TypeMultipartRequest))
		if _, err := r.d.Counters(r.context()); err == nil || !strings.Contains(err.Error(), full) {
			r.Errorf("counters: error %v, want %s", err, full)
		}
		if _, err := r.d.Rules(r.context()); err == nil || !strings.Contains(err.Error(), full) {
			r.Errorf("rules: error %v, want %s", err, full)
		}
		// A port that is not known is asked for, and so is this.
		if err := r.d.Attach(r.context(), 3, hw.Ports{In: "x", Out: "x"}); err == nil ||
			!strings.Contains(err.Error(), full) {
			r.Errorf("ports: error %v, want %s", err, full)
		}
	})
	t.Run("barrier", func(t *testing.T) {
		r := newRig(t)
		refusing(r, kind(openflow.TypeBarrierRequest))
		r.must(r.d.Install(rule(0, 1)))
		r.next(hw.Lost, 0, full)
		refusing(r, nil)
		for {
			switch e := <-r.d.Events(); e.Kind {
			case hw.Lost: // once more, if it was refused again meanwhile
				continue
			case hw.Restored:
			default:
				r.Fatalf("%v, want the connection to be restored", e.Kind)
			}
			break
		}
		r.next(hw.Confirmed, 0, "")
	})
	for name, refuse := range map[string]func(openflow.Type, []byte) bool{
		"open, rules for misses": command(openflow.Add),
		"open, ports and rules":  kind(openflow.TypeMultipartRequest),
		"open, barrier":          kind(openflow.TypeBarrierRequest),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.refuse = refuse
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := ovs.Open(ctx, ovs.Config{Address: f.address, Uplink: "uplink"}); err == nil ||
				!strings.Contains(err.Error(), full) {
				t.Errorf("error %v, want %s", err, full)
			}
		})
	}
}

// The connection breaks before or after the switch has obeyed. Every request is answered once, and what was asked for
// is in force.
func TestRequestsOutliveTheConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		at   openflow.Type
		obey bool
	}{
		{"before a rule", openflow.TypeFlowMod, false},
		{"after a rule", openflow.TypeFlowMod, true},
		{"before the barrier", openflow.TypeBarrierRequest, false},
		{"after the barrier", openflow.TypeBarrierRequest, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.install(0, 1)
			r.install(1, 1)
			r.count(1, 7)
			once := true
			r.f.with(func() {
				r.f.breakAt = func(t openflow.Type) (before, after bool) {
					if t != c.at || !once {
						return
					}
					once = false
					return !c.obey, c.obey
				}
			})
			r.must(r.d.Move(hw.Move{Flow: 0, Instance: 2}))
			r.must(r.d.Install(rule(2, 1), rule(2, 1)))
			r.must(r.d.Remove(1))
			r.next(hw.Lost, 0, "")
			r.next(hw.Restored, 0, "")
			r.next(hw.Confirmed, 0, "")
			r.next(hw.Confirmed, 2, "")
			r.next(hw.Rejected, 2, "already")
			if e := r.next(hw.Confirmed, 1, ""); e.Packets != 7 && !c.obey {
				r.Errorf("removed with %d packets, want 7", e.Packets)
			}
			r.shows(0, 2, 0)
			r.shows(2, 1, 0)
			if n := len(r.f.flows()); n != 2 {
				r.Errorf("the switch has %d rules of flows, want 2", n)
			}
		})
	}
}

// Rules that do not fit the table any more after a restart are reported, once.
func TestRulesThatDoNotFitAfterARestartEnd(t *testing.T) {
	r := newRig(t)
	for n := range 3 {
		r.install(n, 1)
	}
	r.count(2, 5)
	r.shows(2, 1, 5)
	r.f.with(func() {
		clear(r.f.rules)
		r.f.refuse = func(t openflow.Type, body []byte) bool {
			return command(openflow.Add)(t, body) && be.Uint64(body)>>39&1 == 0 && be.Uint64(body)&0xffff > 0
		}
	})
	r.must(r.d.Move(hw.Move{Flow: 2, Instance: 2}))
	r.next(hw.Confirmed, 2, "") // on the old connection; nothing was there to move
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	r.next(hw.Ended, 1, full)
	if e := r.next(hw.Ended, 2, full); e.Packets != 5 || e.Idle {
		r.Errorf("ended with %d packets, idle %v: want 5, not idle", e.Packets, e.Idle)
	}
	r.next(hw.Restored, 0, "")
	r.shows(0, 1, 0)
}

// Whoever restarts the switch may have saved and restored its rules, as ovs-ctl does: they are ours, and count from
// zero.
func TestRulesPutBackBySomebodyElseGoOnCounting(t *testing.T) {
	r := newRig(t)
	r.install(0, 1)
	r.count(0, 40)
	r.shows(0, 1, 40)
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	r.next(hw.Restored, 0, "")
	r.count(0, 41) // only the connection was lost
	r.shows(0, 1, 41)
	r.f.with(func() { r.f.mute = true })
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	time.Sleep(500 * time.Millisecond) // a restart takes longer than an answer
	r.f.with(func() {
		for _, x := range r.f.rules {
			x.made = time.Now()
			x.packets, x.bytes = 50, 5000 // more than before, and yet none of what was counted before
		}
		r.f.mute = false
	})
	r.f.hangUp()
	r.next(hw.Restored, 0, "")
	r.shows(0, 1, 91)
}

// A rule with a timeout that is gone when the connection is back has ended, unless all are gone.
func TestIdleRulesEndWhileTheConnectionIsLost(t *testing.T) {
	r := newRig(t)
	idle := rule(0, 1)
	idle.Idle = time.Minute
	r.must(r.d.Install(idle, rule(1, 1)))
	r.next(hw.Confirmed, 0, "")
	r.next(hw.Confirmed, 1, "")
	gone := r.f.flows()[0]
	r.f.with(func() {
		for k, x := range r.f.rules {
			if x == gone {
				delete(r.f.rules, k)
			}
		}
	})
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	if e := r.next(hw.Ended, 0, "while there was no connection"); !e.Idle {
		r.Error("it did not end for lack of packets")
	}
	r.next(hw.Restored, 0, "")
	r.install(0, 1)
}

// Ports have other numbers after a restart: rules are written for the new ones, and counters go on.
func TestPortsMayChangeTheirNumbers(t *testing.T) {
	r := newRig(t)
	r.install(0, 1)
	r.count(0, 3)
	r.f.with(func() { r.f.ports = map[string]uint32{"uplink": 11, "sink": 12, "a": 13, "b": 14} })
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	r.next(hw.Restored, 0, "")
	r.shows(0, 1, 3)
	r.f.with(func() {
		for _, x := range r.f.rules {
			if x.mod.Match.Has&openflow.InPort != 0 && x.mod.Match.InPort < 11 || x.mod.Do.Out != 0 &&
				x.mod.Do.Out < 11 {
				r.Errorf("a rule of the old numbers is left: %+v", x.mod)
			}
		}
		if n := len(r.f.rules); n != 4+4+1 {
			r.Errorf("%d rules, want 9: four for misses, two for each instance, and the flow's", n)
		}
	})
	r.count(0, 2)
	r.shows(0, 1, 5)
}

// An instance that loses a port is reported each time that it does, whether it is seen or found out after the
// connection was lost; that of nobody is not.
func TestPortsThatGoAreReported(t *testing.T) {
	r := newRig(t)
	gone := func(i flow.Instance, port string) {
		r.Helper()
		if e := r.next(hw.PortGone, 0, port); e.Instance != i {
			r.Errorf("reported of instance %d, want %d", e.Instance, i)
		}
	}
	back := func() {
		r.Helper()
		r.next(hw.Lost, 0, "")
		r.next(hw.Restored, 0, "")
	}
	r.must(r.f.setPort("c", 0))
	for range 2 {
		r.must(r.f.setPort("a", 0))
		gone(1, `"a"`)
		r.must(r.f.setPort("a", 9))
		back()
	}
	for n, port := range []string{"a", "uplink"} { // another number: it goes, and comes at once
		r.must(r.f.setPort(port, 10+uint32(n)))
		back()
	}
	r.f.with(func() { delete(r.f.ports, "b") })
	r.f.hangUp()
	r.next(hw.Lost, 0, "")
	gone(2, `"b"`)
	r.next(hw.Restored, 0, "")
	r.f.hangUp() // it is still gone, and was reported
	back()
	r.must(r.d.Attach(r.context(), 2, hw.Ports{In: "d", Out: "d"}))
	r.must(r.f.setPort("d", 0))
	gone(2, `"d"`)
	r.must(r.f.setPort("sink", 0))
	gone(0, `"sink"`)
	_, err := r.d.Detach(r.context(), 1)
	r.must(err)
	r.must(r.f.setPort("a", 0)) // of nobody now
	r.install(0, 2)
}

// Without uplink or sink there is no connection: that it went while there was none is reported, once, and so is that
// another went later.
func TestAnUplinkOrSinkThatWentWithTheConnectionIsReported(t *testing.T) {
	r := newRig(t)
	for _, port := range []string{"uplink", "sink"} {
		asked := make(chan struct{}) // closed when this was gone over once more
		const once = 3               // requests of a connection
		n, was := 0, r.f.ports[port]
		r.f.with(func() {
			delete(r.f.ports, port)
			r.f.breakAt = func(t openflow.Type) (before, after bool) {
				if t == openflow.TypeMultipartRequest {
					if n++; n == 2*once+1 {
						close(asked)
					}
				}
				return false, false
			}
		})
		r.f.hangUp()
		r.next(hw.Lost, 0, "")
		if e := r.next(hw.PortGone, 0, `"`+port+`" is not a port of the bridge`); e.Instance != 0 {
			r.Errorf("reported of instance %d, want of none", e.Instance)
		}
		<-asked
		r.f.with(func() { r.f.ports[port], r.f.breakAt = was, nil })
		r.next(hw.Restored, 0, "")
	}
}

// A switch that says nothing for six seconds is given up, and found again when it answers.
func TestASilentSwitchIsLost(t *testing.T) {
	r := newRig(t)
	r.f.with(func() { r.f.mute = true })
	r.must(r.d.Install(rule(0, 1)))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.d.Counters(ctx); !errors.Is(err, context.DeadlineExceeded) {
		r.Errorf("error %v, want that of the context", err)
	}
	r.next(hw.Lost, 0, "")
	r.f.with(func() { r.f.mute = false })
	r.next(hw.Restored, 0, "")
	r.next(hw.Confirmed, 0, "")
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	f := newFake(t)
	f.rules["foreign"] = &fakeRule{mod: openflow.FlowMod{Table: 100, Priority: 7, Cookie: 0xbeef},
		match: []byte{0, 1, 0, 4, 0, 0, 0, 0}}
	for _, c := range []struct {
		config ovs.Config
		says   string
	}{
		{ovs.Config{Address: "unix:/nowhere/br0.mgmt", Uplink: "uplink"}, "/nowhere/br0.mgmt"},
		{ovs.Config{Address: f.address, Uplink: "uplink", Table: 100}, "instance table 100"},
		{ovs.Config{Address: f.address, Uplink: "uplink", Priority: 1}, "priority 1"},
		{ovs.Config{Address: f.address, Uplink: "p0", InstanceTable: 50},
			`the uplink "p0" is not a port of the bridge, which has a, b, c, d, sink, uplink`},
		{ovs.Config{Address: f.address, Uplink: "uplink", Sink: "p1", InstanceTable: 50}, `the sink "p1"`},
		{ovs.Config{Address: f.address, Uplink: "uplink"}, "somebody else (cookie 0xbeef, table 100, priority 7)"},
	} {
		if _, err := ovs.Open(context.Background(), c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one that says %q", c.config, err, c.says)
		}
	}
}

// The record says which switch it was.
func TestTheNameIsTheSwitchs(t *testing.T) {
	if r := newRig(t); r.d.Capabilities().Name != "fake 1.0, OpenFlow 1.3" {
		r.Errorf("name %q", r.d.Capabilities().Name)
	}
}

// Probe finds what is wrong as Open does, and changes nothing, not even while a driver is at work.
func TestProbeChangesNothing(t *testing.T) {
	r := newRig(t)
	r.install(0, 1)
	r.f.with(func() { r.f.refuse = kind(openflow.TypeFlowMod) })
	config := ovs.Config{Address: r.f.address, Uplink: "uplink", Sink: "sink"}
	if n, err := ovs.Probe(r.context(), config); n != 1 || err != nil {
		r.Errorf("found %d rules, %v: want 1", n, err)
	}
	config.Uplink = "p0"
	if _, err := ovs.Probe(r.context(), config); err == nil || !strings.Contains(err.Error(), `"p0"`) {
		r.Errorf(`error %v, want one that says "p0"`, err)
	}
	r.shows(0, 1, 0)
}

// RemoveAll deletes what a killed run left, and nothing else.
func TestRemoveAll(t *testing.T) {
	r := newRig(t)
	r.install(0, 1)
	r.f.with(func() { r.f.rules["foreign"] = &fakeRule{mod: openflow.FlowMod{Cookie: 0xbeef}} })
	r.must(r.d.Close())
	r.must(ovs.RemoveAll(r.context(), r.f.address, 1)) // another's
	if n := len(r.f.rules); n != 10 {
		r.Errorf("%d rules after another owner's were removed, want 10", n)
	}
	r.must(ovs.RemoveAll(r.context(), r.f.address, 0))
	if n := len(r.f.rules); n != 1 {
		r.Errorf("%d rules left, want that of somebody else alone", n)
	}
}
