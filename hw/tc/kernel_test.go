package tc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/switchtest"
	"github.com/smartinco/smartinco/internal/needs"
)

// namespace is this machine's kernel, in a network namespace of a test's own: a thread that has left the others'.
type namespace struct {
	linux
	calls chan func()
}

func newNamespace(t testing.TB) *namespace {
	t.Helper()
	needs.Root(t, "no network namespace can be made")
	n := &namespace{calls: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for call := range n.calls {
			call()
		}
	}()
	if err := <-made; err != nil {
		needs.This(t, "no network namespace: "+err.Error())
	}
	t.Cleanup(func() { close(n.calls) })
	return n
}

// do runs f in the namespace.
func (n *namespace) do(f func()) {
	done := make(chan struct{})
	n.calls <- func() { f(); close(done) }
	<-done
}

func (n *namespace) dial() (s socket, err error) {
	n.do(func() { s, err = n.linux.dial() })
	return s, err
}

func (n *namespace) reader(name string) (r arrivals, err error) {
	n.do(func() { r, err = n.linux.reader(name) })
	return r, err
}

func (n *namespace) writer(name string) (w io.WriteCloser, err error) {
	n.do(func() { w, err = n.linux.writer(name) })
	return w, err
}

func (n *namespace) index(name string) (i int, err error) {
	n.do(func() { i, err = n.linux.index(name) })
	return i, err
}

func (n *namespace) name(i int) (name string, err error) {
	n.do(func() { name, err = n.linux.name(i) })
	return name, err
}

func (n *namespace) devices() (all []int, err error) {
	n.do(func() { all, err = n.linux.devices() })
	return all, err
}

func (n *namespace) request(t testing.TB, r request) error {
	t.Helper()
	s, err := n.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	_, err = (&conn{socket: s}).one(r)
	return err
}

