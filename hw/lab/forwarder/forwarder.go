// Package forwarder is the lab's network function: it takes each packet that arrives at one interface and sends it out
// of another. It sleeps when there is nothing to do, so that many of them can share a core.
//
// # A server with a finite ring
//
// Packets arrive in a ring that the kernel fills (a packet socket's TPACKET_V2 ring, mapped into memory). It has a
// fixed number of slots. A packet holds its slot until its service has ended. The kernel drops and counts a packet that
// finds no free slot. The receive ring of a NIC does the same, and vnf.buffer means the same in a scenario.
//
// # What a packet costs
//
// Two costs can be set. Both are the same on any machine:
//
//   - Work is time on the CPU: rounds of SHA-256 over the frame until the thread's own CPU clock has advanced by so
//     much. Instances on the same core compete for it in this part: this is how contention arises here. Work prescribes
//     the load and not the outcome. The kernel's scheduler decides what an instance processes beside others, and that
//     must be measured.
//   - Wait is time without use of the CPU, as if waiting for an accelerator or for memory. After a sleep that was too
//     long, the next packets wait less, as long as some are in the ring. So the imprecision of timers, which can exceed
//     Wait itself, does not become a part of the cost.
//
// Without either, a packet costs two system calls, some microseconds.
package forwarder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Config says what to forward, and at which cost.
type Config struct {
	In, Out string        // interfaces; if they are the same, the two MAC addresses are swapped
	Ring    int           // slots of the receive ring: an even number from 2
	Work    time.Duration // CPU time for each packet
	Wait    time.Duration // other time for each packet
}

// Check says what is wrong with a configuration.
func (c *Config) Check() error {
	switch {
	case c.In == "" || c.Out == "":
		return errors.New("two interfaces are wanted, in and out")
	case c.Ring < 2 || c.Ring > 1<<16 || c.Ring%2 != 0:
		return fmt.Errorf("ring of %d slots: want an even number from 2 to 65536", c.Ring)
	case c.Work < 0 || c.Wait < 0:
		return fmt.Errorf("work %v, wait %v: want 0 or more", c.Work, c.Wait)
	}
	return nil
}

// Ready is the line that Run prints when it begins to forward packets.
const Ready = "forwarder: ready"

// Counts are what a forwarder has done so far. Its fields may be read while it runs.
type Counts struct {
	Forwarded atomic.Uint64
	Dropped   atomic.Uint64 // packets that found the ring full, and those that out refused
}

// Run waits for the interfaces to appear, prints Ready, and forwards until the context ends, which is no error. It is
// an error if an interface disappears.
func Run(ctx context.Context, c Config, out io.Writer, counts *Counts) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("forwarder: %w", err)
	}
	in, err := waitUp(ctx, c.In)
	if err != nil {
		return err
	}
	to, err := waitUp(ctx, c.Out)
	if err != nil {
		return err
	}
	r, err := openRing(in, c.Ring)
	if err != nil {
		return fmt.Errorf("forwarder: %s: %w", c.In, err)
	}
	defer r.close()
	tx, err := openSender(to)
	if err != nil {
		return fmt.Errorf("forwarder: %s: %w", c.Out, err)
	}
	defer unix.Close(tx)
	// The thread's CPU clock is read, so the loop must not change threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // ns; without it sleeps last 50 µs longer
	fmt.Fprintln(out, Ready)
	return c.loop(ctx, r, tx, counts)
}

func (c *Config) loop(ctx context.Context, r *ring, tx int, counts *Counts) error {
	// when the service of the previous packet would have ended if no sleep had been too long
	free := clock(unix.CLOCK_MONOTONIC)
	for ctx.Err() == nil {
		frame, ok := r.next()
		if !ok {
			if err := r.wait(); err != nil {
				return fmt.Errorf("forwarder: %s: %w", c.In, err)
			}
			counts.Dropped.Add(r.dropped())
			free = clock(unix.CLOCK_MONOTONIC)
			continue
		}
		if c.Work > 0 || c.Wait > 0 {
			start := clock(unix.CLOCK_MONOTONIC)
			burn(frame, c.Work)
			now := clock(unix.CLOCK_MONOTONIC)
			free += now - start + c.Wait
			if c.Wait > 0 && free > now {
				sleepUntil(free)
			}
		}
		if c.In == c.Out {
			swap(frame)
		}
		switch err := unix.Send(tx, frame, 0); {
		case err == nil:
			counts.Forwarded.Add(1)
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR),
			errors.Is(err, unix.EMSGSIZE):
			counts.Dropped.Add(1)
		default:
			return fmt.Errorf("forwarder: %s: %w", c.Out, err)
		}
		r.release()
	}
	counts.Dropped.Add(r.dropped())
	return nil
}

