package trexserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The receive ring: how much may arrive before it is read, and how long a block waits to be filled before it is handed
// over. 16 MiB hold 100,000 of the shortest frames.
const (
	ringBlock  = 256 << 10
	ringBlocks = 64
	ringWait   = 4 * time.Millisecond
)

// sendWait is how long a frame waits for room in the interface's queue before it counts as an error.
const sendWait = 10 * time.Millisecond

// iface is a Linux network interface, through two AF_PACKET sockets: one sends batches with sendmmsg(2), one receives
// into a ring of shared memory (TPACKET_V3), whose blocks wake the reader when they are full or have waited.
type iface struct {
	name string
	mtu  int
	mac  net.HardwareAddr
	tx   int

	vec  [batch]unix.Iovec
	msgs [batch]message

	rx      *os.File
	raw     syscall.RawConn
	ring    []byte
	reading sync.Mutex // held while the ring is read
	lost    atomic.Uint64
	closed  atomic.Bool
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	_      uint32 // what the kernel sent
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// OpenInterface opens a network interface to send and receive frames, in the named network namespace (as ip-netns(8)
// names them, or a path) or, if that is empty, in the caller's. It needs CAP_NET_RAW, and CAP_SYS_ADMIN for a
// namespace.
func OpenInterface(name, namespace string) (Device, error) {
	var d *iface
	err := inNamespace(namespace, func() (err error) {
		d, err = openIface(name)
		return err
	})
	if err != nil {
		if namespace != "" {
			err = fmt.Errorf("%w (namespace %s)", err, namespace)
		}
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return d, nil
}

// inNamespace runs f on a thread in a network namespace. Sockets stay in the namespace in which they were opened.
func inNamespace(namespace string, f func() error) error {
	if namespace == "" {
		return f()
	}
	if !filepath.IsAbs(namespace) {
		namespace = filepath.Join("/run/netns", namespace)
	}
	ns, err := os.Open(namespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, so nobody else meets it there
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- os.NewSyscallError("setns", err)
			return
		}
		result <- f()
	}()
	return <-result
}

func openIface(name string) (d *iface, err error) {
	itf, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	d = &iface{name: name, mtu: itf.MTU, mac: itf.HardwareAddr, tx: -1}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	// Protocol 0 receives nothing.
	if d.tx, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return d, os.NewSyscallError("socket", err)
	}
	wait := unix.NsecToTimeval(int64(sendWait))
	if err = unix.SetsockoptTimeval(d.tx, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return d, os.NewSyscallError("SO_SNDTIMEO", err)
	}
	if err = unix.Bind(d.tx, &unix.SockaddrLinklayer{Ifindex: itf.Index}); err != nil {
		return d, os.NewSyscallError("bind", err)
	}
	for i := range d.msgs {
		d.msgs[i].header.Iov = &d.vec[i]
		d.msgs[i].header.SetIovlen(1)
	}

	rx, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return d, os.NewSyscallError("socket", err)
	}
	d.rx = os.NewFile(uintptr(rx), name) // non-blocking, so Go's poller waits for it
	if d.raw, err = d.rx.SyscallConn(); err != nil {
		return d, err
	}
	if err = unix.SetsockoptInt(rx, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return d, os.NewSyscallError("PACKET_VERSION", err)
	}
	if err = unix.SetsockoptInt(rx, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return d, os.NewSyscallError("PACKET_IGNORE_OUTGOING", err)
	}
	const frame = 2048 // of no meaning in version 3, but checked
	if err = unix.SetsockoptTpacketReq3(rx, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
		Block_size: ringBlock, Block_nr: ringBlocks, Frame_size: frame, Frame_nr: ringBlock / frame * ringBlocks,
		Retire_blk_tov: uint32(ringWait.Milliseconds()),
	}); err != nil {
		return d, os.NewSyscallError("PACKET_RX_RING", err)
	}
	if d.ring, err = unix.Mmap(rx, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err !=
		nil {
		return d, os.NewSyscallError("mmap", err)
	}
	// Only now does it begin to receive, so that nothing arrives before it can be kept.
	if err = unix.Bind(rx, &unix.SockaddrLinklayer{Ifindex: itf.Index, Protocol: htons(unix.ETH_P_ALL)}); err != nil {
		return d, os.NewSyscallError("bind", err)
	}
	return d, nil
}

