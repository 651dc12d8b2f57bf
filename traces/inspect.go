package traces

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Summary says what is in a capture or a flow log.
type Summary struct {
	File       string      `json:"file"`
	Format     string      `json:"format"` // pcap, pcapng, zeek, nfdump, cicflowmeter or flows
	Packets    int64       `json:"packets"`
	Bytes      int64       `json:"bytes"`      // see Counted
	Counted    Layer       `json:"counted"`    // what the bytes are: frame_bytes of a capture, without check sequence; see Layer
	Duration   float64     `json:"duration_s"` // first to last packet, or first start to last end of a connection
	FlowsUni   int         `json:"flows_uni"`  // distinct directed five-tuples of IP packets
	FlowsBi    int         `json:"flows_bi"`   // distinct five-tuples, both directions folded together
	Concurrent int         `json:"concurrent"` // most flows between their first and last packet at once
	MeanBytes  float64     `json:"mean_bytes"` // a packet
	MeanPPS    float64     `json:"mean_pps"`   // over Duration
	Peaks      []Peak      `json:"peaks"`      // of a flow log there are none: it has no packet times
	Sizes      []SizeClass `json:"sizes"`      // of a flow log there are none: it has no packet sizes
	Notes      []Count     `json:"notes"`      // peculiarities of packets, all of which are counted above
	Series     Series      `json:"series"`
}

// Peak is the highest rate over windows that begin at whole multiples of Window on the recording's clock.
type Peak struct {
	Window units.Time `json:"window"`
	PPS    float64    `json:"pps"`
}

// SizeClass counts packets of Min to Max bytes; Max 0 is no limit.
type SizeClass struct {
	Min     int   `json:"min"`
	Max     int   `json:"max"`
	Packets int64 `json:"packets"`
}

// Series is the traffic over time in equal bins, at most 1000 of them.
type Series struct {
	Bin units.Time `json:"bin"`
	PPS []float64  `json:"pps"`
	BPS []float64  `json:"bps"` // bits of the bytes counted in Summary.Bytes
}

var peakWindows = [...]units.Time{units.Second, 10 * units.Millisecond, units.Millisecond}

// sizeLimits are the upper ends of the size classes; RFC 2544 frames fall in different ones.
var sizeLimits = [...]int{64, 127, 511, 1023, 1518, 0}

// Inspect reads recorded traffic in any format that Read knows, and sums up what is in it.
func Inspect(path string) (*Summary, error) {
	f, err := sniff(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	case f == nil:
		return inspectCapture(path)
	}
	return inspectFlowLog(path, f)
}

// life is when a five-tuple was on the wire.
type life struct{ first, last units.Time }

