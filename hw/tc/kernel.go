package tc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/internal/netdev"
)

// system is what the driver wants of the operating system. Tests have another.
type system interface {
	// dial opens a way to the kernel on which requests go there and answers come back, each in datagrams.
	dial() (socket, error)
	reader(device string) (arrivals, error)
	writer(device string) (io.WriteCloser, error)
	index(device string) (int, error)
	name(device int) (string, error)
	// devices are the indices of all network devices.
	devices() ([]int, error)
}

// arrivals are the frames that come in at a device, with the times at which they did.
type arrivals interface {
	Read(b []byte) (n int, at time.Time, err error)
	Close() error
}

type socket interface {
	send(b []byte) error
	receive(b []byte) (int, error)
	close()
}

type linux struct{}

func (linux) reader(name string) (arrivals, error)       { return netdev.ReaderOfArrivals(name) }
func (linux) writer(name string) (io.WriteCloser, error) { return netdev.Writer(name) }

func (linux) index(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("network device %q: %w", name, err)
	}
	return i.Index, nil
}

func (linux) name(index int) (string, error) {
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", fmt.Errorf("network device %d: %w", index, err)
	}
	return i.Name, nil
}

func (linux) devices() (all []int, err error) {
	list, err := net.Interfaces()
	for _, i := range list {
		all = append(all, i.Index)
	}
	return all, err
}

// rtnetlink is a socket of that protocol.
type rtnetlink int

// answerLimit is how long the kernel may take for one answer. It gives them before the sending of the request returns.
const answerLimit = 10 * time.Second

func (linux) dial() (socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	limit := unix.NsecToTimeval(answerLimit.Nanoseconds())
	if err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20), // the answers to a batch, see batch
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
	); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netlink (it takes root, or CAP_NET_ADMIN): %w", err)
	}
	return rtnetlink(fd), nil
}

func (s rtnetlink) send(b []byte) error {
	return again(func() error { return unix.Sendto(int(s), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) })
}

func (s rtnetlink) receive(b []byte) (n int, err error) {
	err = again(func() (err error) { n, _, err = unix.Recvfrom(int(s), b, 0); return err })
	return n, err
}

func (s rtnetlink) close() { unix.Close(int(s)) }

func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// conn makes requests and takes the answers. It is used by one goroutine.
type conn struct {
	socket
	seq uint32
	out []byte
	in  [1 << 16]byte // the kernel's datagrams are shorter
}

// answer is what the kernel says to a request.
type answer struct {
	err   error
	shown bool // filter is what the kernel showed, and is one of ours
	filter
}

// brokenError ends the driver: the socket does not say what the kernel has done, or the uplink is gone.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

// batch is how many requests go to the kernel in one datagram. Their answers must fit into the socket's buffer.
const batch = 64

// do makes requests, which the kernel carries out in order, each whatever became of the others. The error is that of
// the socket; then it is not known what was done.
func (c *conn) do(requests ...request) ([]answer, error) {
	if len(requests) == 0 {
		return nil, nil // netlink takes no empty datagram
	}
	c.out = c.out[:0]
	first := c.seq
	for _, r := range requests {
		r.Seq = c.seq
		c.seq++
		c.out = append(c.out, r.Serialize()...)
	}
	if err := c.send(c.out); err != nil {
		return nil, brokenError{fmt.Errorf("netlink: sending: %w", err)}
	}
	answers := make([]answer, len(requests))
	for open := len(requests); open > 0; {
		messages, err := c.read()
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			k := m.Header.Seq - first
			if k >= uint32(len(answers)) {
				continue
			}
			switch a := &answers[k]; m.Header.Type {
			case unix.NLMSG_ERROR:
				a.err = verdict(m)
				open--
			case unix.RTM_NEWTFILTER, unix.RTM_DELTFILTER:
				a.filter, a.shown = parseFilter(m.Data)
			}
		}
	}
	return answers, nil
}

// one makes one request.
func (c *conn) one(r request) (answer, error) {
	all, err := c.do(r)
	if err != nil {
		return answer{}, err
	}
	return all[0], all[0].err
}

// filters makes a request of all and gives each filter, also those that are none of ours.
func (c *conn) filters(r request, each func(f *filter, ours bool)) error {
	r.Seq = c.seq
	c.seq++
	if err := c.send(r.Serialize()); err != nil {
		return brokenError{fmt.Errorf("netlink: sending: %w", err)}
	}
	for {
		messages, err := c.read()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Seq != r.Seq {
				continue
			}
			switch m.Header.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				return verdict(m)
			case unix.RTM_NEWTFILTER:
				if f, ours := parseFilter(m.Data); f.handle != 0 { // without a handle it is the kind that is shown
					each(&f, ours)
				}
			}
		}
	}
}

func (c *conn) read() ([]syscall.NetlinkMessage, error) {
	n, err := c.receive(c.in[:])
	if err != nil {
		return nil, brokenError{fmt.Errorf("netlink: the kernel's answer: %w", err)}
	}
	messages, err := syscall.ParseNetlinkMessage(c.in[:n])
	if err != nil {
		return nil, brokenError{fmt.Errorf("netlink: the kernel's answer: %w", err)}
	}
	return messages, nil
}

// verdict is the error that a message of type NLMSG_ERROR or NLMSG_DONE carries, in the kernel's words where it gives
// some, or nil.
func verdict(m syscall.NetlinkMessage) error {
	errno := syscall.Errno(-int32(u32(m.Data)))
	if errno == 0 {
		return nil
	}
	// The request comes back behind the number, in full unless the kernel says that it is not.
	const echo = 4
	rest := m.Data[min(echo, len(m.Data)):]
	if m.Header.Type == unix.NLMSG_ERROR {
		n := unix.SizeofNlMsghdr
		if m.Header.Flags&unix.NLM_F_CAPPED == 0 && len(rest) >= n {
			n = int(min(binary.NativeEndian.Uint32(rest), uint32(len(rest)))+3) &^ 3
		}
		rest = rest[min(n, len(rest)):]
	}
	if m.Header.Flags&unix.NLM_F_ACK_TLVS != 0 {
		for t, v := range attributes(rest) {
			if t == nl.NLMSGERR_ATTR_MSG {
				return fmt.Errorf("%w: %s", errno, unix.ByteSliceToString(v))
			}
		}
	}
	return errno
}