// withFlower skips the test where the kernel has no flower classifier.
func (n *namespace) withFlower(t testing.TB) {
	t.Helper()
	const lo = 1
	if err := n.request(t, clsact(lo)); err != nil {
		needs.Kernel(t, fmt.Sprintf("the kernel does not make clsact: %v", err))
	}
	f := filter{dev: lo, pref: 10, proto: unix.ETH_P_ALL, handle: 1}
	err := n.request(t, f.add())
	if errors.Is(err, unix.ENOENT) {
		needs.Kernel(t, fmt.Sprintf("the kernel has no flower classifier (CONFIG_NET_CLS_FLOWER): %v", err))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kernelBench is a namespace with the devices, and their other ends in the test's hands.
type kernelBench struct {
	*namespace
	config Config
	in     map[string]io.Writer
	out    map[string]chan []byte
}

func newKernelBench(t *testing.T) *kernelBench {
	n := newNamespace(t)
	b := &kernelBench{n, Config{Uplink: "p0", Sink: "p1", Software: true, CounterLag: 1, system: n},
		map[string]io.Writer{}, map[string]chan []byte{}}
	for _, p := range devices {
		peer := "to-" + p
		var err error
		n.do(func() {
			err = netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: p}, PeerName: peer})
			for _, name := range []string{p, peer} {
				link, e := netlink.LinkByName(name)
				if err = errors.Join(err, e); err == nil {
					err = netlink.LinkSetUp(link)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r, w, c := must(n.reader(peer)), must(n.writer(peer)), make(chan []byte, 4096)
		b.out[p], b.in[p] = c, w
		go frames(r, c)
		t.Cleanup(func() { w.Close(); r.Close() })
	}
	return b
}

// TestKernel holds the driver to the contract on this machine's kernel, which forwards in software.
func TestKernel(t *testing.T) {
	newNamespace(t).withFlower(t)
	switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
		b := newKernelBench(t)
		return &switchtest.Bench{
			Uplink: "p0", Sink: "p1", Ports: [6]string(devices[1:7]),
			Open: func(adopt bool) (hw.Switch, error) {
				c := b.config
				c.Adopt = adopt
				return Open(c)
			},
			Send:   func(port string, frame []byte) error { _, err := b.in[port].Write(frame); return err },
			Out:    func(port string) <-chan []byte { return b.out[port] },
			Settle: arrive,
			Foreign: func(from, to string) error {
				f := filter{dev: must(b.index(from)), pref: 5, proto: unix.ETH_P_ALL, handle: 1, to: must(b.index(to))}
				return errors.Join(ignore(b.request(t, clsact(f.dev)), unix.EEXIST), b.request(t, f.add()))
			},
			Delete: func(r hw.Rule) error {
				d := Driver{cfg: b.config, uplink: must(b.index("p0"))}
				d.cfg.defaults()
				f := d.filterOf(&rule{Rule: r})
				return b.request(t, f.remove())
			},
			Unplug: b.unplug,
		}
	})
}

func (b *kernelBench) unplug(port string) (err error) {
	b.do(func() {
		var link netlink.Link
		if link, err = netlink.LinkByName(port); err == nil {
			err = netlink.LinkDel(link)
		}
	})
	return err
}

func TestKernelUplinkGone(t *testing.T) {
	newNamespace(t).withFlower(t)
	b := newKernelBench(t)
	d := open(t, b.config)
	attach(t, d, 1)
	if err := d.Install(ruleOf(0, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	if err := b.unplug("p0"); err != nil {
		t.Fatal(err)
	}
	uplinkIsGone(t, d)
}

// The kernel shows no filter of a device that is not there, and no error either: the driver must not take silence for
// an answer.
func TestKernelShowsNothingOfAMissingDevice(t *testing.T) {
	s, err := newNamespace(t).dial()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const nowhere = 1 << 20
	err = (&conn{socket: s}).filters(all(nowhere, 10, true), func(f *filter, _ bool) { t.Errorf("filter %+v", f) })
	if err != nil {
		t.Errorf("the filters of a device that is not there: %v, want none", err)
	}
}

func TestKernelProbe(t *testing.T) {
	newNamespace(t).withFlower(t)
	b := newKernelBench(t)
	if p, err := Probe(b.config); err != nil || p != (Probed{}) {
		t.Errorf("probed %+v, %v; want a kernel without card and leftovers", p, err)
	}
	hard := b.config
	hard.Software = false
	if _, err := Probe(hard); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("probed for a card where there is none: %v", err)
	}
}

// A flow that moves to and fro under traffic loses no packet: each comes to one instance or the other.
func TestKernelMovesWithoutAGap(t *testing.T) {
	newNamespace(t).withFlower(t)
	b := newKernelBench(t)
	d := open(t, b.config)
	attach(t, d, 1, 2)
	if err := d.Install(ruleOf(0, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	stop, moved := make(chan struct{}), make(chan error)
	moves := 0
	go func() {
		for {
			select {
			case <-stop:
				moved <- nil
				return
			default:
			}
			if err := d.Move(hw.Move{Flow: 0, Instance: flow.Instance(1 + (moves+1)%2)}); err != nil {
				moved <- err
				return
			}
			if e := <-d.Events(); e.Kind != hw.Confirmed {
				moved <- fmt.Errorf("%v: %s", e.Kind, e.Reason)
				return
			}
			moves++
		}
	}()
	const bursts, burst = 50, 20 // no more at a time than a socket holds
	for k := range bursts {
		late := time.After(time.Minute)
		for range burst {
			if _, err := b.in["p0"].Write(frameOf(0)); err != nil {
				t.Fatal(err)
			}
		}
		for got := 0; got < burst; {
			var f []byte
			select {
			case f = <-b.out["vf0"]:
			case f = <-b.out["vf2"]:
			case <-late:
				t.Fatalf("%d of %d frames of burst %d came out, after %d moves", got, burst, k, moves)
			}
			if tuple, ok := hw.TupleOf(f); ok && tuple == tupleOf(0) {
				got++
			}
		}
	}
	close(stop)
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	r, err := d.Rules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d moves: the counter lacks %d of %d packets", moves, bursts*burst-r.Rules[0].Packets, bursts*burst)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// frames gives what comes in at a device until it is closed.
func frames(r arrivals, c chan<- []byte) {
	b := make([]byte, 1<<16)
	for {
		n, _, err := r.Read(b)
		if err != nil && !errors.Is(err, unix.ENETDOWN) {
			return
		}
		select {
		case c <- slices.Clone(b[:n]):
		default:
		}
	}
}
