package ovs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/internal/nettest"
	"github.com/smartinco/smartinco/hw/ovs"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/hw/switchtest"
	"github.com/smartinco/smartinco/internal/needs"
)

const bridge = "br0"

// lab is an Open vSwitch of the test's own, with ports of which the test holds the other ends.
type lab struct {
	testing.TB
	*vswitch.Instance
	netns   nettest.Namespace
	ports   []string
	sockets map[string]*nettest.Socket
	address string // if not the bridge's management socket
}

func newLab(t testing.TB, ports ...string) *lab {
	t.Helper()
	needs.This(t, vswitch.Missing())
	n := nettest.New(t)
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{TB: t, netns: n, ports: ports, sockets: map[string]*nettest.Socket{}}
	for _, p := range ports {
		n.Pair(t, p, "to-"+p)
		l.sockets[p] = n.Listen(t, "to-"+p)
	}
	l.Instance, err = vswitch.Start(context.Background(), dir, string(n))
	l.must(err)
	// Counters reach the rules five times as often as by default, so that a test need not wait for them.
	l.must(l.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=100"))
	t.Cleanup(func() {
		if err := l.Instance.Stop(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// bridge makes the bridge anew, without rules.
func (l *lab) bridge() {
	l.Helper()
	l.must(l.vsctl("--if-exists", "del-br", bridge)) // by itself: otherwise the data path's cache stays
	args := []string{"add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure"}
	for _, p := range l.ports {
		args = append(args, "--", "add-port", bridge, p)
	}
	l.must(l.vsctl(args...))
	for _, s := range l.sockets {
		for len(s.C) > 0 {
			<-s.C
		}
	}
}

func (l *lab) vsctl(args ...string) error {
	_, err := l.Database().Vsctl(context.Background(), args...)
	return err
}

// ofctl is somebody else at the same switch.
func (l *lab) ofctl(command string, args ...string) (string, error) {
	all := append([]string{"-O", "OpenFlow13", "--names", command, l.Management(bridge)}, args...)
	out, err := exec.Command("ovs-ofctl", all...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ovs-ofctl %s: %w: %s", strings.Join(all, " "), err, out)
	}
	return string(out), nil
}

func (l *lab) config() ovs.Config {
	c := ovs.Config{Address: l.Management(bridge), Uplink: "uplink", Sink: "sink"}
	if l.address != "" {
		c.Address = l.address
	}
	return c
}

func (l *lab) open(c ovs.Config) (*ovs.Driver, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return ovs.Open(ctx, c)
}

// settle waits for two rounds of the revalidators: the one under way may have begun too early.
func (l *lab) settle() error {
	for range 2 {
		if _, err := l.Appctl(context.Background(), "revalidator/wait"); err != nil {
			return err
		}
	}
	return nil
}

// room bounds the table of the flow rules.
func (l *lab) room(n int) error {
	out, err := l.ofctl("dump-aggregate", "table=0")
	if err != nil {
		return err
	}
	var used int
	if _, err := fmt.Sscanf(out[strings.Index(out, "flow_count="):], "flow_count=%d", &used); err != nil {
		return fmt.Errorf("%q: %w", out, err)
	}
	return l.vsctl("--", "--id=@t", "create", "Flow_Table", fmt.Sprintf("flow_limit=%d", used+n), "--", "set", "bridge",
		bridge, "flow_tables:0=@t")
}

func (l *lab) bench(t *testing.T) *switchtest.Bench {
	l.TB = t
	l.bridge()
	return &switchtest.Bench{
		Uplink: "uplink", Sink: "sink", Ports: [6]string(l.ports[2:]),
		Open: func(adopt bool) (hw.Switch, error) {
			c := l.config()
			c.Adopt = adopt
			return l.open(c)
		},
		Send:   func(port string, frame []byte) error { return l.sockets[port].Send(frame) },
		Out:    func(port string) <-chan []byte { return l.sockets[port].C },
		Settle: l.settle,
		Room:   l.room,
		Stop:   l.Kill,
		Start:  func() error { return l.StartDaemon(context.Background()) },
		Foreign: func(from, to string) error {
			_, err := l.ofctl("add-flow", fmt.Sprintf("priority=50,in_port=%s,actions=output:%s", from, to))
			return err
		},
		Delete: func(r hw.Rule) error {
			_, err := l.ofctl("del-flows", fmt.Sprintf("cookie=%#x/%#x", 0x51dc<<48|uint64(r.Flow),
				uint64(0xffffff807fffffff)))
			return err
		},
		Unplug: func(port string) error { return l.vsctl("del-port", bridge, port) },
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	l := newLab(t, "uplink", "sink", "a", "b", "c", "d", "e", "f")
	switchtest.Run(t, l.bench)
}

// Over TCP the switch takes us for a controller, which it treats otherwise than its own tools in some respects.
func TestConformanceOverTCP(t *testing.T) {
	t.Parallel()
	l := newLab(t, "uplink", "sink", "a", "b", "c", "d", "e", "f")
	l.netns.Up(t, "lo")
	l.tunnel("127.0.0.1:6653")
	switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
		b := l.bench(t)
		l.must(l.vsctl("set-controller", bridge, "ptcp:6653:127.0.0.1"))
		return b
	})
}

// tunnel makes the driver reach an address inside the namespace.
func (l *lab) tunnel(to string) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	var serving sync.WaitGroup
	l.Cleanup(func() { _ = listen.Close(); serving.Wait() })
	l.address = "tcp:" + listen.Addr().String()
	t := l.TB // that of today: each part of the suite has its own
	serving.Go(func() {
		for {
			near, err := listen.Accept()
			if err != nil {
				return
			}
			var far net.Conn
			l.netns.Do(t, func() error {
				far, err = net.Dial("tcp", to)
				return nil
			})
			if err != nil {
				_ = near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				serving.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = near.Close(), far.Close()
				})
			}
		}
	})
}

// Somebody deletes every rule of the bridge: the flows' rules end, and what the driver needs for itself is put back.
func TestFixedRulesArePutBack(t *testing.T) {
	t.Parallel()
	l := newLab(t, "uplink", "sink", "a")
	l.bridge()
	d, err := l.open(l.config())
	l.must(err)
	defer d.Close()
	l.must(d.Attach(context.Background(), 1, hw.Ports{In: "a", Out: "a"}))
	l.must(d.Install(rule(0, 1)))
	l.waitFor(d, hw.Confirmed)
	frame := udpFrame(rule(0, 1).Tuple)

	_, err = l.ofctl("del-flows")
	l.must(err)
	if e := l.waitFor(d, hw.Ended); e.Idle || e.Flow != 0 {
		t.Errorf("ended: %+v, want flow 0, and not for lack of packets", e)
	}
	l.must(l.sockets["uplink"].Send(frame))
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
		out, err := l.ofctl("dump-flows")
		l.must(err)
		if strings.Count(out, "cookie=0x51dc") == 4+2 {
			break
		}
	}
	l.must(l.sockets["uplink"].Send(frame))
	l.waitFor(d, hw.PacketIn)
	l.must(d.Install(rule(1, 1)))
	l.waitFor(d, hw.Confirmed)
	l.must(l.settle())
	l.must(l.sockets["uplink"].Send(udpFrame(rule(1, 1).Tuple)))
	l.arrives("a", udpFrame(rule(1, 1).Tuple))
	l.must(l.sockets["a"].Send(frame))
	l.arrives("sink", frame)
}

// arrives wants a frame to leave by a port.
func (l *lab) arrives(port string, want []byte) {
	l.Helper()
	select {
	case got := <-l.sockets[port].C:
		if !bytes.Equal(got, want) {
			l.Errorf("by %s left %x, want %x", port, got, want)
		}
	case <-time.After(time.Minute):
		l.Errorf("nothing left by %s", port)
	}
}

// waitFor skips packet-ins on the way to another kind of event.
func (l *lab) waitFor(d *ovs.Driver, k hw.EventKind) hw.Event {
	l.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case e := <-d.Events():
			if e.Kind == k {
				return e
			}
			if e.Kind != hw.PacketIn {
				l.Fatalf("%v of flow %d, %q: want %v", e.Kind, e.Flow, e.Reason, k)
			}
		case <-late:
			l.Fatalf("no event, want %v", k)
		}
	}
}
