package traces

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"os"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Arrival is one packet of a workload.
type Arrival struct {
	At    units.Time
	Flow  flow.ID
	Bytes int32 // of the frame
}

// Packets are the packets of some of a workload's flows, with times and sizes of their own.
type Packets struct {
	// Flows are the workload's numbers of the flows that PacketReader calls 0, 1, and so on.
	Flows []flow.ID
	// Open begins at the first packet. What it returns reads independently of any other.
	Open func() PacketReader
}

// PacketReader yields packets in order of time.
type PacketReader interface {
	// Read puts the next packets into p, which has room for one at least, and says how many. It is 0 only with an error, which
	// at the end is io.EOF.
	Read(p []Arrival) (int, error)
}

// PacketMerge merges packets in order of time; of those of one instant, the ones of earlier Packets come first. It holds a
// bounded part of each.
type PacketMerge struct {
	lanes     []lane
	tree, win []uint64 // of losers, see build
	k         uint
	base      units.Time
	err       error
}

// lane is one of the merged sequences, of which part has been read.
type lane struct {
	src   PacketReader
	flows []flow.ID
	buf   []Arrival
	at, n int // buf[at:n] is read and not used
}

// What a stream reads ahead, in packets: of all lanes about, and of one.
const (
	aheadAll   = 1 << 15
	aheadMost  = 1 << 12
	aheadLeast = 16
)

// MergePackets opens all packets. An error of theirs is returned by the first Read.
func MergePackets(ps []Packets) *PacketMerge {
	s := &PacketMerge{lanes: make([]lane, len(ps))}
	ahead := min(max(aheadAll/max(len(ps), 1), aheadLeast), aheadMost)
	for i, p := range ps {
		s.lanes[i] = lane{src: p.Open(), flows: p.Flows, buf: make([]Arrival, ahead)}
		s.refill(&s.lanes[i])
	}
	s.k = uint(bits.Len(uint(max(len(ps), 1) - 1)))
	s.tree, s.win = make([]uint64, 1<<s.k), make([]uint64, 2<<s.k)
	s.build()
	return s
}

func (s *PacketMerge) refill(l *lane) {
	l.at = 0
	n, err := l.src.Read(l.buf)
	if l.n = n; n == 0 && err != io.EOF && s.err == nil {
		s.err = err
	}
	for i := range l.buf[:n] {
		l.buf[i].Flow = l.flows[l.buf[i].Flow]
	}
}

const idleKey = 1<<63 - 1

// build plays the tournament (Knuth, The Art of Computer Programming 3, 5.4.1) with the time of each lane's next packet
// since base, shifted, and the lane's number as its key. A lane whose next packet is too far away for a key is idle until the
// others are, too.
func (s *PacketMerge) build() {
	s.base = units.Never
	for i := range s.lanes {
		if l := &s.lanes[i]; l.at < l.n {
			s.base = min(s.base, l.buf[l.at].At)
		}
	}
	size := 1 << s.k
	for i := range size {
		s.win[size+i] = idleKey
		if i < len(s.lanes) {
			s.win[size+i] = s.key(uint64(i), &s.lanes[i])
		}
	}
	for i := size - 1; i > 0; i-- {
		s.win[i], s.tree[i] = min(s.win[2*i], s.win[2*i+1]), max(s.win[2*i], s.win[2*i+1])
	}
	s.tree[0] = s.win[1]
}

func (s *PacketMerge) key(i uint64, l *lane) uint64 {
	if l.at == l.n {
		return idleKey
	}
	since := uint64(l.buf[l.at].At - s.base)
	if since >= idleKey>>s.k {
		return idleKey
	}
	return since<<s.k | i
}

// Read implements PacketReader.
func (s *PacketMerge) Read(p []Arrival) (n int, err error) {
	mask := uint64(1)<<s.k - 1
	for n < len(p) {
		key := s.tree[0]
		if key == idleKey {
			if s.build(); s.tree[0] == idleKey {
				break
			}
			continue
		}
		i := key & mask
		l := &s.lanes[i]
		p[n] = l.buf[l.at]
		n++
		if l.at++; l.at == l.n {
			s.refill(l)
		}
		key = s.key(i, l)
		for j := (i + 1<<s.k) >> 1; j > 0; j >>= 1 {
			s.tree[j], key = max(s.tree[j], key), min(s.tree[j], key)
		}
		s.tree[0] = key
	}
	switch {
	case n > 0:
		return n, nil
	case s.err != nil:
		return 0, s.err
	}
	return 0, io.EOF
}

// spool keeps the packets of a recording, once their flows are known, in a temporary file: 16 bytes a packet. The file has no
// name, so nothing is left of it when the process ends, however it does.
type spool struct {
	file  *os.File
	w     *bufio.Writer
	speed float64
	last  []units.Time // packet of each flow, in the recording's time
}

const spooled = 16 // bytes a packet

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "smartinco-packets-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &spool{file: f, w: bufio.NewWriterSize(f, 1<<16), speed: 1}, nil
}

func (s *spool) add(at units.Time, f int32, size int32) error {
	var b [spooled]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	binary.LittleEndian.PutUint32(b[8:], uint32(f))
	binary.LittleEndian.PutUint32(b[12:], uint32(size))
	_, err := s.w.Write(b[:])
	return err
}

// packets are those of one copy of the recording, which begins at phase.
func (s *spool) packets(phase units.Time, flows []flow.ID) Packets {
	return Packets{Flows: flows, Open: func() PacketReader { return &replay{spool: s, phase: phase} }}
}

// replay reads a spool.
type replay struct {
	*spool
	phase units.Time
	at    int64
	raw   []byte
}

// Read implements PacketReader.
func (r *replay) Read(p []Arrival) (int, error) {
	if len(r.raw) < len(p)*spooled {
		r.raw = make([]byte, len(p)*spooled)
	}
	n, err := r.file.ReadAt(r.raw[:len(p)*spooled], r.at)
	r.at += int64(n)
	if n == 0 || n%spooled != 0 {
		if err != io.EOF || n > 0 {
			return 0, fmt.Errorf("traces: temporary file of packets: %w", err)
		}
		return 0, io.EOF
	}
	for i := range n / spooled {
		b := r.raw[i*spooled : i*spooled+spooled]
		p[i] = Arrival{
			At:    r.phase + speedUp(units.Time(binary.LittleEndian.Uint64(b)), r.speed),
			Flow:  flow.ID(binary.LittleEndian.Uint32(b[8:])),
			Bytes: int32(binary.LittleEndian.Uint32(b[12:])),
		}
	}
	return n / spooled, nil
}

// speedUp divides a time of a recording.
func speedUp(t units.Time, by float64) units.Time {
	if by == 1 {
		return t
	}
	return units.Time(float64(t) / by)
}
