package trexserver

import (
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Device is what a port sends and receives frames with. Frames are without their check sequence.
type Device interface {
	// Name says what it is, for people.
	Name() string
	MAC() net.HardwareAddr
	MTU() int // the longest frame, without its Ethernet header
	// Send hands over frames in order. It returns how many were taken and, if not all, why the next one was not. It
	// keeps none of them.
	Send(frames [][]byte) (int, error)
	// Receive calls handle for each frame that arrives, with the time for which it has waited to be read. The frame is
	// valid only during the call. Receive returns after Close, or with an error if no frame can arrive any more.
	Receive(handle func(frame []byte, waited time.Duration)) error
	// Dropped is how many frames arrived and were lost because they were not read in time.
	Dropped() uint64
	SetPromiscuous(on bool) error
	Up() bool
	Close() error
}

// defaultSpeed is the line rate of a port whose device has none of its own, as the original has it: 10 Gbit/s.
const defaultSpeed = 10e9

// Server is the state behind the protocol. Its methods may be called from several goroutines.
type Server struct {
	now   func() time.Duration // since the server started
	idle  time.Duration        // until the server gives up a client that asks nothing
	wake  chan struct{}        // tells the publisher of events
	token func() string        // a new handle

	mu          sync.Mutex
	handle      string
	started     time.Time
	ports       []*port
	sessions    map[uint32]*session
	groups      map[uint32]*group
	hardware    [statsIDs]*group // by the number that their packets carry
	latency     [statsIDs]atomic.Pointer[group]
	versions    int
	subscribers map[chan []byte]bool
	closing     chan struct{} // closed when a client has shut the server down
	closed      bool
}

// MaxPorts is how many ports a server has at most.
const MaxPorts = 8

// New makes a server with a port for each device, MaxPorts at most. Ports 0 and 1, 2 and 3 and so on send to each
// other's MAC address. Serve closes the devices.
func New(devices ...Device) *Server {
	start := time.Now()
	s := newServer(func() time.Duration { return time.Since(start) }, devices)
	s.started = start
	return s
}

func newServer(now func() time.Duration, devices []Device) *Server {
	s := &Server{now: now, idle: idleTime, wake: make(chan struct{}, 1), token: token, handle: token(),
		sessions:    map[uint32]*session{},
		groups:      map[uint32]*group{},
		subscribers: map[chan []byte]bool{}, closing: make(chan struct{})}
	for i, d := range devices {
		p := newPort(s, i, d)
		if peer := i ^ 1; peer < len(devices) {
			p.peer = devices[peer].MAC()
		}
		s.ports = append(s.ports, p)
	}
	return s
}

// token is a random name of eight letters, as handles are.
func token() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, 8)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// shutdown makes Serve return a moment later, so that the answer can still go out.
func (s *Server) shutdown() {
	if !s.closed {
		s.closed = true
		time.AfterFunc(200*time.Millisecond, func() { close(s.closing) })
	}
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// nanos is a time of that many nanoseconds, at most some seventy years.
func nanos(f float64) time.Duration { return time.Duration(min(f, 1<<61)) }
