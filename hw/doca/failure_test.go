//go:build doca && standin

package doca

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// DPDK is started once in a process, so that this takes one of its own.
func TestDPDKDoesNotStart(t *testing.T) {
	const inside = "SMARTINCO_TEST_DPDK"
	if os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestDPDKDoesNotStart$")
		again.Env = append(os.Environ(), inside+"=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	b := newBench(t)
	fails := func(eal, want string) {
		t.Helper()
		b.cfg.EAL = eal
		if _, err := Open(b.cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	fails(strings.Repeat("x", 600), "03:00.0: 600 bytes of arguments for DPDK")
	fails(strings.Repeat("x ", 100), "03:00.0: more than 60 arguments for DPDK")
	refuse("rte_eal_init", 0, 1)
	fails("--no-huge", "03:00.0: rte_eal_init: ")
	open(t, b.cfg).Close()
	fails("-m 64", "03:00.0: DPDK runs in this process with other arguments: --no-huge")
}

// Whatever call fails while the card is opened, Open says for which card, and gives back what it had.
func TestOpenFails(t *testing.T) {
	b := newBench(t)
	open(t, b.cfg).Close() // DPDK runs from now on
	noteCalls()
	open(t, b.cfg).Close()
	calls := append(noted(), "completion")
	if len(calls) < 30 {
		t.Fatalf("only these calls were made: %q", calls)
	}
	for _, call := range calls {
		for _, after := range []int{0, 1, 4} {
			b := newBench(t)
			refuse(call, after, 1)
			s, err := Open(b.cfg)
			if err == nil {
				s.Close()
			}
			switch {
			// a representor may have no name
			case err == nil && after == 0 && call != "doca_devinfo_rep_get_iface_name":
				t.Errorf("Open succeeded although %s failed", call)
			case err == nil: // called less often than that
			case !strings.Contains(err.Error(), "03:00.0: "):
				t.Errorf("%s: error %q does not name the card", call, err)
			}
			if n := objects(); n != 0 {
				t.Fatalf("%s failed after %d calls: %d objects are left", call, after, n)
			}
		}
	}
	refuse("", 0, 0)
}

func TestOneCardInAProcess(t *testing.T) {
	b := newBench(t)
	s := open(t, b.cfg)
	if _, err := Open(b.cfg); err == nil || !strings.Contains(err.Error(), "a card open already") {
		t.Errorf("a second Open: %v", err)
	}
	s.Close()
	open(t, b.cfg)
}

func TestOpenRefusesItsConfiguration(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.PCI = "04:00.0" }, "device 04:00.0 of 1"},
		{func(c *Config) { c.Probe = "dv_flow_en=2,representor=vf0-3" }, "shows 5 ports"},
		{func(c *Config) { c.Ports[1] = c.Ports[0] }, "want names that differ"},
		{func(c *Config) { c.Sink = "vf9" }, `sink "vf9" is not a port`},
		{func(c *Config) { c.Mode = "vnf,hws" }, "doca_flow_init"},
	} {
		b := newBench(t)
		c.change(&b.cfg)
		if s, err := Open(b.cfg); err == nil {
			s.Close()
			t.Errorf("want an error with %q", c.want)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %q, want %q", err, c.want)
		}
		newCard() // one mistake was the SDK's to find
	}
}

// What the card refuses after it had taken it: a rule that was never there, one that stays where it is, one that is
// lost on its way.
func TestTheCardRefuses(t *testing.T) {
	b := newBench(t)
	s := open(t, b.cfg)
	ctx := context.Background()
	for i := flow.Instance(1); i <= 2; i++ {
		if err := s.Attach(ctx, i, hw.Ports{In: b.cfg.Ports[2*i-2], Out: b.cfg.Ports[2*i-1]}); err != nil {
			t.Fatal(err)
		}
	}
	before := entries()
	refuse("completion", 0, 1)
	s.Install(hw.Rule{Flow: 1, Tuple: tuple(1), Instance: 1})
	answers(t, s, 1, hw.Rejected)
	if n := entries(); n != before {
		t.Errorf("%d entries after a refused one", n-before)
	}
	s.Install(hw.Rule{Flow: 1, Tuple: tuple(1), Instance: 1})
	answers(t, s, 1, hw.Confirmed)

	refuse("completion", 0, 1) // the removal: the rule stays
	s.Move(hw.Move{Flow: 1, Instance: 2})
	answers(t, s, 1, hw.Rejected)
	if v := receive(0, frame(1)); v.kind != toPort || v.port != 1 {
		t.Errorf("after a refused move a frame goes to %+v", v)
	}
	refuse("completion", 1, 1) // the second half: the rule is gone
	s.Move(hw.Move{Flow: 1, Instance: 2})
	e := <-s.Events()
	if e.Kind != hw.Ended || e.Flow != 1 {
		t.Errorf("a rule lost in a move: %v, %q", e.Kind, e.Reason)
	}
	answers(t, s, 1, hw.Rejected)
	if v := receive(0, frame(1)); v.kind != toKernel {
		t.Errorf("a frame of the lost rule goes to %+v", v)
	}

	// Calls that fail on the spot, in the middle of a batch and at its end: what went before is not stuck.
	for _, after := range []int{0, 4, 9} {
		name := "doca_flow_pipe_add_entry"
		if release() >= 303 {
			name = "doca_flow_pipe_basic_add_entry"
		}
		refuse(name, after, 1)
		var rules []hw.Rule
		for f := range 10 {
			rules = append(rules, hw.Rule{Flow: flow.ID(100 + f), Tuple: tuple(100 + f), Instance: 1})
		}
		s.Install(rules...)
		for f := range 10 {
			want := hw.Confirmed
			if f == after {
				want = hw.Rejected
			}
			answers(t, s, 1, want)
		}
		for f := range 10 {
			s.Remove(flow.ID(100 + f))
		}
		for f := range 10 {
			want := hw.Confirmed
			if f == after {
				want = hw.Rejected
			}
			answers(t, s, 1, want)
		}
	}
}

