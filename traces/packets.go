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

	one func(k int) PacketReader // opens flow k alone, and calls it 0; nil where it is the only one or cannot be
}

// PacketReader yields packets in order of time.
type PacketReader interface {
	// Read puts the next packets into p, which has room for at least one, and returns how many. That is 0 only with an
	// error, which is io.EOF at the end.
	Read(p []Arrival) (int, error)
}

// PacketMerge merges packets in order of time. Of packets at the same instant, those of earlier Packets come first. It
// holds a bounded part of each.
type PacketMerge struct {
	lanes     []lane
	ahead     int      // packets that are read at a time
	tree, win []uint64 // of losers, see build
	k         uint
	base      units.Time
	err       error
}

// lane is one of the merged sequences, part of which has been read.
type lane struct {
	buf   []Arrival // buf[at:] is read and not used
	at    int
	after uint64     // key of buf[at+1], so that a merge does not wait for memory
	phase units.Time // to add to the times in buf
	flows []flow.ID  // of the numbers in buf
	src   PacketReader
}

// lender is a PacketReader that has its packets in memory, or knows better than its caller where to put them.
type lender interface {
	// lend returns some of the next packets, at most n if they have to be read, and what to add to their times. They
	// stay as they are until the next call, and must not be written to.
	lend(n int) (p []Arrival, phase units.Time, err error)
}

// What a merge reads ahead, in packets: for all lanes together, roughly, and for one lane.
const (
	aheadAll   = 1 << 15
	aheadMost  = 1 << 12
	aheadLeast = 16
)

// MergePackets opens all packets. If opening fails, the first Read returns the error.
func MergePackets(ps []Packets) *PacketMerge {
	s := &PacketMerge{lanes: make([]lane, len(ps))}
	s.ahead = min(max(aheadAll/max(len(ps), 1), aheadLeast), aheadMost)
	for i, p := range ps {
		s.lanes[i] = lane{src: p.Open(), flows: p.Flows}
		s.refill(&s.lanes[i])
	}
	s.k = uint(bits.Len(uint(max(len(ps), 1) - 1)))
	s.tree, s.win = make([]uint64, 1<<s.k), make([]uint64, 2<<s.k)
	s.build()
	return s
}

func (s *PacketMerge) refill(l *lane) {
	var err error
	l.at = 0
	if src, ok := l.src.(lender); ok {
		l.buf, l.phase, err = src.lend(s.ahead)
	} else {
		if l.buf == nil {
			l.buf = make([]Arrival, s.ahead)
		}
		var n int
		n, err = l.src.Read(l.buf[:cap(l.buf)])
		l.buf = l.buf[:n]
	}
	if len(l.buf) == 0 && err != io.EOF && s.err == nil {
		s.err = err
	}
}

const idleKey = 1<<63 - 1

