// Package netdev reads and writes the frames of a network device. A switch's driver does so with the devices that
// represent the ports of a card.
package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// all is ETH_P_ALL in network byte order.
var all = binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})

// Reader opens a device for the frames that come in at it, whatever their address. Each Read returns one frame. Frames
// that leave by the device are not read.
func Reader(name string) (io.ReadCloser, error) { return open(name, all) }

// Arrivals reads the frames that come in at a device, as Reader does, with their times of arrival.
type Arrivals struct {
	f   *os.File
	raw syscall.RawConn
	oob [64]byte
}

// ReaderOfArrivals opens a device to read frames with their times.
func ReaderOfArrivals(name string) (*Arrivals, error) {
	f, err := open(name, all)
	if err != nil {
		return nil, err
	}
	a := &Arrivals{f: f}
	var e error
	if a.raw, err = f.SyscallConn(); err == nil {
		err = a.raw.Control(func(fd uintptr) {
			e = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS,
				1)
		})
	}
	if err = errors.Join(err, e); err != nil {
		f.Close()
		return nil, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return a, nil
}

// Read waits for a frame. Its time is that of the system's clock, which may be set meanwhile.
func (a *Arrivals) Read(b []byte) (n int, at time.Time, err error) {
	var e error
	var oobn int
	err = a.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, e = unix.Recvmsg(int(fd), b, a.oob[:], 0)
			if e != unix.EINTR {
				return e != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(err, e); err != nil {
		return 0, at, err
	}
	at = time.Now()
	messages, _ := unix.ParseSocketControlMessage(a.oob[:oobn])
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			at = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return n, at, nil
}

// Close ends a Read that waits.
func (a *Arrivals) Close() error { return a.f.Close() }

// Writer opens a device for sending: each Write sends one frame.
func Writer(name string) (io.WriteCloser, error) { return open(name, 0) }

func open(name string, protocol uint16) (*os.File, error) {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("network device %s: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	if protocol != 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		if err == nil {
			promiscuous := unix.PacketMreq{Ifindex: int32(ifc.Index), Type: unix.PACKET_MR_PROMISC}
			err = errors.Join(
				unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &promiscuous),
				// some thousand first packets at once
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
			)
		}
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: ifc.Index})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