// attach puts instances 1 and 2 at ports 1 and 3, with 2 and 4 as their way out.
func attach(t testing.TB, b *bench, s *Switch) {
	t.Helper()
	for i := flow.Instance(1); i <= 2; i++ {
		if err := s.Attach(t.Context(), i, hw.Ports{In: b.cfg.Ports[2*i-2], Out: b.cfg.Ports[2*i-1]}); err != nil {
			t.Fatal(err)
		}
	}
}

// the names of calls that changed from release to release.
func call(what string) string {
	switch {
	case what == "add" && release() >= 303:
		return "doca_flow_pipe_basic_add_entry"
	case what == "add":
		return "doca_flow_pipe_add_entry"
	case what == "update" && release() >= 303:
		return "doca_flow_pipe_basic_update_entry"
	case what == "update":
		return "doca_flow_pipe_update_entry"
	case what == "remove" && release() >= 209:
		return "doca_flow_pipe_remove_entry"
	case what == "remove":
		return "doca_flow_pipe_rm_entry"
	case release() >= 209:
		return "doca_flow_resource_query_entry"
	}
	return "doca_flow_query_entry"
}

// Each call that a request makes fails on the spot: the request is rejected, what was in force stays, and the same
// request succeeds afterwards.
func TestCallsFail(t *testing.T) {
	move := func(s *Switch) error { return s.Move(hw.Move{Flow: 0, Instance: 2}) }
	remove := func(s *Switch) error { return s.Remove(0) }
	for _, c := range []struct {
		call    string
		inPlace bool
		request func(*Switch) error
	}{
		{"remove", false, move}, {"query", false, move}, {"remove", false, remove}, {"query", false, remove},
		{"update", true, move}, {"query", true, move},
	} {
		if c.inPlace && release() == 302 {
			continue
		}
		b := newBench(t)
		b.cfg.MoveInPlace = c.inPlace
		s := open(t, b.cfg)
		attach(t, b, s)
		install(t, s, 1)
		refuse(call(c.call), 0, 1)
		if err := c.request(s); err != nil {
			t.Fatal(err)
		}
		if e := <-s.Events(); e.Kind != hw.Rejected || !strings.Contains(e.Reason, "DRIVER") {
			t.Errorf("%s failed: %v, %q", c.call, e.Kind, e.Reason)
		}
		if v := receive(0, frame(0)); v.kind != toPort || v.port != 1 {
			t.Errorf("%s failed: a frame goes to %+v", c.call, v)
		}
		if err := c.request(s); err != nil {
			t.Fatal(err)
		}
		answers(t, s, 1, hw.Confirmed)

		refuse(call("query"), 0, 1)
		if _, err := s.Counters(t.Context()); err == nil || !strings.Contains(err.Error(), "DRIVER") {
			t.Errorf("counters that cannot be read: %v", err)
		}
		s.Close()
	}
}

// A card that wants to be asked again is asked again: nothing is rejected, and nothing is lost or done twice.
func TestTheCardIsBusy(t *testing.T) {
	for _, c := range []struct {
		call    string
		inPlace bool
	}{{"add", false}, {"remove", false}, {"update", true}} {
		if c.inPlace && release() == 302 {
			continue
		}
		for _, after := range []int{0, 3, 9} {
			b := newBench(t)
			b.cfg.MoveInPlace = c.inPlace
			s := open(t, b.cfg)
			attach(t, b, s)
			before := entries()
			if c.call == "add" {
				busy(call("add"), after, 5)
			}
			install(t, s, 10)
			if c.call != "add" {
				busy(call(c.call), after, 5)
			} else {
				busy(call("add"), after, 5) // the second halves of moves
			}
			for f := range flow.ID(10) {
				s.Move(hw.Move{Flow: f, Instance: 2})
			}
			answers(t, s, 10, hw.Confirmed)
			for f := range 10 {
				if v := receive(0, frame(f)); v.kind != toPort || v.port != 3 {
					t.Errorf("%s was busy after %d: a frame of flow %d goes to %+v", c.call, after, f, v)
				}
			}
			if n := entries() - before; n > 11 { // one may be there to send a batch on its way
				t.Errorf("%s was busy after %d: %d entries for 10 rules", c.call, after, n)
			}
			s.Close()
		}
	}
}

