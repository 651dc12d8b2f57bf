package traces

import (
	"fmt"
	"io"
	"math"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Summary says what is in a capture or a flow log.
type Summary struct {
	File    string `json:"file"`
	Format  string `json:"format"` // pcap, pcapng, zeek, nfdump, cicflowmeter or flows
	Packets int64  `json:"packets"`
	Bytes   int64  `json:"bytes"` // see Counted
	// what the bytes count, see Layer: frame_bytes, without check sequence, for a capture
	Counted    Layer       `json:"counted"`
	Duration   float64     `json:"duration_s"` // first to last packet, or first start to last end of a connection
	FlowsUni   int         `json:"flows_uni"`  // distinct directed five-tuples of IP packets
	FlowsBi    int         `json:"flows_bi"`   // distinct five-tuples, both directions folded together
	Concurrent int         `json:"concurrent"` // most flows between their first and last packet at once
	MeanBytes  float64     `json:"mean_bytes"` // a packet
	MeanPPS    float64     `json:"mean_pps"`   // over Duration
	Peaks      []Peak      `json:"peaks"`      // of a flow log there are none: it has no packet times
	Dispersion []Index     `json:"dispersion"` // at ten scales; of a flow log there are none
	MMPP       *MMPP       `json:"mmpp"`       // fitted to the dispersion; nil where none fits, see MMPP
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

// Inspect reads recorded traffic in any format that Read knows, and sums up what is in it. Packets may be any time
// apart. Inner and Context are the only options used.
func Inspect(path string, o Options) (*Summary, error) {
	src, f, err := openTraffic(path, o.Context)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return inspect(src, path, f, o)
}

func inspect(src *source, path string, f *flowLog, o Options) (s *Summary, err error) {
	if f == nil {
		return inspectCapture(src, path, o)
	}
	if s, err = inspectFlowLog(src, path, f); err != nil {
		err = fmt.Errorf("traces: %s: %w", path, err)
	}
	return s, err
}

// life is the time that a five-tuple was on the wire.
type life struct{ first, last instant }

func inspectCapture(src *source, path string, o Options) (*Summary, error) {
	c, err := newCapture(src, path)
	if err != nil {
		return nil, err
	}
	c.walk.enter = o.Inner
	s := &Summary{File: filepath.Base(path), Format: c.Format(), Counted: Frames}
	for i, limit := range sizeLimits {
		lo := 0
		if i > 0 {
			lo = sizeLimits[i-1] + 1
		}
		s.Sizes = append(s.Sizes, SizeClass{Min: lo, Max: limit})
	}
	var windows [len(peakWindows)]struct {
		number instant
		n, max int64
	}
	index := map[flow.FiveTuple]int{}
	var tuples []flow.FiveTuple
	var lives []life
	var spread dispersion
	b := newBins()
	for {
		var p Packet
		var f record
		if err := c.next(&p, &f); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		s.Packets++
		s.Bytes += int64(p.Bytes)
		i := 0
		for sizeLimits[i] > 0 && int(p.Bytes) > sizeLimits[i] {
			i++
		}
		s.Sizes[i].Packets++
		clock := instant{c.last.sec, c.last.ps + c.first.ps}.normal()
		for i := range windows {
			w := &windows[i]
			if number := (instant{clock.sec, clock.ps - clock.ps%int64(peakWindows[i])}); number != w.number {
				w.number, w.n = number, 0
			}
			w.n++
			w.max = max(w.max, w.n)
		}
		spread.add(c.last)
		i, ok := index[p.Tuple]
		if !ok {
			i = len(tuples)
			index[p.Tuple] = i
			tuples = append(tuples, p.Tuple)
			lives = append(lives, life{first: c.last})
		}
		lives[i].last = c.last
		if err := b.add(c.last, 1, float64(p.Bytes)); err != nil {
			return nil, fmt.Errorf("traces: %s: packet %d: %w", path, c.n, err)
		}
	}
	for i, w := range windows {
		s.Peaks = append(s.Peaks, Peak{peakWindows[i], float64(w.max) / peakWindows[i].Seconds()})
	}
	moments := spread.moments(c.last)
	s.Dispersion, s.MMPP = shown(moments), fitMMPP(moments)
	s.Notes = c.notes()
	s.finish(tuples, lives, c.last, b)
	return s, nil
}

func inspectFlowLog(src *source, path string, f *flowLog) (*Summary, error) {
	var cs []connection
	g, err := f.each(src, func(_ *logged, c connection) error { cs = append(cs, c); return nil })
	if err != nil {
		return nil, err
	}
	if len(cs) == 0 {
		return nil, errNoPackets
	}
	s := &Summary{File: filepath.Base(path), Format: f.name, Counted: g.layer, Packets: g.packets, Bytes: g.bytes,
		Notes: g.skipped}
	index := map[flow.FiveTuple]bool{}
	var tuples []flow.FiveTuple
	var lives []life
	base, span := earliest(cs), instant{}
	for i := range cs {
		start, end := cs[i].life(lone)
		lives = append(lives, life{start.minus(base), end.minus(base)})
		if span.before(lives[i].last) {
			span = lives[i].last
		}
	}
	b := newBins()
	if err := b.widen(span); err != nil {
		return nil, err
	}
	for i := range cs {
		if !index[cs[i].tuple] {
			index[cs[i].tuple] = true
			tuples = append(tuples, cs[i].tuple)
		}
		b.spread(lives[i], float64(cs[i].packets), float64(cs[i].bytes))
	}
	s.finish(tuples, lives, span, b)
	return s, nil
}

func (s *Summary) finish(tuples []flow.FiveTuple, lives []life, duration instant, b *bins) {
	s.Duration = duration.seconds()
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

// concurrent is the largest number of lives that share an instant, first and last included.
func concurrent(lives []life) int {
	starts, ends := make([]instant, len(lives)), make([]instant, len(lives))
	for i, l := range lives {
		starts[i], ends[i] = l.first, l.last
	}
	slices.SortFunc(starts, instant.compare)
	slices.SortFunc(ends, instant.compare)
	most, gone := 0, 0
	for i, t := range starts {
		for ends[gone].before(t) {
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

// at is the bin of a length of time; the result is huge if the number of the bin would overflow.
func (b *bins) at(t instant) uint64 {
	hi, lo := bits.Mul64(uint64(t.sec), picos)
	lo, carry := bits.Add64(lo, uint64(t.ps), 0)
	if hi += carry; hi >= uint64(b.width) {
		return math.MaxUint64
	}
	n, _ := bits.Div64(hi, lo, uint64(b.width))
	return n
}

// begin is where a bin begins.
func (b *bins) begin(n uint64) instant {
	hi, lo := bits.Mul64(n, uint64(b.width))
	sec, ps := bits.Div64(hi, lo, picos)
	return instant{int64(sec), int64(ps)}
}

// widen makes room for a time.
func (b *bins) widen(t instant) error {
	for b.at(t) >= maxBins {
		if b.width > math.MaxInt64/2 {
			return fmt.Errorf("the times are %.3g years apart, want 278 at most", t.seconds()/31556952)
		}
		b.width *= 2
		for i := range maxBins / 2 {
			b.packets[i] = b.packets[2*i] + b.packets[2*i+1]
			b.bytes[i] = b.bytes[2*i] + b.bytes[2*i+1]
		}
		clear(b.packets[maxBins/2:])
		clear(b.bytes[maxBins/2:])
	}
	return nil
}

func (b *bins) add(t instant, packets, bytes float64) error {
	if err := b.widen(t); err != nil {
		return err
	}
	n := b.at(t)
	b.packets[n] += packets
	b.bytes[n] += bytes
	return nil
}

// spread adds what a life carried, evenly. The bins must be wide enough for its end.
func (b *bins) spread(l life, packets, bytes float64) {
	whole := l.last.minus(l.first)
	for t := l.first; t.before(l.last); {
		n := b.at(t)
		next := b.begin(n + 1)
		if l.last.before(next) {
			next = l.last
		}
		x := portion(next.minus(t), whole)
		b.packets[n] += float64(packets * x)
		b.bytes[n] += float64(bytes * x)
		t = next
	}
}

func (b *bins) series(duration instant) Series {
	n := int(b.at(duration)) + 1
	s := Series{Bin: b.width, PPS: make([]float64, n), BPS: make([]float64, n)}
	for i := range n {
		s.PPS[i] = b.packets[i] / b.width.Seconds()
		s.BPS[i] = b.bytes[i] * 8 / b.width.Seconds()
	}
	return s
}

// String prints the summary as a table, without the series.
func (s *Summary) String() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-16s "+format+"\n", append([]any{name}, args...)...)
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
	for _, d := range s.Dispersion {
		row("dispersion "+d.Window.String(), "%.3g in %d windows", d.Index, d.Windows)
	}
	switch {
	case s.MMPP != nil:
		row("MMPP-2", "%v", s.MMPP)
		row("MMPP-2 misfit", "%.0f %% of the dispersion", 100*s.MMPP.Misfit)
	case len(s.Dispersion) > 0:
		row("MMPP-2", "none fits")
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
