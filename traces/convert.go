package traces

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// ConvertToCapture writes recorded traffic of any format that Read knows as a capture. The frames of a capture are
// copied as they are, in their order; their times are cut to the precision of the format. The records of a flow log are
// played evenly, as WriteCapture does, from their own times on.
func ConvertToCapture(ctx context.Context, path string, w io.Writer, format CaptureFormat,
	report Progress) (done Written, err error) {
	src, f, err := openTraffic(path, ctx)
	if err != nil {
		return done, err
	}
	defer src.Close()
	if f == nil {
		return copyCapture(ctx, src, path, w, format, report)
	}
	if done, err = f.play(ctx, src, w, format, report); err != nil {
		err = fmt.Errorf("traces: %s: %w", path, err)
	}
	return
}

// ConvertToFlows writes recorded traffic of any format that Read knows as a flow CSV. The records of a flow log are
// written one by one. A capture gives a flow for each directed five-tuple, from its first packet to its last. Inner is
// the only option used.
func ConvertToFlows(ctx context.Context, path string, o Options, w io.Writer,
	report Progress) (done Written, err error) {
	src, f, err := openTraffic(path, ctx)
	if err != nil {
		return done, err
	}
	defer src.Close()
	return convertToFlows(ctx, src, f, path, o, w, report)
}

func convertToFlows(ctx context.Context, src *source, f *flowLog, path string, o Options, w io.Writer,
	report Progress) (done Written, err error) {
	if f == nil {
		return captureFlows(ctx, src, path, o, w, report)
	}
	if done, err = f.flows(ctx, src, w); err != nil {
		err = fmt.Errorf("traces: %s: %w", path, err)
	}
	return
}

// play plays a log's records.
func (f *flowLog) play(ctx context.Context, src *source, w io.Writer, format CaptureFormat,
	report Progress) (done Written, err error) {
	var cs []connection
	g, err := f.each(src, func(_ *logged, c connection) error { cs = append(cs, c); return nil })
	if err != nil {
		return done, err
	}
	slices.SortStableFunc(cs, func(a, b connection) int { return a.start.compare(b.start) })
	base := earliest(cs)
	end := units.Time(0)
	for _, c := range cs {
		s, err := c.segment(base, lone, 0, 0)
		if err != nil {
			return done, err
		}
		end = max(end, s.End)
	}
	s := Stream{Layer: g.layer, End: end, flows: func(yield func(begun, error) bool) {
		for _, c := range cs {
			s, err := c.segment(base, lone, 0, 0)
			if !yield(begun{at: s.Start, flow: Flow{Tuple: c.tuple, Segments: []Segment{s}}}, err) {
				return
			}
		}
	}}
	done, err = s.writeCapture(ctx, w, format, base, report)
	done.Notes = g.notes(done.Notes)
	return done, err
}

// lone is how long a record without a duration lasts.
const lone = 100 * units.Millisecond

func (g *logged) notes(more []Count) []Count {
	cs := slices.Clone(g.skipped)
	for _, c := range more {
		cs = count(cs, c.Reason, c.N)
	}
	return cs
}

// flows writes a log's records as they come.
func (f *flowLog) flows(ctx context.Context, src *source, w io.Writer) (done Written, err error) {
	var out *flowWriter
	beat := pulse{ctx: ctx}
	g, err := f.each(src, func(g *logged, c connection) error {
		if out == nil {
			out = newFlowWriter(w, g.layer)
		}
		out.write(&c)
		return beat.beat(nil)
	})
	switch {
	case err != nil:
		return done, err
	case out == nil:
		return done, errNoPackets
	}
	out.done.Notes = g.skipped
	return out.done, out.Flush()
}

// copyCapture copies frames.
func copyCapture(ctx context.Context, src *source, path string, w io.Writer, format CaptureFormat,
	report Progress) (done Written, err error) {
	c, err := newCapture(src, path)
	if err != nil {
		return done, err
	}
	done.Layer = Frames
	out := newCaptureWriter(w, format)
	at := time.Unix(0, 0)
	beat := pulse{ctx: ctx, report: report}
	for {
		var f record
		var p Packet
		if err := c.next(&p, &f); err == io.EOF {
			break
		} else if err != nil {
			return done, err
		}
		if err := beat.beat(c.src.progress); err != nil {
			return done, err
		}
		if f.stamped {
			if at, err = f.at.date(); err != nil {
				return done, fmt.Errorf("traces: %s: packet %d: %w", path, c.n, err)
			}
		}
		if err := out.write(layers.LinkType(f.link), at, int(f.length), f.data); err != nil {
			return done, fmt.Errorf("traces: %s: packet %d: %w", path, c.n, err)
		}
		done.Packets++
		done.Bytes += int64(f.length)
		done.Duration = c.last.seconds()
	}
	if done.Packets == 0 {
		return done, fmt.Errorf("traces: %s: %w", path, errNoPackets)
	}
	done.Notes = c.notes()
	return done, out.flush()
}

// captureFlows sums up a capture's packets by five-tuple.
func captureFlows(ctx context.Context, src *source, path string, o Options, w io.Writer,
	report Progress) (done Written, err error) {
	c, err := newCapture(src, path)
	if err != nil {
		return done, err
	}
	index := map[flow.FiveTuple]int{}
	var cs []connection
	c.walk.enter = o.Inner
	beat := pulse{ctx: ctx, report: report}
	for {
		var p Packet
		var f record
		if err := c.next(&p, &f); err == io.EOF {
			break
		} else if err != nil {
			return done, err
		}
		if err := beat.beat(c.src.progress); err != nil {
			return done, err
		}
		if _, err := c.first.plus(c.last).date(); err != nil {
			return done, fmt.Errorf("traces: %s: packet %d: %w", path, c.n, err)
		}
		i, ok := index[p.Tuple]
		if !ok {
			i = len(cs)
			index[p.Tuple] = i
			cs = append(cs, connection{start: c.last, tuple: p.Tuple})
		}
		x := &cs[i]
		x.packets++
		x.bytes += int64(p.Bytes)
		x.duration = c.last.minus(x.start)
	}
	if len(cs) == 0 {
		return done, fmt.Errorf("traces: %s: %w", path, errNoPackets)
	}
	out := newFlowWriter(w, Frames)
	for i := range cs {
		cs[i].start = c.first.plus(cs[i].start)
		out.write(&cs[i])
	}
	out.done.Notes = c.notes()
	return out.done, out.Flush()
}
