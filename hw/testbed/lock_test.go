package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
	"github.com/smartinco/smartinco/hw/trex"
)

// flowOf is one that goes on for long.
func flowOf(t *testing.T) trex.Flow {
	t.Helper()
	a, b := netip.MustParseAddr("16.0.0.1"), netip.MustParseAddr("48.0.0.1")
	return trex.Flow{Tuple: flow.FiveTuple{Src: a, Dst: b, SrcPort: 1025, DstPort: 12, Proto: flow.UDP}, Rate: 1000,
		Total: 1e6, Frame: 128}
}

// rack is a testbed's file of this test's own devices; what is replaced is given in pairs.
func rack(t *testing.T, dir string, replace ...string) *File {
	t.Helper()
	text := fmt.Sprintf("name: lock%d\nswitch: {ovs: {address: \"unix:%s/ovs/br.mgmt\", uplink: p0}}\n", os.Getpid(),
		dir) +
		fmt.Sprintf("containers: {docker: {image: i, host: \"unix://%s/docker.sock\", ports: [{in: a}]}}\n", dir) +
		fmt.Sprintf("generator: {trex: {address: \"127.0.0.1:%d\", send: 0, receive: 1}}\n", 20000+os.Getpid()%20000)
	return parse(t, strings.NewReplacer(replace...).Replace(text))
}

// Two files that describe the same switch, the same containers or the same generator are one testbed, wherever they are
// and whatever else they say.
func TestOneUserATestbed(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ovs"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "ovs"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	const otherSwitch, otherEngine = "ovs2/br.mgmt", "docker2.sock"
	f := rack(t, dir)
	unlock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		replace []string
		what    string // is in use; empty if nothing is
	}{
		{"a copy", nil, "containers of "},
		{"another name and another generator", []string{"name: ", "name: x", "send: 0, receive: 1",
			"send: 2, receive: 3"}, "switch "},
		{"the same switch by another path", []string{"name: ", "name: x", "/ovs/", "/link/", "send: 0, receive: 1",
			"send: 2, receive: 3"}, "switch "},
		{"the same port of the generator by another name", []string{"name: ", "name: x", "ovs/br.mgmt", otherSwitch,
			"127.0.0.1", "localhost", "send: 0, receive: 1", "send: 1, receive: 2"}, "port 1 of the generator "},
		{"the same containers", []string{"ovs/br.mgmt", otherSwitch, "send: 0, receive: 1", "send: 2, receive: 3"},
			"containers of "},
		{"other rules on the same switch", []string{"name: ", "name: x", "uplink: p0", "uplink: p0, owner: 1",
			"send: 0, receive: 1", "send: 2, receive: 3"}, ""},
		{"everything else", []string{"name: ", "name: x", "ovs/br.mgmt", otherSwitch, "docker.sock", otherEngine,
			"send: 0, receive: 1", "send: 2, receive: 3"}, ""},
	} {
		other := rack(t, dir, c.replace...)
		free, err := other.Lock()
		switch {
		case c.what == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.what != "" && (!errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), c.what)):
			t.Errorf("%s: %v, want %q in use", c.name, err, c.what)
		}
		if err == nil {
			free()
		}
		for _, part := range other.parts() {
			if _, err := os.Lstat(lockFile(part)); err == nil && !slices.Contains(f.parts(), part) {
				t.Errorf("%s: the lock of %s is left, as if its holder had been killed", c.name, part)
			}
		}
	}
	unlock()
	for _, part := range f.parts() {
		if _, err := os.Lstat(lockFile(part)); !os.IsNotExist(err) {
			t.Errorf("the lock of %s is left: %v", part, err)
		}
	}
	again, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// A killed process holds nothing, and what it has left is known to be left until somebody has taken it over.
func TestLockOfAKilledProcess(t *testing.T) {
	f := rack(t, t.TempDir())
	f.Generator.TRex.Address = generates(t)
	t.Cleanup(func() {
		for _, part := range f.parts() {
			_ = os.Remove(lockFile(part))
		}
	})
	killed, _, err := hold(f.parts()[0])
	if err != nil {
		t.Fatal(err)
	}
	killed.Close() // as the kernel does it
	var unlock func()
	lock := func(after string, left bool) {
		t.Helper()
		if unlock, err = f.Lock(); err != nil || f.left != left {
			t.Fatalf("after %s: %v, left %v; want %v", after, err, f.left, left)
		}
	}
	opened := func() replay.Hardware {
		t.Helper()
		h, err := f.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { Close(h) })
		return h
	}
	stand := standIns(t, nil)
	lock("a kill", true)
	unlock()
	lock("a look", true)
	stand(errors.New("no switch"))
	if _, err := f.Open(t.Context()); err == nil {
		t.Error("opened without a switch")
	}
	unlock()
	stand(nil)
	lock("a run that could not open the testbed", true)
	opened()
	unlock()
	lock("a run whose record was refused", true)
	opened().Left(errors.New("the engine is down"))
	unlock()
	lock("a run that could not clean", true)
	stand(errors.New("no switch"))
	if _, err := f.Clean(t.Context()); err == nil {
		t.Error("cleaned without a switch")
	}
	unlock()
	stand(nil)
	lock("hw clean that did not reach the switch", true)
	opened().Left(nil)
	unlock()
	lock("a run that cleaned", false)
	opened()
	unlock()
	lock("a run whose record was refused, of nobody killed", false)
	stand(errors.New("no switch"))
	if _, err := f.Clean(t.Context()); err == nil {
		t.Error("cleaned without a switch")
	}
	unlock()
	stand(nil)
	lock("hw clean that did not reach the switch, of nobody killed", false)
	opened().Left(errors.New("the engine is down"))
	unlock()
	lock("a run that could not clean, of nobody killed", true)
	if _, err := f.Clean(t.Context()); err != nil {
		t.Error(err)
	}
	unlock()
	lock("hw clean", false)
	unlock()
}