// burn uses the CPU until this thread has had so much of it.
func burn(frame []byte, work time.Duration) {
	if work == 0 {
		return
	}
	end := clock(unix.CLOCK_THREAD_CPUTIME_ID) + work
	for clock(unix.CLOCK_THREAD_CPUTIME_ID) < end {
		sum := sha256.Sum256(frame)
		for range 7 {
			sum = sha256.Sum256(sum[:])
		}
		runtime.KeepAlive(sum)
	}
}

func swap(frame []byte) {
	if len(frame) >= 12 {
		a, b := [6]byte(frame[0:6]), [6]byte(frame[6:12])
		copy(frame[0:], b[:])
		copy(frame[6:], a[:])
	}
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t)
	return time.Duration(t.Nano())
}

func sleepUntil(t time.Duration) {
	at := unix.NsecToTimespec(int64(t))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}

// waitUp waits until an interface exists and is up, since a container starts before it has any.
func waitUp(ctx context.Context, name string) (*net.Interface, error) {
	for {
		i, err := net.InterfaceByName(name)
		if err == nil && i.Flags&net.FlagUp != 0 {
			return i, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("forwarder: no interface %s that is up: %w", name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Await waits, as Run does, until interfaces exist and are up.
func Await(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := waitUp(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// ring is the receive ring: slots of 2 KiB, each with a header whose status says who owns the slot.
type ring struct {
	fd    int
	mem   []byte
	slots int
	at    int
}

const slotSize = 2048

func openRing(in *net.Interface, slots int) (_ *ring, err error) {
	if in.MTU > 1800 {
		return nil, fmt.Errorf("MTU %d: a slot of the ring takes 1800 at most", in.MTU)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket (CAP_NET_RAW is needed): %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, fmt.Errorf("TPACKET_V2: %w", err)
	}
	page := max(unix.Getpagesize(), 2*slotSize)
	perBlock := page / slotSize
	if slots%perBlock != 0 {
		return nil, fmt.Errorf("ring of %d slots: want a multiple of %d with memory pages of %d bytes", slots, perBlock,
			unix.Getpagesize())
	}
	blocks := slots / perBlock
	request := unix.TpacketReq{Block_size: uint32(page), Block_nr: uint32(blocks), Frame_size: slotSize,
		Frame_nr: uint32(slots)}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, fmt.Errorf("ring of %d slots: %w", slots, err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return nil, fmt.Errorf("PACKET_IGNORE_OUTGOING: %w", err)
	}
	mem, err := unix.Mmap(fd, 0, blocks*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the ring: %w", err)
	}
	// It is bound last, so that no packet of another interface gets into the ring.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: hostToNet(unix.ETH_P_ALL), Ifindex: in.Index}); err !=
		nil {
		unix.Munmap(mem)
		return nil, err
	}
	return &ring{fd: fd, mem: mem, slots: slots}, nil
}

func (r *ring) header() *unix.Tpacket2Hdr {
	return (*unix.Tpacket2Hdr)(unsafe.Pointer(&r.mem[r.at*slotSize]))
}

// next is the frame in the next slot, until release.
func (r *ring) next() ([]byte, bool) {
	h := r.header()
	if atomic.LoadUint32(&h.Status)&unix.TP_STATUS_USER == 0 {
		return nil, false
	}
	from := r.at*slotSize + int(h.Mac)
	return r.mem[from : from+int(h.Snaplen)], true
}

func (r *ring) release() {
	atomic.StoreUint32(&r.header().Status, unix.TP_STATUS_KERNEL)
	r.at = (r.at + 1) % r.slots
}

// wait returns after a packet has come, or after 100 ms.
func (r *ring) wait() error {
	p := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, 100); err != nil && err != unix.EINTR {
		return err
	}
	if p[0].Revents&unix.POLLERR == 0 {
		return nil
	}
	// The interface went down or away. Reading the error clears it.
	errno, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || errno == 0 {
		return err
	}
	return unix.Errno(errno)
}

// dropped is how many packets found the ring full since the last call.
func (r *ring) dropped() uint64 {
	s, err := unix.GetsockoptTpacketStats(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(s.Drops)
}

func (r *ring) close() {
	unix.Munmap(r.mem)
	unix.Close(r.fd)
}

// openSender makes a socket that only sends: bound to protocol 0 it receives nothing.
func openSender(out *net.Interface) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: out.Index}); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func hostToNet(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}
