package traces

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"

	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Written says what is in a file that was written.
type Written struct {
	Flows    int64 // directed; of a capture that was copied they are not counted
	Packets  int64
	Bytes    int64   // in Layer
	Layer    Layer   // of a capture, Frames
	Notes    []Count // what was peculiar or had to be changed, by reason
	Duration float64 // seconds
}

// String describes the file in a line.
func (w Written) String() string {
	flows := ""
	if w.Flows > 0 {
		flows = fmt.Sprintf("%d flows, ", w.Flows)
	}
	return fmt.Sprintf("%s%d packets, %d %v, %.6g s", flows, w.Packets, w.Bytes, w.Layer, w.Duration)
}

// Progress is told how much of something is done, now and then. It may be nil.
type Progress func(done, total float64)

// every is the number of packets or flows after which an interrupt is looked for.
const every = 1 << 12

// pulse looks for an interrupt and reports, once in a while.
type pulse struct {
	ctx    context.Context
	report Progress
	n      int
}

func (p *pulse) beat(progress func() (done, total float64)) error {
	if p.n++; p.n%every != 0 {
		return nil
	}
	if p.report != nil && progress != nil {
		p.report(progress())
	}
	return p.ctx.Err()
}

// WriteCapture plays the stream into a capture: Ethernet frames whose headers, sizes and checksums are valid, and whose
// payload is zero. Frames have no check sequence, as in every capture: a frame of 64 B is written with 60 B, and is 64
// B again when an interface sends it. A frame that is smaller than its headers is enlarged and noted. Times count from
// 1970. Memory grows with the number of flows that send at the same time.
func (s *Stream) WriteCapture(ctx context.Context, w io.Writer, format CaptureFormat,
	report Progress) (Written, error) {
	done, err := s.writeCapture(ctx, w, format, instant{}, report)
	if err != nil {
		return done, fmt.Errorf("traces: capture: %w", err)
	}
	return done, nil
}

func (s *Stream) writeCapture(ctx context.Context, w io.Writer, format CaptureFormat, base instant,
	report Progress) (done Written, err error) {
	out := newCaptureWriter(w, format)
	done.Layer = Frames
	var f framer
	enlarged := int64(0)
	first := units.Time(-1)
	beat := pulse{ctx: ctx, report: report}
	for p, err := range packets(s.flows, s.End) {
		if err != nil {
			return done, err
		}
		if err := beat.beat(func() (float64, float64) { return p.at.Seconds(), s.End.Seconds() }); err != nil {
			return done, err
		}
		size := s.Layer.frame(p.bytes, p.tuple)
		b, err := f.frame(p.tuple, size, uint32(p.playing.payload))
		if err != nil {
			return done, err
		}
		if int64(len(b)) > size {
			enlarged++
		}
		at, err := base.add(p.at).date()
		if err != nil {
			return done, err
		}
		if err := out.write(layers.LinkTypeEthernet, at, len(b), b); err != nil {
			return done, err
		}
		if !p.playing.heard {
			p.playing.heard = true
			done.Flows++
		}
		p.playing.payload += int64(len(b)) - headers(p.tuple)
		if first < 0 {
			first = p.at
		}
		done.Packets++
		done.Bytes += int64(len(b))
		done.Duration = (p.at - first).Seconds()
	}
	if done.Packets == 0 {
		return done, errNoPackets
	}
	done.Notes = count(done.Notes, "frames enlarged to hold their headers", enlarged)
	return done, out.flush()
}

// WriteFlows writes the stream as a flow CSV: a line for each flow, in the order of the stream, with the packets that
// WriteCapture would play and their bytes in the stream's layer. Seconds have 12 decimals.
func (s *Stream) WriteFlows(ctx context.Context, w io.Writer, report Progress) (Written, error) {
	done, err := s.writeFlows(ctx, w, report)
	if err != nil {
		return done, fmt.Errorf("traces: flow CSV: %w", err)
	}
	return done, nil
}

func (s *Stream) writeFlows(ctx context.Context, w io.Writer, report Progress) (Written, error) {
	out := newFlowWriter(w, s.Layer)
	end := s.End
	if end == 0 {
		end = units.Never
	}
	beat := pulse{ctx: ctx, report: report}
	for b, err := range s.flows {
		if err != nil {
			return out.done, err
		}
		if b.at >= end {
			break
		}
		if err := beat.beat(func() (float64, float64) { return b.at.Seconds(), s.End.Seconds() }); err != nil {
			return out.done, err
		}
		p := playing{flow: b.flow, constant: b.constant, own: b.own}
		c := connection{tuple: b.flow.Tuple}
		var first, last units.Time
		for p.next() {
			n, octets := p.before(end)
			if n == 0 {
				break
			}
			if c.packets == 0 {
				first = p.at
			}
			last = p.start + p.gap.At(n)
			c.packets += n
			c.bytes += octets
			p.k = p.n - 1
		}
		if c.packets == 0 {
			continue
		}
		c.start, c.duration = instant{}.add(first), instant{}.add(min(last, end)-first)
		out.write(&c)
	}
	if out.done.Packets == 0 {
		return out.done, errNoPackets
	}
	return out.done, out.Flush()
}

var errNoPackets = errors.New("no packets")

// flowWriter writes lines of a flow CSV. Flush returns its errors.
type flowWriter struct {
	*bufio.Writer
	line  []byte
	done  Written
	first instant
	last  instant
}

func newFlowWriter(w io.Writer, l Layer) *flowWriter {
	out := &flowWriter{Writer: bufio.NewWriterSize(w, 1<<16), done: Written{Layer: l}}
	out.WriteString(flowHeader(l))
	return out
}

func (w *flowWriter) write(c *connection) {
	b := appendSeconds(w.line[:0], c.start)
	b = appendSeconds(append(b, ','), c.duration)
	b = append(append(append(b, ','), flow.ProtoName(c.tuple.Proto)...), ',')
	b = strconv.AppendUint(append(c.tuple.Src.AppendTo(b), ','), uint64(c.tuple.SrcPort), 10)
	b = append(c.tuple.Dst.AppendTo(append(b, ',')), ',')
	b = strconv.AppendUint(b, uint64(c.tuple.DstPort), 10)
	b = strconv.AppendInt(append(b, ','), c.packets, 10)
	b = strconv.AppendInt(append(b, ','), c.bytes, 10)
	w.line = append(b, '\n')
	w.Write(w.line)
	w.done.Flows++
	w.done.Packets += c.packets
	w.done.Bytes += c.bytes
	end := c.start.plus(c.duration)
	if w.done.Flows == 1 || c.start.before(w.first) {
		w.first = c.start
	}
	if w.done.Flows == 1 || w.last.before(end) {
		w.last = end
	}
	w.done.Duration = w.last.minus(w.first).seconds()
}

// appendSeconds writes a time that is not negative with 12 decimals.
func appendSeconds(b []byte, t instant) []byte {
	b = append(strconv.AppendInt(b, t.sec, 10), '.')
	at := len(b)
	b = strconv.AppendInt(b, t.ps+int64(picos), 10) // a 1 before the decimals keeps their zeros
	return append(b[:at], b[at+1:]...)
}

// mulDiv is a * b / c for a, b and c that are not negative, with a and b at most c.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}