// standIns are, until the test ends, the drivers of a switch, an engine and a generator that do nothing. What it
// returns says what opening the switch fails with.
func standIns(t *testing.T, fails error) (fail func(error)) {
	t.Helper()
	s, e, g := switches, engines, generators
	t.Cleanup(func() { switches, engines, generators = s, e, g })
	always := func(*File) bool { return true }
	switches = []driver[hw.Switch]{{"ovs", always, func(context.Context, *File) (hw.Switch, error) {
		if fails != nil {
			return nil, fails
		}
		return simswitch.New(simswitch.Config{Uplink: "up", Sink: "sink"}).Open(true)
	}, nil, ovsParts}}
	engines = []driver[hw.ContainerEngine]{{"docker", always,
		func(context.Context, *File) (hw.ContainerEngine, error) { return boxes{}, nil }, nil, dockerParts}}
	generators = []driver[hw.Generator]{{"trex", always,
		func(context.Context, *File) (hw.Generator, error) { return idle{}, nil }, nil, trexParts}}
	return func(err error) { fails = err }
}

// idle is a generator that is closed.
type idle struct{ hw.Generator }

func (idle) Close() error { return nil }

// begin has our user send at the generator, for as long as nobody stops it.
func begin(t *testing.T, addr string) {
	t.Helper()
	p := user(t, addr, "smartinco")
	s, err := trex.Streams([]trex.Flow{flowOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Replace(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(t.Context(), trex.Run{}); err != nil {
		t.Fatal(err)
	}
}

// A generator that sends for our own user is another machine's run, unless a run of this machine was killed.
func TestAPortThatSendsIsNoLeftover(t *testing.T) {
	addr := generates(t)
	begin(t, addr)
	c, err := trex.Dial(t.Context(), trex.Options{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sends := func(want bool) {
		t.Helper()
		if s, err := c.Status(t.Context(), 0); err != nil || (s.State == trex.Sending) != want {
			t.Errorf("port 0 is in state %s, %v; want it to send: %v", s.State, err, want)
		}
	}
	f := with(t, "", "", fmt.Sprintf("trex: {address: %q, send: 0, receive: 1}", addr))
	if _, err := openTRex(t.Context(), f); !errors.Is(err, ErrBusy) ||
		!strings.Contains(err.Error(), "port 0 sends (TX)") {
		t.Errorf("opened beside a run: %v", err)
	}
	sends(true)
	f.left = true
	g, err := openTRex(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	sends(false)
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// What hw clean can reach it cleans, also where the switch and the container engine are down.
func TestCleanWithoutASwitch(t *testing.T) {
	addr := generates(t)
	begin(t, addr)
	f := with(t, "", "", fmt.Sprintf("trex: {address: %q, send: 0, receive: 1}", addr))
	done, err := f.Clean(t.Context())
	if done.Generator != "port 0 was sending and is stopped" {
		t.Errorf("generator: %q", done.Generator)
	}
	for _, want := range []string{"the rules in the switch are left: ", "the containers are left: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q", err, want)
		}
	}
	c, err := trex.Dial(t.Context(), trex.Options{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s, err := c.Status(t.Context(), 0); err != nil || s.State != trex.Idle || s.Owner != "" {
		t.Errorf("port 0: %+v, %v; want it idle and free", s, err)
	}
	if done, err := with(t, "", "", `trex: {address: "127.0.0.1:1"}`).Clean(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "the generator may go on to send: ") || done.Any() {
		t.Errorf("without a generator: %+v, %v", done, err)
	}
}

// boxes is a container engine that has some.
type boxes struct {
	hw.ContainerEngine
	list []hw.Container
	now  time.Time
}

func (b boxes) List(context.Context) ([]hw.Container, error) { return b.list, nil }
func (b boxes) Now(context.Context) (time.Time, error)       { return b.now, nil }
func (boxes) Close() error                                   { return nil }

func TestYoungContainersAreNoLeftovers(t *testing.T) {
	for _, c := range []struct {
		name    string
		age     time.Duration
		running bool
		left    bool
		busy    bool
	}{
		{"seconds old", 3 * time.Second, true, false, true},
		{"and dead", 3 * time.Second, false, false, false},
		{"of this machine's killed run", 3 * time.Second, true, true, false},
		{"old", time.Hour, true, false, false},
	} {
		for _, ahead := range []time.Duration{0, -time.Hour, time.Hour} { // the engine's clock, of ours
			now := time.Now().Add(ahead)
			f := &File{Name: "t", left: c.left}
			err := f.fresh(t.Context(),
				replay.Hardware{Containers: boxes{list: []hw.Container{{Instance: 1, Running: c.running,
					Created: now.Add(-c.age)}}, now: now}})
			if errors.Is(err, ErrBusy) != c.busy || err != nil && !c.busy {
				t.Errorf("%s, clock %v ahead: %v", c.name, ahead, err)
			}
		}
	}
}
