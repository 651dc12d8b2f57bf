package tc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/internal/needs"
	"github.com/smartinco/smartinco/hw/switchtest"
)

// namespace is this machine's kernel, in a network namespace of a test's own: a thread that has left the others'.
type namespace struct {
	linux
	calls chan func()
}

func newNamespace(t testing.TB) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		needs.This(t, "not root: no network namespace can be made")
	}
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
		t.Fatal(err)
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

func (n *namespace) reader(name string) (r io.ReadCloser, err error) {
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

// TestKernel holds the driver to the contract on this machine's kernel, which forwards in software.
func TestKernel(t *testing.T) {
	newNamespace(t).withFlower(t)
	switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
		n := newNamespace(t)
		out, in := map[string]chan []byte{}, map[string]io.Writer{}
		for _, p := range devices {
			n.do(func() {
				peer := "to-" + p
				err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: p}, PeerName: peer})
				for _, name := range []string{p, peer} {
					link, e := netlink.LinkByName(name)
					if err = errors.Join(err, e); err == nil {
						err = netlink.LinkSetUp(link)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
			r := must(n.reader("to-" + p))
			w := must(n.writer("to-" + p))
			c := make(chan []byte, 4096)
			out[p], in[p] = c, w
			go frames(r, c)
			t.Cleanup(func() { w.Close(); r.Close() })
		}
		config := Config{Uplink: "p0", Sink: "p1", Software: true, CounterLag: 1, system: n}
		return &switchtest.Bench{
			Uplink: "p0", Sink: "p1", Ports: [6]string(devices[1:7]),
			Open: func(adopt bool) (hw.Switch, error) {
				c := config
				c.Adopt = adopt
				return Open(c)
			},
			Send: func(port string, frame []byte) error { _, err := in[port].Write(frame); return err },
			Out:  func(port string) <-chan []byte { return out[port] },
			Foreign: func(from, to string) error {
				f := filter{dev: must(n.index(from)), pref: 5, proto: unix.ETH_P_ALL, handle: 1, to: must(n.index(to))}
				return errors.Join(ignore(n.request(t, clsact(f.dev)), unix.EEXIST), n.request(t, f.add()))
			},
			Delete: func(r hw.Rule) error {
				d := Driver{cfg: config, uplink: must(n.index("p0"))}
				d.cfg.defaults()
				f := d.filterOf(&rule{Rule: r})
				return n.request(t, f.remove())
			},
		}
	})
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
func frames(r io.Reader, c chan<- []byte) {
	b := make([]byte, 1<<16)
	for {
		n, err := r.Read(b)
		if err != nil && !errors.Is(err, unix.ENETDOWN) {
			return
		}
		select {
		case c <- slices.Clone(b[:n]):
		default:
		}
	}
}