// A pipe that is full rejects, and its flow stays with the kernel, until there is room again. The other pipes have
// theirs.
func TestAPipeIsFull(t *testing.T) {
	b := newBench(t)
	b.cfg.Rules = 4
	s := open(t, b.cfg)
	attach(t, b, s)
	install(t, s, 4)
	more := hw.Rule{Flow: 4, Tuple: tuple(4), Instance: 1}
	s.Install(more)
	if e := <-s.Events(); e.Kind != hw.Rejected || !strings.Contains(e.Reason, "full with 4 rules") {
		t.Errorf("one rule too many: %v, %q", e.Kind, e.Reason)
	}
	if v := receive(0, frame(4)); v.kind != toKernel {
		t.Errorf("its frame goes to %+v", v)
	}
	tcp := more
	tcp.Flow, tcp.Tuple.Proto = 5, flow.TCP
	s.Install(tcp)
	answers(t, s, 1, hw.Confirmed)
	s.Remove(0)
	s.Install(more)
	answers(t, s, 2, hw.Confirmed)
}

// Instances are attached and detached while the queue is full of moves.
func TestAttachInTheMiddle(t *testing.T) {
	b := newBench(t)
	b.cfg.QueueDepth = 4
	s := open(t, b.cfg)
	attach(t, b, s)
	const n = 1000
	install(t, s, n)
	completeAtMost(1)
	moves := make([]hw.Move, n)
	for f := range moves {
		moves[f] = hw.Move{Flow: flow.ID(f), Instance: 2}
	}
	s.Move(moves...)
	for range 20 {
		if err := s.Attach(t.Context(), 3, hw.Ports{In: b.cfg.Ports[4], Out: b.cfg.Ports[5]}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Detach(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
	answers(t, s, n, hw.Confirmed)
	for f := range moves {
		if v := receive(0, frame(f)); v.kind != toPort || v.port != 3 {
			t.Fatalf("a frame of flow %d goes to %+v", f, v)
		}
	}
}

// What is neither TCP nor UDP goes to the kernel, or is dropped if the configuration says so.
func TestOthersByPolicy(t *testing.T) {
	icmp, later := frame(0), frame(0)
	icmp[23] = 1
	later[20], later[21] = 0, 100 // a fragment without ports
	for _, drop := range []bool{false, true} {
		b := newBench(t)
		b.cfg.DropOthers = drop
		s := open(t, b.cfg)
		want := toKernel
		if drop {
			want = dropped
		}
		for _, f := range [][]byte{icmp, later} {
			if v := receive(0, f); v.kind != want {
				t.Errorf("drop_others %v: %x goes to %+v", drop, f, v)
			}
		}
		if v := receive(0, frame(0)); v.kind != toKernel {
			t.Errorf("drop_others %v: a first packet goes to %+v", drop, v)
		}
		s.Close()
	}
}

// Idle rules end with what they counted, also more of them than the queue takes at a time; those that are used stay.
func TestIdleRulesEnd(t *testing.T) {
	b := newBench(t)
	b.cfg.QueueDepth = 8
	countersEvery(0) // time stands still
	s := open(t, b.cfg)
	attach(t, b, s)
	const n = 50
	rules := make([]hw.Rule, n)
	for f := range n {
		rules[f] = hw.Rule{Flow: flow.ID(f), Tuple: tuple(f), Instance: 1, Idle: 10e9}
	}
	s.Install(rules...)
	answers(t, s, n, hw.Confirmed)
	for f := range n {
		receive(0, frame(f))
	}
	passSeconds(9)
	receive(0, frame(7))
	refreshCounters()
	passSeconds(1)
	ended := map[flow.ID]bool{}
	for range n - 1 {
		e := <-s.Events()
		if e.Kind != hw.Ended || !e.Idle || e.Packets != 1 || ended[e.Flow] || e.Flow == 7 {
			t.Fatalf("%v of flow %d, idle %v, %d packets: %q", e.Kind, e.Flow, e.Idle, e.Packets, e.Reason)
		}
		ended[e.Flow] = true
	}
	left, err := s.Rules(t.Context())
	if err != nil || len(left.Rules) != 1 || left.Rules[0].Flow != 7 || left.Rules[0].Packets != 2 {
		t.Errorf("left: %+v, %v", left.Rules, err)
	}
}

// A card that answers no more is lost, and its driver ends.
func TestTheCardIsLost(t *testing.T) {
	b := newBench(t)
	s := open(t, b.cfg)
	refuse("doca_flow_entries_process", 0, 1000)
	s.Install(hw.Rule{Flow: 1, Tuple: tuple(1), Instance: 1})
	answers(t, s, 1, hw.Lost)
	if e, more := <-s.Events(); more {
		t.Errorf("after it was lost: %v", e.Kind)
	}
	if _, err := s.Counters(context.Background()); err != hw.ErrClosed {
		t.Errorf("counters of a lost card: %v", err)
	}
	refuse("", 0, 0)
	s.Close()
	open(t, b.cfg) // and it can be opened again
}
