// Package nettest gives a test a network of its own: a namespace, pairs of virtual Ethernet devices in it, and sockets
// that send and receive whole frames. All of it goes with the test.
package nettest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/internal/needs"
)

// Namespace is a network namespace, by the name that ip-netns knows.
type Namespace string

// Missing says what the machine lacks for a namespace; it is empty if nothing is missing.
func Missing() string {
	if _, err := exec.LookPath("ip"); err != nil {
		return "no ip: install iproute2"
	}
	if os.Geteuid() != 0 {
		return "not root: no network namespace can be made"
	}
	return ""
}

// New makes a namespace for the time of a test, in which IPv6 sends nothing by itself.
func New(t testing.TB) Namespace {
	t.Helper()
	needs.This(t, Missing())
	n := Namespace(fmt.Sprintf("smartinco-test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9))
	ip(t, "netns", "add", string(n))
	t.Cleanup(func() { ip(t, "netns", "delete", string(n)) })
	n.Do(t, func() error {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a kernel without IPv6
		}
		return err
	})
	return n
}

func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// Pair makes two devices that are connected to each other.
func (n Namespace) Pair(t testing.TB, a, b string) {
	t.Helper()
	ip(t, "-n", string(n), "link", "add", "name", a, "type", "veth", "peer", "name", b)
	n.Up(t, a, b)
}

// Unplug removes a device, and with it the one to which it is connected.
func (n Namespace) Unplug(t testing.TB, device string) {
	t.Helper()
	ip(t, "-n", string(n), "link", "delete", "dev", device)
}

// Up turns devices on.
func (n Namespace) Up(t testing.TB, devices ...string) {
	t.Helper()
	for _, dev := range devices {
		ip(t, "-n", string(n), "link", "set", "dev", dev, "up")
	}
}

// Do calls f on a thread that is in the namespace.
func (n Namespace) Do(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := unix.Open(filepath.Join("/var/run/netns", string(n)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd))
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("in namespace %s: %v", n, err)
	}
}

// Socket sends and receives the frames of one device.
type Socket struct {
	fd int
	C  chan []byte // what the device received; beyond its room frames are lost
}

// Listen opens a socket on a device for the time of the test.
func (n Namespace) Listen(t testing.TB, dev string) *Socket {
	t.Helper()
	s := &Socket{C: make(chan []byte, 4096)}
	n.Do(t, func() (err error) {
		link, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
			unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}),
			unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
		)
	})
	ended := make(chan struct{})
	stop := make(chan struct{})
	go s.receive(stop, ended)
	t.Cleanup(func() {
		close(stop)
		<-ended
		_ = unix.Close(s.fd)
	})
	return s
}

// all is ETH_P_ALL in network byte order.
var all = binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})

func (s *Socket) receive(stop, ended chan struct{}) {
	defer close(ended)
	buf := make([]byte, 1<<16)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, _, err := unix.Recvfrom(s.fd, buf, 0)
		if err != nil {
			continue // the timeout
		}
		select {
		case s.C <- append([]byte(nil), buf[:n]...):
		default:
		}
	}
}

// Send puts a frame on the wire.
func (s *Socket) Send(frame []byte) error {
	_, err := unix.Write(s.fd, frame)
	return err
}