// build plays the tournament (Knuth, The Art of Computer Programming 3, 5.4.1). The key of a lane is the time of its
// next packet since base, shifted, and its number. A lane whose next packet is too far away for a key is idle until all
// others are idle too.
func (s *PacketMerge) build() {
	s.base = units.Never
	for i := range s.lanes {
		if l := &s.lanes[i]; l.at < len(l.buf) {
			s.base = min(s.base, l.phase+l.buf[l.at].At)
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

// key is that of the lane's next packet.
func (s *PacketMerge) key(i uint64, l *lane) uint64 {
	l.after = s.keyAt(i, l, l.at+1)
	return s.keyAt(i, l, l.at)
}

func (s *PacketMerge) keyAt(i uint64, l *lane, at int) uint64 {
	if at >= len(l.buf) {
		return idleKey
	}
	since := uint64(l.phase + l.buf[at].At - s.base)
	if since >= idleKey>>s.k {
		return idleKey
	}
	return since<<s.k | i
}

// Read implements PacketReader.
func (s *PacketMerge) Read(p []Arrival) (n int, err error) {
	tree, k, mask := s.tree[:1<<s.k], s.k, uint64(1)<<s.k-1
	for n < len(p) {
		key := tree[0]
		if key == idleKey {
			if s.build(); tree[0] == idleKey {
				break
			}
			continue
		}
		i := key & mask
		l := &s.lanes[i]
		x := &l.buf[l.at]
		p[n] = Arrival{At: l.phase + x.At, Flow: l.flows[x.Flow], Bytes: x.Bytes}
		n++
		if l.at++; l.at < len(l.buf) {
			key = l.after
			l.after = s.keyAt(i, l, l.at+1)
		} else {
			s.refill(l)
			key = s.key(i, l)
		}
		for j := (i + 1<<k) >> 1; j > 0; j >>= 1 {
			tree[j], key = max(tree[j], key), min(tree[j], key)
		}
		tree[0] = key
	}
	switch {
	case n > 0:
		return n, nil
	case s.err != nil:
		return 0, s.err
	}
	return 0, io.EOF
}

// spool keeps the packets of a recording, each with the number of its flow: up to a number of them in memory, where all
// copies share them, and otherwise in a temporary file, 16 bytes a packet. The file has no name, so nothing is left of
// it when the process ends, however it ends.
type spool struct {
	held []Arrival // all of them, if there is no file; Flow is the number in the recording
	most int       // in memory

	file  *os.File
	w     *bufio.Writer
	speed float64      // by which the times in the file are still to be divided
	last  []units.Time // packet of each flow, in the recording's time
}

const (
	spooled    = 16 // bytes a packet
	heldInCore = 1 << 20
)

func (s *spool) add(p Arrival) error {
	if s.file == nil {
		if len(s.held) < s.most {
			s.held = append(s.held, p)
			return nil
		}
		if err := s.spill(); err != nil {
			return err
		}
	}
	return s.write(p)
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	f, err := os.CreateTemp("", "smartinco-packets-")
	if err != nil {
		return err
	}
	s.file, s.w = f, bufio.NewWriterSize(f, 1<<16)
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	for _, p := range s.held {
		if err := s.write(p); err != nil {
			return err
		}
	}
	s.held = nil
	return nil
}

func (s *spool) write(p Arrival) error {
	b := binary.LittleEndian.AppendUint64(s.w.AvailableBuffer(), uint64(p.At))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Flow))
	_, err := s.w.Write(binary.LittleEndian.AppendUint32(b, uint32(p.Bytes)))
	return err
}

// end is called when all packets are there. Their times are divided by speed.
func (s *spool) end(speed float64) error {
	for i := range s.held {
		s.held[i].At = speedUp(s.held[i].At, speed)
	}
	if s.file == nil {
		return nil
	}
	s.speed = speed
	err := s.w.Flush()
	s.w = nil
	return err
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
}

// packets are those of one copy of the recording, which begins at phase.
func (s *spool) packets(phase units.Time, flows []flow.ID) Packets {
	return Packets{Flows: flows, Open: func() PacketReader { return &replay{spool: s, phase: phase} }}
}

// replay reads a spool.
type replay struct {
	*spool
	phase units.Time
	at    int64 // in packets
	raw   []byte
	buf   []Arrival
}

// Read implements PacketReader.
func (r *replay) Read(p []Arrival) (int, error) {
	got, phase, err := r.lend(len(p))
	n := copy(p, got)
	r.at -= int64(len(got) - n)
	for i := range p[:n] {
		p[i].At += phase
	}
	return n, err
}

func (r *replay) lend(n int) ([]Arrival, units.Time, error) {
	if r.file == nil {
		rest := r.held[min(r.at, int64(len(r.held))):]
		if r.at += int64(len(rest)); len(rest) == 0 {
			return nil, 0, io.EOF
		}
		return rest, r.phase, nil
	}
	if len(r.buf) < n {
		r.raw, r.buf = make([]byte, n*spooled), make([]Arrival, n)
	}
	read, err := r.file.ReadAt(r.raw[:n*spooled], r.at*spooled)
	if read == 0 || read%spooled != 0 {
		if err != io.EOF || read > 0 {
			return nil, 0, fmt.Errorf("traces: temporary file of packets: %w", err)
		}
		return nil, 0, io.EOF
	}
	n = read / spooled
	for i := range n {
		b := r.raw[i*spooled : i*spooled+spooled]
		r.buf[i] = Arrival{
			At:    speedUp(units.Time(binary.LittleEndian.Uint64(b)), r.speed),
			Flow:  flow.ID(binary.LittleEndian.Uint32(b[8:])),
			Bytes: int32(binary.LittleEndian.Uint32(b[12:])),
		}
	}
	r.at += int64(n)
	return r.buf[:n], r.phase, nil
}

// speedUp divides a time of a recording.
func speedUp(t units.Time, by float64) units.Time {
	if by == 1 {
		return t
	}
	return units.Time(float64(t) / by)
}
