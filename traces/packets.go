package traces

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
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
}

// Read implements PacketReader.
func (r *replay) Read(p []Arrival) (int, error) {
	if r.file != nil {
		return r.readFile(p)
	}
	n := copy(p, r.held[r.at:])
	if r.at += int64(n); n == 0 {
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i].At += r.phase
	}
	return n, nil
}

func (r *replay) readFile(p []Arrival) (int, error) {
	if need := len(p) * spooled; len(r.raw) < need {
		r.raw = make([]byte, need)
	}
	read, err := r.file.ReadAt(r.raw[:len(p)*spooled], r.at*spooled)
	if read == 0 || read%spooled != 0 {
		if err != io.EOF || read > 0 {
			return 0, fmt.Errorf("traces: temporary file of packets: %w", err)
		}
		return 0, io.EOF
	}
	n := read / spooled
	for i := range p[:n] {
		b := r.raw[i*spooled : i*spooled+spooled]
		p[i] = Arrival{
			At:    r.phase + speedUp(units.Time(binary.LittleEndian.Uint64(b)), r.speed),
			Flow:  flow.ID(binary.LittleEndian.Uint32(b[8:])),
			Bytes: int32(binary.LittleEndian.Uint32(b[12:])),
		}
	}
	r.at += int64(n)
	return n, nil
}

// speedUp divides a time of a recording.
func speedUp(t units.Time, by float64) units.Time {
	if by == 1 {
		return t
	}
	return units.Time(float64(t) / by)
}