func htons(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

func (d *iface) Name() string          { return d.name }
func (d *iface) MAC() net.HardwareAddr { return d.mac }
func (d *iface) MTU() int              { return d.mtu }

func (d *iface) Send(frames [][]byte) (int, error) {
	done := 0
	for done < len(frames) {
		part := frames[done:min(len(frames), done+batch)]
		for i, f := range part {
			d.vec[i].Base = &f[0]
			d.vec[i].SetLen(len(f))
		}
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(d.tx), uintptr(unsafe.Pointer(&d.msgs)),
			uintptr(len(part)), 0, 0, 0)
		runtime.KeepAlive(frames)
		switch errno {
		case 0:
			done += int(n)
		case unix.EINTR:
		default:
			return done, os.NewSyscallError("sendmmsg", errno)
		}
	}
	return done, nil
}

// block is a block of the ring.
type block []byte

func (b block) header() *unix.TpacketHdrV1 {
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&(*unix.TpacketBlockDesc)(unsafe.Pointer(&b[0])).Hdr))
}

func (b block) full() bool {
	return atomic.LoadUint32(&b.header().Block_status)&unix.TP_STATUS_USER != 0
}

func (b block) release() { atomic.StoreUint32(&b.header().Block_status, unix.TP_STATUS_KERNEL) }

func (d *iface) Receive(handle func(frame []byte, waited time.Duration)) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	for i := 0; ; i = (i + 1) % ringBlocks {
		if d.closed.Load() { // and the ring may be gone
			return nil
		}
		b := block(d.ring[i*ringBlock:][:ringBlock])
		for !b.full() {
			err := d.raw.Read(func(uintptr) bool { return b.full() })
			if d.closed.Load() {
				return nil
			}
			if err != nil {
				// The interface went down. Frames arrive again when it is up.
				time.Sleep(100 * time.Millisecond)
				d.socketError()
			}
		}
		// The kernel's stamps are of this clock. Setting it spoils the delays of the frames that wait, and nothing
		// else.
		now := time.Now().UnixNano()
		at := b.header().Offset_to_first_pkt
		for range b.header().Num_pkts {
			h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&b[at]))
			waited := now - int64(h.Sec)*int64(time.Second) - int64(h.Nsec)
			handle(b[at+uint32(h.Mac):][:h.Snaplen], time.Duration(max(0, waited)))
			at += h.Next_offset
		}
		b.release()
	}
}

// control runs f on the receiving socket.
func (d *iface) control(f func(fd int) error) error {
	var err error
	if e := d.raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// socketError takes the error that waits at the socket.
func (d *iface) socketError() {
	d.control(func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return err
	})
}

func (d *iface) Dropped() uint64 {
	d.control(func(fd int) error {
		st, err := unix.GetsockoptTpacketStatsV3(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil {
			d.lost.Add(uint64(st.Drops)) // since the last time it was read
		}
		return err
	})
	return d.lost.Load()
}

func (d *iface) SetPromiscuous(on bool) error {
	return d.control(func(fd int) error {
		option := unix.PACKET_DROP_MEMBERSHIP
		if on {
			option = unix.PACKET_ADD_MEMBERSHIP
		}
		itf, err := unix.Getsockname(fd)
		if err != nil {
			return os.NewSyscallError("getsockname", err)
		}
		err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, option,
			&unix.PacketMreq{Ifindex: int32(itf.(*unix.SockaddrLinklayer).Ifindex), Type: unix.PACKET_MR_PROMISC})
		if err == unix.EADDRNOTAVAIL && !on { // it was not on
			return nil
		}
		return os.NewSyscallError("PACKET_ADD_MEMBERSHIP", err)
	})
}

func (d *iface) Up() bool {
	return d.control(func(fd int) error {
		r, err := unix.NewIfreq(d.name)
		if err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
			return err
		}
		if r.Uint16()&unix.IFF_RUNNING == 0 {
			return unix.ENETDOWN
		}
		return nil
	}) == nil
}

func (d *iface) Close() error {
	d.closed.Store(true)
	var errs []error
	if d.tx >= 0 {
		errs = append(errs, unix.Close(d.tx))
		d.tx = -1
	}
	if d.rx != nil {
		errs = append(errs, d.rx.Close())
		d.rx = nil
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	if d.ring != nil {
		errs = append(errs, unix.Munmap(d.ring))
		d.ring = nil
	}
	return errors.Join(errs...)
}

// sleep waits with the kernel's precision; Go's own timers are rounded up to a millisecond when nothing else runs.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil)
}