func inspectCapture(path string) (*Summary, error) {
	c, err := OpenCapture(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s := &Summary{File: filepath.Base(path), Format: c.Format(), Counted: Frames}
	for i, limit := range sizeLimits {
		lo := 0
		if i > 0 {
			lo = sizeLimits[i-1] + 1
		}
		s.Sizes = append(s.Sizes, SizeClass{Min: lo, Max: limit})
	}
	var windows [len(peakWindows)]struct {
		number units.Time
		n, max int64
	}
	index := map[flow.FiveTuple]int{}
	var tuples []flow.FiveTuple
	var lives []life
	b := newBins()
	last := units.Time(0)
	for {
		p, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		phase := units.Time(c.first.ps)
		s.Packets++
		s.Bytes += int64(p.Bytes)
		last = p.Time
		i := 0
		for sizeLimits[i] > 0 && int(p.Bytes) > sizeLimits[i] {
			i++
		}
		s.Sizes[i].Packets++
		for i := range windows {
			w := &windows[i]
			if number := (p.Time + phase) / peakWindows[i]; number != w.number {
				w.number, w.n = number, 0
			}
			w.n++
			w.max = max(w.max, w.n)
		}
		i, ok := index[p.Tuple]
		if !ok {
			i = len(tuples)
			index[p.Tuple] = i
			tuples = append(tuples, p.Tuple)
			lives = append(lives, life{first: p.Time})
		}
		lives[i].last = p.Time
		b.add(p.Time, 1, float64(p.Bytes))
	}
	for i, w := range windows {
		s.Peaks = append(s.Peaks, Peak{peakWindows[i], float64(w.max) / peakWindows[i].Seconds()})
	}
	s.Notes = c.notes()
	s.finish(tuples, lives, last, b)
	return s, nil
}

func inspectFlowLog(path string, f *flowLog) (*Summary, error) {
	w, err := readFlowLog(path, Options{}, f)
	if err != nil {
		return nil, err
	}
	s := &Summary{File: filepath.Base(path), Format: f.name, Counted: w.Layer, Notes: w.Skipped}
	index := map[flow.FiveTuple]bool{}
	var tuples []flow.FiveTuple
	var lives []life
	b := newBins()
	end := w.End()
	b.widen(end)
	for _, f := range w.Flows {
		g := f.Segments[0]
		s.Packets += int64(g.Packets)
		s.Bytes += int64(g.Bytes)
		if !index[f.Tuple] {
			index[f.Tuple] = true
			tuples = append(tuples, f.Tuple)
		}
		lives = append(lives, life{g.Start, g.End})
		b.spread(g)
	}
	s.finish(tuples, lives, end, b)
	return s, nil
}

func (s *Summary) finish(tuples []flow.FiveTuple, lives []life, duration units.Time, b *bins) {
	s.Duration = duration.Seconds()
	both := map[flow.FiveTuple]bool{}
	for _, t := range tuples {
		if t.Proto == notIP {
			continue
		}
		s.FlowsUni++
		if !both[Reverse(t)] {
			both[t] = true
		}
	}
	s.FlowsBi = len(both)
	s.Concurrent = concurrent(lives)
	if s.Packets > 0 {
		s.MeanBytes = float64(s.Bytes) / float64(s.Packets)
	}
	if s.Duration > 0 {
		s.MeanPPS = float64(s.Packets) / s.Duration
	}
	s.Series = b.series(duration)
}

// concurrent is the most lives that hold at one instant, first and last included.
func concurrent(lives []life) int {
	starts, ends := make([]units.Time, len(lives)), make([]units.Time, len(lives))
	for i, l := range lives {
		starts[i], ends[i] = l.first, l.last
	}
	slices.Sort(starts)
	slices.Sort(ends)
	most, gone := 0, 0
	for i, t := range starts {
		for ends[gone] < t {
			gone++
		}
		most = max(most, i+1-gone)
	}
	return most
}

const maxBins = 1000

// bins counts traffic over time. When time outgrows maxBins bins, neighbours are joined and the width doubles, so any
// length takes the same memory and one pass.
type bins struct {
	width          units.Time
	packets, bytes [maxBins]float64
}

func newBins() *bins { return &bins{width: units.Microsecond} }

func (b *bins) widen(t units.Time) {
	for t/b.width >= maxBins {
		b.width *= 2
		for i := range maxBins / 2 {
			b.packets[i] = b.packets[2*i] + b.packets[2*i+1]
			b.bytes[i] = b.bytes[2*i] + b.bytes[2*i+1]
		}
		clear(b.packets[maxBins/2:])
		clear(b.bytes[maxBins/2:])
	}
}

func (b *bins) add(t units.Time, packets, bytes float64) {
	b.widen(t)
	b.packets[t/b.width] += packets
	b.bytes[t/b.width] += bytes
}

// spread adds a segment evenly. The bins must be wide enough for its end.
func (b *bins) spread(s Segment) {
	for t := s.Start; t < s.End; {
		next := min((t/b.width+1)*b.width, s.End)
		share := float64(next-t) / float64(s.End-s.Start)
		b.add(t, float64(s.Packets*share), float64(s.Bytes*share))
		t = next
	}
}

func (b *bins) series(duration units.Time) Series {
	n := int(duration/b.width) + 1
	s := Series{Bin: b.width, PPS: make([]float64, n), BPS: make([]float64, n)}
	for i := range n {
		s.PPS[i] = b.packets[i] / b.width.Seconds()
		s.BPS[i] = b.bytes[i] * 8 / b.width.Seconds()
	}
	return s
}

// String is the summary as a table of text, without the series.
func (s *Summary) String() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s "+format+"\n", append([]any{name}, args...)...)
	}
	row("file", "%s (%s)", s.File, s.Format)
	row("packets", "%d", s.Packets)
	row("bytes", "%d %v (mean %.1f B a packet)", s.Bytes, s.Counted, s.MeanBytes)
	row("duration", "%.6g s", s.Duration)
	row("flows", "%d directed, %d with both directions folded, at most %d at once", s.FlowsUni, s.FlowsBi, s.Concurrent)
	row("mean rate", "%.6g pps", s.MeanPPS)
	for _, p := range s.Peaks {
		row("peak "+p.Window.String(), "%.6g pps", p.PPS)
	}
	for _, c := range s.Sizes {
		if s.Packets > 0 {
			row("size "+c.name(), "%.1f %%", 100*float64(c.Packets)/float64(s.Packets))
		}
	}
	for _, n := range s.Notes {
		row("note", "%d %s", n.N, n.Reason)
	}
	return b.String()
}

func (c SizeClass) name() string {
	switch {
	case c.Max == 0:
		return fmt.Sprintf(">%d B", c.Min-1)
	case c.Min == 0:
		return fmt.Sprintf("<=%d B", c.Max)
	}
	return fmt.Sprintf("%d-%d B", c.Min, c.Max)
}
